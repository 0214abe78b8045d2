"""Results of stock tasks, from the table ``retention`` to scores, and what readers are told of them.

No model and no lm-eval: a document's results count as they were stored. Where a task's file or its data
changed since, only results of the task as the newest run had it count, whichever variants that run had; those
of another version or another document are compared with nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.plan import Ask
from harness.stock import PREFIX, document_of
from harness.store import Store
from harness.taskfile import Metadata, MetricEntry, Task
from harness.types import Variant

if TYPE_CHECKING:
    import pandas as pd

SETTING = "lm_eval"
"""The setting of their scores: nothing of a suite shapes them."""

MARGIN = 0.02
"""The smallest difference that matters in a metric that is 0 or 1 for every document, as for any rate."""

_WEAKNESS = (
    "Asked as lm-eval asks a base model, without chat template and system prompt. It says what was forgotten "
    "beside the base, and nothing about style; its first documents are not a random sample of it."
)


@dataclass(frozen=True)
class Standing:
    """Stock tasks as the newest run had them: task -> version, and item -> digest of its document."""

    versions: Mapping[str, str]
    documents: Mapping[str, str]


def standing(rows: pd.DataFrame) -> Standing:
    """How tasks stand, by rows of ``retention`` of any variant; ``stock_run.restated`` keeps that true."""
    newest = rows.sort_values("run", kind="stable")
    versions = newest.drop_duplicates("task", keep="last").set_index("task")["task_version"].to_dict()
    newest = newest[newest["task_version"] == newest["task"].map(versions)]
    keys = newest.drop_duplicates("item", keep="last").set_index("item")["key"].to_dict()
    return Standing(
        {str(task): str(version) for task, version in versions.items()},
        {str(item): document_of(str(key)) for item, key in keys.items()},
    )


def results_of(asked: Ask, variants: Iterable[Variant], store: Store) -> pd.DataFrame:
    """The stored results of the suite's stock tasks by these very variants, one row a document and metric."""
    frame = store.read("retention", task=asked.suite.retention)
    if not len(frame):
        return frame
    numbers = frame["item"].str.rpartition("/")[2].astype("int64")
    frame = frame[numbers < asked.retention_documents]
    now = standing(frame)
    frame = frame[frame["variant_digest"].isin([variant.digest for variant in variants])]
    frame = frame[frame["task_version"] == frame["task"].map(now.versions)]
    frame = frame[frame["key"].map(document_of) == frame["item"].map(now.documents)]
    same = ["variant_digest", "engine", "item", "metric"]
    return frame.sort_values("run", kind="stable").drop_duplicates(same, keep="last")


def score_rows(asked: Ask, variants: Iterable[Variant], store: Store) -> list[dict[str, Any]]:
    """The same as rows of the scores table."""
    kept = ("key", "variant", "variant_digest", "task", "item", "metric", "value", "engine")
    return [
        {name: row[name] for name in kept}
        | {
            "metric_version": row["task_version"],
            "note": "" if row["value"] == row["value"] else "the task gave no number",
            "reference": asked.reference.digest,
            "setting": SETTING,
        }
        for row in results_of(asked, variants, store).to_dict("records")
    ]


def as_tasks(frame: pd.DataFrame) -> tuple[Task, ...]:
    """Each stock task of some results as a task like the others, its metrics in the order they came."""
    found = []
    for name in dict.fromkeys(map(str, frame["task"])):
        own = frame[frame["task"] == name]
        directions = dict(zip(own["metric"], own["direction"], strict=True))
        short = name.removeprefix(PREFIX)
        entries = tuple(
            MetricEntry(metric=str(metric), higher_is_better=way == "higher")
            for metric, way in directions.items()
        )
        metadata = Metadata(
            version=str(own["task_version"].iloc[-1]),
            title=f"Stock task {short}",
            question=f"Does it still do on {short} what its base did?",
            group="retention",
            target="higher" if entries[0].higher_is_better else "lower",
            weakness=_WEAKNESS,
        )
        found.append(
            Task(
                task=name,
                custom_dataset="lm_eval",
                output_type="loglikelihood",
                process_results="lm_eval",
                metric_list=entries,
                metadata=metadata,
            )
        )
    return tuple(found)


def shares(frame: pd.DataFrame) -> frozenset[str]:
    """The metrics that are 0 or 1 for every document, so that their mean is a rate."""
    known = frame[frame["value"].notna()]
    yes_or_no = known["value"].isin([0.0, 1.0]).groupby(known["metric"]).all()
    return frozenset(str(metric) for metric, holds in yes_or_no.items() if holds)
