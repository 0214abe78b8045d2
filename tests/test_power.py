"""How many units would decide, and intervals of rates of which little is seen."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.power import (
    fewest_discordant,
    paired_rate_interval,
    prompts_for_discordant,
    prompts_for_none,
    rate_detectable,
    rate_interval,
    sign_flip_p,
    units_needed,
)
from harness.statistics import Interval, paired_test, sample_size, wilson


def skewed(n: int, seed: int = 0) -> np.ndarray:
    """Differences with a mean of 0, an SD of 1 and a skewness of about 1."""
    d = np.random.default_rng(seed).gamma(4, 1, n)
    return np.asarray((d - d.mean()) / d.std(ddof=1))


# ── the test, from sums ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("n", [15, 40, 90])
@pytest.mark.parametrize("shift", [0.0, 0.2, 0.35])
def test_the_sign_flip_p_from_sums_is_that_of_the_paired_test(n: int, shift: float) -> None:
    d = skewed(n) + shift
    counted = paired_test(d, np.zeros(n)).p
    told = float(sign_flip_p(d.sum(), (d**2).sum(), (d**4).sum()))
    assert told == pytest.approx(counted, abs=4 * math.sqrt(max(counted, 1e-4) / 10_000))


def test_nothing_differs_is_no_finding() -> None:
    assert float(sign_flip_p(np.array(0.0), np.array(0.0), np.array(0.0))) == 1.0


# ── how many ──────────────────────────────────────────────────────────────────────────────────────


def power_at(n: int, d: np.ndarray, shift: float, alpha: float) -> float:
    """The share of 3,000 worlds, drawn here anew, that the test finds in the right direction."""
    worlds = np.random.default_rng(99).choice(d - d.mean(), size=(3_000, n)) + shift
    p = sign_flip_p(worlds.sum(1), (worlds**2).sum(1), (worlds**4).sum(1))
    return float(np.mean((p < alpha) & (np.sign(worlds.sum(1)) == np.sign(shift))))


@pytest.mark.parametrize("margin", [0.25, 0.35, 0.5])
def test_what_is_said_to_suffice_finds_a_margin_in_four_of_five_worlds_both_ways(margin: float) -> None:
    d, alpha = skewed(60), 0.0125
    formula, needed = sample_size(1.0, margin, alpha=alpha), units_needed(d, margin, alpha=alpha)
    assert formula < needed < 1.5 * formula
    assert min(power_at(needed, d, sign * margin, alpha) for sign in (1, -1)) >= 0.8 - 0.01
    assert min(power_at(formula, d, sign * margin, alpha) for sign in (1, -1)) < 0.8


def test_symmetric_differences_need_what_the_formula_says_and_hardly_more() -> None:
    d = np.random.default_rng(1).normal(size=400)
    d = (d - d.mean()) / d.std(ddof=1)
    assert sample_size(1.0, 0.3, alpha=0.05) <= units_needed(d, 0.3) <= 1.12 * sample_size(1.0, 0.3)


def test_the_formula_serves_where_there_is_too_little_to_draw_or_too_much_to_do() -> None:
    assert units_needed(skewed(7), 0.3) == sample_size(1.0, 0.3)
    assert units_needed(skewed(60), 0.05) == sample_size(1.0, 0.05) > 1_000
    assert units_needed(skewed(60), 0.3) == units_needed(skewed(60), 0.3), "seeded"
    with pytest.raises(ValueError, match="effect other than zero"):
        units_needed(skewed(60), 0.0)


# ── rates ─────────────────────────────────────────────────────────────────────────────────────────


def test_no_pair_that_differs_still_leaves_room() -> None:
    # By hand: z^2 / (n + z^2) = 3.8415 / 83.8415, which is also where Wilson's interval of 0 of 80 ends.
    found = rate_interval(0, 0, 80)
    assert found == pytest.approx((-0.045818, 0.045818), abs=1e-6)
    assert found.high == pytest.approx(wilson(0, 80).high)
    assert math.isnan(rate_interval(0, 0, 0).low)


@pytest.mark.parametrize(("up", "down"), [(4, 0), (3, 0), (9, 2), (8, 2)])
def test_zero_is_inside_as_long_as_mcnemars_score_is_under_z(up: int, down: int) -> None:
    """At D = 0 the score is (b - c) / sqrt(b + c), whatever n (McNemar 1947)."""
    low, high = rate_interval(up, down, 80)
    assert (low > 0) == ((up - down) / math.sqrt(up + down) > 1.959964)
    assert low < (up - down) / 80 < high
    assert rate_interval(down, up, 80) == pytest.approx((-high, -low))


def test_the_interval_of_a_rate_covers_what_is_true() -> None:
    """Nominally 95 %; 2,000 worlds of 80 prompts where 3 % go one way and 1 % the other."""
    draws = np.random.default_rng(0).multinomial(80, [0.03, 0.01, 0.96], size=2_000)
    covered = [low <= 0.02 <= high for low, high in (rate_interval(b, c, 80) for b, c, _ in draws)]
    assert 0.93 <= np.mean(covered) <= 0.985


def test_means_over_samples_have_the_wider_of_two_intervals() -> None:
    bootstrap = Interval(-0.5, 0.01)
    binary, half = np.array([1.0] + [0.0] * 79), np.array([0.5] + [0.0] * 79)
    assert paired_rate_interval(binary, bootstrap) == rate_interval(1, 0, 80)
    widened = paired_rate_interval(half, bootstrap)
    assert (widened.low, widened.high) == (-0.5, rate_interval(0.5, 0, 80).high)


def test_how_many_without_any_are_within_the_margin() -> None:
    assert prompts_for_none(0.02) == 189
    for n, inside in ((188, False), (189, True)):
        assert (rate_interval(0, 0, n).high < 0.02) == inside
    with pytest.raises(ValueError, match="above 0"):
        prompts_for_none(0.0)


@pytest.mark.parametrize(("alpha", "fewest"), [(0.05, 6), (0.0125, 8), (2 / 64, 6)])
def test_the_fewest_that_an_exact_test_can_find(alpha: float, fewest: int) -> None:
    assert fewest_discordant(alpha) == fewest
    assert 2 / 2**fewest <= alpha < 2 / 2 ** (fewest - 1)


@pytest.mark.parametrize(("discordant", "share"), [(6, 0.02), (8, 0.02), (8, 0.1), (6, 1.0)])
def test_so_many_prompts_show_enough_that_differ_four_times_in_five(discordant: int, share: float) -> None:
    from scipy.stats import binom

    n = prompts_for_discordant(discordant, share)
    assert binom.sf(discordant - 1, n, share) >= 0.8
    assert n == discordant or binom.sf(discordant - 1, n - 1, share) < 0.8
    seen = rate_detectable(discordant, n)
    assert binom.sf(discordant - 1, n, seen) == pytest.approx(0.8)
    assert math.isnan(rate_detectable(discordant, discordant - 1))
    # Where their mean is just enough, they are there in little more than half of all draws.
    if share < 0.2:
        assert binom.sf(discordant - 1, math.ceil(discordant / share - 1e-9), share) < 0.6
    with pytest.raises(ValueError, match="need a share above 0"):
        prompts_for_discordant(discordant, 0.0)
