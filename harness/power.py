"""How many units would decide: by drawing the differences that were seen, and honest intervals of rates.

    d --mean out--> e --n of them drawn anew, + m or - m--> sign-flip test at the family's alpha --> power(n)
                                                            the smallest n with power .8 for both --> needed

The formula of ``statistics.sample_size`` takes the mean for normal. Where the differences are skewed it
promises too much (measured: 76 % instead of 80 %), as one of the two directions is harder to see.

A rate is another matter: prompts on which nobody ever failed have a spread of 0, and are no proof that nobody
will. Its interval is Tango's (1998), which rests on the prompts that differ and on how many were asked.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from harness.statistics import sample_size
from harness.types import Interval

FEWEST_TO_DRAW = 8
"""Fewer differences say too little of their own shape to draw from."""
MOST_TO_DRAW = 1_000
"""Beyond so many units a mean is normal enough for the formula: what skewness costs falls as 1 / sqrt(n)."""
WORLDS = 8_000
MOST_AT_ONCE = 200
"""Units drawn at once in each world, for the sake of memory."""
STEP = 0.02
"""The grid of n is this fine, in parts of the formula's n."""

_NORMAL = NormalDist()


# ── how many ──────────────────────────────────────────────────────────────────────────────────────


def units_needed(d: np.ndarray, effect: float, power: float = 0.8, alpha: float = 0.05, seed: int = 0) -> int:
    """The n at which a true mean of ``effect``, up or down, is found with probability ``power`` at least.

    ``d``: differences, shape (n,), in the unit of ``effect``. Found is p < alpha with the right sign. Two
    standard errors of the drawing itself are added to ``power``. Never under the formula's n. Under 8
    differences, or over 1,000 needed, the formula alone; ValueError as in ``sample_size``.
    """
    formula = sample_size(float(np.std(d, ddof=1)) if len(d) > 1 else math.nan, effect, power, alpha)
    if len(d) < FEWEST_TO_DRAW or formula > MOST_TO_DRAW:
        return formula
    centred = np.asarray(d, dtype=float) - float(np.mean(d))
    step = max(1, round(STEP * formula))
    wanted = power + 2 * math.sqrt(power * (1 - power) / WORLDS)
    rng = np.random.default_rng(seed)
    n, sums = 0, np.zeros((4, WORLDS))
    # Each world grows by a few units at a time, so that one drawing serves every n of the grid.
    while n < 2 * formula:
        more = min(formula - n, MOST_AT_ONCE) if n < formula else step
        sums = sums + _power_sums(centred[rng.integers(0, len(centred), size=(more, WORLDS))])
        n += more
        if n >= formula and min(_found(sums, n, sign * abs(effect), alpha) for sign in (1, -1)) >= wanted:
            return n
    return n


def _power_sums(drawn: np.ndarray) -> np.ndarray:
    """Sums of e, e^2, e^3 and e^4 of each world, shape (4, worlds), of ``drawn`` (units, worlds)."""
    squares = drawn * drawn
    return np.stack(
        [drawn.sum(0), squares.sum(0), np.einsum("ij,ij->j", squares, drawn), (squares * squares).sum(0)]
    )


def _found(sums: np.ndarray, n: int, shift: float, alpha: float) -> float:
    """The share of worlds, moved by ``shift``, that the sign-flip test finds, in the right direction."""
    one, two, three, four = sums
    mean_sum = one + n * shift
    squared = two + 2 * shift * one + n * shift**2
    fourth = four + 4 * shift * three + 6 * shift**2 * two + 4 * shift**3 * one + n * shift**4
    p = sign_flip_p(mean_sum, squared, fourth)
    return float(np.mean((p < alpha) & (np.sign(mean_sum) == np.sign(shift))))


def sign_flip_p(total: np.ndarray, squared: np.ndarray, fourth: np.ndarray) -> np.ndarray:
    """Two-sided p of the sign-flip test from sum d, sum d^2 and sum d^4: what ``paired_test`` counts out.

    Under random signs sum +-d has mean 0, variance S2 = sum d^2 and fourth cumulant -2 S4, so with
    z = |sum d| / sqrt(S2): P(Z > z) = 1 - Phi(z) + phi(z) (-2 S4 / S2^2) (z^3 - 3 z) / 24 (Edgeworth 1905).
    """
    from scipy.special import ndtr

    safe = np.where(squared > 0, squared, 1.0)
    z = np.abs(total) / np.sqrt(safe)
    density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    tail = ndtr(-z) - density * (fourth / safe**2) * (z**3 - 3 * z) / 12
    return np.where(squared > 0, np.clip(2 * tail, 0.0, 1.0), 1.0)


# ── rates ─────────────────────────────────────────────────────────────────────────────────────────


def rate_interval(up: float, down: float, n: int, confidence: float = 0.95) -> Interval:
    """Score interval of (up - down) / n, of ``n`` pairs of yes or no; in [-1, 1]. n = 0: NaN.

    ``up`` and ``down``: how many pairs differ one way and the other. T(D) = (up - down - n D) /
    sqrt(n (2 q + D (1 - D))), q the likeliest share of the downward at that D; the D with |T| < z (Tango
    1998). Where no pair differs it is +- z^2 / (n + z^2). Example: 0, 0 of 80 -> (-.0458, .0458).
    """
    if n == 0:
        return Interval(math.nan, math.nan)
    z = _NORMAL.inv_cdf((1 + confidence) / 2)
    return Interval(-_upper(down, up, n, z), _upper(up, down, n, z))


def _upper(up: float, down: float, n: int, z: float) -> float:
    """The largest D with T(D) > -z, by halving; T falls in D."""
    low, high = (up - down) / n, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        linear = -(up + down) + (2 * n - up + down) * middle
        constant = -down * middle * (1 - middle)
        share = (math.sqrt(max(0.0, linear**2 - 8 * n * constant)) - linear) / (4 * n)
        spread = n * (2 * share + middle * (1 - middle))
        inside = spread > 0 and up - down - n * middle > -z * math.sqrt(spread)
        low, high = (middle, high) if inside else (low, middle)
    return low


def paired_rate_interval(d: np.ndarray, bootstrap: Interval) -> Interval:
    """Interval of the mean of ``d``, shape (n,), differences of a rate in [-1, 1].

    One answer a prompt on both sides (d is -1, 0 or 1): Tango's. Means over several samples or pairs: the
    bootstrap's, widened to Tango's with the summed differences for counts, as |d| <= 1 varies no more.
    """
    exact = rate_interval(float(d[d > 0].sum()), float(-d[d < 0].sum()), len(d))
    if not len(d) or np.isin(d, (-1.0, 0.0, 1.0)).all():
        return exact
    return Interval(min(exact.low, bootstrap.low), max(exact.high, bootstrap.high))


def prompts_for_none(margin: float, confidence: float = 0.95) -> int:
    """Prompts none of which may differ for the interval to lie within the margin: z^2 / (n + z^2) < m.

    Example: .02 -> 189. Raises ValueError for a margin that is not above 0.
    """
    if not margin > 0:
        raise ValueError(f"need a margin above 0, got {margin}")
    z2 = _NORMAL.inv_cdf((1 + confidence) / 2) ** 2
    return max(1, math.floor(z2 * (1 - margin) / margin) + 1)


def fewest_discordant(alpha: float) -> int:
    """The fewest pairs that, all differing one way, have an exact two-sided p = 2 / 2^k of at most alpha.

    Dixon and Mood (1946). Examples: .05 -> 6, .0125 -> 8.
    """
    return math.ceil(1 + math.log2(1 / alpha) - 1e-9)


def rate_detectable(discordant: int, n: int, power: float = 0.8) -> float:
    """The smallest share of prompts that differ, of which ``n`` prompts show ``discordant`` with this power.

    The p with P(Bin(n, p) >= k) = power, all differing one way: the inverse incomplete beta of (k, n - k + 1)
    (Clopper and Pearson 1934). In (0, 1); NaN where n < k. Example: 8 of 80
    -> .125.
    """
    from scipy.special import betaincinv

    if n < discordant:
        return math.nan
    return float(betaincinv(discordant, n - discordant + 1, power))


def prompts_for_discordant(discordant: int, share: float, power: float = 0.8) -> int:
    """The smallest n with P(Bin(n, share) >= discordant) >= power. Example: 8 at .02 -> 511.

    The mean n would be discordant / share, and half of all draws show fewer than their mean. Raises
    ValueError for a share that is not in (0, 1].
    """
    if not 0 < share <= 1:
        raise ValueError(f"need a share above 0 and up to 1, got {share}")
    low, high = discordant - 1, discordant
    while rate_detectable(discordant, high, power) > share:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        enough = rate_detectable(discordant, middle, power) <= share
        low, high = (low, middle) if enough else (middle, high)
    return high
