"""Pooled metrics of a file's texts, beside the author's held-out prose and each other author; no model.

valid, uncopied texts --one text of 5,000 words--> distance to the author, half-sample interval
held-out passages, others' passages --the same---> what he and they have at the texts' length
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from harness.metrics.delta import MIN_WORDS_IN_ALL
from harness.pooled import POOLED_VERSIONS, Estimate, Side, estimate
from harness.pooled_scores import background_without, yardstick_of
from harness.reference import Reference
from harness.text import count_words, cut_at_sentence
from harness.types import Passage
from harness.yardsticks import Yardstick

ONLY_THE_VALUE = 2
"""Half-samples of what stands beside, whose interval nobody is shown."""


@dataclass(frozen=True)
class PooledValues:
    """One pooled metric of the file, of the author and as a mean over other authors; lower is nearer."""

    metric: str
    found: Estimate
    author: float
    others: float


def too_short(texts: Mapping[str, str]) -> str:
    """Why there are no pooled metrics of these texts; nothing where they have 5,000 words."""
    n_words = sum(count_words(text) for text in texts.values())
    if n_words >= MIN_WORDS_IN_ALL:
        return ""
    return f"{n_words:,} of {MIN_WORDS_IN_ALL:,} words in valid, uncopied texts"


def pooled_values(texts: Mapping[str, str], reference: Reference, length: int) -> list[PooledValues]:
    """Every pooled metric of texts by prompt; author and others cut to about ``length`` words, as they are.

    Each other author is held against a Delta whose background he is left out of.
    """
    yardstick = yardstick_of(reference, length)
    own = _side(texts, yardstick)
    author = _side(_cut(reference.heldout, length), yardstick)
    others = []
    for name, passages in reference.others.items():
        delta = background_without(reference, name) or yardstick.delta
        others.append(_side(_cut(passages, length), replace(yardstick, delta=delta)))
    return [
        PooledValues(metric, estimate(metric, own), _value(metric, author), _mean(metric, others))
        for metric in POOLED_VERSIONS
    ]


def _side(texts: Mapping[str, str], yardstick: Yardstick) -> Side:
    return Side({item: yardstick.count(text) for item, text in texts.items()}, yardstick)


def _cut(passages: Iterable[Passage], length: int) -> dict[str, str]:
    return {passage.digest: cut_at_sentence(passage.text, length) for passage in passages}


def _value(metric: str, side: Side) -> float:
    return estimate(metric, side, ONLY_THE_VALUE).value


def _mean(metric: str, sides: Iterable[Side]) -> float:
    """Over those that have a value; another author may have too little prose."""
    known = [value for side in sides if not math.isnan(value := _value(metric, side))]
    return float(np.mean(known)) if known else math.nan
