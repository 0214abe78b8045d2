"""Does an answer answer its own question? Measured without a judge.

The answer is put beside all the questions of the suite; if it is about its own, that one is the nearest.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.metrics.similarity import TermWeights
from harness.text import words


def question_rank(questions: Sequence[str], answer: str, own: int) -> float:
    """1 / rank of ``questions[own]`` by TF-IDF cosine with the answer; in (0, 1], higher is better.

    Ties count against the answer, so that one sharing no word with any question gets 1 / len(questions).
    Weights are fitted on the questions; answer words that no question has cannot change the order. An
    answer without words: NaN. Raises IndexError for an ``own`` that is no question.
    """
    if not 0 <= own < len(questions):
        raise IndexError(f"question {own} of {len(questions)}")
    answer_words = words(answer)
    if not answer_words:
        return math.nan
    asked = _asked(tuple(questions))
    cosines = np.asarray(asked.rows @ asked.weights.vector(answer_words))
    # Equal up to rounding is a tie: two questions with the same words in another order.
    return 1.0 / int((cosines >= cosines[own] - 1e-12).sum())


@dataclass(frozen=True)
class _Asked:
    weights: TermWeights
    rows: Any


@functools.lru_cache(maxsize=4)
def _asked(questions: tuple[str, ...]) -> _Asked:
    """Weights fitted on the questions, and their rows; a suite asks the same ones of every answer."""
    asked = [words(question) for question in questions]
    weights = TermWeights.fit(asked)
    return _Asked(weights, weights.transform(asked))
