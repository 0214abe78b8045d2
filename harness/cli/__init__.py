"""The command line: one verb a file; each parses, calls one function and prints.

Heavy imports stay inside the verbs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.cli import (
    compare,
    demo,
    import_,
    ls,
    prepare,
    reference,
    report,
    run,
    score,
    show,
    train,
    validate,
)
from harness.errors import EXIT_CONFIGURATION, EXIT_INTERRUPTED, StylobenchError

app = typer.Typer(
    name="stylobench",
    help="Benchmarks language models fine-tuned to write like one author.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

BOOKS, MODELS, ANSWERS, LOOK = "Books", "Models", "Answers", "Look"
for verb, panel in (
    (prepare.prepare, BOOKS),
    (import_.import_, BOOKS),
    (reference.reference, BOOKS),
    (train.train, MODELS),
    (run.run, ANSWERS),
    (score.score, ANSWERS),
    (compare.compare, ANSWERS),
    (report.report, ANSWERS),
    (ls.ls, LOOK),
    (show.show, LOOK),
    (validate.validate, LOOK),
    (demo.demo, LOOK),
):
    app.command(verb.__name__.rstrip("_"), rich_help_panel=panel)(verb)


def _version(wanted: bool) -> None:
    if wanted:
        from harness import __version__

        typer.echo(f"stylobench {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    workspace: Annotated[
        Path | None,
        typer.Option("--workspace", "-C", help="The workspace; by default the nearest one upwards."),
    ] = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    from harness.shelves import find_workspace

    context.obj = workspace.resolve() if workspace else find_workspace()


def main() -> None:
    """The entry point: runs a verb and turns every known error into one line and its exit code."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.exit(invoke(sys.argv[1:]))


def invoke(arguments: list[str]) -> int:
    """Run one command line in this process and return its exit code."""
    try:
        found = app(arguments, prog_name="stylobench", standalone_mode=False)
        code = int(found) if isinstance(found, int) else 0
    except typer.TyperException as error:
        if problem := error.format_message():
            typer.echo(f"{problem} (stylobench --help)", err=True)
        return EXIT_CONFIGURATION
    except StylobenchError as error:
        typer.echo(str(error), err=True)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = EXIT_INTERRUPTED
    # typer itself turns Ctrl-C inside a verb into 130, and says nothing.
    if code == EXIT_INTERRUPTED:
        typer.echo("interrupted; run the same command again to go on from here", err=True)
    return code
