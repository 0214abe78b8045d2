"""The demo: typesets Theodore Roosevelt's messages as books, then types the commands a user would type."""

from __future__ import annotations

import time
from pathlib import Path

import typer

from harness.corpus import speeches
from harness.demo.typeset import typeset
from harness.errors import EXIT_OK, EXIT_REGRESSION

SUITE, RECIPE, AUTHOR, BASE = "demo", "smollm2-135m", "roosevelt", "smollm2-135m-instruct"
OTHERS = ("Taft", "McKinley", "Cleveland", "Harrison")
QUICK_STEPS, QUICK_PROMPTS = 10, 16


def tell(workspace: Path, quick: bool) -> int:
    """Run every step; stops at the first that fails. Returns the exit code of that step, or 0.

    A regression between the two corpus versions is a finding, not a failure of the demo.
    """
    from harness.cli import invoke

    started = time.monotonic()
    made = make_books(workspace / "results" / "demo" / "books")
    typer.echo(f"{'typeset' if made else 'found'} eight volumes and four other authors in results/demo/books")
    for command in commands(quick):
        typer.secho(f"\n$ stylobench {' '.join(command)}", bold=True)
        code = invoke(["--workspace", str(workspace), *command])
        if code not in (EXIT_OK, EXIT_REGRESSION) and not (quick and command[0] == "compare"):
            return code
    typer.echo(f"\n{'quick demo' if quick else 'demo'} done in {time.monotonic() - started:.0f} s")
    return EXIT_OK


def commands(quick: bool) -> list[list[str]]:
    """The public commands, in order.

    All of it: completions on every page, questions on every page, questions on body pages only. The quick one
    leaves the questions out, whose writing takes longer than it may: it compares completions with the base.
    """
    if not quick:
        sides = ["--baseline", f"{AUTHOR}@2", "--candidate", f"{AUTHOR}@3"]
        trains = [["train", RECIPE, "--corpus", f"{AUTHOR}@{n}"] for n in (1, 2, 3)]
        steps = [
            ["run", SUITE],
            ["score", SUITE],
            ["compare", f"{AUTHOR}@2", f"{AUTHOR}@3"],
            ["compare", "--suite", SUITE, *sides],
            ["report", SUITE, *sides],
        ]
        return [["prepare", AUTHOR], *trains, *steps]
    tuned = f"{RECIPE}@1+{QUICK_STEPS}steps"
    sides = ["--baseline", BASE, "--candidate", tuned]
    few = ["--variant", BASE, "--variant", tuned, "--limit", str(QUICK_PROMPTS)]
    return [
        ["prepare", f"{AUTHOR}@1"],
        ["train", RECIPE, "--corpus", f"{AUTHOR}@1", "--steps", str(QUICK_STEPS)],
        ["run", SUITE, *few],
        ["score", SUITE, *few],
        ["compare", "--suite", SUITE, *sides, *few],
        ["report", SUITE, *sides, *few, "--out", "reports/out/demo-quick.html"],
    ]


def make_books(folder: Path) -> bool:
    """Typeset the eight volumes and write the other authors' texts, once. True where anything was made."""
    done = folder / "complete"
    if done.is_file():
        return False
    for year in speeches.YEARS["Roosevelt"]:
        text = speeches.message("Roosevelt", year)
        path = folder / AUTHOR / f"message_{year}.pdf"
        path.parent.mkdir(parents=True, exist_ok=True)
        typeset(text, path, title=f"Annual Message of {year}", author="Theodore Roosevelt", year=year)
    for president in OTHERS:
        for year in speeches.YEARS[president]:
            path = folder / "others" / president.lower() / f"{president.lower()}_{year}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(speeches.message(president, year), encoding="utf-8")
    done.write_text("", encoding="utf-8")
    return True
