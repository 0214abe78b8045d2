"""Intervals, paired tests and sample sizes. The unit is the prompt (or held-out block), never the row.

rows --mean within cluster--> one value per prompt --> bootstrap_interval | paired_test --> holm

Rows that share a cluster (several generation seeds of one prompt, several passages of one book) are
averaged first, so every estimate here is the unweighted mean of cluster means. NaN values are left
out: they could not be scored. Everything random is seeded; the same call gives the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from harness.types import Interval

RESAMPLES = 5_000
SIGN_FLIPS = 10_000
MAX_EXACT_PAIRS = 14
MIN_BOOTSTRAP_CLUSTERS = 10
CELLS_AT_ONCE = 2_000_000
"""Resamples are drawn in blocks of this many numbers, which keeps memory under some 50 MB."""

UNKNOWN = Interval(math.nan, math.nan)
_NORMAL = NormalDist()


@dataclass(frozen=True)
class PairedTest:
    """Mean of a - b over ``n`` pairs (or clusters), its interval and the two-sided p; NaN without pairs."""

    difference: float
    interval: Interval
    p: float
    n: int


def bootstrap_interval(
    values: Sequence[float] | np.ndarray,
    clusters: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Interval of the mean by the bias-corrected accelerated bootstrap (Efron 1987), in the unit of values.

    ``clusters`` names the unit each value belongs to (default: each its own). Under 10 clusters the
    bootstrap is too narrow, so Student's t on the cluster means; under 2, NaN.
    """
    means = cluster_means(values, clusters)
    n = means.size
    if n < 2:
        return UNKNOWN
    centre = float(means.mean())
    if np.ptp(means) == 0:
        return Interval(centre, centre)
    if n < MIN_BOOTSTRAP_CLUSTERS:
        from scipy.special import stdtrit

        reach = float(stdtrit(n - 1, (1 + confidence) / 2)) * float(means.std(ddof=1)) / math.sqrt(n)
        return Interval(centre - reach, centre + reach)
    rng = np.random.default_rng(seed)
    resampled = np.concatenate(
        [means[rng.integers(0, n, size=(rows, n))].mean(axis=1) for rows in _blocks(RESAMPLES, n)]
    )
    return Interval(
        *(float(np.quantile(resampled, _bca_level(tail, means, resampled))) for tail in _tails(confidence))
    )


def paired_test(
    a: Sequence[float] | np.ndarray,
    b: Sequence[float] | np.ndarray,
    clusters: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> PairedTest:
    """Is the mean of a - b zero? Two-sided sign-flip permutation test (Fisher 1935) on the pairs.

    All 2^n sign patterns up to 14 pairs, else 10,000 seeded ones with p = (k + 1) / (m + 1), k of m
    patterns as extreme as what was observed (Phipson and Smyth 2010). Pairs with a NaN are left out.
    Raises ValueError where a and b differ in length.
    """
    if len(a) != len(b):
        raise ValueError(f"pairs need two sequences of one length, got {len(a)} and {len(b)}")
    differences = cluster_means(np.asarray(a, dtype=float) - np.asarray(b, dtype=float), clusters)
    n = differences.size
    if n == 0:
        return PairedTest(difference=math.nan, interval=UNKNOWN, p=math.nan, n=0)
    observed = float(differences.mean())
    # Sums in another order differ in the last bits: what ties exactly must count as "as extreme".
    bar = abs(differences.sum()) - 1e-9 * float(np.abs(differences).sum())
    extreme = sum(
        int((np.abs(signs @ differences) >= bar).sum())
        for signs in _sign_patterns(n, np.random.default_rng(seed))
    )
    p = extreme / 2**n if n <= MAX_EXACT_PAIRS else (extreme + 1) / (SIGN_FLIPS + 1)
    interval = bootstrap_interval(differences, confidence=confidence, seed=seed)
    return PairedTest(difference=observed, interval=interval, p=p, n=n)


def wilson(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Score interval of a proportion, in [0, 1]; Wilson (1927). n = 0: NaN. ValueError outside 0..n."""
    if n == 0:
        return UNKNOWN
    if not 0 <= successes <= n:
        raise ValueError(f"need 0 <= successes <= n, got {successes} of {n}")
    z = _NORMAL.inv_cdf((1 + confidence) / 2)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    # With none or all of n one end is exactly 0 or 1, and rounding would leave 3e-16 of it.
    low = centre - reach if successes else 0.0
    high = centre + reach if successes < n else 1.0
    return Interval(max(0.0, low), min(1.0, high))


def holm(p: Sequence[float]) -> list[float]:
    """Step-down adjusted p-values (Holm 1979), in the order given; controls any false finding.

    A NaN (not tested) stays NaN and does not count as a test.
    """
    values = np.asarray(p, dtype=float)
    order = _tested_in_order(values)
    adjusted = values.copy()
    factors = np.arange(order.size, 0, -1)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(factors * values[order]))
    return [float(value) for value in adjusted]


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """Step-up adjusted p-values (Benjamini and Hochberg 1995), in the order given; controls the share of
    false findings. A NaN (not tested) stays NaN and does not count as a test.
    """
    values = np.asarray(p, dtype=float)
    order = _tested_in_order(values)
    adjusted = values.copy()
    factors = order.size / np.arange(1, order.size + 1)
    from_largest = np.minimum.accumulate((factors * values[order])[::-1])[::-1]
    adjusted[order] = np.minimum(1, from_largest)
    return [float(value) for value in adjusted]


def minimal_detectable_effect(sd: float, n: int, power: float = 0.8, alpha: float = 0.05) -> float:
    """(z_{1 - alpha/2} + z_power) sd / sqrt(n): the smallest true mean difference that n pairs with
    standard deviation ``sd`` find with probability ``power``. In the unit of sd. n = 0: NaN.
    """
    return _z_total(power, alpha) * sd / math.sqrt(n) if n > 0 else math.nan


def sample_size(sd: float, effect: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """Pairs needed to find a mean difference of ``effect``: the inverse of ``minimal_detectable_effect``.

    Rounded up, at least 2. Raises ValueError for an effect of zero or a NaN: no number of pairs will do.
    """
    if not (abs(effect) > 0 and math.isfinite(sd)):
        raise ValueError(f"need a finite sd and an effect other than zero, got {sd=}, {effect=}")
    exact = (_z_total(power, alpha) * sd / effect) ** 2
    return max(2, math.ceil(exact * (1 - 1e-12)))


def half_samples(n_blocks: int, n_samples: int = 200, seed: int = 0) -> list[np.ndarray]:
    """``n_samples`` random halves (indices, without replacement) of ``n_blocks`` blocks, for pooled metrics.

    Score both variants on the same halves. Half-samples without replacement vary as much as the full
    sample does, and unlike a bootstrap they repeat no block, which would disturb Delta and distinct-n.
    """
    rng = np.random.default_rng(seed)
    return [np.sort(rng.permutation(n_blocks)[: n_blocks // 2]) for _ in range(n_samples)]


def half_sample_interval(full: float, halves: Sequence[float], confidence: float = 0.95) -> Interval:
    """Interval of a pooled metric (or of a difference of two) from its values on ``half_samples``.

    The quantiles of the halves, moved so that their mean lies on the full estimate: a nonlinear
    metric is biased by sample size, and that bias is not uncertainty. Under 2 finite halves: NaN.
    """
    finite = np.asarray([value for value in halves if math.isfinite(value)])
    if finite.size < 2:
        return UNKNOWN
    shifted = finite - finite.mean() + full
    return Interval(*(float(np.quantile(shifted, tail)) for tail in _tails(confidence)))


def cluster_means(
    values: Sequence[float] | np.ndarray, clusters: Sequence[Hashable] | None = None
) -> np.ndarray:
    """One mean per cluster, in order of first appearance, NaN values left out (a cluster of them too)."""
    numbers = np.asarray(values, dtype=float)
    if clusters is None:
        return np.asarray(numbers[~np.isnan(numbers)])
    if len(clusters) != numbers.size:
        raise ValueError(f"{numbers.size} values but {len(clusters)} cluster labels")
    members: dict[Hashable, list[float]] = {}
    for cluster, number in zip(clusters, numbers.tolist(), strict=True):
        if not math.isnan(number):
            members.setdefault(cluster, []).append(number)
    return np.array([math.fsum(group) / len(group) for group in members.values()], dtype=float)


def _bca_level(tail: float, means: np.ndarray, resampled: np.ndarray) -> float:
    """The quantile of the resamples to read for a nominal tail, given bias z0 and acceleration a."""
    centre = means.mean()
    below = ((resampled < centre).sum() + 0.5 * (resampled == centre).sum()) / resampled.size
    z0 = _NORMAL.inv_cdf(min(max(float(below), 0.5 / resampled.size), 1 - 0.5 / resampled.size))
    # For a mean the jackknife acceleration is the skewness of the values over 6 sqrt(n).
    deviations = means - centre
    acceleration = float((deviations**3).sum() / (6 * ((deviations**2).sum()) ** 1.5))
    z = z0 + _NORMAL.inv_cdf(tail)
    return _NORMAL.cdf(z0 + z / (1 - acceleration * z))


def _sign_patterns(n: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    if n <= MAX_EXACT_PAIRS:
        patterns = np.arange(2**n)[:, None] >> np.arange(n) & 1
        yield 1.0 - 2.0 * patterns
        return
    for rows in _blocks(SIGN_FLIPS, n):
        yield 1.0 - 2.0 * rng.integers(0, 2, size=(rows, n), dtype=np.int8)


def _blocks(total: int, width: int) -> Iterator[int]:
    rows = max(1, CELLS_AT_ONCE // width)
    for start in range(0, total, rows):
        yield min(rows, total - start)


def _tested_in_order(values: np.ndarray) -> np.ndarray:
    tested = np.flatnonzero(~np.isnan(values))
    return np.asarray(tested[np.argsort(values[tested], kind="stable")])


def _tails(confidence: float) -> tuple[float, float]:
    return (1 - confidence) / 2, (1 + confidence) / 2


def _z_total(power: float, alpha: float) -> float:
    return _NORMAL.inv_cdf(1 - alpha / 2) + _NORMAL.inv_cdf(power)
