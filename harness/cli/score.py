"""``stylobench score``: stored answers and likelihoods -> scores."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import typer

from harness.cli.output import LimitOption, SuiteArgument, VariantsOption, minutes


def score(
    context: typer.Context,
    suite: SuiteArgument = None,
    variant: VariantsOption = None,
    limit: LimitOption = None,
) -> None:
    """Score what was answered; never touches a model, and a new metric costs no inference."""
    from harness.bench import find_suite

    workspace: Path = context.obj
    score_suite(workspace, find_suite(workspace, suite), variant or (), limit)


def score_suite(workspace: Path, suite: str, variants: Sequence[str], limit: int | None) -> None:
    """Score and say what was reused and computed."""
    from harness.bench import open_bench
    from harness.score import score as compute
    from harness.store import Run

    bench = open_bench(suite, workspace, variants=variants, limit=limit)
    started = time.monotonic()
    with Run(bench.store, f"score {suite}", bench.asked.limited) as note:
        scored = compute(bench.asked, bench.variants, note)
    typer.echo(
        f"{suite}: {scored.reused:,} scores reused, {scored.computed:,} computed "
        f"in {minutes(time.monotonic() - started)}"
    )
