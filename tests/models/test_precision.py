"""What a base is held in while it answers, and the room that takes; NF4 for real where bitsandbytes is."""

from __future__ import annotations

import importlib.util
import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from scripted_bench import BASE, compute, copy_workspace, open_ask, scripted

from harness.errors import ConfigurationError, MissingPrerequisiteError, StylobenchError
from harness.models.hf import HFModel
from harness.models.precision import check_room, counted_bytes, engine_of, loading, stored_as, weight_bytes
from harness.types import Decoding, GenerationRequest, LikelihoodRequest

SENTENCE = "The Nation must keep its word, and it must be strong enough to keep it."


def quantised(base: Path, to: Path, **kept: Any) -> Path:
    """A copy of the base whose config says that it is stored quantised (the weights are not)."""
    shutil.copytree(base, to)
    config = json.loads((to / "config.json").read_text())
    (to / "config.json").write_text(json.dumps(config | {"quantization_config": kept}))
    return to


@pytest.mark.parametrize(
    ("kept", "stored", "engine"),
    [
        (
            {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
            "nf4",
            "e/stored-nf4",
        ),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "int8", "e/stored-int8"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "fp4", "e/stored-fp4"),
        ({"quant_method": "mxfp4"}, "mxfp4", "e"),
    ],
)
def test_the_engine_names_what_a_checkpoint_is_stored_in(
    tiny_llama: Path, tmp_path: Path, kept: dict[str, Any], stored: str, engine: str
) -> None:
    folder = quantised(tiny_llama, tmp_path / "b", **kept)
    assert (stored_as(folder), engine_of("e", folder)) == (stored, engine)
    assert (stored_as(tiny_llama), engine_of("e", tiny_llama)) == ("", "e")


def test_a_stored_base_is_planned_under_its_own_engine(
    small_author: Path, tiny_llama: Path, tmp_path: Path
) -> None:
    """So that its answers are found again, and never taken for those of a base in 16 bits."""
    own = copy_workspace(small_author, tmp_path / "w", tiny_llama)
    shelf = own / "results" / "bases" / "tiny"
    shutil.rmtree(shelf)
    quantised(tiny_llama, shelf, quant_method="bitsandbytes", bnb_4bit_quant_type="nf4")
    asked, model = open_ask(own, limit=2), scripted(own)
    with pytest.raises(
        StylobenchError, match=f"planned for {model.engine}/stored-nf4, but the model runs on"
    ):
        compute(asked, [BASE], own, model)


def test_what_is_not_quantised_is_loaded_as_before(tiny_llama: Path) -> None:
    import torch

    assert loading("float16", tiny_llama, "cpu") == {"dtype": torch.float16}


def test_nothing_is_quantised_twice(tiny_llama: Path, tmp_path: Path) -> None:
    packed = quantised(tiny_llama, tmp_path / "b", quant_method="mxfp4")
    with pytest.raises(ConfigurationError, match="is stored as mxfp4, which cannot be quantised again"):
        loading("nf4", packed, "cpu")


@pytest.mark.parametrize("stored", [True, False])
def test_without_bitsandbytes_nothing_is_loaded(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored: bool
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    kept = {"quant_method": "bitsandbytes", "bnb_4bit_quant_type": "nf4"}
    base = quantised(tiny_llama, tmp_path / "b", **kept) if stored else tiny_llama
    (base / "model.safetensors").stat()
    with pytest.raises(MissingPrerequisiteError, match="needs bitsandbytes: pip install bitsandbytes"):
        HFModel(base, "bfloat16" if stored else "nf4", "cpu")


# ── room ──────────────────────────────────────────────────────────────────────────────────────────


def qwen3_14b() -> dict[str, tuple[int, ...]]:
    """Names and shapes of its tensors, as the published checkpoint has them."""
    layer = {
        "self_attn.q_proj": (5120, 5120), "self_attn.k_proj": (1024, 5120), "self_attn.v_proj": (1024, 5120),
        "self_attn.o_proj": (5120, 5120), "mlp.gate_proj": (17408, 5120), "mlp.up_proj": (17408, 5120),
        "mlp.down_proj": (5120, 17408), "input_layernorm": (5120,), "post_attention_layernorm": (5120,),
        "self_attn.q_norm": (128,), "self_attn.k_norm": (128,),
    }  # fmt: skip
    outer = {"model.embed_tokens": (151936, 5120), "lm_head": (151936, 5120), "model.norm": (5120,)}
    inner = {f"model.layers.{n}.{name}": shape for n in range(40) for name, shape in layer.items()}
    return {f"{name}.weight": shape for name, shape in (outer | inner).items()}


def test_the_weights_of_qwen3_14b() -> None:
    shapes = qwen3_14b()
    assert counted_bytes(shapes, "bfloat16") / 1e9 == pytest.approx(29.54, abs=0.01)
    assert counted_bytes(shapes, "float32") == 2 * counted_bytes(shapes, "float16")
    outer = 2 * 2 * 151936 * 5120
    linear = 40 * 5120 * (2 * 5120 + 2 * 1024 + 3 * 17408)
    assert counted_bytes(shapes, "nf4") == pytest.approx(outer + 0.51587 * linear, rel=1e-4)
    experts = {"model.layers.0.mlp.experts.3.up_proj.weight": (768, 2048)}
    assert counted_bytes(experts, "nf4") == 2 * 768 * 2048


def test_room_is_counted_from_the_files(tiny_llama: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(tiny_llama, dtype=torch.bfloat16)
    whole = sum(weight.numel() * 2 for weight in model.parameters())
    assert weight_bytes(tiny_llama, "bfloat16") == whole
    packed = quantised(tiny_llama, tmp_path / "b", quant_method="bitsandbytes", bnb_4bit_quant_type="nf4")
    assert weight_bytes(packed, "bfloat16") == (packed / "model.safetensors").stat().st_size
    assert math.isnan(weight_bytes(quantised(tiny_llama, tmp_path / "c", quant_method="mxfp4"), "bfloat16"))
    assert math.isnan(weight_bytes(tmp_path, "bfloat16"))


def test_what_does_not_fit_is_refused_with_the_dtype_that_would(tiny_llama: Path) -> None:
    need = {dtype: int(weight_bytes(tiny_llama, dtype)) for dtype in ("float32", "bfloat16", "nf4")}
    check_room(tiny_llama, "bfloat16", need["bfloat16"], "the card")
    for dtype, free, remedy in (
        ("float32", need["bfloat16"], "`dtype: bfloat16` in the suite needs 0.0 GB"),
        ("float32", need["bfloat16"] - 1, "`dtype: nf4` in the suite needs 0.0 GB"),
        ("bfloat16", need["bfloat16"] - 1, "`dtype: nf4` in the suite needs 0.0 GB"),
        ("nf4", 10, "a larger card is needed"),
    ):
        with pytest.raises(MissingPrerequisiteError, match=f"GB are free on the card; {remedy}"):
            check_room(tiny_llama, dtype, free, "the card")


# ── NF4 itself, which bitsandbytes also computes on a CPU ─────────────────────────────────────────

needs_bitsandbytes = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed"
)
LIKELY = [LikelihoodRequest("d", SENTENCE)]
ASKED = [GenerationRequest(f"q{n}", f"<|im_start|>user\n{SENTENCE[n:]}", f"0/0/{n}") for n in range(3)]


def read(model: HFModel) -> float:
    (found,) = model.loglikelihood(LIKELY, 128, None)
    return found.loglik


@needs_bitsandbytes
def test_nf4_is_close_to_float32_and_another_engine(tiny_llama: Path) -> None:
    exact, packed = (HFModel(tiny_llama, dtype, "cpu") for dtype in ("float32", "nf4"))
    assert packed.engine == "transformers/nf4/cpu"
    assert "Linear4bit" in {type(layer).__name__ for layer in packed._model.modules()}
    assert 0 < abs(read(exact) - read(packed)) < 0.02 * abs(read(exact))
    drawn = packed.generate(ASKED, Decoding(temperature=0.8, max_tokens=8))
    assert all(0 < each.n_tokens <= 8 and each.text for each in drawn)


@needs_bitsandbytes
def test_a_base_stored_in_4_bits_is_loaded_as_it_is(tiny_llama: Path, tmp_path: Path) -> None:
    first = HFModel(tiny_llama, "nf4", "cpu")
    stored = tmp_path / "tiny-bnb-4bit"
    read(first)  # bitsandbytes must not have repacked its weights by this
    first._model.save_pretrained(stored)
    first.tokenizer.save_pretrained(stored)
    again = HFModel(stored, "bfloat16", "cpu")
    assert again.engine == "transformers/bfloat16/cpu/stored-nf4"
    assert read(again) == read(first) == read(HFModel(stored, "nf4", "cpu"))


@needs_bitsandbytes
def test_an_adapter_is_worn_on_a_4_bit_base(tiny_llama: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", init_lora_weights=False)
    model: Any = AutoModelForCausalLM.from_pretrained(tiny_llama)
    get_peft_model(model, config).save_pretrained(tmp_path / "lora")
    packed = HFModel(tiny_llama, "nf4", "cpu")
    bare = read(packed)
    packed.wear(tmp_path / "lora")
    assert abs(read(packed) - bare) > 0.01
    packed.wear(None)
    assert read(packed) == bare
