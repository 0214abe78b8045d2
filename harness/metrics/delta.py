"""Burrows's Delta and its cosine variant: distance to an author in the frequencies of common words.

Standardised frequencies always come from a frozen background of many segments. Standardising over just
the two texts compared gives sqrt(2) whatever the texts, which is why no function here offers it.

    answers --pool_segments--> segments of >= 1,000 words --DeltaReference--> distances
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.text import count_words, words

SEGMENT_WORDS = 1_000
MIN_WORDS_IN_ALL = 5_000


def burrows_delta(z_a: Sequence[float] | np.ndarray, z_b: Sequence[float] | np.ndarray) -> float:
    """Mean of |z_a - z_b| over the words, in [0, inf); low is alike. Burrows (2002). No words: NaN."""
    difference = np.abs(np.asarray(z_a, dtype=float) - np.asarray(z_b, dtype=float))
    return float(difference.mean()) if difference.size else math.nan


def cosine_delta(z_a: Sequence[float] | np.ndarray, z_b: Sequence[float] | np.ndarray) -> float:
    """1 - cosine of the two vectors, in [0, 2]; low is alike. Smith and Aldridge (2011). Zero vector: NaN."""
    first, second = np.asarray(z_a, dtype=float), np.asarray(z_b, dtype=float)
    lengths = float(np.linalg.norm(first) * np.linalg.norm(second))
    return 1 - float(first @ second) / lengths if lengths > 0 else math.nan


def pool_segments(
    texts: Sequence[str], min_words: int = SEGMENT_WORDS, min_total: int = MIN_WORDS_IN_ALL
) -> tuple[str, ...]:
    """Consecutive texts joined into segments of at least ``min_words`` words; a short rest joins the last.

    Empty where there are fewer than ``min_total`` words in all: insufficient text for a Delta.
    """
    lengths = [count_words(text) for text in texts]
    if sum(lengths) < max(min_total, min_words):
        return ()
    segments: list[list[str]] = [[]]
    filled = 0
    remaining = sum(lengths)
    for text, length in zip(texts, lengths, strict=True):
        segments[-1].append(text)
        filled, remaining = filled + length, remaining - length
        if filled >= min_words and remaining >= min_words:
            segments.append([])
            filled = 0
    return tuple("\n\n".join(segment) for segment in segments)


class DeltaReference:
    """The most frequent background words, their means and deviations, and the author's centroid."""

    def __init__(
        self, vocabulary: Sequence[str], mean: np.ndarray, sd: np.ndarray, centroid: np.ndarray
    ) -> None:
        self.vocabulary = list(vocabulary)
        self._mean = np.asarray(mean, dtype=np.float64)
        self._sd = np.asarray(sd, dtype=np.float64)
        self._centroid = np.asarray(centroid, dtype=np.float64)

    @classmethod
    def fit(
        cls, author_segments: Sequence[str], background_segments: Sequence[str], n_words: int = 150
    ) -> DeltaReference:
        """Segments are texts of at least some 1,000 words. z = (relative frequency - mean) / sd (ddof 1).

        Frequencies are relative to all tokens of a segment. Of the ``n_words`` most frequent background
        words one equally frequent in every segment says nothing and is left out. Raises ValueError
        under two background segments or one of the author's.
        """
        background = [words(segment) for segment in background_segments if count_words(segment)]
        author = [words(segment) for segment in author_segments if count_words(segment)]
        if len(background) < 2 or not author:
            raise ValueError(
                f"Delta needs 2 background segments and 1 of the author, got {len(background)}, {len(author)}"
            )
        total = Counter(word for segment in background for word in segment)
        frequent = [word for word, _ in sorted(total.items(), key=lambda item: (-item[1], item[0]))][:n_words]
        table = np.array([relative_frequencies(segment, frequent) for segment in background])
        sd = table.std(axis=0, ddof=1)
        telling = sd > 0
        vocabulary = [word for word, tells in zip(frequent, telling.tolist(), strict=True) if tells]
        mean, sd = table.mean(axis=0)[telling], sd[telling]
        author_table = np.array([relative_frequencies(segment, vocabulary) for segment in author])
        return cls(vocabulary, mean, sd, ((author_table - mean) / sd).mean(axis=0))

    def z(self, text: str) -> np.ndarray:
        """Standardised frequencies of a text, in order of ``vocabulary``; NaN for a text without words."""
        return np.asarray((relative_frequencies(words(text), self.vocabulary) - self._mean) / self._sd)

    def burrows(self, text: str) -> float:
        """Burrows's Delta from the text to the author's centroid; no words: NaN."""
        return burrows_delta(self.z(text), self._centroid)

    def cosine(self, text: str) -> float:
        """Cosine Delta from the text to the author's centroid; no words: NaN."""
        return cosine_delta(self.z(text), self._centroid)

    def state(self) -> dict[str, Any]:
        """A list of strings and numpy arrays from which ``from_state`` rebuilds the same reference."""
        return {
            "vocabulary": self.vocabulary,
            "mean": self._mean,
            "sd": self._sd,
            "centroid": self._centroid,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> DeltaReference:
        return cls(state["vocabulary"], state["mean"], state["sd"], state["centroid"])


def relative_frequencies(tokens: Sequence[str], vocabulary: Sequence[str]) -> np.ndarray:
    """Count of each vocabulary word over all tokens, shape (len(vocabulary),); without tokens NaN."""
    if not tokens:
        return np.full(len(vocabulary), math.nan)
    counts = Counter(tokens)
    return np.array([counts[word] / len(tokens) for word in vocabulary])
