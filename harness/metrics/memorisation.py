"""How much of an answer stands word for word in given texts. The floor is the author's own unseen prose.

An author repeats himself: medians of the longest run are about 5 words for his unseen book, 4 for
another author, and the whole answer for one pasted from training text. Compare with those, not with 0.

Everything follows from one number per position i of the answer: L(i), the length of the longest
piece that starts there and occurs inside a document.

    document   a b c d e f g
    answer     x b c d e y a b
    L          0 4 3 2 1 0 2 1       longest run 4; bigrams copied where L >= 2: 4 of 7, novelty 3/7
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics.matching import LONGEST, ShortPieces, fill_between

COPIED_RUN = 50
COPIED_COVERAGE = 0.3
_ID_BYTES = 4


@dataclass(frozen=True)
class Matches:
    """L(i) of an answer in the documents (``lengths``) and in its own prompt (``excused``): a row each."""

    lengths: np.ndarray
    excused: np.ndarray

    def together(self, other: Matches) -> Matches:
        """The same tokens in the documents of both: what one index of all these documents would find."""
        return Matches(np.maximum(self.lengths, other.lengths), self.excused)

    @property
    def run(self) -> int:
        """Tokens in the longest piece that is in a document and not, as a whole, in the prompt."""
        counted = self.lengths[self.lengths > self.excused]
        return int(counted.max()) if counted.size else 0

    def copied(self, n: int) -> np.ndarray:
        """For each n-gram of the answer: is it in a document, and not in the prompt?"""
        if n < 1:
            raise ValueError(f"n-grams need n >= 1, got {n}")
        starts = max(0, len(self.lengths) - n + 1)
        return np.asarray((self.lengths[:starts] >= n) & (self.excused[:starts] < n))

    def covered(self, n: int) -> np.ndarray:
        """For each token of the answer: does it lie inside a copied n-gram?"""
        covered = np.zeros(len(self.lengths), dtype=bool)
        for start in np.flatnonzero(self.copied(n)):
            covered[start : start + n] = True
        return covered

    def coverage(self, n: int) -> float:
        """Share of the tokens that lie inside a copied n-gram, in [0, 1]. Fewer tokens than n: NaN."""
        return float(self.covered(n).mean()) if len(self.lengths) >= n else math.nan

    def novelty(self, n: int) -> float:
        """Share of the n-grams that are not copied, in [0, 1]; McCoy et al. (2023). Fewer tokens: NaN."""
        copied = self.copied(n)
        return float(1 - copied.mean()) if copied.size else math.nan


class CopyIndex:
    """A suffix array over documents (token lists): exact, some 30 bytes and 3 microseconds a token.

    A match never crosses from one document into the next. ``prompt``, where given, is a token
    list whose own n-grams do not count: what a model repeats from its question is no recitation.
    """

    def __init__(self, documents: Sequence[Sequence[str]]) -> None:
        distinct = sorted({token for document in documents for token in document})
        # 0 stands for a token no document has; every document ends in a separator of its own.
        self._ids = {token: number for number, token in enumerate(distinct, start=1)}
        separator = len(distinct) + 1
        numbers: list[int] = []
        for ordinal, document in enumerate(documents):
            numbers.extend(self._ids[token] for token in document)
            numbers.append(separator + ordinal)
        sequence = np.array(numbers, dtype=np.int64)
        self._order = _suffix_array(sequence)
        self._short = ShortPieces(sequence)
        # Big-endian bytes compare as the numbers do, so that one slice comparison compares many tokens.
        self._bytes = sequence.astype(">u4").tobytes()

    def match_lengths(self, tokens: Sequence[str]) -> np.ndarray:
        """L(i) for every position i of ``tokens``; shape (len(tokens),), in tokens."""
        ids = np.array([self._ids.get(token, 0) for token in tokens], dtype=np.int64)
        lengths = self._short.lengths(ids)
        longer = np.flatnonzero(lengths == LONGEST)
        query = ids.astype(">u4").tobytes()
        exact = fill_between(longer, lambda place: self._longest_from(query[place * _ID_BYTES :]))
        lengths[longer] = [exact[int(place)] for place in longer]
        return lengths

    def matches(self, tokens: Sequence[str], prompt: Sequence[str] = ()) -> Matches:
        """What of ``tokens`` is in a document, and in the prompt: searched once for all measures."""
        return Matches(self.match_lengths(tokens), _prompt_lengths(tokens, prompt))

    def longest_run(self, tokens: Sequence[str], prompt: Sequence[str] = ()) -> int:
        """Tokens in the longest piece of ``tokens`` that is in a document and not, as a whole, in the prompt.

        In 0..len(tokens); high is copying.
        """
        return self.matches(tokens, prompt).run

    def coverage(self, tokens: Sequence[str], n: int = 8, prompt: Sequence[str] = ()) -> float:
        """Share of the tokens that lie inside a copied n-gram, in [0, 1]. Fewer tokens than n: NaN."""
        return self.matches(tokens, prompt).coverage(n)

    def novelty(self, tokens: Sequence[str], n: int, prompt: Sequence[str] = ()) -> float:
        """Share of the n-grams that are not copied, in [0, 1]; McCoy et al. (2023). Fewer tokens: NaN."""
        return self.matches(tokens, prompt).novelty(n)

    def _longest_from(self, query: bytes) -> int:
        """Of all suffixes the best match is a neighbour of the place where ``query`` would be sorted in."""
        low, high = 0, self._order.size
        while low < high:
            middle = (low + high) // 2
            if self._suffix(middle, len(query)) < query:
                low = middle + 1
            else:
                high = middle
        neighbours = (place for place in (low - 1, low) if 0 <= place < self._order.size)
        return max(
            (_common_tokens(self._suffix(place, len(query)), query) for place in neighbours), default=0
        )

    def _suffix(self, place: int, n_bytes: int) -> bytes:
        start = int(self._order[place]) * _ID_BYTES
        return self._bytes[start : start + n_bytes]


def is_copied(run: float, coverage: float) -> bool:
    """A run of at least 50 tokens, or at least 30 % of the tokens inside copied 8-grams; NaN is neither."""
    return run >= COPIED_RUN or coverage >= COPIED_COVERAGE


def is_recited(train: Matches, heldout: Matches) -> bool:
    """Copied by the same rule from all the author's books taken together, the held-out one included."""
    either = train.covered(8) | heldout.covered(8)
    return is_copied(max(train.run, heldout.run), float(either.mean()) if either.size else math.nan)


def _prompt_lengths(tokens: Sequence[str], prompt: Sequence[str]) -> np.ndarray:
    return CopyIndex([prompt]).match_lengths(tokens) if prompt else np.zeros(len(tokens), dtype=int)


def _common_tokens(first: bytes, second: bytes) -> int:
    """Leading tokens that two byte strings share, by bisection: slices compare far faster than loops."""
    low, high = 0, min(len(first), len(second)) // _ID_BYTES
    while low < high:
        middle = (low + high + 1) // 2
        if first[: middle * _ID_BYTES] == second[: middle * _ID_BYTES]:
            low = middle
        else:
            high = middle - 1
    return low


def _suffix_array(sequence: np.ndarray) -> np.ndarray:
    """Start positions of all suffixes in sorted order, by prefix doubling; Manber and Myers (1993).

    After each round suffixes are ranked by twice as many leading tokens, until no two ranks tie.
    """
    n = sequence.size
    rank = np.unique(sequence, return_inverse=True)[1].astype(np.int64)
    length = 1
    while n and int(rank.max()) + 1 < n:
        following = np.zeros(n, dtype=np.int64)
        following[: max(0, n - length)] = rank[length:] + 1
        rank = np.unique(rank * (n + 1) + following, return_inverse=True)[1].astype(np.int64)
        length *= 2
    order = np.empty(n, dtype=np.int64)
    order[rank] = np.arange(n)
    return order
