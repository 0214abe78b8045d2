"""What each page of a book is for, in words that can be checked by looking at the page.

The rules run in the order of ``_RULES``; the first that speaks decides, and its reason is kept. They look at
the text, the position in the book and the outline; type sizes are gone by now.

    blank · index-like lines (front: contents, back: index) · the words of a licence · a heading, running head
    or outline title that names a role · copyright marks · part titles; few words at the front: title,
    dedication · pages that only show figures · the section before goes on · after the index · body

``page_view`` says what a rule can see of a page; a page on which the role changes half-way is first cut into
blocks (``mixed_pages``), each of which is labelled.

An author's own preface is body; an editor's, a translator's or a foreword is ``preface``.
Nothing is fitted: every number below was chosen by looking at pages; tests/benchmarks/page_roles.py measures.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from harness.corpus.mixed_pages import blocks
from harness.corpus.page_view import (
    CAPTION,
    Seen,
    front_pages,
    head_role,
    is_head,
    own_lines,
    printed_on,
    section_of,
)
from harness.corpus.prose import running_lines
from harness.corpus.role_names import CHAPTER, FOREIGN, OWN, PART, ROLES
from harness.errors import ConfigurationError, nearest
from harness.metrics.index_pages import ends_in_page, has_leader, index_like
from harness.text import count_words, sentence_ends
from harness.types import Book, LabelledPage

_COPYRIGHT = re.compile(
    r"©|\bcopyright\b|all rights reserved|\bISBN\b|first (?:published|printed)|\bpublished by\b|printed in|"
    r"printed and bound|library of congress|catalog(?:u?ing| card)|\bLCCN\b|\bimpression\b|public domain|"
    r"project gutenberg|produced by|\breprinted,|(?:first|second|third|fourth) edition,|"
    r"transcriber['’]s note",
    re.I,
)
_LICENCE = re.compile(r"\blicen[cs]", re.I)
_OF_LICENCES = re.compile(
    r"\blicen[cs](?:e|es|ed|ee|ees|or|ors|ing)\b|\bwarrant(?:y|ies)\b|\b(?:re)?distribut\w+|\bsublicen\w+|"
    r"\bcopyright\w*|\bpermi(?:ssions?|ts?|tted)\b|\bhere(?:in|by|under|of)\b|\bderivative\b|\bmodif\w+|"
    r"\bcop(?:y|ies|ying)\b|\bliab\w+|\bdamages\b|\bconvey\w*|\bunder the terms\b",
    re.I,
)
_DEDICATION = re.compile(r"\s*(?:to|for|dedicated to|in memory of|in memoriam)\b", re.I)
_PART = re.compile(rf"{PART}\s+(?:[ivxlc]+|\d+|one|two|three|four|five)\b|\w+ part(?:ie|e)\b", re.I)
_CHAPTER = re.compile(rf"\b{CHAPTER}\b", re.I)
_OPENS = re.compile(rf"\s*(?:{CHAPTER}|{PART})\b", re.I)
_ADVERTISEMENT = re.compile(
    r"by the same author|also by|uniform with|crown 8vo|cloth,|price \$?\d|\d+s\. ?\d*d?\.", re.I
)
_YEAR_OF_WORK = re.compile(r"(?:1[5-9]|20)\d\d[a-z]?[).,]|\b(?:eds?|vols?|pp)\.")
_KEY = re.compile(r"\[\w{1,8}\] ")
_ENTRY = re.compile(r"\(pp?\. ?\d+[^)]*\)\.?$")
_CODE = re.compile(r"[{}=;]")
_PROSE = "running prose"
_LISTS = frozenset({"contents", "index", "captions"})
_RUNS_ON = frozenset({"contents", "index", "bibliography", "glossary", "captions", "notes", OWN, FOREIGN})


_Rule = Callable[[Seen], "tuple[str, str] | None"]


def label_pages(book: Book) -> tuple[LabelledPage, ...]:
    """Every page with its role and the reason for it, in order; a mixed page as two blocks or more."""
    running = running_lines(book.pages)
    titles: dict[int, list[str]] = {}
    for number, title in book.chapters:
        titles.setdefault(printed_on(book, number, title), []).append(title)
    sections = {number: section_of(named[-1]) for number, named in titles.items()}
    labelled: list[LabelledPage] = []
    outline: str | None = None
    before, prose, indexed = "", False, False
    for page in book.pages:
        early = page.number <= front_pages(len(book.pages))
        parts = blocks(page, titles.get(page.number, ()), early=early)
        for part in parts:
            starts = page.number in sections and part is parts[-1]
            outline = sections[page.number] if starts else outline
            lines = own_lines(part.page, running)
            seen = Seen(
                lines=lines,
                n_words=count_words("\n".join(lines)),
                number=page.number,
                n_pages=len(book.pages),
                head=head_role(part.page),
                outline=outline,
                opens_chapter=starts and outline == "body",
                before=before,
                before_prose=prose,
                after_index=indexed,
            )
            role, reason = part.role, part.reason
            if role is None:
                role, reason = next(answer for rule in _RULES if (answer := rule(seen)) is not None)
            prose = prose or role == "body"
            says_index = "index" in (seen.heading, seen.outline)
            indexed = indexed or (role == "index" and seen.back and says_index)
            # Footnotes printed below a chapter end with it.
            before = "" if part.role == "notes" else before if role == "blank" else role
            if outline == "body" and not starts and role in _RUNS_ON | {"copyright"}:
                outline = None  # the chapter it names is over, whatever the outline leaves out
            if role == OWN:
                role, reason = "body", f"the author's own words: {reason}"
            labelled.append(LabelledPage(part.page, role, reason))
    return _with_title_page(labelled) if labelled else ()


def _with_title_page(labelled: Sequence[LabelledPage]) -> tuple[LabelledPage, ...]:
    """A first page that would be prose, right before the contents, is a title page with an abstract."""
    first, rest = labelled[0], labelled[1:]
    following = next((item.role for item in rest if item.role not in ("blank", "copyright", "title")), "")
    plain = first.role == "body" and first.reason == _PROSE and count_words(first.page.text) < 300
    if first.page.number == 1 and plain and following == "contents":
        first = replace(first, role="title", reason="the first page, right before the contents")
    return (first, *rest)


def apply_overrides(
    labelled: Sequence[LabelledPage], overrides: Mapping[str, str]
) -> tuple[LabelledPage, ...]:
    """The pages with the roles that a reader gave them: ``{"1-4": "title", "230": "index"}``.

    Raises:
        ConfigurationError: a range or a role that does not exist.
    """
    given: dict[int, str] = {}
    n_pages = labelled[-1].page.number if labelled else 0
    for pages, role in overrides.items():
        first, _, last = str(pages).partition("-")
        if not first.strip().isdigit() or not (last or first).strip().isdigit():
            raise ConfigurationError(f"page roles: {pages!r} is no page or range of pages, such as 7 or 1-4")
        start, end = int(first), int(last or first)
        if not 1 <= start <= end <= n_pages:
            raise ConfigurationError(f"page roles: {pages!r} is not within pages 1 to {n_pages}")
        if role not in ROLES:
            raise ConfigurationError(f"page roles: no role {role!r}{nearest(role, ROLES)}")
        given |= dict.fromkeys(range(start, end + 1), role)
    return tuple(
        replace(item, role=given[item.page.number], reason="given by hand")
        if item.page.number in given
        else item
        for item in labelled
    )


# ── the rules, in order ───────────────────────────────────────────────────────────────────────────


def _blank(seen: Seen) -> tuple[str, str] | None:
    tokens = len(seen.text.split())
    return ("blank", f"{tokens} words or figures") if tokens < 3 or is_head(seen.text) else None


def _list_of_pages(seen: Seen) -> tuple[str, str] | None:
    """Lines that end in page numbers: contents at the front, an index at the back, both by one function."""
    lines = seen.text.splitlines()
    to_page = sum(map(ends_in_page, lines))
    if seen.front and seen.before in ("contents", "captions") and to_page >= 0.6 * len(lines):
        return seen.before, f"the {seen.before} goes on"
    if seen.back and sum(bool(_ENTRY.search(line)) for line in lines) >= max(6, 0.4 * len(lines)):
        return "index", "lines end in (p. 12)"
    if seen.heading == "copyright" or not index_like(seen.text):
        return None
    listed = "captions" if seen.heading == "captions" else "contents"
    early = seen.front and not seen.back and (to_page >= 0.6 * len(lines) or not seen.before_prose)
    if to_page >= 0.3 * len(lines) and (early or seen.before == "contents"):
        return listed, "lines end in page numbers, at the front"
    if "index" in (seen.heading, seen.outline) or (seen.before == "index" and seen.after_index):
        return "index", "entries with page numbers"
    unlikely = seen.opens_chapter and "index" not in seen.text[:80].lower()
    is_code = len(_CODE.findall(seen.text)) >= 0.3 * len(lines)
    if seen.back and not unlikely and (not is_code or sum(map(has_leader, lines)) >= 0.3 * len(lines)):
        return "index", "entries with page numbers"
    return None


def _named(seen: Seen) -> tuple[str, str] | None:
    """A heading at the top, a running head or the outline names the role."""
    where = seen.front or seen.back or seen.heading == seen.outline
    if seen.outline == FOREIGN and OWN in (seen.heading, seen.before):
        return OWN, "a foreword among the chapters"
    if _LISTS & {seen.heading, seen.outline} and seen.prose_lines > 0.4 * len(seen.lines):
        return None  # a chapter on tables, or the last page before the index
    if seen.heading and where and seen.heading not in ("title", "cover"):
        return seen.heading, f"headed {seen.text.splitlines()[0]!r}"
    head_holds = seen.outline != "body" and (seen.front or seen.back or seen.head == seen.before)
    if seen.head in _RUNS_ON | {"copyright"} and head_holds:
        return str(seen.head), "the running head says so"
    if seen.outline == "copyright" and where:
        return "copyright", "the outline says so"
    if seen.outline in _RUNS_ON or (seen.outline not in (None, "body") and seen.n_words < 250 and where):
        return str(seen.outline), "the outline says so"
    return None


def _licence(seen: Seen) -> tuple[str, str] | None:
    """The text of a licence, wherever it stands; writing about licences uses its words far less."""
    share = len(_OF_LICENCES.findall(seen.text)) / max(1, seen.n_words)
    names = len(_LICENCE.findall(seen.text))
    goes_on = seen.before == "copyright" and names >= 1 and share >= 0.025
    if seen.n_words >= 60 and (goes_on or (names >= 3 and share >= 0.05) or share >= 0.06):
        return "copyright", f"{share:.0%} words of a licence"
    return None


def _copyright(seen: Seen) -> tuple[str, str] | None:
    found = [mark.lower().replace("©", "copyright") for mark in _COPYRIGHT.findall(seen.text)]
    marks = len(found)
    enough = (marks >= 2 and seen.n_words < 120 * marks) or (
        marks == 1 and seen.n_words < 120 and seen.number <= 4 and not seen.before_prose
    )
    if enough and (seen.front or (len(set(found)) > 1 and seen.number > seen.n_pages - 12)):
        return "copyright", f"{marks} marks of a copyright page"
    return None


def _display(seen: Seen) -> tuple[str, str] | None:
    """A part title; or few words and no prose before the body begins: a title page, a dedication."""
    lines = seen.text.splitlines()
    if seen.n_words < 120 and _PART.match(lines[0]) and not any(map(_CHAPTER.search, lines)):
        return "title", f"headed {lines[0]!r}, {seen.n_words} words"
    if not seen.front or seen.before_prose or any(map(_CHAPTER.match, lines)):
        return None
    if seen.number > 1 and seen.n_words < 40 and _DEDICATION.match(seen.text):
        return "dedication", "a few words that begin with 'to' or 'for'"
    if seen.n_words < 70 and len(sentence_ends(seen.text)) <= 3:
        return "title", f"{seen.n_words} words and hardly a sentence, page {seen.number}"
    opens_chapter = seen.opens_chapter and seen.number > 2
    if seen.number <= 8 and seen.n_words < 160 and not opens_chapter and seen.prose_lines <= 0.2 * len(lines):
        return "title", f"{seen.n_words} words in short lines, page {seen.number}"
    return None


def _works(seen: Seen) -> tuple[str, str] | None:
    lines = seen.text.splitlines()
    works = sum(bool(_YEAR_OF_WORK.search(line) or _KEY.match(line)) for line in lines)
    if seen.back and seen.before == "bibliography" and works >= 0.25 * len(lines):
        return "bibliography", f"{works} of {len(lines)} lines cite a work"
    if len(_ADVERTISEMENT.findall(seen.text)) >= 3 and (seen.front or seen.number > 0.95 * seen.n_pages):
        return "advertisement", "prices and titles"
    return None


def _captions(seen: Seen) -> tuple[str, str] | None:
    if seen.n_words < 80 and CAPTION.match(seen.text):
        return "captions", "little but a caption"
    captions = sum(bool(CAPTION.match(line)) for line in seen.lines)
    if captions and seen.n_words < 200 and seen.prose_lines <= captions // 3:
        return "captions", f"figures or tables with {captions} captions, hardly any text"
    return None


def _goes_on(seen: Seen) -> tuple[str, str] | None:
    """A section that was named goes on until the outline or a chapter heading ends it."""
    if seen.before not in _RUNS_ON | {"copyright"} or seen.outline == "body":
        return None
    opens = any(map(_OPENS.match, seen.lines[:3]))
    if seen.before in (OWN, FOREIGN) and seen.front and not opens:
        return seen.before, "the preface goes on"
    if seen.before in ("notes", "glossary", "bibliography", "copyright") and seen.back and not opens:
        return seen.before, f"the {seen.before} goes on"
    if seen.before == "index" and seen.after_index and len(sentence_ends(seen.text)) <= 0.2 * len(seen.lines):
        return "index", "the index goes on"
    return None


def _after_index(seen: Seen) -> tuple[str, str] | None:
    if seen.after_index and seen.number > 0.85 * seen.n_pages:
        return "advertisement", "after the index"
    return None


def _body(seen: Seen) -> tuple[str, str]:
    return "body", _PROSE


_RULES: tuple[_Rule, ...] = (
    _blank,
    _list_of_pages,
    _licence,
    _named,
    _copyright,
    _display,
    _works,
    _captions,
    _goes_on,
    _after_index,
    _body,
)
