"""What a LoRA trains: its own matrices, full copies, biases; counted from the shapes alone.

Anatomy, Lora -> Trainable             r (inputs + outputs) a matrix (Hu and others 2021)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from harness.errors import ConfigurationError
from harness.training.anatomy import Anatomy, Matrix
from harness.training.spec import Lora


@dataclass(frozen=True)
class Trainable:
    """Trained parameters: LoRA's own matrices, full copies (``modules_to_save``), and the base's biases."""

    lora: int
    saved: int
    biases: int

    @property
    def total(self) -> int:
        return self.lora + self.saved + self.biases


Experts = Literal["doubled", "one"]
"""How a trainer counts the LoRA of a mixture's experts; see count_trainable."""


def count_trainable(anatomy: Anatomy, lora: Lora, *, experts: Experts) -> Trainable:
    """What a LoRA of these settings trains.

    transformers 5 keeps gate and up of an expert as one matrix d -> 2f. (Under transformers 4 each had a LoRA
    of its own: a log from then shows 1.69 billion for Qwen3-30B-A3B at r=32, where Unsloth now trains 1.28.)

        doubled   that matrix has rank 2r, and ``all-linear`` takes the router too (peft 0.21)
        one       that matrix has rank r, and the router is left alone (Unsloth 2026.10, counted on a GPU)

    GPT-OSS's experts are reached by neither: its adapters are of attention alone.
    Raises ConfigurationError where nothing is targeted.
    """
    reached = [matrix for matrix in anatomy.layer if is_targeted(matrix, anatomy, lora, experts=experts)]
    added = 0
    rank = 2 if experts == "doubled" else 1
    halves = {matrix.leaf for matrix in reached if matrix.part == "experts"} & {"gate_proj", "up_proj"}
    if len(halves) == 1 and anatomy.kind != "gpt_oss":
        raise ConfigurationError(
            f"lora.targets name {halves.pop()} of the experts alone; gate_proj and up_proj are one matrix"
        )
    for matrix in reached:
        width = matrix.inputs + matrix.outputs
        if matrix.part == "experts" and matrix.leaf == "gate_proj":
            width = rank * (matrix.inputs + 2 * matrix.outputs)
        elif matrix.part == "experts" and matrix.leaf == "up_proj":
            continue  # counted with its gate
        added += anatomy.layers * lora.r * width * matrix.copies
    outside = adapted_outside(lora)
    outermost = [matrix for matrix in (anatomy.embeddings, anatomy.lm_head) if matrix.leaf in outside]
    added += sum(lora.r * (matrix.inputs + matrix.outputs) for matrix in outermost)
    if added == 0:
        names = sorted({matrix.leaf for matrix in anatomy.layer if matrix.linear})
        raise ConfigurationError(f"lora.targets {lora.targets!r} name nothing; have {', '.join(names)}")
    biased = {"none": [], "all": list(anatomy.layer), "lora_only": reached}.get(lora.bias, [])
    return Trainable(
        lora=added,
        saved=sum(
            matrix.weights
            for matrix in (anatomy.embeddings, anatomy.lm_head)
            if matrix.leaf in lora.modules_to_save
        ),
        biases=anatomy.layers * sum(matrix.biases for matrix in biased),
    )


def is_targeted(matrix: Matrix, anatomy: Anatomy, lora: Lora, *, experts: Experts) -> bool:
    """Whether a LoRA with these targets reaches one of the layers' matrices."""
    if anatomy.kind == "gpt_oss" and not matrix.linear:
        return False
    if matrix.part == "router" and experts != "doubled":
        return False
    if lora.targets == "all-linear":
        return True
    return _named(lora.targets, f"model.layers.0.{matrix.name}")


def trains_head(lora: Lora) -> bool:
    """Whether the head is trained, whole or by a LoRA of its own: its weights alone then do not give logits.

    ``embed_tokens`` trained whole counts too, for many models' head is the same matrix.
    """
    return bool({"lm_head", "embed_tokens"} & {*lora.modules_to_save}) or "lm_head" in adapted_outside(lora)


def adapted_outside(lora: Lora) -> tuple[str, ...]:
    """Which of ``embed_tokens`` and ``lm_head`` have a LoRA of their own."""
    if lora.targets == "all-linear":
        return ()
    paths = ("model.embed_tokens", "lm_head")
    return tuple(path.rsplit(".", 1)[-1] for path in paths if _named(lora.targets, path))


def _named(targets: str | tuple[str, ...], path: str) -> bool:
    """Whether peft's rule finds it: a string is matched whole against the path, a list against its end."""
    if isinstance(targets, str):
        return re.fullmatch(targets, path) is not None
    return any(path == target or path.endswith("." + target) for target in targets)
