"""What pooled answers are held against: the author's train prose as counts, and an answer as whole numbers.

    train prose, held-out prose, Delta reference --make_yardstick--> Yardstick
    answer                                       --Yardstick.count--> Counted

Cut as the answers are, and read by the same tokenisers: what is counted of a text is counted of the author.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics.delta import DeltaReference
from harness.metrics.function_words import FUNCTION_WORDS
from harness.metrics.profile import PUNCTUATION, character_trigrams, sentence_lengths, wasserstein
from harness.text import Punkt, normalise, words

_FUNCTION_WORDS = {word: number for number, word in enumerate(FUNCTION_WORDS)}
_MARKS = {mark: number for number, mark in enumerate(PUNCTUATION)}


@dataclass(frozen=True)
class Counted:
    """One answer as whole numbers, so that no resample reads it again.

    ``streams``: what a metric counts -> the number of each one met, in order; of sentences their lengths.
    """

    n_words: int
    streams: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Yardstick:
    """What answers are held against, from the author's train prose: frequencies, and his sentences' lengths.

    ``own_distance``: Wasserstein between the sentence lengths of his held-out and train prose, in words.
    """

    delta: DeltaReference
    function_words: np.ndarray
    trigrams: Mapping[str, int]
    """Trigram -> its number; ``trigram_counts`` has one place more, for those the author never used."""
    trigram_counts: np.ndarray
    marks: np.ndarray
    sentences: np.ndarray
    own_distance: float
    punkt: Punkt | None = None

    @functools.cached_property
    def _delta_numbers(self) -> Mapping[str, int]:
        return {word: number for number, word in enumerate(self.delta.vocabulary)}

    def count(self, text: str) -> Counted:
        """A text as this yardstick reads it."""
        tokens = words(text)
        return Counted(
            len(tokens),
            {
                "delta": _numbers(tokens, self._delta_numbers),
                "function_words": _numbers(tokens, _FUNCTION_WORDS),
                "trigrams": _numbers(_trigrams(text), self.trigrams),
                "punctuation": _numbers([c for c in normalise(text) if c in _MARKS], _MARKS),
                "sentences": np.array(sentence_lengths(text, self.punkt), dtype=float),
            },
        )


def make_yardstick(
    train: Sequence[str], heldout: Sequence[str], delta: DeltaReference, punkt: Punkt | None = None
) -> Yardstick:
    """From the author's train and held-out pieces, cut as the answers are: a cut drops long sentences."""
    of_words = Counter(word for text in train for word in words(text) if word in _FUNCTION_WORDS)
    of_trigrams: Counter[str] = Counter()
    for text in train:
        of_trigrams.update(character_trigrams(text))
    of_marks = Counter(c for text in train for c in normalise(text) if c in _MARKS)
    known = sorted(of_trigrams)
    lengths, unseen = (
        np.array([n for text in texts for n in sentence_lengths(text, punkt)], dtype=float)
        for texts in (train, heldout)
    )
    return Yardstick(
        delta=delta,
        function_words=np.array([of_words[word] for word in FUNCTION_WORDS], dtype=float),
        trigrams={trigram: number for number, trigram in enumerate(known)},
        trigram_counts=np.array([*(of_trigrams[trigram] for trigram in known), 0], dtype=float),
        marks=np.array([of_marks[mark] for mark in PUNCTUATION], dtype=float),
        sentences=lengths,
        own_distance=wasserstein(unseen, lengths),
        punkt=punkt,
    )


# ── a text as numbers ─────────────────────────────────────────────────────────────────────────────


def _numbers(things: Sequence[str], known: Mapping[str, int]) -> np.ndarray:
    """The number of each thing, ``len(known)`` for one that has none; shape (len(things),)."""
    return np.array([known.get(thing, len(known)) for thing in things], dtype=np.int64)


def _trigrams(text: str) -> list[str]:
    """What ``character_trigrams`` counts, in order."""
    plain = " ".join(normalise(text).lower().split())
    return [plain[start : start + 3] for start in range(len(plain) - 2)]
