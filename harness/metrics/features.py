"""What one answer is made of, read from its text alone: no reference set, only somebody to cut sentences.

    text --words, sentences, marks--> length, variety, punctuation, dialogue, readability

No feature has a good direction: each is compared with the author's own passages of equal length. As nothing
here was fitted on his train books, the features of a train passage are as honest as those of an answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.metrics.lexical import mattr, mtld, type_token_ratio
from harness.metrics.profile import (
    dialogue_share,
    flesch_kincaid_grade_of,
    punctuation_per_thousand,
    sentence_lengths,
)
from harness.text import Punkt

MARKS = {"commas": ",", "semicolons": ";", "dashes": "—"}
"""Marks with a feature of their own; ``punctuation`` is all of ``profile.PUNCTUATION`` together."""

FEATURES = (
    *("words", "sentence_words", "type_token_ratio", "mattr", "mtld"),
    *("punctuation", *MARKS, "dialogue_share", "flesch_kincaid_grade"),
)
"""Names of what ``prose_features`` gives."""


def prose_features(text: str, tokens: Sequence[str], punkt: Punkt | None = None) -> dict[str, float]:
    """Feature -> value for a text and its ``words``; NaN where the text is too short for a formula.

    ``words``, ``mtld`` in words; ``sentence_words`` words in a sentence; ``type_token_ratio``, ``mattr``,
    ``dialogue_share`` in [0, 1]; punctuation, and each of ``MARKS``, per 1,000 words; the grade in US school
    grades. The functions in ``lexical`` and ``profile`` say how.
    """
    lengths = sentence_lengths(text, punkt)
    marks = punctuation_per_thousand(text)
    return {
        "words": float(len(tokens)),
        "sentence_words": sum(lengths) / len(lengths) if lengths else math.nan,
        "type_token_ratio": type_token_ratio(tokens),
        "mattr": mattr(tokens),
        "mtld": mtld(tokens),
        "punctuation": sum(marks.values()),
        **{feature: marks[mark] for feature, mark in MARKS.items()},
        "dialogue_share": dialogue_share(text),
        "flesch_kincaid_grade": flesch_kincaid_grade_of(tokens, lengths),
    }
