"""``stylobench train --plan``: whether it fits, how long it takes, what it writes and what it trains on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from harness.cli.output import Format, doing, minutes, print_rows
from harness.forecast import Forecast, disk_needed, probed
from harness.training.costs import Duration


def measured(forecasts: Sequence[Forecast], workspace: Path) -> list[Forecast]:
    """The forecasts with three real steps for estimates; siblings that cost the same are probed once."""
    from harness.probing import probe

    found: dict[str, dict[str, Any]] = {}
    with doing() as say:
        for each in forecasts:
            if each.fits and not each.finished and _cost(each) not in found:
                say(f"three steps of {each.order.name}")
                found[_cost(each)] = probe(each.order, each.spec, workspace)
    return [
        probed(each, found[_cost(each)]) if not each.finished and _cost(each) in found else each
        for each in forecasts
    ]


def print_plan(forecasts: Sequence[Forecast], workspace: Path) -> None:
    """Four lines for one training, a table and the sum for several; remedies where one does not fit."""
    if len(forecasts) == 1:
        _print_one(forecasts[0], workspace)
    else:
        print_rows([_row(each) for each in forecasts], Format.table)
        todo = [each for each in forecasts if not each.finished]
        typer.echo(
            f"{len(todo)} to train, {len(forecasts) - len(todo)} reused, "
            f"{said_time(total(todo))}, disk {said_bytes(disk_needed(forecasts), '+')}"
        )
        for corpus in dict.fromkeys(str(each.order.corpus) for each in forecasts):
            typer.echo(f"trains on {described(corpus, workspace)}")
    lines = [line for each in forecasts for line in (*each.milestones, each.fault or each.note)]
    for line in dict.fromkeys(lines):
        if line:
            typer.echo(line)


def print_benchmark(found: Sequence[Forecast], suite_name: str, workspace: Path) -> None:
    """What ``--then-run`` adds: how long the benchmark of a new variant takes, and what it can decide.

    From what is stored of the suite's other variants where there are any, else from assumptions (``reach``).
    """
    from harness import reference as references
    from harness.batches import plan_variant
    from harness.bench import open_bench, warehouse
    from harness.plan import ask
    from harness.reach import one_line, reaches
    from harness.suite import read_suite
    from harness.summaries import read_table
    from harness.taskfile import read_tasks
    from harness.types import Variant
    from harness.variants import registered

    if registered(warehouse(workspace)):
        bench = open_bench(suite_name, workspace)
        asked, variants, table = bench.asked, bench.variants, bench.table()
    else:
        suite = read_suite(suite_name, workspace)
        asked = ask(suite, read_tasks(suite.tasks, workspace), references.load(suite.author, workspace))
        variants, table = (), read_table(asked, (), warehouse(workspace))
    # Only counted, never drawn: what the prompt will look like does not change how many answers there are.
    trained = Variant(name="trained", kind="adapter", digest="not trained yet")
    seconds = plan_variant(asked, trained, "", lambda said: said[-1]["content"], ()).seconds(
        asked.suite.decode()
    )
    new = sum(1 + len(each.spec.milestones) for each in found if not each.finished)
    each = f" each, {new} new variants" if new > 1 else ""
    typer.echo(f"then run  {suite_name}: {minutes(seconds)} (CPU){each}")
    typer.echo(one_line(reaches(asked, variants, table)))


def _print_one(found: Forecast, workspace: Path) -> None:
    free = f"{said_bytes(found.memory)} of {found.device.free / 1e9:.1f} GB free"
    word = "fits" if found.fits else "too large"
    if found.finished:
        typer.echo(f"{found.order.name}  reused: nothing is trained")
        return
    if math.isnan(found.memory):
        word, free = "fits?", "not known"
    typer.echo(f"{found.order.name}  to train: {found.order.effective_steps}, {_split(found)}")
    typer.echo(f"{word:<10}{free:<28}{found.device}, {found.source}")
    typer.echo(
        f"time      train {said_time(found.time)} ({found.time.steps:,} steps)   "
        f"disk {said_bytes(disk_needed([found]), '+')}"
    )
    typer.echo(f"trains on {described(str(found.order.corpus), workspace, found.examples)}")


def described(corpus: str, workspace: Path, examples: int | None = None) -> str:
    """``chesterton@3: 3 books, 4,005 examples; tremendous_trifles held out (0 shared 13-grams)``."""
    from harness.corpora import read_manifest
    from harness.recipe import parse_corpus

    name = parse_corpus(corpus)
    manifest = read_manifest(name.name, name.version, workspace)
    block = manifest.get("heldout_block")
    held = manifest["heldout_book"] if block is None else f"{manifest['heldout_book']}#{block}"
    books = len(manifest["books"]) - (block is None)
    number = f", {examples:,} examples" if examples is not None else ""
    left = manifest["leakage"].get("left", 0)
    return f"{corpus}: {books} books{number}; {held} held out ({left} shared 13-grams)"


def total(forecasts: Sequence[Forecast]) -> Duration:
    """All of them after each other; NaN as soon as one is not known."""
    return Duration(sum(each.time.seconds for each in forecasts), 1)


def said_time(time: Duration) -> str:
    return "unknown" if math.isnan(time.seconds) else minutes(time.seconds)


def said_bytes(count: float, sign: str = "") -> str:
    """``15.3 GB``, ``20 MB``; ``unknown`` for NaN."""
    if math.isnan(count):
        return "unknown"
    return f"{sign}{count / 1e9:.1f} GB" if count >= 1e8 else f"{sign}{count / 1e6:.0f} MB"


def _row(found: Forecast) -> dict[str, Any]:
    state = "reused" if found.finished else "to train" if found.fits else "does not fit"
    return {
        "variant": found.order.name,
        "corpus": str(found.order.corpus),
        "examples": found.examples,
        "steps": found.time.steps,
        "state": state,
        "memory": "" if found.finished else said_bytes(found.memory),
        "time": "" if found.finished else said_time(found.time),
        "disk": "" if found.finished else said_bytes(found.stays, "+"),
    }


def _split(found: Forecast) -> str:
    return f"batches of {found.spec.batch} x {found.spec.accumulation}, {found.spec.seq_len} tokens"


def _cost(found: Forecast) -> str:
    """What two trainings of one cost have in common: all but seed, data and place."""
    spec = replace(found.spec, seed=0, out="", examples="", corpus="", version=0, sample_prompts=())
    return repr(spec)
