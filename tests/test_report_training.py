"""Training records of every age as rows: what is there is told, what is not is not made up."""

from __future__ import annotations

import math
from typing import Any

import pytest

from harness.report_training import training_rows
from harness.types import Variant

LOOKS = [
    {"step": 10, "loss": 3.2, "bits_per_byte": 1.1, "copied": 0.0, "longest_run": 8},
    {"step": 20, "loss": 3.1, "bits_per_byte": 1.0, "copied": None, "longest_run": None},
]
OLD: dict[str, Any] = {
    "seed": 1, "steps": 20, "minutes": 2.0, "validation_loss": {"before": 3.5, "after": None},
    "loss_curve": [[1, 3.6], [2, 3.5]], "settings": {"max_copied": 0.05},
}  # fmt: skip
NEW = OLD | {
    "validation_curve": LOOKS, "kept": LOOKS[0], "under_ceiling": True, "tokens_per_second": 811.5,
    "training_memory_gb": 1.2, "card_percent": None, "gpu_hours": None, "minutes_lost": 0.0,
    "degraded": ["a -> b"],
}  # fmt: skip


def adapter(name: str, record: dict[str, Any]) -> Variant:
    return Variant(
        name, "adapter", name, "tiny", corpus="pilot", version=1, trained_on="pilot@1", record=record
    )


def test_an_old_record_has_unknowns_and_no_looks() -> None:
    (row,) = training_rows([adapter("a", OLD), Variant("tiny", "base", "b")])
    assert (row.looks, row.kept, row.degraded) == ((), "", ())
    assert (row.validation_before, row.minutes, row.loss_curve[0]) == (3.5, 2.0, (1.0, 3.6))
    assert math.isnan(row.examples)
    for unknown in (row.validation_after, row.tokens_per_second, row.training_gb, row.memory_gb, row.epochs):
        assert math.isnan(unknown)


def test_a_new_record_has_its_looks_and_says_which_was_kept() -> None:
    (row,) = training_rows([adapter("a", NEW | {"train_examples": 12})])
    assert row.examples == 12
    assert [(look.step, look.kept) for look in row.looks] == [(10, True), (20, False)]
    assert row.looks[0].copied == 0
    assert math.isnan(row.looks[1].copied)
    assert row.kept == "step 10 of 20 was kept, under the ceiling of 5 % copied"
    assert (row.tokens_per_second, row.training_gb, row.degraded) == (811.5, 1.2, ("a -> b",))
    assert math.isnan(row.gpu_hours)
    assert math.isnan(row.minutes_lost)  # nothing was lost: no news


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"kept": None}, "the last state was kept"),
        ({"under_ceiling": None}, "step 10 of 20 was kept"),
        (
            {"under_ceiling": False},
            "over the ceiling of 5 % copied: no look was under it, this one copied least",
        ),
        ({"settings": {}}, "under the ceiling on copying"),
    ],
)
def test_every_way_of_keeping_is_told(changed: dict[str, Any], told: str) -> None:
    (row,) = training_rows([adapter("a", NEW | changed)])
    assert row.kept.endswith(told)


def test_seeds_of_one_recipe_stand_together_and_what_was_trained_elsewhere_stays_out() -> None:
    other = OLD | {"settings": {"lr": 0.5}}
    rows = training_rows(
        [
            adapter("a", OLD),
            adapter("b", other),
            adapter("a+seed2", OLD | {"seed": 2}),
            adapter("elsewhere", OLD | {"registered": True}),
        ]
    )
    assert [(row.variant, row.family) for row in rows] == [("a", "a"), ("a+seed2", "a"), ("b", "b")]
