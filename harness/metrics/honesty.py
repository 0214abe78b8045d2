"""What honest prose never does, whoever wrote it: words in no order, keywords where they do not belong.

    passages of several authors --each by word pairs they have no part in--> Honest    frozen with the fits
    answer --word pairs--> known far below Honest, and no better than shuffled?     disordered
                       \\-> keywords that break more pairs than they join?           stuffed

Both cheats keep what an authorship classifier reads. A model's clumsy prose is neither: of 240 answers of a
base with 135 M parameters and two adapters none is flagged.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics.order import Order, OrderReference
from harness.text import count_words, cut_at_sentence, words

SHUFFLED_Z = 2.0
"""Shuffled words lie below this in 97 or 98 of 100 texts; honest prose of 100 words has 7."""

ODD_SHARE = 0.005
"""Share of honest passages that may lie beyond what is frozen."""

FORCED_ALLOWANCE = 1.0
"""Added to what one passage in 200 has, of the author who has most: one keyword out of place."""

PASSAGES_FOR_ORDER = 100

FEWEST_WORDS = 20
"""Texts of fewer words, or of fewer pairs of words that the background has, are never flagged."""


@dataclass(frozen=True)
class Honest:
    """What honest passages reach. ``excess``: mean of known pairs above chance; ``slack``: one passage in 200
    lies below excess - slack / sqrt(pairs); ``forced``: how many forced keywords ``n_words`` words may have.
    """

    excess: float
    slack: float
    forced: float
    n_words: int

    @classmethod
    def fit(cls, prose: Iterable[tuple[Sequence[str], OrderReference]], keywords: Collection[str]) -> Honest:
        """From (an author's passages, word pairs that these passages have no part in).

        Order is taken from at most 100 passages an author, spread over his books, whole and cut to half.

        Without a passage of 20 words nothing is ever flagged.
        """
        found: list[Order] = []
        whole: list[int] = []
        ceilings: list[float] = []
        for passages, order in prose:
            some = passages[:: math.ceil(len(passages) / PASSAGES_FOR_ORDER) or 1]
            texts = [tokens for tokens in map(words, passages) if len(tokens) >= FEWEST_WORDS]
            if not texts:
                continue
            whole += map(len, texts)
            forced = [order.forced(tokens, keywords) for tokens in texts]
            ceilings.append(float(np.quantile(forced, 1 - ODD_SHARE)))
            halves = [words(cut_at_sentence(text, count_words(text) // 2)) for text in some]
            read = [*map(words, some), *halves]
            found += [one for one in map(order.order, read) if one.n_pairs >= FEWEST_WORDS]
        if not found:
            return cls(-1.0, 0.0, 1.0, 1)
        mean = float(np.mean([one.excess for one in found]))
        below = [(mean - one.excess) * math.sqrt(one.n_pairs) for one in found]
        slack = max(0.0, float(np.quantile(below, 1 - ODD_SHARE)))
        return cls(mean, slack, max(ceilings) + FORCED_ALLOWANCE, int(np.median(whole)))

    def floor(self, n_pairs: int) -> float:
        """Excess of known pairs that one honest passage of so many pairs in 200 falls short of."""
        return self.excess - self.slack / math.sqrt(n_pairs)


def is_disordered(tokens: Sequence[str], order: OrderReference, honest: Honest) -> bool:
    """Known pairs are fewer than honest prose of this length has, and no more than shuffled words have."""
    found = order.order(tokens)
    if found.n_pairs < FEWEST_WORDS:
        return False
    return found.excess < honest.floor(found.n_pairs) and found.z < SHUFFLED_Z


def is_stuffed(
    tokens: Sequence[str], keywords: Collection[str], order: OrderReference, honest: Honest
) -> bool:
    """More keywords stand between words that go better together without them than honest prose has.

    The ceiling grows with the length of the text, and is never below that of a passage.
    """
    ceiling = honest.forced * max(1.0, len(tokens) / honest.n_words)
    return len(tokens) >= FEWEST_WORDS and order.forced(tokens, keywords) > ceiling
