from __future__ import annotations

import time

import pytest

from harness.corpus.leakage import shared_ngrams
from harness.types import Passage


def _passage(text: str, ordinal: int = 0) -> Passage:
    return Passage("b", ordinal, "body", text, len(text.split()), str(ordinal))


LETTERS = [f"word{'abcdefghijklmnopqrstuvwxyz'[n]}" for n in range(26)]


def test_thirteen_words_are_found_twelve_are_not() -> None:
    heldout = [_passage(" ".join(LETTERS))]
    thirteen = _passage("Before: " + ", ".join(LETTERS[3:16]).upper() + "! after", 1)
    twelve = _passage("before " + " ".join(LETTERS[3:15]) + " after", 2)
    report = shared_ngrams([thirteen, twelve], heldout)
    assert report.shared == 1
    assert report.dropped == (thirteen,)
    assert report.kept == (twelve,)
    assert report.examples == (" ".join(LETTERS[3:16]),)


def test_distinct_ngrams_are_counted_once_and_none_is_left() -> None:
    heldout = [_passage(" ".join(LETTERS[:15]))]
    twice = [_passage(" ".join(LETTERS[:15]), n) for n in range(5)]
    report = shared_ngrams([*twice, _passage("something else", 9)], heldout)
    assert report.shared == 3
    assert len(report.dropped) == 5
    assert len(report.examples) == 1
    assert shared_ngrams(report.kept, heldout).shared == 0


def test_a_million_words_take_seconds() -> None:
    train = [_passage(" ".join(LETTERS[(n + k) % 26] for k in range(150)) + f" x{n}", n) for n in range(6667)]
    started = time.perf_counter()
    shared_ngrams(train, [_passage("a b c d e f g h i j k l m n")])
    assert time.perf_counter() - started < 20


def test_a_quotation_over_the_cut_of_two_heldout_passages_is_found() -> None:
    halves = [_passage(" ".join(LETTERS[:10]), 0), _passage(" ".join(LETTERS[10:20]), 1)]
    quotation = _passage(" ".join(LETTERS[3:17]), 5)
    assert shared_ngrams([quotation], halves).dropped == (quotation,)
    apart = [halves[0], _passage(halves[1].text, 7)]
    assert shared_ngrams([quotation], apart).dropped == ()


def test_n_must_be_positive() -> None:
    with pytest.raises(ValueError, match="positive"):
        shared_ngrams([], [], n=0)
