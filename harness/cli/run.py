"""``stylobench run``: variants answer a suite."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from harness.errors import EXIT_MISSING

if TYPE_CHECKING:
    from harness.bench import Bench
    from harness.reach import Reach


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
        refused = run_suite(workspace, name, variant or (), limit)
        if refused:
            raise typer.Exit(EXIT_MISSING)


def run_suite(workspace: Path, suite: str, variants: Sequence[str], limit: int | None) -> Mapping[str, str]:
    """Run and say what was reused and computed; gives the stock tasks that were not run, with their lines."""
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
    for line in outcome.refused.values():
        typer.echo(line)
    return outcome.refused


def _print_plan(workspace: Path, suite: str, variants: Sequence[str], limit: int | None) -> None:
    from harness.bench import open_bench
    from harness.engines import engine_name
    from harness.run import plan
    from harness.stock_run import load_stock

    bench = open_bench(suite, workspace, variants=variants, limit=limit)
    engine = engine_name(bench.asked.suite.dtype, workspace)
    stock = load_stock(bench.asked, workspace)
    plans = plan(bench.asked, bench.variants, bench.store, workspace, engine, stock)
    decoding = bench.asked.suite.decode()
    rows = [
        {
            "variant": p.variant.name,
            "reused": p.n_jobs - p.n_missing,
            "answers": sum(map(len, p.missing_answers)),
            "likelihoods": sum(map(len, p.missing_likelihoods)),
            **({"stock documents": sum(map(len, p.missing_stock))} if stock.tasks else {}),
            "time (CPU)": minutes(p.seconds(decoding)),
        }
        for p in plans
    ]
    print_rows(rows, Format.table)
    for line in stock.refused.values():
        typer.echo(line)
    _print_reach(bench)


def _print_reach(bench: Bench) -> None:
    """Which verdicts the suite can reach at its size: a row a primary, and one line of what style cannot."""
    from harness.reach import cannot, reaches

    found = reaches(bench.asked, bench.variants, bench.table())
    if not found:
        return
    typer.echo("")
    print_rows([_reach_row(each) for each in found if each.primary], Format.table)
    line = cannot([each for each in found if not each.primary])
    if line:
        typer.echo(line)


def _reach_row(found: Reach) -> dict[str, Any]:
    """One primary: what n finds with power .8, at the level that several primaries and looks leave."""
    from harness.telling import name_of

    return {
        "decides": name_of(found.metric),
        "n": f"{found.n:,} {found.unit}",
        "margin": found.margin,
        "can be seen": found.detectable,
        "in reach": "yes" if found.can else "no" if found.unfit else f"needs {found.needed:,}",
        "from": found.unfit or found.source,
    }
