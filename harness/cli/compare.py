"""``stylobench compare``: one plain sentence, then the verdicts, then an exit code CI can use."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.output import AsOfOption, Format, FormatOption, LimitOption, VariantsOption, print_rows

if TYPE_CHECKING:
    from harness.compare import Comparison
    from harness.types import Gate, Verdict

FAIL_ON = ("WORSE", "FAIL", "decline", "not comparable")


def compare(
    context: typer.Context,
    old: Annotated[
        str | None, typer.Argument(metavar="NAME@N", help="A corpus version, to see what data changed.")
    ] = None,
    new: Annotated[str | None, typer.Argument(metavar="NAME@M", help="A later version of it.")] = None,
    baseline: Annotated[
        str | None, typer.Option(help="A variant, or AUTHOR@N for all trained on it.")
    ] = None,
    candidate: Annotated[str | None, typer.Option(help="A variant, or AUTHOR@N.")] = None,
    suite: Annotated[str | None, typer.Option(help="A suite; by default the author's only one.")] = None,
    variant: VariantsOption = None,
    limit: LimitOption = None,
    as_of: AsOfOption = None,
    fail_on: Annotated[
        str, typer.Option(help=f"What exits with 3: any of {', '.join(FAIL_ON)}; comma-separated.")
    ] = "WORSE,FAIL",
    everything: Annotated[bool, typer.Option("--all", help="Every metric, not one a task.")] = False,
    format: FormatOption = Format.table,
) -> None:
    """Say whether the candidate is better, worse, the same, or cannot be told apart.

    With two corpus versions and no options, NAME@2 NAME@3, print what changed in the data, book by book.

    Exit codes: 0 nothing got worse, 3 a regression or a failed gate, 4 not comparable or incomplete.
    """
    from harness.bench import find_suite, open_bench
    from harness.cli.changes import compare_versions
    from harness.compare import exit_code
    from harness.errors import ConfigurationError

    if old is not None and new is not None and baseline is None and candidate is None:
        compare_versions(old, new, context.obj, format)
        return
    if old is not None or baseline is None or candidate is None:
        raise ConfigurationError(
            "compare: give --baseline and --candidate (variants, or AUTHOR@N), "
            "or two corpus versions, NAME@2 NAME@3"
        )
    wanted_outcomes = outcomes(fail_on)
    workspace: Path = context.obj
    name = suite or find_suite(workspace, None, _author(candidate, workspace) or _author(baseline, workspace))
    wanted = variant or ([baseline, candidate] if suite is None or limit is not None else [])
    bench = open_bench(name, workspace, variants=wanted, limit=limit, as_of=as_of)
    comparison = bench.compare(baseline, candidate)
    if bench.asked.limited and format is Format.table:
        typer.echo(f"LIMITED: {bench.asked.limited}; a rehearsal, not a result")
    print_comparison(comparison, format, everything)
    raise typer.Exit(exit_code(comparison.verdicts, comparison.gates, wanted_outcomes))


def outcomes(fail_on: str) -> frozenset[str]:
    """``WORSE,FAIL`` taken apart.

    Raises:
        ConfigurationError: a word that is no outcome to fail on; the nearest is offered.
    """
    from harness.errors import ConfigurationError, nearest

    wanted = frozenset(word.strip() for word in fail_on.split(",") if word.strip())
    for word in sorted(wanted - set(FAIL_ON)):
        raise ConfigurationError(f"--fail-on {word}: unknown{nearest(word, FAIL_ON)}")
    return wanted


def print_comparison(comparison: Comparison, format: Format = Format.table, everything: bool = False) -> None:
    """The sentence, the pairs, the verdicts and the candidate's gates."""
    from harness.compare import headlines

    if format is not Format.table:
        print_rows([verdict_row(v) for v in comparison.verdicts], format)
        return
    typer.echo(comparison.sentence)
    for pair in comparison.pairs:
        typer.echo(f"pair  {pair.baseline.name} -> {pair.candidate.name}")
    typer.echo("")
    shown = comparison.verdicts if everything else headlines(comparison.verdicts)
    print_rows([verdict_row(v) for v in shown], format)
    hidden = len(comparison.verdicts) - len(shown)
    typer.echo(f"* decides; {hidden} more with --all" if hidden else "* decides")
    typer.echo("")
    print_rows([gate_row(g) for g in comparison.gates], format, "gates of the candidate")


def verdict_row(verdict: Verdict) -> dict[str, Any]:
    """One verdict in a line; differences are turned so that higher is better."""
    from harness.compare import MARKS, name_of

    decides = f"n = {verdict.needed:,} would decide" if verdict.needed else verdict.note
    interval = verdict.interval
    return {
        "": MARKS[verdict.outcome],
        "verdict": verdict.outcome,
        "metric": name_of(verdict.metric) + (" *" if verdict.primary else ""),
        "baseline": verdict.baseline,
        "candidate": verdict.candidate,
        "gain": verdict.difference,
        "95 % interval": "–" if math.isnan(interval.low) else f"[{interval.low:.3g}, {interval.high:.3g}]",
        "margin": verdict.margin,
        "n": verdict.n,
        "remark": decides,
    }


def gate_row(gate: Gate) -> dict[str, Any]:
    """One gate in a line."""
    return {
        "gate": gate.name,
        "variant": gate.variant,
        "outcome": gate.outcome,
        "rate": f"{gate.rate:.1%}",
        "95 % interval": f"[{gate.interval.low:.1%}, {gate.interval.high:.1%}]",
        "ceiling": f"{gate.ceiling:.1%}",
        "n": gate.n,
    }


def _author(name: str, workspace: Path) -> str | None:
    """Whose corpus a side is about: that of a variant by its record, or ``CORPUS@N``; None for a base."""
    from harness.bench import warehouse
    from harness.variants import registered

    variant = registered(warehouse(workspace)).get(name)
    if variant is not None:
        return variant.corpus or None
    author, at, number = name.partition("@")
    return author if at and number.isdigit() else None
