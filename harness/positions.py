"""Scores -> where a variant's prose stands between other authors and the author, and who comes first.

    other authors (floor) |-----------o------|-> the author (ceiling)
                                 [low, high]

    P = (mean - floor) / (ceiling - floor)

Intervals are from resamples of prompts, the same ones for everybody, so that a variant, the floor and the
ceiling move together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np

from harness.measures import COPIED
from harness.pooled import POOLED_VERSIONS
from harness.summaries import Table, summarise
from harness.types import Interval

_RESAMPLES = 4000


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
    if metric in POOLED_VERSIONS:
        # One value a variant, which no resample of prompts can tell from chance: its own interval does.
        ends_of = summarise(table, "author", metric).interval
        decided = decided and not ends_of.low <= floor.mean <= ends_of.high
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
