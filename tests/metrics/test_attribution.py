import math
import random
from collections.abc import Sequence

import numpy as np
import pytest

from harness.metrics.attribution import AuthorshipClassifier
from harness.metrics.masking import most_frequent_words, prepare

TOPIC = [f"topic{letter}" for letter in "abcdefgh"]
HIS = ["the", "of", "that", "which", "shall", "upon", "must", "not"]
HERS = ["and", "a", "but", "very", "quite", "she", "was", "so"]


def passages(habits: Sequence[str], n: int, seed: int) -> list[str]:
    """About 40 words each: three in ten by habit, from shared words otherwise."""
    draw = random.Random(seed)
    everything = HIS + HERS + TOPIC
    return [
        " ".join(draw.choice(habits if draw.random() < 0.3 else everything) for _ in range(40))
        for _ in range(n)
    ]


def groups(n: int, books: int) -> list[str]:
    return [f"book{i * books // n}" for i in range(n)]


def fit(masked: bool = False, books: int = 3, n: int = 60) -> AuthorshipClassifier:
    return AuthorshipClassifier.fit(
        passages(HIS, n, 1),
        passages(HERS, n, 2),
        author_groups=groups(n, books),
        other_groups=groups(n, books),
        masked=masked,
    )


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "masked"])
def classifier(request: pytest.FixtureRequest) -> AuthorshipClassifier:
    return fit(masked=request.param)


def test_unseen_text_is_told_apart(classifier: AuthorshipClassifier) -> None:
    own, other = classifier.logits(passages(HIS, 20, 3)), classifier.logits(passages(HERS, 20, 4))
    assert own.mean() > 1 > -1 > other.mean()
    assert classifier.quality.auc > 0.9
    assert classifier.quality.brier < 0.15
    assert 0.8 < classifier.quality.c_at_1 <= 1
    assert (classifier.quality.folds, classifier.quality.grouped) == (3, True)


def test_probability_is_the_logistic_of_the_logit(classifier: AuthorshipClassifier) -> None:
    text = passages(HIS, 1, 5)[0]
    assert classifier.probability(text) == pytest.approx(1 / (1 + math.exp(-classifier.logit(text))))
    assert classifier.logit(text) == classifier.logits(["", text])[1]


def test_short_texts_are_not_scored(classifier: AuthorshipClassifier) -> None:
    assert math.isnan(classifier.logit(""))
    assert math.isnan(classifier.probability(""))
    assert math.isnan(classifier.logit("the " * 19))
    assert math.isfinite(classifier.logit("the " * 20))


def test_round_trip_through_state(classifier: AuthorshipClassifier) -> None:
    again = AuthorshipClassifier.from_state(classifier.state())
    texts = passages(HIS, 5, 6)
    assert np.array_equal(again.logits(texts), classifier.logits(texts))
    assert again.quality == classifier.quality
    assert again.masked == classifier.masked


def test_fitting_is_reproducible() -> None:
    text = passages(HERS, 1, 7)
    assert fit().logits(text) == fit().logits(text)


def test_no_style_difference_means_no_skill() -> None:
    same = AuthorshipClassifier.fit(
        passages(HIS, 60, 1), passages(HIS, 60, 2), author_groups=groups(60, 3), other_groups=groups(60, 3)
    )
    assert 0.3 < same.quality.auc < 0.7
    assert same.quality.brier == pytest.approx(0.25, abs=0.03)
    assert np.abs(same.logits(passages(HIS, 20, 3))).mean() < 1


def test_one_book_is_admitted_to_be_ungrouped() -> None:
    assert not fit(books=1).quality.grouped
    assert fit(books=1).quality.folds == 5
    with pytest.raises(ValueError, match="5 passages"):
        fit(n=4)


def test_masking_hides_topic_only() -> None:
    kept = most_frequent_words(["the of the and of the"], n=2)
    assert kept == {"the", "of"}
    assert prepare("The NAVY’s  guns, 12.5 of\nthe fleet!", kept) == "the * *, # of the *!"
    assert prepare("The NAVY’s  guns", None) == "the navy's guns"


def test_masked_classifier_does_not_see_the_topic() -> None:
    classifier = AuthorshipClassifier.fit(
        passages(HIS, 40, 1),
        passages(HERS, 40, 2),
        author_groups=groups(40, 2),
        other_groups=groups(40, 2),
        masked=True,
        background=[" ".join(HIS + HERS)],
    )
    text = passages(HIS, 1, 3)[0]
    assert classifier.logit(text.replace("topic", "subject")) == classifier.logit(text)
