"""``stylobench reference NAME --refit``: other authors come or go, and what is asked stays.

    stays   held-out text, train passages, prompts, documents   all stored answers and likelihoods serve again
    new     other authors, fits, margins, audit, digest         scores are made anew, without a model

The set as it was stays beside the new one, under its digest, and comes back when its authors do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harness import cutting, freezing
from harness import reference as references
from harness.corpus.books import read_book
from harness.corpusfile import AuthorFile
from harness.library import file_digest, find_files
from harness.margins import margins_of
from harness.prepare import cut_others, kept_by
from harness.reference import Reference
from harness.types import Book


@dataclass(frozen=True)
class Difference:
    """Names of other authors, sorted: new ones, ones that are gone, and ones whose files differ."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    def __str__(self) -> str:
        parts = (("added", self.added), ("removed", self.removed), ("changed", self.changed))
        return "; ".join(f"{', '.join(names)} {what}" for what, names in parts if names)


@dataclass(frozen=True)
class Refitted:
    """The set that stands now, the one that stood before, and how their other authors differ.

    ``brought_back``: a former set of these very authors was there, and nothing was fitted.
    """

    reference: Reference
    former: Reference
    difference: Difference
    brought_back: bool = False

    @property
    def nothing_new(self) -> bool:
        return self.reference.digest == self.former.digest


def difference(frozen: Reference, others: Mapping[str, tuple[Path, ...]]) -> Difference:
    """How the files of other authors differ from those a reference set was fitted on."""
    then = frozen.other_files
    now = {name: tuple(sorted(map(file_digest, paths))) for name, paths in others.items()}
    both = sorted({*now} & {*then})
    return Difference(
        added=tuple(sorted({*now} - {*then})),
        removed=tuple(sorted({*then} - {*now})),
        changed=tuple(name for name in both if now[name] != then[name]),
    )


def unseen(name: str, author: AuthorFile, workspace: Path) -> str:
    """One line on what the corpus file's ``others`` are and the reference set does not see; or nothing."""
    frozen = references.load(name, workspace)
    found = difference(frozen, find_files(author, workspace, kept_by(frozen)).others)
    if not found:
        return ""
    return f"others: {found}; the reference set does not see that: stylobench reference {name} --refit"


def refit(
    name: str,
    author: AuthorFile,
    workspace: Path,
    password: str | None = None,
    allow_repaired: bool = False,
    say: Callable[[str], None] = lambda doing: None,
) -> Refitted:
    """Fit a frozen reference set anew on the other authors its corpus file names now.

    Raises:
        MissingPrerequisiteError: there is no reference set yet.
        BookError: a book of another author cannot be read; nothing was written.
        ConfigurationError: another author has too little text, or another process was faster.
    """
    frozen = references.load(name, workspace)
    files = find_files(author, workspace, kept_by(frozen))
    found = difference(frozen, files.others)
    say(f"reading {sum(map(len, files.others.values()))} books of other authors")

    def read(path: Path) -> Book:
        return read_book(path, password, allow_repaired=allow_repaired)

    books = {other: tuple(map(read, paths)) for other, paths in files.others.items()}
    others = cut_others(books, author, frozen.passage_words)
    draft = replace(
        frozen,
        others=others,
        background=not author.others,
        other_files={other: tuple(sorted(book.sha256 for book in own)) for other, own in books.items()},
        digest=references.content_digest(frozen.prompts, frozen.documents, frozen.train, others),
        folder=references.folder_of(name, workspace),
        margins={},
        audit={},
    )
    if draft.digest == frozen.digest:
        if found:
            # The same passages from other files: written down, so that nobody is told of it again.
            freezing.note_files(replace(frozen, other_files=draft.other_files, background=draft.background))
        return Refitted(frozen, frozen, found)
    if (references.former_folder(draft) / "reference.json").is_file():
        freezing.bring_back(references.load(references.former_folder(draft).name, workspace), frozen)
        return Refitted(references.load(name, workspace), frozen, found, brought_back=True)
    say(f"fitting on {len(others)} other authors")
    fitted = cutting.fit(frozen.train, others)
    say("measuring margins")
    return Refitted(freezing.refreeze(draft, fitted, margins_of, frozen), frozen, found)
