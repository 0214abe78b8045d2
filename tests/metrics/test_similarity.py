import math

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from harness.metrics.similarity import TfidfReference
from harness.text import words

PASSAGES = [
    "The forests of the nation must be preserved for the people.",
    "The navy is the right arm of the nation, and the people know it.",
    "A canal across the isthmus will serve the commerce of the world.",
]


def test_agrees_with_scikit_learn() -> None:
    reference = TfidfReference.fit(PASSAGES)
    theirs = TfidfVectorizer(analyzer=words).fit(PASSAGES)
    rows = theirs.transform(PASSAGES).toarray()
    for text in ("The people of the world and their forests", "A navy!", *PASSAGES):
        row = theirs.transform([text]).toarray()[0]
        assert reference.nearest(text) == pytest.approx((rows @ row).max(), abs=1e-6)
        mean = rows.mean(axis=0)
        assert reference.centroid(text) == pytest.approx(mean @ row / np.linalg.norm(mean), abs=1e-6)


def test_pasted_and_shuffled_text_are_both_perfect() -> None:
    reference = TfidfReference.fit(PASSAGES)
    assert reference.nearest(PASSAGES[1]) == pytest.approx(1)
    assert reference.nearest(" ".join(sorted(words(PASSAGES[1])))) == pytest.approx(1)


def test_a_text_without_a_known_word_has_no_similarity() -> None:
    reference = TfidfReference.fit(PASSAGES)
    assert math.isnan(reference.nearest("xylophone"))
    assert math.isnan(reference.centroid(""))
    with pytest.raises(ValueError, match="one word"):
        TfidfReference.fit(["123"])


def test_round_trip_through_state() -> None:
    reference = TfidfReference.fit(PASSAGES)
    again = TfidfReference.from_state(reference.state())
    text = "The people and the canal"
    assert again.nearest(text) == reference.nearest(text)
    assert again.centroid(text) == reference.centroid(text)


def test_texts_asked_in_turn_are_not_confused() -> None:
    reference = TfidfReference.fit(PASSAGES)
    texts = ("The people and the canal", "xylophone", "A navy!", "")
    alone = [
        (TfidfReference.fit(PASSAGES).nearest(t), TfidfReference.fit(PASSAGES).centroid(t)) for t in texts
    ]
    nearest = [reference.nearest(text) for text in texts]
    centroid = [reference.centroid(text) for text in reversed(texts)][::-1]
    np.testing.assert_array_equal(list(zip(nearest, centroid, strict=True)), alone)
