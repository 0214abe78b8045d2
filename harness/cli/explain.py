"""``stylobench explain``: what a recipe's keys mean."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.output import Format, FormatOption, print_rows


def explain(
    key: Annotated[str | None, typer.Argument(help="A recipe's key, for example lora.alpha.")] = None,
    format: FormatOption = Format.table,
) -> None:
    """Say what a recipe's key is for and what is usual; without a key, all of them."""
    from harness.keys import described, explained

    found = list(described().values()) if key is None else explained(key)
    if format is not Format.table:
        print_rows(
            [{"key": k.name, "default": k.default, "allowed": k.allowed, "usual": k.usual, "why": k.why}
             for k in found],
            format,
        )  # fmt: skip
    elif key is None:
        rows = [{"key": k.name, "default": k.default, "usual": k.usual, "why": k.why} for k in found]
        print_rows(rows, format)
    else:
        for one in found:
            typer.echo(f"{one.name}  ({one.allowed}; default: {one.default})")
            typer.echo(f"  {one.why}\n  Usual: {one.usual}.")
