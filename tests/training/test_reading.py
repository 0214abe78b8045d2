"""What a trainer reads: validation rows in an order that the seed does not touch."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from harness.training.examples import Example, ExampleSet, examples_digest, write_examples
from harness.training.reading import load_splits
from harness.training.spec import Lora, TrainingSpec

SPEC = TrainingSpec(
    base_path="base", base_name="tiny", base_digest="b", examples="", out="out", corpus="roosevelt",
    version=2, lora=Lora(), steps=3,
)  # fmt: skip


def rows_of(order: list[Example], folder: Path) -> list[tuple[int, ...]]:
    examples = ExampleSet(tuple(order), examples_digest(order), "qa", "Be brief.", 9, 0, 9, 0)
    written = write_examples(examples, folder)
    splits = load_splits(dataclasses.replace(SPEC, examples=str(written)))
    return [tuple(row["input_ids"]) for row in splits.validation]


def test_validation_rows_are_in_one_order_though_a_passage_has_several(tmp_path: Path) -> None:
    train = Example((9, 9), (-100, 9), "train", "a")
    asked = [Example((first, 7), (-100, 7), "validation", name) for name in "cb" for first in (5, 3, 4)]
    expected = [(3, 7), (4, 7), (5, 7)] * 2
    assert rows_of([train, *asked], tmp_path) == expected
    assert rows_of([*reversed(asked), train], tmp_path) == expected
