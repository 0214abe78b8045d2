"""The command line: one verb a file; each parses, calls one function and prints.

Heavy imports stay inside the verbs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.cli import (
    audit,
    compare,
    demo,
    explain,
    import_,
    judge,
    ls,
    measure,
    prepare,
    reference,
    register,
    report,
    run,
    score,
    show,
    train,
    validate,
    watch,
)
from harness.cli.output import printable
from harness.errors import (
    EXIT_CONFIGURATION,
    EXIT_INTERRUPTED,
    EXIT_MISSING,
    ConfigurationError,
    StylobenchError,
)

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
    (audit.audit, BOOKS),
    (train.train, MODELS),
    (watch.watch, MODELS),
    (register.register, MODELS),
    (run.run, ANSWERS),
    (score.score, ANSWERS),
    (measure.measure, ANSWERS),
    (compare.compare, ANSWERS),
    (judge.judge, ANSWERS),
    (report.report, ANSWERS),
    (ls.ls, LOOK),
    (show.show, LOOK),
    (explain.explain, LOOK),
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

    # The demo makes its own workspace; for anything else a folder that is not there is a slip.
    if workspace and not workspace.is_dir() and (workspace.exists() or context.invoked_subcommand != "demo"):
        raise ConfigurationError(f"--workspace {workspace}: there is no such folder")
    context.obj = workspace.resolve() if workspace else find_workspace()


def main() -> None:
    """The entry point: runs a verb and turns every known error into one line and its exit code."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Books and answers hold what a terminal's encoding may lack; \u2013 is also right in JSON.
            stream.reconfigure(errors="backslashreplace")
    sys.exit(invoke(sys.argv[1:]))


def invoke(arguments: list[str]) -> int:
    """Run one command line in this process and return its exit code."""
    try:
        _refuse_undecodable(arguments)
        found = app(arguments, prog_name="stylobench", standalone_mode=False)
        code = int(found) if isinstance(found, int) else 0
    except typer.TyperException as error:
        if problem := error.format_message():
            typer.echo(printable(f"{problem} (stylobench --help)"), err=True)
        return EXIT_CONFIGURATION
    except StylobenchError as error:
        typer.echo(printable(str(error)), err=True)
        return error.exit_code
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "harness"):
            raise
        typer.echo(f"the package {package} is not installed here; install stylobench again", err=True)
        return EXIT_MISSING
    except OSError as error:
        known = exit_code_of(error)
        if known is None:
            raise
        place = f": {error.filename}" if error.filename else ""
        typer.echo(printable(f"{error.strerror or error}{place}"), err=True)
        return known
    except (KeyboardInterrupt, typer.Abort):
        code = EXIT_INTERRUPTED
    # typer itself turns Ctrl-C inside a verb into 130, and says nothing.
    if code == EXIT_INTERRUPTED:
        typer.echo("interrupted; run the same command again to go on from here", err=True)
    return code


_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE, errno.EIO}
_PATH = {errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ELOOP, errno.EBUSY}


def exit_code_of(error: OSError) -> int | None:
    """5 for what the machine lacks (room, a permission), 2 for a path that cannot be one, else None."""
    if error.errno in _MACHINE:
        return EXIT_MISSING
    return EXIT_CONFIGURATION if error.errno in _PATH else None


def _refuse_undecodable(arguments: list[str]) -> None:
    """Bytes that are not text in the locale's encoding arrive as lone surrogates, which no file can hold."""
    for argument in arguments:
        if any("\ud800" <= character <= "\udfff" for character in argument):
            raise ConfigurationError(f"{argument!a}: this argument is not text in this locale's encoding")
