"""Are the words in an order that anybody writes? Most style metrics cannot see a shuffled text; this can."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.text import words

_NEAREST, _DISTANCES = 5, 32
"""Chance is taken over pairs at least 5 words apart, at up to 32 distances: grammar reaches less far."""


@dataclass(frozen=True)
class Order:
    """``known``: share of neighbours that are a known pair; ``chance``: of words of the same text far apart.

    Both in [0, 1], and both of pairs of words that the background has at all, of which ``n_pairs`` are
    neighbours. ``excess`` is about .36 for honest prose of whatever vocabulary, and 0 for shuffled words.
    """

    known: float
    chance: float
    n_pairs: int

    @property
    def excess(self) -> float:
        return self.known - self.chance

    @property
    def z(self) -> float:
        """``excess`` over its standard error if the words stood in any order; inf where chance is 0 or 1."""
        error = math.sqrt(self.chance * (1 - self.chance) / max(1, self.n_pairs))
        return self.excess / error if error > 0 else math.inf


class OrderReference:
    """The word bigrams of a background; a few hundred thousand words of several authors serve well."""

    def __init__(self, vocabulary: Sequence[str], pairs: np.ndarray) -> None:
        self._vocabulary = list(vocabulary)
        # Sorted numbers take an eighth of the memory of a set of them, and a whole text is looked up at once.
        self._pairs = np.sort(np.asarray(pairs, dtype=np.int64), kind="stable")
        self._ids = {word: number for number, word in enumerate(self._vocabulary)}

    @classmethod
    def fit(cls, documents: Sequence[str]) -> OrderReference:
        """From background texts; bigrams do not cross from one text into the next."""
        tokens = [words(document) for document in documents]
        vocabulary = sorted({word for document in tokens for word in document})
        ids = {word: number for number, word in enumerate(vocabulary)}
        size = len(vocabulary)
        pairs = {
            ids[first] * size + ids[second]
            for document in tokens
            for first, second in itertools.pairwise(document)
        }
        return cls(vocabulary, np.array(sorted(pairs), dtype=np.int64))

    def attested_bigrams(self, tokens: Sequence[str]) -> float:
        """Share of the word bigrams that occur in the background, in [0, 1]; under two tokens: NaN.

        Honest prose has about .61, the same words shuffled .33. Depends on the size of the background:
        compare within one reference only, with the author's own passages.
        """
        if len(tokens) < 2:
            return math.nan
        ids = self._numbers(tokens)
        return int(self._are_known(ids[:-1], ids[1:]).sum()) / (len(tokens) - 1)

    def order(self, tokens: Sequence[str]) -> Order:
        """Known pairs among neighbours and among words far apart. Under 10 tokens or no known word: NaN."""
        n = len(tokens)
        ids = self._numbers(tokens)
        neighbours = (ids[:-1] >= 0) & (ids[1:] >= 0)
        if n < 2 * _NEAREST or not neighbours.any():
            return Order(math.nan, math.nan, 0)
        distances = np.unique(np.linspace(_NEAREST, n - _NEAREST, _DISTANCES).astype(int))
        # The text is read as a ring, so that every word has as many partners.
        partners = ids[(np.arange(n) + distances[:, None]) % n]
        first, second = np.tile(ids, len(distances)), partners.ravel()
        apart = (first >= 0) & (second >= 0)
        return Order(
            known=float(self._are_known(ids[:-1], ids[1:])[neighbours].mean()),
            chance=float(self._are_known(first, second)[apart].mean()) if apart.any() else math.nan,
            n_pairs=int(neighbours.sum()),
        )

    def forced(self, tokens: Sequence[str], keywords: Collection[str]) -> float:
        """How much better the neighbours of keywords would go together without them, in pairs.

        Sum over the inner keywords k in "l k r" of known(l, r) - (known(l, k) + known(k, r)) / 2. Taking a
        word out of honest prose breaks it: 95 % lie below .5, and a keyword every 12 words gives 5 in 110.
        """
        wanted = frozenset(keywords)
        at = np.array([i for i, token in enumerate(tokens[1:-1], start=1) if token in wanted], dtype=np.int64)
        ids = self._numbers(tokens)
        with_it = self._are_known(ids[at - 1], ids[at]).sum() + self._are_known(ids[at], ids[at + 1]).sum()
        return float(self._are_known(ids[at - 1], ids[at + 1]).sum() - with_it / 2)

    def _numbers(self, tokens: Sequence[str]) -> np.ndarray:
        return np.array([self._ids.get(token, -1) for token in tokens], dtype=np.int64)

    def _are_known(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Which pairs of word numbers (-1: no such word) are known; shape (len(first),)."""
        pairs = np.where((first < 0) | (second < 0), -1, first * len(self._vocabulary) + second)
        known = self._marks[self._mark(pairs)]
        candidates = pairs[known]
        places = np.searchsorted(self._pairs, candidates)
        known[known] = self._pairs[np.minimum(places, self._pairs.size - 1)] == candidates
        return np.asarray(known)

    @functools.cached_property
    def _marks(self) -> np.ndarray:
        """A filter after Bloom (1970), with one hash: no mark means unknown, and spares the exact search."""
        marks = np.zeros(1 << self._mark_bits, dtype=bool)
        marks[self._mark(self._pairs)] = True
        return marks

    @property
    def _mark_bits(self) -> int:
        return max(10, int(8 * self._pairs.size).bit_length())

    def _mark(self, pairs: np.ndarray) -> np.ndarray:
        """Multiplicative hashing (Knuth 1973): the leading bits of a product with 2^64 / golden ratio."""
        product = pairs.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        return np.asarray(product >> np.uint64(64 - self._mark_bits))

    def state(self) -> dict[str, Any]:
        """A list of strings and a numpy array from which ``from_state`` rebuilds the same reference."""
        return {"vocabulary": self._vocabulary, "pairs": self._pairs}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> OrderReference:
        return cls(state["vocabulary"], state["pairs"])
