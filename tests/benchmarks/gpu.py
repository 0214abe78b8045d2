"""Tokens a second and peak memory of the engine and the trainer on one CUDA device.

python tests/benchmarks/gpu.py TOKENIZER_FOLDER     builds a random 1.7 B Llama with that tokenizer, bfloat16
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from harness.models.hf import HFModel
from harness.training.examples import Example, ExampleSet, examples_digest, write_examples
from harness.training.launch import Lora, TrainingSpec, train
from harness.types import Decoding, GenerationRequest, LikelihoodRequest

TRAINER = Path(__file__).parents[2] / "trainers" / "peft_lora.py"
WORDS = "the nation must keep its word and be strong enough to keep it whatever the cost of it may be to us "


def main(tokenizer_folder: Path) -> None:
    """Build, measure, print one row a part."""
    import torch

    with tempfile.TemporaryDirectory() as folder:
        base = build(tokenizer_folder, Path(folder) / "base")
        rows = [*engine(base, torch), *trainer(base, Path(folder))]
    print("| part | shape | tokens/s | peak GB |\n|---|---|---|---|")
    for part, shape, rate, peak in rows:
        print(f"| {part} | {shape} | {rate:,.0f} | {peak:.1f} |")


def build(tokenizer_folder: Path, folder: Path) -> Path:
    """SmolLM2-1.7B's shape with random weights."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(str(tokenizer_folder))
    config = LlamaConfig(
        vocab_size=49152, hidden_size=2048, intermediate_size=8192, num_hidden_layers=24,
        num_attention_heads=32, num_key_value_heads=32, max_position_embeddings=8192,
        tie_word_embeddings=True, bos_token_id=1, eos_token_id=2, pad_token_id=2,
    )  # fmt: skip
    torch.manual_seed(0)
    with torch.device("cuda"):
        model = LlamaForCausalLM(config).to(torch.bfloat16)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def engine(base: Path, torch: Any) -> list[tuple[str, str, float, float]]:
    """Likelihoods of 256 texts, and 64 sampled answers of 128 tokens."""
    model = HFModel(base, "bfloat16", "cuda")
    rows = []
    texts = [LikelihoodRequest(str(n), WORDS * 40) for n in range(64)]
    model.loglikelihood(texts[:4], 1024, None)
    torch.cuda.reset_peak_memory_stats()
    started = time.monotonic()
    scored = sum(found.n_tokens for found in model.loglikelihood(texts, 1024, None))
    rows.append(("likelihoods", "windows of 1,024", scored / (time.monotonic() - started), peak(torch)))
    asked = [GenerationRequest(str(n), WORDS, f"0/0/{n}") for n in range(64)]
    for name, decoding in (("greedy", Decoding(0.0, 1.0, 128)), ("sampled", Decoding(0.8, 0.95, 128))):
        torch.cuda.reset_peak_memory_stats()
        started = time.monotonic()
        drawn = sum(found.n_tokens for found in model.generate(asked, decoding))
        rows.append((f"answers, {name}", "64 x 128", drawn / (time.monotonic() - started), peak(torch)))
    model.close()
    return rows


def trainer(base: Path, folder: Path) -> list[tuple[str, str, float, float]]:
    """Twenty steps of 8 x 1,024 tokens, LoRA r=16 on all linear layers."""
    ids = tuple(range(10, 1034))
    examples = tuple(Example(ids, ids, "train", f"p{n}") for n in range(160))
    named = examples_digest(examples)  # trainers check it
    kept = write_examples(ExampleSet(examples, named, "completion", "", 1024, 0, 160 * 1024, 0), folder)
    spec = TrainingSpec(
        base_path=str(base), base_name="random-1.7b", base_digest="d", examples=str(kept),
        out=str(folder / "out"), corpus="c", version=1, lora=Lora(), steps=20, batch=8, seq_len=1024,
        lr=0.0002, save_steps=100,
    )  # fmt: skip
    record = train(spec, trainer=TRAINER)
    rate = 8 * 1024 / float(record["seconds_per_step"])
    return [("training, LoRA r=16", "8 x 1,024", rate, float(record["peak_memory_gb"]))]


def peak(torch: Any) -> float:
    """Peak allocated memory in GB since the last reset."""
    return float(torch.cuda.max_memory_allocated()) / 1e9


if __name__ == "__main__":
    main(Path(sys.argv[1]))
