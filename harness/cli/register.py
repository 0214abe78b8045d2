"""``stylobench register``: an adapter or answers from elsewhere -> a registered variant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What the variant will be called.")],
    adapter: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="A LoRA adapter as safetensors, with its config.")
    ] = None,
    base: Annotated[str | None, typer.Option(help="The base the adapter was trained on.")] = None,
    recorded: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="JSON Lines: item or prompt, and answer (or response, or text)."),
    ] = None,
    author: Annotated[
        str | None,
        typer.Option(help="Whose prompts the answers are to; by default the only author there is."),
    ] = None,
    trained_on: Annotated[
        str,
        typer.Option(
            metavar="CORPUS@N|all|unknown|nothing",
            help="all: it has seen the held-out book, so its likelihoods are void. unknown: they are marked.",
        ),
    ] = "unknown",
) -> None:
    """Bring a variant made elsewhere: an adapter (--adapter, --base) or answers (--recorded).

    Nothing is computed; `run` and `score` do the rest.
    """
    from harness import registering
    from harness.bench import warehouse
    from harness.errors import ConfigurationError
    from harness.store import Run

    if (adapter is None) == (recorded is None):
        raise ConfigurationError("register: give --adapter FOLDER with --base BASE, or --recorded FILE")
    if (adapter is None) != (base is None):
        raise ConfigurationError("register: --adapter and --base go together")
    workspace: Path = context.obj
    seen = registering.trained_on(trained_on, workspace)
    with Run(warehouse(workspace), f"register {name}") as run:
        if adapter is not None and base is not None:
            if author is not None:
                raise ConfigurationError("register: --author goes with --recorded")
            folder = registering.find_path(adapter, workspace)
            found = registering.register_adapter(name, folder, base, seen, run, workspace)
            what = f"adapter on {found.variant.base}, {found.variant.adapter}"
        else:
            file = registering.find_path(str(recorded), workspace)
            found = registering.register_recorded(name, file, author, seen, run, workspace)
            what = f"{found.variant.record['answers']} recorded answers"
    typer.echo(f"{name}  {what}, trained on {found.variant.trained_on}")
    for remark in found.remarks:
        typer.echo(f"  {remark}")
