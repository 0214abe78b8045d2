import math

import pytest
from scipy.stats import chi2, chi2_contingency

from harness.metrics import keyness
from harness.metrics.function_words import FUNCTION_WORDS


def test_worked_example() -> None:
    assert keyness.log_likelihood_g2(60, 20, 10000, 20000) == pytest.approx(58.0785, abs=1e-4)
    assert keyness.log_ratio(60, 20, 10000, 20000) == pytest.approx(2.58496, abs=1e-5)


def test_g2_is_scipys_for_rare_words_and_zero_for_equal_rates() -> None:
    # scipy's four-cell statistic tends to the two-cell one as the corpora grow.
    four_cell = chi2_contingency(
        [[60, 20], [10**10 - 60, 2 * 10**10 - 20]], correction=False, lambda_="log-likelihood"
    ).statistic
    assert keyness.log_likelihood_g2(60, 20, 10**10, 2 * 10**10) == pytest.approx(four_cell, abs=1e-3)
    assert keyness.log_likelihood_g2(10, 20, 1000, 2000) == pytest.approx(0, abs=1e-9)


def test_zero_counts_and_empty_corpora() -> None:
    assert keyness.log_ratio(0, 8, 100, 100) == -4
    assert keyness.log_likelihood_g2(0, 8, 100, 100) == pytest.approx(16 * math.log(2))
    assert math.isnan(keyness.log_ratio(1, 1, 0, 5))
    assert math.isnan(keyness.log_likelihood_g2(1, 1, 5, 0))


def test_quantile_is_scipys() -> None:
    for probability in (0.5, 0.95, 1 - 0.01 / 4000):
        assert keyness.chi_square_1_quantile(probability) == pytest.approx(chi2.ppf(probability, 1), rel=1e-6)


def test_keywords_need_count_range_and_keyness() -> None:
    filler = [f"word{i}" for i in range(200)]
    target = [["strenuous", "the", "the", *filler] for _ in range(8)]
    target[0] += ["everglades"] * 40  # frequent, but in one document only
    background = [[*filler, *filler] for _ in range(20)]
    found = keyness.characteristic_keywords(target, background)
    assert [keyword.word for keyword in found] == ["strenuous"]
    assert (found[0].count, found[0].documents) == (8, 8)
    assert keyness.characteristic_keywords(target, []) == ()
    assert keyness.characteristic_keywords(target, background, n=0) == ()


def test_stuffing_raises_density_but_not_coverage() -> None:
    keywords = ["strenuous", "forest", "navy", "canal"]
    honest = ["the", "forest", "and", "the", "navy", "of", "the", "land"]
    stuffed = ["forest"] * 8
    assert keyness.keyword_density(honest, keywords) == 250
    assert keyness.keyword_density(stuffed, keywords) == 1000
    assert keyness.keyword_coverage(honest, keywords) == 0.5
    assert keyness.keyword_coverage(stuffed, keywords) == 0.25
    assert math.isnan(keyness.keyword_density([], keywords))
    assert math.isnan(keyness.keyword_coverage(honest, []))


def test_function_words_are_distinct_lower_case_words() -> None:
    assert 150 <= len(FUNCTION_WORDS) == len(set(FUNCTION_WORDS)) <= 260
    assert all(word == word.lower() for word in FUNCTION_WORDS)
