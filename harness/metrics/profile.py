"""What a piece of prose is made of, and how far two such profiles are apart.

Per answer:  punctuation, sentence lengths, dialogue share, readability   --wasserstein-->
             function words, character trigrams                           --jensen_shannon-->

No feature has a good direction: each is compared with the author's own passages of equal length. A
text always at his mean is as wrong as one far from it, hence distances between distributions.
"""

from __future__ import annotations

import functools
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from harness.metrics.function_words import FUNCTION_WORDS
from harness.text import Punkt, count_words, normalise, sentences, words

PUNCTUATION = (",", ";", ":", ".", "!", "?", "—", "-", "(", '"')
_QUOTED = re.compile(r'"[^"\n]*(?:\n(?!\s*\n)[^"\n]*)*"')
_VOWELS = re.compile(r"[aeiouyàáâäæèéêëìíîïòóôöœùúûü]+")


def function_word_distribution(tokens: Sequence[str]) -> np.ndarray:
    """Share of each English function word among all function words; shape (len(FUNCTION_WORDS),), sum 1.

    A text without any: NaN throughout.
    """
    counts = Counter(tokens)
    present = np.array([counts[word] for word in FUNCTION_WORDS], dtype=float)
    return present / present.sum() if present.sum() else np.full(present.size, math.nan)


def character_trigrams(text: str) -> Counter[str]:
    """Counts of all three-character strings: lower case, every run of white space one space."""
    plain = " ".join(normalise(text).lower().split())
    return Counter(plain[start : start + 3] for start in range(len(plain) - 2))


def punctuation_per_thousand(text: str) -> dict[str, float]:
    """Each mark per 1,000 words; ``(`` stands for the pair. Without words: NaN each.

    Dashes, however typed (``one--yes``, ``one – yes``), are ``—``; hyphens, and ranges as ``1914–18``, ``-``.
    """
    n_words = count_words(text)
    plain = normalise(text)
    return {mark: 1000 * plain.count(mark) / n_words if n_words else math.nan for mark in PUNCTUATION}


def sentence_lengths(text: str, punkt: Punkt | None = None) -> tuple[int, ...]:
    """Words in each sentence that has any, in order."""
    lengths = (count_words(sentence) for sentence in sentences(text, punkt))
    return tuple(length for length in lengths if length)


def dialogue_share(text: str) -> float:
    """Share of the words inside double quotation marks, in [0, 1]; without words: NaN.

    Quotes are paired within a paragraph; one left open counts for nothing.
    """
    n_words = count_words(text)
    quoted = sum(count_words(match.group()) for match in _QUOTED.finditer(normalise(text)))
    return quoted / n_words if n_words else math.nan


def flesch_kincaid_grade(text: str, punkt: Punkt | None = None) -> float:
    """.39 words/sentence + 11.8 syllables/word - 15.59, in US school grades; Kincaid et al. (1975).

    Syllables are groups of vowels, less a silent final e: an estimate for English. Without words: NaN.
    """
    return flesch_kincaid_grade_of(words(text), sentence_lengths(text, punkt))


def flesch_kincaid_grade_of(tokens: Sequence[str], lengths: Sequence[int]) -> float:
    """``flesch_kincaid_grade`` of words and sentence lengths that are known already."""
    if not tokens or not lengths:
        return math.nan
    syllables = sum(count_syllables(token) for token in tokens)
    return 0.39 * len(tokens) / len(lengths) + 11.8 * syllables / len(tokens) - 15.59


@functools.lru_cache(maxsize=20_000)
def count_syllables(word: str) -> int:
    """Groups of vowels, a final silent e (not -le after a consonant) taken off; at least 1."""
    groups = len(_VOWELS.findall(word.lower()))
    silent = re.search(r"[^aeiouyl]e$|[aeiouy]le$|[^aeiouydt]ed$|[^aeiouyscxzgh]es$", word.lower())
    return max(1, groups - bool(silent))


def jensen_shannon(p: Sequence[float] | np.ndarray, q: Sequence[float] | np.ndarray) -> float:
    """KL(p || m) / 2 + KL(q || m) / 2 with m = (p + q) / 2, in bits, in [0, 1]; Lin (1991). Low is alike.

    The divergence; scipy's ``jensenshannon(p, q, base=2)`` is its square root. p and q are weights over
    the same outcomes, scaled here to sum 1. No weight, or a NaN: NaN. Two lengths: ValueError.
    """
    first, second = np.asarray(p, dtype=float), np.asarray(q, dtype=float)
    if first.shape != second.shape:
        raise ValueError(f"need two distributions over the same outcomes, got {first.size} and {second.size}")
    if not (first.sum() > 0 and second.sum() > 0):
        return math.nan
    first, second = first / first.sum(), second / second.sum()
    middle = (first + second) / 2
    return max(0.0, (_divergence(first, middle) + _divergence(second, middle)) / 2)


def jensen_shannon_of_counts(a: Mapping[str, float], b: Mapping[str, float]) -> float:
    """``jensen_shannon`` of two tables of counts over whatever outcomes either has (trigrams, say)."""
    outcomes = sorted(a.keys() | b.keys())
    return jensen_shannon(
        [a.get(outcome, 0) for outcome in outcomes], [b.get(outcome, 0) for outcome in outcomes]
    )


def wasserstein(x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> float:
    """Area between the two cumulative distributions, in the unit of the values; in [0, inf), low is alike.

    scipy's ``wasserstein_distance``. The samples may differ in size; NaN values are left out; none left: NaN.
    """
    first, second = (
        np.sort(sample[~np.isnan(sample)]) for sample in (np.asarray(s, dtype=float) for s in (x, y))
    )
    if not first.size or not second.size:
        return math.nan
    points = np.sort(np.concatenate([first, second]))
    below_first = np.searchsorted(first, points[:-1], side="right") / first.size
    below_second = np.searchsorted(second, points[:-1], side="right") / second.size
    return float((np.abs(below_first - below_second) * np.diff(points)).sum())


def distance_to_author(
    variant_values: Sequence[float] | np.ndarray,
    heldout_values: Sequence[float] | np.ndarray,
    train_values: Sequence[float] | np.ndarray,
) -> float:
    """W(variant, held-out) / W(held-out, train), W Wasserstein, of one feature per answer or passage.

    In [0, inf): 1 is as far from the author as he is from himself, lower is nearer. All three at equal
    length. NaN where a sample is empty or the author does not differ from himself.
    """
    own = wasserstein(heldout_values, train_values)
    return wasserstein(variant_values, heldout_values) / own if own > 0 else math.nan


def _divergence(p: np.ndarray, q: np.ndarray) -> float:
    """Kullback-Leibler divergence in bits; q is positive wherever p is."""
    present = p > 0
    return float((p[present] * np.log2(p[present] / q[present])).sum())
