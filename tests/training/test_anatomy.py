"""Parameter counts from a config alone, against the real models on torch's meta device."""

from __future__ import annotations

from typing import Any

import pytest
from published_shapes import SHAPES

from harness.training.anatomy import UnknownArchitectureError, count_parameters, read_anatomy


def on_meta(config: dict[str, Any]) -> Any:
    """The real model of these shapes, without any memory behind its weights."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    made = AutoConfig.for_model(**config)
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(made)


def part_of(name: str) -> str:
    if "embed_tokens" in name:
        return "embeddings"
    if "lm_head" in name:
        return "lm_head"
    if "norm" in name or "sinks" in name:
        return "norms"
    if "self_attn" in name:
        return "attention"
    if "experts" in name:
        return "experts"
    return "router" if ".mlp.gate." in name or "router" in name else "mlp"


@pytest.mark.parametrize("name", SHAPES)
def test_counts_are_those_of_the_real_model(name: str) -> None:
    model, counted = on_meta(SHAPES[name]), count_parameters(read_anatomy(SHAPES[name]))
    parts = dict.fromkeys(("embeddings", "attention", "mlp", "experts", "router", "norms", "lm_head"), 0)
    for path, weight in model.named_parameters():
        parts[part_of(path)] += weight.numel()
    assert {part: getattr(counted, part) for part in parts} == parts
    assert counted.total == model.num_parameters()


@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3", "qwen3_moe", "gpt_oss", "gemma", "gemma3_text"])
def test_saved_config_of_a_tiny_model_is_enough(kind: str) -> None:
    """As ``save_pretrained`` writes it, keys at their default left out."""
    from transformers import AutoConfig

    small = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    experts = {
        "num_experts": 4,
        "num_local_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 48,
    }
    made = AutoConfig.for_model(kind, **small, intermediate_size=96, vocab_size=500, **experts)
    model = on_meta({"model_type": kind} | made.to_diff_dict())
    assert count_parameters(read_anatomy(made.to_diff_dict())).total == model.num_parameters()


@pytest.mark.parametrize(("bias", "name"), [("attention_bias", "Llama-3.1-8B"), ("mlp_bias", "Llama-3.1-8B")])
def test_biases_are_counted(bias: str, name: str) -> None:
    config = SHAPES[name] | {bias: True, "num_hidden_layers": 2}
    plain = count_parameters(read_anatomy(config | {bias: False})).total
    counted = count_parameters(read_anatomy(config)).total
    assert plain < counted == on_meta(config).num_parameters()


def test_published_totals() -> None:
    totals = {name: count_parameters(read_anatomy(config)).total for name, config in SHAPES.items()}
    assert totals["SmolLM2-135M"] == 134_515_008
    assert totals["Llama-3.1-8B"] == 8_030_261_248
    assert totals["Qwen3-14B"] == 14_768_307_200
    assert totals["Qwen3-30B-A3B"] == pytest.approx(30.5e9, rel=0.005)
    assert totals["GPT-OSS-20B"] == pytest.approx(20.9e9, rel=0.005)


def test_active_parameters_count_the_experts_a_token_meets() -> None:
    counted = count_parameters(read_anatomy(SHAPES["Qwen3-30B-A3B"]))
    assert counted.active == pytest.approx(3.3e9 - counted.embeddings, rel=0.03)  # "A3B": 3.3 billion
    tied = count_parameters(read_anatomy(SHAPES["SmolLM2-135M"]))
    assert tied.lm_head == 0
    assert (
        tied.active == 106_168_320 + 576 * 49152
    )  # the head is computed though it has no weights of its own


def test_unknown_architecture_is_said_with_the_nearest() -> None:
    with pytest.raises(UnknownArchitectureError, match=r"'qwen33', did you mean 'qwen3'\?"):
        read_anatomy({"model_type": "qwen33"})
    with pytest.raises(UnknownArchitectureError, match="no 'hidden_size'"):
        read_anatomy({"model_type": "llama"})
    with pytest.raises(UnknownArchitectureError, match="dense layers"):
        read_anatomy(SHAPES["Qwen3-30B-A3B"] | {"mlp_only_layers": [0]})


def test_quantised_checkpoint_names_what_it_kept() -> None:
    stored = {"quant_method": "bitsandbytes", "llm_int8_skip_modules": ["lm_head", "model.layers.3.mlp"]}
    anatomy = read_anatomy(SHAPES["Qwen3-14B"] | {"quantization_config": stored})
    assert (anatomy.quantised, anatomy.kept_16_bit) == ("bitsandbytes", ("lm_head", "model.layers.3.mlp"))
