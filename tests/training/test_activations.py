"""What a layer keeps for its backward pass: the formula against what autograd saves."""

from __future__ import annotations

from typing import Any

import pytest
from published_shapes import SHAPES, planned

from harness.training.activations import per_token
from harness.training.anatomy import ATTENTION, read_anatomy
from harness.training.habits import HABITS
from harness.training.spec import Lora

TOKENS = 256
SMALLER = {"hidden_size": 256, "intermediate_size": 768, "vocab_size": 64}
HEADS = {"num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 32}


@pytest.mark.parametrize(
    ("name", "more", "lora"),
    [
        ("Llama-3.1-8B", {}, Lora(r=1)),
        ("Llama-3.1-8B", {}, Lora(r=1, targets=("q_proj", "down_proj"))),
        ("Llama-3.1-8B", {"num_key_value_heads": 8}, Lora(r=1, targets=ATTENTION)),
        ("Qwen3-14B", {}, Lora(r=1)),
        ("Qwen3-30B-A3B", {"num_experts": 8, "moe_intermediate_size": 96}, Lora(r=1, targets=ATTENTION)),
        ("GPT-OSS-20B", {"num_local_experts": 4, "intermediate_size": 256}, Lora(r=1, targets=ATTENTION)),
    ],
)
def test_a_layer_keeps_what_autograd_saves(name: str, more: dict[str, Any], lora: Lora) -> None:
    """The difference between a model of two layers and one of one, under autocast as on a GPU.

    Without dropout, whose mask is a byte on a GPU and two here.
    """
    shape = SHAPES[name] | SMALLER | HEADS | more
    saved = [bytes_saved(shape | {"num_hidden_layers": layers}, lora) for layers in (1, 2)]
    expected = per_token(
        read_anatomy(shape), planned(lora=lora, seq_len=TOKENS), HABITS["peft_lora"], 2, "cuda"
    ).kept
    assert (saved[1] - saved[0]) / TOKENS == pytest.approx(expected, rel=0.03)


def bytes_saved(shape: dict[str, Any], lora: Lora) -> int:
    """Bytes that autograd holds after a forward pass of one example, weights and their casts left out."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoConfig, AutoModelForCausalLM

    from trainers.peft_lora import without_casts

    config = AutoConfig.for_model(**shape, max_position_embeddings=512)
    base = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    targets = lora.targets if isinstance(lora.targets, str) else list(lora.targets)
    model = get_peft_model(
        base,
        LoraConfig(r=lora.r, lora_dropout=lora.dropout, target_modules=targets, task_type="CAUSAL_LM"),
    )
    model.enable_input_require_grads()
    weights = {weight.untyped_storage().data_ptr() for weight in (*model.parameters(), *model.buffers())}
    seen: dict[int, Any] = {}

    def keep(tensor: Any) -> Any:
        if tensor.untyped_storage().data_ptr() not in weights and tensor.numel() >= TOKENS * 32:
            seen[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    ids = torch.arange(TOKENS)[None] % 64
    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    with without_casts(model), torch.autocast("cpu", torch.bfloat16), hooks:
        out = model.base_model.model.model(ids)
    assert out.last_hidden_state.requires_grad
    return sum(tensor.untyped_storage().nbytes() for tensor in seen.values())
