"""``stylobench compare NAME@2 NAME@3``: what changed between two corpus versions, book by book."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from harness.cli.output import Format, print_rows

if TYPE_CHECKING:
    from harness.corpus.changes import BookChange, CorpusChanges
    from harness.types import Passage

_EXCERPT = 90


def compare_versions(old: str, new: str, workspace: Path, format: Format) -> None:
    """Read both versions' passages and print the difference; what changed is no fault, so nothing exits 3.

    Raises:
        ConfigurationError: a name is not of the form NAME@N, or that version was never built.
    """
    from harness.bench import warehouse
    from harness.corpora import passages_of
    from harness.corpus.changes import compare_corpora
    from harness.recipe import parse_corpus

    names = [parse_corpus(name) for name in (old, new)]
    store = warehouse(workspace)
    before, after = (passages_of(name.name, name.version, store, workspace) for name in names)
    print_changes(compare_corpora(before, after), format)


def print_changes(changes: CorpusChanges, format: Format = Format.table) -> None:
    """The sentence, a line a book, and examples of what went and what came."""
    rows = [book_row(book) for book in changes.books]
    if format is not Format.table:
        print_rows(rows, format)
        return
    typer.echo(changes.sentence())
    typer.echo("")
    print_rows(rows, format)
    examples = [row for book in changes.books for row in _examples(book)]
    if examples:
        typer.echo("")
        print_rows(examples, format, "examples")


def book_row(book: BookChange) -> dict[str, Any]:
    """One book in a line."""
    return {
        "book": book.book,
        "before": book.before,
        "after": book.after,
        "change": f"{book.net:+,}" if book.net else "0",
        "removed": book.removed,
        "removed roles": _roles(book.removed_roles),
        "added": book.added,
        "added roles": _roles(book.added_roles),
        "moved": book.moved,
    }


def _examples(book: BookChange) -> Iterator[dict[str, Any]]:
    for sign, passages in (("-", book.removed_examples), ("+", book.added_examples)):
        for passage in passages:
            yield {"": sign, "book": book.book, "role": passage.role, "text": _excerpt(passage)}


def _excerpt(passage: Passage) -> str:
    text = " ".join(passage.text.split())
    return text if len(text) <= _EXCERPT else f"{text[: _EXCERPT - 4]} ..."


def _roles(roles: Any) -> str:
    return ", ".join(f"{n:,} {role}" for role, n in roles.items())
