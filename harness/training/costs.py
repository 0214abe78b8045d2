"""What a training run costs besides memory: steps, disk and time, known before it starts.

examples, TrainingSpec -> steps -> disk, duration

Time is arithmetic over speed. A token costs 2 N operations forward and 2 N backward through N frozen
weights, whose own gradients nobody needs, and 2 N more where checkpointing runs the forward pass again
(Kaplan and others 2020 count 6 N for full training); attention adds 2 a s a layer to each pass, causally.
Speed is the chip's published figure times the share of it that a trainer was seen to reach.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.training.anatomy import Anatomy, count_parameters
from harness.training.memory import Kind, Memory
from harness.training.spec import TrainingSpec

PEAK_TFLOPS = {
    **{"B200": 2250, "GH200": 989, "H200": 989, "H100": 989, "A100": 312, "L40S": 362, "L40": 181, "L4": 121},
    **{"A10G": 125, "A10": 125, "A6000": 155, "V100": 125, "T4": 65, "RTX 6000 Ada": 364},
    **{"RTX 5090": 209, "RTX 5080": 113, "RTX 5070": 62, "RTX 4090": 165, "RTX 4080": 97, "RTX 4070": 58},
    **{"RTX 4060": 30, "RTX 3090": 71, "RTX 3080": 60, "RTX 3070": 41, "RTX 3060": 25},
}
"""Dense 16-bit tensor operations a second, 10^12, with 32-bit sums: NVIDIA's data sheets. The first of these
names that is found in the device's counts."""

SHARE_REACHED = {"peft_lora": 0.3, "unsloth_lora": 0.42}
"""Of the above. Seen on one H200 at 8 x 1,024 tokens: .25 and .30 to .41 with 1.7 B parameters, .39 and .53
with 8 B (tests/benchmarks/README.md)."""

SECONDS_A_LAYER = 0.008
"""However few the tokens: kernels have to be started. Seen on one H200, 135 M parameters, 4 x 256 tokens."""

CPU_GFLOPS_A_CORE = 110.0
"""Seen: SmolLM2-135M in bfloat16, 4 x 256 tokens in 2.7 s and 4 x 512 in 5.1 s on two cores."""

_STATE_BYTES = 10e6
"""Tokenizer, random states and the trainer's log beside each checkpoint's weights."""


@dataclass(frozen=True)
class Disk:
    """Bytes written: the adapter that stays, and at most so much of checkpoints while it trains."""

    adapter: float
    checkpoints: float

    @property
    def most(self) -> float:
        return self.adapter + self.checkpoints


@dataclass(frozen=True)
class Duration:
    """Seconds; NaN, with the reason in ``note``, where the device's speed is not known."""

    seconds_a_step: float
    steps: int
    note: str = ""

    @property
    def seconds(self) -> float:
        return self.seconds_a_step * self.steps


def count_steps(examples: int, spec: TrainingSpec) -> int:
    """Optimiser steps, as transformers' Trainer counts them: the last batch of an epoch may be short.

    With devices that share a step, each sees its part of the examples.
    """
    if spec.steps is not None:
        return spec.steps
    processes = max(len(spec.devices), 1)
    share = spec.share(processes)
    batches = math.ceil(math.ceil(examples / share.batch) / processes)
    return math.ceil((spec.epochs or 0) * max(math.ceil(batches / share.accumulation), 1))


def disk(memory: Memory, spec: TrainingSpec) -> Disk:
    """What the run writes. One checkpoint more than are kept lies there while the oldest is still to go,
    and the best one is kept besides where it is asked for.
    """
    kept = spec.checkpoints_kept + 1 + (spec.keep != "last")
    one = memory.adapters + memory.optimiser + _STATE_BYTES
    return Disk(adapter=memory.adapters, checkpoints=kept * one)


def operations_a_token(anatomy: Anatomy, seq_len: int, *, recompute: bool) -> float:
    """Floating-point operations to train on one token among ``seq_len``."""
    forward = 2.0 * count_parameters(anatomy).active + 2.0 * anatomy.layers * anatomy.query_width * seq_len
    attention_again = 2.0 * anatomy.layers * anatomy.query_width * seq_len  # two products backward for each
    return forward * (3 if recompute else 2) + attention_again


def duration(
    anatomy: Anatomy,
    spec: TrainingSpec,
    *,
    examples: int,
    tokens_an_example: float,
    device: str,
    kind: Kind = "cuda",
    cores: int = 1,
) -> Duration:
    """How long it would take, within a factor of two; ``--probe`` measures.

    ``tokens_an_example`` is the mean length after padding, not ``seq_len``. ``cores`` counts on a CPU only.
    """
    steps = count_steps(examples, spec)
    recompute = kind == "cuda" if spec.gradient_checkpointing is None else spec.gradient_checkpointing
    each = operations_a_token(anatomy, round(tokens_an_example), recompute=recompute)
    operations = each * tokens_an_example * spec.batch * spec.accumulation
    if kind == "cpu":
        return Duration(operations / (cores * CPU_GFLOPS_A_CORE * 1e9), steps)
    named = next((name for name in PEAK_TFLOPS if name in device), None)
    if named is None:
        return Duration(math.nan, steps, f"the speed of {device} is not known; --probe measures it")
    share = SHARE_REACHED.get(spec.trainer or "peft_lora", SHARE_REACHED["peft_lora"])
    processes = max(len(spec.devices), 1)
    least = anatomy.layers * SECONDS_A_LAYER * spec.share(processes).accumulation
    return Duration(max(operations / (PEAK_TFLOPS[named] * 1e12 * share * processes), least), steps)
