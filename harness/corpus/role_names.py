"""The names of page roles as books print them: "Table of Contents", "Bibliographie", "Appendix F References".

English, French, German, Italian, Spanish and a little Dutch. An author's own preface has a name of its own,
for it is body in the end.
"""

from __future__ import annotations

import re
import unicodedata

OWN, FOREIGN = "own preface", "preface"
"""The first is body in the end, and only told apart while labelling."""
_NAMES: tuple[tuple[str, str], ...] = (
    (
        "index",
        r"(?:(?:general|subject|name|author|concept|keyword|command|function|variable|\w+ (?:and|&) \w+) )?"
        r"ind(?:ex|ices)(?: (?:of|des) \w+(?: \w+)?)?|(?:sach|personen|namen)?register|stichwortverzeichnis|"
        r"[íi]ndice (?:alfab[ée]tico|anal[íi]tico|onom[áa]stico|remissivo|dei nomi|de (?:materias|nombres))",
    ),
    (
        "contents",
        r"(?:table of |brief |short )?contents|table des mati[èe]res|inhalt(?:sverzeichnis)?|"
        r"inhoud(?:sopgave)?|sommaire|sommario|sum[áa]rio|[íi]ndice(?: generale?| de contenidos?)?|"
        r"(?:tabla de )?contenidos?",
    ),
    (
        "bibliography",
        r"(?:select(?:ed)? )?bibliograph(?:y|ies|ie)|works cited|references|further reading|sources|"
        r"r[ée]f[ée]rences|literatur(?:verzeichnis)?|bibliograf[íi]a|referencias(?: bibliogr[áa]ficas)?|"
        r"riferimenti(?: bibliografici)?",
    ),
    (
        "glossary",
        r"(?:glossary|list|table) of (?:terms|abbreviations|acronyms|symbols)|glossary(?: of .+)?|glossaire|"
        r"glossar|(?:abbreviations|acronym(?:s|es)|symbol(?:s|es)|sigles)|glos+[áa]rio",
    ),
    (
        "captions",
        r"(?:lists? of )?(?:illustrations|figures|plates|maps|tables)|lists? of \w+ examples|"
        r"(?:liste|table) des (?:tableaux|figures|illustrations)|(?:abbildungs|tabellen)verzeichnis|"
        r"elenco delle (?:figure|tabelle|illustrazioni)|"
        r"(?:[íi]ndice|lista) de (?:figuras|ilustraciones|cuadros|tablas|tabelas)",
    ),
    ("notes", r"(?:end|foot)?notes|notes (?:to|on) the .+|anmerkungen|notas"),
    (
        FOREIGN,
        r"(?:editor|translator|publisher)(?:['’]?s['’]?|ial) (?:preface|note|foreword|introduction).*|"
        r"foreword(?: by .+)?|(?:preface|introduction) by .+",
    ),
    (
        OWN,
        r"(?:author['’]s )?preface(?: to the .+)?|note to the .+ edition|acknowledge?ments?|thank you!?|"
        r"pr[ée]face|avant[- ]propos|remerciements|r[ée]sum[ée]|abstract|vorwort|danksagung|prefazione|"
        r"ringraziamenti|grazie!?|prefacio|pr[óo]logo|agradecimientos|¡?gracias!?|voorwoord",
    ),
    (
        "copyright",
        r"copyright(?: page| notice)?|colophon|imprint|.*(?:boilerplate|licen[sc]es?(?: and copyright)?|"
        r"licensing)|impressum|transcriber['’]?s['’]? notes?|(?:revision|change|version) ?(?:history|log)",
    ),
    ("title", r"(?:half[- ]?)?title(?: page)?"),
    ("cover", r"(?:front |back )?cover"),
    ("dedication", r"dedication|epigraph"),
    (
        "advertisement",
        r"(?:other )?(?:books|works) by .+|by the same author|advertisements?|catalogue|about the authors?",
    ),
)
ROLES = ("body", "blank", *(role for role, _ in _NAMES if role != OWN))
"""Every role a page can have."""
CHAPTER = r"(?:chapter|chapitre|kapitel|cap[íi]tulo|capitolo|hoofdstuk)"
PART = r"(?:part|book|partie|teil|parte|libro)"
"""What chapters and parts are called, to be used inside other expressions."""
_ALL = {role for role, _ in _NAMES}
_NAME_OF_ROLE = tuple((role, re.compile(rf"(?:{pattern})[.:]?", re.I)) for role, pattern in _NAMES)
_NUMBER = re.compile(r"(?:\d+|[IVX]+)[.:]?\s+")
_LETTER = re.compile(r"(?:(?:appendix|annexe|anhang)\s+\w{1,3}|[A-Z])[.:]?\s+", re.I)


def role_named(title: str) -> str | None:
    """The role that a heading or an outline title names; None for the title of a chapter.

    >>> role_named("INDEX."), role_named("Appendix F References"), role_named("The Notes of a Bird")
    ('index', 'bibliography', None)
    """
    bare = " ".join(unicodedata.normalize("NFKC", title).split())  # a heading may hold ligatures
    # ``11 Footnotes`` and ``5.9 Tables`` are about them; ``11 References`` and ``Appendix F Notes`` are them.
    forms = (
        (bare, _ALL),
        (_NUMBER.sub("", bare, count=1), {"index", "bibliography", "glossary"}),
        (_LETTER.sub("", bare, count=1), {"index", "bibliography", "glossary", "notes", "copyright"}),
    )
    for form, allowed in forms:
        for role, pattern in _NAME_OF_ROLE:
            if role in allowed and pattern.fullmatch(form):
                return role
    return None
