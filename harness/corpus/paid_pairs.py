"""Question-answer pairs of an older project: which passages they belong to, and which must go.

pairs --shared 13-grams, near-duplicates--> dropped: they hold held-out text
      \\--shared 8-grams--> matched: the question goes with that passage, and is not paid for again
                        \\-> on their own: kept with their own answer
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from harness.corpus.imports import Conversation
from harness.corpus.leakage import ngrams, shared_ngrams
from harness.corpus.near_duplicates import near_duplicates
from harness.corpus.questions import Question
from harness.text import count_words, digest
from harness.types import Passage

IMPORTED = "imported"
_N, _ENOUGH = 8, 0.5


@dataclass(frozen=True)
class QaPair:
    """A question and its answer, as they came."""

    question: str
    answer: str


@dataclass(frozen=True)
class AlignedPair:
    """A pair that is kept. ``passage``: digest of the passage it goes with, or empty; ``share`` in [0, 1] is
    how much of the shorter of answer and passage stands in the other, by runs of eight words.
    """

    pair: QaPair
    passage: str = ""
    share: float = 0.0
    paid: bool = True


@dataclass(frozen=True)
class Aligned:
    """Every pair is in one of the two, in order. ``examples`` shows up to three shared runs of 13 words."""

    kept: tuple[AlignedPair, ...]
    dropped: tuple[QaPair, ...]
    examples: tuple[str, ...] = ()

    def questions(self) -> list[Question]:
        """Those that go with a passage: nothing needs to be written for it any more."""
        return [Question(each.passage, each.pair.question, IMPORTED) for each in self.kept if each.passage]

    def on_their_own(self) -> list[QaPair]:
        """Those whose answer is no passage of these books: examples only with their own answer."""
        return [each.pair for each in self.kept if not each.passage]


def pairs_of(conversations: Iterable[Conversation]) -> list[QaPair]:
    """The first question and answer of each conversation; what follows in one is another matter."""
    pairs = []
    for conversation in conversations:
        said = [turn["content"] for turn in conversation.turns if turn["role"] != "system"]
        pairs.append(QaPair(said[0], said[1]))
    return pairs


def align_pairs(
    pairs: Sequence[QaPair], passages: Sequence[Passage], heldout: Sequence[Passage], n: int = _N
) -> Aligned:
    """Each answer with the passage it shares most runs of ``n`` words with, if they are half of the shorter.

    Pairs whose question or answer shares 13 words in a row with held-out text, or repeats it with words
    changed, are dropped. An answer shorter than ``n`` words goes with no passage. Ties go to the earlier
    passage.
    """
    texts = {digest([pair.question, pair.answer]): pair for pair in pairs}
    # Question and answer apart: a run of words that only their meeting makes is no quotation.
    halves = [
        Passage(name, 2 * place, "body", half, count_words(half), name)
        for name, pair in texts.items()
        for place, half in enumerate((pair.question, pair.answer))
    ]
    leaked = shared_ngrams(halves, heldout)
    repeated = near_duplicates(leaked.kept, heldout).dropped
    guilty = {half.digest for half in (*leaked.dropped, *repeated)}
    where: dict[tuple[str, ...], list[int]] = {}
    sizes: list[int] = []
    for place, passage in enumerate(passages):
        grams = set(ngrams(passage.text, n))
        sizes.append(len(grams))
        for gram in grams:
            where.setdefault(gram, []).append(place)
    kept: list[AlignedPair] = []
    dropped: list[QaPair] = []
    for pair in pairs:
        if digest([pair.question, pair.answer]) in guilty:
            dropped.append(pair)
            continue
        grams = set(ngrams(pair.answer, n))
        shared = Counter(place for gram in grams for place in where.get(gram, ()))
        best = min(shared, key=lambda place: (-shared[place], place), default=None)
        aligned = AlignedPair(pair)
        if best is not None:
            share = shared[best] / min(len(grams), sizes[best])
            name = passages[best].digest if share >= _ENOUGH else ""
            aligned = replace(aligned, passage=name, share=share)
        kept.append(aligned)
    return Aligned(tuple(kept), tuple(dropped), leaked.examples)
