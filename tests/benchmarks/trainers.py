"""Tokens a second and peak memory of both trainers on CUDA devices, 4-bit and 16-bit, as one table.

    python tests/benchmarks/trainers.py [SHAPE ...]              both trainers on one card
    python tests/benchmarks/trainers.py --cards 2 [SHAPE ...]    peft_lora, the same steps on one and on two

SHAPE is 1.7b, 8b or 14b, or 8b/16 for the 16-bit rows alone; all where none is named. Models have the real
shapes and random weights; LoRA r=16 on all linear layers, 8 x 1,024 tokens through a card at once. Each run
is a child process with ten minutes. The speed is that of the steps after the first four, in which kernels
are compiled. *Plan* is what the harness expected the peak to be. Rows are printed as they come; a run that
fails is a row too.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1])]

from published_shapes import SHAPES, build_random  # noqa: E402

from harness.training.anatomy import read_anatomy  # noqa: E402
from harness.training.examples import Example, ExampleSet, examples_digest, write_examples  # noqa: E402
from harness.training.habits import fuses_head  # noqa: E402
from harness.training.launch import Lora, TrainingSpec, train  # noqa: E402
from harness.training.memory import estimate  # noqa: E402

TRAINERS = HERE.parents[1] / "trainers"
BATCH, LENGTH, STEPS, WARM = 8, 1024, 16, 4
SECONDS = 600
HEADER = (
    "| shape | trainer | weights | cards | tokens/s | peak GB | plan GB | off | base GB | reserved GB "
    "| first loss | last loss | seconds |\n" + "|---" * 13 + "|"
)
NAMED = {"1.7b": "SmolLM2-1.7B", "8b": "Llama-3.1-8B", "14b": "Qwen3-14B"}


@dataclass(frozen=True)
class Case:
    """One run; ``all_cards`` is the number of cards whose step it takes, ``cards`` of which it has."""

    shape: str
    trainer: str
    bits: int
    cards: int = 1
    all_cards: int = 1


def main(arguments: list[str]) -> None:
    """One model after another, on the disk only while it is measured."""
    cards = 1
    if arguments[:1] == ["--cards"]:
        cards, arguments = int(arguments[1]), arguments[2:]
    print(HEADER, flush=True)
    for argument in arguments or list(NAMED):
        shape, _, only = argument.partition("/")
        widths = (int(only),) if only else (16, 4)
        with tempfile.TemporaryDirectory() as folder:
            started = time.monotonic()
            build_random(NAMED[shape], Path(folder) / "base")
            print(f"{shape}: built in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
            for case in cases(shape, cards, widths):
                print(row(case, Path(folder)), flush=True)


def cases(shape: str, cards: int, widths: tuple[int, ...]) -> list[Case]:
    """Trainers against each other, or one card against several."""
    if cards == 1:
        return [Case(shape, trainer, bits) for bits in widths for trainer in ("peft_lora", "unsloth_lora")]
    return [Case(shape, "peft_lora", bits, used, cards) for bits in widths for used in (1, cards)]


def row(case: Case, folder: Path) -> str:
    """One line of the table, measured in a child of its own."""
    started = time.monotonic()
    asked = [sys.executable, str(Path(__file__).resolve()), "--one", json.dumps(asdict(case)), str(folder)]
    begin = f"| {case.shape} | {case.trainer} | {case.bits}-bit | {case.cards} |"
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"{begin} more than {SECONDS} s |" + " |" * 8
    if done.returncode:
        print(done.stderr[-3000:], file=sys.stderr, flush=True)
        return f"{begin} failed |" + " |" * 8
    found = json.loads(done.stdout.splitlines()[-1])
    memory = f"{found['peak']:.2f} | {found['plan']:.2f} | {found['plan'] / found['peak'] - 1:+.0%}"
    memory += f" | {found['base']:.2f} | {found['reserved']:.2f}"
    losses = f"{found['first']:.3f} | {found['last']:.3f}"
    return f"{begin} {found['rate']:,.0f} | {memory} | {losses} | {time.monotonic() - started:.0f} |"


def one(case: Case, folder: Path) -> dict[str, float]:
    """Train the base in the folder and say what it took."""
    whole = BATCH * case.all_cards
    ids = [tuple((7 * n + place) % 350 + 10 for place in range(LENGTH)) for n in range(whole * STEPS)]
    examples = tuple(Example(each, each, "train", f"p{n}") for n, each in enumerate(ids))
    made = ExampleSet(examples, examples_digest(examples), "completion", "", LENGTH, 0, len(ids) * LENGTH, 0)
    spec = TrainingSpec(
        base_path=str(folder / "base"), base_name="random", base_digest="d",
        examples=str(write_examples(made, folder)),
        out=str(folder / f"{case.trainer}-{case.bits}-{case.cards}"),
        corpus="c", version=1, lora=Lora(), steps=STEPS, batch=BATCH, accumulation=case.all_cards,
        seq_len=LENGTH, lr=0.0002, save_steps=1000, seed=3407, trainer=case.trainer,
        load_in_4bit=case.bits == 4, optimizer="adamw_8bit",
        devices=tuple(range(case.cards)),
    )  # fmt: skip
    at: dict[int, float] = {}

    def hear(event: dict[str, Any]) -> None:
        if event["event"] == "step":
            at[event["step"]] = event["seconds"]

    record = train(spec, trainer=TRAINERS / f"{case.trainer}.py", on_event=hear)
    return {
        "rate": (STEPS - WARM) * whole * LENGTH / (at[STEPS] - at[WARM]),
        "plan": estimate(read_anatomy(SHAPES[NAMED[case.shape]]), spec, fused_head=fuses_head()).peak / 1e9,
        "peak": record["peak_memory_gb"],
        "base": record["base_memory_gb"],
        "reserved": record["reserved_memory_gb"],
        "first": record["loss_curve"][0][1],
        "last": record["loss_curve"][-1][1],
    }


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(one(Case(**json.loads(sys.argv[2])), Path(sys.argv[3]))))
    else:
        main(sys.argv[1:])
