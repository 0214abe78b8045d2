"""``stylobench reference``: what an author's results are measured against."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.output import Format, FormatOption, print_rows

if TYPE_CHECKING:
    from harness.metrics.attribution import Quality


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
        typer.echo(f"keywords   {', '.join(found.fitted.keywords[:12])}")
        for twin in ("plain", "masked"):
            typer.echo(f"{twin:<11}{_quality(found.fitted.classifiers[twin].quality)}")
        typer.echo("")
    rows = [
        {"metric": metric, "margin": margin, "AUC": found.audit.get(f"{metric}_auc", float("nan"))}
        for metric, margin in found.margins.items()
    ]
    print_rows(rows, format)


def _quality(quality: Quality) -> str:
    """How a classifier does on passages of the train books and of other authors, out of fold."""
    folds = f"{quality.folds} folds of {'whole books' if quality.grouped else 'neighbouring passages'}"
    return (
        f"AUC {quality.auc:.2f}, Brier {quality.brier:.2f}, c@1 {quality.c_at_1:.2f}: authorship classifier, "
        f"{quality.n_author} passages against {quality.n_others}, {folds}"
    )
