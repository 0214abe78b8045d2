import math

import numpy as np
import pytest
import scipy.spatial.distance
import scipy.stats

from harness.metrics import profile
from harness.metrics.function_words import FUNCTION_WORDS


def test_jensen_shannon() -> None:
    assert profile.jensen_shannon((0.5, 0.5, 0), (0.25, 0.25, 0.5)) == pytest.approx(0.3112781, abs=1e-6)
    p, q = np.random.default_rng(0).random((2, 40))
    theirs = scipy.spatial.distance.jensenshannon(p, q, base=2) ** 2
    assert profile.jensen_shannon(p, q) == pytest.approx(theirs, abs=1e-6)
    assert profile.jensen_shannon((1, 0), (0, 1)) == 1
    assert math.isnan(profile.jensen_shannon((0, 0), (0, 1)))
    assert math.isnan(profile.jensen_shannon((math.nan, 1), (0, 1)))
    with pytest.raises(ValueError, match="same outcomes"):
        profile.jensen_shannon((1,), (0, 1))


def test_counts_need_not_share_their_outcomes() -> None:
    assert profile.jensen_shannon_of_counts({"a": 2, "b": 2}, {"a": 1, "b": 1, "c": 2}) == pytest.approx(
        0.3112781
    )


def test_wasserstein() -> None:
    assert profile.wasserstein([5, 10, 15], [10, 20, 30]) == 10
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=50), rng.normal(1, 2, size=33)
    assert profile.wasserstein(x, y) == pytest.approx(scipy.stats.wasserstein_distance(x, y), abs=1e-6)
    assert profile.wasserstein([1, math.nan], [3]) == 2
    assert math.isnan(profile.wasserstein([], [1]))


def test_distance_to_author_is_one_for_the_author_himself() -> None:
    heldout, train = [10.0, 20.0, 30.0], [12.0, 22.0, 32.0]
    assert profile.distance_to_author(train, heldout, train) == 1
    assert profile.distance_to_author(heldout, heldout, train) == 0
    # Always at his mean, and still as wrong as real variance would show.
    assert profile.distance_to_author([20.0] * 3, heldout, train) == pytest.approx(10 / 3)
    assert math.isnan(profile.distance_to_author(train, heldout, heldout))
    assert math.isnan(profile.distance_to_author([], heldout, train))


def test_function_words() -> None:
    shares = profile.function_word_distribution(["the", "navy", "of", "the", "nation"])
    assert shares.sum() == pytest.approx(1)
    assert shares[FUNCTION_WORDS.index("the")] == pytest.approx(2 / 3)
    assert np.isnan(profile.function_word_distribution(["navy"])).all()


def test_character_trigrams() -> None:
    assert profile.character_trigrams("The  the") == {"the": 2, "he ": 1, "e t": 1, " th": 1}
    assert profile.character_trigrams("ab") == {}


def test_punctuation() -> None:
    rates = profile.punctuation_per_thousand("Well, “no”; the well-known one—yes, two!")
    assert rates[","] == pytest.approx(2 / 8 * 1000)
    assert (rates[";"], rates['"'], rates["!"]) == pytest.approx((125, 250, 125))
    assert (rates["-"], rates["—"]) == (125, 125)
    assert rates["."] == 0
    assert math.isnan(profile.punctuation_per_thousand("...")["."])


@pytest.mark.parametrize("dash", ["—", " — ", "--", " -- ", " – "])
def test_a_dash_is_a_dash_however_typed(dash: str) -> None:
    rates = profile.punctuation_per_thousand(f"one{dash}yes")
    assert (rates["—"], rates["-"]) == (500, 0)


def test_sentence_lengths_and_dialogue() -> None:
    assert profile.sentence_lengths("It is so. Mr. Root went home! 12.") == (3, 4)
    assert profile.sentence_lengths("") == ()
    text = 'He said: “It is so.”\n\nAn open "quote ends here.\n\n"Yes," she said.'
    assert profile.dialogue_share(text) == pytest.approx(4 / 13)
    assert math.isnan(profile.dialogue_share(""))


def test_readability() -> None:
    # 6 words, 1 sentence, 6 syllables
    assert profile.flesch_kincaid_grade("The cat sat on the mat.") == pytest.approx(0.39 * 6 + 11.8 - 15.59)
    assert math.isnan(profile.flesch_kincaid_grade("12."))


@pytest.mark.parametrize(
    ("word", "syllables"),
    [("the", 1), ("nation", 2), ("people", 2), ("made", 1), ("wanted", 2), ("walked", 1), ("hopes", 1),
     ("houses", 2), ("preserve", 2), ("nth", 1)],
)  # fmt: skip
def test_syllables(word: str, syllables: int) -> None:
    assert profile.count_syllables(word) == syllables
