"""Which words are characteristic of an author, and how much of them a text uses.

Keywords come from the author's *train* prose, never typed by hand; density always stands beside coverage,
since a text can be stuffed with two keywords and beat the author's density.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from harness.metrics.function_words import FUNCTION_WORD_SET

MIN_COUNT = 5
MIN_DOCUMENTS = 5
MIN_LOG_RATIO = 1.0
FAMILY_ALPHA = 0.01


def log_likelihood_g2(a: float, b: float, c: float, d: float) -> float:
    """2 (a ln(a / E_a) + b ln(b / E_b)), E_a = c (a + b) / (c + d), E_b = d (a + b) / (c + d).

    a, b: occurrences in target and background; c, d: sizes of the two in tokens. Rayson and Garside's
    (2000) two-cell form; in [0, inf), chi-square with one degree of freedom if the rates are equal.
    It is large for under-use too: read it with ``log_ratio``. An empty corpus: NaN.
    """
    if c <= 0 or d <= 0:
        return math.nan
    rate = (a + b) / (c + d)
    return 2 * sum(count * math.log(count / (size * rate)) for count, size in ((a, c), (b, d)) if count)


def log_ratio(a: float, b: float, c: float, d: float) -> float:
    """log2 of target rate over background rate, zero counts taken as one half; Hardie (2014).

    1 means twice as frequent in the target, -1 half as frequent. An empty corpus: NaN.
    """
    if c <= 0 or d <= 0:
        return math.nan
    return math.log2(((a or 0.5) / c) / ((b or 0.5) / d))


@dataclass(frozen=True)
class Keyword:
    """A word with its count in the target, the number of target documents it is in, and its keyness."""

    word: str
    count: int
    documents: int
    g2: float
    log_ratio: float


def characteristic_keywords(
    target_documents: Sequence[Sequence[str]], background_documents: Sequence[Sequence[str]], n: int = 30
) -> tuple[Keyword, ...]:
    """The at most ``n`` words most over-used in the target, by G2, highest first (ties by word).

    Documents are token lists, best blocks of about 2,000 words. A candidate occurs at least 5 times in at
    least 5 target documents and is no function word; it is kept if its log ratio is at least 1 and
    its G2 exceeds the 1 - .01/V quantile of chi-square with one degree of freedom, V candidates (Bonferroni).
    """
    target, background = _count(target_documents), _count(background_documents)
    documents = Counter(word for document in target_documents for word in set(document))
    target_size, background_size = target.total(), background.total()
    candidates = [
        word
        for word, count in target.items()
        if count >= MIN_COUNT and documents[word] >= MIN_DOCUMENTS and word not in FUNCTION_WORD_SET
    ]
    if not candidates or not background_size:
        return ()
    scored = [
        Keyword(
            word,
            target[word],
            documents[word],
            log_likelihood_g2(target[word], background[word], target_size, background_size),
            log_ratio(target[word], background[word], target_size, background_size),
        )
        for word in candidates
    ]
    threshold = chi_square_1_quantile(1 - FAMILY_ALPHA / len(candidates))
    kept = [word for word in scored if word.g2 > threshold and word.log_ratio >= MIN_LOG_RATIO]
    return tuple(sorted(kept, key=lambda word: (-word.g2, word.word))[:n])


def keyword_density(tokens: Sequence[str], keywords: Iterable[str]) -> float:
    """Keyword occurrences per 1,000 tokens, in [0, 1000]; compare with the author's own. Empty: NaN."""
    wanted = frozenset(keywords)
    return 1000 * sum(token in wanted for token in tokens) / len(tokens) if tokens else math.nan


def keyword_coverage(tokens: Sequence[str], keywords: Iterable[str]) -> float:
    """Share of the distinct keywords used at least once, in [0, 1]; no tokens or no keywords: NaN."""
    wanted = frozenset(keywords)
    return len(wanted.intersection(tokens)) / len(wanted) if wanted and tokens else math.nan


def chi_square_1_quantile(probability: float) -> float:
    """The quantile of chi-square with one degree of freedom: the square of a two-sided normal quantile."""
    return NormalDist().inv_cdf((1 + probability) / 2) ** 2


def _count(documents: Sequence[Sequence[str]]) -> Counter[str]:
    return Counter(word for document in documents for word in document)
