from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import margins as module
from harness import reference as references
from harness.fitted import Fitted
from harness.margins import SMALLEST_RATE, auc, margins_of
from harness.measures import RATES, VERSIONS
from harness.metrics.keyness import keyword_density
from harness.models import controls
from harness.reference import Reference
from harness.text import complete, words

UNUSED = {"dashes", "dialogue_share"}
"""What neither the small author nor the others ever write."""
VALUES = st.lists(st.integers(-5, 5), min_size=1, max_size=12)


@pytest.fixture(scope="module")
def reference(small_author: Path) -> Reference:
    return references.load("marlow", small_author)


@given(VALUES, VALUES)
def test_auc_counts_pairs_and_ties_as_half(author: list[int], others: list[int]) -> None:
    pairs = [1.0 if a > o else 0.5 if a == o else 0.0 for a in author for o in others]
    assert auc(author, others) == pytest.approx(sum(pairs) / len(pairs))
    assert auc(author, others) + auc(others, author) == pytest.approx(1.0)


def test_auc_of_nothing_is_unknown() -> None:
    assert math.isnan(auc([], [1.0]))
    assert math.isnan(auc([1.0], []))


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("words", lambda tokens, fitted: len(tokens)),
        ("keyword_density", lambda tokens, fitted: keyword_density(tokens, fitted.keywords)),
    ],
)
def test_a_margin_is_a_quarter_of_the_gap_or_a_fifth_of_the_spread(
    reference: Reference, metric: str, value: Callable[[list[str], Fitted], float]
) -> None:
    """Of the two metrics here, the spread decides for the one and the gap for the other."""

    def measured(control: str) -> list[float]:
        size = reference.passage_words
        texts = [controls.answer(control, prompt, reference, size) for prompt in reference.prompts]
        return [value(words(complete(text)), reference.fitted) for text in texts]

    mine = np.array(measured("author"))
    theirs = np.array([number for name in reference.others for number in measured(f"other:{name}")])
    gap, spread = 0.25 * abs(mine.mean() - theirs.mean()), 0.2 * mine.std(ddof=1)
    assert (gap > spread) == (metric == "keyword_density")
    assert reference.margins[metric] == pytest.approx(max(gap, spread))
    assert reference.audit[f"{metric}_auc"] == pytest.approx(auc(mine, theirs))


def test_every_metric_has_a_margin_above_nothing(reference: Reference) -> None:
    for metric in set(VERSIONS) - UNUSED:
        assert reference.margins[metric] > 0, metric
        assert 0 <= reference.audit[f"{metric}_auc"] <= 1, metric
    assert not UNUSED & set(reference.margins)
    for metric in RATES:
        assert reference.margins[metric] >= SMALLEST_RATE, metric
    for metric in module.IN_BITS_PER_BYTE:
        assert reference.margins[metric] == 0.01


def test_the_small_authors_are_told_apart_and_by_length_they_are_not(reference: Reference) -> None:
    assert reference.audit["authorship_plain_auc"] > 0.95
    assert reference.audit["keyword_density_auc"] > 0.95
    assert reference.audit["words_auc"] < 0.8


def test_the_primarys_figures_are_those_of_its_twin(reference: Reference) -> None:
    twin = f"authorship_{reference.primary_classifier}"
    assert reference.margins["authorship_logit"] == reference.margins[twin]
    assert reference.audit["authorship_logit_auc"] == reference.audit[f"{twin}_auc"]


def test_measuring_again_gives_the_stored_figures(reference: Reference) -> None:
    """Also from a reference that has none yet, which is how they are measured the first time."""
    again = margins_of(replace(reference, margins={}, audit={}))
    assert again.margins == pytest.approx(dict(reference.margins))
    assert again.audit == pytest.approx(dict(reference.audit))
