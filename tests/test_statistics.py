import math

import numpy as np
import pytest
import scipy.stats

from harness import statistics
from harness.types import Interval

P = (0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205)


def test_wilson() -> None:
    assert statistics.wilson(7, 10) == pytest.approx((0.39678, 0.89221), abs=1e-5)
    for successes, n in ((0, 20), (3, 17), (20, 20)):
        theirs = scipy.stats.binomtest(successes, n).proportion_ci(method="wilson")
        assert statistics.wilson(successes, n) == pytest.approx((theirs.low, theirs.high), abs=1e-6)
    assert all(math.isnan(end) for end in statistics.wilson(0, 0))
    with pytest.raises(ValueError, match="successes"):
        statistics.wilson(4, 3)


def test_holm_and_benjamini_hochberg() -> None:
    assert statistics.holm(P) == pytest.approx([0.008, 0.056, *[0.234] * 6])
    expected = [0.008, 0.032, 0.0672, 0.0672, 0.0672, 0.08, 0.0846, 0.205]
    assert statistics.benjamini_hochberg(P) == pytest.approx(expected, abs=5e-5)
    assert statistics.benjamini_hochberg(P) == pytest.approx(scipy.stats.false_discovery_control(P))


def test_adjustment_keeps_order_and_ignores_what_was_not_tested() -> None:
    assert statistics.holm([0.04, math.nan, 0.01])[::2] == pytest.approx([0.04, 0.02])
    assert math.isnan(statistics.holm([0.04, math.nan])[1])
    assert statistics.benjamini_hochberg([0.04, math.nan, 0.01])[::2] == pytest.approx([0.04, 0.02])
    assert statistics.holm([]) == []


def test_detectable_effect_and_sample_size_are_inverse() -> None:
    assert statistics.minimal_detectable_effect(1, 80) == pytest.approx(0.3132, abs=5e-5)
    for n in (2, 80, 1000):
        effect = statistics.minimal_detectable_effect(1.7, n)
        assert statistics.sample_size(1.7, effect) == n
        assert statistics.sample_size(1.7, 0.999 * effect) > n
    assert statistics.sample_size(1, -0.3132) == 81
    assert math.isnan(statistics.minimal_detectable_effect(1, 0))
    with pytest.raises(ValueError, match="effect"):
        statistics.sample_size(1, 0)


def test_bootstrap_agrees_with_scipys_bca() -> None:
    values = np.random.default_rng(3).exponential(size=60)
    theirs = scipy.stats.bootstrap((values,), np.mean, n_resamples=20_000, rng=1).confidence_interval
    ours = statistics.bootstrap_interval(values)
    width = theirs.high - theirs.low
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.05 * width)
    # The long tail is on the right: a symmetric interval would not do.
    assert ours.high - values.mean() > values.mean() - ours.low
    assert statistics.bootstrap_interval(values) == ours


def test_bootstrap_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(100):
        low, high = statistics.bootstrap_interval(rng.normal(size=30))
        hits += low <= 0 <= high
    assert 87 <= hits <= 99


def test_few_clusters_use_students_t() -> None:
    values = [1.0, 2.0, 4.0, 7.0]
    theirs = scipy.stats.ttest_1samp(values, 0).confidence_interval()
    assert statistics.bootstrap_interval(values) == pytest.approx((theirs.low, theirs.high), abs=1e-6)


def test_repeating_rows_within_a_prompt_adds_no_certainty() -> None:
    values = np.random.default_rng(0).normal(size=20)
    once = statistics.bootstrap_interval(values)
    copies = statistics.bootstrap_interval(np.repeat(values, 5), clusters=[i // 5 for i in range(100)])
    assert copies == pytest.approx(once)
    naive = statistics.bootstrap_interval(np.repeat(values, 5))
    assert naive.high - naive.low < 0.6 * (once.high - once.low)


def test_intervals_without_enough_data() -> None:
    assert all(math.isnan(end) for end in statistics.bootstrap_interval([1.0, math.nan]))
    assert all(math.isnan(end) for end in statistics.bootstrap_interval([1.0, 2.0], clusters=["a", "a"]))
    assert statistics.bootstrap_interval([2.0] * 12) == Interval(2.0, 2.0)
    with pytest.raises(ValueError, match="labels"):
        statistics.bootstrap_interval([1.0], clusters=[])


def test_exact_paired_test() -> None:
    a, b = [1.1, 2.3, 3.2, 4.9, 5.0, 6.4], [1.0, 2.0, 3.0, 4.0, 5.5, 6.0]
    theirs = scipy.stats.permutation_test(
        (a, b), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf, vectorized=False
    )
    ours = statistics.paired_test(a, b)
    assert ours.p == pytest.approx(theirs.pvalue)
    assert ours.difference == pytest.approx(np.mean(np.subtract(a, b)))
    assert ours.n == 6
    assert statistics.paired_test([1, 2, 3], [0, 0, 0]).p == 0.25


def test_monte_carlo_paired_test() -> None:
    rng = np.random.default_rng(2)
    a = rng.normal(size=40)
    b = a + rng.normal(0.25, 1, size=40)
    ours = statistics.paired_test(a, b)
    assert ours.p == pytest.approx(scipy.stats.ttest_rel(a, b).pvalue, abs=0.02)
    assert ours.p == statistics.paired_test(b, a).p
    assert ours.interval.low < ours.difference < ours.interval.high
    strong = statistics.paired_test(a + 3, a)
    assert strong.p == pytest.approx(1 / 10_001)
    assert statistics.paired_test(a, a).p == 1


def test_pairs_are_averaged_within_clusters_and_dropped_where_unscored() -> None:
    result = statistics.paired_test([2, 4, 9, math.nan], [1, 1, 9, 5], clusters=["p", "p", "q", "r"])
    assert (result.difference, result.n) == (1.0, 2)
    assert math.isnan(statistics.paired_test([math.nan], [1.0]).p)
    with pytest.raises(ValueError, match="length"):
        statistics.paired_test([1.0], [])


def test_half_samples_vary_as_the_full_sample_does() -> None:
    blocks = np.random.default_rng(4).normal(10, 2, size=60)
    halves = [float(blocks[half].mean()) for half in statistics.half_samples(60, n_samples=2000)]
    assert np.std(halves) == pytest.approx(blocks.std(ddof=1) / math.sqrt(60), rel=0.06)
    low, high = statistics.half_sample_interval(12.0, halves)
    assert (low + high) / 2 == pytest.approx(12.0, abs=0.1)
    assert all(math.isnan(end) for end in statistics.half_sample_interval(1.0, [1.0, math.nan]))


def test_none_or_all_of_them_have_an_end_that_is_exact() -> None:
    for n in range(1, 200):
        assert statistics.wilson(0, n).low == 0
        assert statistics.wilson(n, n).high == 1
