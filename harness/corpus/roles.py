"""What each page of a book is for, in words that can be checked by looking at the page.

The rules run in the order of ``_RULES``; the first that speaks decides, and its reason is kept. They look at
the text, the position in the book and the outline; type sizes are gone by now.

    blank · index-like lines (front: contents, back: index) · a heading or outline title that names a role
    · copyright marks · few words at the front: title, dedication · the section before goes on · body
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from harness.corpus.prose import running_lines, without_furniture
from harness.metrics.validity import index_like
from harness.text import count_words, sentence_ends
from harness.types import Book, LabelledPage, Page

FRONT, BACK = 0.15, 0.65
"""Front matter ends, back matter begins: shares of the book's pages (front: eight pages at least)."""

_NAMES: tuple[tuple[str, str], ...] = (
    ("contents", r"(?:table of )?contents"),
    ("index", r"(?:general |subject )?index(?: of (?:names|subjects|persons|titles|first lines))?"),
    (
        "bibliography",
        r"(?:select(?:ed)? )?bibliograph(?:y|ies)|works cited|references|further reading|sources",
    ),
    ("glossary", r"glossary(?: of terms)?|list of abbreviations|abbreviations"),
    ("captions", r"(?:list of )?(?:illustrations|figures|plates|maps|tables)"),
    ("notes", r"(?:end|foot)?notes|notes (?:to|on) the .+"),
    ("preface", r"(?:editor['’]s )?(?:preface|foreword|introduction by .+)(?: to the .+)?|acknowledge?ments"),
    ("copyright", r"copyright(?: page| notice)?|colophon|imprint|.*(?:boilerplate|licen[sc]e|licensing)\.?"),
    ("title", r"(?:half[- ])?title(?: page)?"),
    ("cover", r"(?:front |back )?cover"),
    ("dedication", r"dedication|epigraph"),
    (
        "advertisement",
        r"(?:other )?(?:books|works) by .+|by the same author|advertisements?|catalogue|about the author",
    ),
)
_NAME_OF_ROLE = tuple((role, re.compile(pattern + r"[.:]?", re.I)) for role, pattern in _NAMES)
_COPYRIGHT = re.compile(
    r"©|\bcopyright\b|all rights reserved|\bISBN\b|first (?:published|printed)|\bpublished by\b|printed in|"
    r"printed and bound|library of congress|catalog(?:u?ing| card)|\bLCCN\b|\bimpression\b|public domain|"
    r"project gutenberg|produced by",
    re.I,
)
_DEDICATION = re.compile(r"\s*(?:to|for|dedicated to|in memory of|in memoriam)\b", re.I)
_ADVERTISEMENT = re.compile(
    r"by the same author|also by|uniform with|crown 8vo|cloth,|price \$?\d|\d+s\. ?\d*d?\.", re.I
)
_YEAR_OF_WORK = re.compile(r"(?:1[5-9]|20)\d\d[a-z]?[).,]|\b(?:eds?|vols?|pp)\.")
_CAPTION = re.compile(r"\s*(?:fig(?:ure|\.)|plate|map|table)\s+[\divxlc]+", re.I)
_RUNS_ON = frozenset({"contents", "index", "bibliography", "glossary", "captions", "notes", "preface"})


@dataclass(frozen=True)
class _Seen:
    """One page as the rules see it."""

    lines: tuple[str, ...]
    n_words: int
    number: int
    n_pages: int
    outline: str | None
    """Role of the outline's section the page lies in: ``body`` for a chapter, None without an outline."""
    before: str
    """Role of the page before."""
    before_prose: bool
    """True where a page of the body or of a preface has been met."""

    @property
    def text(self) -> str:
        return "\n".join(line.strip() for line in self.lines if line.strip())

    @property
    def front(self) -> bool:
        return self.number <= max(8, FRONT * self.n_pages)

    @property
    def back(self) -> bool:
        return self.number > BACK * self.n_pages

    @property
    def heading(self) -> str | None:
        """The role that one of the first three lines names."""
        return next((r for r in map(role_named, self.text.split("\n")[:3]) if r), None)


_Rule = Callable[[_Seen], "tuple[str, str] | None"]


def label_pages(book: Book) -> tuple[LabelledPage, ...]:
    """Every page with its role and the reason for it, in order."""
    running = running_lines(book.pages)
    sections = {page: role_named(title) or "body" for page, title in book.chapters}
    labelled: list[LabelledPage] = []
    outline: str | None = None
    prose = False
    for page in book.pages:
        outline = sections.get(page.number, outline)
        before = labelled[-1].role if labelled else ""
        seen = _look(page, running, len(book.pages), outline, before, prose)
        role, reason = next(answer for rule in _RULES if (answer := rule(seen)) is not None)
        prose = prose or role == "body"
        labelled.append(LabelledPage(page, role, reason))
    return tuple(labelled)


def role_named(title: str) -> str | None:
    """The role that a heading or an outline title names; None for the title of a chapter.

    >>> role_named("INDEX."), role_named("The Notes of a Bird")
    ('index', None)
    """
    bare = " ".join(title.split())
    return next((role for role, pattern in _NAME_OF_ROLE if pattern.fullmatch(bare)), None)


def _look(
    page: Page, running: frozenset[str], n_pages: int, outline: str | None, before: str, prose: bool
) -> _Seen:
    lines = without_furniture(page, running)
    n_words = count_words("\n".join(lines))
    if n_words < 12:
        # Display pages repeat the running head: with so little left, the whole page is looked at.
        lines = page.lines
        n_words = count_words(page.text)
    return _Seen(lines, n_words, page.number, n_pages, outline, before, prose)


# ── the rules, in order ───────────────────────────────────────────────────────────────────────────


def _blank(seen: _Seen) -> tuple[str, str] | None:
    tokens = len(seen.text.split())
    return ("blank", f"{tokens} words or figures") if tokens < 3 else None


def _list_of_pages(seen: _Seen) -> tuple[str, str] | None:
    """Lines that end in page numbers: contents at the front, an index at the back, both by one function."""
    if not index_like(seen.text):
        return None
    if seen.front and not (seen.back or seen.before_prose):
        return "contents", "lines end in page numbers, at the front"
    if seen.back or seen.before == "index" or "index" in (seen.heading, seen.outline):
        return "index", "entries with page numbers"
    return None


def _named(seen: _Seen) -> tuple[str, str] | None:
    """A heading at the top, or the outline, names the role; prose under a front heading stays prose."""
    where = seen.front or seen.back
    if seen.heading and where and seen.heading not in ("title", "cover"):
        return seen.heading, f"headed {seen.text.splitlines()[0]!r}"
    if seen.outline in _RUNS_ON or (seen.outline not in (None, "body") and seen.n_words < 250 and where):
        return str(seen.outline), "the outline says so"
    return None


def _copyright(seen: _Seen) -> tuple[str, str] | None:
    marks = len(_COPYRIGHT.findall(seen.text))
    enough = marks >= 2 and seen.n_words < 120 * marks
    if enough and (seen.front or seen.number > seen.n_pages - 12):
        return "copyright", f"{marks} marks of a copyright page"
    return None


def _display(seen: _Seen) -> tuple[str, str] | None:
    """Few words and no sentences before the body begins: a cover, a title page, a dedication."""
    if not seen.front or seen.before_prose or seen.n_words >= 70 or len(sentence_ends(seen.text)) > 3:
        return None
    if any(line.strip().lower().startswith("chapter ") for line in seen.lines):
        return None
    if seen.number > 1 and seen.n_words < 40 and _DEDICATION.match(seen.text):
        return "dedication", "a few words that begin with 'to' or 'for'"
    if seen.number <= 8:
        return "title", f"{seen.n_words} words and hardly a sentence, page {seen.number}"
    return None


def _works(seen: _Seen) -> tuple[str, str] | None:
    lines = seen.text.splitlines()
    works = sum(bool(_YEAR_OF_WORK.search(line)) for line in lines)
    if seen.back and seen.before == "bibliography" and works >= 0.25 * len(lines):
        return "bibliography", f"{works} of {len(lines)} lines cite a work"
    if len(_ADVERTISEMENT.findall(seen.text)) >= 3 and (seen.front or seen.number > 0.95 * seen.n_pages):
        return "advertisement", "prices and titles"
    return None


def _captions(seen: _Seen) -> tuple[str, str] | None:
    if seen.n_words < 80 and _CAPTION.match(seen.text):
        return "captions", "little but a caption"
    return None


def _goes_on(seen: _Seen) -> tuple[str, str] | None:
    """A section that was named goes on until the outline or a chapter heading ends it."""
    if seen.before not in _RUNS_ON or seen.outline == "body":
        return None
    opens = any(re.match(r"\s*(?:chapter|part|book)\b", line, re.I) for line in seen.lines[:3])
    if seen.before == "preface" and seen.front and not opens:
        return "preface", "the preface goes on"
    if seen.before in ("notes", "glossary", "bibliography") and seen.back and not opens:
        return seen.before, f"the {seen.before} goes on"
    if seen.before == "index" and seen.back and len(sentence_ends(seen.text)) <= 0.2 * len(seen.lines):
        return "index", "the index goes on"
    return None


def _body(seen: _Seen) -> tuple[str, str]:
    return "body", "running prose"


_RULES: tuple[_Rule, ...] = (
    _blank,
    _list_of_pages,
    _named,
    _copyright,
    _display,
    _works,
    _captions,
    _goes_on,
    _body,
)
