"""A web page -> blocks -> pages of lines, as a typist would copy them; EPUB chapters take the same way.

    <p>Text</p>             a line that begins with two spaces, set off by an empty line
    <h1> ... <h3>           begin a fresh page and name a chapter
    <sup>7</sup>            superscript figures, as from a PDF
    <aside epub:type="footnote">   at the foot of its page, below NOTE_RULE
    scripts, menus, forms   never read; nothing is fetched

Beautiful Soup reads what is on the disk: encodings, entities and broken mark-up are its business.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.corpus.layout import NOTE_RULE, RAISED
from harness.corpus.role_names import role_named
from harness.errors import BookError
from harness.text import count_words
from harness.types import Book, Page

PAGE_WORDS = 400
MOST_BYTES = 50_000_000
CHAPTER_LEVEL = 3
"""Headings down to <h3> name chapters."""

_UNREAD = {
    "script", "style", "head", "template", "noscript", "svg", "math", "iframe", "object", "embed", "audio",
    "video", "canvas", "nav", "form", "button", "select", "textarea", "input", "footer", "link", "meta",
    "title",
}  # fmt: skip
_BLOCKS = {
    "p", "div", "section", "article", "main", "header", "aside", "blockquote", "pre", "ul", "ol", "li", "dl",
    "dt", "dd", "table", "thead", "tbody", "tfoot", "tr", "caption", "figure", "figcaption", "hr", "address",
    "details", "summary", "body", "html", "h1", "h2", "h3", "h4", "h5", "h6",
}  # fmt: skip
_HEADING = re.compile(r"h([1-6])")
_FOOTNOTE = frozenset({"footnote", "endnote", "rearnote", "doc-footnote", "doc-endnote"})
_FURNITURE = frozenset(
    {
        "pagebreak",
        "doc-pagebreak",
        "pagenum",
        "pageno",
        "pg-boilerplate",
        "headerlink",
        "navigation",
        "search",
    }
)


@dataclass
class Block:
    """A paragraph, heading or note; ``level`` is 1-6 for a heading, ``names`` the anchors it carries."""

    text: str
    level: int = 0
    note: bool = False
    names: tuple[str, ...] = ()


def read_html(path: Path) -> Book:
    """A saved web page as a book of pages of about 400 words; chapters from its headings.

    Raises:
        BookError: the file is missing, too large, empty of text, or nested beyond reason.
    """
    raw = bytes_of(path)
    setting = Typesetting(path.stem)
    for block in blocks_of(raw, path):
        setting.add(block, chapter=setting.chapter_of(block))
    return setting.book(path, hashlib.sha256(raw).hexdigest())


def bytes_of(path: Path) -> bytes:
    """The file's bytes, at most MOST_BYTES of them."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BookError(path, f"is larger than {MOST_BYTES // 10**6} MB", "split it into parts")
        raw = path.read_bytes()
    except OSError as error:
        raise BookError(path, f"cannot be opened ({error.strerror})", "check the path") from None
    if not raw.strip():
        raise BookError(path, "the file is empty", "fetch it again")
    return raw


# ── mark-up -> blocks ─────────────────────────────────────────────────────────────────────────────


def blocks_of(raw: bytes, path: Path) -> list[Block]:
    """The blocks of one document in reading order; blank ones are left out."""
    soup = parsed(raw)
    reading = _Reading()
    try:
        _walk(soup.body or soup, reading)
    except RecursionError:
        raise BookError(path, "its mark-up is nested too deeply", "save it again from a browser") from None
    reading.flush()
    return reading.done


def parsed(raw: bytes) -> Any:
    """The document as a BeautifulSoup tree; the encoding is the one it declares, else the likeliest."""
    import warnings

    from bs4 import BeautifulSoup, XMLParsedAsHTMLWarning

    with warnings.catch_warnings():
        # XHTML is read as HTML on purpose: chapters in the wild are seldom well-formed.
        warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)
        return BeautifulSoup(raw, "lxml")


def kinds(tag: Any) -> frozenset[str]:
    """What a tag says it is: words of its ``epub:type``, ``role`` and ``class``."""
    said: list[str] = []
    for attribute in ("epub:type", "role", "class"):
        value = tag.get(attribute) or ()
        said += value.split() if isinstance(value, str) else value
    return frozenset(word.lower() for word in said)


@dataclass
class _Reading:
    """The block being read: its text so far, and the anchors met since the last one."""

    text: str = ""
    level: int = 0
    note: bool = False
    names: list[str] = field(default_factory=list)
    done: list[Block] = field(default_factory=list)

    def flush(self) -> None:
        lines = [" ".join(line.split()) for line in self.text.split("\n")]
        text = "\n".join(line for line in lines if line)
        if text:
            self.done.append(Block(text, self.level, self.note, tuple(self.names)))
            self.names = []
        self.text = ""


def _walk(tag: Any, reading: _Reading) -> None:
    from bs4.element import NavigableString, PreformattedString, Tag

    for child in tag.children:
        if isinstance(child, PreformattedString):  # comments, CDATA, declarations
            continue
        if isinstance(child, NavigableString):
            kept = str(child) if tag.name == "pre" else re.sub(r"\s+", " ", str(child))
            reading.text += kept
        elif isinstance(child, Tag):
            _walk_tag(child, reading)


def _walk_tag(tag: Any, reading: _Reading) -> None:
    said = kinds(tag)
    reading.names += [str(tag[key]) for key in ("id", "name") if tag.get(key)]
    if tag.name in _UNREAD or said & _FURNITURE or tag.get("hidden") is not None:
        return
    if tag.name == "br":
        reading.text += "\n"
    elif tag.name == "sup" and tag.get_text().strip(" []*()").isdigit():
        reading.text += tag.get_text().strip(" []*()").translate(RAISED)
    elif tag.name in ("td", "th"):
        reading.text += "  "
        _walk(tag, reading)
    elif tag.name in _BLOCKS:
        reading.flush()
        outer = reading.level, reading.note
        heading = _HEADING.fullmatch(tag.name)
        reading.level = int(heading.group(1)) if heading else reading.level
        reading.note = reading.note or bool(said & _FOOTNOTE)
        _walk(tag, reading)
        reading.flush()
        reading.level, reading.note = outer
    else:
        _walk(tag, reading)


# ── blocks -> pages ───────────────────────────────────────────────────────────────────────────────


@dataclass
class Typesetting:
    """Sets blocks on pages of about PAGE_WORDS words; a chapter starts a fresh page."""

    name: str
    pages: list[Page] = field(default_factory=list)
    chapters: list[tuple[int, str]] = field(default_factory=list)
    _held: list[str] = field(default_factory=list)
    _notes: list[str] = field(default_factory=list)
    _n_words: int = 0
    _listing: int = 0

    def chapter_of(self, block: Block) -> str | None:
        """The chapter a heading opens; None inside an index and the like, whose letters are no chapters."""
        if not 1 <= block.level <= CHAPTER_LEVEL:
            return None
        if self._listing and block.level > self._listing:
            return None
        title = " ".join(block.text.split())
        self._listing = block.level if role_named(title) not in (None, "preface") else 0
        return title

    def add(self, block: Block, chapter: str | None = None) -> None:
        """One block more, on a fresh page if it opens a chapter or the page is full."""
        n_words = count_words(block.text)
        full = self._n_words >= PAGE_WORDS or self._n_words + n_words > 1.25 * PAGE_WORDS
        if chapter is not None or (self._n_words and full and not block.note):
            self.end_page()
        if chapter is not None:
            self.chapters.append((len(self.pages) + 1, chapter))
        if block.note:
            self._notes += block.text.split("\n")
            return
        self._n_words += n_words
        first, *rest = [" ".join(block.text.split())] if block.level else block.text.split("\n")
        self._held += [""] if self._held else []
        # An indent says: a paragraph starts here, whatever the one before ended with.
        self._held += [first if block.level else f"  {first}", *rest]

    def end_page(self) -> None:
        """The page as it is, with its notes at its foot; nothing where it is empty."""
        if self._held or self._notes:
            foot = [NOTE_RULE, *self._notes] if self._notes else []
            self.pages.append(Page(self.name, len(self.pages) + 1, (*self._held, *foot)))
        self._held, self._notes, self._n_words = [], [], 0

    def book(self, path: Path, sha256: str) -> Book:
        """Everything set so far.

        Raises:
            BookError: there is no word in it.
        """
        self.end_page()
        if not any(count_words(page.text) for page in self.pages):
            raise BookError(path, "has no text", "save the page as shown, or use another edition of the book")
        return Book(self.name, sha256, tuple(self.pages), tuple(self.chapters))


def anchors(blocks: Sequence[Block]) -> Iterable[tuple[str, int]]:
    """(anchor, index of the block that carries it)."""
    return ((name, at) for at, block in enumerate(blocks) for name in block.names)


def headings(blocks: Sequence[Block]) -> Iterator[str]:
    """The texts of the headings, in order."""
    return (" ".join(block.text.split()) for block in blocks if block.level)
