"""The lines of a report: a variant each, but training seeds of one recipe on one corpus as one.

    small@2, small@2+seed2, small@2+seed3  --mean over the seeds, prompt by prompt-->  small@2 · 3 seeds

The interval is over prompts. What another training run would give is told by the spread: the lowest and the
highest of the seeds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from harness import summaries
from harness.distances import Distance, distance
from harness.figures import NO_INTERVAL, Kind
from harness.measures import RATES
from harness.models import few_shot
from harness.pairing import Family, families
from harness.positions import positions
from harness.report_context import Line, Measure, kind_of
from harness.report_numbers import without_idle_interval
from harness.summaries import PERPLEXITIES, Table
from harness.types import Interval, Summary, Variant


@dataclass(frozen=True)
class Row:
    """One line of the page. ``members`` are the variants behind it: one, or the seeds of a family.

    ``note``: what a reader has to know of it, beside its name.
    """

    name: str
    kind: Kind
    members: tuple[str, ...]
    note: str = ""

    @property
    def seeds(self) -> tuple[str, ...]:
        """The members where they are several; empty for a variant that stands alone."""
        return self.members if len(self.members) > 1 else ()


def rows_of(variants: Sequence[Variant], table: Table) -> tuple[Row, ...]:
    """The rows of everybody who has scores, in the order of each family's first member."""
    return tuple(_row(family) for family in families([v for v in variants if v.name in table.values]))


def not_run(variants: Sequence[Variant], table: Table) -> tuple[str, ...]:
    """Names of the variants and controls of a suite that have no score, and so no row."""
    return tuple(variant.name for variant in variants if variant.name not in table.values)


def _row(family: Family) -> Row:
    members = tuple(variant.name for variant in family.variants)
    # A family's own name is mostly that of one member, which is a row too where the seeds are listed.
    name = family.name if len(members) == 1 else f"{family.name} ·\u00a0{len(members)}\u00a0seeds"
    first = family.variants[0]
    return Row(name, kind_of(first), members, few_shot.LABEL if few_shot.shown_to(first) else "")


def joined(table: Table, rows: Sequence[Row]) -> Table:
    """The table with every family as one more variant."""
    values, notes, tokens = dict(table.values), dict(table.notes), dict(table.tokens)
    for row in rows:
        if not row.seeds:
            continue
        metrics = sorted(set().union(*(table.values[member] for member in row.seeds)))
        values[row.name] = {
            m: averaged([summaries.telling_values(table, seed, m) for seed in row.seeds], m) for m in metrics
        }
        notes[row.name] = {
            m: {i: note for seed in row.seeds for i, note in table.notes.get(seed, {}).get(m, {}).items()}
            for m in metrics
        }
        # Seeds have one base, and so one tokenizer.
        tokens[row.name] = next((table.tokens[seed] for seed in row.seeds if seed in table.tokens), {})
    return replace(table, values=values, notes=notes, tokens=tokens)


def averaged(seeds: Sequence[Mapping[str, float]], metric: str = "") -> dict[str, float]:
    """Item -> mean over the seeds that have a value there; NaN where none has.

    Perplexities by their logarithms, as everywhere.
    """
    found = {}
    for item in sorted(set().union(*seeds)):
        known = [value for seed in seeds if not math.isnan(value := seed.get(item, math.nan))]
        if not known:
            found[item] = math.nan
        elif metric in PERPLEXITIES:
            found[item] = float(np.exp(np.mean(np.log(known))))
        else:
            found[item] = float(np.mean(known))
    return found


def measure_of(summary: Summary) -> Measure:
    """A summary as a cell."""
    cell = Measure(summary.value, summary.interval, summary.n, summary.note)
    return cell if summary.metric in RATES else without_idle_interval(cell, summary.n)


class Sheet:
    """The numbers of one page, each worked out once: value, interval, spread of the seeds, position."""

    def __init__(
        self, table: Table, rows: Sequence[Row], train: Mapping[str, np.ndarray] = MappingProxyType({})
    ) -> None:
        """``train``: the author's train passages by metric, for those that have a distance to him."""
        self._train = train
        self.rows = {row.name: row for row in rows}
        self.names = (*self.rows, *(seed for row in rows for seed in row.seeds))
        self.table = joined(table, rows)
        self._cells: dict[tuple[str, str], Measure] = {}
        self._places: dict[str, Mapping[str, float]] = {}

    def cell(self, name: str, metric: str) -> Measure:
        """One metric of a row or of one seed."""
        if (name, metric) not in self._cells:
            measure = measure_of(summaries.summarise(self.table, name, metric))
            place = self.places(metric).get(name, math.nan)
            more: dict[str, Any] = {
                "spread": self._spread(name, metric),
            }
            apart = self._distance(name, metric)
            more |= {
                "distance": apart.value,
                "distance_interval": apart.interval,
                "distance_note": apart.note,
            }
            self._cells[name, metric] = replace(measure, position=place, **more)
        return self._cells[name, metric]

    def line(self, name: str, metrics: Sequence[str]) -> Line:
        """A row with these metrics, and its seeds below it."""
        row = self.rows[name]
        members = tuple(
            Line(seed, row.kind, tuple(self.cell(seed, metric) for metric in metrics)) for seed in row.seeds
        )
        return Line(name, row.kind, tuple(self.cell(name, metric) for metric in metrics), row.note, members)

    def seed_values(self, name: str, metric: str) -> tuple[float, ...]:
        """The known values of a row's training seeds; empty for a variant that stands alone."""
        seeds = self.rows[name].seeds if name in self.rows else ()
        values = [self.cell(seed, metric).value for seed in seeds]
        return tuple(value for value in values if not math.isnan(value))

    def places(self, metric: str) -> Mapping[str, float]:
        """Name -> place between other authors (0) and the author (1); only those that have one.

        Empty where the interval of their difference holds 0: what is between two equal ends is nowhere.
        """
        if metric not in self._places:
            found = positions(self.table, self.names, metric, either_way=True)
            self._places[metric] = {p.variant: p.value for p in found if not math.isnan(p.value)}
        return self._places[metric]

    def _distance(self, name: str, metric: str) -> Distance:
        """How far from the author as a distribution; of training seeds the mean of theirs, no interval."""
        author = self.table.of("author", metric)
        if name == "author" or metric not in self._train or not author:
            return Distance(math.nan, NO_INTERVAL, 0)
        members = self.rows[name].members if name in self.rows else (name,)
        found = [distance(metric, self.table.of(m, metric), author, self._train) for m in members]
        n = min(one.n for one in found)
        reasons = [one.note for one in found if math.isnan(one.value)]
        value = float(np.mean([one.value for one in found]))
        interval = found[0].interval if len(found) == 1 else NO_INTERVAL
        return Distance(value, interval, n, reasons[0] if reasons else f"{n} prompts")

    def _spread(self, name: str, metric: str) -> Interval:
        values = self.seed_values(name, metric)
        return Interval(min(values), max(values)) if len(values) > 1 else NO_INTERVAL
