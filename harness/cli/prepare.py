"""``stylobench prepare``: books -> reference set and corpus versions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.output import Format, FormatOption, doing, print_rows

if TYPE_CHECKING:
    from harness.corpusfile import AuthorFile


def prepare(
    context: typer.Context,
    author: Annotated[str, typer.Argument(help="A corpus file's name on trainers/corpora.")],
    password: Annotated[str | None, typer.Option(help="For encrypted PDFs.")] = None,
    allow_repaired: Annotated[
        bool,
        typer.Option("--allow-repaired", help="Take damaged PDFs, or ones with empty pages, as they are."),
    ] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="List what could be held out, and at what cost; write nothing.")
    ] = False,
    format: FormatOption = Format.table,
) -> None:
    """Turn an author's books into a frozen reference set and corpus versions."""
    from harness.bench import warehouse
    from harness.corpusfile import read_author
    from harness.prepare import prepare as build
    from harness.store import Run

    workspace: Path = context.obj
    settings = read_author(author, workspace)
    if plan:
        _print_choices(settings, workspace, password, allow_repaired, format)
        return
    with Run(warehouse(workspace), f"prepare {author}") as run, doing() as say:
        built = build(author, settings, workspace, run, password, allow_repaired, say)
    print_rows([row(item.manifest, item.reused) for item in built], format)
    newest = built[-1]
    if newest.changed:
        typer.echo(
            f"changed since {newest.manifest['name']}@{newest.manifest['version']} was built: "
            f"{', '.join(newest.changed)}; built versions stay as they are, "
            f"version {max(settings.versions) + 1} would see it",
            err=True,
        )


def _print_choices(
    settings: AuthorFile, workspace: Path, password: str | None, allow_repaired: bool, format: Format
) -> None:
    """What could be held out, what it costs, and how unlike the rest it is; nothing is written."""
    from harness.corpus.choices import suggest
    from harness.prepare import held_out_choices

    options = held_out_choices(settings, workspace, password, allow_repaired)
    rows = [
        {
            "book": option.book,
            "part": "whole"
            if option.fold is None
            else f"block {option.fold + 1}, from {option.starts or 'the start'}",
            "held out": option.heldout_words,
            "guard": option.guard_words,
            "left to train on": option.train_words,
            "lost": f"{option.lost_share:.0%}",
            "Cosine Delta": option.delta,
            "function words (bits)": option.jsd,
            "remark": option.note,
        }
        for option in options
    ]
    print_rows(rows, format)
    best = suggest(options)
    if format is Format.table:
        typer.echo(
            f"\nnearest to the rest at an affordable loss: {best.book}; name it under hold_out, then prepare"
        )


def row(manifest: Any, reused: bool) -> dict[str, Any]:
    """One corpus version in a line."""
    counts, leakage = manifest["passages"], manifest["leakage"]
    pages = [n for roles in manifest["pages"].values() for n in roles.values()]
    body = sum(roles.get("body", 0) for roles in manifest["pages"].values())
    return {
        "corpus": f"{manifest['name']}@{manifest['version']}",
        "books": len(manifest["pages"]),
        "pages": sum(pages),
        "body pages": body,
        "train": counts.get("train", 0),
        "validation": counts.get("validation", 0),
        "held out": counts.get("heldout", 0),
        "words": manifest["words"],
        "shared 13-grams": leakage["shared_13grams"],
        "dropped": leakage["dropped"],
        "left": leakage["left"],
        "state": "reused" if reused else "built",
    }
