"""Stock tasks in a run: which documents a variant still lacks, and results as rows of ``retention``.

Which state of a task counts is told by the newest rows. Where a run finds all of a state stored already,
though another was stored since, it adds a row a document that says so, without variant, metric and value.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.batches import VariantPlan
from harness.models import Model, few_shot
from harness.models.bases import Base
from harness.models.hf import load_tokenizer
from harness.models.lm import as_lm, window_of
from harness.plan import Ask
from harness.stock import PREFIX, Stock, StockJob, evaluate, jobs, load
from harness.stock_scores import standing
from harness.store import Store
from harness.types import Variant


def load_stock(asked: Ask, workspace: Path) -> Stock:
    """The suite's stock tasks; nothing where it names none, or asks nothing of them.

    Raises:
        ConfigurationError, MissingPrerequisiteError: see ``stock.load``.
    """
    return load(
        asked.suite.retention if asked.retention_documents else (), asked.retention_documents, workspace
    )


def stored_results(asked: Ask, store: Store) -> set[str]:
    """Keys of the documents that ``score`` will find results of."""
    return store.existing("retention", task=asked.suite.retention)


def restated(asked: Ask, stock: Stock, store: Store) -> list[dict[str, Any]]:
    """Rows that say how tasks stand, for the documents of which the newest stored rows say otherwise."""
    frame = store.read(
        "retention", ["key", "task", "item", "task_version", "run"], task=asked.suite.retention
    )
    now = standing(frame)
    rows = []
    for task in stock.tasks:
        name = f"{PREFIX}{task.name}"
        if name not in now.versions:
            continue  # nothing is stored of it that could be taken for what stands
        for n, document in task.digests.items():
            item = f"{task.name}/{n}"
            if now.versions[name] != task.version or now.documents.get(item, document) != document:
                rows.append({"key": f"-{document}", "task": name, "item": item, "task_version": task.version})
    return rows


def with_stock(
    plan: VariantPlan, stock: Stock, base: Base, engine: str, stored: Collection[str]
) -> VariantPlan:
    """A variant's plan with the documents of every stock task; examples in a prompt would be in their way."""
    if few_shot.shown_to(plan.variant) or not stock.tasks:
        return plan
    window = window_of(base.path)
    batches = [batch for task in stock.tasks for batch in jobs(task, plan.variant.digest, engine, window)]
    return replace(plan, stock=tuple(batches), stored=plan.stored | frozenset(stored))


def compute(
    stock: Stock, batch: Sequence[StockJob], model: Model, base: Base, variant: Variant, at_once: int
) -> list[dict[str, Any]]:
    """The rows of one batch, which is of one task; ``at_once``: answers drawn together.

    Raises:
        StockError: this task cannot be run on this model.
    """
    (task,) = [task for task in stock.tasks if task.name == batch[0].task]
    key_of = {job.document: job.key for job in batch}
    lm = as_lm(model, _tokenizer(base.path), window_of(base.path), at_once)
    return [
        {
            "key": key_of[found.document],
            "variant": variant.name,
            "variant_digest": variant.digest,
            "task": f"{PREFIX}{task.name}",
            "item": f"{task.name}/{found.document}",
            "metric": found.metric,
            "value": found.value,
            "task_version": task.version,
            "direction": found.direction,
            "engine": model.engine,
        }
        for found in evaluate(task, [job.document for job in batch], lm)
    ]


@functools.lru_cache(maxsize=1)
def _tokenizer(path: Path) -> Any:
    """Read once a base, and not once a batch."""
    return load_tokenizer(path)
