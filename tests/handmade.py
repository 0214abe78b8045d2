"""Score tables and variants written by hand: for the rooms above the warehouse, without one under them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.plan import Ask, ask
from harness.reference import Reference
from harness.suite import Suite
from harness.summaries import Table
from harness.taskfile import read_tasks
from harness.types import Document, Prompt, Variant

TASKS = (
    "heldout_perplexity",
    "author_gain",
    "authorship",
    "copying",
    "validity",
    "response_length",
    "relevance",
)
MARGINS = {
    "bits_per_byte": 0.01, "author_specific_gain": 0.01, "authorship_logit": 0.25, "copied": 0.02,
    "invalid": 0.02, "words": 4.0, "question_reciprocal_rank": 0.05,
}  # fmt: skip
Values = Mapping[str, Mapping[str, Sequence[float]]]


def make_reference(n: int = 40, margins: Mapping[str, float] = MARGINS) -> Reference:
    """``n`` prompts, every second one a question, and ``n`` documents of one size in each set."""
    kinds = ("continue", "question")
    prompts = tuple(
        Prompt(f"p{i:03d}", kinds[i % 2], f"Ask {i}", f"Say {i}.", f"digest{i}")  # type: ignore[arg-type]
        for i in range(n)
    )
    sets = (("h", "heldout"), ("o", "other:flint"))
    documents = tuple(
        Document(f"{letter}{i:03d}", name, i, f"{name[0]}{i:099d}") for letter, name in sets for i in range(n)
    )
    return Reference(
        name="marlow", author="Ellis Marlow", persona="You write as Ellis Marlow.", language="en",
        passage_words=100, heldout_book="harbours", heldout=(), train=(), others={}, prompts=prompts,
        documents=documents, digest="reference", folder=Path("nowhere"), margins=dict(margins),
        audit={"authorship_masked_auc": 0.9},
    )  # fmt: skip


def make_ask(
    n: int = 40, tasks: Sequence[str] = TASKS, workspace: Path = Path("nowhere"), **suite: Any
) -> Ask:
    """The shipped tasks asked of a handmade reference."""
    chosen = Suite(author="marlow", tasks=tuple(tasks), **suite)
    return ask(chosen, read_tasks(chosen.tasks, workspace), make_reference(n))


def make_table(
    asked: Ask,
    values: Values,
    engines: Mapping[str, str] | None = None,
    versions: Mapping[tuple[str, str], str] | None = None,
) -> Table:
    """Values by variant and metric, in the order of the prompts (documents for bits per byte and gain)."""
    spread: dict[str, dict[str, dict[str, float]]] = {}
    for variant, metrics in values.items():
        for metric, numbers in metrics.items():
            items = [f"h{i:03d}" if metric in ("bits_per_byte", "author_specific_gain") else f"p{i:03d}"
                     for i in range(len(numbers))]  # fmt: skip
            spread.setdefault(variant, {})[metric] = dict(zip(items, map(float, numbers), strict=True))
    return Table(
        values=spread,
        notes={},
        engines=engines or {variant: "control" if variant == "author" else "hf" for variant in values},
        metric_versions=versions or {},
        task_of={metric: task.name for task in asked.tasks for metric in task.metrics},
        weights={},
    )


def make_adapter(name: str, version: int, seed: int = 1, **settings: Any) -> Variant:
    """A trained variant of a recipe; ``settings`` are the recipe's."""
    chosen = {"lr": 0.001, "lora": {"r": 16}, "seeds": [seed]} | settings | {"corpus": f"marlow@{version}"}
    return Variant(
        name=name, kind="adapter", digest=f"digest of {name}", base="tiny", adapter=f"adapters/{name}",
        corpus="marlow", version=version, trained_on=f"marlow@{version}",
        record={"settings": chosen, "seed": seed},
    )  # fmt: skip
