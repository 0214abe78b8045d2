"""``stylobench compare``: one plain sentence, then the verdicts, then an exit code CI can use."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.output import (
    AsOfOption,
    Format,
    FormatOption,
    LimitOption,
    VariantsOption,
    aligned,
    minutes,
    print_rows,
    printable,
    progress_bar,
)

if TYPE_CHECKING:
    from harness.bench import Bench
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
    candidate_suite: Annotated[
        str | None, typer.Option(help="The candidate's suite, where it is another: to compare decodings.")
    ] = None,
    variant: VariantsOption = None,
    limit: LimitOption = None,
    as_of: AsOfOption = None,
    fail_on: Annotated[
        str, typer.Option(help=f"What exits with 3: any of {', '.join(FAIL_ON)}; comma-separated.")
    ] = "WORSE,FAIL",
    grow: Annotated[
        int | None,
        typer.Option(min=1, help="Let both sides answer so many more prompts where nothing can be told."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="The full table, every metric.")] = False,
    format: FormatOption = Format.table,
) -> None:
    """Say whether the candidate is better, worse, the same, or cannot be told apart.

    With two corpus versions and no options, NAME@2 NAME@3, print what changed in the data, book by book.

    --grow computes: only what the primaries that cannot tell need, up to the maximum the suite declared.

    Exit codes: 0 nothing got worse, 3 a regression or a failed gate, 4 not comparable or incomplete.
    """
    from harness.across import compare_across
    from harness.bench import find_suite, open_bench
    from harness.cli.changes import compare_versions
    from harness.cli.judge import print_stored
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
    if grow is not None and (limit is not None or as_of is not None or candidate_suite is not None):
        raise ConfigurationError("compare: --grow goes with none of --limit, --as-of and --candidate-suite")
    wanted_outcomes = outcomes(fail_on)
    workspace: Path = context.obj
    name = suite or find_suite(workspace, None, _author(candidate, workspace) or _author(baseline, workspace))
    wanted = variant or ([baseline, candidate] if suite is None or limit is not None else [])
    sides = [baseline] if candidate_suite is not None else [baseline, candidate]
    wanted = wanted or _with_sides(name, sides, workspace)
    bench = open_bench(name, workspace, variants=wanted, limit=limit, as_of=as_of)
    if candidate_suite is not None:
        wanted = variant or ([candidate] if limit is not None else [])
        wanted = wanted or _with_sides(candidate_suite, [candidate], workspace)
        other = open_bench(candidate_suite, workspace, variants=wanted, limit=limit, as_of=as_of)
        comparison = compare_across(bench, other, baseline, candidate)
    else:
        comparison = bench.compare(baseline, candidate)
        if grow is not None:
            bench, comparison = _grown(bench, comparison, grow, format)
    code = exit_code(comparison.verdicts, comparison.gates, wanted_outcomes)
    if bench.asked.limited and format in (Format.table, Format.md):
        typer.echo(f"LIMITED: {bench.asked.limited}; a rehearsal, not a result")
    print_comparison(comparison, format, everything)
    if format is Format.table:
        print_stored(bench, comparison)
        command = next_command(bench, comparison, baseline, candidate, candidate_suite)
        typer.echo(f"next: {command}    exit {code}")
    raise typer.Exit(code)


def _with_sides(suite_name: str, sides: list[str], workspace: Path) -> list[str]:
    """The suite's own variants and the sides it does not list, such as milestones, which only their name
    means; nothing where it lists every side, or a side is no registered variant."""
    from harness.bench import warehouse
    from harness.suite import read_suite
    from harness.variants import match, registered

    known = registered(warehouse(workspace))
    written = read_suite(suite_name, workspace).variants
    own = [written] if isinstance(written, str) else list(written)
    listed = {variant.name for name in own for variant in match(name, known)}
    missing = [name for name in dict.fromkeys(sides) if name in known and name not in listed]
    return [*own, *missing] if missing else []


def _grown(bench: Bench, comparison: Comparison, more: int, format: Format) -> tuple[Bench, Comparison]:
    """Both at the next declared size, computed where not stored; as they were where nothing is open."""
    from harness import growing
    from harness.store import Run

    growth = growing.grow(bench, comparison, more)
    if growth is None:
        if format is Format.table:
            typer.echo(f"--grow {more}: nothing that decides is open, so nothing was computed")
        return bench, comparison
    started = time.monotonic()
    with Run(bench.store, f"compare {bench.suite_name} --grow {more}") as note, progress_bar() as bar:
        task = bar.add_task(bench.suite_name, total=None)
        computed = growing.compute(
            growth,
            comparison,
            note,
            progress=lambda name, done, total: bar.update(
                task, completed=done, total=total, description=name
            ),
        )
    if format is Format.table:
        spent = minutes(time.monotonic() - started)
        typer.echo(f"{growth.sentence()}; {computed:,} computed in {spent}")
    return growth.bench, growing.compare_grown(growth, bench, comparison)


def next_command(
    bench: Bench, comparison: Comparison, baseline: str, candidate: str, candidate_suite: str | None = None
) -> str:
    """What to type next: run what is missing, ask more where that can decide, else look at the answers."""
    from shlex import quote

    from harness.growing import next_size

    suite = quote(bench.suite_name)
    if any(v.primary and v.curable for v in comparison.verdicts):
        suites = [suite, *([quote(candidate_suite)] if candidate_suite else [])]
        return " && ".join(f"stylobench run {each} && stylobench score {each}" for each in suites)
    sides = f"--baseline {quote(baseline)} --candidate {quote(candidate)}"
    more = 0 if candidate_suite else next_size(bench, comparison)
    if more:
        return f"stylobench compare --suite {suite} {sides} --grow {more}"
    return f"stylobench report {suite}" + ("" if candidate_suite else f" {sides}")


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
    """The sentence, the pairs, at most twelve findings (all of them on request) and what fell most."""
    if format is Format.md:
        typer.echo(f"{comparison.sentence}\n")
        if comparison.gates:
            print_rows([gate_row(g) for g in comparison.gates], format)
            typer.echo("")
    if format is not Format.table:
        print_rows([verdict_row(v) for v in comparison.verdicts], format)
        return
    typer.echo(comparison.sentence)
    for pair in comparison.pairs:
        typer.echo(f"pair  {pair.baseline.name} -> {pair.candidate.name}")
    typer.echo("")
    if everything:
        print_rows([verdict_row(v) for v in comparison.verdicts], format)
        typer.echo("* decides")
        typer.echo("")
        print_rows([gate_row(g) for g in comparison.gates], format, "gates of the candidate")
        typer.echo("")
    else:
        _print_lines(comparison)
    if comparison.fell:
        named = (f'{f.item} "{f.words}"' + (f" ({f.why})" if f.why else "") for f in comparison.fell)
        typer.echo(printable(f"fell most: {', '.join(named)}"))


def _print_lines(comparison: Comparison) -> None:
    from harness.telling import lines

    found = lines(comparison.verdicts, comparison.gates)
    rows = []
    for index, line in enumerate(found):
        group = line.group if not index or found[index - 1].group != line.group else ""
        rows.append((group, line.metric, line.change, line.gain, line.remark))
    for text in aligned(rows):
        typer.echo(f"  {printable(text)}")
    passed = sum(gate.outcome == "pass" for gate in comparison.gates)
    hidden = len(comparison.verdicts) + len(comparison.gates) - passed - len(found)
    told = ["* decides"]
    told += [f"{passed} of {len(comparison.gates)} gates passed"] if comparison.gates else []
    told += [f"{hidden} more with --all"] if hidden else []
    typer.echo("; ".join(told))


def verdict_row(verdict: Verdict) -> dict[str, Any]:
    """One verdict in a line; differences are turned so that higher is better."""
    from harness.compare import MARKS, name_of
    from harness.telling import what_decides

    decides = f"n = {told}" if (told := what_decides(verdict)) else ""
    decides = "; ".join(filter(None, (decides, verdict.note)))
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
        "p (Holm)": verdict.p_holm,
        "n": verdict.n,
        "remark": decides,
    }


def gate_row(gate: Gate) -> dict[str, Any]:
    """One gate in a line."""
    return {
        "gate": gate.name,
        "variant": gate.variant,
        "outcome": gate.outcome,
        "rate": f"{gate.rate:.1%}" if gate.n else "–",
        "95 % interval": f"[{gate.interval.low:.1%}, {gate.interval.high:.1%}]" if gate.n else "–",
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
