"""A comparison in words: one plain sentence, and at most twelve lines a reader can act on.

worse          WORSE, and gates that FAIL       better         better, slight gain
maybe worse    decline                          cannot tell    inconclusive, descriptive, not comparable,
no difference  same, not worse                                 and gates that need more answers
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.distances import NOT_AS_A_WHOLE
from harness.measures import RATES
from harness.models import few_shot
from harness.pairing import Pair
from harness.trust import UNFIT
from harness.types import Gate, Outcome, Verdict

MOST_LINES = 12
ALPHA = 0.05

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
    "mtld": "MTLD",
    "punctuation": "punctuation per 1,000 words",
    "commas": "commas per 1,000 words",
    "semicolons": "semicolons per 1,000 words",
    "dashes": "dashes per 1,000 words",
    "dialogue_share": "words in quotation marks",
    "flesch_kincaid_grade": "Flesch-Kincaid grade",
    "domain_gain": "gain over the base",
    "bits_per_byte_train": "bits per byte on train prose",
    "attested_bigrams": "known word pairs",
    "tfidf_nearest": "TF-IDF to the nearest passage",
    "tfidf_centroid": "TF-IDF to the centre",
    "cosine_delta": "Cosine Delta",
    "burrows_delta": "Burrows's Delta",
    "function_words_jsd": "function words, divergence",
    "character_trigrams_jsd": "character trigrams, divergence",
    "punctuation_jsd": "punctuation, divergence",
    "sentence_lengths_distance": "sentence lengths, distance",
}

GROUPS: Mapping[Outcome, str] = {
    "WORSE": "worse", "decline": "maybe worse", "same": "no difference", "not worse": "no difference",
    "better": "better", "slight gain": "better", "inconclusive": "cannot tell",
    "descriptive": "cannot tell", "not comparable": "cannot tell",
}  # fmt: skip
ORDER = ("worse", "maybe worse", "no difference", "better", "cannot tell")
_DROPPED_LAST = ("worse", "maybe worse", "cannot tell", "better", "no difference")


_WITHIN = "Slightly down, within what matters"
_NO_MORE_THAN_SEEDS = "Down by more than the margin, but by no more than training seeds can differ"
_NOT_BEYOND_CHANCE = "Down by more than the margin, but not beyond chance"
_NO_MARGIN = "Down, with no margin to hold it against"
_DECLINES = (_WITHIN, _NOT_BEYOND_CHANCE, _NO_MORE_THAN_SEEDS, _NO_MARGIN)

_ONLY_CHANCE = (
    "Between trainings of one recipe on one corpus a difference is chance: nothing is called better or worse."
)


def name_of(metric: str) -> str:
    """A metric as a reader calls it."""
    return NAMES.get(metric, metric.replace("_", " "))


# ── the sentence ──────────────────────────────────────────────────────────────────────────────────


def sentence(
    pairs: Sequence[Pair], verdicts: Sequence[Verdict], gates: Sequence[Gate], unfit: Sequence[str] = ()
) -> str:
    """The one plain sentence, and for one training run a side whom it is about.

    ``unfit``: metrics that would decide, and do not on this author.
    """
    primaries = [v for v in verdicts if v.primary]
    failed = sorted({name_of(gate.name) for gate in gates if gate.outcome == "FAIL"})
    worse = [name_of(v.metric) for v in primaries if v.outcome == "WORSE"]
    better = [name_of(v.metric) for v in primaries if v.outcome == "better"]
    declines = _declines(primaries)
    past = any(kind is not _WITHIN for kind in declines)
    barred = [name_of(v.metric) for v in primaries if v.outcome == "not comparable"]
    open_ = [_open_name(v) for v in primaries if v.outcome in ("inconclusive", "descriptive")]
    unharmed = not past and not barred
    parts = []
    if worse or failed:
        lost = f"got worse on {_listed(worse)}" if worse else ""
        gated = f"failed the gate on {_listed(failed)}" if failed else ""
        parts.append(f"The candidate {' and '.join(filter(None, (lost, gated)))}.")
    elif better:
        rest = ", and nothing that decides got worse" if unharmed else ""
        parts.append(f"The candidate is better on {_listed(better)}{rest}.")
    elif not primaries:
        parts.append("Cannot tell: nothing here decides.")
    elif barred and len(barred) == len(primaries):
        parts.append("The two sides cannot be compared.")
    elif open_ and len(open_) == len(primaries) - len(barred):
        parts.append("Cannot tell: nothing that decides is settled at this number of prompts.")
    elif unharmed:
        parts.append("Nothing that decides got worse, and nothing got better.")
    else:
        parts.append("Nothing that decides is shown to be better or worse.")
    if (worse or failed) and better:
        parts.append(f"It is better on {_listed(better)}.")
    parts += [f"{kind}: {_listed(names)}." for kind, names in declines.items()]
    if barred and len(barred) < len(primaries):
        parts.append(f"Not comparable: {_listed(barred)}.")
    if open_ and len(open_) < len(primaries) - len(barred):
        parts.append(f"Cannot tell: {_listed(open_)}.")
    if unfit:
        parts.append(f"Decides nothing, being {UNFIT}: {_listed([name_of(metric) for metric in unfit])}.")
    parts.append(_answers_only(pairs, primaries))
    parts.append(_about(pairs))
    return " ".join(filter(None, parts))


def none_seen(v: Verdict) -> bool:
    """Whether a rate cannot tell because nobody did it on either side, of too few prompts."""
    return v.outcome == "inconclusive" and v.metric in RATES and v.baseline == 0 == v.candidate


def none_seen_note(v: Verdict) -> str:
    """``none seen in 80 prompts on either side; up to 4.6 % could be``, by the interval's high end."""
    return f"none seen in {v.n:,} {v.unit} on either side; up to {100 * v.interval.high:.2g} % could be"


def what_decides(v: Verdict) -> str:
    """``244 would decide``; ``189 would decide if still none`` of a rate; empty if not known."""
    if v.outcome != "inconclusive" or not v.needed:
        return ""
    return f"{v.needed:,} would decide" + (" if still none" if none_seen(v) else "")


def is_unfit(v: Verdict) -> bool:
    """Whether it only describes because the metric does not know this author."""
    return v.outcome == "descriptive" and v.note.startswith(UNFIT)


def contradicted(v: Verdict) -> bool:
    """Whether it cannot tell because the distributions say otherwise, and not for want of prompts."""
    return v.outcome == "inconclusive" and NOT_AS_A_WHOLE in v.note


def _open_name(v: Verdict) -> str:
    return name_of(v.metric) + (" (none seen on either side)" if none_seen(v) else "")


def _declines(primaries: Sequence[Verdict]) -> dict[str, list[str]]:
    """What is said of a decline -> whose. Past the margin with p < .05: short of the seeds' spread."""
    found: dict[str, list[str]] = {}
    for v in primaries:
        if v.outcome != "decline":
            continue
        if math.isnan(v.margin):
            kind = _NO_MARGIN
        elif abs(v.difference) < v.margin:
            kind = _WITHIN
        else:
            kind = _NO_MORE_THAN_SEEDS if v.p_holm < ALPHA else _NOT_BEYOND_CHANCE
        found.setdefault(kind, []).append(name_of(v.metric))
    return {kind: found[kind] for kind in _DECLINES if kind in found}


def _answers_only(pairs: Sequence[Pair], primaries: Sequence[Verdict]) -> str:
    """Where likelihoods would decide and one side, shown examples, has none of its own: what is compared."""
    shown = {v.name for p in pairs for v in (p.baseline, p.candidate) if few_shot.shown_to(v)}
    if not shown or not any(v.outcome == "not comparable" and v.unit == "blocks" for v in primaries):
        return ""
    return f"Only answers are compared: likelihoods of {_listed(sorted(shown))} would be the base's."


def _about(pairs: Sequence[Pair]) -> str:
    told = {v.name for p in pairs for v in (p.baseline, p.candidate) if v.kind == "recorded"}
    if told:
        return f"How {_listed(sorted(told))} answered was recorded elsewhere and is not known here."
    other = sorted({change for p in pairs for change in p.also_changed})
    if other and all(p.data_changed for p in pairs):
        return f"Also changed: {'; '.join(other)}: this is not about data."
    trained = [p for p in pairs if p.candidate.kind == "adapter" and p.baseline.kind == "adapter"]
    once = bool(trained) and len(pairs) == 1 and pairs[0].baseline.digest != pairs[0].candidate.digest
    if any(p.seeds_only for p in pairs):
        told_apart = f"What differs: {'; '.join(other)}. " if other else ""
        return f"{told_apart}{_ONLY_CHANCE}"
    if other:
        caveat = " One training run each: this is about these adapters." if once else ""
        return f"What differs: {'; '.join(other)}.{caveat}"
    if once:
        return "One training run each: this is about these adapters, not yet the data."
    return ""


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


# ── the lines ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Line:
    """One finding: its group, whose metric (``*`` decides), both means, the gain, and what to know of it."""

    group: str
    metric: str
    change: str
    gain: str
    remark: str
    decides: bool


def lines(verdicts: Sequence[Verdict], gates: Sequence[Gate], most: int = MOST_LINES) -> list[Line]:
    """Primaries, the first metric of every other task, and gates that do not pass; at most ``most``.

    Where there are more, what does not decide goes first, and of that what makes no difference.
    """
    found = [_verdict_line(v) for v in headlines(verdicts)]
    found += [_gate_line(gate) for gate in gates if gate.outcome != "pass"]
    kept = sorted(found, key=lambda line: (not line.decides, _DROPPED_LAST.index(line.group)))[:most]
    return sorted(kept, key=lambda line: (ORDER.index(line.group), not line.decides))


def headlines(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Primaries, and of every other task the first metric: what fits a screen."""
    told = {v.task for v in verdicts if v.primary}
    shown = []
    for verdict in verdicts:
        if verdict.primary or verdict.task not in told:
            shown.append(verdict)
            told.add(verdict.task)
    return shown


def _verdict_line(v: Verdict) -> Line:
    rate = v.metric in RATES
    known = not math.isnan(v.difference)
    return Line(
        group=GROUPS[v.outcome],
        metric=name_of(v.metric) + (" *" if v.primary else ""),
        change=f"{_value(v.baseline, rate)} -> {_value(v.candidate, rate)}",
        gain=_gain(v, rate) if known else "",
        remark=_remark(v),
        decides=v.primary,
    )


def _remark(v: Verdict) -> str:
    counted = f"{v.n:,} {v.unit}"
    if v.outcome == "not comparable":
        return f"not comparable: {v.note}"
    if v.outcome == "descriptive":
        return v.note.partition(": it decides nothing")[0] if is_unfit(v) else f"only {counted}"
    if none_seen(v):
        return f"{v.note}; {what_decides(v)}" if v.needed > v.n else v.note
    if contradicted(v):
        return f"{counted}; {v.note.partition(';')[0]}"
    if v.outcome == "inconclusive":
        return f"{counted}; {what_decides(v)}" if v.needed > v.n else f"{counted}; more would decide"
    if v.outcome in ("same", "not worse"):
        margin = f"margin {_number(v.margin, v.metric in RATES)}"
        return f"{counted}, {margin}" if v.outcome == "same" else f"{counted}, not worse by the {margin}"
    return counted if v.outcome in ("better", "WORSE") else f"{counted}, {v.outcome}"


def _gate_line(gate: Gate) -> Line:
    failed = gate.outcome == "FAIL"
    interval = f"[{100 * gate.interval.low:.3g}, {100 * gate.interval.high:.3g}] %" if gate.n else ""
    return Line(
        group="worse" if failed else "cannot tell",
        metric=f"gate on {name_of(gate.name)} *",
        change=f"{_value(gate.rate, True)} of {gate.variant}",
        gain=interval,
        remark=f"{gate.n:,} answers, ceiling {100 * gate.ceiling:.3g} %"
        + ("" if failed else ": more answers would decide"),
        decides=True,
    )


def _gain(v: Verdict, rate: bool) -> str:
    scale = 100 if rate else 1
    mean = f"{scale * v.difference:+.3g}" if v.difference else "0"
    if math.isnan(v.interval.low):
        return mean
    ends = f"[{scale * v.interval.low:.3g}, {scale * v.interval.high:.3g}]"
    return f"{mean} {ends}{' points' if rate else ''}"


def _number(value: float, rate: bool) -> str:
    return f"{100 * value:.3g} points" if rate else f"{value:.3g}"


def _value(value: float, rate: bool) -> str:
    if math.isnan(value):
        return "–"
    return f"{100 * value:.3g} %" if rate else f"{value:.4g}"
