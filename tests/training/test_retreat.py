"""The ladder after running out of memory: what is tried, and that a step stays what it was."""

from __future__ import annotations

from published_shapes import SHAPES
from published_shapes import planned as spec

from harness.training.anatomy import read_anatomy
from harness.training.memory import estimate
from harness.training.retreat import next_attempt
from harness.training.spec import TrainingSpec


def ladder(first: TrainingSpec, allow_degrade: bool = False) -> list[TrainingSpec]:
    tried = [first]
    while (following := next_attempt(tried[-1], allow_degrade)) is not None:
        tried.append(following)
    return tried


def test_ladder_halves_the_batch_then_offloads() -> None:
    tried = ladder(spec(batch=4, accumulation=2))
    assert [(each.batch, each.accumulation, each.offload) for each in tried] == [
        (4, 2, False),
        (2, 4, False),
        (1, 8, False),
        (1, 8, True),
    ]
    assert tried[-1].degraded == ("batch 4 x 2 -> 2 x 4", "batch 2 x 4 -> 1 x 8", "activations offloaded")


def test_ladder_never_changes_what_a_step_learns_from() -> None:
    for batch in (1, 3, 6, 7, 12):
        tried = ladder(spec(batch=batch, accumulation=3))
        assert {each.batch * each.accumulation for each in tried} == {batch * 3}
        assert {each.seq_len for each in tried} == {1024}
        assert tried[-1].batch == 1
        assert len({each.resumable() for each in tried}) == 1


def test_ladder_shortens_only_where_allowed() -> None:
    tried = ladder(spec(batch=1, seq_len=1000), allow_degrade=True)
    assert [each.seq_len for each in tried] == [1000, 1000, 500, 250, 128]
    assert tried[-1].degraded[-1] == "seq_len 250 -> 128"
    assert ladder(spec(batch=1, seq_len=128, offload=True), allow_degrade=True)[1:] == []


def test_ladder_each_rung_takes_less() -> None:
    tried = ladder(spec(batch=8, seq_len=2048), allow_degrade=True)
    peaks = [estimate(read_anatomy(SHAPES["SmolLM2-1.7B"]), each).peak for each in tried]
    assert peaks == sorted(peaks, reverse=True)
    assert len(set(peaks[:4])) == 4


def test_ladder_of_unsloth_has_no_offloading() -> None:
    assert next_attempt(spec(trainer="unsloth_lora", batch=1)) is None
    assert next_attempt(spec(trainer="unsloth_lora", batch=2)) is not None
