"""``stylobench validate``: every YAML file checked, and one example of each task tried."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from harness.cli.output import Format, FormatOption, print_rows


def validate(context: typer.Context, format: FormatOption = Format.table) -> None:
    """Load every recipe, corpus, suite and task; where an author is prepared, score a dummy answer."""
    from harness.errors import EXIT_CONFIGURATION
    from harness.validation import check_workspace

    workspace: Path = context.obj
    found = check_workspace(workspace)
    rows: list[dict[str, Any]] = [
        {"file": f.file, "from": f.shelf, "result": f.result, "example": f.example} for f in found
    ]
    print_rows(rows, format)
    faults = sum(f.result != "ok" for f in found)
    if faults:
        typer.echo(f"{faults} fault{'s' if faults > 1 else ''}", err=True)
        raise typer.Exit(EXIT_CONFIGURATION)
