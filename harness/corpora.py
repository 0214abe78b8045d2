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
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness.asking import Asked, ask
from harness.corpus.leakage import shared_ngrams
from harness.corpus.near_duplicates import near_duplicates
from harness.corpus.passages import cut_passages
from harness.corpus.prose import Paragraph, paragraphs
from harness.corpus.roles import apply_overrides, label_pages
from harness.corpusfile import AuthorFile, Dose, Version
from harness.errors import ConfigurationError
from harness.holdout import HeldOut
from harness.reference import Reference
from harness.shelves import read_json
from harness.store import Run, Store
from harness.text import digest
from harness.types import Book, LabelledPage, Passage

_VALIDATION_BLOCK, _VALIDATION_EVERY = 8, 10


def build(
    name: str,
    number: int,
    author: AuthorFile,
    books: Sequence[Book],
    heldout: Book,
    away: HeldOut,
    identity: str,
    reference: Reference,
    workspace: Path,
    run: Run,
) -> dict[str, Any]:
    """Cut one version of the train books, prove it honest, append it and write its manifest.

    Raises:
        IncompleteError: some passages have no question yet; what was asked is kept, and nothing is built.
    """
    version = author.resolve(number)
    labelled = {book.name: labelled_pages(book, author, version) for book in books}
    roles = None if version.keep == "everything" else {"body"}
    cut = [
        passage
        for book in books
        for passage in cut_runs(
            trainable(book, labelled[book.name], roles, heldout, away), version.words, version.overlap
        )
    ]
    leakage = shared_ngrams(cut, reference.heldout)
    twins = near_duplicates(leakage.kept, reference.heldout)
    kept = list(twins.kept)
    if version.dose:
        kept = dosed(kept, version.dose)
    split = [in_split(passage, _train_or_validation(passage)) for passage in kept]
    asked = None
    if version.style != "completion":
        asked = ask(split, version, reference, workspace, f"{name}@{number}")
        split = list(asked.passages)
    guard = [in_split(passage, "guard") for passage in (*leakage.dropped, *twins.dropped)]
    rows = [*split, *guard, *reference.heldout]
    run.append("passages", [_row(passage, name, number, identity) for passage in rows])
    run.append("questions", _question_rows(asked, name, number))
    manifest = {
        "name": name,
        "version": number,
        "digest": identity,
        "style": version.style,
        "settings": settings_of(author, number),
        "parent": author.versions[number].from_,
        "books": {book.name: book.sha256 for book in (*books, heldout)},
        "heldout_book": heldout.name,
        "pages": {title: _roles_of(pages) for title, pages in labelled.items()},
        "passages": dict(Counter(passage.split for passage in rows)),
        "words": sum(passage.n_words for passage in split),
        "roles": dict(Counter(passage.role for passage in split)),
        "leakage": {
            "shared_13grams": leakage.shared,
            "dropped": len(leakage.dropped),
            "examples": list(leakage.examples),
            "left": shared_ngrams(split, reference.heldout).shared,
        },
        "near_duplicates": twins.facts(),
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


def trainable(
    book: Book, labelled: Sequence[LabelledPage], roles: set[str] | None, heldout: Book, away: HeldOut
) -> tuple[tuple[Paragraph, ...], ...]:
    """The runs of a book's paragraphs that may be trained on: two where a block of it is held out."""
    found = paragraphs(labelled, roles, book.chapters)
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


def _train_or_validation(passage: Passage) -> str:
    """Every tenth block of eight passages of a book is for validation: neighbours share words."""
    block = digest(f"{passage.book}/{passage.ordinal // _VALIDATION_BLOCK}", 8)
    return "validation" if int(block, 16) % _VALIDATION_EVERY == 0 else "train"


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
    return dict(Counter(page.role for page in pages))
