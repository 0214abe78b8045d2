"""``stylobench measure``: any text or file of answers, on every text metric."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.output import Format, FormatOption, print_rows

if TYPE_CHECKING:
    from harness.measuring import Line


def measure(
    context: typer.Context,
    file: Annotated[
        str, typer.Argument(help="Plain text, or JSON Lines of answers (answer, response or text).")
    ],
    author: Annotated[str, typer.Option(help="A prepared author.")],
    whole: Annotated[
        bool, typer.Option("--whole", help="A plain text is one answer; else it is cut into passages.")
    ] = False,
    format: FormatOption = Format.table,
) -> None:
    """Measure a text on every text metric, beside the author and other authors; no model, nothing is stored.

    Style is measured on valid texts only; pooled metrics (Delta, profiles) need 5,000 words of them.
    Distance is from the author, as distributions (1: as far as he is from himself). AUC says how well a
    metric knows this author (.5: not at all).
    """
    from harness.measuring import measure_file
    from harness.registering import find_path

    workspace: Path = context.obj
    found = measure_file(find_path(file, workspace), author, workspace, whole=whole)
    if format is Format.table:
        texts = f"{found.texts} {'text' if found.texts == 1 else 'texts'}"
        answers = f", {found.matched} of them answers to prompts" if found.matched else ""
        theirs = f"beside {found.author}, about {found.author_words}"
        typer.echo(f"{texts} of about {found.median_words} words{answers}; {theirs}")
        if abs(found.author_words - found.median_words) > 0.2 * found.median_words:
            typer.echo(
                "lengths differ: type-token ratio, coverage, novelty and words are no comparison of style"
            )
        if found.unmatched:
            typer.echo(f"{found.unmatched} name an item or prompt that is none of {author}'s prompts")
        if found.left_out:
            typer.echo(f"pooled metrics (Delta, profiles) are left out: {found.left_out}")
        typer.echo("")
    print_rows([row(line) for line in found.lines], format)


def row(line: Line) -> dict[str, Any]:
    """One metric in a line."""
    from harness.compare import name_of

    low, high = line.interval
    return {
        "metric": name_of(line.metric),
        "value": line.value,
        "95 % interval": "–" if math.isnan(low) else f"[{round(low, 6):.3g}, {round(high, 6):.3g}]",
        "author": line.author,
        "others": line.others,
        "distance": line.distance,
        "AUC": line.auc,
        "n": line.n,
        "remark": line.note,
    }
