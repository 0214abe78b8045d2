"""Which metrics deserve trust? Told on human text alone: does a metric know this author from the others?

    train prose --fit, one other author X left out--> metric --scores--> author's unseen prose | X's prose
                                                             \\--AUC for each X--> mean, worst -> mark

    fit      mean AUC at least .8, and no author whose interval reaches .5
    weak     better than chance on average, but under .8 or blind to one author
    unfit    the interval of the mean reaches .5: shown, and decides nothing
             (and always ``words``: the audit sets the length itself)

Passages of each length are dealt anew from neighbouring passages of one book. Intervals are over passages:
they do not say how another book of the author's would do.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from harness.errors import ConfigurationError
from harness.judges import (
    FEWEST_PASSAGES,
    METRICS,
    TWINS,
    Judge,
    background_judges,
    classifiers,
    deal,
    own_judges,
    spread,
    texts_of,
    without,
)
from harness.reference import Reference
from harness.statistics import sample_size
from harness.types import Interval, Passage

LENGTHS = (150, 350, 1000)
FIT_AUC = 0.8
SHORTEST = 20
PRIMARIES, ALPHA = 4, 0.05

Mark = Literal["fit", "weak", "unfit", "unknown"]


@dataclass(frozen=True)
class Auc:
    """P(author scores above other) + P(tie)/2, in [0, 1], with its 95 % interval; NaN if not measured."""

    value: float
    interval: Interval


@dataclass(frozen=True)
class Fitness:
    """How well one metric knows the author at one length. ``needed``: prompts at most, for a primary to see a
    difference of one margin with power .8 (0 for what is no primary). ``note``: a reason or a remark.
    """

    metric: str
    words: int
    mean: Auc
    worst_author: str
    worst: Auc
    by_author: Mapping[str, float]
    n_author: int
    n_others: int
    mark: Mark
    needed: int = 0
    note: str = ""


@dataclass(frozen=True)
class Audit:
    """All metrics at all lengths, for the reference set with this digest; ``caveat`` goes beside each row."""

    author: str
    reference: str
    rows: tuple[Fitness, ...]
    caveat: str = ""


def audit(reference: Reference, lengths: Sequence[int] = LENGTHS) -> Audit:
    """Measure every metric at every length and keep the result beside the reference set, as audit.json.

    Raises:
        ConfigurationError: a length under 20 words.
    """
    rows = measure_fitness(reference.train, reference.heldout, reference.others, lengths)
    found = Audit(reference.author, reference.digest, rows, reference.caveat)
    path = reference.folder / "audit.json"
    path.write_text(json.dumps(_without_nan(asdict(found)), indent=1, ensure_ascii=False), encoding="utf-8")
    return found


def measure_fitness(
    train: Sequence[Passage],
    heldout: Sequence[Passage],
    others: Mapping[str, Sequence[Passage]],
    lengths: Sequence[int] = LENGTHS,
) -> tuple[Fitness, ...]:
    """The rows of an audit from passages alone, by length and then from the best metric to the worst."""
    if any(size < SHORTEST for size in lengths):
        raise ConfigurationError(f"an audit needs passages of at least {SHORTEST} words")
    at_any_length = {name: background_judges(train, without(others, name)) for name in sorted(others)}
    rows: list[Fitness] = []
    for size in sorted(set(lengths)):
        trials = _trials(size, train, heldout, others, at_any_length)
        found = [_fitness(metric, size, trials.get(metric, {})) for metric in METRICS]
        rows += sorted(found, key=lambda row: -row.mean.value if row.mean.value >= 0 else math.inf)
    return tuple(rows)


@dataclass(frozen=True)
class Trial:
    """Scores of the author's unseen passages and of one other author's, by a fit that left him out."""

    mine: np.ndarray
    theirs: np.ndarray


def _trials(
    size: int,
    train: Sequence[Passage],
    heldout: Sequence[Passage],
    others: Mapping[str, Sequence[Passage]],
    at_any_length: Mapping[str, dict[str, Judge]],
) -> dict[str, dict[str, Trial]]:
    """Metric -> other author -> scores; without those of whom there is too little text."""
    seen, unseen = spread(deal(train, size)), spread(deal(heldout, size))
    if min(len(seen), len(unseen)) < FEWEST_PASSAGES:
        return {}
    own = own_judges(texts_of(seen))
    own_scores = {metric: judge(texts_of(unseen)) for metric, judge in own.items()}
    trials: dict[str, dict[str, Trial]] = {metric: {} for metric in METRICS}
    for name, passages in sorted(others.items()):
        theirs = texts_of(spread(deal(passages, size)))
        if len(theirs) < FEWEST_PASSAGES:
            continue
        for metric, judge in own.items():
            trials[metric][name] = Trial(own_scores[metric], judge(theirs))
        for metric, judge in (at_any_length[name] | classifiers(seen, others, name, size)).items():
            trials[metric][name] = Trial(judge(texts_of(unseen)), judge(theirs))
    return trials


# ── from scores to a mark ─────────────────────────────────────────────────────────────────────────


def _fitness(metric: str, size: int, trials: Mapping[str, Trial]) -> Fitness:
    usable = {
        name: t for name, t in trials.items() if np.isfinite(t.mine).all() and np.isfinite(t.theirs).all()
    }
    if not usable:
        unknown = Auc(math.nan, Interval(math.nan, math.nan))
        reason = "no value at this length" if trials else "too little text, or nobody left to compare with"
        return Fitness(metric, size, unknown, "", unknown, {}, 0, 0, "unknown", note=reason)
    single = {name: mean_auc([trial]) for name, trial in usable.items()}
    hardest = min(single, key=lambda name: (single[name].value, name))
    mean = mean_auc(list(usable.values()))
    return Fitness(
        metric=metric,
        words=size,
        mean=mean,
        worst_author=hardest,
        worst=single[hardest],
        by_author={name: found.value for name, found in single.items()},
        n_author=len(next(iter(usable.values())).mine),
        n_others=sum(len(trial.theirs) for trial in usable.values()),
        mark="unfit" if metric == "words" else mark(mean, single[hardest]),
        needed=_needed(list(usable.values())) if metric in TWINS else 0,
        note="the audit sets the length" if metric == "words" else "",
    )


def mark(mean: Auc, worst: Auc) -> Mark:
    """What a metric may be used for; see the head of this file."""
    if math.isnan(mean.value):
        return "unknown"
    if mean.interval.low <= 0.5:
        return "unfit"
    return "fit" if mean.value >= FIT_AUC and worst.interval.low > 0.5 else "weak"


def mean_auc(trials: Sequence[Trial]) -> Auc:
    """The mean AUC over other authors, who meet the same passages of the author; DeLong et al. (1988).

    Its variance is that of the author's passages' placements averaged over the others, over n, plus each
    other's own over m k^2 (k others). Where every pair is told apart that is 0, and the low end is .025^(1/n)
    of the smaller side, the exact bound for n of n (Clopper and Pearson 1934).
    """
    placements, variance = [], 0.0
    for trial in trials:
        above = (trial.mine[:, None] > trial.theirs) + 0.5 * (trial.mine[:, None] == trial.theirs)
        placements.append(above.mean(axis=1))
        variance += float(above.mean(axis=0).var(ddof=1)) / above.shape[1] / len(trials) ** 2
    together = np.mean(placements, axis=0)
    value = float(together.mean())
    variance += float(together.var(ddof=1)) / len(together)
    if variance == 0 and value in (0.0, 1.0):
        reach = 1 - 0.025 ** (1 / min(len(together), *(len(t.theirs) for t in trials)))
    else:
        reach = 1.959964 * math.sqrt(variance)
    return Auc(value, Interval(max(0.0, value - reach), min(1.0, value + reach)))


def _needed(trials: Sequence[Trial]) -> int:
    """Prompts for a difference of one margin, if the two sides' answers vary as his passages do.

    Answers to one prompt usually vary together, so that fewer will do: an upper figure.
    """
    sd = float(np.mean([trial.mine.std(ddof=1) for trial in trials]))
    gap = float(np.mean([abs(trial.mine.mean() - trial.theirs.mean()) for trial in trials]))
    return sample_size(math.sqrt(2) * sd, max(0.25 * gap, 0.2 * sd), alpha=ALPHA / PRIMARIES)


def _without_nan(value: object) -> object:
    """JSON has no NaN: null."""
    if isinstance(value, Mapping):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value
