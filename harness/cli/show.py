"""``stylobench show``: one thing, whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.output import Format, FormatOption, print_rows

if TYPE_CHECKING:
    from harness.corpus.account import Tokenizer


class Kind(StrEnum):
    """What can be shown."""

    corpus = "corpus"
    variant = "variant"
    pages = "pages"
    prompts = "prompts"


def show(
    context: typer.Context,
    what: Annotated[Kind, typer.Argument(help="What to show.")],
    name: Annotated[str, typer.Argument(help="NAME@N, a variant, a book's path, or an author.")],
    tokenizer: Annotated[
        str | None, typer.Option(metavar="BASE", help="For a corpus: count its tokens as this base does.")
    ] = None,
    password: Annotated[str | None, typer.Option(help="For a book: opens an encrypted PDF.")] = None,
    allow_repaired: Annotated[
        bool, typer.Option("--allow-repaired", help="For a book: take a damaged or sparse PDF as it is.")
    ] = False,
    format: FormatOption = Format.table,
) -> None:
    """Show a corpus version, a variant's record, a book's pages by role, or an author's prompts."""
    workspace: Path = context.obj
    if what is Kind.corpus:
        print_rows(_corpus(name, workspace, tokenizer), format, f"corpus {name}")
        return
    if what is Kind.pages:
        print_rows(_pages(name, workspace, password, allow_repaired), format, f"pages {name}")
        return
    showing = {Kind.variant: _variant, Kind.prompts: _prompts}
    print_rows(showing[what](name, workspace), format, f"{what.value} {name}")


def _corpus(name: str, workspace: Path, tokenizer: str | None) -> list[dict[str, Any]]:
    from harness.bench import warehouse
    from harness.corpora import find_manifest, passages_of, read_manifest
    from harness.corpus.account import account
    from harness.recipe import parse_corpus

    wanted = parse_corpus(name)
    manifest = read_manifest(wanted.name, wanted.version, workspace)
    ancestors: list[Any] = []
    while (parent := (ancestors or [manifest])[-1]["parent"]) is not None:
        found = find_manifest(wanted.name, parent, workspace)
        if found is None:  # this version was built alone, its parent never
            break
        ancestors.append(found)
    passages = passages_of(wanted.name, wanted.version, warehouse(workspace), workspace)
    counter = _tokenizer(tokenizer, workspace) if tokenizer else None
    return [asdict(line) for line in account(manifest, passages, ancestors, counter)]


def _tokenizer(base: str, workspace: Path) -> Tokenizer:
    from harness.corpus.account import Tokenizer
    from harness.models.bases import resolve_base
    from harness.training.examples import load_tokenizer

    loaded = load_tokenizer(resolve_base(base, workspace).path)

    def count(texts: Sequence[str]) -> list[int]:
        found = loaded(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
        return [len(ids) for ids in found]

    return Tokenizer(base, count)


def _variant(name: str, workspace: Path) -> list[dict[str, Any]]:
    from harness.bench import warehouse
    from harness.variants import as_row, registered, select

    (variant, *_) = select(name, registered(warehouse(workspace)))
    return _facts(as_row(variant) | {"record": ""} | variant.record)


def _pages(name: str, workspace: Path, password: str | None, allow_repaired: bool) -> list[dict[str, Any]]:
    from harness.corpus.books import find_books, read_book
    from harness.corpus.roles import label_pages

    (path, *_) = find_books([name], workspace)
    return [
        {
            "page": item.page.number,
            "role": item.role,
            "reason": item.reason,
            "starts": " ".join(item.page.text.split())[:60],
        }
        for item in label_pages(read_book(path, password, allow_repaired=allow_repaired))
    ]


def _prompts(name: str, workspace: Path) -> list[dict[str, Any]]:
    from harness.reference import load

    return [{"id": p.id, "kind": p.kind, "prompt": p.text} for p in load(name, workspace).prompts]


def _facts(record: Any) -> list[dict[str, Any]]:
    return [
        {
            "key": key,
            "value": json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value,
        }
        for key, value in record.items()
    ]
