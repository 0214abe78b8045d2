"""Distance to the author, on numbers drawn from known distributions and on the small author's prose."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from harness import reference as references
from harness.distances import (
    FITTED,
    MOST_PASSAGES,
    NOT_AS_A_WHOLE,
    author_train_values,
    distance,
    from_himself,
    shift,
)
from harness.measures import STYLE
from harness.metrics.features import FEATURES, prose_features
from harness.reference import Reference
from harness.text import complete, cut_at_sentence, words

N = 80
DRAW = np.random.default_rng(5)


def prompts(values: np.ndarray) -> dict[str, float]:
    return {f"p{i:03d}": float(value) for i, value in enumerate(values)}


AUTHOR = prompts(DRAW.normal(20, 5, N))
TRAIN = {"sentence_words": DRAW.normal(20, 5, 400)}


@pytest.fixture(scope="module")
def reference(small_author: Path) -> Reference:
    return references.load("marlow", small_author)


def test_it_is_scipys_distance_over_scipys_distance() -> None:
    variant = prompts(DRAW.normal(24, 3, N))
    found = distance("sentence_words", variant, AUTHOR, TRAIN)
    his = list(AUTHOR.values())
    expected = wasserstein_distance(list(variant.values()), his)
    assert found.value == pytest.approx(expected / wasserstein_distance(his, TRAIN["sentence_words"]))
    assert found.interval.low < found.value < found.interval.high
    assert (found.n, found.note) == (N, "")
    assert distance("sentence_words", variant, AUTHOR, TRAIN) == found


def test_always_at_his_mean_is_far_and_his_own_prose_is_near() -> None:
    constant = prompts(np.full(N, np.mean(list(AUTHOR.values()))))
    his_again = prompts(DRAW.normal(20, 5, N))
    far, near = (distance("sentence_words", side, AUTHOR, TRAIN) for side in (constant, his_again))
    assert far.interval.low > 2
    assert near.value < 1.5
    assert near.interval.high < far.interval.low
    assert distance("sentence_words", AUTHOR, AUTHOR, TRAIN).value == 0


def test_the_interval_holds_the_distance_of_a_known_shift() -> None:
    """Two normals a step apart are that step apart; of 100 intervals of 95 % at least 88 hold it."""
    draw = np.random.default_rng(7)
    held = 0
    for _ in range(100):
        his = draw.normal(20, 5, N)
        found = distance("sentence_words", prompts(draw.normal(30, 5, N)), prompts(his), TRAIN)
        true = 10 / from_himself("sentence_words", prompts(his), TRAIN)
        held += found.interval.low <= true <= found.interval.high
    assert held >= 88


def test_only_prompts_that_both_have_count() -> None:
    variant = AUTHOR | {"p000": math.nan, "p001": math.nan, "p999": 400.0}
    found = distance("sentence_words", variant, AUTHOR, TRAIN)
    assert (found.value, found.n) == (0, N - 2)


def test_what_was_fitted_on_train_prose_has_none_and_says_so() -> None:
    found = distance("keyword_density", AUTHOR, AUTHOR, TRAIN)
    assert math.isnan(found.value)
    assert found.note == FITTED
    assert not {"keyword_density", "keyword_coverage", "tfidf_nearest", "attested_bigrams"} & set(FEATURES)


@pytest.mark.parametrize(
    ("variant", "train", "reason"),
    [
        ({"p000": math.nan}, TRAIN, "no distance: no answer has a value"),
        (AUTHOR, {"sentence_words": np.array(list(AUTHOR.values()))}, "does not differ from himself"),
        (AUTHOR, {}, "no distance: there is no train prose"),
    ],
)
def test_what_cannot_be_told_is_unknown_with_a_reason(
    variant: dict[str, float], train: dict[str, np.ndarray], reason: str
) -> None:
    found = distance("sentence_words", variant, AUTHOR, train)
    assert math.isnan(found.value)
    assert all(math.isnan(end) for end in found.interval)
    assert reason in found.note


# ── two sides ─────────────────────────────────────────────────────────────────────────────────────


def test_two_sides_are_told_with_both_distances() -> None:
    old, new = prompts(DRAW.normal(30, 5, N)), prompts(DRAW.normal(22, 5, N))
    found = shift("sentence_words", [(old, new)], AUTHOR, TRAIN)
    one, other = (distance("sentence_words", side, AUTHOR, TRAIN).value for side in (old, new))
    assert (found.baseline, found.candidate) == pytest.approx((one, other))
    assert found.nearer > 0
    assert found.told.startswith(f"distance to the author {one:.2g} -> {other:.2g} (1 = ")
    assert found.contradiction(+1.0) == ""
    assert found.contradiction(-1.0) == f"further prompt by prompt, {NOT_AS_A_WHOLE}"


def test_what_was_fitted_still_has_a_direction() -> None:
    """Neither side is train prose, so that which of them is nearer can be told without it."""
    old, new = prompts(np.full(N, 20.0)), prompts(DRAW.normal(20, 5, N))
    found = shift("keyword_density", [(old, new)], AUTHOR, TRAIN)
    assert found.nearer > 0
    assert found.told == ""


# ── the author's train passages ───────────────────────────────────────────────────────────────────


def test_train_passages_are_cut_as_the_author_control_is(reference: Reference) -> None:
    found = author_train_values(reference, 30)
    assert set(found) == set(FEATURES) <= set(STYLE)
    assert len(found["words"]) == min(MOST_PASSAGES, len(reference.train))
    assert np.nanmax(found["words"]) <= 30 < np.nanmean(author_train_values(reference, 200)["words"])
    expected = set()
    for passage in reference.train:
        cut = complete(cut_at_sentence(passage.text, 30))
        expected.add(prose_features(cut, words(cut), reference.sentence_tokenizer)["commas"])
    assert set(found["commas"]) <= expected
    assert author_train_values(reference, 30) is found


def test_the_same_passages_are_drawn_whatever_their_order(reference: Reference) -> None:
    turned = replace(reference, train=tuple(reversed(reference.train)))
    assert np.array_equal(
        author_train_values(turned, 60)["words"], author_train_values(reference, 60)["words"]
    )
    assert author_train_values(replace(reference, train=()), 60) == {}


def test_shuffled_words_are_as_near_as_his_own(reference: Reference) -> None:
    """What the distance cannot see: a bag of words has the same features. Hence validity comes first."""
    found: dict[str, dict[str, float]] = {name: {} for name in ("his", "shuffled")}
    rng = np.random.default_rng(1)
    for prompt in reference.prompts:
        tokens = words(prompt.reference)
        mixed = [str(token) for token in rng.permutation(tokens)]
        for name, order in (("his", tokens), ("shuffled", mixed)):
            found[name][prompt.id] = prose_features(f"{' '.join(order)}.", order)["type_token_ratio"]
    assert found["his"] == found["shuffled"]
    train = author_train_values(reference, 200)
    assert distance("type_token_ratio", found["shuffled"], found["his"], train).value == 0
