"""Perplexities from total log-likelihoods, and the windows in which long texts are scored.

All functions take the *total* natural-log likelihood L (nats, <= 0) of one text, or the sum over
several, and the number of units it covers. Pool documents by summing L and the counts first, as
lm-evaluation-harness does: the mean of per-document perplexities is another, larger-variance number.
Lower is better. A count of zero or a NaN likelihood gives NaN.

Compare models on the same text only: a perplexity says as much about the text as about the model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

LOG_OF_LARGEST_FLOAT = 709.0


def token_perplexity(loglik: float, n_tokens: int) -> float:
    """exp(-L / tokens), in [1, inf). Depends on the tokenizer: never compare it across two of them."""
    return _perplexity(loglik, n_tokens)


def word_perplexity(loglik: float, n_words: int) -> float:
    """exp(-L / words), in [1, inf); lm-evaluation-harness's ``word_perplexity`` for the same word count."""
    return _perplexity(loglik, n_words)


def byte_perplexity(loglik: float, n_bytes: int) -> float:
    """exp(-L / UTF-8 bytes), in [1, inf); lm-evaluation-harness's ``byte_perplexity``."""
    return _perplexity(loglik, n_bytes)


def bits_per_byte(loglik: float, n_bytes: int) -> float:
    """-L / (bytes ln 2): bits needed per UTF-8 byte, in [0, inf); lm-evaluation-harness's ``bits_per_byte``.

    The one perplexity that may be compared between models with different tokenizers.
    """
    return -loglik / (n_bytes * math.log(2)) if n_bytes > 0 else math.nan


def domain_gain(base: float, variant: float) -> float:
    """BPB(base) - BPB(variant) on the same text: bits per byte saved by training. Higher is better."""
    return base - variant


def author_specific_gain(
    base_author: float, variant_author: float, base_others: float, variant_others: float
) -> float:
    """Domain gain on the author minus domain gain on other authors, in bits per byte. Higher is better.

    What remains is not explained by having learnt the period, the genre or the typesetting.
    """
    return domain_gain(base_author, variant_author) - domain_gain(base_others, variant_others)


def generalisation_gap(heldout: float, train: float) -> float:
    """BPB(held-out) - BPB(train) of one variant. About 0 is good; well above 0 reads "learnt by heart"."""
    return heldout - train


@dataclass(frozen=True)
class Window:
    """One forward pass over a text whose tokens are numbered 0..n-1; position -1 is BOS (or EOS).

    The model reads positions ``start`` up to but not including ``end``; the logits at position p
    predict token p + 1. Of the predictions only those of tokens ``score_from`` to ``end`` (both
    included) count; the others have been scored by an earlier window.
    """

    start: int
    end: int
    score_from: int

    @property
    def n_scored(self) -> int:
        return self.end + 1 - self.score_from


def rolling_windows(n_tokens: int, max_length: int, context: int | None = None) -> tuple[Window, ...]:
    """Windows of at most ``max_length`` input tokens that score every token of a text exactly once.

    A text of 12 tokens, ``max_length=8, context=4`` (``b`` BOS, ``.`` read, ``#`` read while the next
    token is scored):

        position         b 0 1 2 3 4 5 6 7 8 9 10 11
        first window     # # # # # # # #                 Window(-1, 7, 0)    scores 0..7
        second window            . . . # # # # #         Window(3, 11, 8)    scores 8..11 (reads 3..10)

    Observe that the token just before the first one scored is itself part of the context, so the
    first prediction of a later window sees at least ``context`` tokens, the first token of the text
    sees BOS alone, and the last token is predicted but never read. The last window is moved left
    to full length, so it may see more.

    ``context`` is in 1..max_length: 1 is lm-evaluation-harness's default, None half a window. An empty
    text has no windows. Raises ValueError outside these ranges.
    """
    context = max(1, max_length // 2) if context is None else context
    if n_tokens < 0 or not 1 <= context <= max_length:
        raise ValueError(f"need n_tokens >= 0 and 1 <= context <= max_length, got {n_tokens=}, {context=}")
    if n_tokens == 0:
        return ()
    first = min(max_length, n_tokens)
    windows = [Window(start=-1, end=first - 1, score_from=0)]
    scored = first
    while scored < n_tokens:
        last = min(n_tokens, scored + max_length - context + 1) - 1
        windows.append(Window(start=last - max_length, end=last, score_from=scored))
        scored = last + 1
    return tuple(windows)


def _perplexity(loglik: float, count: int) -> float:
    if count <= 0 or math.isnan(loglik):
        return math.nan
    nats_per_unit = -loglik / count
    return math.exp(nats_per_unit) if nats_per_unit < LOG_OF_LARGEST_FLOAT else math.inf
