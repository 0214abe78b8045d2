"""``stylobench reference``: what an author's results are measured against."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.output import Format, FormatOption, print_rows


def reference(
    context: typer.Context,
    author: Annotated[str, typer.Argument(help="A prepared author.")],
    format: FormatOption = Format.table,
) -> None:
    """Show an author's frozen reference set: what is held out, margins, and what each metric knows."""
    from harness.reference import load

    workspace: Path = context.obj
    found = load(author, workspace)
    if format is Format.table:
        typer.echo(f"{found.author}   reference {found.digest}")
        passages = f"{len(found.heldout)} passages of about {found.passage_words} words"
        typer.echo(f"held out   {found.heldout_book}: {passages}")
        others = ", ".join(f"{name} {len(passages)}" for name, passages in sorted(found.others.items()))
        typer.echo(f"others     {others} passages")
        kinds = [sum(p.kind == kind for p in found.prompts) for kind in ("continue", "question")]
        typer.echo(f"prompts    {kinds[0]} continue, {kinds[1]} question; {len(found.documents)} documents")
        typer.echo(f"persona    {found.persona}")
        typer.echo(f"keywords   {', '.join(found.fitted.keywords[:12])}\n")
    rows = [
        {"metric": metric, "margin": margin, "AUC": found.audit.get(f"{metric}_auc", float("nan"))}
        for metric, margin in found.margins.items()
    ]
    print_rows(rows, format)
