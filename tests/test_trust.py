"""Trust: which AUC is taken, what an interval makes of it, and why the unfit decide nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_author import NAME

from harness import reference as references
from harness.reference import Reference
from harness.trust import SET_BY_THE_SUITE, Trust, folded, median_words, trusts, unfit_notes
from harness.types import Interval


@pytest.fixture
def reference(small_author: Path, tmp_path: Path) -> Reference:
    return replace(references.load(NAME, small_author), folder=tmp_path, passage_words=90)


def row(metric: str, words: int, value: float | None, mark: str) -> dict[str, Any]:
    ends = [None, None] if value is None else [value - 0.1, value + 0.1]
    return {
        "metric": metric, "words": words, "mark": mark, "mean": {"value": value, "interval": ends},
        "worst_author": "flint", "worst": {"value": value, "interval": ends},
    }  # fmt: skip


def store(reference: Reference, *rows: Mapping[str, Any], of: str = "") -> None:
    audit = {"reference": of or reference.digest, "rows": rows}
    (reference.folder / "audit.json").write_text(json.dumps(audit))


def test_an_auc_is_counted_from_a_half_with_the_interval_of_hanley_and_mcneil() -> None:
    # By hand: A = .8, n = m = 50; Q1 = .8/1.2, Q2 = 1.28/1.8; variance (.16 + 49 (.026667 + .071111)) / 2500.
    found = folded(0.2, 50, 50)
    assert found.value == pytest.approx(0.8)
    assert found.interval == pytest.approx((0.8 - 1.959964 * 0.044502, 0.8 + 1.959964 * 0.044502), abs=1e-5)
    assert folded(1.0, 20, 80).interval == pytest.approx((0.025 ** (1 / 20), 1.0))
    assert folded(float("nan"), 20, 80).interval.low != folded(0.5, 20, 80).interval.low


def test_without_an_audit_the_reference_sets_own_aucs_are_marked(reference: Reference) -> None:
    aucs = {"mattr_auc": 0.52, "authorship_logit_auc": 0.97, "words_auc": 0.99, "copied_auc": 0.5}
    found = trusts(replace(reference, audit=aucs), ["mattr", "authorship_logit", "words", "copied"], 100)
    assert {metric: trust.mark for metric, trust in found.items()} == {
        "mattr": "unfit", "authorship_logit": "fit", "words": "unfit",
    }  # fmt: skip
    assert "copied" not in found  # a rate does not claim to know the author
    assert found["words"].note == SET_BY_THE_SUITE


def test_the_audit_nearest_in_length_is_taken_unless_it_was_another_references(reference: Reference) -> None:
    known = replace(reference, audit={"mattr_auc": 0.7, "authorship_masked_auc": 0.9})
    store(
        known, row("mattr", 150, 0.8, "fit"), row("mattr", 1000, 0.9, "fit"), row("words", 150, 0.9, "unfit")
    )
    assert trusts(known, ["mattr"], 100)["mattr"].words == 90
    assert trusts(known, ["mattr"], 140)["mattr"] == Trust(
        0.8, Interval(0.8 - 0.1, 0.8 + 0.1), 150, "fit", "worst against flint: 0.80"
    )
    assert trusts(known, ["mattr"], 5000)["mattr"].words == 1000
    store(known, row("mattr", 150, 0.8, "fit"), of="another")
    assert trusts(known, ["mattr"], 140)["mattr"].words == 90


def test_the_logit_has_the_mark_of_the_twin_that_is_primary(reference: Reference) -> None:
    known = replace(reference, audit={"authorship_masked_auc": 0.9})
    store(known, row("authorship_masked", 150, 0.86, "fit"), row("authorship_plain", 150, 0.99, "fit"))
    assert trusts(known, ["authorship_logit"], 150)["authorship_logit"].auc == 0.86


def test_what_could_not_be_audited_carries_no_mark(reference: Reference) -> None:
    known = replace(reference, audit={})
    store(known, row("mattr", 150, None, "unknown"))
    assert trusts(known, ["mattr"], 150) == {}


def test_only_the_unfit_have_a_note_and_it_says_what_was_measured(reference: Reference) -> None:
    known = replace(reference, audit={"mattr_auc": 0.52, "words_auc": 0.99, "authorship_logit_auc": 0.97})
    notes = unfit_notes(known, ["mattr", "words", "authorship_logit", "copied"], 90)
    assert sorted(notes) == ["mattr", "words"]
    low, high = trusts(known, ["mattr"], 90)["mattr"].interval
    assert notes["mattr"] == (
        f"unfit on this author (AUC 0.52 [{low:.2f}, {high:.2f}] at 90 words): it decides nothing"
    )
    assert notes["words"] == f"unfit on this author ({SET_BY_THE_SUITE}): it decides nothing"


def test_the_usual_length_is_the_median_of_what_was_counted(reference: Reference) -> None:
    nan = float("nan")
    assert median_words([{"a": 10, "b": nan}, {"a": 30, "b": 20}], reference) == 20
    assert median_words([{}, {"a": nan}], reference) == 90
