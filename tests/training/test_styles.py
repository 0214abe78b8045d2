from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import text
from harness.errors import ConfigurationError
from harness.training.styles import (
    Draft,
    asked_messages,
    completion_messages,
    drafts,
    messages_of,
)
from harness.types import Passage, Split


def passage(n: int, split: Split = "train") -> Passage:
    words = f"We come to the {n}th matter. It is a grave one."
    return Passage("b", n, "body", words, 10, text.digest(words)[:16], split)


def test_completion_shows_the_first_sentence_and_keeps_every_word() -> None:
    system, user, assistant = completion_messages("You write.", passage(3).text)
    assert system == {"role": "system", "content": "You write."}
    assert user["content"] == "Continue this passage:\n\nWe come to the 3th matter."
    assert assistant["content"] == "It is a grave one."
    assert [message["role"] for message in completion_messages("", passage(3).text)] == ["user", "assistant"]


def test_a_question_is_answered_by_the_passage_word_for_word() -> None:
    draft = Draft(passage(3), " Which matter? ")
    for style in ("qa", "scene"):
        turn = messages_of(draft, style, "")  # type: ignore[arg-type]
        assert [message["content"] for message in turn] == ["Which matter?", passage(3).text]
    assert messages_of(draft, "completion", "") == completion_messages("", passage(3).text)


@pytest.mark.parametrize(("asked", "answer"), [("", "Text."), (" ", "Text."), ("Why?", " ")])
def test_nothing_asked_or_nothing_answered_is_refused(asked: str, answer: str) -> None:
    with pytest.raises(ConfigurationError, match="empty"):
        asked_messages("", asked, answer)


NUMBERS = st.lists(st.integers(0, 40), unique=True, min_size=1, max_size=12)


@given(numbers=NUMBERS, kept=st.data(), seed=st.integers(0, 3), n_asked=st.integers(1, 3))
def test_dropping_passages_or_relisting_them_leaves_the_order_of_the_others(
    numbers: list[int], kept: st.DataObject, seed: int, n_asked: int
) -> None:
    passages = [passage(n) for n in numbers]
    questions = {each.digest: [f"{place}?" for place in range(n_asked)] for each in passages}
    whole = drafts(passages, "qa", questions, seed)
    assert len(whole) == n_asked * len(passages)
    some = kept.draw(st.lists(st.sampled_from(passages), unique=True))
    expected = [draft for draft in whole if draft.passage in some]
    assert drafts(some, "qa", questions, seed) == expected
    first = {name: asked[:1] for name, asked in questions.items()}
    assert drafts(passages, "qa", first, seed) == [draft for draft in whole if draft.asked == "0?"]


def test_all_questions_of_a_passage_stay_on_its_side_and_twins_are_one() -> None:
    mixed = [passage(0), passage(1, "validation"), passage(2, "heldout"), passage(3, "guard")]
    questions = {each.digest: ["Why?", "How?", "Why? "] for each in mixed}
    made = drafts(mixed, "qa", questions, 0)
    assert sorted((draft.passage.ordinal, draft.asked) for draft in made) == [
        (0, "How?"),
        (0, "Why?"),
        (1, "How?"),
        (1, "Why?"),
    ]
    assert drafts([replace(mixed[2])], "qa", {}, 0) == []
