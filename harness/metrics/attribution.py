"""Who wrote it? A calibrated classifier of one author against others, plain or with topic masked.

passages --mask--> character 2-4-grams --TF-IDF--> logistic regression --Platt--> logit

It is fitted on the author's cleaned train prose and on others', and only ever shown with its ``quality`` on
human text it has not seen: folds keep whole books together, since two passages of one book share names
and subjects, and would flatter it.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from harness.metrics.masking import most_frequent_words, prepare
from harness.metrics.ngrams import LONGEST, SHORTEST, NgramWeights
from harness.text import count_words

MIN_WORDS = 20
MAX_FOLDS = 5
UNDECIDED = 0.05


@dataclass(frozen=True)
class Quality:
    """Out-of-fold performance on human text.

    ``auc`` in [0, 1], .5 is chance, higher is better. ``brier`` mean squared error of the
    probability, lower is better. ``c_at_1`` (Peñas and Rodrigo 2011) accuracy that credits staying
    undecided, here within .05 of one half. ``grouped`` says whether both sides had the two books or
    more that folds by book need; where not, the folds are stretches of consecutive passages and the
    figures flatter.
    """

    auc: float
    brier: float
    c_at_1: float
    n_author: int
    n_others: int
    folds: int
    grouped: bool


class AuthorshipClassifier:
    """Log-odds that a text is by the author, for texts of about the length it was fitted on."""

    def __init__(
        self,
        vocabulary: Sequence[str],
        idf: np.ndarray,
        coefficients: np.ndarray,
        intercept: float,
        kept_words: Sequence[str] | None,
        quality: Quality,
    ) -> None:
        self._vocabulary, self._idf = list(vocabulary), np.asarray(idf, dtype=np.float64)
        self._coefficients, self._intercept = np.asarray(coefficients, dtype=np.float64), float(intercept)
        self._kept_words = None if kept_words is None else frozenset(kept_words)
        self.quality = quality

    @property
    def masked(self) -> bool:
        return self._kept_words is not None

    @classmethod
    def fit(
        cls,
        author: Sequence[str],
        others: Sequence[str],
        *,
        author_groups: Sequence[str],
        other_groups: Sequence[str],
        masked: bool = False,
        background: Sequence[str] | None = None,
        max_features: int = 50_000,
        seed: int = 0,
    ) -> AuthorshipClassifier:
        """From passages and the book each is from, in reading order. The two classes weigh the same.

        ``masked`` replaces all but the 300 most frequent words of ``background`` (default: ``others``) before
        anything is counted. The vocabulary and idf of the folds are those of the whole (they know no
        label); coefficients and calibration are out of fold. Raises ValueError under 5 passages a side.
        """
        from sklearn.feature_extraction.text import TfidfVectorizer

        if min(len(author), len(others)) < MAX_FOLDS:
            raise ValueError(f"need {MAX_FOLDS} passages a side, got {len(author)} and {len(others)}")
        kept = most_frequent_words(others if background is None else background) if masked else None
        texts = [prepare(text, kept) for text in (*author, *others)]
        labels = np.array([1] * len(author) + [0] * len(others))
        vectorizer = TfidfVectorizer(
            analyzer="char",
            ngram_range=(SHORTEST, LONGEST),
            lowercase=False,
            sublinear_tf=True,
            max_features=max_features,
        )
        features = vectorizer.fit_transform(texts)
        plan = _folds(author_groups, other_groups)
        decisions = np.zeros(len(texts))
        for fold in range(plan.n):
            outside, inside = plan.fold_of != fold, plan.fold_of == fold
            decisions[inside] = _fit_logistic(features[outside], labels[outside], seed).decision_function(
                features[inside]
            )
        sigmoid = _platt(decisions, labels)
        final = _fit_logistic(features, labels, seed)
        return cls(
            vocabulary=vectorizer.get_feature_names_out().tolist(),
            idf=vectorizer.idf_,
            coefficients=sigmoid.slope * final.coef_[0],
            intercept=sigmoid.slope * float(final.intercept_[0]) + sigmoid.offset,
            kept_words=None if kept is None else sorted(kept),
            quality=_measure(sigmoid.slope * decisions + sigmoid.offset, labels, plan),
        )

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """Calibrated log-odds (nats) of each text, shape (len(texts),); NaN under 20 words.

        In (-inf, inf), 0 is undecided, higher is more like the author. Toward his own level, not beyond.
        """
        scores = np.full(len(texts), math.nan)
        scorable = [position for position, text in enumerate(texts) if count_words(text) >= MIN_WORDS]
        if scorable:
            prepared = [prepare(texts[position], self._kept_words) for position in scorable]
            scores[scorable] = self._weights.scores(prepared, self._coefficients) + self._intercept
        return scores

    def logit(self, text: str) -> float:
        """``logits`` of one text."""
        return float(self.logits([text])[0])

    def probability(self, text: str) -> float:
        """1 / (1 + exp(-logit)), in (0, 1), at equal prior odds; NaN under 20 words."""
        return float(1 / (1 + np.exp(-np.clip(self.logit(text), -700, 700))))

    def state(self) -> dict[str, Any]:
        """JSON values, lists of strings and numpy arrays; ``from_state`` rebuilds the same scores."""
        return {
            "vocabulary": self._vocabulary,
            "idf": self._idf,
            "coefficients": self._coefficients,
            "intercept": self._intercept,
            "kept_words": None if self._kept_words is None else sorted(self._kept_words),
            "quality": asdict(self.quality),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> AuthorshipClassifier:
        return cls(**{**state, "quality": Quality(**state["quality"])})

    @functools.cached_property
    def _weights(self) -> NgramWeights:
        """Made at the first text: a reference set holds several classifiers that nobody asks."""
        return NgramWeights(self._vocabulary, self._idf)


def _fit_logistic(features: Any, labels: np.ndarray, seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(
        C=10.0, class_weight="balanced", solver="liblinear", tol=0.01, random_state=seed
    )
    return model.fit(features, labels)


@dataclass(frozen=True)
class _FoldPlan:
    fold_of: np.ndarray
    n: int
    grouped: bool


def _folds(author_groups: Sequence[str], other_groups: Sequence[str]) -> _FoldPlan:
    """Whole books to folds, largest first into the emptiest; stretches where a side has one book only."""
    sides = (author_groups, other_groups)
    several = [len(set(groups)) for groups in sides if len(set(groups)) > 1]
    n = min([MAX_FOLDS, *several])
    fold_of = np.concatenate([_assign(groups, n) for groups in sides])
    return _FoldPlan(fold_of=fold_of, n=n, grouped=len(several) == len(sides))


def _assign(groups: Sequence[str], n: int) -> np.ndarray:
    sizes = Counter(groups)
    if len(sizes) < n:
        return np.arange(len(groups)) * n // len(groups)
    filled = [0] * n
    fold_of_group: dict[str, int] = {}
    for group, size in sorted(sizes.items(), key=lambda item: (-item[1], item[0])):
        fold_of_group[group] = filled.index(min(filled))
        filled[fold_of_group[group]] += size
    return np.array([fold_of_group[group] for group in groups])


@dataclass(frozen=True)
class _Sigmoid:
    slope: float
    offset: float


def _platt(decisions: np.ndarray, labels: np.ndarray) -> _Sigmoid:
    """Slope and offset of the calibrated log-odds; Platt (1999), both classes weighing the same.

    His softened targets keep the slope finite where the classes separate perfectly.
    """
    from sklearn.linear_model import LogisticRegression

    positives, negatives = int(labels.sum()), int((1 - labels).sum())
    target = np.where(labels == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    class_weight = np.where(labels == 1, 0.5 / positives, 0.5 / negatives) * labels.size
    model = LogisticRegression(C=1e6)
    model.fit(
        np.concatenate([decisions, decisions])[:, None],
        np.concatenate([np.ones(labels.size), np.zeros(labels.size)]),
        sample_weight=np.concatenate([target * class_weight, (1 - target) * class_weight]),
    )
    return _Sigmoid(slope=float(model.coef_[0, 0]), offset=float(model.intercept_[0]))


def _measure(logits: np.ndarray, labels: np.ndarray, plan: _FoldPlan) -> Quality:
    from sklearn.metrics import roc_auc_score

    probabilities = 1 / (1 + np.exp(-logits))
    answered = np.abs(probabilities - 0.5) >= UNDECIDED
    correct = float((((probabilities > 0.5) == (labels == 1)) & answered).mean())
    return Quality(
        auc=float(roc_auc_score(labels, logits)),
        brier=float(((probabilities - labels) ** 2).mean()),
        c_at_1=correct + float((~answered).mean()) * correct,
        n_author=int(labels.sum()),
        n_others=int((1 - labels).sum()),
        folds=plan.n,
        grouped=plan.grouped,
    )
