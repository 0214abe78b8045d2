"""How verbs print: one table in four formats, and progress that stays out of pipes."""

from __future__ import annotations

import csv
import json
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.progress import Progress


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Format(StrEnum):
    """How a reading verb prints."""

    table = "table"
    json = "json"
    csv = "csv"
    md = "md"


FormatOption = Annotated[Format, typer.Option("--format", help="How to print.")]
AsOfOption = Annotated[
    str | None, typer.Option("--as-of", metavar="RUN|TIME", help="Read every table as that run left it.")
]
LimitOption = Annotated[
    int | None, typer.Option(min=1, help="Only so many prompts and documents; results are marked LIMITED.")
]
SuiteArgument = Annotated[str | None, typer.Argument(help="A suite; by default the only one there is.")]
VariantsOption = Annotated[
    list[str] | None, typer.Option("--variant", help="Only this variant (repeat for several).")
]
PlanOption = Annotated[bool, typer.Option("--plan", help="Say what would be done, and do nothing.")]


def print_rows(rows: Sequence[Mapping[str, Any]], format: Format, title: str = "") -> None:
    """Rows with the same keys, as a table, JSON, CSV or Markdown."""
    columns = list(rows[0]) if rows else []
    if format is Format.json:
        typer.echo(
            json.dumps([{k: _json(v) for k, v in row.items()} for row in rows], indent=1, ensure_ascii=False)
        )
    elif format is Format.csv:
        writer = csv.DictWriter(sys.stdout, columns)
        writer.writeheader()
        writer.writerows(dict(row) for row in rows)
    elif format is Format.md:
        typer.echo(markdown(rows))
    elif not rows:
        typer.echo(f"{title}: nothing yet" if title else "nothing yet")
    else:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(
            title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold"
        )
        for name in columns:
            numeric = all(isinstance(row[name], int | float) for row in rows)
            table.add_column(name, justify="right" if numeric else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(text_of(row[name])) for name in columns))
        console = Console()
        # A pipe or a file has no width of its own: do not fold what will be read elsewhere.
        console = console if console.is_terminal else Console(width=220)
        console.print(table)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines with aligned columns, two blanks between them and none at their ends."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown table, pipes in cells escaped and line breaks in them made spaces."""
    if not rows:
        return ""
    columns = list(rows[0])
    lines = [" | ".join(columns), " | ".join("---" for _ in columns)]
    lines += [" | ".join(_cell(row[name]) for name in columns) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _cell(value: Any) -> str:
    return " ".join(text_of(value).replace("|", "\\|").split())


def text_of(value: Any) -> str:
    """A cell as text: NaN is an en dash, floats have four significant digits, large ones no fraction."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, float) and 1000 <= abs(value) < math.inf:
        return f"{value:,.0f}"
    return f"{value:.4g}" if isinstance(value, float) else printable(str(value))


def printable(text: str) -> str:
    """The text with control characters as U+FFFD: no book, answer or file name may steer the terminal."""
    return _CONTROL.sub("\ufffd", text)


def _json(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A progress bar on stderr with elapsed and remaining time; silent where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("eta"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield bar


@contextmanager
def doing() -> Iterator[Callable[[str], None]]:
    """One line on stderr that says what is being done; nothing where stderr is no terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda text: None
        return
    with console.status("") as status:
        yield lambda text: status.update(text)


def minutes(seconds: float) -> str:
    """``2 h 17 min``, ``14 min``, ``40 s``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    whole = round(seconds / 60)
    return f"{whole} min" if whole < 60 else f"{whole // 60} h {whole % 60:02d} min"
