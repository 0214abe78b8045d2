"""Are the words in an order that anybody writes? Most style metrics cannot see a shuffled text; this can."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.text import words


class OrderReference:
    """The word bigrams of a background; a few hundred thousand words of several authors serve well."""

    def __init__(self, vocabulary: Sequence[str], pairs: np.ndarray) -> None:
        self._vocabulary = list(vocabulary)
        self._pairs = np.asarray(pairs, dtype=np.int64)
        self._ids = {word: number for number, word in enumerate(self._vocabulary)}
        self._known = frozenset(self._pairs.tolist())

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
        return sum(self._attested(*pair) for pair in itertools.pairwise(tokens)) / (len(tokens) - 1)

    def _attested(self, first: str, second: str) -> bool:
        left, right = self._ids.get(first), self._ids.get(second)
        return left is not None and right is not None and left * len(self._vocabulary) + right in self._known

    def state(self) -> dict[str, Any]:
        """A list of strings and a numpy array from which ``from_state`` rebuilds the same reference."""
        return {"vocabulary": self._vocabulary, "pairs": self._pairs}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> OrderReference:
        return cls(state["vocabulary"], state["pairs"])
