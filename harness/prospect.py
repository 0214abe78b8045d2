"""What ``prepare`` would do, before it does anything: ``prepare NAME --plan``.

    choices     what could be held out, what each costs, and which of them is held out now
    versions    which are there, which would be built, from how many passages, for how much money

The author's books are read and cut as a build would cut them; nothing is sent and nothing is written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.asking import chosen_of, estimate, is_paid, read_pairs
from harness.corpora import Cut, cut_version, find_manifest, settings_of
from harness.corpus.books import read_book
from harness.corpus.choices import Choice, choices
from harness.corpusfile import AuthorFile, Version
from harness.errors import ConfigurationError
from harness.library import Kept, Library, check_pages, held_out_of, own_books
from harness.prepare import (
    body,
    find_reference,
    held_out_before,
    heldout_passages,
    kept_by,
    what_is_away,
)
from harness.reference import Reference
from harness.store import Store
from harness.types import Passage


@dataclass(frozen=True)
class VersionPlan:
    """One version line. ``state``: ``reused`` or ``to build``, or ``changed`` where a built one was edited.

    Counts are of passages; ``to_ask`` those that need a question, where questions are bought those that have
    none yet. US dollars are NaN where nothing is bought; ``note`` says what stands in the way.
    """

    number: int
    version: Version
    parent: int | None
    state: str
    train: int = 0
    validation: int = 0
    dropped: int = 0
    to_ask: int = 0
    likely_usd: float = math.nan
    worst_usd: float = math.nan
    max_usd: float = math.nan
    note: str = ""


@dataclass(frozen=True)
class Prospect:
    """``present``: what is held out now, None where nothing is yet; ``frozen``: and for good."""

    choices: tuple[Choice, ...]
    files: Mapping[str, str]
    """File name of each book."""
    present: Kept | None
    frozen: bool
    versions: tuple[VersionPlan, ...]

    def is_present(self, choice: Choice) -> bool:
        """Whether this choice is what is held out now."""
        return self.present == Kept(choice.book, None if choice.fold is None else choice.fold + 1)

    def hold_out(self, choice: Choice) -> str:
        """The choice as ``hold_out:`` names it: ``FILE`` or ``FILE#N``."""
        file = self.files[choice.book]
        return file if choice.fold is None else f"{file}#{choice.fold + 1}"


def prospect(
    name: str,
    author: AuthorFile,
    workspace: Path,
    password: str | None = None,
    allow_repaired: bool = False,
) -> Prospect:
    """Everything of the author's that could be held out, and what would become of each version.

    Raises:
        BookError: a book cannot be read.
        ConfigurationError: the corpus file cannot be followed.
    """
    files = own_books(author, workspace)
    frozen = find_reference(name, workspace)
    built = [find_manifest(name, number, workspace) for number in sorted(author.versions)]
    kept = kept_by(frozen, built)
    gone = (book for manifest in built if manifest for book in manifest["books"])
    check_pages(name, author, sorted({*(path.stem for path in files.values()), *gone}), workspace)
    books = {path.stem: read_book(path, password, allow_repaired=allow_repaired) for path in files.values()}
    options = choices({stem: body(book, author) for stem, book in books.items()})
    present = None
    lines = _states(name, author, workspace)
    if kept or author.hold_out or len(books) >= 3:
        held = held_out_of(author, files, kept)
        present = Kept(held.path.stem, held.block)
        away = Library(
            train=tuple(b for b in books.values() if held.block is not None or b.name != present.book),
            heldout=books[present.book],
            others={},
            block=held.block,
        )
        before = held_out_before(frozen, built, Store(workspace / "results" / "warehouse"), workspace)
        lines = [
            _cut(line, name, author, away, before, frozen, workspace) if line.state == "to build" else line
            for line in lines
        ]
    return Prospect(
        options, {path.stem: path.name for path in files.values()}, present, frozen is not None, tuple(lines)
    )


def _states(name: str, author: AuthorFile, workspace: Path) -> list[VersionPlan]:
    found = []
    for number in sorted(author.versions):
        line = VersionPlan(number, author.resolve(number), author.versions[number].from_, "to build")
        if manifest := find_manifest(name, number, workspace):
            same = manifest["settings"] == settings_of(author, number)
            counts = manifest["passages"]
            line = replace(
                line,
                state="reused" if same else "changed",
                note="" if same else f"built, and cannot change: add version {max(author.versions) + 1}",
                train=counts.get("train", 0),
                validation=counts.get("validation", 0),
                dropped=counts.get("guard", 0),
            )
        found.append(line)
    return found


def _cut(
    line: VersionPlan,
    name: str,
    author: AuthorFile,
    library: Library,
    before: Sequence[Passage],
    frozen: Reference | None,
    workspace: Path,
) -> VersionPlan:
    """The line with its counts and, where questions are bought, their price; or with what is wrong."""
    try:
        away = what_is_away(library, author, before)
        known = frozen.heldout if frozen else heldout_passages(author, away)
        cut = cut_version(author, line.number, library.train, library.heldout, away, known)
        train = sum(passage.split == "train" for passage in cut.used)
        line = replace(line, train=train, validation=len(cut.used) - train, dropped=len(cut.guard))
        return _priced(line, cut, known, workspace, f"{name}@{line.number}")
    except ConfigurationError as error:
        return replace(line, note=str(error))


def _priced(
    line: VersionPlan, cut: Cut, heldout: Sequence[Passage], workspace: Path, account: str
) -> VersionPlan:
    if line.version.style == "completion":
        return line
    if not is_paid(line.version):
        if line.version.pairs:
            read_pairs(line.version.pairs, workspace)
        return replace(line, to_ask=len(chosen_of(cut.used, line.version)))
    found = estimate(cut.used, line.version, heldout, workspace, account)
    most = line.version.max_usd
    return replace(
        line,
        to_ask=found.n_passages,
        likely_usd=found.likely_usd,
        worst_usd=found.worst_usd,
        max_usd=math.nan if most is None else most,
        note="" if most is None or found.likely_usd <= most else "max_usd will not do for all of them",
    )
