"""Rule 1 of a comparison: what forbids setting two sides side by side on a metric, and which metrics decide.

    rows, engines, metric versions, prompts of both --obstacles--> reasons; none where they can be compared
    length of the answers, reference set --unfit_metrics--> metric -> why it decides nothing on this author

What takes numbers to tell, such as too few prompts valid in both, ``compare`` adds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.likelihood_scores import LIKELIHOOD_VERSIONS
from harness.pairing import Pair
from harness.plan import Ask, void_likelihoods
from harness.summaries import Table
from harness.trust import median_words, unfit_notes

WITHOUT_ENGINE = frozenset({"control", "recorded", ""})
"""Engines that drew nothing here, so that their answers can be set beside any other's."""


def unfit_metrics(asked: Ask, pairs: Sequence[Pair], table: Table, metrics: Sequence[str]) -> dict[str, str]:
    """Metric -> why it decides nothing on this author, in answers as long as those of the two sides."""
    sides = dict.fromkeys(v.name for p in pairs for v in (p.baseline, p.candidate))
    length = median_words([table.of(name, "words") for name in sides], asked.reference)
    return unfit_notes(asked.reference, metrics, length)


@dataclass(frozen=True)
class Obstacle:
    """``curable``: running or scoring the two sides again may take it away."""

    reason: str
    curable: bool = True


def obstacles(asked: Ask, p: Pair, metric: str, table: Table) -> list[Obstacle]:
    """Reasons why two sides cannot be compared on a metric at all."""
    base, new = table.of(p.baseline.name, metric), table.of(p.candidate.name, metric)
    expected = _expected(asked, metric)
    found: list[Obstacle] = []
    lacking = False
    for variant, values in ((p.baseline, base), (p.candidate, new)):
        absent = len(expected - set(values))
        if not values:
            why = void_likelihoods(variant) if metric in LIKELIHOOD_VERSIONS else ""
            found.append(Obstacle(f"{variant.name} has no {metric}" + (f": {why}" if why else ""), not why))
        elif absent:
            lacking = True
            found.append(Obstacle(f"{variant.name} lacks {absent} of {len(expected)}"))
    engines = {table.engines.get(v.name, "") for v in (p.baseline, p.candidate)} - WITHOUT_ENGINE
    if len(engines) > 1:
        found.append(Obstacle(f"engines differ: {' and '.join(sorted(engines))}"))
    if base and new and not lacking and set(base) != set(new):
        found.append(Obstacle(f"different prompts: {len(set(base) ^ set(new))} are on one side only"))
    versions = {table.metric_versions.get((v.name, metric), "") for v in (p.baseline, p.candidate)} - {""}
    if len(versions) > 1:
        found.append(Obstacle("metric versions differ"))
    return found


def _expected(asked: Ask, metric: str) -> frozenset[str]:
    """The prompts or held-out documents that a primary needs a row for, with a value or without."""
    if metric not in asked.suite.primaries:
        return frozenset()
    if metric in LIKELIHOOD_VERSIONS:
        return frozenset(d.id for d in asked.documents if d.set == "heldout")
    return frozenset(p.id for p in asked.prompts)
