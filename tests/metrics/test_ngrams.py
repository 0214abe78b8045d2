"""The classifier's fast reading gives what scikit-learn gives, whatever the characters."""

from __future__ import annotations

import random

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from harness.metrics import ngrams
from harness.metrics.ngrams import NgramWeights

WORDS = ("the", "navy", "of", "a", "nation", "—yes", "naïve", "* # *", "Ωmega", "𝔘nder", "no\0thing", "x")


def prose(seed: int, n: int) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=n))


@pytest.mark.parametrize("chunk", [1, 100, 100_000])
def test_agrees_with_scikit_learn(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ngrams, "CHUNK_CHARACTERS", chunk)
    theirs = TfidfVectorizer(
        analyzer="char", ngram_range=(2, 4), lowercase=False, sublinear_tf=True, max_features=150
    )
    theirs.fit([prose(seed, 40) for seed in range(8)])
    coefficients = np.random.default_rng(0).normal(size=150)
    texts = [prose(seed, 30) for seed in range(50, 60)] + ["", "th", "zq", "th\ne ", "the 漢字 naval"]
    ours = NgramWeights(theirs.get_feature_names_out().tolist(), theirs.idf_)
    assert ours.scores(texts, coefficients) == pytest.approx(
        theirs.transform(texts) @ coefficients, abs=1e-12
    )


def test_no_ngram_reaches_from_one_text_into_the_next() -> None:
    weights = NgramWeights(["ab", "b\n", "\na", "aba"], np.ones(4))
    apart = weights.scores(["ab", "ab", "a", "ba"], np.array([1.0, 10.0, 100.0, 1000.0]))
    assert apart.tolist() == [1.0, 1.0, 0.0, 0.0]


def test_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="2 to 4"):
        NgramWeights(["a"], np.ones(1))
    with pytest.raises(ValueError, match="2 to 4"):
        NgramWeights(["abcde"], np.ones(1))


def test_no_texts() -> None:
    assert NgramWeights(["ab"], np.ones(1)).scores([], np.ones(1)).size == 0
