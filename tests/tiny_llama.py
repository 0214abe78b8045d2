"""A random Llama small enough to train and sample in a test, with a real tokenizer and chat template."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SENTENCES = (
    "To the Senate and House of Representatives: we meet in a year of peace and of great prosperity.",
    "The Nation must keep its word, and it must be strong enough to keep it.",
    "Our coal and our iron are not the property of this generation alone; we hold them in trust.",
    "No man is above the law and no man is below it, nor do we ask any man's permission when we obey it.",
    "A navy that is not kept ready is a burden without a use, and the Congress has been told as much.",
    "Continue this passage: the farmer, the wage-worker, and the man of business rise or fall together.",
)

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def build_tiny_llama(folder: Path, *, max_positions: int = 512, attention_bias: bool = False) -> Path:
    """Save a two-layer random Llama (hidden 32, 2 heads, about 400 tokens, float32) and return its folder."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = build_tokenizer(max_positions)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=max_positions,
        tie_word_embeddings=True,
        attention_bias=attention_bias,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def build_tokenizer(max_positions: int = 512) -> Any:
    """A byte-level BPE tokenizer of about 400 tokens with ChatML's marks, as transformers loads one."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(SENTENCES, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token="<|endoftext|>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>"],
        model_max_length=max_positions,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
