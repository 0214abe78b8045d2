"""Which verdicts can a suite reach? Told before anything is computed, from its n, margins and spreads.

    SD of d --n, the family's alpha--> smallest difference that is found --within the margin?--> yes | needs n

    spread of d    pairs of variants stored here, largest SD    else, said as an assumption:
                   bits per byte, gain     what the demo measured, between adapters and against their base
                   authorship              what the audit says of the author's passages (at most)
                   other style             SD of the author's own answers, or five margins (at most)
    a rate         an exact test: how often enough prompts differ, all one way, to be found

The figures of human passages are upper ones: two answers to one prompt vary together, and differ less.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.audit import ALPHA as AUDITED_ALPHA
from harness.audit import PRIMARIES as AUDITED_PRIMARIES
from harness.differences import differences
from harness.likelihood_scores import LIKELIHOOD_VERSIONS
from harness.looks import Unit
from harness.measures import RATES
from harness.models import few_shot
from harness.pairing import Pair
from harness.plan import Ask
from harness.power import fewest_discordant, prompts_for_discordant, prompts_for_none, rate_detectable
from harness.statistics import minimal_detectable_effect, sample_size
from harness.summaries import Table
from harness.telling import ALPHA, name_of
from harness.trust import JUDGED, median_words, stored_rows, unfit_notes
from harness.types import Variant

FEWEST_STORED = 12
MOST_PAIRS = 10

ADAPTERS, BASE = "two adapters of one base", "an adapter against its base"
ASSUMED: Mapping[str, Mapping[str, float]] = {
    "bits_per_byte": {ADAPTERS: 0.006, BASE: 0.028},
    "author_specific_gain": {ADAPTERS: 0.007, BASE: 0.031},
}
"""SD of d over 60 documents of 150 words, as the demo measured it (tests/benchmarks/README.md)."""


@dataclass(frozen=True)
class Spread:
    """How much d varies from unit to unit (its SD, in the metric's unit), and where that is from."""

    sd: float
    source: str


@dataclass(frozen=True)
class Reach:
    """Whether ``n`` units can find a difference of one ``margin`` with power .8, in the metric's unit.

    ``detectable`` is the smallest that they find (NaN: none), ``needed`` the n that finds a margin. ``unfit``
    says why a metric decides nothing on this author whatever n is.
    """

    metric: str
    primary: bool
    n: int
    unit: Unit
    margin: float
    detectable: float
    needed: int
    source: str
    unfit: str = ""

    @property
    def can(self) -> bool:
        """Whether a verdict is in reach."""
        return not self.unfit and self.needed <= self.n


def reaches(asked: Ask, variants: Sequence[Variant], table: Table) -> list[Reach]:
    """The primaries in the suite's order, each as often as there are assumptions, then other style metrics.

    ``table`` may be empty: then everything rests on assumptions. Metrics without a margin are left out.
    """
    directions = {metric: way for task in asked.tasks for metric, way in task.directions.items()}
    models = [v.name for v in variants if v.kind != "control"]
    length = median_words([table.of(name, "words") for name in models], asked.reference)
    unfit = unfit_notes(asked.reference, list(directions), length)
    margins = asked.reference.margins
    primaries = [m for m in asked.suite.primaries if m in directions and margins.get(m, 0) > 0]
    style = [m for m in directions if m in JUDGED and m not in primaries and margins.get(m, 0) > 0]
    family = max(1, sum(m not in unfit for m in primaries))
    found = []
    for metric in [*primaries, *style]:
        spreads = [] if metric in RATES else stored_spreads(asked, metric, variants, table)
        spreads = spreads or ([] if metric in RATES else assumed_spreads(asked, metric, table, length))
        primary = metric in primaries
        alpha = ALPHA / (family if primary else 1)
        for spread in spreads[: None if primary else 1] or [Spread(math.nan, "an exact test")]:
            found.append(replace(_reach(asked, metric, spread, alpha, primary), unfit=unfit.get(metric, "")))
    return found


def _reach(asked: Ask, metric: str, spread: Spread, alpha: float, primary: bool) -> Reach:
    unit: Unit = "blocks" if metric in LIKELIHOOD_VERSIONS else "prompts"
    n = sum(d.set == "heldout" for d in asked.documents) if unit == "blocks" else len(asked.prompts)
    alpha /= asked.suite.n_looks(unit)
    margin = asked.reference.margins[metric]
    if metric in RATES:
        discordant = fewest_discordant(alpha)
        detectable = rate_detectable(discordant, n)
        needed = prompts_for_discordant(discordant, margin)
        none = prompts_for_none(margin)
        source = f"{discordant} prompts that differ, all one way; same from {none:,} if still none"
    else:
        detectable = minimal_detectable_effect(spread.sd, n, alpha=alpha)
        needed, source = sample_size(spread.sd, margin, alpha=alpha), spread.source
    return Reach(metric, primary, n, unit, margin, detectable, needed, source)


# ── how much the differences vary ─────────────────────────────────────────────────────────────────


def stored_spreads(asked: Ask, metric: str, variants: Sequence[Variant], table: Table) -> list[Spread]:
    """The largest SD of d among stored pairs: between adapters of one base, and against their base."""
    directions = {m: way for task in asked.tasks for m, way in task.directions.items()}
    adapters = [v for v in variants if v.kind == "adapter"]
    bases = {v.base: v for v in variants if v.kind == "base" and not few_shot.shown_to(v)}
    kinds = {
        ADAPTERS: [Pair(a, b) for a, b in itertools.combinations(adapters, 2) if a.base == b.base],
        BASE: [Pair(bases[a.base], a) for a in adapters if a.base in bases],
    }
    found = []
    for kind, pairs in kinds.items():
        stored = [differences(metric, directions[metric], [p], table).per_prompt for p in pairs[:MOST_PAIRS]]
        sds = [float(np.std(d, ddof=1)) for d in stored if len(d) >= FEWEST_STORED]
        if sds and max(sds) > 0:
            found.append(Spread(max(sds), f"{kind}, stored"))
    return found


def assumed_spreads(asked: Ask, metric: str, table: Table, length: int) -> list[Spread]:
    """What is known without a pair of variants; of style an upper figure."""
    if metric in ASSUMED:
        return [Spread(sd, f"{kind}: assumed, as in the demo") for kind, sd in ASSUMED[metric].items()]
    reference, margin = asked.reference, asked.reference.margins[metric]
    twin = f"authorship_{reference.primary_classifier}" if metric == "authorship_logit" else metric
    audited = [row for row in stored_rows(reference) if row["metric"] == twin and row["needed"]]
    if audited:
        row = min(audited, key=lambda row: abs(math.log(row["words"] / max(1, length))))
        per_unit = minimal_detectable_effect(1.0, 1, alpha=AUDITED_ALPHA / AUDITED_PRIMARIES)
        sd = margin * math.sqrt(row["needed"]) / per_unit
        return [Spread(sd, f"at most: the audit at {row['words']} words")]
    own = np.array([value for value in table.of("author", metric).values() if math.isfinite(value)])
    if len(own) >= FEWEST_STORED and np.ptp(own) > 0:
        return [Spread(math.sqrt(2) * float(own.std(ddof=1)), "at most: the author's own answers")]
    # The margin is at least a fifth of the SD of the author's passages.
    return [Spread(math.sqrt(2) * 5 * margin, "at most: five margins")]


# ── in words ──────────────────────────────────────────────────────────────────────────────────────


def one_line(found: Sequence[Reach]) -> str:
    """``can decide (80 prompts, 60 blocks): bits per byte on unseen prose     cannot: MATTR (needs 950)``.

    A metric with several assumptions goes by the first.
    """
    first: dict[str, Reach] = {}
    for each in found:
        first.setdefault(each.metric, each)
    sizes = {each.unit: each.n for each in first.values()}
    told = ", ".join(f"{sizes[unit]:,} {unit}" for unit in sorted(sizes, reverse=True))
    able = [name_of(each.metric) for each in first.values() if each.primary and each.can]
    parts = [f"can decide ({told}): {', '.join(able) or 'nothing'}", cannot(list(first.values()))]
    return "     ".join(filter(None, parts))


def cannot(found: Sequence[Reach]) -> str:
    """``cannot: MATTR (needs 950), words in an answer (unfit)``; empty where everything is in reach."""
    short = {
        each.metric: "unfit" if each.unfit else f"needs {each.needed:,}" for each in found if not each.can
    }
    listed = ", ".join(f"{name_of(metric)} ({why})" for metric, why in short.items())
    return f"cannot: {listed}" if listed else ""
