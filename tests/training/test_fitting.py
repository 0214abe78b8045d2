"""Choosing a device and a split, and refusing with remedies that really fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from published_shapes import SHAPES, planned

from harness.errors import EXIT_MISSING, MissingPrerequisiteError
from harness.training.anatomy import Anatomy, read_anatomy
from harness.training.devices import Device
from harness.training.fitting import DoesNotFitError, choose_device, fit, remedies, splits
from harness.training.memory import estimate
from harness.training.spec import Lora, TrainingSpec

GB = 10**9


def card(index: int, total: float, free: float, name: str = "NVIDIA GeForce RTX 4090") -> Device:
    return Device(index, name, total=int(total * GB), free=int(free * GB))


def anatomy(name: str) -> Anatomy:
    return read_anatomy(SHAPES[name])


def spec(**more: Any) -> TrainingSpec:
    return planned(**{"base_name": "Qwen3-30B-A3B"} | more)


UNSLOTH: dict[str, Any] = {"trainer": "unsloth_lora", "load_in_4bit": True, "optimizer": "adamw_8bit"}


def test_of_unequal_cards_the_one_with_most_free_memory() -> None:
    full, small = card(0, 24, 3), card(1, 8, 8)
    assert choose_device([full, small]) is small
    assert choose_device([full, small], wanted=0) is full
    assert choose_device([card(0, 24, 8), small]).index == 0


def test_device_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(
        MissingPrerequisiteError, match=r"no device 2; have device 0 \(NVIDIA GeForce RTX 4090\)"
    ):
        choose_device([card(0, 24, 3)], wanted=2)
    with pytest.raises(MissingPrerequisiteError, match="have none"):
        choose_device([], wanted=0)


def test_splits_are_the_divisors_from_all_at_once() -> None:
    tried = [(each.batch, each.accumulation) for each in splits(spec(batch=4, accumulation=3))]
    assert tried == [(12, 1), (6, 2), (4, 3), (3, 4), (2, 6), (1, 12)]


def test_largest_batch_that_fits_is_taken() -> None:
    wide = fit(anatomy("Qwen3-14B"), spec(**UNSLOTH, seq_len=2048), [card(0, 141, 140)])
    assert (wide.spec.batch, wide.spec.accumulation) == (8, 1)
    home = fit(anatomy("Qwen3-14B"), spec(**UNSLOTH, seq_len=2048), [card(0, 25, 16)])
    assert home.spec.batch * home.spec.accumulation == 8
    assert home.memory.needed <= 16 * GB
    larger = spec(
        **UNSLOTH, seq_len=2048, batch=home.spec.batch * 2, accumulation=home.spec.accumulation // 2
    )
    assert estimate(anatomy("Qwen3-14B"), larger).needed > 16 * GB
    assert home.spec.devices == (0,)


def test_fixed_split_is_kept_or_refused() -> None:
    asked = spec(**UNSLOTH, seq_len=2048)
    assert fit(anatomy("Qwen3-14B"), asked, [card(0, 141, 140)], split_is_fixed=True).spec.batch == 8
    with pytest.raises(DoesNotFitError, match="batch 8 x 1") as refused:
        fit(anatomy("Qwen3-14B"), asked, [card(0, 25, 16)], split_is_fixed=True)
    assert [remedy.change for remedy in refused.value.remedies] == ["micro_batch: 4"]


@pytest.mark.parametrize(
    ("batch", "free", "change"),
    [
        (8, 16, "load_in_4bit: true"),
        (8, 9, "micro_batch: 1, load_in_4bit: true"),
        (1, 9, "load_in_4bit: true"),
    ],
)
def test_what_fits_at_a_fixed_split_comes_before_a_smaller_one(batch: int, free: int, change: str) -> None:
    asked = spec(trainer="peft_lora", batch=batch, accumulation=8 // batch, optimizer="adamw_8bit")
    with pytest.raises(DoesNotFitError) as refused:
        fit(anatomy("Llama-3.1-8B"), asked, [card(0, 25, free)], split_is_fixed=True)
    assert change in [remedy.change for remedy in refused.value.remedies]


def test_the_trl_of_the_device_decides_what_a_trained_head_takes() -> None:
    asked = spec(lora=Lora(modules_to_save=("lm_head",)), seq_len=1024)
    before, since = (
        fit(anatomy("Llama-3.1-8B"), asked, [replace(card(0, 141, 140), fuses_head=fused)]).memory
        for fused in (False, True)
    )
    assert before.logits > 4 * since.logits


def test_experts_do_not_fit_a_home_card_and_attention_only_is_offered() -> None:
    """What was learnt at home: over a billion trained parameters do not fit 24 GB."""
    with pytest.raises(DoesNotFitError) as refused:
        fit(anatomy("Qwen3-30B-A3B"), spec(**UNSLOTH, lora=Lora(r=32)), [card(0, 25.4, 23.5)])
    said = str(refused.value)
    assert "Qwen3-30B-A3B does not fit device 0 (NVIDIA GeForce RTX 4090)" in said
    assert "23.5 of 25.4 GB free" in said
    assert "1,285 M parameters are trained" in said
    assert "would fit: lora.targets: [q_proj, k_proj, v_proj, o_proj]" in said
    assert "1.9 GB are held by other programs" in said
    assert refused.value.exit_code == EXIT_MISSING


def test_every_remedy_fits_and_is_the_smallest_change() -> None:
    device = card(0, 25.4, 23.5)
    for name in ("Qwen3-14B", "Qwen3-30B-A3B", "Llama-3.1-8B", "GPT-OSS-20B"):
        heavy = spec(lora=Lora(r=64, modules_to_save=("lm_head", "embed_tokens")))
        offered = remedies(anatomy(name), heavy, device)
        assert offered
        for remedy in offered:
            again = estimate(anatomy(name), remedy.spec)
            assert again.needed == remedy.memory.needed <= device.free
            assert remedy.spec.batch * remedy.spec.accumulation == 8


def test_hopeless_case_says_so() -> None:
    with pytest.raises(DoesNotFitError, match="a larger device is needed"):
        fit(anatomy("Qwen3-32B"), spec(), [card(0, 8, 8, "NVIDIA GeForce RTX 3070")])


def test_free_card_is_not_said_to_be_held() -> None:
    with pytest.raises(DoesNotFitError) as refused:
        fit(anatomy("Qwen3-32B"), spec(), [card(0, 8, 7.9)])
    assert "held by" not in str(refused.value)


def test_four_bits_need_a_card() -> None:
    with pytest.raises(MissingPrerequisiteError, match="load_in_4bit: false"):
        fit(anatomy("SmolLM2-135M"), spec(load_in_4bit=True), [Device(-1, "the CPU", 64 * GB, 60 * GB)])


def test_cpu_is_a_device_with_a_split_too() -> None:
    found = fit(anatomy("SmolLM2-135M"), spec(seq_len=512), [Device(-1, "the CPU", 8 * GB, 4 * GB)])
    assert found.memory.kind == "cpu"
    assert found.spec.batch < 8
    assert found.spec.devices == ()
    with pytest.raises(DoesNotFitError) as refused:
        fit(anatomy("Llama-3.1-8B"), spec(), [Device(-1, "the CPU", 8 * GB, 4 * GB)])
    assert "load_in_4bit" not in str(refused.value)
