"""The metrics and statistics against the tools people know, on inputs nobody chose; to 1e-6.

    lexicalrichness   TTR, MATTR, MTLD, HD-D, Yule's K
    scikit-learn      TF-IDF, the authorship classifier and its calibration, AUC, Brier score
    scipy             G2, Jensen-Shannon, Wasserstein, BCa bootstrap, sign flips, Wilson
    statsmodels       Holm, Benjamini-Hochberg, Wilson, McNemar, detectable effect and sample size
    lm-eval           its windows in tests/metrics/test_likelihood.py, its scores in test_lm_eval_agreement.py

One that needs an optimiser is exact up to where the optimiser stops, and says so.
"""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from harness import statistics
from harness.audit import Trial, mean_auc
from harness.margins import auc
from harness.metrics import keyness, lexical, profile
from harness.metrics.attribution import AuthorshipClassifier
from harness.metrics.masking import prepare
from harness.metrics.similarity import TfidfReference
from harness.text import words

CLOSE = 1e-6
ANY = settings(max_examples=50, deadline=None)
"""No deadline: the first example imports the tool."""
SEEDS = st.integers(0, 10_000)
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=20)


def drawn_words(n: int, types: int, seed: int) -> list[str]:
    """``n`` words, some frequent as in prose; of letters only, so that every tool takes them as they are."""
    draw = random.Random(seed)
    ranks = draw.choices(range(types), [1 / (rank + 1) for rank in range(types)], k=n)
    return [f"w{chr(97 + rank % 26)}{chr(97 + rank // 26)}" for rank in ranks]


# ── lexicalrichness ───────────────────────────────────────────────────────────────────────────────


@ANY
@given(SEEDS, st.integers(50, 300), st.integers(2, 200))
def test_lexical_richness(seed: int, n: int, types: int) -> None:
    from lexicalrichness import LexicalRichness

    tokens = drawn_words(n, types, seed)
    assume(len(set(tokens)) < n)
    theirs = LexicalRichness(tokens, preprocessor=None, tokenizer=None)
    assert lexical.type_token_ratio(tokens) == pytest.approx(theirs.ttr, abs=CLOSE)
    assert lexical.mattr(tokens) == pytest.approx(theirs.mattr(50), abs=CLOSE)
    assert lexical.mtld(tokens) == pytest.approx(theirs.mtld(0.72), rel=CLOSE)
    assert lexical.hdd(tokens) == pytest.approx(theirs.hdd(42), abs=CLOSE)
    assert lexical.yules_k(tokens) == pytest.approx(theirs.yulek, rel=CLOSE)


# ── scikit-learn ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", range(8))
def test_tf_idf_of_any_passages(seed: int) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    passages = [" ".join(drawn_words(30, 90, 100 * seed + n)) for n in range(12)]
    reference, theirs = TfidfReference.fit(passages), TfidfVectorizer(analyzer=words).fit(passages)
    rows = theirs.transform(passages).toarray()
    mean = rows.mean(axis=0)
    for n in range(20):
        text = " ".join(drawn_words(25, 120, 7000 + 100 * seed + n))
        row = theirs.transform([text]).toarray()[0]
        assert reference.nearest(text) == pytest.approx((rows @ row).max(), abs=CLOSE)
        assert reference.centroid(text) == pytest.approx(mean @ row / np.linalg.norm(mean), abs=CLOSE)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_authorship_classifier_and_its_calibration(seed: int) -> None:
    """Vectoriser, regression, AUC and Brier score to 1e-6; Platt's sigmoid to where the optimisers stop."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import brier_score_loss, roc_auc_score
    from sklearn.model_selection import PredefinedSplit, cross_val_predict

    n, books = 30, 3
    his = [" ".join(drawn_words(40, 60, 1000 * seed + k)) for k in range(n)]
    # The same words in other shares, so that the two overlap.
    hers = [
        " ".join(w.replace("wb", "wd") for w in drawn_words(40, 60, 1000 * seed + 500 + k)) for k in range(n)
    ]
    hers[:4], his[:4] = his[:4], hers[:4]
    book_of = [k * books // n for k in range(n)]
    groups = [f"book{book}" for book in book_of]
    ours = AuthorshipClassifier.fit(his, hers, author_groups=groups, other_groups=groups)
    texts, labels = [prepare(text, None) for text in (*his, *hers)], np.repeat([1, 0], n)
    vectoriser = TfidfVectorizer(analyzer="char", ngram_range=(2, 4), lowercase=False, sublinear_tf=True)
    features = vectoriser.fit_transform(texts)
    regression = LogisticRegression(
        C=10, class_weight="balanced", solver="liblinear", tol=0.01, random_state=0
    )
    split = PredefinedSplit(book_of * 2)

    unseen = [" ".join(drawn_words(40, 60, 9000 + k)) for k in range(10)]
    asked = vectoriser.transform([prepare(text, None) for text in unseen])
    decisions = regression.fit(features, labels).decision_function(asked)
    logits = ours.logits(unseen)
    slope, offset = np.polyfit(decisions, logits, 1)
    assert slope > 0
    assert logits == pytest.approx(slope * decisions + offset, abs=CLOSE)

    outside = slope * cross_val_predict(regression, features, labels, cv=split, method="decision_function")
    assert 0.6 < ours.quality.auc < 1
    assert ours.quality.auc == pytest.approx(roc_auc_score(labels, outside), abs=CLOSE)
    brier = brier_score_loss(labels, 1 / (1 + np.exp(-outside - offset)))
    assert ours.quality.brier == pytest.approx(brier, abs=CLOSE)

    platt = CalibratedClassifierCV(regression, method="sigmoid", cv=split, ensemble=False)
    theirs = platt.fit(features, labels).predict_proba(asked)[:, 1]
    assert [ours.probability(text) for text in unseen] == pytest.approx(theirs, abs=1e-3)


@ANY
@given(
    st.lists(st.integers(-4, 4), min_size=2, max_size=30),
    st.lists(st.integers(-3, 5), min_size=2, max_size=30),
)
def test_auc_of_any_scores_with_ties(mine: list[int], theirs: list[int]) -> None:
    from sklearn.metrics import roc_auc_score

    expected = roc_auc_score([1] * len(mine) + [0] * len(theirs), mine + theirs)
    assert auc(mine, theirs) == pytest.approx(expected, abs=CLOSE)
    once = Trial(np.array(mine, float), np.array(theirs, float))
    turned = Trial(np.array(mine, float), -np.array(theirs, float))
    against = roc_auc_score([1] * len(mine) + [0] * len(theirs), mine + [-value for value in theirs])
    assert mean_auc([once, turned]).value == pytest.approx((expected + against) / 2, abs=CLOSE)


# ── scipy ─────────────────────────────────────────────────────────────────────────────────────────


@ANY
@given(st.integers(0, 500), st.integers(0, 500), st.integers(501, 10**6), st.integers(501, 10**6))
def test_g2_is_the_power_divergence_of_two_cells(a: int, b: int, c: int, d: int) -> None:
    from scipy.stats import power_divergence

    assume(a + b > 0)
    expected = [c * (a + b) / (c + d), d * (a + b) / (c + d)]
    theirs = power_divergence([a, b], expected, lambda_="log-likelihood").statistic
    assert keyness.log_likelihood_g2(a, b, c, d) == pytest.approx(theirs, rel=CLOSE, abs=CLOSE)


@ANY
@given(arrays.arrays(float, (2, 12), elements=st.floats(0, 100).map(lambda x: x if x > 1e-3 else 0.0)))
def test_jensen_shannon_of_any_counts(both: np.ndarray) -> None:
    from scipy.spatial.distance import jensenshannon

    assume((both.sum(axis=1) > 0).all())
    theirs = jensenshannon(*both, base=2) ** 2
    assert profile.jensen_shannon(*both) == pytest.approx(theirs, abs=CLOSE)


MEASURED = st.lists(st.floats(-1000, 1000), min_size=1, max_size=40)


@ANY
@given(MEASURED, MEASURED)
def test_wasserstein_of_any_samples(x: list[float], y: list[float]) -> None:
    from scipy.stats import wasserstein_distance

    assert profile.wasserstein(x, y) == pytest.approx(wasserstein_distance(x, y), rel=CLOSE, abs=CLOSE)


@pytest.mark.parametrize(("n", "confidence"), [(10, 0.95), (33, 0.9), (80, 0.95), (150, 0.9875)])
def test_bca_on_the_same_resamples(n: int, confidence: float) -> None:
    """Both draw row by row from the generator they are given, so that nothing is left to chance."""
    from scipy.stats import bootstrap

    values = np.random.default_rng(n).gamma(1.5, size=n)
    theirs = bootstrap(
        (values,), np.mean, n_resamples=statistics.RESAMPLES, confidence_level=confidence, method="BCa",
        rng=np.random.default_rng(7),
    ).confidence_interval  # fmt: skip
    ours = statistics.bootstrap_interval(values, confidence=confidence, seed=7)
    assert ours == pytest.approx((theirs.low, theirs.high), abs=CLOSE)


@ANY
@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=2, max_size=9))
def test_sign_flips_of_few_pairs_with_ties(pairs: list[tuple[int, int]]) -> None:
    from scipy.stats import permutation_test

    a, b = (np.array(side) / 10 for side in zip(*pairs, strict=True))
    theirs = permutation_test(
        (a, b), lambda x, y, axis: np.mean(x - y, axis=axis), permutation_type="samples",
        n_resamples=np.inf, vectorized=True,
    )  # fmt: skip
    assert statistics.paired_test(a, b).p == pytest.approx(min(1.0, theirs.pvalue), abs=CLOSE)


# ── scipy and statsmodels ─────────────────────────────────────────────────────────────────────────


@ANY
@given(st.integers(1, 5000), st.floats(0, 1), st.floats(0.5, 0.999))
def test_wilson_of_any_rate(n: int, share: float, confidence: float) -> None:
    from scipy.stats import binomtest
    from statsmodels.stats.proportion import proportion_confint

    successes = round(share * n)
    ours = statistics.wilson(successes, n, confidence)
    assert ours == pytest.approx(
        proportion_confint(successes, n, alpha=1 - confidence, method="wilson"), abs=CLOSE
    )
    assert ours == pytest.approx(binomtest(successes, n).proportion_ci(confidence, "wilson"), abs=CLOSE)


@ANY
@given(st.integers(0, 14), st.data())
def test_sign_flips_of_a_rate_are_mcnemars_exact_test(up: int, data: st.DataObject) -> None:
    from statsmodels.stats.contingency_tables import mcnemar

    down = data.draw(st.integers(0, 14 - up))
    a = [1] * up + [0] * down + [1] * (14 - up - down)
    b = [0] * up + [1] * down + [1] * (14 - up - down)
    theirs = mcnemar([[14 - up - down, up], [down, 0]], exact=True).pvalue
    assert statistics.paired_test(a, b).p == pytest.approx(theirs, abs=CLOSE)


@ANY
@given(P_VALUES)
def test_adjusted_p_values(p: list[float]) -> None:
    from statsmodels.stats.multitest import multipletests

    assert statistics.holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=CLOSE)
    assert statistics.benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1], abs=CLOSE)


@ANY
@given(st.floats(0.01, 50), st.integers(2, 5000), st.floats(0.5, 0.99), st.floats(0.001, 0.2))
def test_detectable_effect_and_sample_size(sd: float, n: int, power: float, alpha: float) -> None:
    """For the tail that the effect lies on: of the power, the other has less than a hundred-thousandth."""
    from statsmodels.stats.power import NormalIndPower, normal_sample_size_one_tail

    effect = statistics.minimal_detectable_effect(sd, n, power, alpha)
    found = NormalIndPower().power(effect / sd, n, alpha / 2, ratio=0, alternative="larger")
    assert found == pytest.approx(power, abs=CLOSE)
    exact = normal_sample_size_one_tail(effect, power, alpha / 2, std_null=sd)
    assert exact == pytest.approx(n, rel=CLOSE)
    assert statistics.sample_size(sd, effect, power, alpha) == math.ceil(exact - CLOSE * n)
