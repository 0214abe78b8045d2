from __future__ import annotations

from pathlib import Path

import pytest

from harness import reference as references
from harness.errors import ConfigurationError
from harness.models import controls
from harness.reference import Reference
from harness.text import count_words, words

ALL = ["author", "other:flint", "other:thorne", "copyist", "shuffled"]


@pytest.fixture(scope="module")
def reference(small_author: Path) -> Reference:
    return references.load("marlow", small_author)


def test_expand_spells_out_the_others_and_keeps_the_order(reference: Reference) -> None:
    assert controls.expand(("author", "other:*", "copyist", "shuffled"), reference) == ALL
    assert controls.expand(("other:thorne", "other:*", "author"), reference) == [
        "other:thorne", "other:flint", "author",
    ]  # fmt: skip
    assert controls.expand((), reference) == []
    assert controls.expand(("few_shot", "author"), reference) == ["author"]  # a model answers that one


def test_a_control_that_does_not_exist_offers_the_nearest(reference: Reference) -> None:
    with pytest.raises(
        ConfigurationError, match="control 'other:thorn' does not exist, did you mean 'other:th"
    ):
        controls.expand(("other:thorn",), reference)


def test_the_author_answers_with_the_paired_passage_cut_at_a_sentence(reference: Reference) -> None:
    prompts = {prompt.kind: prompt for prompt in reference.prompts}
    for prompt in prompts.values():
        assert words(controls.answer("author", prompt, reference, 1000)) == words(prompt.reference)
        short = controls.answer("author", prompt, reference, 40)
        assert 0 < count_words(short) <= 40
        assert short.endswith(".")
        assert words(prompt.reference)[: count_words(short)] == words(short)


def test_the_copyist_pastes_train_text_and_the_others_their_own(reference: Reference) -> None:
    train = " ".join(" ".join(words(passage.text)) for passage in reference.train)
    flint = " ".join(" ".join(words(passage.text)) for passage in reference.others["flint"])
    for prompt in reference.prompts:
        assert " ".join(words(controls.answer("copyist", prompt, reference, 60))) in train
        assert " ".join(words(controls.answer("other:flint", prompt, reference, 60))) in flint
    drawn = {controls.answer("copyist", prompt, reference, 60) for prompt in reference.prompts}
    assert len(drawn) > len(reference.prompts) / 2


def test_shuffled_keeps_every_word_and_loses_their_order(reference: Reference) -> None:
    for prompt in reference.prompts:
        author = controls.answer("author", prompt, reference, 60).split()
        shuffled = controls.answer("shuffled", prompt, reference, 60).split()
        assert sorted(shuffled) == sorted(author)
        assert shuffled != author


@pytest.mark.parametrize("name", ALL)
def test_a_control_says_the_same_every_time(reference: Reference, small_author: Path, name: str) -> None:
    again = references.load("marlow", small_author)
    for prompt in reference.prompts[:4]:
        assert controls.answer(name, prompt, reference, 60) == controls.answer(name, prompt, again, 60)


def test_each_control_is_a_variant_of_its_own(reference: Reference) -> None:
    variants = [controls.as_variant(name, reference) for name in ALL]
    assert [v.kind for v in variants] == ["control"] * 5
    assert {v.trained_on for v in variants} == {"nothing"}
    assert len({v.digest for v in variants}) == 5
    assert controls.as_variant("author", reference) == variants[0]
