"""``stylobench prepare``: books -> reference set and corpus versions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from harness.cli.output import Format, FormatOption, doing, print_rows

if TYPE_CHECKING:
    from harness.prepare import Built
    from harness.prospect import Prospect, VersionPlan


def prepare(
    context: typer.Context,
    author: Annotated[
        str, typer.Argument(help="A corpus file's name on trainers/corpora; NAME@N builds that version only.")
    ],
    password: Annotated[str | None, typer.Option(help="For encrypted PDFs.")] = None,
    allow_repaired: Annotated[
        bool,
        typer.Option("--allow-repaired", help="Take damaged PDFs, or ones with empty pages, as they are."),
    ] = False,
    plan: Annotated[
        bool,
        typer.Option(
            "--plan",
            help="List what could be held out, and what would be built at what price; write nothing.",
        ),
    ] = False,
    folds: Annotated[
        int | None,
        typer.Option(
            min=2,
            metavar="K",
            help="Write K corpus files NAME-fold1, NAME-fold2 ... that hold out different parts; "
            "with --plan, list them.",
        ),
    ] = None,
    format: FormatOption = Format.table,
) -> None:
    """Turn an author's books into a frozen reference set and corpus versions."""
    from harness.bench import warehouse
    from harness.corpusfile import read_author
    from harness.prepare import prepare as build
    from harness.prospect import prospect
    from harness.refit import unseen
    from harness.store import Run

    workspace: Path = context.obj
    author, only = _name_and_version(author)
    settings = read_author(author, workspace)
    if plan or folds:
        found = prospect(author, settings, workspace, password, allow_repaired)
        if folds:
            _folds(author, found, folds, workspace, plan, format)
        else:
            _print_plan(author, found, format)
        return
    with Run(warehouse(workspace), f"prepare {author}") as run, doing() as say:
        built = build(author, settings, workspace, run, password, allow_repaired, say, only)
    print_rows([row(item.manifest, item.reused) for item in built], format)
    remarks = [*_of_questions(built), _changed(built, max(settings.versions))]
    remarks.append(unseen(author, settings, workspace))
    if not settings.others:
        remarks.append(
            "others: none are named, and former presidents stand in (easy negatives: optimistic); "
            "name authors near this one in time and matter"
        )
    for remark in filter(None, remarks):
        typer.echo(remark, err=True)


class Wanted(NamedTuple):
    """An author, and the one version that is wanted of it; None for all."""

    author: str
    version: int | None


def _name_and_version(text: str) -> Wanted:
    from harness.recipe import parse_corpus

    if "@" not in text:
        return Wanted(text, None)
    corpus = parse_corpus(text)
    return Wanted(corpus.name, corpus.version)


def _of_questions(built: list[Built]) -> Iterator[str]:
    """What a question writer had to say, and whether so few passages were asked about that none validates."""
    for item in built:
        manifest = item.manifest
        facts = manifest.get("questions") or {}
        name = f"{manifest['name']}@{manifest['version']}"
        if facts.get("note"):
            yield f"{name}: {facts['note']}"
        if facts and not manifest["passages"].get("validation"):
            yield f"{name}: no passage is left for validation; ask about more than {facts['asked']}"


def _changed(built: list[Built], last: int) -> str:
    newest = built[-1]
    if not newest.changed:
        return ""
    return (
        f"changed since {newest.manifest['name']}@{newest.manifest['version']} was built: "
        f"{', '.join(newest.changed)}; built versions stay as they are, version {last + 1} would see it"
    )


def _print_plan(name: str, found: Prospect, format: Format) -> None:
    """What could be held out, what is, and what would become of each version; nothing is written."""
    from harness.corpus.choices import suggest

    print_rows([_choice(option, found) for option in found.choices], format)
    if format is not Format.table:
        return
    best = suggest(found.choices)
    if found.present:
        typer.echo(f"\nheld out{', for good' if found.frozen else ' as the file stands'}: {found.present}")
    if not found.frozen:
        typer.echo(
            f"nearest to the rest at an affordable loss: hold_out: {found.hold_out(best)}"
            + ("" if found.present else "; write that into the corpus file, then prepare")
        )
    typer.echo("")
    print_rows([_version(line, name) for line in found.versions], format)


def _choice(option: Any, found: Prospect) -> dict[str, Any]:
    part = "whole"
    if option.fold is not None:
        part = f"block {option.fold + 1}, from {option.starts or 'the start'}"
    return {
        "book": option.book,
        "part": part,
        "now": "held out" if found.is_present(option) else "",
        "held out": option.heldout_words,
        "guard": option.guard_words,
        "left to train on": option.train_words,
        "lost": f"{option.lost_share:.0%}",
        "Cosine Delta": option.delta,
        "function words (bits)": option.jsd,
        "remark": option.note,
    }


def _version(line: VersionPlan, name: str) -> dict[str, Any]:
    return {
        "version": f"{name}@{line.number}",
        "from": "" if line.parent is None else f"@{line.parent}",
        "style": line.version.style,
        "keep": line.version.keep,
        "state": line.state,
        "train": line.train,
        "validation": line.validation,
        "dropped": line.dropped,
        "writer": "" if line.version.style == "completion" else line.version.writer,
        "to ask about": line.to_ask,
        "likely $": line.likely_usd,
        "at most $": line.worst_usd,
        "max_usd": line.max_usd,
        "remark": line.note,
    }


def _folds(name: str, found: Prospect, n: int, workspace: Path, plan: bool, format: Format) -> None:
    """The folds as a table; without ``--plan`` their corpus files are written."""
    from harness.asking import is_paid
    from harness.foldfiles import fold_choices, write_folds

    folds = fold_choices(name, found, n)
    if not plan:
        write_folds(name, folds, workspace)
    rows = [
        {
            "corpus": fold.name,
            "hold_out": fold.hold_out,
            "held out": fold.choice.heldout_words,
            "guard": fold.choice.guard_words,
            "left to train on": fold.choice.train_words,
            "lost": f"{fold.choice.lost_share:.0%}",
            "Cosine Delta": fold.choice.delta,
        }
        for fold in folds
    ]
    print_rows(rows, format)
    if format is Format.table:
        first = folds[0].name
        if plan:
            typer.echo(f"\nstylobench prepare {name} --folds {n} writes these corpus files and no more; then")
        else:
            typer.echo(
                f"\nwritten: trainers/corpora/{name}-fold1.yaml to {name}-fold{n}.yaml; now, for each,"
            )
        typer.echo(
            f"stylobench prepare {first}, train RECIPE --corpus {first}@1, and run and compare in a suite "
            f"with author: {first}\nA fold has a reference set of its own: compare variants within a fold, "
            "and see whether the verdict is the same in all."
        )
        if any(is_paid(line.version) for line in found.versions):
            typer.echo("Bought questions are shared by all folds; max_usd holds for each fold by itself.")


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
