"""Candidate minus baseline, prompt by prompt; and the prompts that lost most.

scores of both sides --same prompt, turned so that higher is better--> d of each prompt
an answer that became invalid, then d in margins, most negative first --> what fell most
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness import summaries
from harness.likelihood_scores import LIKELIHOOD_VERSIONS
from harness.pairing import Pair
from harness.plan import Ask
from harness.summaries import Table
from harness.types import Direction, Prompt

FELL_MOST = 3
"""How many prompts are named: enough to go and read."""

_WORDS_SHOWN = 6


@dataclass(frozen=True)
class Differences:
    """One metric of several pairs: ``by_item`` has a d for each pair of a prompt, NaN left out.

    ``baseline`` and ``candidate`` have a value for each d, as it is averaged: of a perplexity its logarithm.
    ``units``: how many there would be, had every prompt a value on both sides of every pair.
    """

    by_item: Mapping[str, tuple[float, ...]]
    baseline: tuple[float, ...]
    candidate: tuple[float, ...]
    units: int

    @property
    def per_prompt(self) -> np.ndarray:
        """One d a prompt, pairs averaged, in the order of the prompts' ids; shape (n,)."""
        found = [float(np.mean(d)) for _, d in sorted(self.by_item.items()) if not np.isnan(d).any()]
        return np.array(found)

    @property
    def valid(self) -> int:
        """How many of the units have a d."""
        return sum(not math.isnan(d) for of_item in self.by_item.values() for d in of_item)


def differences(metric: str, direction: Direction, pairs: Sequence[Pair], table: Table) -> Differences:
    """d of every prompt (or held-out document) with a value on both sides; pooled metrics are weighted.

    An invalid answer that copied nothing has no value there; one that was pasted stays copied. Of a
    perplexity d is a difference of logarithms, and so the same as of the nats a unit.
    """
    by_item: dict[str, list[float]] = {}
    old: list[float] = []
    new: list[float] = []
    units = 0
    for p in pairs:
        base, other = (summaries.telling_values(table, v.name, metric) for v in (p.baseline, p.candidate))
        items = sorted(set(base) | set(other))
        units += len(items)
        shared = [
            i for i in items if not (math.isnan(base.get(i, math.nan)) or math.isnan(other.get(i, math.nan)))
        ]
        if not shared:
            continue
        b = _averaged(table, p.baseline.name, metric, base, shared)
        c = _averaged(table, p.candidate.name, metric, other, shared)
        author = table.of("author", metric)
        for item, one, two in zip(shared, b, c, strict=True):
            by_item.setdefault(item, []).append(turned(one, two, direction, author.get(item)))
        old += b
        new += c
    return Differences({item: tuple(found) for item, found in by_item.items()}, tuple(old), tuple(new), units)


def _averaged(
    table: Table, variant: str, metric: str, values: Mapping[str, float], items: Sequence[str]
) -> list[float]:
    """A side's values whose plain mean is what ``summaries.summarise`` takes for these items."""
    weights = np.array([summaries.weight(table, variant, metric, item) for item in items])
    found = summaries.averaged_as(metric, np.array([values[item] for item in items]))
    return [float(value) for value in found * weights / weights.mean()]


def turned(baseline: float, candidate: float, direction: Direction, author: float | None) -> float:
    """Candidate minus baseline so that higher is better; toward the author = closer to his own answer."""
    if direction == "higher":
        return candidate - baseline
    if direction == "lower":
        return baseline - candidate
    if author is None or math.isnan(author):
        return math.nan
    return abs(baseline - author) - abs(candidate - author)


# ── what fell most ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Fallen:
    """A prompt on which the candidate lost: ``loss`` in margins of ``metric``, infinite for an answer that
    became invalid; ``why`` is empty where nothing but the number is known.
    """

    item: str
    words: str
    metric: str
    loss: float
    why: str = ""


def fell_most(
    asked: Ask,
    pairs: Sequence[Pair],
    table: Table,
    most: int = FELL_MOST,
    unfit: Collection[str] = (),
) -> tuple[Fallen, ...]:
    """The prompts that lost most on a primary, at least one margin; the worst first, each named once.

    ``unfit``: metrics that decide nothing on this author, and name nobody.
    """
    directions = {metric: way for task in asked.tasks for metric, way in task.directions.items()}
    worst: dict[str, Fallen] = {}
    for metric in asked.suite.primaries:
        margin = asked.reference.margins.get(metric, math.nan)
        if metric in LIKELIHOOD_VERSIONS or metric not in directions or metric in unfit or not margin > 0:
            continue
        by_item = differences(metric, directions[metric], pairs, table).by_item
        for prompt in asked.prompts:
            reasons = _became_invalid(prompt, pairs, table)
            d = [value for value in by_item.get(prompt.id, ()) if not math.isnan(value)]
            loss = math.inf if reasons else -sum(d) / len(d) / margin if d else 0.0
            before = worst.get(prompt.id)
            if loss >= 1 and (before is None or loss > before.loss):
                why = ", ".join(reasons) or ("copied" if metric == "copied" else "")
                worst[prompt.id] = Fallen(prompt.id, first_words(prompt), metric, loss, why)
    return tuple(sorted(worst.values(), key=lambda fallen: (-fallen.loss, fallen.item))[:most])


def _became_invalid(prompt: Prompt, pairs: Sequence[Pair], table: Table) -> list[str]:
    """Why the candidates' answers are invalid where the baselines' are not; empty where they are not."""
    reasons: list[str] = []
    for p in pairs:
        was, now = (table.of(v.name, "invalid").get(prompt.id) for v in (p.baseline, p.candidate))
        if was == 0 and now == 1:
            note = table.notes.get(p.candidate.name, {}).get("invalid", {}).get(prompt.id, "invalid")
            reasons += [reason.replace("_", "-") for reason in note.removeprefix("invalid: ").split(", ")]
    return list(dict.fromkeys(reasons))


def first_words(prompt: Prompt) -> str:
    """What tells a prompt from the others: the first words of a question, or of the text to be continued."""
    _, separator, given = prompt.text.partition("\n")
    said = (given if separator and given.strip() else prompt.text).split()
    return " ".join(said[:_WORDS_SHOWN]) + (" ..." if len(said) > _WORDS_SHOWN else "")
