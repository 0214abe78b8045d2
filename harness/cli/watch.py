"""``stylobench watch``: a training run, followed from another terminal."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from harness.training.watching import Standing


def watch(
    context: typer.Context,
    variant: Annotated[
        str | None, typer.Argument(help="Whose training; by default the one that spoke last.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Say where it stands and stop.")] = False,
) -> int:
    """Follow a training run: step, loss, validation, tokens a second, memory and the time left.

    Nothing is sent to the run; stop watching with Ctrl-C. Exit code 1 where the training failed.
    """
    from harness.training.watching import follow, read_events, standing

    workspace: Path = context.obj
    path = _events(variant, workspace / "results" / "adapters")
    name = path.parent.name
    if once:
        typer.echo(line(name, standing(read_events(path))))
        return 0
    last = None
    for last in follow(path):
        typer.echo(line(name, last))
    return 1 if last is not None and last.state in ("failed", "gone") else 0


def line(name: str, now: Standing) -> str:
    """One line about where a run stands; what is not known yet is left out."""
    parts = [f"{name}  {now.state}"]
    if now.steps:
        parts.append(f"step {now.step} of {now.steps}")
    measured = (
        ("loss {:.3f}", now.loss),
        ("validation {:.3f}", now.validation),
        ("{:,.0f} tokens/s", now.tokens_per_second),
        ("{:.1f} GB", now.memory_gb),
    )
    parts += [text.format(value) for text, value in measured if not math.isnan(value)]
    if now.state == "training" and not math.isnan(now.left):
        parts.append(f"{_minutes(now.left)} left")
    return ", ".join([*parts, *([now.note] if now.note else [])])


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _events(variant: str | None, adapters: Path) -> Path:
    """The events of the run that is meant."""
    from harness.errors import MissingPrerequisiteError, nearest
    from harness.shelves import safe_name
    from harness.training.watching import EVENTS, newest

    if variant is None:
        found = newest(adapters)
        if found is None:
            raise MissingPrerequisiteError("nothing has been trained here yet: stylobench train RECIPE")
        return found
    path = adapters / safe_name(variant, "variant") / EVENTS
    if not path.is_file():
        known = [each.parent.name for each in adapters.glob(f"*/{EVENTS}")]
        raise MissingPrerequisiteError(f"no training of {variant!r} here{nearest(variant, known)}")
    return path
