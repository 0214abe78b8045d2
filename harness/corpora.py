"""One version of a corpus: cut, cleared of what held-out text shares, asked about, and written down for good.

    train books -> passages -> minus shared 13-grams -> minus near-duplicates -> train | validation
                                  |                     |                       |
                                  +------- guard -------+             questions (qa, scene)

A version's manifest stands in ``results/corpora/NAME@N.json`` and is written last: without it, the version
was never built.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness.asking import Asked, ask
from harness.corpus.leakage import LeakageReport, shared_ngrams
from harness.corpus.mixed_pages import page_roles
from harness.corpus.near_duplicates import NearDuplicateReport, near_duplicates
from harness.corpus.paid_pairs import IMPORTED
from harness.corpus.passages import cut_passages
from harness.corpus.prose import Paragraph, paragraphs
from harness.corpus.roles import apply_overrides, label_pages
from harness.corpus.splits import train_validation
from harness.corpusfile import AuthorFile, Dose, Version
from harness.errors import ConfigurationError
from harness.holdout import HeldOut
from harness.reference import Reference
from harness.shelves import read_json
from harness.store import Run, Store
from harness.types import Book, LabelledPage, Passage


@dataclass(frozen=True)
class Cut:
    """One version's passages before any question is asked, and what was left out to keep them honest.

    ``used``: train and validation; ``pages``: book -> role -> pages.
    """

    used: tuple[Passage, ...]
    leakage: LeakageReport
    twins: NearDuplicateReport
    pages: Mapping[str, Mapping[str, int]]

    @property
    def guard(self) -> tuple[Passage, ...]:
        """Passages dropped because held-out text, or nearly that, stands in them."""
        return tuple(in_split(p, "guard") for p in (*self.leakage.dropped, *self.twins.dropped))


def cut_version(
    author: AuthorFile,
    number: int,
    books: Sequence[Book],
    heldout: Book,
    away: HeldOut,
    heldout_passages: Sequence[Passage],
) -> Cut:
    """The passages of one version, cleared of held-out text and parted into train and validation.

    Raises:
        ConfigurationError: the version's dose cannot be reached, or a role set by hand is none.
    """
    version = author.resolve(number)
    labelled = {book.name: labelled_pages(book, author, version) for book in books}
    roles = None if version.keep == "everything" else {"body"}
    cut = [
        passage
        for book in books
        for passage in cut_runs(
            trainable(book, labelled[book.name], roles, heldout, away, author.language),
            version.words,
            version.overlap,
        )
    ]
    leakage = shared_ngrams(cut, heldout_passages)
    twins = near_duplicates(leakage.kept, heldout_passages)
    kept = dosed(twins.kept, version.dose) if version.dose else twins.kept
    sides = train_validation(kept)
    validated = {passage.digest for passage in sides.validation}
    used = tuple(in_split(p, "validation" if p.digest in validated else "train") for p in kept)
    return Cut(used, leakage, twins, {title: _roles_of(pages) for title, pages in labelled.items()})


def build(
    name: str,
    number: int,
    author: AuthorFile,
    cut: Cut,
    sources: Sequence[Book],
    identity: str,
    reference: Reference,
    workspace: Path,
    run: Run,
) -> dict[str, Any]:
    """Ask about one version's passages, prove them honest, append them and write the manifest.

    ``sources``: the author's books, the held-out one among them.

    Raises:
        IncompleteError: some passages have no question yet; what was asked is kept, and nothing is built.
    """
    version = author.resolve(number)
    used, asked = cut.used, None
    if version.style != "completion":
        asked = ask(used, version, reference, workspace, f"{name}@{number}")
        used = _beside_validation(asked.passages)
    rows = [*used, *cut.guard, *reference.heldout]
    run.append("passages", [_row(passage, name, number, identity) for passage in rows])
    run.append("questions", _question_rows(asked, name, number))
    manifest = {
        "name": name,
        "version": number,
        "digest": identity,
        "style": version.style,
        "settings": settings_of(author, number),
        "parent": author.versions[number].from_,
        "books": {book.name: book.sha256 for book in sources},
        "heldout_book": reference.heldout_book,
        "heldout_block": reference.heldout_block,
        "background": reference.background,
        "pages": cut.pages,
        "passages": dict(Counter(passage.split for passage in rows)),
        "words": sum(passage.n_words for passage in used),
        "roles": dict(Counter(passage.role for passage in used)),
        "leakage": {
            "shared_13grams": cut.leakage.shared,
            "dropped": len(cut.leakage.dropped),
            "examples": list(cut.leakage.examples),
            "left": shared_ngrams(used, reference.heldout).shared,
        },
        "near_duplicates": cut.twins.facts(),
        "questions": _question_facts(asked),
        "reference": reference.digest,
        "run": run.name,
    }
    path = manifest_path(name, number, workspace)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(manifest, indent=1, ensure_ascii=False), encoding="utf-8")
    part.replace(path)
    return manifest


def _beside_validation(passages: Sequence[Passage]) -> tuple[Passage, ...]:
    """Imported pairs whose answer quotes a validation passage go to its side."""
    validation = [passage for passage in passages if passage.split == "validation"]
    imported = [passage for passage in passages if passage.role == IMPORTED]
    quoting = {passage.digest for passage in shared_ngrams(imported, validation).dropped}
    return tuple(in_split(p, "validation") if p.digest in quoting else p for p in passages)


def trainable(
    book: Book,
    labelled: Sequence[LabelledPage],
    roles: set[str] | None,
    heldout: Book,
    away: HeldOut,
    language: str,
) -> tuple[tuple[Paragraph, ...], ...]:
    """The runs of a book's paragraphs that may be trained on: two where a block of it is held out."""
    found = paragraphs(labelled, roles, book.chapters, language)
    return away.runs(found) if book.name == heldout.name else (found,)


def cut_runs(runs: Sequence[Sequence[Paragraph]], words: int, overlap: int) -> list[Passage]:
    """Passages of each run by itself, numbered through.

    A row of stars, a chapter's number or a single letter is no passage: nothing of it could be continued or
    asked about.
    """
    cut = [passage for run in runs for passage in cut_passages(run, words=words, overlap=overlap)]
    whole = [passage for passage in cut if passage.n_words > 1]
    return [replace(passage, ordinal=place) for place, passage in enumerate(whole)]


def labelled_pages(
    book: Book, author: AuthorFile, version: Version | None = None
) -> tuple[LabelledPage, ...]:
    """A book's pages with their roles; those set by hand for the author, then for the version, come last."""
    labelled = apply_overrides(label_pages(book), author.pages.get(book.name, {}))
    return apply_overrides(labelled, version.pages.get(book.name, {}) if version else {})


def settings_of(author: AuthorFile, number: int) -> dict[str, Any]:
    """What a built version can no longer change: its line as resolved, and the roles set by hand."""
    by_hand = {"pages": {book: dict(roles) for book, roles in author.pages.items()}} if author.pages else {}
    return author.resolve(number).settings() | by_hand


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


# ── what was built ────────────────────────────────────────────────────────────────────────────────


def manifest_path(name: str, number: int, workspace: Path) -> Path:
    """Where a corpus version's manifest lives."""
    return workspace / "results" / "corpora" / f"{name}@{number}.json"


def find_manifest(name: str, number: int, workspace: Path) -> dict[str, Any] | None:
    """The manifest of a version, or None where it was never built."""
    path = manifest_path(name, number, workspace)
    if not path.is_file():
        return None
    remedy = f"move it away and run `stylobench prepare {name}`"
    manifest = read_json(path, remedy)
    lacking = [key for key in ("digest", "settings", "passages", "leakage", "run") if key not in manifest]
    if lacking:
        raise ConfigurationError(f"{path.name} is damaged: it has no {lacking[0]}; {remedy}")
    return manifest


def read_manifest(name: str, number: int, workspace: Path) -> dict[str, Any]:
    """The manifest of a built version.

    Raises:
        ConfigurationError: it was never built; the versions that are, are named.
    """
    manifest = find_manifest(name, number, workspace)
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


def questions_of(name: str, number: int, store: Store, workspace: Path) -> dict[str, list[str]]:
    """Passage digest -> the questions (or a scene's instructions) asked of it; empty for completions."""
    manifest = read_manifest(name, number, workspace)
    frame = store.read("questions", ["passage", "text"], corpus=name, version=number, run=manifest["run"])
    found: dict[str, list[str]] = {}
    for row in frame.to_dict("records"):
        found.setdefault(str(row["passage"]), []).append(str(row["text"]))
    return found


def in_split(passage: Passage, split: str) -> Passage:
    """The passage, put on a side."""
    return replace(passage, split=split)  # type: ignore[arg-type]


def _row(passage: Passage, name: str, number: int, identity: str) -> dict[str, Any]:
    return asdict(passage) | {"corpus": name, "version": number, "corpus_digest": identity}


def _question_rows(asked: Asked | None, name: str, number: int) -> list[dict[str, Any]]:
    if asked is None:
        return []
    return [
        {"corpus": name, "version": number, "passage": q.passage, "text": q.text, "writer": q.writer}
        for q in asked.questions
    ]


def _question_facts(asked: Asked | None) -> dict[str, Any]:
    if asked is None:
        return {}
    kept = ("writer", "left_out", "imported", "leaked", "note", "usd")
    counts = {"asked": len(asked.passages), "questions": len(asked.questions)}
    return counts | {name: getattr(asked, name) for name in kept}


def _roles_of(pages: Sequence[LabelledPage]) -> dict[str, int]:
    return dict(Counter(page_roles(pages).values()))
