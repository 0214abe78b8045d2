from __future__ import annotations

import time

import pytest

from harness.corpus.wordlist import american, is_listed, word_list


def test_lists_hold_words_and_no_fragments() -> None:
    assert {"government", "abscissa", "today"} <= word_list("en")
    assert not {"tion", "ment", "govern-", "don't"} & word_list("en")
    assert {"honneurs", "été"} <= word_list("fr")
    assert "größe" in word_list("de-AT")
    assert all(word.isalpha() for word in word_list("en"))


@pytest.mark.parametrize("language", ["is", "", "../en", "english words", "海"])
def test_no_list_is_no_words(language: str) -> None:
    assert word_list(language) == frozenset()


def test_a_list_is_read_once_and_soon() -> None:
    word_list.cache_clear()
    started = time.perf_counter()
    first = word_list("en")
    assert time.perf_counter() - started < 2  # .1 s on a quiet machine
    assert word_list("en") is first


@pytest.mark.parametrize(
    ("british", "respelt"),
    [("honoured", "honored"), ("colours", "colors"), ("generalisation", "generalization"),
     ("analysed", "analyzed"), ("centre", "center"), ("woollen", "woolen"), ("offences", "offenses"),
     ("connexion", "connection")],
)  # fmt: skip
def test_british_words_are_found_in_american_spelling(british: str, respelt: str) -> None:
    assert respelt in american(british)
    assert is_listed(british, "en")
    assert british not in word_list("en")
    assert not is_listed(british, "is")


def test_a_word_that_is_spelt_alike_has_no_other_spelling() -> None:
    assert american("sea") == ()
    assert american("sense") == ()
