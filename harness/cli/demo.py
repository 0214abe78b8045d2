"""``stylobench demo``: the main job end to end, through the public commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    context: typer.Context,
    quick: Annotated[
        bool, typer.Option("--quick", help="One variant, fewer steps and prompts: a few minutes.")
    ] = False,
) -> None:
    """Train variants of a real model on three versions of a real author's data, and report on them."""
    from harness.demo.story import tell

    workspace: Path = context.obj
    raise typer.Exit(tell(workspace, quick))
