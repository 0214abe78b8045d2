import math
import random

import numpy as np
import pytest
import scipy.spatial.distance

from harness.metrics import delta

WORDS = ["the", "of", "and", "to", "in", "a", "that", "is", "was", "it"]


def write(weights: list[float], n: int, seed: int) -> str:
    return " ".join(random.Random(seed).choices(WORDS, weights, k=n))


HIS = [9, 8, 3, 3, 2, 2, 4, 1, 1, 1]
HERS = [5, 3, 8, 3, 2, 4, 1, 2, 3, 1]


@pytest.fixture(scope="module")
def reference() -> delta.DeltaReference:
    background = [write(HIS if seed % 2 else HERS, 1000, seed) for seed in range(20)]
    return delta.DeltaReference.fit(
        [write(HIS, 1000, 100 + seed) for seed in range(5)], background, n_words=9
    )


def test_free_functions_are_scipys() -> None:
    first, second = np.random.default_rng(0).normal(size=(2, 150))
    assert delta.burrows_delta(first, second) == pytest.approx(np.abs(first - second).mean())
    cityblock = scipy.spatial.distance.cityblock(first, second)
    assert delta.burrows_delta(first, second) == pytest.approx(cityblock / 150, abs=1e-6)
    assert delta.cosine_delta(first, second) == pytest.approx(
        scipy.spatial.distance.cosine(first, second), abs=1e-6
    )
    assert math.isnan(delta.cosine_delta([0, 0], [1, 2]))
    assert math.isnan(delta.burrows_delta([], []))


def test_author_is_nearer_to_himself(reference: delta.DeltaReference) -> None:
    own, other = write(HIS, 1500, 7), write(HERS, 1500, 8)
    assert reference.burrows(own) < reference.burrows(other)
    assert reference.cosine(own) < 0.5 < 1 < reference.cosine(other)


def test_z_is_standardised_on_the_background_with_ddof_1() -> None:
    background = ["the the of of", "the of of of", "the the the of"]
    reference = delta.DeltaReference.fit(["the of"], background)
    shares = np.array([0.5, 0.25, 0.75])
    expected = (0.5 - shares.mean()) / shares.std(ddof=1)
    of = reference.vocabulary.index("of")
    assert reference.z("the of")[1 - of] == pytest.approx(expected)
    assert reference.burrows("the of") == 0
    assert reference.burrows("the the the of") == pytest.approx(0.25 / shares.std(ddof=1))


def test_frequencies_are_over_all_tokens() -> None:
    shares = delta.relative_frequencies(["the", "xylophone", "of", "the"], ["the", "of", "and"])
    assert shares.tolist() == [0.5, 0.25, 0]


def test_no_words_is_nan_and_too_little_to_fit_an_error(reference: delta.DeltaReference) -> None:
    assert math.isnan(reference.burrows("..."))
    assert math.isnan(reference.cosine(""))
    with pytest.raises(ValueError, match="2 background"):
        delta.DeltaReference.fit(["the"], ["the of"])


def test_round_trip_through_state(reference: delta.DeltaReference) -> None:
    again = delta.DeltaReference.from_state(reference.state())
    text = write(HERS, 1000, 9)
    assert again.burrows(text) == reference.burrows(text)
    assert again.cosine(text) == reference.cosine(text)


def test_answers_are_pooled_into_long_segments() -> None:
    answers = [write(HIS, 300, seed) for seed in range(20)]
    segments = delta.pool_segments(answers)
    assert "\n\n".join(segments) == "\n\n".join(answers)
    assert [len(segment.split()) for segment in segments] == [1200] * 5
    assert delta.pool_segments(answers[:16]) == ()
    assert [len(s.split()) for s in delta.pool_segments(answers[:17])] == [1200, 1200, 1200, 1500]


def test_a_background_of_the_two_texts_alone_says_nothing() -> None:
    """Two values have z = -1/sqrt(2) and 1/sqrt(2), whatever the texts: every word gives sqrt(2)."""
    for seed in range(5):
        first, second = write(HIS, 400, seed), write(HERS if seed % 2 else HIS, 400, 50 + seed)
        pair = delta.DeltaReference.fit([first], [first, second], n_words=9)
        apart = [a != b for a, b in zip(pair.z(first), pair.z(second), strict=True)]
        assert sum(apart) > 4
        gaps = np.abs(pair.z(first) - pair.z(second))[apart]
        assert gaps == pytest.approx(math.sqrt(2))
