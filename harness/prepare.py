"""``stylobench prepare``: an author's books become a frozen reference set and corpus versions.

books --read--> pages --roles--> paragraphs --cut--> passages
    first build only:  held-out book -> reference set (cleaned body text, never changed again)
    each version:      train books -> passages -> minus 13-grams shared with held-out -> table
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import cutting, shelves
from harness import reference as references
from harness.corpora import (
    build,
    cut_runs,
    find_manifest,
    in_split,
    labelled_pages,
    settings_of,
    trainable,
)
from harness.corpus.books import find_books, read_book
from harness.corpus.choices import Choice, choices
from harness.corpus.leakage import shared_ngrams
from harness.corpus.prose import Paragraph, paragraphs
from harness.corpusfile import AuthorFile
from harness.errors import ConfigurationError, nearest
from harness.holdout import HeldOut, held_out, parse_hold_out
from harness.margins import margins_of
from harness.reference import Reference
from harness.store import Run
from harness.text import digest
from harness.types import Book, Passage

BUILDER = 1
"""Raised when the way books become passages changes, so that old corpora are not taken for new ones."""


@dataclass(frozen=True)
class Built:
    """What ``prepare`` did for one version: its manifest, and whether it was there already.

    ``changed`` names the books that are not what they were when it was built: a built version stays as it
    is, and the next one sees them.
    """

    manifest: Mapping[str, Any]
    reused: bool
    changed: tuple[str, ...]


@dataclass(frozen=True)
class Files:
    """Which files a corpus file means: train books, the held-out one, and other authors' by name."""

    train: tuple[Path, ...]
    heldout: Path
    others: Mapping[str, tuple[Path, ...]]
    block: int | None = None
    """Which block of the held-out book is held out, from 1; None for the whole book."""

    def digest(self) -> str:
        """Content digest of every file, without opening one as a book."""
        others = {name: [file_digest(path) for path in paths] for name, paths in self.others.items()}
        held = [file_digest(self.heldout), *([self.block] if self.block is not None else [])]
        return digest([[file_digest(path) for path in self.train], *held, others], 32)


@dataclass(frozen=True)
class Library:
    """The same, read."""

    train: tuple[Book, ...]
    heldout: Book
    others: Mapping[str, tuple[Book, ...]]


def prepare(
    name: str,
    author: AuthorFile,
    workspace: Path,
    run: Run,
    password: str | None = None,
    allow_repaired: bool = False,
    say: Callable[[str], None] = lambda doing: None,
) -> list[Built]:
    """Build what is missing of an author's reference set and corpus versions; ``say`` hears what is done.

    Raises:
        BookError: a book cannot be read; nothing was written.
        ConfigurationError: a version that is built was edited.
    """
    files = find_files(author, workspace)
    built = {number: find_manifest(name, number, workspace) for number in sorted(author.versions)}
    for number, manifest in built.items():
        if manifest and manifest["settings"] != settings_of(author, number):
            raise ConfigurationError(
                f"{name}@{number} is built and can no longer change; "
                f"put its settings back and add version {max(built) + 1} to trainers/corpora/{name}.yaml"
            )
    frozen = None
    if (references.folder_of(name, workspace) / "reference.json").is_file():
        frozen = references.load(name, workspace)
        if frozen.heldout_book != files.heldout.stem:
            raise ConfigurationError(
                f"hold_out: the reference set of {name} holds out {frozen.heldout_book!r}, for good; "
                "name that book under hold_out, or start a corpus file of another name"
            )
    if frozen and all(built.values()):
        return [Built(found, True, _changed(found, files)) for found in built.values() if found]
    say(f"reading {len(files.train) + 1 + sum(map(len, files.others.values()))} books")
    library = read_library(files, password, allow_repaired)
    away = what_is_away(library, author, files.block)
    reference = frozen
    if reference is None:
        say("cutting the reference set")
        reference = cut_reference(name, author, library, away, workspace)
    results = []
    for number, manifest in built.items():
        if manifest:
            results.append(Built(manifest, True, _changed(manifest, files)))
        else:
            say(f"building {name}@{number}")
            identity = _identity(author, number, files)
            made = build(
                name,
                number,
                author,
                library.train,
                library.heldout,
                away,
                identity,
                reference,
                workspace,
                run,
            )
            results.append(Built(made, False, ()))
    return results


def find_files(author: AuthorFile, workspace: Path) -> Files:
    """The files behind a corpus file, the held-out book apart.

    Raises:
        ConfigurationError: no book matches, two have one name, or ``hold_out`` names none or the only one.
    """
    found = find_books(list(author.books), workspace)
    twins = [stem for stem, n in Counter(path.stem for path in found).items() if n > 1]
    if twins:
        raise ConfigurationError(f"books: two files are called {twins[0]!r}; a book is known by its name")
    books = {path.name: path for path in found}
    if author.hold_out is None and len(books) < 3:
        raise ConfigurationError(
            "hold_out: name the book to hold out, or BOOK#N for a block of it (fewer than three books are "
            "here; `stylobench prepare NAME --plan` lists the blocks)"
        )
    named = parse_hold_out(author.hold_out) if author.hold_out else None
    if named and named.book not in books:
        raise ConfigurationError(f"hold_out: {named.book} is not among the books{nearest(named.book, books)}")
    by_size = sorted(books.values(), key=lambda path: (path.stat().st_size, path.name))
    heldout = books[named.book] if named else by_size[len(by_size) // 2]
    block = named.block if named else None
    others: dict[str, list[Path]] = {}
    for path in find_books(list(author.others), workspace):
        others.setdefault(shelves.safe_name(path.parent.name.lower(), "other author"), []).append(path)
    train = tuple(path for path in books.values() if block is not None or path != heldout)
    if not train:
        raise ConfigurationError(
            f"books: {heldout.name} is held out, and there is no other to train on; hold out a block of it: "
            f"{heldout.name}#1"
        )
    return Files(train, heldout, {name: tuple(paths) for name, paths in sorted(others.items())}, block)


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
    )


def held_out_choices(
    author: AuthorFile, workspace: Path, password: str | None = None, allow_repaired: bool = False
) -> tuple[Choice, ...]:
    """Everything of the author's that could be held out; reads the books and writes nothing."""
    found = find_books(list(author.books), workspace)
    books = [read_book(path, password, allow_repaired=allow_repaired) for path in found]
    return choices({book.name: _body(book, author) for book in books})


def what_is_away(library: Library, author: AuthorFile, block: int | None) -> HeldOut:
    """The held-out part of the author's body text."""
    books = (library.heldout,) if block is None else library.train
    return held_out({book.name: _body(book, author) for book in books}, library.heldout.name, block)


# ── the reference set ─────────────────────────────────────────────────────────────────────────────


def cut_reference(
    name: str, author: AuthorFile, library: Library, away: HeldOut, workspace: Path
) -> Reference:
    """The author's reference set, cut now and frozen."""
    size = author.passage_words
    heldout = _whole([away.paragraphs], size, "heldout")
    others = {
        key: tuple(p for book in books for p in _whole([_body(book, author)], size, "train"))
        for key, books in library.others.items()
    }
    everything = [
        passage
        for book in library.train
        for passage in _whole(
            trainable(book, labelled_pages(book, author), {"body"}, library.heldout, away), size, "train"
        )
    ]
    train = tuple(shared_ngrams(everything, heldout).kept)
    fitted = cutting.fit(train, others)
    prompts = cutting.cut_prompts(heldout, author.prompts.continuations, author.prompts.from_held_out)
    documents = cutting.cut_documents(heldout, train, others)
    seen = [*train, *(passage for passages in others.values() for passage in passages)]
    draft = Reference(
        name=name,
        author=author.author,
        persona=author.system_prompt(),
        language=author.language,
        passage_words=size,
        heldout_book=library.heldout.name,
        heldout=heldout,
        train=train,
        others=others,
        prompts=tuple(prompts),
        documents=tuple(documents),
        digest=references.content_digest(prompts, documents, seen),
        folder=references.folder_of(name, workspace),
    )
    return references.freeze(draft, fitted, margins_of)


def _body(book: Book, author: AuthorFile) -> tuple[Paragraph, ...]:
    return paragraphs(labelled_pages(book, author), {"body"}, book.chapters)


def _whole(runs: Sequence[Sequence[Paragraph]], size: int, split: str) -> tuple[Passage, ...]:
    """Passages without overlap, those far below the size left out."""
    return tuple(in_split(p, split) for p in cut_runs(runs, size, 0) if p.n_words >= size // 3)


def _changed(manifest: Mapping[str, Any], files: Files) -> tuple[str, ...]:
    """Stems of the author's books that were added, removed or edited since a version was built."""
    now = {path.stem: file_digest(path) for path in (*files.train, files.heldout)}
    then: Mapping[str, str] = manifest["books"]
    return tuple(sorted(book for book in {*now, *then} if now.get(book) != then.get(book)))


def _identity(author: AuthorFile, number: int, files: Files) -> str:
    return digest([BUILDER, settings_of(author, number), files.digest()], 32)


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
