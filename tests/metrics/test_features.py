"""Features of an answer are those of the functions they name."""

from __future__ import annotations

import math

import pytest

from harness.metrics.features import FEATURES, prose_features
from harness.metrics.lexical import mattr, mtld, type_token_ratio
from harness.metrics.profile import dialogue_share, flesch_kincaid_grade, punctuation_per_thousand
from harness.text import words

TEXT = (
    '"Row, boy; row," said the pilot -- and the tide, that had turned at noon, took us by the bar. '
    "We saw the light on the point. Was it the harbour light? He did not know; nobody ever knew. "
) * 2


def test_each_is_what_its_function_gives() -> None:
    tokens = words(TEXT)
    found = prose_features(TEXT, tokens)
    marks = punctuation_per_thousand(TEXT)
    expected = {
        "words": len(tokens),
        "sentence_words": len(tokens) / 8,
        "type_token_ratio": type_token_ratio(tokens),
        "mattr": mattr(tokens),
        "mtld": mtld(tokens),
        "punctuation": sum(marks.values()),
        "commas": 8000 / len(tokens),
        "semicolons": 4000 / len(tokens),
        "dashes": 2000 / len(tokens),
        "dialogue_share": dialogue_share(TEXT),
        "flesch_kincaid_grade": flesch_kincaid_grade(TEXT),
    }
    assert tuple(found) == FEATURES == tuple(expected)
    assert found == pytest.approx(expected)
    assert 0 < found["dialogue_share"] < 0.2


def test_without_words_only_their_number_is_known() -> None:
    found = prose_features("", [])
    assert found.pop("words") == 0
    assert all(math.isnan(value) for value in found.values())
