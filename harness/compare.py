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

Toward the author d is how much closer the candidate is to his answer to the same prompt. As a text always at
his mean would gain by that, rules 5 and 6 also need the distance between distributions to go the same way.

A rate needs six prompts that differ before rules 5 and 6 apply, as with fewer no exact test reaches 5 %; its
interval is a score interval, so that none seen of few is not `same`. Where a suite declares several looks, p
is taken times their number. A metric that is unfit on this author is described, and decides nothing.

Reasons for rule 1 come from ``comparable``, rules 3 to 9 are in ``deciding``; the rest is here.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness import summaries
from harness.closeness import held_against, shifts
from harness.comparable import obstacles, unfit_metrics
from harness.deciding import Draft, decide
from harness.differences import Fallen, differences, fell_most
from harness.errors import EXIT_INCOMPLETE, EXIT_OK, EXIT_REGRESSION
from harness.likelihood_scores import LIKELIHOOD_VERSIONS
from harness.measures import RATES
from harness.pairing import Pair
from harness.plan import Ask
from harness.pooled import POOLED_VERSIONS
from harness.pooled_scores import Pools
from harness.pooled_verdicts import Fewest, judge_pooled
from harness.power import paired_rate_interval
from harness.statistics import UNKNOWN, holm, paired_test
from harness.stock_scores import MARGIN
from harness.summaries import Table
from harness.telling import headlines as headlines
from harness.telling import name_of as name_of
from harness.telling import sentence
from harness.types import Direction, Gate, Outcome, Verdict

FEWEST_UNITS = 12
FEWEST_VALID = 0.8

FAILS_BY_DEFAULT = frozenset({"WORSE", "FAIL"})
"""What exits with 3 unless the user says otherwise."""

LOGARITHMS = "the difference is one of logarithms"
"""Said of perplexities, whose means are exp of a mean logarithm on both sides."""

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
    tasks = (*asked.tasks, *table.stock)
    directions = {metric: way for task in tasks for metric, way in task.directions.items()}
    unfit = unfit_metrics(asked, pairs, table, list(directions))
    drafts = [
        _judge(
            asked,
            metric,
            directions[metric],
            pairs,
            table,
            (spreads or {}).get(metric, 0.0),
            unfit.get(metric, ""),
        )
        for metric in directions
        if metric not in POOLED_VERSIONS
    ]
    pools = Pools(asked, table.texts)
    drafts += [
        _judge_pooled(asked, metric, directions[metric], pairs, table, pools)
        for metric in directions
        if metric in POOLED_VERSIONS
    ]
    primaries = [draft for draft in drafts if draft.verdict.primary]
    tested = [draft for draft in primaries if not math.isnan(draft.p)]
    adjusted = dict(zip([d.verdict.metric for d in tested], holm([d.p for d in tested]), strict=True))
    family = max(1, len(tested))
    verdicts = [decide(draft, adjusted.get(draft.verdict.metric, math.nan), family) for draft in drafts]
    moved = shifts(asked, directions, pairs, table)
    verdicts = [held_against(moved.get(v.metric), v) for v in verdicts]
    verdicts.sort(key=lambda v: (not v.primary, _order(asked, v.metric)))
    checked = [gate for p in pairs for gate in summaries.gates(table, asked, p.candidate.name)]
    return Comparison(
        pairs=tuple(pairs),
        verdicts=tuple(verdicts),
        gates=tuple(checked),
        sentence=sentence(pairs, verdicts, checked, [m for m in asked.suite.primaries if m in unfit]),
        exit_code=exit_code(verdicts, checked),
        fell=fell_most(asked, pairs, table, unfit=unfit),
    )


def _judge(
    asked: Ask,
    metric: str,
    direction: Direction,
    pairs: Sequence[Pair],
    table: Table,
    spread: float,
    unfit: str = "",
) -> Draft:
    found = differences(metric, direction, pairs, table)
    in_the_way = [obstacle for p in pairs for obstacle in obstacles(asked, p, metric, table)]
    reasons = [obstacle.reason for obstacle in in_the_way]
    d, n, valid, units = found.per_prompt, len(found.per_prompt), found.valid, found.units
    rate = metric in RATES or metric in table.shares
    margin = asked.reference.margins.get(metric, MARGIN if metric in table.shares else math.nan)
    primary = metric in asked.suite.primaries and not unfit
    # Over all pairs: a prompt that is valid in one of three pairs is two thirds missing.
    if not reasons and valid < FEWEST_VALID * units:
        each, expected = valid / len(pairs), units / len(pairs)
        reasons.append(f"only {each:.0f} of {expected:.0f} prompts are valid in both")
    if not reasons and not n:
        reasons.append("no scores")
    described = n < FEWEST_UNITS or bool(unfit)
    outcome: Outcome = "not comparable" if reasons else "descriptive" if described else "inconclusive"
    interval, p_value = UNKNOWN, math.nan
    if not reasons:
        test = paired_test(d, np.zeros(n))
        interval, p_value = test.interval, math.nan if described else test.p
        interval = paired_rate_interval(d, interval) if rate else interval
    is_block = metric in LIKELIHOOD_VERSIONS
    aside = LOGARITHMS if metric in summaries.PERPLEXITIES else ""
    looks = asked.suite.n_looks("blocks" if is_block else "prompts")
    verdict = Verdict(
        metric=metric,
        task=table.task_of.get(metric, ""),
        outcome=outcome,
        primary=primary,
        baseline=_mean(metric, found.baseline),
        candidate=_mean(metric, found.candidate),
        difference=float(d.mean()) if n else math.nan,
        interval=interval,
        p_holm=math.nan,
        n=n,
        unit="blocks" if is_block else "prompts",
        margin=margin,
        detectable=math.nan,
        needed=0,
        note="; ".join(dict.fromkeys(reasons or [unfit or aside])),
        curable=any(obstacle.curable for obstacle in in_the_way),
    )
    sd = float(d.std(ddof=1)) if n >= 2 else math.nan
    bar = math.inf if any(p.seeds_only for p in pairs) else spread
    return Draft(
        verdict=verdict,
        p=min(1.0, p_value * looks) if not math.isnan(p_value) else math.nan,
        threshold=max(margin, bar) if not math.isnan(margin) else math.nan,
        sd=sd,
        discordant=int(np.count_nonzero(d)) if rate else None,
        looks=looks,
        d=d,
    )


def _mean(metric: str, values: Sequence[float]) -> float:
    return summaries.as_measured(metric, float(np.mean(values))) if values else math.nan


def _judge_pooled(
    asked: Ask, metric: str, direction: Direction, pairs: Sequence[Pair], table: Table, pools: Pools
) -> Draft:
    """The same of a metric of all answers together, which decides nothing."""
    reasons = [obstacle.reason for p in pairs for obstacle in obstacles(asked, p, metric, table)]
    fewest = Fewest(FEWEST_UNITS, FEWEST_VALID)
    judged = judge_pooled(asked, metric, direction, pairs, table, pools, reasons, fewest)
    looks = asked.suite.n_looks("prompts")
    return Draft(verdict=judged.verdict, p=math.nan, threshold=math.nan, sd=judged.sd, looks=looks)


def _order(asked: Ask, metric: str) -> int:
    names = [*asked.suite.primaries, *(m for task in asked.tasks for m in task.metrics)]
    return names.index(metric) if metric in names else len(names)


def exit_code(
    verdicts: Sequence[Verdict], gates: Sequence[Gate], fail_on: Collection[str] = FAILS_BY_DEFAULT
) -> int:
    """3 where a primary or a gate has one of these outcomes, 4 where a primary is not comparable, else 0."""
    seen: set[str] = {v.outcome for v in verdicts if v.primary} | {gate.outcome for gate in gates}
    if not seen.isdisjoint(fail_on):
        return EXIT_REGRESSION
    return EXIT_INCOMPLETE if "not comparable" in seen else EXIT_OK
