"""``stylobench compare``: is the candidate better than the baseline, worse, the same, or can nobody tell?

d = candidate - baseline for each prompt valid in both, turned so that higher is better; m = margin from the
reference set; e = max(m, spread between training seeds). First rule that applies:

    1 not comparable   something else differs, or under 80 % of prompts are valid in both
    2 descriptive      under 12 prompts or blocks
    3 better           Holm p < .05 and mean >= e          primaries only
    4 WORSE            Holm p < .05 and mean <= -e         primaries only
    5 decline          U < 0            6 slight gain      L > 0
    7 same             -m < L, U < m    8 not worse        L > -m
    9 inconclusive     with the effect that could be seen and the n that would decide
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness import summaries
from harness.errors import EXIT_INCOMPLETE, EXIT_OK, EXIT_REGRESSION
from harness.pairing import Pair
from harness.plan import Ask
from harness.score import LIKELIHOOD_VERSIONS
from harness.statistics import UNKNOWN, holm, minimal_detectable_effect, paired_test, sample_size
from harness.summaries import Table
from harness.types import Direction, Gate, Outcome, Verdict

FEWEST_UNITS = 12
FEWEST_VALID = 0.8
ALPHA = 0.05
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
    )


@dataclass(frozen=True)
class _Draft:
    """A verdict before the family is known: its p value, effect threshold and per-unit SD."""

    verdict: Verdict
    p: float
    threshold: float
    sd: float


def _judge(
    asked: Ask, metric: str, direction: Direction, pairs: Sequence[Pair], table: Table, spread: float
) -> _Draft:
    by_item: dict[str, list[float]] = {}
    base_values: list[float] = []
    new_values: list[float] = []
    units = 0
    reasons: list[str] = []
    for p in pairs:
        base, new = table.of(p.baseline.name, metric), table.of(p.candidate.name, metric)
        reasons += _obstacles(p, metric, table, base, new)
        for item in sorted(set(base) | set(new)):
            units += 1
            b, c = base.get(item, math.nan), new.get(item, math.nan)
            if math.isnan(b) or math.isnan(c):
                continue
            scale = summaries.weight(table, metric, item)
            by_item.setdefault(item, []).append(
                _turned(b, c, direction, table.of("author", metric).get(item)) * scale
            )
            base_values.append(b * scale)
            new_values.append(c * scale)
    d = np.array(
        [float(np.mean(values)) for _, values in sorted(by_item.items()) if not np.isnan(values).any()]
    )
    n = len(d)
    valid = sum(not math.isnan(value) for values in by_item.values() for value in values)
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
    verdict = Verdict(
        metric=metric,
        task=table.task_of.get(metric, ""),
        outcome=outcome,
        primary=primary,
        baseline=float(np.mean(base_values)) if base_values else math.nan,
        candidate=float(np.mean(new_values)) if new_values else math.nan,
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
    return _Draft(verdict, p_value, max(margin, spread) if not math.isnan(margin) else math.nan, sd)


def _decide(draft: _Draft, p_holm: float, family: int) -> Verdict:
    """Rules 3 to 9, on a verdict that rules 1 and 2 let through."""
    verdict = replace(draft.verdict, p_holm=p_holm)
    if verdict.outcome != "inconclusive":
        return verdict
    low, high = verdict.interval
    m, e, mean = verdict.margin, draft.threshold, verdict.difference
    alpha = ALPHA / family if verdict.primary else ALPHA
    detectable = minimal_detectable_effect(draft.sd, verdict.n, alpha=alpha)
    known = not math.isnan(m)
    outcome: Outcome
    if verdict.primary and p_holm < ALPHA and mean >= e:
        outcome = "better"
    elif verdict.primary and p_holm < ALPHA and mean <= -e:
        outcome = "WORSE"
    elif high < 0:
        outcome = "decline"
    elif low > 0:
        outcome = "slight gain"
    elif known and -m < low and high < m:
        outcome = "same"
    elif known and low > -m:
        outcome = "not worse"
    else:
        outcome = "inconclusive"
    needed = sample_size(draft.sd, m, alpha=alpha) if outcome == "inconclusive" and known and m > 0 else 0
    return replace(verdict, outcome=outcome, detectable=detectable, needed=int(needed))


def _turned(baseline: float, candidate: float, direction: Direction, author: float | None) -> float:
    """Candidate minus baseline so that higher is better; toward the author = closer to his own answer."""
    if direction == "higher":
        return candidate - baseline
    if direction == "lower":
        return baseline - candidate
    if author is None or math.isnan(author):
        return math.nan
    return abs(baseline - author) - abs(candidate - author)


def headlines(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Primaries, and of every other task the first metric: what fits a screen."""
    told = {v.task for v in verdicts if v.primary}
    shown = []
    for verdict in verdicts:
        if verdict.primary or verdict.task not in told:
            shown.append(verdict)
            told.add(verdict.task)
    return shown


def _obstacles(
    p: Pair, metric: str, table: Table, base: Mapping[str, float], new: Mapping[str, float]
) -> list[str]:
    """Reasons why two sides cannot be compared on a metric at all."""
    found = []
    for variant, values in ((p.baseline, base), (p.candidate, new)):
        if not values:
            found.append(f"{variant.name} has no {metric}")
    engines = {table.engines.get(v.name, "") for v in (p.baseline, p.candidate)} - WITHOUT_ENGINE
    if len(engines) > 1:
        found.append(f"engines differ: {' and '.join(sorted(engines))}")
    if base and new and set(base) != set(new):
        found.append(f"different prompts: {len(set(base) ^ set(new))} are on one side only")
    versions = {table.metric_versions.get((v.name, metric), "") for v in (p.baseline, p.candidate)} - {""}
    if len(versions) > 1:
        found.append("metric versions differ")
    return found


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


# ── in words ──────────────────────────────────────────────────────────────────────────────────────

NAMES = {
    "bits_per_byte": "bits per byte on unseen prose",
    "author_specific_gain": "author-specific gain",
    "authorship_logit": "authorship",
    "copied": "copied answers",
    "invalid": "invalid answers",
    "leak": "leaks",
    "words": "words in an answer",
    "sentence_words": "words in a sentence",
    "mattr": "MATTR",
    "attested_bigrams": "known word pairs",
    "tfidf_nearest": "TF-IDF to the nearest passage",
    "tfidf_centroid": "TF-IDF to the centre",
}


def sentence(pairs: Sequence[Pair], verdicts: Sequence[Verdict], gates: Sequence[Gate]) -> str:
    """The one plain sentence, and for one training run a side whom it is about."""
    primaries = [v for v in verdicts if v.primary]
    failed = sorted({name_of(gate.name) for gate in gates if gate.outcome == "FAIL"})
    worse = [name_of(v.metric) for v in primaries if v.outcome == "WORSE"]
    better = [name_of(v.metric) for v in primaries if v.outcome == "better"]
    declined = [name_of(v.metric) for v in primaries if v.outcome == "decline"]
    barred = [name_of(v.metric) for v in primaries if v.outcome == "not comparable"]
    open_ = [name_of(v.metric) for v in primaries if v.outcome in ("inconclusive", "descriptive")]
    parts = []
    if worse or failed:
        lost = f"got worse on {_listed(worse)}" if worse else ""
        gated = f"failed the gate on {_listed(failed)}" if failed else ""
        parts.append(f"The candidate {' and '.join(filter(None, (lost, gated)))}.")
    elif better:
        parts.append(f"The candidate is better on {_listed(better)}, and nothing that decides got worse.")
    elif barred and len(barred) == len(primaries):
        parts.append("The two sides cannot be compared.")
    elif open_ and len(open_) == len(primaries) - len(barred):
        parts.append("Cannot tell: nothing that decides is settled at this number of prompts.")
    else:
        parts.append("Nothing that decides got worse, and nothing got better.")
    if (worse or failed) and better:
        parts.append(f"It is better on {_listed(better)}.")
    if declined:
        parts.append(f"Slightly down, within what matters: {_listed(declined)}.")
    if barred and len(barred) < len(primaries):
        parts.append(f"Not comparable: {_listed(barred)}.")
    if open_ and len(open_) < len(primaries) - len(barred):
        parts.append(f"Cannot tell: {_listed(open_)}.")
    parts.append(_about(pairs))
    return " ".join(filter(None, parts))


def _about(pairs: Sequence[Pair]) -> str:
    told = {v.name for p in pairs for v in (p.baseline, p.candidate) if v.kind == "recorded"}
    if told:
        return f"How {_listed(sorted(told))} answered was recorded elsewhere and is not known here."
    trained = [p for p in pairs if p.candidate.kind == "adapter" and p.baseline.kind == "adapter"]
    other = sorted({change for p in trained for change in p.also_changed})
    if other:
        return f"Also changed: {'; '.join(other)}: this is not about data."
    if trained and len(pairs) == 1:
        return "One training run each: this is about these adapters, not yet the data."
    return ""


def name_of(metric: str) -> str:
    """A metric as a reader calls it."""
    return NAMES.get(metric, metric.replace("_", " "))


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
