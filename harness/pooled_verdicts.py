"""What a comparison says of a metric of all answers together: half-samples in place of a test.

texts of both sides, prompts valid in both --half_samples--> d, its interval --> a verdict that only reports
the author's and the others' own values --> margin = .25 |author - other authors|

It is never a primary: neither ``better`` nor ``WORSE`` is said of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.pairing import Pair
from harness.plan import Ask
from harness.pooled_scores import POOLED, Pools
from harness.summaries import Table
from harness.types import Direction, Interval, Outcome, Verdict

MARGIN_SHARE = 0.25
"""Of the way from other authors to the author, as the margins of metrics of single answers."""

_NORMAL_97_5 = 1.959964


@dataclass(frozen=True)
class Judged:
    """A verdict before the last rules, and the spread of one prompt's part in it: interval half-width
    / 1.96 * sqrt(n), so that what would decide can be told as of any mean.
    """

    verdict: Verdict
    sd: float


@dataclass(frozen=True)
class Fewest:
    """Under how many prompts a verdict only describes, and under which share valid in both it is none."""

    units: int
    share_valid: float


def pooled_margin(metric: str, table: Table) -> float:
    """.25 |author - mean of the other authors|, from their controls' own scores; NaN where one is missing."""
    author = table.of("author", metric).get(POOLED, math.nan)
    others = [table.of(name, metric).get(POOLED, math.nan) for name in table.values if _is_other(name)]
    return MARGIN_SHARE * abs(author - sum(others) / len(others)) if others else math.nan


def _is_other(name: str) -> bool:
    """``other:NAME``, but not ``other:NAME (suite)``, which is one of them once more."""
    return name.startswith("other:") and " (" not in name


def judge_pooled(
    asked: Ask,
    metric: str,
    direction: Direction,
    pairs: Sequence[Pair],
    table: Table,
    pools: Pools,
    reasons: Sequence[str],
    fewest: Fewest,
) -> Judged:
    """Rules 1 and 2 of a pooled metric; ``reasons``: why the two sides cannot be compared at all."""
    found = pools.difference(metric, [(p.baseline.name, p.candidate.name) for p in pairs])
    why = list(dict.fromkeys(reasons))
    if not why and math.isnan(found.difference):
        why.append(found.note)
    if not why and found.n < fewest.share_valid * len(asked.prompts):
        why.append(f"only {found.n} of {len(asked.prompts)} prompts are valid in both")
    if not why and math.isnan(found.interval.low):
        why.append("too little text for an interval")
    outcome: Outcome = "not comparable" if why else "inconclusive"
    if not why and found.n < fewest.units:
        outcome = "descriptive"
    low, high = (math.nan, math.nan) if why else found.interval
    sign = 1 if direction == "higher" else -1
    turned = Interval(low, high) if sign == 1 else Interval(-high, -low)
    verdict = Verdict(
        metric=metric,
        task=table.task_of.get(metric, ""),
        outcome=outcome,
        primary=False,
        baseline=found.baseline,
        candidate=found.candidate,
        difference=sign * found.difference,
        interval=turned,
        p_holm=math.nan,
        n=found.n,
        unit="prompts",
        margin=pooled_margin(metric, table),
        detectable=math.nan,
        needed=0,
        note="; ".join(why) or found.note,
    )
    return Judged(verdict, (high - low) / 2 / _NORMAL_97_5 * math.sqrt(found.n))
