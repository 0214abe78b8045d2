"""Scores -> what one variant is like: means with intervals, and gates.

    stored scores --read_table--> Table --summarise--> mean [low, high]
                                        --gates------> pass, FAIL or needs n

The unit is the prompt (or held-out document), never the row: samples of one prompt are averaged first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from harness.likelihood_scores import LIKELIHOOD_VERSIONS
from harness.measures import NOT_APPLICABLE, RATES
from harness.plan import Ask, void_likelihoods
from harness.pooled import POOLED_VERSIONS
from harness.pooled_scores import POOLED, added, pooled_keys, pooled_summary, pooled_tasks, pooled_texts
from harness.score import answers_of, general_answers_of
from harness.statistics import bootstrap_interval, wilson
from harness.stock_scores import SETTING, as_tasks, results_of
from harness.stock_scores import shares as yes_or_no
from harness.store import Store
from harness.taskfile import Task
from harness.text import count_words
from harness.types import Gate, Interval, Summary, Variant

if TYPE_CHECKING:
    import pandas as pd

POOLED_BY = {
    "bits_per_byte": "bytes", "bits_per_byte_in_template": "bytes", "bits_per_byte_others": "bytes",
    "bits_per_byte_train": "bytes", "byte_perplexity": "bytes", "word_perplexity": "words",
    "domain_gain": "bytes", "token_perplexity": "tokens",
}  # fmt: skip
"""Metric -> the unit its documents are weighted by, so that the mean is the pooled value (sum over sum)."""

PERPLEXITIES = frozenset({"byte_perplexity", "word_perplexity", "token_perplexity"})
"""Averaged as logarithms: a pooled perplexity is exp of the pooled nats, not a mean of perplexities."""

FREE_TO_AN_INVALID_ANSWER = frozenset({"copied", "recited"})
"""Rates whose 0 is no merit of an answer that says nothing: an empty one copies nothing."""


@dataclass(frozen=True)
class Table:
    """Scores of several variants under one suite: ``values[variant][metric]`` maps item to value."""

    values: Mapping[str, Mapping[str, Mapping[str, float]]]
    notes: Mapping[str, Mapping[str, Mapping[str, str]]]
    engines: Mapping[str, str]
    metric_versions: Mapping[tuple[str, str], str]
    task_of: Mapping[str, str]
    weights: Mapping[str, Mapping[str, float]]
    """Unit (``bytes``, ``words``) -> document -> its units over their mean in its set."""
    asked: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Metric -> the prompts that each variant has to have a row for, with or without a value."""
    stock: tuple[Task, ...] = ()
    """lm-eval's tasks that have scores here, which only describe."""
    shares: frozenset[str] = frozenset()
    """Their metrics that are 0 or 1 for every document."""
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Variant -> prompt -> its valid, uncopied answer; only where the suite has a pooled task."""
    tokens: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Variant -> held-out document -> its tokens by the variant's own tokenizer, over their mean."""

    def of(self, variant: str, metric: str) -> Mapping[str, float]:
        """Item -> value; empty where the variant has no such scores."""
        return self.values.get(variant, {}).get(metric, {})


def read_table(asked: Ask, variants: Iterable[Variant], store: Store) -> Table:
    """All scores of these variants under this suite, of one engine each (``chosen_engine``).

    An answer counts that the suite would draw today: ``samples`` taken down leaves the others out.
    """
    chosen = list(variants)
    results = results_of(asked, chosen, store)
    frame = store.read("scores", reference=asked.reference.digest, variant_digest=[v.digest for v in chosen])
    prompts = frozenset(prompt.id for prompt in asked.prompts)
    answered = [task for task in asked.tasks if task.metadata.needs == "responses"]
    expected = {metric: prompts for task in answered for metric in task.metrics}
    answers = answers_of(asked, chosen, store)
    if len(frame):
        answer = _is(frame, [p.id for p in asked.prompts], [asked.setting])
        answer &= frame["key"].isin(answers["key"])
        pooled = _is(frame, [POOLED], [asked.setting]) & frame["key"].isin(pooled_keys(asked, answers))
        general = _is(frame, [p.id for p in asked.general], [asked.general_setting])
        general &= frame["key"].isin(general_answers_of(asked, chosen, store)["key"])
        documents = [d.id for d in asked.documents]
        likelihood = _is(frame, documents, [asked.protocol, asked.template_protocol])
        stock_rows = _is(frame, list(results["item"]), [SETTING])
        frame = frame[answer | general | likelihood | pooled | stock_rows]
        # Of a stock task only results of what it is now count, whatever was scored before.
        frame = frame[(frame["setting"] != SETTING) | frame["key"].isin(results["key"])]
        inapplicable = frame["note"].str.startswith(NOT_APPLICABLE)
        for metric, part in frame[inapplicable].groupby("metric"):
            expected[str(metric)] = expected.get(str(metric), prompts) - set(part["item"])
        frame = frame[~inapplicable]
    stock = as_tasks(results)
    task_of = {metric: task.name for task in (*asked.tasks, *stock) for metric in task.metrics}
    values: dict[str, dict[str, dict[str, float]]] = {}
    notes: dict[str, dict[str, dict[str, str]]] = {}
    engines: dict[str, str] = {}
    versions: dict[tuple[str, str], str] = {}
    texts: dict[str, dict[str, str]] = {}
    for variant in chosen:
        own = frame[frame["variant_digest"] == variant.digest] if len(frame) else frame
        if not len(own):
            continue
        engines[variant.name] = chosen_engine(own, asked.suite.dtype)
        own = own[own["engine"] == engines[variant.name]]
        if pooled_tasks(asked):
            drawn = answers[answers["variant_digest"] == variant.digest]
            drawn = drawn[drawn["engine"] == engines[variant.name]]
            texts[variant.name] = pooled_texts(drawn, own)
        if void_likelihoods(variant):
            # It may have been scored before its owner said what it had seen.
            own = own[~own["metric"].isin(list(LIKELIHOOD_VERSIONS))]
        for metric, part in own.groupby("metric"):
            newest = max(part["metric_version"], key=lambda version: (len(version), version))
            part = part[part["metric_version"] == newest]
            means = part.groupby("item")["value"].mean()
            values.setdefault(variant.name, {})[str(metric)] = {str(i): float(v) for i, v in means.items()}
            remarks = zip(part["item"], part["note"], strict=True)
            notes.setdefault(variant.name, {})[str(metric)] = {str(i): str(n) for i, n in remarks if n}
            versions[(variant.name, str(metric))] = str(newest)
    tokens = _token_weights(
        asked, [v for v in chosen if "token_perplexity" in values.get(v.name, {})], engines, store
    )
    return Table(
        values,
        notes,
        engines,
        versions,
        task_of,
        _weights(asked),
        expected,
        stock,
        yes_or_no(results),
        texts,
        tokens,
    )


def chosen_engine(rows: pd.DataFrame, dtype: str) -> str:
    """Which engine's rows stand for a variant, of its answers or its scores.

    One of the suite's dtype before any other; then the one that has most items; then the newest. Items and
    not rows: a score of a former metric version is a row more, and no answer more.
    """

    def rank(engine: str) -> tuple[bool, int, str, str]:
        own = rows[rows["engine"] == engine]
        return dtype in engine.split("/"), own["item"].nunique(), str(own["run"].max()), engine

    return max(map(str, rows["engine"].unique()), key=rank)


def _is(frame: pd.DataFrame, items: Sequence[str], settings: Sequence[str]) -> pd.Series[bool]:
    return frame["item"].isin(items) & frame["setting"].isin(settings)


def _weights(asked: Ask) -> dict[str, dict[str, float]]:
    counts: dict[str, Callable[[str], int]] = {
        "bytes": lambda text: len(text.encode("utf-8")),
        "words": count_words,
    }
    found: dict[str, dict[str, float]] = {unit: {} for unit in counts}
    for unit, count in counts.items():
        for group in ("heldout", "other", "train"):
            sizes = {d.id: count(d.text) for d in asked.documents if d.set.partition(":")[0] == group}
            mean = sum(sizes.values()) / max(1, len(sizes))
            found[unit] |= {item: size / mean for item, size in sizes.items() if mean}
    return found


def _token_weights(
    asked: Ask, variants: Sequence[Variant], engines: Mapping[str, str], store: Store
) -> dict[str, dict[str, float]]:
    """Tokens of each held-out document by the variant's own tokenizer, over their mean in the set."""
    if not variants:
        return {}
    documents = [d.id for d in asked.documents if d.set == "heldout"]
    digests = [v.digest for v in variants]
    frame = store.read("likelihoods", protocol=[asked.protocol], item=documents, variant_digest=digests)
    found = {}
    for variant in variants:
        own = frame[(frame["variant_digest"] == variant.digest) & (frame["context"] == "raw")]
        own = own[own["engine"] == engines[variant.name]]
        sizes = own.groupby("item")["n_tokens"].last().astype(float)
        found[variant.name] = {str(item): float(n) for item, n in (sizes / sizes.mean()).items()}
    return found


def summarise(table: Table, variant: str, metric: str) -> Summary:
    """One metric of one variant: its mean (pooled for bits per byte) and 95 % interval.

    An answer that is invalid and copied nothing is left out of what was copied, as in ``gates``.
    """
    found = telling_values(table, variant, metric)
    task = table.task_of.get(metric, "")
    if metric in POOLED_VERSIONS:
        parts = {name: table.of(variant, name).get(POOLED, math.nan) for name in (metric, *added(metric))}
        note = table.notes.get(variant, {}).get(metric, {}).get(POOLED, "")
        return pooled_summary(variant, task, metric, parts, note)
    finite = {item: value for item, value in found.items() if not math.isnan(value)}
    nothing = Interval(math.nan, math.nan)
    if not finite:
        remarks = table.notes.get(variant, {}).get(metric, {})
        reason = next(iter(remarks.values()), "no valid answers" if found else "not run for this variant")
        return Summary(variant, task, metric, math.nan, nothing, 0, reason)
    items = sorted(finite)
    weights = np.array([weight(table, variant, metric, item) for item in items])
    values = np.array([finite[item] for item in items])
    array = averaged_as(metric, values) * weights / weights.mean()
    if (metric in RATES or metric in table.shares) and set(np.unique(array)) <= {0.0, 1.0}:
        interval = wilson(int(array.sum()), len(array))
    else:
        interval = bootstrap_interval(array)
    mean = float(array.mean())
    mean, interval = as_measured(metric, mean), Interval(*(as_measured(metric, end) for end in interval))
    missing = len(found) - len(finite)
    note = f"{missing} of {len(found)} without a value" if missing else ""
    return Summary(variant, task, metric, mean, interval, len(array), note)


def telling_values(table: Table, variant: str, metric: str) -> dict[str, float]:
    """Item -> value, NaN where an invalid answer copied nothing: that is no merit; what is pasted counts."""
    values = dict(table.of(variant, metric))
    if metric not in FREE_TO_AN_INVALID_ANSWER:
        return values
    invalid = table.of(variant, "invalid")
    return {item: math.nan if v == 0 and invalid.get(item) == 1 else v for item, v in values.items()}


def weight(table: Table, variant: str, metric: str, item: str) -> float:
    """How much an item counts in a variant's mean of a metric."""
    unit = POOLED_BY.get(metric, "")
    units = table.tokens.get(variant, {}) if unit == "tokens" else table.weights.get(unit, {})
    return units.get(item, 1.0)


def averaged_as(metric: str, values: np.ndarray) -> np.ndarray:
    """The values as they are averaged and subtracted: of perplexities their logarithms."""
    return np.log(values) if metric in PERPLEXITIES else values


def as_measured(metric: str, mean: float) -> float:
    """A mean of ``averaged_as`` in the metric's own unit again."""
    return math.exp(mean) if metric in PERPLEXITIES else mean


# ── gates ─────────────────────────────────────────────────────────────────────────────────────────


def gates(table: Table, asked: Ask, variant: str) -> list[Gate]:
    """Ceilings on rates, above the author's own; FAIL only where the whole interval is above.

    Copying is counted over answers that are valid or copied; where there is none, nothing can be told.
    """
    found = []
    for metric, allowance in sorted(asked.suite.gates.items()):
        if all(math.isnan(value) for value in table.of(variant, metric).values()):
            continue
        values, own = (
            [value for value in telling_values(table, name, metric).values() if not math.isnan(value)]
            for name in (variant, "author")
        )
        ceiling = allowance + (sum(own) / len(own) if own else 0.0)
        bad = round(sum(values))
        interval = wilson(bad, len(values))
        outcome = "FAIL" if interval.low > ceiling else "pass" if interval.high < ceiling else "needs n"
        rate = bad / len(values) if values else math.nan
        found.append(Gate(variant, metric, rate, interval, ceiling, len(values), outcome))  # type: ignore[arg-type]
    return found
