"""``stylobench prepare``: an author's books become a frozen reference set and corpus versions.

books --read--> pages --roles--> paragraphs --cut--> passages
    first build only:  held-out book -> reference set (cleaned body text, never changed again)
    each version:      train books -> passages -> minus 13-grams shared with held-out -> table
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import cutting, freezing
from harness import reference as references
from harness.asking import check
from harness.corpora import (
    build,
    cut_runs,
    cut_version,
    find_manifest,
    in_split,
    labelled_pages,
    passages_of,
    settings_of,
    trainable,
)
from harness.corpus.leakage import shared_ngrams
from harness.corpus.near_duplicates import near_duplicates
from harness.corpus.prose import Paragraph, paragraphs
from harness.corpusfile import AuthorFile
from harness.errors import ConfigurationError
from harness.holdout import HeldOut, as_frozen, held_out
from harness.library import Files, Kept, Library, check_pages, file_digest, find_files, read_library
from harness.margins import margins_of
from harness.reference import Reference
from harness.store import Run, Store
from harness.text import digest
from harness.types import Book, Passage

BUILDER = 3
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


def prepare(
    name: str,
    author: AuthorFile,
    workspace: Path,
    run: Run,
    password: str | None = None,
    allow_repaired: bool = False,
    say: Callable[[str], None] = lambda doing: None,
    only: int | None = None,
) -> list[Built]:
    """Build what is missing of an author's reference set and corpus versions; ``say`` hears what is done.

    ``only``: the one version that is wanted; all of them by default.

    Raises:
        BookError: a book cannot be read; nothing was written.
        ConfigurationError: a version that is built was edited, or there is no such version.
    """
    wanted = sorted(author.versions) if only is None else [only]
    if only is not None:
        author.resolve(only)
    built = {number: find_manifest(name, number, workspace) for number in sorted(author.versions)}
    for number, manifest in built.items():
        if manifest and manifest["settings"] != settings_of(author, number):
            raise ConfigurationError(
                f"{name}@{number} is built and can no longer change; "
                f"put its settings back and add version {max(built) + 1} to trainers/corpora/{name}.yaml"
            )
    frozen = find_reference(name, workspace)
    files = find_files(author, workspace, kept_by(frozen, built.values()))
    present = [Built(found, True, _changed(found, files)) for number in wanted if (found := built[number])]
    if frozen and len(present) == len(wanted):
        return present
    # A version that is built may name a book that is gone since: its line can no longer change.
    known = {*files.own, *(book for old in built.values() if old for book in old["books"])}
    check_pages(name, author, sorted(known), workspace)
    missing = [number for number in wanted if not built[number]]
    for number in missing:
        check(author.resolve(number), workspace, f"{name}@{number}")
    say(f"reading {len(files.train) + 1 + sum(map(len, files.others.values()))} books")
    library = read_library(files, password, allow_repaired)
    away = what_is_away(library, author, held_out_before(frozen, built.values(), run.store, workspace))
    say("cutting passages")
    heldout = frozen.heldout if frozen else heldout_passages(author, away)
    # All versions are cut before anything is frozen: a dose that cannot be reached leaves nothing behind.
    cuts = {n: cut_version(author, n, library.train, library.heldout, away, heldout) for n in missing}
    reference = frozen
    if reference is None:
        say("cutting the reference set")
        reference = cut_reference(name, author, library, away, workspace)
    made = []
    for number, cut in cuts.items():
        say(f"building {name}@{number}")
        sources = (*library.train, library.heldout)
        identity = _identity(author, number, files)
        manifest = build(name, number, author, cut, sources, identity, reference, workspace, run)
        made.append(Built(manifest, False, ()))
    return sorted([*present, *made], key=lambda each: int(each.manifest["version"]))


def find_reference(name: str, workspace: Path) -> Reference | None:
    """The author's frozen reference set, or None before the first ``prepare``."""
    there = (references.folder_of(name, workspace) / "reference.json").is_file()
    return references.load(name, workspace) if there else None


def kept_by(frozen: Reference | None, built: Iterable[Mapping[str, Any] | None] = ()) -> Kept | None:
    """What a reference set holds out; where it was moved away, what the versions built against it did."""
    if frozen:
        return Kept(frozen.heldout_book, frozen.heldout_block)
    earlier = _earlier(built)
    return Kept(earlier["heldout_book"], earlier.get("heldout_block")) if earlier else None


def held_out_before(
    frozen: Reference | None, built: Iterable[Mapping[str, Any] | None], store: Store, workspace: Path
) -> tuple[Passage, ...]:
    """The passages of what ``kept_by`` names, as they were cut then; none where nothing is held out yet."""
    if frozen:
        return frozen.heldout
    earlier = _earlier(built)
    if not earlier:
        return ()
    passages = passages_of(earlier["name"], earlier["version"], store, workspace)
    return tuple(passage for passage in passages if passage.split == "heldout")


def _earlier(built: Iterable[Mapping[str, Any] | None]) -> Mapping[str, Any] | None:
    return next((manifest for manifest in built if manifest and "heldout_book" in manifest), None)


def what_is_away(library: Library, author: AuthorFile, before: Sequence[Passage] = ()) -> HeldOut:
    """The held-out part of the author's body text; a block that was held out ``before`` is that block."""
    books = (library.heldout,) if library.block is None else library.train
    bodies = {book.name: body(book, author) for book in books}
    if before and library.block is not None:
        return as_frozen(bodies[library.heldout.name], before)
    return held_out(bodies, library.heldout.name, library.block)


def heldout_passages(author: AuthorFile, away: HeldOut) -> tuple[Passage, ...]:
    """The held-out text as passages of the reference set."""
    return _whole([away.paragraphs], author.passage_words, "heldout")


# ── the reference set ─────────────────────────────────────────────────────────────────────────────


def cut_reference(
    name: str, author: AuthorFile, library: Library, away: HeldOut, workspace: Path
) -> Reference:
    """The author's reference set, cut now and frozen."""
    freezing.check_absent(name, workspace)
    size = author.passage_words
    heldout = _whole([away.paragraphs], size, "heldout")
    others = cut_others(library.others, author, size)
    everything = [
        passage
        for book in library.train
        for passage in _whole(
            trainable(book, labelled_pages(book, author), {"body"}, library.heldout, away, author.language),
            size,
            "train",
        )
    ]
    train = near_duplicates(shared_ngrams(everything, heldout).kept, heldout).kept
    fitted = cutting.fit(train, others)
    prompts = cutting.cut_prompts(heldout, author.prompts.continuations, author.prompts.from_held_out)
    documents = cutting.cut_documents(heldout, train, others)
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
        digest=references.content_digest(prompts, documents, train, others),
        folder=references.folder_of(name, workspace),
        heldout_block=library.block,
        background=library.background,
        other_files={
            key: tuple(sorted(book.sha256 for book in books)) for key, books in library.others.items()
        },
    )
    return freezing.freeze(draft, fitted, margins_of)


def cut_others(
    books: Mapping[str, Sequence[Book]], author: AuthorFile, size: int
) -> dict[str, tuple[Passage, ...]]:
    """Other authors' body text, as passages of the size of the held-out ones."""
    return {
        key: tuple(p for book in own for p in _whole([body(book, author)], size, "train"))
        for key, own in books.items()
    }


def body(book: Book, author: AuthorFile) -> tuple[Paragraph, ...]:
    """A book's body text, roles set by hand for the author followed."""
    return paragraphs(labelled_pages(book, author), {"body"}, book.chapters, author.language)


def _whole(runs: Sequence[Sequence[Paragraph]], size: int, split: str) -> tuple[Passage, ...]:
    """Passages without overlap, those far below the size left out."""
    return tuple(in_split(p, split) for p in cut_runs(runs, size, 0) if p.n_words >= size // 3)


def _changed(manifest: Mapping[str, Any], files: Files) -> tuple[str, ...]:
    """Stems of the author's books that were added, removed or edited since a version was built."""
    now = {path.stem: file_digest(path) for path in (*files.train, files.heldout)}
    then: Mapping[str, str] = manifest["books"]
    return tuple(sorted(book for book in {*now, *then} if now.get(book) != then.get(book)))


def _identity(author: AuthorFile, number: int, files: Files) -> str:
    return digest([BUILDER, settings_of(author, number), author.language, files.digest()], 32)
