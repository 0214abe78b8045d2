"""One page of a book as the rules of ``roles`` see it: its own lines, its heading, its place.

Running heads and folios are taken off first, except where hardly a word would be left.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.corpus.prose import without_furniture
from harness.corpus.role_names import CHAPTER, FOREIGN, OWN, PART, role_named
from harness.text import count_words
from harness.types import Book, Page

FRONT, BACK = 0.15, 0.65
"""Front matter ends, back matter begins: shares of the book's pages (front: eight pages at least)."""
CAPTION = re.compile(r"\s*(?:fig(?:ure|\.)|plate|map|table)\s+(?:[A-Z]\.)?[\divxlc]+", re.I)
_ORDINAL = r"(?:one|two|three|four|five|six|seven|eight|nine|ten|\w+teen|\w+ty(?:-\w+)?)"
_MARK = re.compile(
    rf"(?:appendix|annexe|anhang|section|{CHAPTER}|{PART})(?:\s+\w{{1,5}})?[.:]?|[A-Z][.:]|\d+[.:]?|{_ORDINAL}",
    re.I,
)
_FOLIO = re.compile(r"^[\[(]?(?:\d+|[ivxlc]+)[\])]?\s+|[\s.]+[\[(]?(?:\d+|[ivxlc]+)[\])]?$", re.I)
_WRAPPER = re.compile(r"(?:front|main|back) ?matter[.]?", re.I)
_HEAD = re.compile(r"(?:\d+|[ivxlc]+)\s[^,\n]*[^,.;\n]|[A-ZÀ-Ý][^,\n]*\s(?:\d+|[ivxlc]+)")


@dataclass(frozen=True)
class Seen:
    """One page, or one block of a mixed page."""

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
        return self.number <= front_pages(self.n_pages)

    @property
    def back(self) -> bool:
        return self.number > BACK * self.n_pages

    @property
    def heading(self) -> str | None:
        """The role that the first line names, after ``CHAPTER 3`` and the like; a licence may take two.

        A foreword that is counted among the chapters is the author's own.
        """
        lines = self.text.split("\n")
        if role_named(" ".join(lines[:2])) == "copyright":
            return "copyright"
        for place, line in enumerate(lines[:4]):
            named = role_named(line)
            if named or not (_MARK.fullmatch(line) or line.isupper()):
                return OWN if named == FOREIGN and any(map(_MARK.fullmatch, lines[:place])) else named
        return None

    @property
    def prose_lines(self) -> int:
        """Lines outside captions that read on."""
        return sum(map(is_prose, _without_captions(self.lines)))


def front_pages(n_pages: int) -> float:
    """The last page that can be front matter."""
    return max(8, FRONT * n_pages)


def section_of(title: str) -> str | None:
    """What an outline title says of the pages under it; ``Back Matter`` says nothing."""
    return None if _WRAPPER.fullmatch(title.strip()) else role_named(title) or "body"


def printed_on(book: Book, number: int, title: str) -> int:
    """The page a section starts on; many an outline points at the page before an index or a bibliography."""
    role = role_named(title)
    if role is None or not 1 <= number < len(book.pages):
        return number

    def prints(page: Page) -> bool:
        return any(role_named(line) == role for line in page.lines)

    here, there = book.pages[number - 1], book.pages[number]
    return number + 1 if prints(there) and not prints(here) else number


def own_lines(page: Page, running: frozenset[str]) -> tuple[str, ...]:
    """The page's lines without furniture; all of them where hardly a word would be left.

    Display pages repeat the running head; a page with a head, a folio and nothing else is blank.
    """
    lines = without_furniture(page, running)
    few = count_words("\n".join(lines)) < 12
    return page.lines if few and not _only_furniture(page, lines) else lines


def head_role(page: Page) -> str | None:
    """The role named by a line with a folio in it among the first four; ``Footnotes 309`` is a section."""
    for line in [line.strip() for line in page.lines if line.strip()][:4]:
        bare = _FOLIO.sub("", line, count=1)
        role = role_named(bare) if bare != line else None
        about = bare.lower() == "footnotes" or (role == "captions" and len(bare.split()) == 1)
        if role and not about:
            return role
    return None


def is_head(line: str) -> bool:
    """A folio and a few words, no end of a sentence and no entry of an index."""
    return count_words(line) <= 8 and bool(_HEAD.fullmatch(line))


def is_prose(line: str) -> bool:
    """A line that reads on: seven words or more, nearly all of them plain, most small."""
    bare = [token.strip(".,;:!?()[]\"'“”‘’«»-–—") for token in line.split()]
    plain = [token for token in bare if token.replace("’", "").replace("'", "").replace("-", "").isalpha()]
    small = sum(token[0].islower() for token in plain)
    return len(bare) >= 7 and len(plain) >= 0.8 * len(bare) and small >= 0.7 * len(plain)


def _only_furniture(page: Page, left: Sequence[str]) -> bool:
    """True where nothing but a head with its folio stands on the page."""
    own = [line.strip() for line in left if line.strip()]
    if not own:
        return any(_FOLIO.search(line.strip()) for line in page.lines)
    return len(own) == 1 and is_head(own[0])


def _without_captions(lines: Sequence[str]) -> list[str]:
    """The lines without captions, each of which ends at a full stop or a gap."""
    kept: list[str] = []
    inside = False
    for line in lines:
        inside = bool(line.strip()) and (inside or bool(CAPTION.match(line)))
        if not inside:
            kept.append(line)
        inside = inside and not line.rstrip().endswith(".")
    return kept
