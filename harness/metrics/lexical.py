"""How rich a vocabulary is, as functions of a list of tokens.

None of these has a good direction: compare their distribution with the author's own at equal length.
A text too short for its formula gives NaN. All agree with the ``lexicalrichness`` package (Honoré's R,
which it lacks, with the formula).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence


def type_token_ratio(tokens: Sequence[str]) -> float:
    """Types / tokens, in (0, 1]; falls with length, so compare at equal length only. Empty: NaN."""
    return len(set(tokens)) / len(tokens) if tokens else math.nan


def mattr(tokens: Sequence[str], window: int = 50) -> float:
    """Mean type-token ratio over all runs of ``window`` consecutive tokens, in (0, 1].

    Covington and McFall (2010). Does not fall with length. Shorter than the window: NaN.
    """
    if window < 1 or len(tokens) < window:
        return math.nan
    inside = Counter(tokens[:window])
    total_types = len(inside)
    for leaving, entering in zip(tokens, tokens[window:], strict=False):
        inside[leaving] -= 1
        if not inside[leaving]:
            del inside[leaving]
        inside[entering] += 1
        total_types += len(inside)
    return total_types / (window * (len(tokens) - window + 1))


def mtld(tokens: Sequence[str], threshold: float = 0.72) -> float:
    """Tokens per factor, a factor being a run that ends when its type-token ratio reaches the threshold.

    Mean of the forward and the backward reading; the unfinished run at the end counts in proportion
    to how far its ratio has fallen. In tokens, from 1 to len(tokens) or more; McCarthy and Jarvis (2010).
    Below about 100 tokens the value mostly reflects that unfinished run. Empty: NaN.
    """
    if not tokens:
        return math.nan
    return (_tokens_per_factor(tokens, threshold) + _tokens_per_factor(tokens[::-1], threshold)) / 2


def hdd(tokens: Sequence[str], draws: int = 42) -> float:
    """Expected type-token ratio of ``draws`` tokens drawn without replacement, in (0, 1].

    Sum over types of (1 - P(not drawn)) / draws, hypergeometric; McCarthy and Jarvis (2007). Fewer
    tokens than draws: NaN.
    """
    n = len(tokens)
    if draws < 1 or n < draws:
        return math.nan
    types_by_frequency = Counter(Counter(tokens).values())
    expected_types = sum(
        types * (1 - _probability_never_drawn(frequency, n, draws))
        for frequency, types in types_by_frequency.items()
    )
    return expected_types / draws


def yules_k(tokens: Sequence[str]) -> float:
    """10,000 (sum_i i^2 V_i - N) / N^2, V_i types occurring i times; Yule (1944). In [0, 10,000).

    High means repetitive; nearly independent of length from some thousand tokens on. Empty: NaN.
    """
    n = len(tokens)
    if not n:
        return math.nan
    return 10_000 * (sum(count * count for count in Counter(tokens).values()) - n) / n**2


def honore_r(tokens: Sequence[str]) -> float:
    """100 ln N / (1 - V_1 / V), V_1 types that occur once; Honoré (1979). In [0, inf), high is rich.

    Undefined, so NaN, where every type occurs once (short texts), and for an empty one.
    """
    counts = Counter(tokens)
    once = sum(count == 1 for count in counts.values())
    if once == len(counts):
        return math.nan
    return 100 * math.log(len(tokens)) / (1 - once / len(counts))


def _tokens_per_factor(tokens: Sequence[str], threshold: float) -> float:
    factors, length, ratio = 0.0, 0, 1.0
    types: set[str] = set()
    for token in tokens:
        length += 1
        types.add(token)
        ratio = len(types) / length
        if ratio <= threshold:
            factors, length, types = factors + 1, 0, set()
    if length:
        factors += (1 - ratio) / (1 - threshold)
    # No token repeated at all: the whole text is one factor that never closed.
    return len(tokens) / (factors or 1.0)


def _probability_never_drawn(frequency: int, n: int, draws: int) -> float:
    """C(n - frequency, draws) / C(n, draws), through log-gamma so that long texts cost nothing."""
    if n - frequency < draws:
        return 0.0
    log = math.lgamma
    return math.exp(log(n - frequency + 1) + log(n - draws + 1) - log(n - frequency - draws + 1) - log(n + 1))
