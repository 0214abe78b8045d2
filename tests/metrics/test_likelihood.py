import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics import likelihood


def test_documents_are_pooled_by_sums() -> None:
    assert likelihood.token_perplexity(-100 - 900, 50 + 300) == pytest.approx(17.4117, abs=1e-4)
    mean = (likelihood.token_perplexity(-100, 50) + likelihood.token_perplexity(-900, 300)) / 2
    assert mean == pytest.approx(13.737, abs=1e-3)


def test_perplexities_of_a_uniform_model() -> None:
    loglik = -40 * math.log(2)
    assert likelihood.word_perplexity(loglik, 8) == pytest.approx(32)
    assert likelihood.byte_perplexity(loglik, 40) == pytest.approx(2)
    assert likelihood.bits_per_byte(loglik, 40) == pytest.approx(1)


def test_nothing_to_score_is_nan_and_an_impossible_text_infinite() -> None:
    assert math.isnan(likelihood.bits_per_byte(-1.0, 0))
    assert math.isnan(likelihood.word_perplexity(-1.0, 0))
    assert math.isnan(likelihood.word_perplexity(math.nan, 3))
    assert likelihood.word_perplexity(-1e6, 1) == math.inf


def test_gains() -> None:
    assert likelihood.domain_gain(base=1.2, variant=1.0) == pytest.approx(0.2)
    assert likelihood.author_specific_gain(1.2, 1.0, 1.1, 1.05) == pytest.approx(0.15)
    assert likelihood.generalisation_gap(heldout=1.1, train=0.9) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("max_length", "context", "expected"), [(1000, 1, -206), (16, 8, -206), (16, 1, -318), (8, 4, -366)]
)
def test_context_seen_by_each_token(max_length: int, context: int, expected: float) -> None:
    total = 0.0
    for window in likelihood.rolling_windows(89, max_length, context):
        for token in range(window.score_from, window.end + 1):
            total -= 10 - min(token - window.start, 8)
    assert total == expected


def test_the_drawn_example() -> None:
    assert likelihood.rolling_windows(12, 8, 4) == (
        likelihood.Window(-1, 7, 0),
        likelihood.Window(3, 11, 8),
    )
    assert likelihood.rolling_windows(12, 8) == likelihood.rolling_windows(12, 8, 4)


@given(st.integers(0, 200), st.integers(1, 40), st.data())
def test_every_token_once_in_lm_evals_windows(n: int, max_length: int, data: st.DataObject) -> None:
    lm_eval_utils = pytest.importorskip("lm_eval.utils")
    context = data.draw(st.integers(1, max_length))
    windows = likelihood.rolling_windows(n, max_length, context)
    assert [t for w in windows for t in range(w.score_from, w.end + 1)] == list(range(n))
    assert all(w.end - w.start <= max_length for w in windows)
    rolling = lm_eval_utils.get_rolling_token_windows
    theirs = list(rolling(list(range(n)), prefix_token=-1, max_seq_len=max_length, context_len=context))
    ours = [(list(range(w.start, w.end)), list(range(w.score_from, w.end + 1))) for w in windows]
    assert ours == theirs


@pytest.mark.parametrize(("n", "max_length", "context"), [(-1, 8, 1), (5, 8, 0), (5, 8, 9)])
def test_impossible_windows_are_refused(n: int, max_length: int, context: int) -> None:
    with pytest.raises(ValueError, match="context"):
        likelihood.rolling_windows(n, max_length, context)
