"""``stylobench demo``: the main job end to end, through the public commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    context: typer.Context,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer steps and prompts: about four minutes.")
    ] = False,
) -> None:
    """Train two variants of a real model on a real author, benchmark them, write the report."""
    from harness.demo.story import tell

    workspace: Path = context.obj
    raise typer.Exit(tell(workspace, quick))
