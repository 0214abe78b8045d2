import math
import random

import pytest
from lexicalrichness import LexicalRichness

from harness.metrics import lexical

CAT = ["the", "cat", "sat", "on", "the", "mat", "and", "the", "dog", "sat", "on", "the", "cat"]


def zipfian(n: int, seed: int) -> list[str]:
    """Letters only, so that lexicalrichness tokenises them as they are."""
    draw = random.Random(seed)
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    return [
        alphabet[i % 26] + alphabet[i // 26 % 26] * 2
        for i in (int(draw.paretovariate(0.6)) for _ in range(n))
    ]


def test_worked_example() -> None:
    assert lexical.type_token_ratio(CAT) == pytest.approx(0.5384615, abs=1e-6)
    assert lexical.yules_k(CAT) == pytest.approx(1065.08876, abs=1e-5)
    assert lexical.honore_r(CAT) == pytest.approx(448.866, abs=1e-3)
    assert lexical.hdd(CAT, draws=5) == pytest.approx(0.7958042, abs=1e-6)
    assert lexical.mtld(CAT) == pytest.approx(13.0)
    assert lexical.mattr(CAT, window=5) == pytest.approx(0.9111111, abs=1e-6)


@pytest.mark.parametrize("n", [60, 400, 5000])
def test_agrees_with_lexicalrichness(n: int) -> None:
    tokens = zipfian(n, seed=n)
    theirs = LexicalRichness(" ".join(tokens))
    assert theirs.words == n
    assert lexical.type_token_ratio(tokens) == pytest.approx(theirs.ttr, abs=1e-6)
    assert lexical.mattr(tokens) == pytest.approx(theirs.mattr(50), abs=1e-6)
    assert lexical.mtld(tokens) == pytest.approx(theirs.mtld(0.72), rel=1e-6)
    assert lexical.hdd(tokens) == pytest.approx(theirs.hdd(42), abs=1e-6)
    assert lexical.yules_k(tokens) == pytest.approx(theirs.yulek, rel=1e-6)


def test_too_short_is_nan_not_zero() -> None:
    assert math.isnan(lexical.mattr(CAT, window=14))
    assert math.isnan(lexical.hdd(CAT, draws=14))
    assert all(
        math.isnan(f([])) for f in (lexical.type_token_ratio, lexical.mtld, lexical.yules_k, lexical.honore_r)
    )
    assert math.isnan(lexical.honore_r(["once", "each"]))


def test_no_repetition_is_one_factor() -> None:
    assert lexical.mtld(["a", "b", "c"]) == 3.0


def test_a_type_that_cannot_be_missed_is_always_drawn() -> None:
    assert lexical.hdd(["a"] * 9 + ["b"], draws=2) == pytest.approx((1 + 0.2) / 2)
