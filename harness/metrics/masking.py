"""Text as the authorship classifier reads it: plain, or with every word that carries a topic masked."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Sequence

from harness.text import normalise, words

MASK_KEEPS = 300
_WORD_OR_NUMBER = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|\d+(?:[.,]\d+)*")


def most_frequent_words(texts: Sequence[str], n: int = MASK_KEEPS) -> frozenset[str]:
    """The ``n`` most frequent words, ties broken alphabetically."""
    counts = Counter(word for text in texts for word in words(text))
    return frozenset(sorted(counts, key=lambda word: (-counts[word], word))[:n])


def prepare(text: str, kept_words: frozenset[str] | None) -> str:
    """Lower case, one kind of quote and of dash, single spaces; with ``kept_words`` any other word becomes
    ``*`` and any number ``#`` (Stamatatos 2017), so that topic cannot pass for style.
    """
    plain = _plain(text)
    if kept_words is None:
        return plain
    return _WORD_OR_NUMBER.sub(lambda match: _mask(match.group(), kept_words), plain)


@functools.lru_cache(maxsize=256)
def _plain(text: str) -> str:
    """Kept for a while, since the masked twin reads the texts that the plain one has just read."""
    return " ".join(normalise(text).lower().split())


def _mask(piece: str, kept_words: frozenset[str]) -> str:
    if piece[0].isdigit():
        return "#"
    return piece if piece in kept_words else "*"
