"""Metrics that a single answer is too short for: all of a variant's answers read as one text.

    answers, in one seeded order of prompts --first W words--> one text --Yardstick--> distance to the author
    halves of those prompts, both sides the same half --spread--> interval, centred on the full estimate

Lower is nearer. All depend on how much is read, so that everybody is read to one length: 5,000 words, and for
Delta segments of 1,000. Delta and function words do not see order: shuffled answers score as they did.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness import statistics
from harness.metrics.delta import MIN_WORDS_IN_ALL, SEGMENT_WORDS
from harness.metrics.function_words import FUNCTION_WORDS
from harness.metrics.profile import PUNCTUATION, jensen_shannon, wasserstein
from harness.statistics import UNKNOWN
from harness.text import digest
from harness.types import Interval
from harness.yardsticks import Counted, Yardstick

POOLED_VERSIONS = {
    "cosine_delta": "1", "burrows_delta": "1", "function_words_jsd": "1", "character_trigrams_jsd": "1",
    "punctuation_jsd": "1", "sentence_lengths_distance": "1",
}  # fmt: skip
"""Metric name -> version, as ``measures.VERSIONS``; raise it when a definition changes."""

IN_SEGMENTS = frozenset({"cosine_delta", "burrows_delta"})
HALF_SAMPLES = 400
"""At 200 the ends of one interval still differ by a seventh of its half-width from seed to seed."""


@dataclass(frozen=True)
class Side:
    """A variant's valid answers by prompt, and what they are held against."""

    answers: Mapping[str, Counted]
    yardstick: Yardstick


@dataclass(frozen=True)
class Estimate:
    """A pooled metric of one variant; NaN with the reason in ``note`` where there is too little text."""

    value: float
    interval: Interval
    n: int
    note: str


@dataclass(frozen=True)
class Difference:
    """Candidate minus baseline as measured, not turned: means over the pairs. ``n``: prompts valid in all."""

    baseline: float
    candidate: float
    difference: float
    interval: Interval
    n: int
    note: str


# ── the metrics, each of what was read ────────────────────────────────────────────────────────────


def _delta(read: np.ndarray, yardstick: Yardstick, metric: str) -> float:
    """Mean over segments of 1,000 words of their Delta to the author's centroid."""
    state = yardstick.delta.state()
    size = len(state["vocabulary"])
    segments = read[: read.size // SEGMENT_WORDS * SEGMENT_WORDS].reshape(-1, SEGMENT_WORDS)
    if not len(segments):
        return math.nan
    offset = segments + np.arange(len(segments))[:, None] * (size + 1)
    counts = np.bincount(offset.ravel(), minlength=len(segments) * (size + 1)).reshape(len(segments), -1)
    z = (counts[:, :size] / SEGMENT_WORDS - state["mean"]) / state["sd"]
    centroid = state["centroid"]
    if metric == "burrows_delta":
        return float(np.abs(z - centroid).mean())
    lengths = np.linalg.norm(z, axis=1) * np.linalg.norm(centroid)
    return float(np.mean(1 - z @ centroid / lengths)) if (lengths > 0).all() else math.nan


def _counts(read: np.ndarray, size: int) -> np.ndarray:
    return np.bincount(read, minlength=size)[:size]


def _function_words(read: np.ndarray, yardstick: Yardstick, metric: str) -> float:
    return jensen_shannon(_counts(read, len(FUNCTION_WORDS)), yardstick.function_words)


def _character_trigrams(read: np.ndarray, yardstick: Yardstick, metric: str) -> float:
    """What the author never used adds half its share whichever trigram it is, so that all are one outcome."""
    return jensen_shannon(_counts(read, yardstick.trigram_counts.size), yardstick.trigram_counts)


def _punctuation(read: np.ndarray, yardstick: Yardstick, metric: str) -> float:
    return jensen_shannon(_counts(read, len(PUNCTUATION)), yardstick.marks)


def _sentences(read: np.ndarray, yardstick: Yardstick, metric: str) -> float:
    """Wasserstein to the train sentences' lengths over the author's own: 1 is as far as he is himself."""
    own = yardstick.own_distance
    return wasserstein(read, yardstick.sentences) / own if own > 0 else math.nan


@dataclass(frozen=True)
class _Metric:
    stream: str
    value: Callable[[np.ndarray, Yardstick, str], float]


_METRICS = {
    "cosine_delta": _Metric("delta", _delta),
    "burrows_delta": _Metric("delta", _delta),
    "function_words_jsd": _Metric("function_words", _function_words),
    "character_trigrams_jsd": _Metric("trigrams", _character_trigrams),
    "punctuation_jsd": _Metric("punctuation", _punctuation),
    "sentence_lengths_distance": _Metric("sentences", _sentences),
}


# ── estimates and differences ─────────────────────────────────────────────────────────────────────


def estimate(metric: str, side: Side, n_samples: int = HALF_SAMPLES) -> Estimate:
    """One variant's value with its half-sample interval (95 %)."""
    items = in_order(side.answers)
    found = _sampled(metric, [side], items, lambda values: float(values[0]), n_samples)
    low, high = found.interval
    # No distance is below 0, though what is centred on a small one may reach there.
    interval = Interval(0.0 if low < 0 else low, high)
    return Estimate(float(found.values[0]), interval, len(items), found.note)


def half_samples(
    metric: str, pairs: Sequence[tuple[Side, Side]], n_samples: int = HALF_SAMPLES
) -> Difference:
    """(baseline, candidate) pairs -> their mean difference with its half-sample interval (95 %).

    The same prompts and the same number of words on every side of all pairs, in the full estimate and in each
    half: 5,000, or fewer where the prompts valid in both have no more. Each side alone has to have 5,000.

    The spread of a statistic over halves drawn without replacement is that of its error on the whole (Efron
    1982, half-sampling; Politis, Romano and Wolf 1999, subsampling). Where only w of W words of a half could
    be read, it is scaled by sqrt(w / (W - w)), which is 1 at w = W / 2; and all by t / z for few prompts.
    """
    sides = [side for both in pairs for side in both]
    items = in_order(set.intersection(*(set(side.answers) for side in sides)))
    found = _sampled(
        metric, sides, items, lambda values: float((values[1::2] - values[::2]).mean()), n_samples
    )
    return Difference(
        baseline=float(found.values[::2].mean()),
        candidate=float(found.values[1::2].mean()),
        difference=found.contrast,
        interval=found.interval,
        n=len(items),
        note=found.note,
    )


def in_order(items: Mapping[str, object] | set[str]) -> list[str]:
    """Prompts in the one seeded order in which they are pooled, whatever order they came in."""
    return sorted(items, key=lambda item: (digest(f"pooled/{item}"), item))


@dataclass(frozen=True)
class _Sampled:
    """``values``: one a side, in full; ``contrast``: what is made of them, with its interval."""

    values: np.ndarray
    contrast: float = math.nan
    interval: Interval = field(default=UNKNOWN)
    note: str = ""


def _sampled(
    metric: str,
    sides: Sequence[Side],
    items: Sequence[str],
    contrast: Callable[[np.ndarray], float],
    n_samples: int,
) -> _Sampled:
    pools = [[side.answers[item] for item in items] for side in sides]
    sizes = np.array([[answer.n_words for answer in pool] for pool in pools], dtype=int)
    nothing = np.full(len(sides), math.nan)
    alone = min(sum(answer.n_words for answer in side.answers.values()) for side in sides)
    if alone < MIN_WORDS_IN_ALL:
        return _Sampled(nothing, note=f"insufficient text: {alone:,} of {MIN_WORDS_IN_ALL:,} words")
    least = int(sizes.sum(axis=1).min())
    in_segments = metric in IN_SEGMENTS
    whole = least // SEGMENT_WORDS * SEGMENT_WORDS if in_segments else min(least, MIN_WORDS_IN_ALL)
    if not whole:
        return _Sampled(nothing, note=f"insufficient text: {least:,} words in prompts valid in both")

    def values(chosen: Sequence[int], n_words: int) -> np.ndarray:
        return np.array(
            [
                _value(metric, [pool[index] for index in chosen], side.yardstick, n_words)
                for side, pool in zip(sides, pools, strict=True)
            ]
        )

    # What lies beyond the words read has no part in the estimate, and so none in its error.
    used = int((sizes.cumsum(axis=1) < whole).sum(axis=1).max()) + 1
    full = values(range(used), whole)
    centre = contrast(full)
    if not math.isfinite(centre):
        return _Sampled(full, note="nothing of this kind in the text")
    halves, scales = [], []
    for half in statistics.half_samples(used, n_samples):
        there = int(sizes[:, half].sum(axis=1).min())
        step = SEGMENT_WORDS if in_segments else 1
        n_words = min(there // step, math.ceil(whole / step / 2)) * step
        # A half that holds as much as the whole reads says nothing of how the whole may err.
        if 0 < n_words < whole:
            halves.append(contrast(values(half.tolist(), n_words)))
            scales.append(math.sqrt(n_words / (whole - n_words)))
    spread = np.array([])
    if halves and used > 1:
        spread = (np.array(halves) - np.nanmean(halves)) * scales * _widened(used - 1)
    note = f"first {whole:,} words of {least:,} in {len(items):,} answers"
    if len(sides) > 1:
        note = f"first {whole:,} words of each side"
    if in_segments:
        note = f"{whole // SEGMENT_WORDS:,} segments of {SEGMENT_WORDS:,} words"
    interval = statistics.half_sample_interval(centre, (spread + centre).tolist())
    return _Sampled(full, centre, interval, note)


def _widened(df: int) -> float:
    """t / z at 97.5 %, within .2 % from 11 degrees of freedom on (Abramowitz and Stegun 1964, 26.7.5)."""
    return 1 + 1.2104 / df + 1.4401 / df**2


def _value(metric: str, answers: Sequence[Counted], yardstick: Yardstick, n_words: int) -> float:
    """A metric of the first ``n_words`` words; of the answer that is cut, a like share of its stream."""
    found = _METRICS[metric]
    parts, left = [], n_words
    for answer in answers:
        if left <= 0:
            break
        stream = answer.streams[found.stream]
        if answer.n_words > left:
            stream = stream[: round(stream.size * left / answer.n_words)]
        parts.append(stream)
        left -= answer.n_words
    return found.value(np.concatenate(parts), yardstick, metric) if parts else math.nan
