"""``stylobench reference``: what an author's results are measured against."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.output import Format, FormatOption, doing, print_rows

if TYPE_CHECKING:
    from harness.metrics.attribution import Quality
    from harness.refit import Refitted


def reference(
    context: typer.Context,
    author: Annotated[str, typer.Argument(help="A prepared author.")],
    refit: Annotated[
        bool, typer.Option("--refit", help="Fit anew on the other authors that the corpus file names now.")
    ] = False,
    password: Annotated[str | None, typer.Option(help="With --refit: for encrypted PDFs.")] = None,
    allow_repaired: Annotated[
        bool, typer.Option("--allow-repaired", help="With --refit: take damaged PDFs as they are.")
    ] = False,
    format: FormatOption = Format.table,
) -> None:
    """Show an author's frozen reference set: what is held out, margins, and what each metric knows.

    With --refit, other authors come or go: prompts, documents and held-out text stay, and so does every
    stored answer and likelihood; scores are made anew, and are not comparable with the former ones.
    """
    if refit:
        _refit(author, context.obj, password, allow_repaired, format)
    else:
        _show(author, context.obj, format)


def _show(author: str, workspace: Path, format: Format) -> None:
    from harness.reference import load

    found = load(author, workspace)
    if format is Format.table:
        typer.echo(f"{found.author}   reference {found.digest}")
        block = f", block {found.heldout_block}" if found.heldout_block is not None else ""
        passages = f"{len(found.heldout)} passages of about {found.passage_words} words"
        typer.echo(f"held out   {found.heldout_book}{block}: {passages}")
        others = ", ".join(f"{name} {len(passages)}" for name, passages in sorted(found.others.items()))
        caveat = f"; {found.caveat}" if found.caveat else ""
        typer.echo(f"others     {others} passages{caveat}")
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


def _refit(author: str, workspace: Path, password: str | None, allow_repaired: bool, format: Format) -> None:
    from harness.bench import warehouse
    from harness.corpusfile import read_author
    from harness.refit import refit
    from harness.store import Run

    settings = read_author(author, workspace)
    with Run(warehouse(workspace), f"reference {author} --refit"), doing() as say:
        done = refit(author, settings, workspace, password, allow_repaired, say)
    print_rows(
        [
            {
                "other author": name,
                "passages": len(done.reference.others.get(name, ())),
                "before": len(done.former.others.get(name, ())),
                "state": _state(name, done),
            }
            for name in sorted({*done.reference.others, *done.former.others})
        ],
        format,
    )
    if format is Format.table:
        typer.echo("")
        for line in _told(author, done):
            typer.echo(line)


def _state(name: str, done: Refitted) -> str:
    found = done.difference
    named = {"added": found.added, "removed": found.removed, "changed": found.changed}
    return next((state for state, names in named.items() if name in names), "as before")


def _told(author: str, done: Refitted) -> list[str]:
    if done.nothing_new:
        return [f"nothing to do: reference {done.reference.digest} was fitted on these very passages"]
    read = {document.set.partition(":")[2] for document in done.reference.documents}
    gone = sorted(read - {"", *done.reference.others})
    frozen = [f"the other authors' texts that models read (author_gain) still hold some by {', '.join(gone)}"]
    return [
        f"reference {done.former.digest} -> {done.reference.digest}"
        + (", which stood here before" if done.brought_back else "")
        + (f"; {done.reference.caveat}" if done.reference.caveat else ""),
        "prompts, documents and held-out text are as they were: "
        "stored answers and likelihoods are used again",
        *(frozen if gone else []),
        f"the former set is results/references/{author}.{done.former.digest}; "
        "scores against it are not comparable with new ones",
        "next: stylobench run SUITE (new authors' own answers; no model is asked again), then "
        "stylobench score SUITE",
    ]


def _quality(quality: Quality) -> str:
    """How a classifier does on passages of the train books and of other authors, out of fold."""
    folds = f"{quality.folds} folds of {'whole books' if quality.grouped else 'neighbouring passages'}"
    return (
        f"AUC {quality.auc:.2f}, Brier {quality.brier:.2f}, c@1 {quality.c_at_1:.2f}: authorship classifier, "
        f"{quality.n_author} passages against {quality.n_others}, {folds}"
    )
