"""``stylobench report``: everything side by side, in one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.output import AsOfOption, LimitOption, SuiteArgument, VariantsOption

if TYPE_CHECKING:
    from harness.bench import Bench
    from harness.summaries import Table


def report(
    context: typer.Context,
    suite: SuiteArgument = None,
    baseline: Annotated[str | None, typer.Option(help="Compare against this variant or AUTHOR@N.")] = None,
    candidate: Annotated[str | None, typer.Option(help="The variant or AUTHOR@N to judge.")] = None,
    variant: VariantsOption = None,
    limit: LimitOption = None,
    as_of: AsOfOption = None,
    out: Annotated[Path | None, typer.Option(help="By default reports/out/SUITE.html.")] = None,
) -> None:
    """Write one self-contained HTML page that compares every variant."""
    from harness.bench import find_suite, open_bench
    from harness.errors import ConfigurationError
    from harness.report import render_report
    from harness.report_tables import Material, build

    if (baseline is None) != (candidate is None):
        raise ConfigurationError("--baseline and --candidate go together")
    workspace: Path = context.obj
    name = find_suite(workspace, suite)
    bench = open_bench(name, workspace, variants=variant or (), limit=limit, as_of=as_of)
    table = bench.table()
    one_sided = baseline is None or candidate is None
    comparison = None if one_sided else bench.compare(str(baseline), str(candidate), table)
    responses = first_answers(bench, table)
    material = Material(
        bench.asked, bench.variants, table, comparison, responses, bench.store, workspace, name
    )
    asked_for = f" --baseline {baseline} --candidate {candidate}" if baseline else ""
    commands = [f"stylobench run {name}", f"stylobench score {name}", f"stylobench report {name}{asked_for}"]
    path = out or workspace / "reports" / "out" / f"{name}.html"
    page = build(material, commands, f"{bench.asked.reference.author}: {name}")
    written = render_report(page, path, figure_cache=workspace / "results" / "cache" / "figures")
    typer.echo(f"report: {_shown(written, workspace)}")


def first_answers(bench: Bench, table: Table) -> list[dict[str, Any]]:
    """Of every variant the first answer to each prompt, by the engine whose scores stand in the table."""
    from harness.score import answers_of
    from harness.summaries import chosen_engine

    stored = answers_of(bench.asked, bench.variants, bench.store)
    found: list[dict[str, Any]] = []
    if not len(stored):
        return found
    for variant, own in stored.groupby("variant", sort=False):
        engine = table.engines.get(str(variant)) or chosen_engine(own, bench.asked.suite.dtype)
        first = own[own["engine"] == engine].sort_values("sample", kind="stable").drop_duplicates("item")
        found += first.to_dict("records")
    return found


def _shown(path: Path, workspace: Path) -> Path:
    return path.relative_to(workspace) if path.is_relative_to(workspace) else path
