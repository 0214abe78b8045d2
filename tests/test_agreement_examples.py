"""Every worked example of the specification of metrics and statistics is held by a test; here is by which."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

EXAMPLES = {
    "token perplexity of documents, pooled": (
        "metrics/test_likelihood.py",
        "test_documents_are_pooled_by_sums",
        "17.4117 13.737",
    ),
    "log-likelihood of 89 tokens by window": (
        "metrics/test_likelihood.py",
        "test_context_seen_by_each_token",
        "206 318 366",
    ),
    "the cat sat on the mat": (
        "metrics/test_lexical.py",
        "test_worked_example",
        "0.5384615 1065.08876 448.866 0.7958042 13.0 0.9111111",
    ),
    "text shorter than the window": ("metrics/test_lexical.py", "test_too_short_is_nan_not_zero", "isnan"),
    "G2 and log ratio of 60 and 20": ("metrics/test_keyness.py", "test_worked_example", "58.0785 2.58496"),
    "Jensen-Shannon divergence": ("metrics/test_profile.py", "test_jensen_shannon", "0.3112781"),
    "Wasserstein distance": ("metrics/test_profile.py", "test_wasserstein", "[10,20,30])==10"),
    "a constant at the author's mean": (
        "metrics/test_profile.py",
        "test_distance_to_author_is_one_for_the_author_himself",
        "20.0]*3",
    ),
    "Delta over two texts": (
        "metrics/test_delta.py",
        "test_a_background_of_the_two_texts_alone_says_nothing",
        "sqrt(2)",
    ),
    "empty text has no authorship": (
        "metrics/test_attribution.py",
        "test_short_texts_are_not_scored",
        "isnan",
    ),
    "run and novelty of x b c d e y a b": ("metrics/test_memorisation.py", "test_worked_example", "4 3/7"),
    "pasted and half-pasted runs": (
        "metrics/test_memorisation.py",
        "test_pasted_half_pasted_and_fresh_text",
        "350 175",
    ),
    "a run of 50 or a coverage of .3": (
        "metrics/test_memorisation.py",
        "test_rule_and_missing_values",
        "50 49 0.3",
    ),
    "pasted text has TF-IDF 1, shuffled too": (
        "metrics/test_similarity.py",
        "test_pasted_and_shuffled_text_are_both_perfect",
        "approx(1)",
    ),
    "rep-2 of a b a b a b": ("metrics/test_validity.py", "test_repetition_and_compression", "0.6"),
    "wilson(7, 10)": ("test_statistics.py", "test_wilson", "0.39678 0.89221"),
    "Holm and Benjamini-Hochberg": (
        "test_statistics.py",
        "test_holm_and_benjamini_hochberg",
        "0.056 0.234 0.0672 0.0846",
    ),
    "MDE(1, 80)": ("test_statistics.py", "test_detectable_effect_and_sample_size_are_inverse", "0.3132"),
}
"""Worked example -> file, test, and what must stand in it."""


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_worked_example_is_held_by_its_test(example: str) -> None:
    file, name, figures = EXAMPLES[example]
    source = (Path(__file__).parent / file).read_text("utf-8")
    held = [
        ast.get_source_segment(source, node) or ""
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and node.name == name
    ]
    decorated = source[: source.find(f"def {name}")].rpartition("\n\n\n")[2]
    assert len(held) == 1
    missing = [f for f in figures.split() if f not in (decorated + held[0]).replace(" ", "")]
    assert not missing
