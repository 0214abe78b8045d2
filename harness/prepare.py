"""``stylobench prepare``: an author's books become a frozen reference set and corpus versions.

books --read--> pages --roles--> paragraphs --cut--> passages
    first build only:  held-out book -> reference set (cleaned body text, never changed again)
    each version:      train books -> passages -> minus 13-grams shared with held-out -> table
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness import reference as references
from harness import shelves
from harness.corpus.books import find_books, read_book
from harness.corpus.leakage import shared_ngrams
from harness.corpus.passages import cut_passages
from harness.corpus.prose import paragraphs
from harness.corpus.roles import label_pages
from harness.corpusfile import AuthorFile, Dose
from harness.errors import ConfigurationError, nearest
from harness.margins import margins_of
from harness.reference import Reference
from harness.store import Run, Store
from harness.text import digest
from harness.types import Book, LabelledPage, Passage

BUILDER = 1
"""Raised when the way books become passages changes, so that old corpora are not taken for new ones."""

_VALIDATION_BLOCK, _VALIDATION_EVERY = 8, 10


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

    def digest(self) -> str:
        """Content digest of every file, without opening one as a book."""
        others = {name: [file_digest(path) for path in paths] for name, paths in self.others.items()}
        return digest([[file_digest(path) for path in self.train], file_digest(self.heldout), others], 32)


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
) -> list[Built]:
    """Build what is missing of an author's reference set and corpus versions.

    Raises:
        BookError: a book cannot be read; nothing was written.
        ConfigurationError: a version that is built was edited.
    """
    files = find_files(author, workspace)
    built = {number: _manifest(name, number, workspace) for number in sorted(author.versions)}
    for number, manifest in built.items():
        if manifest and manifest["settings"] != author.resolve(number).model_dump():
            raise ConfigurationError(
                f"{name}@{number} is built and can no longer change; "
                f"put its settings back and add version {max(built) + 1} to trainers/corpora/{name}.yaml"
            )
    frozen = (references.folder_of(name, workspace) / "reference.json").is_file()
    if frozen and all(built.values()):
        return [Built(found, True, _changed(found, files)) for found in built.values() if found]
    library = read_library(files, password, allow_repaired)
    reference = (
        references.load(name, workspace) if frozen else cut_reference(name, author, library, workspace)
    )
    results = []
    for number, manifest in built.items():
        if manifest:
            results.append(Built(manifest, True, _changed(manifest, files)))
        else:
            identity = _identity(author, number, files)
            made = _build(name, number, author, library, identity, reference, workspace, run)
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
        raise ConfigurationError("hold_out: name the book to hold out (fewer than three books are here)")
    if author.hold_out is not None and author.hold_out not in books:
        raise ConfigurationError(
            f"hold_out: {author.hold_out} is not among the books{nearest(author.hold_out, books)}"
        )
    by_size = sorted(books.values(), key=lambda path: (path.stat().st_size, path.name))
    heldout = books[author.hold_out] if author.hold_out else by_size[len(by_size) // 2]
    others: dict[str, list[Path]] = {}
    for path in find_books(list(author.others), workspace):
        others.setdefault(shelves.safe_name(path.parent.name.lower(), "other author"), []).append(path)
    train = tuple(path for path in books.values() if path != heldout)
    if not train:
        raise ConfigurationError(f"books: {heldout.name} is held out, and there is no other to train on")
    return Files(train, heldout, {name: tuple(paths) for name, paths in sorted(others.items())})


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


# ── the reference set ─────────────────────────────────────────────────────────────────────────────


def cut_reference(name: str, author: AuthorFile, library: Library, workspace: Path) -> Reference:
    """The author's reference set, cut now and frozen."""
    size = author.passage_words
    heldout = _body_passages([library.heldout], size, "heldout")
    others = {key: _body_passages(books, size, "train") for key, books in library.others.items()}
    everything = _body_passages(library.train, size, "train")
    train = tuple(shared_ngrams(everything, heldout).kept)
    fitted = references.fit(train, others)
    prompts = references.cut_prompts(heldout, author.prompts.continuations, author.prompts.from_held_out)
    documents = references.cut_documents(heldout, train, others)
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


def _body_passages(books: Sequence[Book], size: int, split: str) -> tuple[Passage, ...]:
    """Non-overlapping passages of the books' cleaned body text."""
    cut = [
        p
        for book in books
        for p in cut_passages(paragraphs(label_pages(book), {"body"}, book.chapters), words=size, overlap=0)
    ]
    return tuple(_in_split(passage, split) for passage in cut if passage.n_words >= size // 3)


# ── a corpus version ──────────────────────────────────────────────────────────────────────────────


def _build(
    name: str,
    number: int,
    author: AuthorFile,
    library: Library,
    identity: str,
    reference: Reference,
    workspace: Path,
    run: Run,
) -> dict[str, Any]:
    """Cut one version, prove it shares nothing with held-out text, append it and write its manifest."""
    version = author.resolve(number)
    labelled = {book.name: label_pages(book) for book in library.train}
    roles = None if version.keep == "everything" else {"body"}
    cut = [
        passage
        for book in library.train
        for passage in cut_passages(
            paragraphs(labelled[book.name], roles, book.chapters),
            words=version.words,
            overlap=version.overlap,
        )
    ]
    leakage = shared_ngrams(cut, reference.heldout)
    kept = list(leakage.kept)
    if version.dose:
        kept = dosed(kept, version.dose)
    split = [_in_split(passage, _train_or_validation(passage)) for passage in kept]
    guard = [_in_split(passage, "guard") for passage in leakage.dropped]
    proof = shared_ngrams(split, reference.heldout)
    rows = [*split, *guard, *reference.heldout]
    run.append("passages", [_row(passage, name, number, identity) for passage in rows])
    counts = Counter(passage.split for passage in rows)
    manifest = {
        "name": name,
        "version": number,
        "digest": identity,
        "style": version.style,
        "settings": version.model_dump(),
        "parent": author.versions[number].from_,
        "books": {book.name: book.sha256 for book in (*library.train, library.heldout)},
        "heldout_book": library.heldout.name,
        "pages": {name: _roles_of(pages) for name, pages in labelled.items()},
        "passages": dict(counts),
        "words": sum(passage.n_words for passage in split),
        "roles": dict(Counter(passage.role for passage in split)),
        "leakage": {
            "shared_13grams": leakage.shared,
            "dropped": len(leakage.dropped),
            "examples": list(leakage.examples),
            "left": proof.shared,
        },
        "reference": reference.digest,
        "run": run.name,
    }
    path = manifest_path(name, number, workspace)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(manifest, indent=1, ensure_ascii=False), encoding="utf-8")
    part.replace(path)
    return manifest


def dosed(passages: Sequence[Passage], dose: Dose) -> list[Passage]:
    """The passages of the dose's role, and as many others as leave them the share asked for.

    Raises:
        ConfigurationError: there is no passage of that role, or too few to reach the share.
    """
    wanted = [passage for passage in passages if passage.role == dose.role]
    rest = sorted((p for p in passages if p.role == "body" and dose.role != "body"), key=lambda p: p.digest)
    n_rest = round(len(wanted) * (1 - dose.share) / dose.share)
    if not wanted or n_rest > len(rest):
        have = len(wanted) / max(1, len(wanted) + len(rest))
        raise ConfigurationError(
            f"dose: role {dose.role!r} is {have:.0%} of the passages, {dose.share:.0%} asked for"
        )
    kept = {passage.digest for passage in rest[:n_rest]}
    return [p for p in passages if p.role == dose.role or p.digest in kept]


def _train_or_validation(passage: Passage) -> str:
    """Every tenth block of eight passages of a book is for validation: neighbours share words."""
    block = digest(f"{passage.book}/{passage.ordinal // _VALIDATION_BLOCK}", 8)
    return "validation" if int(block, 16) % _VALIDATION_EVERY == 0 else "train"


def _changed(manifest: Mapping[str, Any], files: Files) -> tuple[str, ...]:
    """Stems of the author's books that were added, removed or edited since a version was built."""
    now = {path.stem: file_digest(path) for path in (*files.train, files.heldout)}
    then: Mapping[str, str] = manifest["books"]
    return tuple(sorted(book for book in {*now, *then} if now.get(book) != then.get(book)))


def manifest_path(name: str, number: int, workspace: Path) -> Path:
    """Where a corpus version's manifest lives."""
    return workspace / "results" / "corpora" / f"{name}@{number}.json"


def _manifest(name: str, number: int, workspace: Path) -> dict[str, Any] | None:
    path = manifest_path(name, number, workspace)
    if not path.is_file():
        return None
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return manifest


def read_manifest(name: str, number: int, workspace: Path) -> dict[str, Any]:
    """The manifest of a built version.

    Raises:
        ConfigurationError: it was never built; the versions that are, are named.
    """
    manifest = _manifest(name, number, workspace)
    if manifest is None:
        folder = manifest_path(name, number, workspace).parent
        have = sorted(path.stem for path in folder.glob(f"{name}@*.json"))
        listed = f"have {', '.join(have)}" if have else f"run `stylobench prepare {name}` first"
        raise ConfigurationError(f"corpus: {name}@{number} does not exist; {listed} (stylobench ls corpora)")
    return manifest


def passages_of(name: str, number: int, store: Store, workspace: Path) -> list[Passage]:
    """A built version's passages of every split."""
    manifest = read_manifest(name, number, workspace)
    columns = ["book", "ordinal", "role", "text", "n_words", "digest", "split"]
    # By run, for one that was stopped before its manifest was written leaves rows of the same digest.
    frame = store.read("passages", columns, corpus=name, version=number, run=manifest["run"])
    return [Passage(**{str(k): v for k, v in row.items()}) for row in frame.to_dict("records")]


def _identity(author: AuthorFile, number: int, files: Files) -> str:
    return digest([BUILDER, author.resolve(number).model_dump(), files.digest()], 32)


def _row(passage: Passage, name: str, number: int, identity: str) -> dict[str, Any]:
    return asdict(passage) | {"corpus": name, "version": number, "corpus_digest": identity}


def _in_split(passage: Passage, split: str) -> Passage:
    return replace(passage, split=split)  # type: ignore[arg-type]


def _roles_of(pages: Sequence[LabelledPage]) -> dict[str, int]:
    return dict(Counter(page.role for page in pages))


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
