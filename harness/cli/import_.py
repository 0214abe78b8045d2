"""``stylobench import``: what older question-answer pairs would be worth to a corpus."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.output import Format, FormatOption, print_rows


class Kind(StrEnum):
    """What can be imported."""

    qa = "qa"


def import_(
    context: typer.Context,
    what: Annotated[Kind, typer.Argument(help="Pairs as ShareGPT, Alpaca, prompt/response or messages.")],
    file: Annotated[str, typer.Argument(help="A JSON or JSON Lines file in the workspace.")],
    corpus: Annotated[str, typer.Option(help="NAME@N: the built version whose passages they may belong to.")],
    format: FormatOption = Format.table,
) -> None:
    """Align older question-answer pairs to an author's books; nothing is written.

    What overlaps held-out text is dropped; the rest need not be paid for again.
    """
    from harness.asking import align
    from harness.bench import warehouse
    from harness.corpora import passages_of
    from harness.recipe import parse_corpus
    from harness.reference import load

    workspace: Path = context.obj
    wanted = parse_corpus(corpus)
    store = warehouse(workspace)
    passages = [
        passage
        for passage in passages_of(wanted.name, wanted.version, store, workspace)
        if passage.split in ("train", "validation")
    ]
    found = align(file, passages, load(wanted.name, workspace).heldout, workspace)
    matched = found.questions()
    rows = [
        {"pairs": "go with a passage of these books", "n": len(matched)},
        {"pairs": "passages they ask about", "n": len({question.passage for question in matched})},
        {"pairs": "keep their own answer", "n": len(found.on_their_own())},
        {"pairs": "dropped: they hold held-out text", "n": len(found.dropped)},
    ]
    print_rows(rows, format)
    if format is Format.table:
        for example in found.examples:
            typer.echo(f"  held-out text: {example!r}")
        line = f"{{from: {wanted.version}, style: qa, pairs: {file}}}"
        typer.echo(f"\nto use them, add a version to {wanted.name}.yaml: {line}")
