"""What each page of a book is for, in words that can be checked by looking at the page.

The rules run in the order of ``_RULES``; the first that speaks decides, and its reason is kept. They look at
the text, the position in the book and the outline; type sizes are gone by now.

    blank · index-like lines (front: contents, back: index) · a heading, running head or outline title that
    names a role · copyright marks · part titles; few words at the front: title, dedication · pages that only
    show figures · the section before goes on · after the index · body

An author's own preface is body; an editor's, a translator's or a foreword is ``preface``.
Nothing is fitted: every number below was chosen by looking at pages; tests/benchmarks/page_roles.py measures.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.corpus.prose import running_lines, without_furniture
from harness.corpus.role_names import FOREIGN, OWN, ROLES, role_named
from harness.errors import ConfigurationError, nearest
from harness.metrics.validity import index_like
from harness.text import count_words, sentence_ends
from harness.types import Book, LabelledPage, Page

FRONT, BACK = 0.15, 0.65
"""Front matter ends, back matter begins: shares of the book's pages (front: eight pages at least)."""
_MARK = re.compile(r"(?:appendix|annexe|anhang|chapter|section|part)\s+\w{1,5}[.:]?|[A-Z][.:]|\d+[.:]?", re.I)
_FOLIO = re.compile(r"^[\[(]?(?:\d+|[ivxlc]+)[\])]?\s+|[\s.]+[\[(]?(?:\d+|[ivxlc]+)[\])]?$", re.I)
_WRAPPER = re.compile(r"(?:front|main|back) ?matter[.]?", re.I)
_COPYRIGHT = re.compile(
    r"©|\bcopyright\b|all rights reserved|\bISBN\b|first (?:published|printed)|\bpublished by\b|printed in|"
    r"printed and bound|library of congress|catalog(?:u?ing| card)|\bLCCN\b|\bimpression\b|public domain|"
    r"project gutenberg|produced by|\breprinted,|(?:first|second|third|fourth) edition,|"
    r"transcriber['’]s note",
    re.I,
)
_DEDICATION = re.compile(r"\s*(?:to|for|dedicated to|in memory of|in memoriam)\b", re.I)
_HEAD = re.compile(r"(?:\d+|[ivxlc]+)\s[^,\n]*[^,.;\n]|[A-ZÀ-Ý][^,\n]*\s(?:\d+|[ivxlc]+)")
_PART = re.compile(r"(?:part|book)\s+(?:[ivxlc]+|\d+|one|two|three|four|five)\b|\w+ partie\b", re.I)
_ADVERTISEMENT = re.compile(
    r"by the same author|also by|uniform with|crown 8vo|cloth,|price \$?\d|\d+s\. ?\d*d?\.", re.I
)
_YEAR_OF_WORK = re.compile(r"(?:1[5-9]|20)\d\d[a-z]?[).,]|\b(?:eds?|vols?|pp)\.")
_CAPTION = re.compile(r"\s*(?:fig(?:ure|\.)|plate|map|table)\s+(?:[A-Z]\.)?[\divxlc]+", re.I)
_ENTRY = re.compile(r"\(pp?\. ?\d+[^)]*\)\.?$")
_CODE = re.compile(r"[{}=;]")
_RUNS_ON = frozenset({"contents", "index", "bibliography", "glossary", "captions", "notes", OWN, FOREIGN})


@dataclass(frozen=True)
class _Seen:
    """One page as the rules see it."""

    lines: tuple[str, ...]
    n_words: int
    number: int
    n_pages: int
    head: str | None
    """Role that the running head names; the running head itself is not among the lines."""
    outline: str | None
    """Role of the outline's section the page lies in: ``body`` for a chapter, None without an outline."""
    opens_chapter: bool
    """True where the outline starts a chapter of the body on this page."""
    before: str
    """Role of the page before that was not blank."""
    before_prose: bool
    """True where a page of the body has been met."""
    after_index: bool
    """True where an index that says it is one has been met in the back of the book."""

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
        """The role that the first line names, after ``CHAPTER 3`` and the like; a licence may take two."""
        if role_named(" ".join(self.text.split("\n")[:2])) == "copyright":
            return "copyright"
        for line in self.text.split("\n")[:3]:
            named = role_named(line)
            if named or not (_MARK.fullmatch(line) or line.isupper()):
                return named
        return None

    @property
    def prose_lines(self) -> int:
        """Lines outside captions that read on: seven words or more, nearly all of them plain, most small."""
        return sum(map(_is_prose, _without_captions(self.lines)))


_Rule = Callable[[_Seen], "tuple[str, str] | None"]


def label_pages(book: Book) -> tuple[LabelledPage, ...]:
    """Every page with its role and the reason for it, in order."""
    running = running_lines(book.pages)
    sections = {page: _section(title) for page, title in book.chapters}
    labelled: list[LabelledPage] = []
    outline: str | None = None
    before, prose, indexed = "", False, False
    for page in book.pages:
        outline = sections.get(page.number, outline)
        lines = _own_lines(page, running)
        seen = _Seen(
            lines=lines,
            n_words=count_words("\n".join(lines)),
            number=page.number,
            n_pages=len(book.pages),
            head=_head(page),
            outline=outline,
            opens_chapter=sections.get(page.number) == "body",
            before=before,
            before_prose=prose,
            after_index=indexed,
        )
        role, reason = next(answer for rule in _RULES if (answer := rule(seen)) is not None)
        prose = prose or role == "body"
        indexed = indexed or (role == "index" and seen.back and "index" in (seen.heading, seen.outline))
        before = before if role == "blank" else role
        if outline == "body" and page.number not in sections and role in _RUNS_ON | {"copyright"}:
            outline = None  # the chapter it names is over, whatever the outline leaves out
        if role == OWN:
            role, reason = "body", f"the author's own words: {reason}"
        labelled.append(LabelledPage(page, role, reason))
    return tuple(labelled)


def apply_overrides(
    labelled: Sequence[LabelledPage], overrides: Mapping[str, str]
) -> tuple[LabelledPage, ...]:
    """The pages with the roles that a reader gave them: ``{"1-4": "title", "230": "index"}``.

    Raises:
        ConfigurationError: a range or a role that does not exist.
    """
    given: dict[int, str] = {}
    for pages, role in overrides.items():
        first, _, last = str(pages).partition("-")
        if not first.strip().isdigit() or not (last or first).strip().isdigit():
            raise ConfigurationError(f"page roles: {pages!r} is no page or range of pages, such as 7 or 1-4")
        start, end = int(first), int(last or first)
        if not 1 <= start <= end <= len(labelled):
            raise ConfigurationError(f"page roles: {pages!r} is not within pages 1 to {len(labelled)}")
        if role not in ROLES:
            raise ConfigurationError(f"page roles: no role {role!r}{nearest(role, ROLES)}")
        given |= dict.fromkeys(range(start, end + 1), role)
    return tuple(
        replace(item, role=given[item.page.number], reason="given by hand")
        if item.page.number in given
        else item
        for item in labelled
    )


def _section(title: str) -> str | None:
    """What an outline title says of the pages under it; ``Back Matter`` says nothing."""
    return None if _WRAPPER.fullmatch(title.strip()) else role_named(title) or "body"


def _own_lines(page: Page, running: frozenset[str]) -> tuple[str, ...]:
    """The page's lines without furniture; all of them where hardly a word would be left.

    Display pages repeat the running head; a page with a head, a folio and nothing else is blank.
    """
    lines = without_furniture(page, running)
    few = count_words("\n".join(lines)) < 12
    return page.lines if few and not _only_furniture(page, lines) else lines


def _head(page: Page) -> str | None:
    """The role named by a line with a folio in it among the first four; ``Footnotes 309`` is a section."""
    for line in [line.strip() for line in page.lines if line.strip()][:4]:
        bare = _FOLIO.sub("", line, count=1)
        role = role_named(bare) if bare != line else None
        about = bare.lower() == "footnotes" or (role == "captions" and not bare.lower().startswith("list"))
        if role and not about:
            return role
    return None


def _only_furniture(page: Page, left: Sequence[str]) -> bool:
    """True where nothing but a head with its folio stands on the page."""
    own = [line.strip() for line in left if line.strip()]
    if not own:
        return any(_FOLIO.search(line.strip()) for line in page.lines)
    return len(own) == 1 and _is_head(own[0])


def _is_head(line: str) -> bool:
    """A folio and a few words, no end of a sentence and no entry of an index."""
    return count_words(line) <= 8 and bool(_HEAD.fullmatch(line))


def _is_prose(line: str) -> bool:
    bare = [token.strip(".,;:!?()[]\"'“”‘’«»-–—") for token in line.split()]
    plain = [token for token in bare if token.replace("’", "").replace("'", "").replace("-", "").isalpha()]
    small = sum(token[0].islower() for token in plain)
    return len(bare) >= 7 and len(plain) >= 0.8 * len(bare) and small >= 0.7 * len(plain)


def _without_captions(lines: Sequence[str]) -> list[str]:
    """The lines without captions, each of which ends at a full stop or a gap."""
    kept: list[str] = []
    inside = False
    for line in lines:
        inside = bool(line.strip()) and (inside or bool(_CAPTION.match(line)))
        if not inside:
            kept.append(line)
        inside = inside and not line.rstrip().endswith(".")
    return kept


# ── the rules, in order ───────────────────────────────────────────────────────────────────────────


def _blank(seen: _Seen) -> tuple[str, str] | None:
    tokens = len(seen.text.split())
    return ("blank", f"{tokens} words or figures") if tokens < 3 or _is_head(seen.text) else None


def _list_of_pages(seen: _Seen) -> tuple[str, str] | None:
    """Lines that end in page numbers: contents at the front, an index at the back, both by one function."""
    lines = seen.text.splitlines()
    if seen.back and sum(bool(_ENTRY.search(line)) for line in lines) >= max(6, 0.4 * len(lines)):
        return "index", "lines end in (p. 12)"
    if not index_like(seen.text):
        return None
    if (seen.front and not (seen.back or seen.before_prose)) or seen.before == "contents":
        return "contents", "lines end in page numbers, at the front"
    if "index" in (seen.heading, seen.outline, seen.before):
        return "index", "entries with page numbers"
    unlikely = seen.opens_chapter and "index" not in seen.text[:80].lower()
    if seen.back and not unlikely and len(_CODE.findall(seen.text)) < 0.3 * len(lines):
        return "index", "entries with page numbers"
    return None


def _named(seen: _Seen) -> tuple[str, str] | None:
    """A heading at the top, a running head or the outline names the role."""
    where = seen.front or seen.back or seen.heading == seen.outline
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


def _copyright(seen: _Seen) -> tuple[str, str] | None:
    marks = len(_COPYRIGHT.findall(seen.text))
    enough = marks >= 2 and seen.n_words < 120 * marks
    if enough and (seen.front or seen.number > seen.n_pages - 12):
        return "copyright", f"{marks} marks of a copyright page"
    return None


def _display(seen: _Seen) -> tuple[str, str] | None:
    """A part title; or few words and no prose before the body begins: a title page, a dedication."""
    lines = seen.text.splitlines()
    if seen.n_words < 120 and _PART.match(lines[0]) and not any("chapter" in line.lower() for line in lines):
        return "title", f"headed {lines[0]!r}, {seen.n_words} words"
    if not seen.front or seen.before_prose or any(line.lower().startswith("chapter ") for line in lines):
        return None
    if seen.number > 1 and seen.n_words < 40 and _DEDICATION.match(seen.text):
        return "dedication", "a few words that begin with 'to' or 'for'"
    if seen.n_words < 70 and len(sentence_ends(seen.text)) <= 3:
        return "title", f"{seen.n_words} words and hardly a sentence, page {seen.number}"
    if seen.number <= 8 and seen.n_words < 160 and seen.prose_lines <= 0.2 * len(lines):
        return "title", f"{seen.n_words} words in short lines, page {seen.number}"
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
    captions = sum(bool(_CAPTION.match(line)) for line in seen.lines)
    if captions and seen.n_words < 200 and seen.prose_lines <= captions // 3:
        return "captions", f"figures or tables with {captions} captions, hardly any text"
    return None


def _goes_on(seen: _Seen) -> tuple[str, str] | None:
    """A section that was named goes on until the outline or a chapter heading ends it."""
    if seen.before not in _RUNS_ON | {"copyright"} or seen.outline == "body":
        return None
    opens = any(re.match(r"\s*(?:chapter|part|book)\b", line, re.I) for line in seen.lines[:3])
    if seen.before in (OWN, FOREIGN) and seen.front and not opens:
        return seen.before, "the preface goes on"
    if seen.before in ("notes", "glossary", "bibliography", "copyright") and seen.back and not opens:
        return seen.before, f"the {seen.before} goes on"
    if seen.before == "index" and seen.back and len(sentence_ends(seen.text)) <= 0.2 * len(seen.lines):
        return "index", "the index goes on"
    return None


def _after_index(seen: _Seen) -> tuple[str, str] | None:
    if seen.after_index and seen.number > 0.85 * seen.n_pages:
        return "advertisement", "after the index"
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
    _after_index,
    _body,
)
