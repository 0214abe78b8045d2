"""A path -> a Book, whatever kind of file it is; and patterns -> paths."""

from __future__ import annotations

import glob
import hashlib
import re
from dataclasses import replace
from pathlib import Path

from harness.corpus.epub import read_epub
from harness.corpus.html import read_html
from harness.corpus.pdf import read_pdf
from harness.errors import BookError, ConfigurationError, nearest
from harness.shelves import at_home
from harness.text import count_words
from harness.types import Book, Page

PAGE_WORDS = 400
PLAIN, WEB = (".txt", ".md"), (".html", ".htm", ".xhtml")
SUFFIXES = (".pdf", ".epub", *WEB, *PLAIN)
_ITALICS = re.compile(r"(?<!\w)_(?=\S)([^_]+)(?<=\S)_(?!\w)")
"""Project Gutenberg's ``_word_`` and ``_several words_``, over line breaks too; never ``snake_case``."""
_MARKDOWN_HEADING = re.compile(r"#{1,3}\s+(.+?)\s*#*")


def read_book(path: Path, password: str | None = None, *, allow_repaired: bool = False) -> Book:
    """The book, by the suffix of its file, broken encodings mended.

    ``password`` and ``allow_repaired`` (read a damaged PDF, or one with hardly any text on many pages,
    as far as it goes) matter to PDFs only.

    Raises:
        BookError: it cannot be read whole; page and remedy are named.
    """
    suffix = path.suffix.lower()
    if suffix == ".pdf":
        book = read_pdf(path, password, allow_repaired=allow_repaired)
    elif suffix == ".epub":
        book = read_epub(path)
    elif suffix in WEB:
        book = read_html(path)
    elif suffix in PLAIN:
        book = _read_plain(path, markdown=suffix == ".md")
    else:
        what = f"no reader for {suffix or 'a file without suffix'}"
        raise BookError(path, what, f"have {', '.join(SUFFIXES)}")
    return _mended(book)


def _mended(book: Book) -> Book:
    """The book with mojibake (``cafÃ©``) put right, line by line; lines without any are not touched."""
    from ftfy import fix_encoding
    from ftfy.badness import is_bad

    if not any(is_bad(page.text) for page in book.pages):
        return book
    pages = tuple(
        replace(page, lines=tuple(fix_encoding(line) if is_bad(line) else line for line in page.lines))
        for page in book.pages
    )
    return replace(book, pages=pages)


def find_books(patterns: list[str], root: Path) -> list[Path]:
    """The files the patterns name, sorted, each once; ``~`` is the home folder, other patterns are
    relative to ``root``; a folder stands for the books in it. A pattern that names nothing is an error, and
    so is a file whose name holds control characters or is no text: it stands in tables and pages.
    """
    found: set[Path] = set()
    for pattern in patterns:
        absolute = root / at_home(pattern)
        # glob.glob, because Path.glob takes no absolute pattern.
        matches = [Path(name) for name in glob.glob(str(absolute), recursive=True)]  # noqa: PTH207
        if absolute.is_file():
            matches = [absolute]  # a name may hold brackets
        files = {path for path in matches if path.is_file()}
        for folder in (path for path in matches if path.is_dir()):
            files |= {p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file()}
        if not files:
            beside = [
                p.name for p in absolute.parent.glob("*") if p.suffix.lower() in SUFFIXES if p.is_file()
            ]
            raise ConfigurationError(f"no book matches {pattern!r}{nearest(absolute.name, beside)}")
        for path in files:
            if not path.name.isprintable():
                raise ConfigurationError(f"{path.name!a}: rename this file to what can be printed")
        found |= files
    return sorted(found)


def _read_plain(path: Path, *, markdown: bool) -> Book:
    """Plain text as pages of about 400 words cut at paragraph ends; Markdown headings become chapters.

    Underscores that stand for italics go.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BookError(path, f"cannot be opened ({error.strerror})", "check the path") from None
    if not raw.strip():
        raise BookError(path, "the file is empty", "fetch it again")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise BookError(
            path,
            f"is not UTF-8 (line {line})",
            f"convert it, for example: iconv -f cp1252 -t utf-8 {path.name}",
        ) from None
    if "\x00" in text:
        raise BookError(path, "holds binary data, not text", "check what kind of file it is")
    pages: list[Page] = []
    chapters: list[tuple[int, str]] = []
    held: list[str] = []
    n_held = 0
    for block in re.split(r"\n[ \t]*(?:\n[ \t]*)+", text.replace("\r\n", "\n").strip("\n")):
        block = _ITALICS.sub(r"\1", block)
        n_block = count_words(block)
        heading = _MARKDOWN_HEADING.fullmatch(block.strip()) if markdown else None
        if n_held and (n_held + n_block > 1.25 * PAGE_WORDS or n_held >= PAGE_WORDS or heading):
            pages.append(Page(path.stem, len(pages) + 1, tuple(held)))
            held, n_held = [], 0
        if heading:
            chapters.append((len(pages) + 1, heading.group(1)))
            block = heading.group(1)
        held += ["", *block.split("\n")] if held else block.split("\n")
        n_held += n_block
    pages.append(Page(path.stem, len(pages) + 1, tuple(held)))
    return Book(path.stem, hashlib.sha256(raw).hexdigest(), tuple(pages), tuple(chapters))
