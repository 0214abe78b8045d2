"""How far from the author, as a distribution: a text that is always at his mean is as wrong as one far off.

    variant's answers          --W--> author's held-out answers to the same prompts how far it is
    author's held-out answers  --W--> his train passages at equal length            how far he is from himself

    distance = W(variant, held-out) / W(held-out, train)      W Wasserstein, one feature at a time

0 is his very distribution, 1 as far as he is from himself, more is further. Unlike |x - author| prompt by
prompt, it cannot be had by writing his mean every time. The train passages are measured here, for nothing
stored: at most ``MOST_PASSAGES``, cut to the length of the answers, kept in memory.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.metrics.features import FEATURES, prose_features
from harness.metrics.profile import wasserstein
from harness.reference import Reference
from harness.text import complete, cut_at_sentence, digest, words
from harness.types import Interval

MOST_PASSAGES = 400
RESAMPLES = 500

FEWEST = 12
"""Values of a side: of fewer there is hardly a distribution."""

FITTED = "no distance: the train passages are what it was fitted on"
"""Why a metric that needs the reference set has none: of his train passages it would say too much."""

UNIT = "(1 = as far as he is from himself)"
NOT_AS_A_WHOLE = "not as a distribution"


@dataclass(frozen=True)
class Distance:
    """W(variant, held-out) / W(held-out, train) in [0, inf), lower is nearer, with its 95 % interval over the
    ``n`` prompts; NaN with the reason in ``note``.
    """

    value: float
    interval: Interval
    n: int
    note: str = ""


Values = Mapping[str, float]
"""Prompt -> value of one feature, NaN where there is none; several answers to a prompt are their mean."""


def author_train_values(reference: Reference, max_words: int) -> Mapping[str, np.ndarray]:
    """Feature -> its values on the author's train passages, cut to ``max_words`` as his control is.

    Shape (passages,), NaN where a passage is too short. The passages are drawn by digest, so that they are
    the same ones everywhere. Nothing where there is no train prose.
    """
    drawn = sorted(reference.train, key=lambda passage: digest(passage.digest))[:MOST_PASSAGES]
    if not drawn:
        return {}
    punkt: Any = (
        reference.sentence_tokenizer
    )  # An nltk object, hashable as itself; the protocol cannot say so.
    return _measured(tuple(passage.text for passage in drawn), max_words, punkt)


@functools.lru_cache(maxsize=4)
def _measured(texts: tuple[str, ...], max_words: int, punkt: Any) -> Mapping[str, np.ndarray]:
    found = []
    for text in texts:
        cut = complete(cut_at_sentence(text, max_words))
        found.append(prose_features(cut, words(cut), punkt))
    return {feature: np.array([one[feature] for one in found]) for feature in FEATURES}


def distance(
    metric: str, variant: Values, author: Values, train: Mapping[str, np.ndarray], seed: int = 0
) -> Distance:
    """How far one feature of a variant's answers is from the author, over the prompts that both have.

    The interval is by bootstrap over prompts (an answer goes with the author's own to that prompt), centred
    on the full value, as resampling alone moves two samples apart. How far he is from himself stays as it is.
    NaN with the reason under 12 prompts.
    """
    nothing = Interval(math.nan, math.nan)
    if metric not in FEATURES:
        return Distance(math.nan, nothing, 0, FITTED)
    if metric not in train:
        return Distance(math.nan, nothing, 0, "no distance: there is no train prose")
    own = from_himself(metric, author, train)
    items = _common(variant, author)
    if not items or math.isnan(own):
        reason = "no answer has a value" if not items else "the author does not differ from himself"
        return Distance(math.nan, nothing, len(items), f"no distance: {reason}")
    if len(items) < FEWEST:
        return Distance(math.nan, nothing, len(items), f"no distance: {len(items)} of {FEWEST} answers")
    answers, his = (np.array([side[item] for item in items]) for side in (variant, author))
    value = wasserstein(answers, his) / own
    draws = np.random.default_rng(seed).integers(len(items), size=(RESAMPLES, len(items)))
    # Of samples of one size, W is the mean difference of the values in order.
    resampled = np.abs(np.sort(answers[draws]) - np.sort(his[draws])).mean(axis=1) / own
    low, high = np.quantile(resampled, [0.025, 0.975]) - resampled.mean() + value
    return Distance(value, Interval(max(0.0, float(low)), float(high)), len(items))


def from_himself(metric: str, author: Values, train: Mapping[str, np.ndarray]) -> float:
    """W(held-out, train) of the author, in the metric's unit; NaN where unknown, or where it is nothing."""
    his = [value for value in author.values() if not math.isnan(value)]
    own = wasserstein(his, train[metric]) if metric in train else math.nan
    return own if own > 0 else math.nan


@dataclass(frozen=True)
class Shift:
    """How two sides stand to the author: ``nearer`` is W(baseline) - W(candidate) in the metric's own unit,
    above 0 where the candidate is the nearer one. The two distances are NaN for what was fitted on train
    prose.
    """

    nearer: float
    baseline: float
    candidate: float

    @property
    def told(self) -> str:
        """``distance to the author 1.4 -> 1.1``; nothing where it is unknown."""
        if math.isnan(self.baseline) or math.isnan(self.candidate):
            return ""
        return f"distance to the author {self.baseline:.2g} -> {self.candidate:.2g} {UNIT}"

    def contradiction(self, gain: float) -> str:
        """What to say where prompt by prompt (``gain`` > 0: closer) and the distribution do not agree."""
        if math.isnan(self.nearer) or gain * self.nearer > 0:
            return ""
        return f"{'closer' if gain > 0 else 'further'} prompt by prompt, {NOT_AS_A_WHOLE}"


def shift(
    metric: str,
    sides: Sequence[tuple[Values, Values]],
    author: Values,
    train: Mapping[str, np.ndarray],
) -> Shift:
    """From baseline to candidate: the mean over ``sides``, pairs of (baseline, candidate), each over the
    prompts that both and the author have.
    """
    before, after = [], []
    for baseline, candidate in sides:
        items = _common(baseline, candidate, author)
        his = [author[item] for item in items]
        before.append(wasserstein([baseline[item] for item in items], his))
        after.append(wasserstein([candidate[item] for item in items], his))
    own = from_himself(metric, author, train)
    old, new = (float(np.mean(found)) if found else math.nan for found in (before, after))
    return Shift(nearer=old - new, baseline=old / own, candidate=new / own)


def _common(*sides: Values) -> list[str]:
    """The prompts at which every side has a value, in order."""
    return sorted(i for i in sides[0] if all(not math.isnan(side.get(i, math.nan)) for side in sides))
