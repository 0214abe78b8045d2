"""Tokens a second and peak memory of both trainers on one CUDA device, 4-bit and 16-bit, as one table.

    python tests/benchmarks/trainers.py [SHAPE ...]     shapes: 1.7b 8b 14b; all where none is named

Models have the real shapes and random weights; LoRA r=16 on all linear layers, 8 x 1,024 tokens a step. Each
run is a child process with ten minutes. The speed is that of the steps after the first four, in which kernels
are compiled. Rows are printed as they come; a run that fails is a row too.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from harness.training.examples import Example, ExampleSet, examples_digest, write_examples  # noqa: E402
from harness.training.launch import Lora, TrainingSpec, train  # noqa: E402

TRAINERS = HERE.parents[1] / "trainers"
BATCH, LENGTH, STEPS, WARM = 8, 1024, 16, 4
SECONDS = 600
HEADER = (
    "| shape | trainer | weights | tokens/s | peak GB | base GB | reserved GB | first loss | seconds |\n"
    "|---|---|---|---|---|---|---|---|---|"
)

SHAPES: dict[str, dict[str, Any]] = {
    "1.7b": {
        "kind": "llama", "vocab_size": 49152, "hidden_size": 2048, "intermediate_size": 8192,
        "num_hidden_layers": 24, "num_attention_heads": 32, "num_key_value_heads": 32,
        "tie_word_embeddings": True,
    },
    "8b": {
        "kind": "llama", "vocab_size": 128256, "hidden_size": 4096, "intermediate_size": 14336,
        "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
        "tie_word_embeddings": False,
    },
    "14b": {
        "kind": "qwen3", "vocab_size": 151936, "hidden_size": 5120, "intermediate_size": 17408,
        "num_hidden_layers": 40, "num_attention_heads": 40, "num_key_value_heads": 8, "head_dim": 128,
        "tie_word_embeddings": False,
    },
}  # fmt: skip
"""SmolLM2-1.7B, Llama-3.1-8B and Qwen3-14B, by their published configurations."""


def main(shapes: list[str]) -> None:
    """One model after another, on the disk only while it is measured."""
    print(HEADER, flush=True)
    for shape in shapes or list(SHAPES):
        with tempfile.TemporaryDirectory() as folder:
            started = time.monotonic()
            build(shape, Path(folder) / "base")
            print(f"{shape}: built in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
            for bits in (4, 16):
                for trainer in ("peft_lora", "unsloth_lora"):
                    print(row(shape, trainer, bits, Path(folder)), flush=True)


def row(shape: str, trainer: str, bits: int, folder: Path) -> str:
    """One line of the table, measured in a child of its own."""
    started = time.monotonic()
    asked = [sys.executable, str(Path(__file__).resolve()), "--one", trainer, str(bits), str(folder)]
    begin = f"| {shape} | {trainer} | {bits}-bit |"
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"{begin} more than {SECONDS} s | | | | | |"
    if done.returncode:
        print(done.stderr[-3000:], file=sys.stderr, flush=True)
        return f"{begin} failed | | | | | |"
    found = json.loads(done.stdout.splitlines()[-1])
    figures = f"{found['rate']:,.0f} | {found['peak']:.1f} | {found['base']:.1f} | {found['reserved']:.1f}"
    return f"{begin} {figures} | {found['loss']:.3f} | {time.monotonic() - started:.0f} |"


def one(trainer: str, bits: int, folder: Path) -> dict[str, float]:
    """Train the base in the folder and say what it took."""
    ids = [tuple((7 * n + place) % 350 + 10 for place in range(LENGTH)) for n in range(BATCH * STEPS)]
    examples = tuple(Example(each, each, "train", f"p{n}") for n, each in enumerate(ids))
    made = ExampleSet(examples, examples_digest(examples), "completion", "", LENGTH, 0, len(ids) * LENGTH, 0)
    spec = TrainingSpec(
        base_path=str(folder / "base"), base_name="random", base_digest="d",
        examples=str(write_examples(made, folder)), out=str(folder / f"{trainer}-{bits}"), corpus="c",
        version=1,
        lora=Lora(), steps=STEPS, batch=BATCH, seq_len=LENGTH, lr=0.0002, save_steps=1000, seed=3407,
        trainer=trainer, load_in_4bit=bits == 4, optimizer="adamw_8bit",
    )  # fmt: skip
    at: dict[int, float] = {}

    def hear(event: dict[str, Any]) -> None:
        if event["event"] == "step":
            at[event["step"]] = event["seconds"]

    record = train(spec, trainer=TRAINERS / f"{trainer}.py", on_event=hear)
    return {
        "rate": (STEPS - WARM) * BATCH * LENGTH / (at[STEPS] - at[WARM]),
        "peak": record["peak_memory_gb"],
        "base": record["base_memory_gb"],
        "reserved": record["reserved_memory_gb"],
        "loss": record["loss_curve"][0][1],
    }


def build(shape: str, folder: Path) -> None:
    """Random bfloat16 weights of the shape, and a small tokenizer: only its marks are needed."""
    import torch
    from tiny_llama import build_tokenizer
    from transformers import AutoModelForCausalLM, LlamaConfig, Qwen3Config

    settings = dict(SHAPES[shape])
    kind = LlamaConfig if settings.pop("kind") == "llama" else Qwen3Config
    tokenizer = build_tokenizer(2048)
    named = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    config = kind(**settings, **named, max_position_embeddings=8192)
    torch.manual_seed(0)
    with torch.device("cuda"):
        torch.set_default_dtype(torch.bfloat16)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    del model
    torch.cuda.empty_cache()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(one(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))))
    else:
        main(sys.argv[1:])
