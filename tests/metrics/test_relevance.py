import math

import pytest

from harness.metrics.relevance import question_rank

QUESTIONS = [
    "Why should the forests be preserved?",
    "What is the duty of the navy in time of peace?",
    "How will the canal serve commerce?",
]


def test_own_question_first() -> None:
    answer = "The navy in peace prepares; its duty is to be ready."
    assert question_rank(QUESTIONS, answer, own=1) == 1
    assert question_rank(QUESTIONS, answer, own=0) in (1 / 2, 1 / 3)


def test_ties_count_against_the_answer() -> None:
    assert question_rank(QUESTIONS, "Xylophones sing.", own=0) == pytest.approx(1 / 3)
    assert question_rank(["the navy", "navy, the"], "Our navy", own=0) == 1 / 2


def test_nothing_to_rank() -> None:
    assert math.isnan(question_rank(QUESTIONS, " ... ", own=0))
    with pytest.raises(IndexError, match="3"):
        question_rank(QUESTIONS, "The navy", own=3)
