"""Sizes declared beforehand, and prompts in one fixed order."""

from __future__ import annotations

import itertools

import pytest
from handmade import make_reference
from pydantic import ValidationError

from harness.errors import ConfigurationError
from harness.looks import first_of, grown, looks
from harness.plan import ask
from harness.suite import Suite

PROMPTS = make_reference(40).prompts


@pytest.mark.parametrize(
    ("first", "most", "sizes"),
    [(40, 160, (40, 80, 160)), (40, 150, (40, 80, 150)), (40, 41, (40, 41)), (40, None, (40,))],
)
def test_sizes_double_up_to_the_maximum(first: int, most: int | None, sizes: tuple[int, ...]) -> None:
    assert looks(first, most) == sizes


def test_more_is_rounded_up_to_a_declared_size() -> None:
    assert [grown((40, 80, 150), more, "max_prompts", "prompts") for more in (1, 40, 41, 110)] == [
        80, 80, 150, 150
    ]  # fmt: skip
    with pytest.raises(ConfigurationError, match="max_prompts is 150, so at most 110 more prompts"):
        grown((40, 80, 150), 111, "max_prompts", "prompts")
    with pytest.raises(ConfigurationError, match="declares no max_prompts above its 40 prompts"):
        grown((40,), 1, "max_prompts", "prompts")


def test_a_larger_set_holds_every_smaller_one_and_both_kinds_evenly() -> None:
    sets = [{p.id for p in first_of(PROMPTS, size)} for size in range(1, 41)]
    assert [len(found) for found in sets] == list(range(1, 41))
    assert all(small < large for small, large in itertools.pairwise(sets))
    for size in (10, 17, 32):
        questions = sum(p.kind == "question" for p in first_of(PROMPTS, size))
        assert abs(questions - size / 2) <= 1
    chosen = first_of(PROMPTS, 20)
    assert list(chosen) == [p for p in PROMPTS if p in chosen], "the order of the book stays"
    assert chosen != PROMPTS[:20], "not the beginning of the book"


def test_a_suite_asks_the_first_so_many() -> None:
    reference = make_reference(40)
    suite = Suite(author="marlow", tasks=("copying",), prompts=12, max_prompts=40)
    assert suite.sizes("prompts") == (12, 24, 40)
    assert (suite.n_looks("prompts"), suite.n_looks("blocks")) == (3, 1)
    assert Suite(author="marlow", tasks=("copying",)).n_looks("prompts") == 1
    with pytest.raises(ConfigurationError, match="up to 50 prompts, and the reference set 'marlow' has 40"):
        ask(suite.model_copy(update={"max_prompts": 50}), (), reference)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"max_prompts": 40}, "needs prompts below it"),
        ({"prompts": 40, "max_prompts": 40}, "needs prompts below it"),
        ({"likelihood": {"documents": 60, "max_documents": 60}}, "not above documents 60"),
    ],
)
def test_a_maximum_is_above_what_one_begins_with(wrong: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Suite.model_validate({"author": "marlow", "tasks": ("copying",), **wrong})
