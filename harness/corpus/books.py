"""A path -> a Book, whatever kind of file it is; and patterns -> paths."""

from __future__ import annotations

import glob
import hashlib
import re
from pathlib import Path

from harness.corpus.pdf import read_pdf
from harness.errors import BookError, ConfigurationError, nearest
from harness.text import count_words
from harness.types import Book, Page

PAGE_WORDS = 400
SUFFIXES = (".pdf", ".txt", ".md")
_MARKDOWN_HEADING = re.compile(r"#{1,3}\s+(.+?)\s*#*")


def read_book(path: Path, password: str | None = None) -> Book:
    """The book, by the suffix of its file; BookError with page and remedy where it cannot be read."""
    suffix = path.suffix.lower()
    if suffix == ".pdf":
        return read_pdf(path, password)
    if suffix in (".txt", ".md"):
        return _read_plain(path, markdown=suffix == ".md")
    raise BookError(path, f"no reader for {suffix or 'a file without suffix'}", f"have {', '.join(SUFFIXES)}")


def find_books(patterns: list[str], root: Path) -> list[Path]:
    """The files the patterns name, sorted, each once; ``~`` is the home folder, other patterns are
    relative to ``root``; a folder stands for the books in it. A pattern that names nothing is an error.
    """
    found: set[Path] = set()
    for pattern in patterns:
        absolute = root / Path(pattern).expanduser()
        # glob.glob, because Path.glob takes no absolute pattern.
        matches = [Path(name) for name in glob.glob(str(absolute), recursive=True)]  # noqa: PTH207
        files = {path for path in matches if path.is_file()}
        for folder in (path for path in matches if path.is_dir()):
            files |= {p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file()}
        if not files:
            beside = [p.name for p in absolute.parent.glob("*") if p.suffix.lower() in SUFFIXES]
            raise ConfigurationError(f"no book matches {pattern!r}{nearest(absolute.name, beside)}")
        found |= files
    return sorted(found)


def _read_plain(path: Path, *, markdown: bool) -> Book:
    """Plain text as pages of about 400 words cut at paragraph ends; Markdown headings become chapters."""
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
