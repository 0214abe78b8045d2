"""Both trainers on a CUDA device: 4-bit bases, 8-bit optimisers, looks, resume, and a card that is full."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path
from typing import Any

import pytest
from tiny_llama import build_tokenizer
from tiny_training import altered_trainer, tiny_examples

from harness.training.launch import Lora, TrainingSpec, train

pytestmark = pytest.mark.gpu

TRAINERS = Path(__file__).parents[2] / "trainers"
BACKENDS = ["peft_lora", "unsloth_lora"]

# Asks for more than is free before every batch of more than one example. Put in place once the backend has
# patched what it patches: Unsloth rewrites trl's trainer from its source.
HOGS = """
fit = trainer.fit
def hogged(*arguments, **named):
    import torch, transformers
    stepped = transformers.Trainer.training_step
    def step(self, model, inputs, *rest, **more):
        if len(inputs["input_ids"]) > 1:
            torch.empty(int(torch.cuda.mem_get_info()[0] * 2), dtype=torch.uint8, device="cuda")
        return stepped(self, model, inputs, *rest, **more)
    transformers.Trainer.training_step = step
    return fit(*arguments, **named)
trainer.fit = hogged
"""


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> TrainingSpec:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device on this machine")
    folder = tmp_path_factory.mktemp("cuda")
    base = small_llama(folder / "base")
    return TrainingSpec(
        base_path=str(base), base_name="small", base_digest="b", out=str(folder / "whole"),
        corpus="roosevelt",
        examples=str(tiny_examples(base, folder / "examples")), version=2, lora=Lora(r=8, alpha=8), steps=6,
        batch=4, seq_len=200, lr=0.002, seed=3407, save_steps=2, system="Be brief.",
        sample_prompts=("What is the law?",),
    )  # fmt: skip


def small_llama(folder: Path) -> Path:
    """A random Llama of 256 dimensions: quantisation and Unsloth's kernels need more than a tiny one's 32."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = build_tokenizer()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=512, hidden_size=256, intermediate_size=512, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=512, tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def again(spec: TrainingSpec, name: str, trainer: str, **changed: Any) -> TrainingSpec:
    if trainer == "unsloth_lora" and importlib.util.find_spec("unsloth") is None:
        pytest.skip("unsloth is not installed")
    if importlib.util.find_spec("bitsandbytes") is None:
        pytest.skip("bitsandbytes is not installed")
    out = Path(spec.out).with_name(f"{name}-{trainer}")
    return dataclasses.replace(spec, out=str(out), trainer=trainer, **changed)


def run(spec: TrainingSpec) -> dict[str, Any]:
    return train(spec, trainer=TRAINERS / f"{spec.trainer}.py")


@pytest.mark.parametrize("trainer", BACKENDS)
@pytest.mark.parametrize(("bits", "optimizer"), [(4, "adamw_8bit"), (16, "paged_adamw_8bit")])
def test_it_trains_and_says_what_it_took(spec: TrainingSpec, trainer: str, bits: int, optimizer: str) -> None:
    record = run(again(spec, f"b{bits}", trainer, load_in_4bit=bits == 4, optimizer=optimizer))
    assert record["steps"] == 6
    assert record["validation_loss"]["after"] < record["validation_loss"]["before"] - 0.05
    assert record["driver"]
    assert 0 < record["base_memory_gb"] < record["peak_memory_gb"] <= record["reserved_memory_gb"]
    assert 0 < record["card_percent"] < 50
    assert record["gpu_hours"] > 0
    assert record["samples"][0]["before"]


@pytest.mark.parametrize("trainer", BACKENDS)
def test_the_best_checkpoint_is_kept_under_a_ceiling(spec: TrainingSpec, trainer: str) -> None:
    record = run(
        again(spec, "best", trainer, keep="best_validation", max_copied=0.5, eval_steps=3, load_in_4bit=True)
    )
    assert [look["step"] for look in record["validation_curve"]] == [3, 6]
    assert record["under_ceiling"] is True
    assert record["validation_loss"]["after"] == pytest.approx(record["kept"]["loss"], abs=0.02)


@pytest.mark.parametrize("trainer", BACKENDS)
def test_a_full_card_is_answered_with_smaller_batches(
    spec: TrainingSpec, trainer: str, tmp_path: Path
) -> None:
    asked = again(spec, "full", trainer)
    record = train(asked, trainer=altered_trainer(tmp_path, TRAINERS / f"{trainer}.py", HOGS))
    assert record["degraded"] == ["batch 4 x 1 -> 2 x 2", "batch 2 x 2 -> 1 x 4"]
    assert record["steps"] == 6


def test_packed_offloaded_and_unchecked_runs_train(spec: TrainingSpec) -> None:
    plain = run(again(spec, "plain", "peft_lora"))
    for name, changed in (
        ("offloaded", {"offload": True}),
        ("unchecked", {"gradient_checkpointing": False}),
    ):
        record = run(again(spec, name, "peft_lora", **changed))
        assert record["final_loss"] == pytest.approx(plain["final_loss"], abs=0.02), name
    packed = run(again(spec, "packed", "peft_lora", packing=True, batch=2, seq_len=400))
    assert packed["final_loss"] < packed["loss_curve"][0][1]
