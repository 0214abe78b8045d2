"""Which files and books a corpus file means, and what is wrong with them before one is opened.

books: + hold_out:  --> train books | the held-out one      others: --> other authors by folder
                                                             (none: former presidents as background)
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from harness import shelves, yamlfile
from harness.background import background_books
from harness.corpus.books import find_books, read_book
from harness.corpusfile import AuthorFile
from harness.errors import ConfigurationError, YamlError, nearest
from harness.holdout import Named, parse_hold_out
from harness.text import digest
from harness.types import Book


@dataclass(frozen=True)
class Kept:
    """What a frozen reference set holds out: a book by its stem, and its block from 1 (None: all of it)."""

    book: str
    block: int | None

    def __str__(self) -> str:
        return self.book if self.block is None else f"{self.book}#{self.block}"


@dataclass(frozen=True)
class Files:
    """Which files a corpus file means: train books, the held-out one, and other authors' by name."""

    train: tuple[Path, ...]
    heldout: Path
    others: Mapping[str, tuple[Path, ...]]
    block: int | None = None
    """Which block of the held-out book is held out, from 1; None for the whole book."""
    background: bool = False
    """True where no other authors are named, and the background's presidents stand in: easy negatives."""

    @property
    def own(self) -> dict[str, Path]:
        """The author's own books by stem."""
        return {path.stem: path for path in (*self.train, self.heldout)}

    def digest(self) -> str:
        """Content digest of every file, without opening one as a book."""
        others = {name: [file_digest(path) for path in paths] for name, paths in self.others.items()}
        held = [file_digest(self.heldout), *([self.block] if self.block is not None else [])]
        return digest([[file_digest(path) for path in self.train], *held, others], 32)


class HeldOutFile(NamedTuple):
    """The file that is held out, or of which block ``block`` (from 1) is."""

    path: Path
    block: int | None


@dataclass(frozen=True)
class Library:
    """The same, read."""

    train: tuple[Book, ...]
    heldout: Book
    others: Mapping[str, tuple[Book, ...]]
    block: int | None = None
    background: bool = False


def find_files(author: AuthorFile, workspace: Path, kept: Kept | None = None) -> Files:
    """The files behind a corpus file, the held-out book apart.

    ``kept``: what the author's frozen reference set holds out; it decides where ``hold_out`` is left out, so
    that a book added later changes nothing.

    Raises:
        ConfigurationError: no book matches, two have one name, ``hold_out`` names none, the only one, or
            another than ``kept``, or another author's book is one of the author's own.
    """
    books = own_books(author, workspace)
    book, block = held_out_of(author, books, kept)
    train = tuple(path for path in books.values() if block is not None or path != book)
    if not train:
        raise ConfigurationError(
            f"books: {book.name} is held out, and there is no other to train on; hold out a block of it: "
            f"{book.name}#1"
        )
    others = _named_others(author, workspace) if author.others else background_books(workspace, author.author)
    _refuse_own(books.values(), others)
    return Files(train, book, others, block, background=not author.others)


def own_books(author: AuthorFile, workspace: Path) -> dict[str, Path]:
    """The author's books by file name.

    Raises:
        ConfigurationError: a pattern matches none, or two have one name.
    """
    found = find_books(list(author.books), workspace)
    twins = [stem for stem, n in Counter(path.stem for path in found).items() if n > 1]
    if twins:
        raise ConfigurationError(f"books: two files are called {twins[0]!r}; a book is known by its name")
    return {path.name: path for path in found}


def held_out_of(author: AuthorFile, books: Mapping[str, Path], kept: Kept | None) -> HeldOutFile:
    """The book that is held out and, where it is a block of it, which: named, frozen, or the middle by size.

    Raises:
        ConfigurationError: ``hold_out`` names no book, or not what is kept; or is needed and left out.
    """
    if author.hold_out:
        # A book's own name may have a # in it.
        whole = author.hold_out in books
        named = Named(author.hold_out, None) if whole else parse_hold_out(author.hold_out)
        if named.book not in books:
            raise ConfigurationError(
                f"hold_out: {named.book} is not among the books{nearest(named.book, books)}"
            )
        book = books[named.book]
        if kept and Kept(book.stem, named.block) != kept:
            raise ConfigurationError(
                f"hold_out: the reference set holds out {str(kept)!r}, for good; "
                "name that book under hold_out, or start a corpus file of another name"
            )
        return HeldOutFile(book, named.block)
    if kept:
        for path in books.values():
            if path.stem == kept.book:
                return HeldOutFile(path, kept.block)
        raise ConfigurationError(
            f"books: {kept.book!r}, which the reference set holds out for good, is not among them"
        )
    if len(books) < 3:
        raise ConfigurationError(
            "hold_out: name the book to hold out, or BOOK#N for a block of it (fewer than three books are "
            "here; `stylobench prepare NAME --plan` lists the blocks)"
        )
    by_size = sorted(books.values(), key=lambda path: (path.stat().st_size, path.name))
    return HeldOutFile(by_size[len(by_size) // 2], None)


def check_pages(name: str, author: AuthorFile, stems: Sequence[str], workspace: Path) -> None:
    """Roles set by hand must be for books that are there.

    Raises:
        YamlError: each ``pages:`` entry that names no book, with its place and the nearest name.
    """
    lines = ((("versions", number, "pages"), line.pages) for number, line in author.versions.items())
    named = [(("pages",), author.pages), *lines]
    wrong = [(*keys, book) for keys, pages in named for book in pages if book not in stems]
    if not wrong:
        return
    try:
        path = shelves.find_yaml("trainers/corpora", name, workspace)
        tree = yamlfile.load(path)
    except ConfigurationError:
        path, tree = Path(f"{name}.yaml"), None
    raise YamlError(
        f"{path.name}:{yamlfile.position(tree, keys)}  {'.'.join(map(str, keys[:-1]))}: "
        f"no book is called {keys[-1]!r}{nearest(str(keys[-1]), stems)}"
        for keys in wrong
    )


def read_library(files: Files, password: str | None = None, allow_repaired: bool = False) -> Library:
    """Every book of a corpus, read; ``allow_repaired`` takes damaged or sparse PDFs as they are.

    Raises:
        BookError: one cannot be read; file, page and remedy are named.
    """

    def read(path: Path) -> Book:
        return read_book(path, password, allow_repaired=allow_repaired)

    return Library(
        train=tuple(map(read, files.train)),
        heldout=read(files.heldout),
        others={name: tuple(map(read, paths)) for name, paths in files.others.items()},
        block=files.block,
        background=files.background,
    )


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _named_others(author: AuthorFile, workspace: Path) -> dict[str, tuple[Path, ...]]:
    others: dict[str, list[Path]] = {}
    for path in find_books(list(author.others), workspace):
        others.setdefault(shelves.safe_name(path.parent.name.lower(), "other author"), []).append(path)
    return {name: tuple(paths) for name, paths in sorted(others.items())}


def _refuse_own(books: Iterable[Path], others: Mapping[str, tuple[Path, ...]]) -> None:
    """An author measured against himself would look like everybody."""
    by_size: dict[int, list[Path]] = {}
    for path in books:
        by_size.setdefault(path.stat().st_size, []).append(path)
    for name, paths in others.items():
        for path in paths:
            for mine in by_size.get(path.stat().st_size, ()):
                if file_digest(mine) == file_digest(path):
                    raise ConfigurationError(
                        f"others: {name}/{path.name} is the author's own {mine.name}; "
                        "name other authors' books only"
                    )
