"""``stylobench run``: variants answer a suite."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import typer

from harness.cli.output import (
    Format,
    LimitOption,
    PlanOption,
    SuiteArgument,
    VariantsOption,
    minutes,
    print_rows,
    progress_bar,
)


def run(
    context: typer.Context,
    suite: SuiteArgument = None,
    variant: VariantsOption = None,
    limit: LimitOption = None,
    plan: PlanOption = False,
) -> None:
    """Let variants answer a suite's prompts and read its held-out text; what is stored is reused."""
    from harness.bench import find_suite

    workspace: Path = context.obj
    name = find_suite(workspace, suite)
    if plan:
        _print_plan(workspace, name, variant or (), limit)
    else:
        run_suite(workspace, name, variant or (), limit)


def run_suite(workspace: Path, suite: str, variants: Sequence[str], limit: int | None) -> None:
    """Run and say what was reused and computed."""
    from harness.bench import open_bench
    from harness.run import run as compute
    from harness.store import Run

    bench = open_bench(suite, workspace, variants=variants, limit=limit)
    started = time.monotonic()
    with Run(bench.store, f"run {suite}", bench.asked.limited) as note, progress_bar() as bar:
        task = bar.add_task(suite, total=None)
        outcome = compute(
            bench.asked,
            bench.variants,
            note,
            workspace,
            progress=lambda name, done, total: bar.update(
                task, completed=done, total=total, description=name
            ),
        )
    typer.echo(
        f"{suite}: {outcome.reused:,} reused, {outcome.computed:,} computed, {outcome.tokens:,} tokens drawn "
        f"in {minutes(time.monotonic() - started)}"
    )
    for recorded, n in outcome.unanswered.items():
        typer.echo(f"{recorded}: {n} of {len(bench.asked.prompts)} prompts have no recorded answer")


def _print_plan(workspace: Path, suite: str, variants: Sequence[str], limit: int | None) -> None:
    from harness.bench import open_bench
    from harness.engines import engine_name
    from harness.run import plan

    bench = open_bench(suite, workspace, variants=variants, limit=limit)
    plans = plan(
        bench.asked, bench.variants, bench.store, workspace, engine_name(bench.asked.suite.dtype, workspace)
    )
    decoding = bench.asked.suite.decode()
    rows = [
        {
            "variant": p.variant.name,
            "reused": sum(map(len, (*p.answers, *p.likelihoods))) - p.n_missing,
            "answers": sum(map(len, p.missing_answers)),
            "likelihoods": sum(map(len, p.missing_likelihoods)),
            "time (CPU)": minutes(p.seconds(decoding)),
        }
        for p in plans
    ]
    print_rows(rows, Format.table)
