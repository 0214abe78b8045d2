"""Pooled metrics from the tables: which answers are pooled, what they are held against, the rows they give.

answers that are valid and not copied --pooled.estimate--> one row a variant and metric, item ``pooled``
                                      --half_samples-----> the difference of two variants

The key of such a row is a digest of all the answers' keys: another set of answers is another score.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.measures import VERSIONS
from harness.metrics.delta import DeltaReference, pool_segments
from harness.plan import Ask
from harness.pooled import (
    IN_SEGMENTS,
    POOLED_VERSIONS,
    Difference,
    Side,
    estimate,
    half_samples,
    in_order,
)
from harness.reference import Reference, author_answer
from harness.text import complete, count_words, cut_at_sentence, digest
from harness.types import Interval, Score, Summary
from harness.yardsticks import Yardstick, make_yardstick

if TYPE_CHECKING:
    import pandas as pd

POOLED = "pooled"
"""The item of a pooled score, which is of no one prompt."""

LOW, HIGH, PROMPTS = "_low", "_high", "_prompts"
"""What is added to a pooled metric's name for the ends of its interval and the prompts it rests on."""

JUDGED_BY = ("invalid", "copied")
"""Metrics that decide whether an answer is pooled; scored even where the suite lists no task of theirs."""

TRAIN_WORDS = 50_000
"""How much of the train prose makes a profile: the same for everybody, and tokenised in a second."""


def pooled_tasks(asked: Ask) -> dict[str, str]:
    """Pooled metric -> its task, in the order of the suite."""
    return {
        metric: task.name for task in asked.tasks if task.metadata.needs == POOLED for metric in task.metrics
    }


def added(metric: str) -> tuple[str, str, str]:
    """The names under which the ends of a metric's interval and its prompts are stored."""
    return metric + LOW, metric + HIGH, metric + PROMPTS


def pooled_key(metric: str, answer_keys: Iterable[str]) -> str:
    """What a pooled score is known by: the answers, what judged them, and the metric with its version."""
    judged_by = [[name, VERSIONS[name]] for name in JUDGED_BY]
    return digest([POOLED, metric, POOLED_VERSIONS[metric], judged_by, sorted(answer_keys)])


def pooled_keys(asked: Ask, answers: pd.DataFrame) -> set[str]:
    """The keys of the pooled scores that these answers have, of every variant and engine."""
    metrics = pooled_tasks(asked)
    if not metrics or not len(answers):
        return set()
    groups = [part["key"] for _, part in answers.groupby(["variant_digest", "engine"])]
    return {pooled_key(metric, keys) for keys in groups for metric in metrics}


def pooled_texts(answers: pd.DataFrame, scores: pd.DataFrame) -> dict[str, str]:
    """Prompt -> its valid, uncopied answers cut back to full sentences, several samples as one text."""
    judged = scores[scores["metric"].isin(JUDGED_BY)]
    current = judged["metric_version"] == judged["metric"].map(VERSIONS)
    verdicts: dict[str, dict[str, float]] = {}
    for row in judged[current].to_dict("records"):
        verdicts.setdefault(row["key"], {})[row["metric"]] = row["value"]
    good = dict.fromkeys(JUDGED_BY, 0.0)
    texts: dict[str, list[str]] = {}
    for row in answers.sort_values(["item", "sample"]).to_dict("records"):
        if verdicts.get(row["key"]) == good and count_words(text := complete(row["text"])):
            texts.setdefault(row["item"], []).append(text)
    return {item: "\n\n".join(found) for item, found in texts.items()}


def pooled_summary(variant: str, task: str, metric: str, values: Mapping[str, float], note: str) -> Summary:
    """A variant's stored value with its half-sample interval; ``values``: of the metric and its additions."""
    low, high = values.get(metric + LOW, math.nan), values.get(metric + HIGH, math.nan)
    known = values.get(metric + PROMPTS, math.nan)
    n = 0 if math.isnan(known) else round(known)
    value = values.get(metric, math.nan)
    return Summary(variant, task, metric, value, Interval(low, high), n, note or "not run for this variant")


# ── the yardsticks ────────────────────────────────────────────────────────────────────────────────


class Yardsticks:
    """What each variant is held against, made once and only when it is asked for."""

    def __init__(self, asked: Ask) -> None:
        self._asked = asked
        self._without: dict[str, Yardstick] = {}

    def of(self, variant: str) -> Yardstick:
        """The author's; of ``other:NAME`` with a Delta whose background he is left out of."""
        name = _other(variant)
        if not name:
            return self._common
        if name not in self._without:
            delta = background_without(self._asked.reference, name)
            self._without[name] = replace(self._common, delta=delta) if delta else self._common
        return self._without[name]

    def read(self, variant: str, texts: Mapping[str, str]) -> Side:
        """A variant's answers, each counted once."""
        yardstick = self.of(variant)
        return Side({item: yardstick.count(text) for item, text in texts.items()}, yardstick)

    def remark(self, variant: str) -> str:
        """Whether another author's own prose is in the background of his Delta; nothing of anybody else."""
        if not _other(variant):
            return ""
        inside = self.of(variant) is self._common
        return ", its own prose in the background" if inside else ", left out of the background"

    @functools.cached_property
    def _common(self) -> Yardstick:
        return yardstick_of(self._asked.reference, self._asked.max_words)


class Pools:
    """The texts of several variants, read when they are first compared."""

    def __init__(self, asked: Ask, texts: Mapping[str, Mapping[str, str]]) -> None:
        self._texts, self._yardsticks = texts, Yardsticks(asked)
        self._sides: dict[str, Side] = {}

    def difference(self, metric: str, pairs: Sequence[tuple[str, str]]) -> Difference:
        """``half_samples`` of (baseline, candidate) names."""
        for name in {name for both in pairs for name in both} - set(self._sides):
            self._sides[name] = self._yardsticks.read(name, self._texts.get(name, {}))
        return half_samples(metric, [(self._sides[one], self._sides[two]) for one, two in pairs])


def _other(variant: str) -> str:
    """The name in ``other:NAME``, which is ``other:NAME (suite)`` where two suites are compared."""
    return variant.removeprefix("other:").partition(" (")[0] if variant.startswith("other:") else ""


def yardstick_of(whose: Reference, max_words: int) -> Yardstick:
    """The author's, from train passages cut to the length of an answer, until there are 50,000 words."""
    passages = {passage.digest: passage.text for passage in whose.train}
    train, total = [], 0
    for item in in_order(passages):
        train.append(cut_at_sentence(passages[item], max_words))
        total += count_words(train[-1])
        if total >= TRAIN_WORDS:
            break
    heldout = [author_answer(prompt, max_words) for prompt in whose.prompts]
    return make_yardstick(train, heldout, whose.fitted.delta, whose.sentence_tokenizer)


def background_without(reference: Reference, name: str) -> DeltaReference | None:
    """Delta fitted as the reference set's is, but without one other author; None where no other is left."""
    left = [p.text for other, passages in reference.others.items() if other != name for p in passages]
    author = pool_segments([passage.text for passage in reference.train], min_total=0)
    around = pool_segments(left, min_total=0)
    if name not in reference.others or not author or not around:
        return None
    return DeltaReference.fit(author, [*author, *around])


# ── rows ──────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class PooledRow:
    """A score to store, and one of the answers it was made of: whose they are."""

    source: Mapping[str, Any]
    task: str
    score: Score


@dataclass(frozen=True)
class PooledRows:
    """What is to be stored, and how many metrics were there already."""

    rows: list[PooledRow]
    reused: int


def pooled_rows(asked: Ask, answers: pd.DataFrame, judged: pd.DataFrame, stored: Set[Any]) -> PooledRows:
    """Every pooled metric of each variant and engine that is not stored for exactly these answers.

    ``judged``: scores of the answers, by ``JUDGED_BY`` among others. ``stored``: (key, item, setting, metric,
    version) of the scores there are.
    """
    task_of = pooled_tasks(asked)
    if not task_of or not len(answers):
        return PooledRows([], 0)
    yardsticks = Yardsticks(asked)
    rows: list[PooledRow] = []
    reused = 0
    for _, own in answers.groupby(["variant_digest", "engine"]):
        missing = {}
        for metric in task_of:
            key = pooled_key(metric, own["key"])
            if (key, POOLED, asked.setting, metric, POOLED_VERSIONS[metric]) not in stored:
                missing[metric] = key
        reused += len(task_of) - len(missing)
        if not missing:
            continue
        source = {str(name): value for name, value in own.iloc[0].items()} | {"item": POOLED}
        side = yardsticks.read(source["variant"], pooled_texts(own, judged))
        for metric, key in missing.items():
            remark = yardsticks.remark(source["variant"]) if metric in IN_SEGMENTS else ""
            found = [
                PooledRow(source | {"key": key}, task_of[metric], s) for s in _scores(metric, side, remark)
            ]
            rows += found
    return PooledRows(rows, reused)


def _scores(metric: str, side: Side, remark: str) -> list[Score]:
    """A metric's value, and where it has one the ends of its interval and the prompts it rests on."""
    found, version = estimate(metric, side), POOLED_VERSIONS[metric]
    if math.isnan(found.value):
        return [Score(metric, version, found.value, found.note)]
    extra = {LOW: found.interval.low, HIGH: found.interval.high, PROMPTS: float(found.n)}
    scores = [Score(metric + name, version, value) for name, value in extra.items()]
    return [Score(metric, version, found.value, found.note + remark), *scores]
