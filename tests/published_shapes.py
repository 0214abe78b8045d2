"""The published shapes of well-known models, as their config.json has them; runs and models of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.training.spec import Lora, TrainingSpec


def shape(
    kind: str,
    hidden: int,
    layers: int,
    heads: int,
    key_heads: int,
    intermediate: int,
    vocabulary: int,
    **more: Any,
) -> dict[str, Any]:
    """The keys of a ``config.json`` that decide size; ``more`` are further keys as they stand there."""
    return {
        "model_type": kind,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": key_heads,
        "intermediate_size": intermediate,
        "vocab_size": vocabulary,
        "tie_word_embeddings": False,
        **more,
    }


_TIED = {"tie_word_embeddings": True}
_QWEN3 = {"head_dim": 128}

SHAPES: dict[str, dict[str, Any]] = {
    "SmolLM2-135M": shape("llama", 576, 30, 9, 3, 1536, 49152, **_TIED),
    "SmolLM2-360M": shape("llama", 960, 32, 15, 5, 2560, 49152, **_TIED),
    "SmolLM2-1.7B": shape("llama", 2048, 24, 32, 32, 8192, 49152, **_TIED),
    "Llama-3.2-1B": shape("llama", 2048, 16, 32, 8, 8192, 128256, head_dim=64, **_TIED),
    "Llama-3.2-3B": shape("llama", 3072, 28, 24, 8, 8192, 128256, head_dim=128, **_TIED),
    "Llama-3.1-8B": shape("llama", 4096, 32, 32, 8, 14336, 128256),
    "Mistral-7B": shape("mistral", 4096, 32, 32, 8, 14336, 32000),
    "Qwen2.5-7B": shape("qwen2", 3584, 28, 28, 4, 18944, 152064),
    "Qwen3-14B": shape("qwen3", 5120, 40, 40, 8, 17408, 151936, **_QWEN3),
    "Qwen3-32B": shape("qwen3", 5120, 64, 64, 8, 25600, 151936, **_QWEN3),
    "Qwen3-30B-A3B": shape(
        "qwen3_moe", 2048, 48, 32, 4, 6144, 151936,
        num_experts=128, num_experts_per_tok=8, moe_intermediate_size=768, **_QWEN3,
    ),
    "GPT-OSS-20B": shape(
        "gpt_oss", 2880, 24, 64, 8, 2880, 201088,
        head_dim=64, num_local_experts=32, num_experts_per_tok=4, attention_bias=True,
    ),
    "Gemma-2B": shape("gemma", 2048, 18, 8, 1, 16384, 256000, head_dim=256, **_TIED),
    "Gemma-2-2B": shape("gemma2", 2304, 26, 8, 4, 9216, 256000, head_dim=256, **_TIED),
    "Gemma-3-1B": shape("gemma3_text", 1152, 26, 4, 1, 6912, 262144, head_dim=256, **_TIED),
}  # fmt: skip


def planned(**more: Any) -> TrainingSpec:
    """A run on no files at all: three steps of 8 x 1,024 tokens, r=16 on all linear layers."""
    plain: dict[str, Any] = {
        "base_path": "", "base_name": "base", "base_digest": "", "examples": "", "out": "", "corpus": "c",
        "version": 1, "lora": Lora(), "batch": 8, "seq_len": 1024,
    }  # fmt: skip
    return TrainingSpec(**plain | ({} if "epochs" in more else {"steps": 3}) | more)


def build_random(name: str, folder: Path, **other: Any) -> Path:
    """A model of a published shape, or with other numbers, and its small tokenizer with a chat template.

    Random bfloat16 weights, made on the CUDA device where there is one.
    """
    import torch
    from tiny_llama import build_tokenizer
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = build_tokenizer(4096)
    marks = {mark: getattr(tokenizer, mark) for mark in ("bos_token_id", "eos_token_id", "pad_token_id")}
    config = AutoConfig.for_model(**SHAPES[name] | other, **marks, max_position_embeddings=8192)
    torch.manual_seed(0)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(folder, max_shard_size="5GB")
    tokenizer.save_pretrained(folder)
    del model
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return folder
