"""Proof that no held-out text is trained on: shared word n-grams, found exactly, and dropped from *train*.

Thirteen words is the length at which GPT-3 (Brown et al., 2020, appendix C) looked for overlap
with its tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.text import words
from harness.types import Passage

N_EXAMPLES = 3


@dataclass(frozen=True)
class LeakageReport:
    """``shared`` counts distinct n-grams found on both sides before dropping; none is left in ``kept``."""

    n: int
    shared: int
    dropped: tuple[Passage, ...]
    kept: tuple[Passage, ...]
    examples: tuple[str, ...]


def shared_ngrams(train: Iterable[Passage], heldout: Iterable[Passage], n: int = 13) -> LeakageReport:
    """Which train passages share any run of ``n`` words with held-out text, and those that do not.

    Words are ``harness.text.words``: case, figures and punctuation do not hide a quotation. A run of
    held-out text may go over the cut between two passages of a book; one of train text may not, for a
    passage is all that a model is shown at once. Examples come from different passages, in order.
    """
    if n < 1:
        raise ValueError(f"n must be positive, not {n}")
    guarded: set[tuple[str, ...]] = set()
    before: Passage | None = None
    for passage in heldout:
        guarded.update(ngrams(passage.text, n))
        if n > 1 and before and (before.book, before.ordinal + 1) == (passage.book, passage.ordinal):
            seam = [*words(before.text)[-(n - 1) :], *words(passage.text)[: n - 1]]
            guarded.update(ngrams(" ".join(seam), n))
        before = passage
    shared: set[tuple[str, ...]] = set()
    dropped: list[Passage] = []
    kept: list[Passage] = []
    examples: list[str] = []
    for passage in train:
        found = [gram for gram in ngrams(passage.text, n) if gram in guarded]
        (dropped if found else kept).append(passage)
        fresh = next((gram for gram in found if gram not in shared), None)
        if fresh and len(examples) < N_EXAMPLES:
            examples.append(" ".join(fresh))
        shared.update(found)
    return LeakageReport(n, len(shared), tuple(dropped), tuple(kept), tuple(examples))


def ngrams(text: str, n: int) -> Iterator[tuple[str, ...]]:
    """Every run of ``n`` words of the text, in order."""
    tokens = words(text)
    return zip(*(tokens[start:] for start in range(n)), strict=False)
