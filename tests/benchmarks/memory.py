"""The plan's estimate of memory against what a trainer's record shows, on one CUDA device.

python tests/benchmarks/memory.py            every row below, largest shapes last
python tests/benchmarks/memory.py 1 2 5      these rows only
TMPDIR=...                                   where the random models go: 60 GB are enough for all

Each row trains three steps of two batches through the real trainer, in a child process, on a random model
of a published shape. Prints a row as soon as it is known. ``fit`` is the ``layer_factor`` in
harness/training/habits.py that would make the row exact
where a layer decides the peak, and not logits, experts or the optimiser; without a GPU only row 0 runs.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

from published_shapes import SHAPES, build_random  # noqa: E402

from harness.errors import StylobenchError  # noqa: E402
from harness.training.anatomy import read_anatomy  # noqa: E402
from harness.training.examples import Example, ExampleSet, examples_digest, write_examples  # noqa: E402
from harness.training.habits import fuses_head, habits_of  # noqa: E402
from harness.training.launch import train  # noqa: E402
from harness.training.memory import Kind, Memory, estimate  # noqa: E402
from harness.training.spec import Lora, TrainingSpec  # noqa: E402

STEPS, ACCUMULATION = 3, 2
HEADS = ("lm_head", "embed_tokens")
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")


@dataclass(frozen=True)
class Row:
    """One configuration; ``batch`` is what goes through the model at once."""

    shape: str
    trainer: str
    four_bit: bool
    batch: int
    seq_len: int
    r: int = 16
    optimizer: str = "adamw_torch"
    layers: int | None = None
    targets: str | tuple[str, ...] = "all-linear"
    saved: tuple[str, ...] = ()
    checkpointing: bool | None = None
    dropout: float = 0.0

    @property
    def config(self) -> dict[str, Any]:
        """The numbers of its config.json; ``layers`` makes a large model fit the disk."""
        whole = SHAPES[self.shape]
        return whole if self.layers is None else whole | {"num_hidden_layers": self.layers}

    @property
    def name(self) -> str:
        return self.shape if self.layers is None else f"{self.shape}, {self.layers} layers"


ROWS = (
    Row("SmolLM2-135M", "peft_lora", False, 2, 256),
    Row("SmolLM2-1.7B", "peft_lora", False, 8, 1024),
    Row("SmolLM2-1.7B", "unsloth_lora", True, 8, 1024, optimizer="adamw_8bit"),
    Row("Llama-3.1-8B", "peft_lora", False, 4, 1024),
    Row("Llama-3.1-8B", "peft_lora", True, 2, 2048),
    Row("Llama-3.1-8B", "unsloth_lora", False, 4, 2048),
    Row("Qwen3-14B", "peft_lora", True, 4, 1024),
    Row("Qwen3-14B", "unsloth_lora", True, 2, 2048, r=32, optimizer="adamw_8bit"),
    Row("Llama-3.1-8B", "unsloth_lora", True, 2, 1024, r=64, saved=HEADS),
    Row("Llama-3.2-1B", "peft_lora", False, 4, 512, r=64, checkpointing=False),
    Row("Llama-3.2-3B", "peft_lora", False, 2, 1024, saved=HEADS),
    Row("Qwen3-30B-A3B", "peft_lora", False, 2, 1024, layers=8, targets=ATTENTION),
    Row("Qwen3-30B-A3B", "unsloth_lora", True, 2, 1024, layers=8, optimizer="adamw_8bit"),
    Row("GPT-OSS-20B", "peft_lora", False, 2, 1024, layers=6, targets=ATTENTION),
    Row("Qwen3-14B", "peft_lora", False, 2, 1024, optimizer="adamw_8bit"),
    Row("Qwen3-30B-A3B", "unsloth_lora", True, 1, 512, layers=8, optimizer="adamw_8bit"),
    Row("Qwen3-30B-A3B", "unsloth_lora", True, 4, 1024, layers=8, optimizer="adamw_8bit"),
    Row("Qwen3-30B-A3B", "unsloth_lora", True, 2, 1024, layers=8, targets=ATTENTION, optimizer="adamw_8bit"),
    Row("Qwen3-30B-A3B", "peft_lora", False, 2, 1024, layers=4, optimizer="adamw_8bit"),
    Row("GPT-OSS-20B", "unsloth_lora", True, 2, 1024, layers=6, targets=ATTENTION, optimizer="adamw_8bit"),
    Row("Llama-3.2-1B", "peft_lora", False, 8, 1024, dropout=0.05, optimizer="adamw_8bit"),
    Row("Llama-3.2-1B", "peft_lora", False, 8, 1024, saved=("lm_head",), optimizer="adamw_8bit"),
    Row("Llama-3.1-8B", "unsloth_lora", True, 2, 1024, r=64, saved=HEADS, optimizer="adamw_8bit"),
)


def main(arguments: list[str]) -> None:
    """Build each shape once, train, print."""
    if arguments[:1] == ["build"]:  # a process of its own, whose memory goes with it
        row = ROWS[int(arguments[1])]
        changed = {} if row.layers is None else {"num_hidden_layers": row.layers}
        build_random(row.shape, Path(arguments[2]), **changed)
        return
    import torch

    kind: Kind = "cuda" if torch.cuda.is_available() else "cpu"
    chosen = [int(number) for number in arguments] or list(range(1, len(ROWS)))
    print(
        "| row | shape | trainer | bits | batch | base GB est. | seen | peak GB est. | seen | off |", end=""
    )
    print(" reserved GB est. | seen | trained est. | seen | tokens/s | fit |")
    print("|---" * 16 + "|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        built: dict[str, Path] = {}
        for number in chosen if kind == "cuda" else [0]:
            row = ROWS[number]
            if row.name not in built:
                for old in built.values():
                    subprocess.run(["rm", "-r", old], check=True)
                built = {row.name: Path(folder) / f"base{number}"}
                asked = [sys.executable, __file__, "build", str(number), built[row.name]]
                subprocess.run(asked, check=True)
            print(measured(number, row, built[row.name], Path(folder) / f"row{number}", kind), flush=True)


def measured(number: int, row: Row, base: Path, folder: Path, kind: Kind) -> str:
    """One line of the table."""
    ids = tuple(10 + n % 300 for n in range(row.seq_len))
    count = row.batch * ACCUMULATION * STEPS
    examples = tuple(Example(ids, ids, "train", f"p{n}") for n in range(count))
    tokens = count * row.seq_len
    found = ExampleSet(examples, examples_digest(examples), "completion", "", row.seq_len, 0, tokens, 0)
    kept = write_examples(found, folder)
    spec = TrainingSpec(
        base_path=str(base), base_name=row.shape, base_digest="d", examples=str(kept),
        out=str(folder / "out"), corpus="c", version=1, steps=STEPS,
        lora=Lora(r=row.r, alpha=row.r, targets=row.targets, modules_to_save=row.saved, dropout=row.dropout),
        batch=row.batch, accumulation=ACCUMULATION, seq_len=row.seq_len, save_steps=100, trainer=row.trainer,
        load_in_4bit=row.four_bit, optimizer=row.optimizer, gradient_checkpointing=row.checkpointing,
    )  # fmt: skip
    expected = estimate(read_anatomy(row.config), spec, kind, fused_head=fuses_head())
    try:
        record = train(spec, trainer=TESTS.parent / "trainers" / f"{row.trainer}.py")
    except StylobenchError as error:
        return f"| {number} | {row.name} | {row.trainer} | failed: {str(error).splitlines()[-1]} |"
    return line(number, row, spec, expected, record)


def line(number: int, row: Row, spec: TrainingSpec, expected: Memory, record: dict[str, Any]) -> str:
    """Estimate and measurement side by side, in GB of 10^9 bytes."""
    peak, reserved = float(record["peak_memory_gb"]), record.get("reserved_memory_gb")
    beyond = (
        expected.static
        + expected.hidden
        + expected.casts
        + (expected.process if expected.kind == "cpu" else 0)
    )
    fitted = habits_of(spec).layer_factor * (peak * 1e9 - beyond) / expected.layer  # means nothing on a CPU
    cells = (
        *(str(number), row.name, row.trainer, "4" if row.four_bit else "16", f"{row.batch} x {row.seq_len}"),
        *(f"{expected.weights / 1e9:.2f}", f"{record['base_memory_gb']:.2f}"),
        *(f"{expected.peak / 1e9:.2f}", f"{peak:.2f}", f"{expected.peak / 1e9 / peak - 1:+.0%}"),
        *(f"{expected.reserved / 1e9:.2f}", "-" if reserved is None else f"{reserved:.2f}"),
        *(f"{expected.trainable.total:,}", f"{record['trainable_parameters']:,}"),
        *(f"{record.get('tokens_per_second', float('nan')):,.0f}", f"{fitted:.2f}"),
    )
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main(sys.argv[1:])
