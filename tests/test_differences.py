"""The prompts that lost most, and why."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from handmade import make_adapter, make_ask, make_table

from harness.differences import differences, fell_most, first_words, turned
from harness.pairing import Pair
from harness.types import Prompt

PAIRS = [Pair(make_adapter("old", 1), make_adapter("new", 2))]


def test_turned_so_that_higher_is_better() -> None:
    assert turned(1, 3, "higher", None) == 2
    assert turned(1, 3, "lower", None) == -2
    assert turned(60, 130, "toward_author", 100) == 10
    assert math.isnan(turned(60, 130, "toward_author", None))


def test_only_prompts_with_both_values_count() -> None:
    asked = make_ask(3)
    table = make_table(
        asked, {"old": {"copied": [1, math.nan, 0]}, "new": {"copied": [0, 0, 1]}, "author": {}}
    )
    found = differences("copied", "lower", PAIRS, table)
    assert found.per_prompt.tolist() == [1, -1]
    assert (found.units, found.valid, found.baseline, found.candidate) == (3, 2, (1.0, 0.0), (0.0, 1.0))


@pytest.mark.parametrize("metric", ["copied", "recited"])
def test_an_invalid_answer_that_copied_nothing_has_no_value_there(metric: str) -> None:
    sides = {"old": {metric: [0, 0, 1, 1], "invalid": [0, 1, 0, 0]},
             "new": {metric: [0, 0, 0, 1], "invalid": [0, 0, 1, 1]}}  # fmt: skip
    found = differences(metric, "lower", PAIRS, make_table(make_ask(4), sides))
    assert sorted(found.by_item) == ["p000", "p003"]
    assert (found.units, found.valid) == (4, 2)
    assert differences("invalid", "lower", PAIRS, make_table(make_ask(4), sides)).valid == 4


def test_invalid_first_then_by_margins_each_prompt_once() -> None:
    asked = make_ask(6)
    logits = {"old": [1.0] * 6, "new": [1.0, 0.7, math.nan, 0.9, -4.0, 3.0]}
    copied = {"old": [0.0] * 6, "new": [0.0, 1.0, 0.0, 0.0, 0.0, 0.0]}
    invalid = {"old": [0.0] * 6, "new": [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]}
    values = {
        name: {"authorship_logit": logits[name], "copied": copied[name], "invalid": invalid[name]}
        for name in ("old", "new")
    }
    table = replace(
        make_table(asked, values), notes={"new": {"invalid": {"p002": "invalid: loop, index_like"}}}
    )
    found = fell_most(asked, PAIRS, table, most=9)
    assert [(f.item, f.why) for f in found] == [
        ("p002", "loop, index-like"), ("p001", "copied"), ("p004", "")
    ]  # fmt: skip
    assert found[0].loss == math.inf
    assert found[1].loss == pytest.approx(1 / 0.02)
    assert found[2].loss == pytest.approx(5 / 0.25)
    assert found[1].words == "Ask 1"
    assert len(fell_most(asked, PAIRS, table, most=2)) == 2
    back = [Pair(PAIRS[0].candidate, PAIRS[0].baseline)]
    assert [f.item for f in fell_most(asked, back, table)] == ["p005"], "who was invalid before cannot fall"


def test_first_words_are_those_that_tell_prompts_apart() -> None:
    shown = Prompt("c", "continue", "Continue this passage:\n\nThe ship lay in the harbour, still.", "", "")
    asked = Prompt("q", "question", "What of the tides?", "", "")
    assert first_words(shown) == "The ship lay in the harbour, ..."
    assert first_words(asked) == "What of the tides?"
