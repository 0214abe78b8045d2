"""The demo: typesets Theodore Roosevelt's messages as books, then types the commands a user would type."""

from __future__ import annotations

import time
from pathlib import Path

import typer

from harness.demo import speeches
from harness.demo.typeset import typeset
from harness.errors import EXIT_OK, EXIT_REGRESSION

SUITE, RECIPE, AUTHOR = "demo", "smollm2-135m", "roosevelt"
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
    """The public commands, in order."""
    if not quick:
        sides = ["--baseline", f"{AUTHOR}@1", "--candidate", f"{AUTHOR}@2"]
        trains = [["train", RECIPE, "--corpus", f"{AUTHOR}@{n}"] for n in (1, 2)]
        steps = [
            ["run", SUITE],
            ["score", SUITE],
            ["compare", "--suite", SUITE, *sides],
            ["report", SUITE, *sides],
        ]
        return [["prepare", AUTHOR], *trains, *steps]
    names = [f"{RECIPE}@{n}+{QUICK_STEPS}steps" for n in (1, 2)]
    sides = ["--baseline", names[0], "--candidate", names[1]]
    few = ["--variant", names[0], "--variant", names[1], "--limit", str(QUICK_PROMPTS)]
    return [
        ["prepare", AUTHOR],
        *(["train", RECIPE, "--corpus", f"{AUTHOR}@{n}", "--steps", str(QUICK_STEPS)] for n in (1, 2)),
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
    for president, years in speeches.YEARS.items():
        if president == "Roosevelt":
            continue
        for year in years:
            path = folder / "others" / president.lower() / f"{president.lower()}_{year}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(speeches.message(president, year), encoding="utf-8")
    done.write_text("", encoding="utf-8")
    return True
