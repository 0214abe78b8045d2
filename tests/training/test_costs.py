"""Steps, disk and time of a run that has not started."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from published_shapes import SHAPES, planned

from harness.training.anatomy import read_anatomy
from harness.training.costs import count_steps, disk, duration, operations_a_token
from harness.training.memory import estimate
from harness.training.spec import TrainingSpec

SMOL = read_anatomy(SHAPES["SmolLM2-135M"])
LARGER = read_anatomy(SHAPES["SmolLM2-1.7B"])


def spec(**more: Any) -> TrainingSpec:
    steps = {} if "epochs" in more else {"steps": 60}
    return planned(**{"batch": 4, "seq_len": 256} | steps | more)


def steps_of_trainer(examples: int, run: TrainingSpec, folder: Path) -> int:
    """What transformers' own Trainer would take, asked of it on its arguments alone."""
    import torch
    from transformers import Trainer, TrainingArguments

    arguments = TrainingArguments(
        output_dir=str(folder),
        use_cpu=True,
        per_device_train_batch_size=run.batch,
        gradient_accumulation_steps=run.accumulation,
        num_train_epochs=run.epochs or 0,
        report_to="none",
    )
    trainer = Trainer(torch.nn.Linear(1, 1), args=arguments, train_dataset=list(range(examples)))
    loader = trainer.get_train_dataloader()
    return int(trainer.set_initial_training_values(arguments, loader)[-1])


@pytest.mark.parametrize("examples", [5, 8, 13, 64, 1001])
@pytest.mark.parametrize(
    ("batch", "accumulation", "epochs"), [(4, 1, 1.0), (2, 4, 3.0), (8, 1, 0.5), (3, 2, 2.0)]
)
def test_steps_are_those_of_transformers(
    examples: int, batch: int, accumulation: int, epochs: float, tmp_path: Path
) -> None:
    run = spec(batch=batch, accumulation=accumulation, epochs=epochs)
    assert count_steps(examples, run) == steps_of_trainer(examples, run, tmp_path)


def test_steps_stated_are_taken() -> None:
    assert count_steps(5, spec()) == 60


def test_two_devices_take_half_the_steps_of_equal_batches() -> None:
    assert count_steps(160, spec(epochs=1.0, accumulation=2)) == 20
    assert count_steps(160, spec(epochs=1.0, accumulation=2, devices=(0, 1))) == 20
    assert count_steps(161, spec(epochs=1.0, accumulation=2, devices=(0, 1))) == 21


def test_adapter_on_disk_is_what_the_demo_writes() -> None:
    """19.6 MB: the demo's record says 20."""
    found = disk(estimate(SMOL, spec(), "cpu"), spec())
    assert found.adapter / 1e6 == pytest.approx(19.5, abs=0.2)
    assert found.checkpoints == pytest.approx(3 * (3 * found.adapter + 10e6))
    assert found.most == found.adapter + found.checkpoints


def test_keeping_the_best_costs_one_checkpoint_more() -> None:
    memory = estimate(SMOL, spec(), "cpu")
    plain, best = (disk(memory, spec(keep=keep)).checkpoints for keep in ("last", "best_validation"))
    assert best == pytest.approx(plain * 4 / 3)


def test_a_limit_of_one_checkpoint_writes_what_two_do() -> None:
    memory = estimate(SMOL, spec(), "cpu")
    one, two, three = (disk(memory, spec(save_total_limit=limit)).checkpoints for limit in (1, 2, 3))
    assert one == two < three


def test_operations_are_six_a_weight_with_recomputing_and_four_without() -> None:
    weights = 24 * (4 * 2048**2 + 3 * 2048 * 8192) + 2048 * 49152
    attention = 2 * 24 * 2048 * 1024
    assert operations_a_token(LARGER, 1024, recompute=True) == pytest.approx(6 * weights + 4 * attention)
    assert operations_a_token(LARGER, 1024, recompute=False) == pytest.approx(4 * weights + 3 * attention)


def test_time_on_two_cores_is_what_was_measured() -> None:
    for length, seconds in ((256, 2.7), (512, 5.1)):
        found = duration(
            SMOL, spec(), examples=240, tokens_an_example=length, device="the CPU", kind="cpu", cores=2
        )
        assert found.seconds_a_step == pytest.approx(seconds, rel=0.15)
        assert found.seconds == found.seconds_a_step * 60


@pytest.mark.parametrize(
    ("name", "trainer", "rate"),
    [
        ("SmolLM2-1.7B", "peft_lora", 23_428),
        ("SmolLM2-1.7B", "unsloth_lora", 27_849),
        ("Llama-3.1-8B", "peft_lora", 8_417),
        ("Llama-3.1-8B", "unsloth_lora", 11_419),
    ],
)
def test_time_on_an_h200_is_within_a_half_of_what_was_measured(name: str, trainer: str, rate: float) -> None:
    run = spec(batch=8, trainer=trainer)
    shape = read_anatomy(SHAPES[name])
    found = duration(shape, run, examples=160, tokens_an_example=1024, device="NVIDIA H200")
    assert 1 / 1.5 < rate / (8 * 1024 / found.seconds_a_step) < 1.5


def test_a_small_model_takes_as_long_as_its_kernels_take_to_start() -> None:
    found = duration(SMOL, spec(), examples=240, tokens_an_example=256, device="NVIDIA H200")
    assert found.seconds_a_step == pytest.approx(0.24)  # .25 to .4 s were seen
    twice = duration(SMOL, spec(accumulation=2), examples=240, tokens_an_example=256, device="NVIDIA H200")
    assert twice.seconds_a_step == pytest.approx(0.48)


def test_accumulation_counts_and_devices_share() -> None:
    asked: dict[str, Any] = {"examples": 160, "tokens_an_example": 500.0, "device": "NVIDIA GeForce RTX 4090"}
    one = duration(LARGER, spec(), **asked)
    assert duration(LARGER, spec(accumulation=4), **asked).seconds_a_step == pytest.approx(
        4 * one.seconds_a_step
    )
    shared = duration(LARGER, spec(devices=(0, 1)), **asked)
    assert shared.seconds_a_step == pytest.approx(one.seconds_a_step / 2)


def test_unknown_device_has_no_time_and_says_why() -> None:
    found = duration(SMOL, spec(), examples=1, tokens_an_example=9, device="Quantum 9000")
    assert math.isnan(found.seconds)
    assert "Quantum 9000 is not known" in found.note
