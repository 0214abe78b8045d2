"""``stylobench compare``: is the candidate better than the baseline, worse, the same, or can nobody tell?

d = candidate - baseline for each prompt valid in both, turned so that higher is better; m = margin from the
reference set; e = max(m, spread between training seeds), infinite where a pair differs by the seed only: of
two seeds the spread is their own difference. First rule that applies:

    1 not comparable   something else differs, or under 80 % of prompts are valid in both
    2 descriptive      under 12 prompts or blocks
    3 better           Holm p < .05 and mean >= e          primaries only
    4 WORSE            Holm p < .05 and mean <= -e         primaries only
    5 decline          U < 0            6 slight gain      L > 0
    7 same             -m < L, U < m    8 not worse        L > -m
    9 inconclusive     with the effect that could be seen and the n that would decide

A rate needs six prompts that differ before rules 5 and 6 apply: with fewer no exact test reaches 5 %, and
the bootstrap of so few is degenerate. Where a suite declares several looks, p is taken times their number.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness import summaries
from harness.differences import Fallen, differences, fell_most
from harness.errors import EXIT_INCOMPLETE, EXIT_OK, EXIT_REGRESSION
from harness.measures import RATES
from harness.pairing import Pair
from harness.plan import Ask
from harness.score import LIKELIHOOD_VERSIONS
from harness.statistics import UNKNOWN, holm, minimal_detectable_effect, paired_test, sample_size
from harness.summaries import Table
from harness.telling import ALPHA, sentence
from harness.telling import headlines as headlines
from harness.telling import name_of as name_of
from harness.types import Direction, Gate, Outcome, Verdict

FEWEST_UNITS = 12
FEWEST_VALID = 0.8
FEWEST_DISCORDANT = 6
"""The sign test of 5 that all go one way has p = 2/32 = .0625, of 6 it has 2/64 = .031 (Dixon, Mood 1946)."""

FAILS_BY_DEFAULT = frozenset({"WORSE", "FAIL"})
"""What exits with 3 unless the user says otherwise."""

WITHOUT_ENGINE = frozenset({"control", "recorded", ""})
"""Engines that drew nothing here, so that their answers can be set beside any other's."""

MARKS: Mapping[Outcome, str] = {
    "better": "+", "WORSE": "!", "decline": "-", "slight gain": "+", "same": "=", "not worse": "=",
    "inconclusive": "~", "descriptive": "~", "not comparable": "x",
}  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """Verdicts (primaries first), the candidates' gates, and the one sentence that says it."""

    pairs: tuple[Pair, ...]
    verdicts: tuple[Verdict, ...]
    gates: tuple[Gate, ...]
    sentence: str
    exit_code: int
    fell: tuple[Fallen, ...] = ()


# ── verdicts ──────────────────────────────────────────────────────────────────────────────────────


def compare(
    asked: Ask, pairs: Sequence[Pair], table: Table, spreads: Mapping[str, float] | None = None
) -> Comparison:
    """Verdicts of every metric of the suite over the pairs, gates of the candidates, one sentence."""
    directions = {metric: way for task in asked.tasks for metric, way in task.directions.items()}
    drafts = [
        _judge(asked, metric, directions[metric], pairs, table, (spreads or {}).get(metric, 0.0))
        for metric in directions
    ]
    primaries = [draft for draft in drafts if draft.verdict.primary]
    tested = [draft for draft in primaries if not math.isnan(draft.p)]
    adjusted = dict(zip([d.verdict.metric for d in tested], holm([d.p for d in tested]), strict=True))
    family = max(1, len(tested))
    verdicts = [_decide(draft, adjusted.get(draft.verdict.metric, math.nan), family) for draft in drafts]
    verdicts.sort(key=lambda v: (not v.primary, _order(asked, v.metric)))
    checked = [gate for p in pairs for gate in summaries.gates(table, asked, p.candidate.name)]
    return Comparison(
        pairs=tuple(pairs),
        verdicts=tuple(verdicts),
        gates=tuple(checked),
        sentence=sentence(pairs, verdicts, checked),
        exit_code=exit_code(verdicts, checked),
        fell=fell_most(asked, pairs, table),
    )


@dataclass(frozen=True)
class _Draft:
    """A verdict before the family is known: its p value (times ``looks``), effect threshold and per-unit SD.

    ``discordant``: prompts on which the two sides of a rate differ; None for what is no rate.
    """

    verdict: Verdict
    p: float
    threshold: float
    sd: float
    discordant: int | None = None
    looks: int = 1

    @property
    def too_few_differ(self) -> bool:
        """Whether a rate rests on fewer discordant prompts than could show anything."""
        return self.discordant is not None and self.discordant < FEWEST_DISCORDANT


def _judge(
    asked: Ask, metric: str, direction: Direction, pairs: Sequence[Pair], table: Table, spread: float
) -> _Draft:
    found = differences(metric, direction, pairs, table)
    reasons = [reason for p in pairs for reason in _obstacles(asked, p, metric, table)]
    d, n, valid, units = found.per_prompt, len(found.per_prompt), found.valid, found.units
    margin = asked.reference.margins.get(metric, math.nan)
    primary = metric in asked.suite.primaries
    # Over all pairs: a prompt that is valid in one of three pairs is two thirds missing.
    if not reasons and valid < FEWEST_VALID * units:
        each, expected = valid / len(pairs), units / len(pairs)
        reasons.append(f"only {each:.0f} of {expected:.0f} prompts are valid in both")
    if not reasons and not n:
        reasons.append("no scores")
    outcome: Outcome = "not comparable" if reasons else "descriptive" if n < FEWEST_UNITS else "inconclusive"
    interval, p_value = UNKNOWN, math.nan
    if not reasons:
        test = paired_test(d, np.zeros(n))
        interval, p_value = test.interval, test.p if n >= FEWEST_UNITS else math.nan
    is_block = metric in LIKELIHOOD_VERSIONS
    looks = asked.suite.n_looks("blocks" if is_block else "prompts")
    verdict = Verdict(
        metric=metric,
        task=table.task_of.get(metric, ""),
        outcome=outcome,
        primary=primary,
        baseline=float(np.mean(found.baseline)) if found.baseline else math.nan,
        candidate=float(np.mean(found.candidate)) if found.candidate else math.nan,
        difference=float(d.mean()) if n else math.nan,
        interval=interval,
        p_holm=math.nan,
        n=n,
        unit="blocks" if is_block else "prompts",
        margin=margin,
        detectable=math.nan,
        needed=0,
        note="; ".join(dict.fromkeys(reasons)),
    )
    sd = float(d.std(ddof=1)) if n >= 2 else math.nan
    bar = math.inf if any(p.seeds_only for p in pairs) else spread
    return _Draft(
        verdict=verdict,
        p=min(1.0, p_value * looks) if not math.isnan(p_value) else math.nan,
        threshold=max(margin, bar) if not math.isnan(margin) else math.nan,
        sd=sd,
        discordant=int(np.count_nonzero(d)) if metric in RATES else None,
        looks=looks,
    )


def _decide(draft: _Draft, p_holm: float, family: int) -> Verdict:
    """Rules 3 to 9, on a verdict that rules 1 and 2 let through."""
    verdict = replace(draft.verdict, p_holm=p_holm)
    if verdict.outcome != "inconclusive":
        return verdict
    low, high = verdict.interval
    m, e, mean = verdict.margin, draft.threshold, verdict.difference
    alpha = ALPHA / draft.looks / (family if verdict.primary else 1)
    detectable = minimal_detectable_effect(draft.sd, verdict.n, alpha=alpha)
    known = not math.isnan(m)
    outcome: Outcome
    if verdict.primary and p_holm < ALPHA and mean >= e:
        outcome = "better"
    elif verdict.primary and p_holm < ALPHA and mean <= -e:
        outcome = "WORSE"
    elif high < 0 and not draft.too_few_differ:
        outcome = "decline"
    elif low > 0 and not draft.too_few_differ:
        outcome = "slight gain"
    elif known and -m < low and high < m:
        outcome = "same"
    elif known and low > -m:
        outcome = "not worse"
    else:
        outcome = "inconclusive"
    needed = sample_size(draft.sd, m, alpha=alpha) if outcome == "inconclusive" and known and m > 0 else 0
    return replace(verdict, outcome=outcome, detectable=detectable, needed=int(needed))


def _obstacles(asked: Ask, p: Pair, metric: str, table: Table) -> list[str]:
    """Reasons why two sides cannot be compared on a metric at all."""
    base, new = table.of(p.baseline.name, metric), table.of(p.candidate.name, metric)
    expected = _expected(asked, metric)
    found, lacking = [], False
    for variant, values in ((p.baseline, base), (p.candidate, new)):
        absent = len(expected - set(values))
        if not values:
            found.append(f"{variant.name} has no {metric}")
        elif absent:
            lacking = True
            found.append(f"{variant.name} lacks {absent} of {len(expected)}")
    engines = {table.engines.get(v.name, "") for v in (p.baseline, p.candidate)} - WITHOUT_ENGINE
    if len(engines) > 1:
        found.append(f"engines differ: {' and '.join(sorted(engines))}")
    if base and new and not lacking and set(base) != set(new):
        found.append(f"different prompts: {len(set(base) ^ set(new))} are on one side only")
    versions = {table.metric_versions.get((v.name, metric), "") for v in (p.baseline, p.candidate)} - {""}
    if len(versions) > 1:
        found.append("metric versions differ")
    return found


def _expected(asked: Ask, metric: str) -> frozenset[str]:
    """The prompts or held-out documents that a primary needs a row for, with a value or without."""
    if metric not in asked.suite.primaries:
        return frozenset()
    if metric in LIKELIHOOD_VERSIONS:
        return frozenset(d.id for d in asked.documents if d.set == "heldout")
    return frozenset(p.id for p in asked.prompts)


def _order(asked: Ask, metric: str) -> int:
    names = [*asked.suite.primaries, *(m for task in asked.tasks for m in task.metrics)]
    return names.index(metric)


def exit_code(
    verdicts: Sequence[Verdict], gates: Sequence[Gate], fail_on: Collection[str] = FAILS_BY_DEFAULT
) -> int:
    """3 where a primary or a gate has one of these outcomes, 4 where a primary is not comparable, else 0."""
    seen: set[str] = {v.outcome for v in verdicts if v.primary} | {gate.outcome for gate in gates}
    if not seen.isdisjoint(fail_on):
        return EXIT_REGRESSION
    return EXIT_INCOMPLETE if "not comparable" in seen else EXIT_OK
