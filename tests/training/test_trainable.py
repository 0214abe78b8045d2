"""What a LoRA trains, against peft itself on the meta device."""

from __future__ import annotations

from typing import Any

import pytest
from published_shapes import SHAPES

from harness.errors import ConfigurationError
from harness.training.anatomy import ATTENTION, MLP, read_anatomy
from harness.training.spec import Lora
from harness.training.trainable import count_trainable

# peft speaks of patterns and shared weights that do not matter for a count.
pytestmark = [
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


def trained_by_peft(config: dict[str, Any], lora: Lora) -> int:
    """Trainable parameters of the real model with the real adapter on it."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoConfig, AutoModelForCausalLM

    made = AutoConfig.for_model(**config)
    settings = LoraConfig(
        r=lora.r,
        target_modules=lora.targets if isinstance(lora.targets, str) else list(lora.targets),
        modules_to_save=list(lora.modules_to_save) or None,
        bias=lora.bias,
        task_type="CAUSAL_LM",
    )
    with torch.device("meta"):
        model = get_peft_model(AutoModelForCausalLM.from_config(made), settings)
    return int(model.get_nb_trainable_parameters()[0])


LORAS = {
    "all-linear": Lora(r=16),
    "seven names": Lora(r=32, targets=(*ATTENTION, *MLP)),
    "attention": Lora(r=8, targets=ATTENTION),
    "gates": Lora(r=8, targets=r".*\.(q_proj|gate_proj|up_proj|down_proj)"),
    "pattern": Lora(r=4, targets=r".*layers\.\d+\.self_attn\.(q|v)_proj"),
}


@pytest.mark.parametrize("lora", LORAS)
@pytest.mark.parametrize(
    "name",
    ["SmolLM2-135M", "Llama-3.1-8B", "Qwen2.5-7B", "Qwen3-14B", "Qwen3-30B-A3B", "GPT-OSS-20B", "Gemma-2-2B"],
)
def test_counts_are_peft_s(name: str, lora: str) -> None:
    # Fewer layers than published: every layer is alike, and each takes peft a tenth of a second.
    config = SHAPES[name] | {"num_hidden_layers": 3}
    config.pop("layer_types", None)
    counted = count_trainable(read_anatomy(config), LORAS[lora], experts="doubled")
    assert counted.total == counted.lora == trained_by_peft(config, LORAS[lora])


@pytest.mark.parametrize("saved", [("lm_head", "embed_tokens"), ("lm_head",)])
@pytest.mark.parametrize("name", ["Llama-3.1-8B", "SmolLM2-135M"])
def test_modules_saved_are_full_copies(name: str, saved: tuple[str, ...]) -> None:
    lora = Lora(r=64, modules_to_save=saved)
    counted = count_trainable(read_anatomy(SHAPES[name]), lora, experts="doubled")
    one = SHAPES[name]["hidden_size"] * SHAPES[name]["vocab_size"]
    assert counted.saved == len(saved) * one
    assert counted.total == trained_by_peft(SHAPES[name], lora)


@pytest.mark.parametrize("bias", ["all", "lora_only"])
def test_biases_trained_are_counted(bias: str) -> None:
    config = SHAPES["Qwen2.5-7B"] | {"num_hidden_layers": 2}
    lora = Lora(r=4, targets=("q_proj", "o_proj"), bias=bias)
    counted = count_trainable(read_anatomy(config), lora, experts="doubled")
    assert counted.biases > 0
    assert counted.total == trained_by_peft(config, lora)


def test_embeddings_and_head_can_be_targets() -> None:
    config = SHAPES["Llama-3.1-8B"] | {"num_hidden_layers": 1}
    lora = Lora(r=2, targets=("q_proj", "embed_tokens", "lm_head"))
    counted = count_trainable(read_anatomy(config), lora, experts="doubled")
    assert counted.total == trained_by_peft(config, lora)


def test_what_unsloth_trained_on_a_gpu() -> None:
    """Qwen3-30B-A3B cut to 8 layers, r=16, as counted in the trained model; GPT-OSS-20B by a log, r=8."""
    cut = SHAPES["Qwen3-30B-A3B"] | {"num_hidden_layers": 8}
    assert count_trainable(read_anatomy(cut), Lora(r=16), experts="one").total == 107_085_824
    oss = Lora(r=8, targets=(*ATTENTION, *MLP))
    for experts in ("doubled", "one"):
        assert count_trainable(read_anatomy(SHAPES["GPT-OSS-20B"]), oss, experts=experts).total == 3_981_312


def test_targets_that_name_nothing_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="have down_proj, gate_proj, k_proj"):
        count_trainable(read_anatomy(SHAPES["Qwen3-14B"]), Lora(targets=("qkv_proj",)), experts="doubled")
