"""``stylobench prepare``: books -> reference set and corpus versions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli.output import Format, FormatOption, print_rows


def prepare(
    context: typer.Context,
    author: Annotated[str, typer.Argument(help="A corpus file's name on trainers/corpora.")],
    password: Annotated[str | None, typer.Option(help="For encrypted PDFs.")] = None,
    allow_repaired: Annotated[
        bool,
        typer.Option("--allow-repaired", help="Take damaged PDFs, or ones with empty pages, as they are."),
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
    with Run(warehouse(workspace), f"prepare {author}") as run:
        built = build(author, settings, workspace, run, password, allow_repaired)
    print_rows([row(item.manifest, item.reused) for item in built], format)
    changed = sorted({book for item in built for book in item.changed})
    if changed:
        following = max(settings.versions) + 1
        typer.echo(
            f"changed since a version was built: {', '.join(changed)}; built versions stay as they are, "
            f"version {following} would see it",
            err=True,
        )


def row(manifest: Any, reused: bool) -> dict[str, Any]:
    """One corpus version in a line."""
    counts, leakage = manifest["passages"], manifest["leakage"]
    pages = [n for roles in manifest["pages"].values() for n in roles.values()]
    body = sum(roles.get("body", 0) for roles in manifest["pages"].values())
    return {
        "corpus": f"{manifest['name']}@{manifest['version']}",
        "books": len(manifest["books"]) - 1,
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
