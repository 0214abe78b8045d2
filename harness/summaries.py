"""Scores -> what one variant is like: means with intervals, style position, gates.

    other authors (floor) |-----------o------|-> the author (ceiling)
                                 [low, high]       valid 96 %, copied 1 %

    P = (mean - floor) / (ceiling - floor)

The unit is the prompt (or held-out document), never the row: samples of one prompt are averaged first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from harness.measures import COPIED, NOT_APPLICABLE, RATES
from harness.plan import Ask, void_likelihoods
from harness.score import LIKELIHOOD_VERSIONS, answers_of, general_answers_of
from harness.statistics import bootstrap_interval, wilson
from harness.store import Store
from harness.text import count_words
from harness.types import Gate, Interval, Summary, Variant

if TYPE_CHECKING:
    import pandas as pd

POOLED_BY = {
    "bits_per_byte": "bytes", "bits_per_byte_in_template": "bytes", "bits_per_byte_others": "bytes",
    "bits_per_byte_train": "bytes", "byte_perplexity": "bytes", "word_perplexity": "words",
}  # fmt: skip
"""Metric -> the unit its documents are weighted by, so that the mean is the pooled value (sum over sum)."""

PERPLEXITIES = frozenset({"byte_perplexity", "word_perplexity", "token_perplexity"})
"""Averaged as logarithms: a pooled perplexity is exp of the pooled nats, not a mean of perplexities."""

_RESAMPLES = 4000


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

    def of(self, variant: str, metric: str) -> Mapping[str, float]:
        """Item -> value; empty where the variant has no such scores."""
        return self.values.get(variant, {}).get(metric, {})


def read_table(asked: Ask, variants: Iterable[Variant], store: Store) -> Table:
    """All scores of these variants under this suite, of one engine each (``chosen_engine``).

    An answer counts that the suite would draw today: ``samples`` taken down leaves the others out.
    """
    chosen = list(variants)
    frame = store.read("scores", reference=asked.reference.digest, variant_digest=[v.digest for v in chosen])
    prompts = frozenset(prompt.id for prompt in asked.prompts)
    answered = [task for task in asked.tasks if task.metadata.needs == "responses"]
    expected = {metric: prompts for task in answered for metric in task.metrics}
    if len(frame):
        answer = _is(frame, [p.id for p in asked.prompts], [asked.setting])
        answer &= frame["key"].isin(answers_of(asked, chosen, store)["key"])
        general = _is(frame, [p.id for p in asked.general], [asked.general_setting])
        general &= frame["key"].isin(general_answers_of(asked, chosen, store)["key"])
        documents = [d.id for d in asked.documents]
        likelihood = _is(frame, documents, [asked.protocol, asked.template_protocol])
        frame = frame[answer | general | likelihood]
        inapplicable = frame["note"].str.startswith(NOT_APPLICABLE)
        for metric, part in frame[inapplicable].groupby("metric"):
            expected[str(metric)] = expected.get(str(metric), prompts) - set(part["item"])
        frame = frame[~inapplicable]
    task_of = {metric: task.name for task in asked.tasks for metric in task.metrics}
    values: dict[str, dict[str, dict[str, float]]] = {}
    notes: dict[str, dict[str, dict[str, str]]] = {}
    engines: dict[str, str] = {}
    versions: dict[tuple[str, str], str] = {}
    for variant in chosen:
        own = frame[frame["variant_digest"] == variant.digest] if len(frame) else frame
        if not len(own):
            continue
        engines[variant.name] = chosen_engine(own, asked.suite.dtype)
        own = own[own["engine"] == engines[variant.name]]
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
    return Table(values, notes, engines, versions, task_of, _weights(asked), expected)


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


def summarise(table: Table, variant: str, metric: str) -> Summary:
    """One metric of one variant: its mean (pooled for bits per byte) and 95 % interval."""
    found = table.of(variant, metric)
    task = table.task_of.get(metric, "")
    finite = {item: value for item, value in found.items() if not math.isnan(value)}
    nothing = Interval(math.nan, math.nan)
    if not finite:
        remarks = table.notes.get(variant, {}).get(metric, {})
        reason = next(iter(remarks.values()), "not run for this variant")
        return Summary(variant, task, metric, math.nan, nothing, 0, reason)
    items = sorted(finite)
    weights = np.array([weight(table, metric, item) for item in items])
    values = np.array([finite[item] for item in items])
    array = (np.log(values) if metric in PERPLEXITIES else values) * weights / weights.mean()
    if metric in RATES and set(np.unique(array)) <= {0.0, 1.0}:
        interval = wilson(int(array.sum()), len(array))
    else:
        interval = bootstrap_interval(array)
    mean = float(array.mean())
    if metric in PERPLEXITIES:
        mean, interval = math.exp(mean), Interval(*(math.exp(end) for end in interval))
    missing = len(found) - len(finite)
    note = f"{missing} of {len(found)} without a value" if missing else ""
    return Summary(variant, task, metric, mean, interval, len(array), note)


def weight(table: Table, metric: str, item: str) -> float:
    """How much an item counts in the mean of a metric."""
    return table.weights.get(POOLED_BY.get(metric, ""), {}).get(item, 1.0)


# ── the style position ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Position:
    """Where a variant's prose stands between other authors (0) and the author (1)."""

    variant: str
    value: float
    interval: Interval
    note: str = ""


def positions(
    table: Table, variants: Sequence[str], metric: str = "authorship_logit", *, either_way: bool = False
) -> list[Position]:
    """Style positions, intervals by bootstrap over prompts; NaN with a reason where it cannot be told.

    Floor: the mean over the other authors' controls, each left out of the fit that scored it. ``either_way``
    is for metrics of which the author may have less than the others. A side without a row for a prompt has
    none, for what it would have said there is not known; a row without a value is only left out.
    """
    floors = sorted(name for name in table.values if name.startswith("other:"))
    items = sorted(set(table.of("author", metric)).union(*(table.of(name, metric) for name in floors)))
    if not items or not floors:
        reason = "needs the controls author and other:*"
        return [Position(v, math.nan, Interval(math.nan, math.nan), reason) for v in variants]
    wanted = table.asked.get(metric, frozenset()).union(items)
    short = {name: _lacks(table, name, metric, wanted) for name in ("author", *floors, *variants)}
    ends = next((short[name] for name in ("author", *floors) if short[name]), "")
    draw = np.random.default_rng(0).integers(0, len(items), size=(_RESAMPLES, len(items)))
    author = _resampled(table.of("author", metric), items, draw)
    floor_parts = [_resampled(table.of(name, metric), items, draw) for name in floors]
    floor = Resampled(
        float(np.mean([part.mean for part in floor_parts])),
        np.mean([part.means for part in floor_parts], axis=0),
    )
    span = author.means - floor.means
    least, most = (float(end) for end in np.percentile(span, [2.5, 97.5]))
    decided = least > 0 or (either_way and most < 0)
    found = []
    for variant in variants:
        if ends or (short[variant] and table.of(variant, metric)):
            found.append(Position(variant, math.nan, Interval(math.nan, math.nan), ends or short[variant]))
            continue
        own = _resampled(table.of(variant, metric), items, draw)
        if not decided or math.isnan(own.mean):
            copied = COPIED in table.notes.get(variant, {}).get(metric, {}).values()
            reason = "no valid answers that are not copied" if copied else "no valid answers"
            reason = reason if decided else "cannot tell: author and others are not told apart"
            found.append(Position(variant, math.nan, Interval(math.nan, math.nan), reason))
            continue
        value = (own.mean - floor.mean) / (author.mean - floor.mean)
        places = np.divide(own.means - floor.means, span, out=np.full(len(span), math.nan), where=span != 0)
        low, high = np.nanpercentile(places, [2.5, 97.5])
        note = "closer than the author: no credit" if value > 1 + 1e-9 else ""
        found.append(Position(variant, value, Interval(float(low), float(high)), note))
    return found


def _lacks(table: Table, variant: str, metric: str, wanted: Set[str]) -> str:
    """How many of these prompts a variant has no row for, as a reason; empty where it has all."""
    missing = len(wanted - table.of(variant, metric).keys())
    return f"{variant} lacks {missing:,} of {len(wanted):,}" if missing else ""


@dataclass(frozen=True)
class Resampled:
    """A mean over prompts and the same mean over each resample of them, shape (resamples,)."""

    mean: float
    means: np.ndarray


def _resampled(values: Mapping[str, float], items: Sequence[str], draw: np.ndarray) -> Resampled:
    array = np.array([values.get(item, math.nan) for item in items])
    if np.isnan(array).all():
        return Resampled(math.nan, np.full(len(draw), math.nan))
    taken = array[draw]
    there = ~np.isnan(taken)
    counts = there.sum(axis=1)
    sums = np.where(there, taken, 0.0).sum(axis=1)
    means = np.divide(sums, counts, out=np.full(len(draw), math.nan), where=counts > 0)
    return Resampled(float(np.nanmean(array)), means)


def ranking(found: Sequence[Position], failed: Iterable[str]) -> list[Position]:
    """Positions from best to worst: capped at 1, and no variant that fails a gate above one that passes."""
    barred = set(failed)

    def rank(position: Position) -> tuple[bool, bool, float, bool]:
        known = not math.isnan(position.value)
        capped = min(position.value, 1.0) if known else 0.0
        return (position.variant in barred, not known, -capped, position.variant != "author")

    return sorted(found, key=rank)


# ── gates ─────────────────────────────────────────────────────────────────────────────────────────


def gates(table: Table, asked: Ask, variant: str) -> list[Gate]:
    """Ceilings on rates, above the author's own; FAIL only where the whole interval is above."""
    found = []
    for metric, allowance in sorted(asked.suite.gates.items()):
        values = [value for value in table.of(variant, metric).values() if not math.isnan(value)]
        if not values:
            continue
        own = [value for value in table.of("author", metric).values() if not math.isnan(value)]
        ceiling = allowance + (sum(own) / len(own) if own else 0.0)
        bad = round(sum(values))
        interval = wilson(bad, len(values))
        outcome = "FAIL" if interval.low > ceiling else "pass" if interval.high < ceiling else "needs n"
        found.append(Gate(variant, metric, bad / len(values), interval, ceiling, len(values), outcome))  # type: ignore[arg-type]
    return found
