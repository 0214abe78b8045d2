import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics.memorisation import CopyIndex, is_copied, is_recited

TRAIN = list("abcdefg")
ANSWER = list("xbcdeyab")


def test_worked_example() -> None:
    index = CopyIndex([TRAIN])
    assert index.match_lengths(ANSWER).tolist() == [0, 4, 3, 2, 1, 0, 2, 1]
    assert index.longest_run(ANSWER) == 4
    assert index.novelty(ANSWER, 2) == pytest.approx(3 / 7)
    assert index.coverage(ANSWER, 2) == pytest.approx(6 / 8)


def test_ngrams_of_the_prompt_do_not_count() -> None:
    index = CopyIndex([TRAIN])
    prompt = list("bcde")
    assert index.longest_run(ANSWER, prompt) == 2
    assert index.novelty(ANSWER, 2, prompt) == pytest.approx(6 / 7)
    assert index.coverage(ANSWER, 2, prompt) == pytest.approx(2 / 8)
    assert index.longest_run(list("bcdef"), prompt) == 5  # goes on where the prompt stops


tokens = st.lists(st.sampled_from("abc"), max_size=25)


@given(st.lists(tokens, max_size=4), tokens)
def test_match_lengths_are_those_of_a_naive_search(documents: list[list[str]], answer: list[str]) -> None:
    joined = ["".join(document) for document in documents]
    text = "".join(answer)
    naive = [
        max((k for k in range(len(text) - i + 1) if any(text[i : i + k] in d for d in joined)), default=0)
        for i in range(len(text))
    ]
    assert CopyIndex(documents).match_lengths(answer).tolist() == naive


def test_a_match_does_not_cross_documents() -> None:
    index = CopyIndex([["a", "b"], ["c", "d"]])
    assert index.longest_run(["a", "b", "c", "d"]) == 2


def test_pasted_half_pasted_and_fresh_text() -> None:
    draw = random.Random(1)
    vocabulary = [f"w{i}" for i in range(300)]
    book = [draw.choice(vocabulary) for _ in range(20_000)]
    fresh = [draw.choice(vocabulary) for _ in range(350)]
    index = CopyIndex([book[:10_000], book[10_000:]])
    pasted = book[5000:5350]
    assert index.longest_run(pasted) == 350
    assert index.coverage(pasted) == 1
    assert 175 <= index.longest_run(pasted[:175] + fresh[:175]) <= 178
    assert index.longest_run(fresh) <= 4
    assert index.novelty(fresh, 8) == 1
    assert is_copied(index.longest_run(pasted), math.nan)
    assert not is_copied(index.longest_run(fresh), index.coverage(fresh))


def test_rule_and_missing_values() -> None:
    assert is_copied(50, 0.0)
    assert is_copied(8, 0.3)
    assert not is_copied(49, 0.29)
    index = CopyIndex([TRAIN])
    assert index.longest_run([]) == 0
    assert math.isnan(index.coverage(["a"] * 7))
    assert math.isnan(index.novelty([], 1))
    assert np.array_equal(CopyIndex([]).match_lengths(["a"]), [0])
    with pytest.raises(ValueError, match="n >= 1"):
        index.novelty(ANSWER, 0)


def test_two_indexes_together_find_what_one_of_all_documents_finds() -> None:
    other = [*ANSWER[2:6], "elsewhere"]
    both = CopyIndex([TRAIN, other]).matches(ANSWER, ANSWER[:1])
    found = CopyIndex([TRAIN]).matches(ANSWER, ANSWER[:1]).together(CopyIndex([other]).matches(ANSWER))
    assert np.array_equal(found.lengths, both.lengths)
    assert np.array_equal(found.excused, both.excused)
    assert not np.array_equal(found.lengths, CopyIndex([TRAIN]).match_lengths(ANSWER))


def test_recited_is_copied_from_all_books_taken_together() -> None:
    train, heldout = (CopyIndex([[f"{book}{i}" for i in range(100)]]) for book in "th")
    fresh = [f"x{i}" for i in range(70)]

    def recited(from_train: int, from_heldout: int, prompt: int = 0) -> bool:
        tokens = [f"t{i}" for i in range(from_train)] + fresh + [f"h{i}" for i in range(from_heldout)]
        own = [f"h{i}" for i in range(prompt)]
        return is_recited(train.matches(tokens), heldout.matches(tokens, own))

    assert not recited(0, 0)
    assert recited(15, 16)  # 31 of 101 words, 15 and 16 % of them from either
    assert not recited(15, 14)
    assert recited(50, 0)
    assert recited(0, 50)
    assert not recited(0, 50, prompt=50)  # his own passage, read out by himself
    assert not is_recited(train.matches([]), heldout.matches([]))
