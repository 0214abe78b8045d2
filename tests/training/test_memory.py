"""Memory by part: against what was measured, against real models, and the ladder after running out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from published_shapes import SHAPES

from harness.training.anatomy import ATTENTION, Anatomy, count_parameters, read_anatomy
from harness.training.memory import NF4_BYTES, estimate, next_attempt
from harness.training.spec import Lora, TrainingSpec


def spec(**more: Any) -> TrainingSpec:
    """A run of three steps, 8 x 1,024 tokens, r=16 on all linear layers."""
    plain: dict[str, Any] = {
        "base_path": "", "base_name": "base", "base_digest": "", "examples": "", "out": "", "corpus": "c",
        "version": 1, "lora": Lora(), "steps": 3, "batch": 8, "seq_len": 1024,
    }  # fmt: skip
    return TrainingSpec(**plain | more)


def anatomy(name: str, **more: Any) -> Anatomy:
    return read_anatomy(SHAPES[name] | more)


UNSLOTH: dict[str, Any] = {"trainer": "unsloth_lora", "load_in_4bit": True, "optimizer": "adamw_8bit"}


@pytest.mark.parametrize(
    ("name", "run", "kind", "measured_gb"),
    [
        ("SmolLM2-1.7B", spec(), "cuda", 6.1),
        ("SmolLM2-1.7B", spec(load_in_4bit=True), "cuda", 3.65),
        ("SmolLM2-1.7B", spec(**UNSLOTH), "cuda", 2.47),
        ("SmolLM2-135M", spec(batch=4, seq_len=256), "cpu", 2.9),
        ("SmolLM2-135M", spec(batch=4, seq_len=512), "cpu", 5.1),
    ],
)
def test_peak_is_within_15_percent_of_what_was_measured(
    name: str, run: TrainingSpec, kind: Any, measured_gb: float
) -> None:
    """One H200 and two CPU cores."""
    assert estimate(anatomy(name), run, kind).peak / 1e9 == pytest.approx(measured_gb, rel=0.15)


def test_log_of_a_24_gb_card() -> None:
    """15.3 GB, taken for the reserved memory that Unsloth's examples print; what version is not known."""
    run = spec(**UNSLOTH, lora=Lora(r=32), batch=2, accumulation=4, seq_len=2048)
    assert estimate(anatomy("Qwen3-14B"), run).reserved / 1e9 == pytest.approx(15.3, rel=0.15)


def test_weights_in_16_bits_are_two_bytes_each() -> None:
    for name in SHAPES:
        parameters = count_parameters(anatomy(name)).total
        assert estimate(anatomy(name), spec()).weights == 2 * parameters
        assert estimate(anatomy(name), spec(dtype="float32")).weights == 4 * parameters


def test_weights_in_4_bits_leave_embeddings_head_and_norms() -> None:
    counted = count_parameters(anatomy("Qwen3-14B"))
    whole = counted.embeddings + counted.lm_head + counted.norms
    expected = 2 * whole + NF4_BYTES * (counted.attention + counted.mlp)
    assert estimate(anatomy("Qwen3-14B"), spec(load_in_4bit=True)).weights == pytest.approx(expected)
    assert pytest.approx(0.5159, abs=1e-4) == NF4_BYTES


def test_prequantised_base_counts_the_same_and_keeps_what_it_names() -> None:
    stored = {"quant_method": "bitsandbytes", "llm_int8_skip_modules": ["lm_head"]}
    asked = estimate(anatomy("Qwen3-14B"), spec(load_in_4bit=True))
    found = estimate(anatomy("Qwen3-14B", quantization_config=stored), spec())
    assert found.weights == asked.weights
    stored["llm_int8_skip_modules"] = ["lm_head", "model.layers.3.mlp"]
    kept = estimate(anatomy("Qwen3-14B", quantization_config=stored), spec()).weights
    assert kept - found.weights == pytest.approx(3 * 5120 * 17408 * (2 - NF4_BYTES))


def test_experts_in_one_parameter_are_not_quantised_by_bitsandbytes() -> None:
    experts = count_parameters(anatomy("Qwen3-30B-A3B")).experts
    peft = estimate(anatomy("Qwen3-30B-A3B"), spec(load_in_4bit=True))
    unsloth = estimate(anatomy("Qwen3-30B-A3B"), spec(**UNSLOTH))
    assert peft.weights - unsloth.weights == pytest.approx(experts * (2 - NF4_BYTES))


def test_mxfp4_is_unpacked() -> None:
    oss = anatomy("GPT-OSS-20B", quantization_config={"quant_method": "mxfp4"})
    assert estimate(oss, spec()).weights == 2 * count_parameters(oss).total


def test_adapter_gradients_and_moments_are_float32() -> None:
    found = estimate(anatomy("Qwen3-14B"), spec())
    trained = found.trainable.total
    assert (found.adapters, found.gradients, found.optimiser) == (4 * trained, 4 * trained, 8 * trained)
    slim = estimate(anatomy("Qwen3-14B"), spec(optimizer="adamw_8bit"))
    assert slim.optimiser == pytest.approx(2.03 * trained, rel=0.01)
    assert slim.gradients == found.gradients


def test_full_copies_cost_as_trained_weights() -> None:
    plain = estimate(anatomy("Llama-3.1-8B"), spec())
    saved = estimate(anatomy("Llama-3.1-8B"), spec(lora=Lora(modules_to_save=("lm_head", "embed_tokens"))))
    copies = 2 * 4096 * 128256
    assert saved.adapters - plain.adapters == 2 * copies
    assert saved.optimiser - plain.optimiser == 4 * copies
    assert saved.logits > 8192 * 128256 * 10  # peft's trainer then needs all logits at once
    assert plain.logits < saved.logits / 4


@pytest.mark.parametrize("targets", [("q_proj", "lm_head"), "lm_head|.*q_proj"])
def test_a_lora_on_the_head_needs_all_logits_at_once(targets: tuple[str, ...] | str) -> None:
    plain = estimate(anatomy("Llama-3.1-8B"), spec(lora=Lora(targets=("q_proj",))))
    head = estimate(anatomy("Llama-3.1-8B"), spec(lora=Lora(targets=targets)))
    assert head.logits > 8192 * 128256 * 10 > 4 * plain.logits


def test_hidden_states_are_one_a_layer_unless_offloaded() -> None:
    assert estimate(anatomy("SmolLM2-1.7B"), spec()).hidden == 24 * 8192 * 2048 * 2
    assert estimate(anatomy("SmolLM2-1.7B"), spec(offload=True)).hidden == 2 * 8192 * 2048 * 2
    assert estimate(anatomy("SmolLM2-1.7B"), spec(**UNSLOTH)).hidden == 2 * 8192 * 2048 * 2


def test_without_checkpointing_every_layer_is_kept() -> None:
    kept = estimate(anatomy("SmolLM2-1.7B"), spec(gradient_checkpointing=False))
    assert kept.activations > 5 * estimate(anatomy("SmolLM2-1.7B"), spec()).activations


def test_memory_grows_with_batch_and_length_and_only_in_the_activations() -> None:
    for more in ({"batch": 16}, {"seq_len": 2048}):
        small, large = (estimate(anatomy("Qwen3-14B"), spec(**run)) for run in ({}, more))
        assert large.static == small.static
        assert large.activations == pytest.approx(2 * small.activations, rel=0.01)


def test_share_of_one_of_two_devices() -> None:
    one, two = estimate(anatomy("Qwen3-14B"), spec()), estimate(anatomy("Qwen3-14B"), spec(devices=(0, 1)))
    assert two.hidden == one.hidden / 2
    assert two.static == one.static


def test_peak_takes_the_larger_of_bumps_that_never_meet() -> None:
    found = estimate(anatomy("Qwen3-14B"), spec(batch=1))
    assert found.peak == found.static + found.hidden + max(found.layer, found.logits)
    assert found.needed == pytest.approx(found.reserved + 0.6e9)


def test_validation_may_take_more_than_a_step() -> None:
    """One example's logits over 152,000 words, against a batch of one that takes 256 tokens at a time."""
    found = estimate(anatomy("Qwen3-14B"), spec(**UNSLOTH, batch=1, seq_len=2048))
    after = found.static - found.gradients + 12 * 2048 * 151936
    assert found.reserved == pytest.approx(1.05 * after)
    assert found.reserved > 1.05 * found.peak
    wide = estimate(anatomy("SmolLM2-1.7B"), spec())
    assert wide.reserved == pytest.approx(1.05 * wide.peak)


def test_experts_adapted_by_peft_are_written_out_whole() -> None:
    every = estimate(anatomy("Qwen3-30B-A3B"), spec(batch=1, lora=Lora(r=32)))
    attention = estimate(anatomy("Qwen3-30B-A3B"), spec(batch=1, lora=Lora(r=32, targets=ATTENTION)))
    assert every.layer - attention.layer > 3 * 128 * 3 * 2048 * 768 * 2
    assert attention.trainable.total == 26_738_688


# ── out of memory ─────────────────────────────────────────────────────────────────────────────────


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
    peaks = [estimate(anatomy("SmolLM2-1.7B"), each).peak for each in tried]
    assert peaks == sorted(peaks, reverse=True)
    assert len(set(peaks[:4])) == 4


def test_ladder_of_unsloth_has_no_offloading() -> None:
    assert next_attempt(spec(**UNSLOTH, batch=1)) is None
    assert next_attempt(replace(spec(**UNSLOTH), batch=2)) is not None
