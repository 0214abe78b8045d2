"""``stylobench audit``: which metrics know this author from the others."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.output import Format, FormatOption, print_rows
from harness.errors import ConfigurationError

if TYPE_CHECKING:
    from harness.audit import Fitness


def audit(
    context: typer.Context,
    author: Annotated[str, typer.Argument(help="A prepared author.")],
    words: Annotated[
        str, typer.Option(help="Lengths in words; by default 150,350,1000 and what this author's suites ask.")
    ] = "",
    format: FormatOption = Format.table,
) -> None:
    """Say on human text alone how well each metric tells the author from others: fit, weak or unfit."""
    from harness.audit import LENGTHS
    from harness.audit import audit as measure
    from harness.reference import load

    workspace: Path = context.obj
    reference = load(author, workspace)
    lengths = parse_lengths(words) if words else [*LENGTHS, *answer_lengths(author, workspace, LENGTHS)]
    found = measure(reference, lengths)
    rows: list[dict[str, Any]] = [
        {
            "words": row.words,
            "metric": row.metric,
            "AUC": row.mean.value,
            "95 % interval": f"[{row.mean.interval.low:.3f}, {row.mean.interval.high:.3f}]",
            "worst": row.worst.value,
            "against": row.worst_author,
            "its interval": f"[{row.worst.interval.low:.3f}, {row.worst.interval.high:.3f}]",
            "mark": row.mark,
            "remark": _remark(row, found.caveat),
        }
        for row in found.rows
    ]
    print_rows(rows, format)
    if format is Format.table:
        typer.echo(f"\nunfit metrics decide nothing; stored as results/references/{author}/audit.json")
        if found.caveat:
            typer.echo(
                f"no other authors are named, and presidents stand in: {found.caveat}; "
                f"name some under others, then stylobench reference {author} --refit"
            )


def _remark(row: Fitness, caveat: str) -> str:
    own = row.note or (f"{row.needed} prompts decide a margin" if row.needed else "")
    measured = not math.isnan(row.mean.value)
    return "; ".join(filter(None, (caveat if measured else "", own)))


def parse_lengths(text: str) -> list[int]:
    """``150,350`` as numbers.

    Raises:
        ConfigurationError: something else than whole numbers.
    """
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ConfigurationError(f"--words {text}: whole numbers with commas between, as 150,350") from None


def answer_lengths(author: str, workspace: Path, known: tuple[int, ...]) -> list[int]:
    """How long the answers of this author's suites may be, where no known length is within a tenth."""
    from harness import shelves, yamlfile
    from harness.suite import Suite

    suites = [yamlfile.read(path, Suite) for path in shelves.list_yaml("tasks/suites", workspace)]
    lengths = {round(suite.max_tokens * 0.875) for suite in suites if suite.author == author}
    return sorted(n for n in lengths if all(abs(n - other) > 0.1 * other for other in known))
