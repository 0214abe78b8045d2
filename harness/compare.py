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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness import summaries
from harness.errors import EXIT_INCOMPLETE, EXIT_OK, EXIT_REGRESSION, ConfigurationError
from harness.plan import Ask
from harness.score import LIKELIHOOD_VERSIONS
from harness.statistics import bootstrap_interval, holm, minimal_detectable_effect, paired_test, sample_size
from harness.summaries import Table
from harness.types import Direction, Gate, Interval, Outcome, Variant, Verdict

FEWEST_UNITS = 12
FEWEST_VALID = 0.8
ALPHA = 0.05
MARKS: Mapping[Outcome, str] = {
    "better": "+", "WORSE": "!", "decline": "-", "slight gain": "+", "same": "=", "not worse": "=",
    "inconclusive": "~", "descriptive": "~", "not comparable": "x",
}  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """Two variants that answer one question about the data, and what else differs between them."""

    baseline: Variant
    candidate: Variant
    also_changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """Verdicts (primaries first), the candidates' gates, and the one sentence that says it."""

    pairs: tuple[Pair, ...]
    verdicts: tuple[Verdict, ...]
    gates: tuple[Gate, ...]
    sentence: str
    exit_code: int


# ── pairing ───────────────────────────────────────────────────────────────────────────────────────


def pair(baselines: Sequence[Variant], candidates: Sequence[Variant], *, by_recipe: bool) -> list[Pair]:
    """Pairs to compare: one with one by name, or variants whose recipes agree but for the corpus line.

    Raises:
        ConfigurationError: nothing pairs; both sides are listed.
    """
    if not by_recipe and len(baselines) == len(candidates) == 1:
        return [Pair(baselines[0], candidates[0], _differences(baselines[0], candidates[0]))]
    found = [
        Pair(b, c, _differences(b, c))
        for b in baselines
        for c in candidates
        if b.kind == c.kind == "adapter" and _recipe(b) == _recipe(c)
    ]
    if not found and len(baselines) == len(candidates) == 1:
        return [Pair(baselines[0], candidates[0], _differences(baselines[0], candidates[0]))]
    if not found:
        left, right = (", ".join(v.name for v in side) or "nothing" for side in (baselines, candidates))
        raise ConfigurationError(f"nothing pairs: no recipe and seed is on both sides ({left} | {right})")
    return found


def _recipe(variant: Variant) -> tuple[str, str]:
    """What pairs by: the recipe's settings without its corpus line, and the training seed."""
    settings = {k: v for k, v in variant.record.get("settings", {}).items() if k not in ("corpus", "seeds")}
    return (repr(sorted(settings.items(), key=lambda kv: kv[0])), str(variant.record.get("seed")))


def _differences(baseline: Variant, candidate: Variant) -> tuple[str, ...]:
    """Settings that differ besides the corpus: then the comparison is not about the data."""
    one, other = (_flat(v.record.get("settings", {})) for v in (baseline, candidate))
    keys = sorted((set(one) | set(other)) - {"corpus"}) if one and other else []
    changed = [f"{key} {one.get(key)} -> {other.get(key)}" for key in keys if one.get(key) != other.get(key)]
    if one and other and baseline.record.get("seed") != candidate.record.get("seed"):
        changed.append(f"training seed {baseline.record.get('seed')} -> {candidate.record.get('seed')}")
    return tuple(changed)


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        elif key != "seeds":
            flat[f"{prefix}{key}"] = value
    return flat


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
        exit_code=_exit_code(verdicts, checked),
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
    margin = asked.reference.margins.get(metric, math.nan)
    primary = metric in asked.suite.primaries
    expected = units / len(pairs) if pairs else 0
    if not reasons and expected and n < FEWEST_VALID * expected:
        reasons.append(f"only {n} of {expected:.0f} prompts are valid in both")
    if not reasons and not n:
        reasons.append("no scores")
    outcome: Outcome = "not comparable" if reasons else "descriptive" if n < FEWEST_UNITS else "inconclusive"
    enough = not reasons and n >= 2
    interval = bootstrap_interval(d) if enough else Interval(math.nan, math.nan)
    p_value = paired_test(d, np.zeros(n)).p if outcome == "inconclusive" else math.nan
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
    engines = {table.engines.get(v.name, "") for v in (p.baseline, p.candidate)} - {"control", ""}
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


def _exit_code(verdicts: Sequence[Verdict], gates: Sequence[Gate]) -> int:
    if any(v.outcome == "WORSE" for v in verdicts) or any(gate.outcome == "FAIL" for gate in gates):
        return EXIT_REGRESSION
    if any(v.primary and v.outcome == "not comparable" for v in verdicts):
        return EXIT_INCOMPLETE
    return EXIT_OK


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
    failed = sorted({NAMES[gate.name] for gate in gates if gate.outcome == "FAIL"})
    worse = [_name(v) for v in primaries if v.outcome == "WORSE"]
    better = [_name(v) for v in primaries if v.outcome == "better"]
    declined = [_name(v) for v in primaries if v.outcome == "decline"]
    barred = [_name(v) for v in primaries if v.outcome == "not comparable"]
    open_ = [_name(v) for v in primaries if v.outcome in ("inconclusive", "descriptive")]
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
    trained = [p for p in pairs if p.candidate.kind == "adapter" and p.baseline.kind == "adapter"]
    other = sorted({change for p in trained for change in p.also_changed})
    if other:
        return f"Also changed: {'; '.join(other)}: this is not about data."
    if trained and len(pairs) == 1:
        return "One training run each: this is about these adapters, not yet the data."
    return ""


def _name(verdict: Verdict) -> str:
    return NAMES.get(verdict.metric, verdict.metric.replace("_", " "))


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def seed_spreads(table: Table, variants: Sequence[Variant], asked: Ask) -> dict[str, float]:
    """Metric -> largest difference between training seeds of one recipe on one corpus, where known."""
    groups: dict[tuple[str, str], list[str]] = {}
    for v in variants:
        if v.kind == "adapter":
            groups.setdefault((f"{v.corpus}@{v.version}", _recipe(v)[0]), []).append(v.name)
    spreads: dict[str, float] = {}
    for names in groups.values():
        for metric in asked.suite.primaries:
            means = [
                s.value
                for name in names
                if not math.isnan((s := summaries.summarise(table, name, metric)).value)
            ]
            if len(means) > 1:
                spreads[metric] = max(spreads.get(metric, 0.0), max(means) - min(means))
    return spreads
