"""``stylobench score``: stored answers and likelihoods -> scores."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.output import LimitOption, SuiteArgument, VariantsOption, minutes


def score(
    context: typer.Context,
    suite: SuiteArgument = None,
    variant: VariantsOption = None,
    limit: LimitOption = None,
    metrics: Annotated[
        str,
        typer.Option(
            metavar="NAME[,NAME]", help="These too, by the tasks that report them, which the suite may lack."
        ),
    ] = "",
) -> None:
    """Score what was answered; never touches a model, and a new metric costs no inference."""
    from harness.bench import find_suite

    workspace: Path = context.obj
    wanted = [name.strip() for name in metrics.split(",") if name.strip()]
    score_suite(workspace, find_suite(workspace, suite), variant or (), limit, wanted)


def score_suite(
    workspace: Path, suite: str, variants: Sequence[str], limit: int | None, metrics: Sequence[str] = ()
) -> None:
    """Score and say what was reused and computed, and which tasks the suite would have to list."""
    from harness.bench import open_bench
    from harness.report_rows import not_run
    from harness.score import score as compute
    from harness.store import Run

    bench = open_bench(suite, workspace, variants=variants, limit=limit, metrics=metrics)
    started = time.monotonic()
    with Run(bench.store, f"score {suite}", bench.asked.limited) as note:
        scored = compute(bench.asked, bench.variants, note)
    typer.echo(
        f"{suite}: {scored.reused:,} scores reused, {scored.computed:,} computed "
        f"in {minutes(time.monotonic() - started)}"
    )
    missing = not_run(bench.variants, bench.table())
    if missing:
        typer.echo(f"not run: {', '.join(missing)}; `stylobench run {suite}`")
    added = [task.name for task in bench.asked.tasks if task.name not in _listed(bench.asked.suite.tasks)]
    if added:
        typer.echo(f"not in the suite: {', '.join(added)}; report and compare show what its `tasks:` lists")


def _listed(tasks: Sequence[str]) -> set[str]:
    """A suite's tasks by their short names."""
    return {name.removeprefix("stylo_") for name in tasks}
