"""How each trainer spends memory: what it keeps, casts, quantises and offloads. Seen, not derived.

TrainingSpec -> Habits
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import metadata

from harness.training.anatomy import Anatomy, Matrix
from harness.training.spec import TrainingSpec
from harness.training.trainable import Experts


@dataclass(frozen=True)
class Habits:
    """How a trainer spends memory.

    ``layer_factor`` multiplies one layer's working set as activations.py counts it. The loss runs over
    ``max(loss_rows, loss_share x T)`` tokens at a time, ``loss_bytes`` a logit. ``keeps_routed``: what the
    experts come to outlives gradient checkpointing. ``copies_bytes``: a weight of ``modules_to_save``, as it
    is trained. ``casts``: the adapter is cast to 16 bits once a step.
    """

    layer_factor: float
    loss_rows: int
    loss_share: float
    loss_bytes: float
    offloads_hidden: bool
    experts: Experts
    quantises_experts: bool
    keeps_routed: bool
    copies_bytes: int
    casts: bool
    adapter_bytes: int = 4
    unquantised_bytes: int = 2


HABITS: dict[str, Habits] = {
    # trl 1.14's chunked loss: 256 tokens; bfloat16, float32, log-softmax, its gradient, the entropy's copies.
    "peft_lora": Habits(1.0, 256, 0.0, 26.0, False, "doubled", False, False, copies_bytes=4, casts=True),
    # Unsloth: hidden states wait in the host's memory, the loss takes an eighth of the tokens at once.
    "unsloth_lora": Habits(1.05, 512, 1 / 8, 8.0, True, "one", True, True, copies_bytes=2, casts=False),
}
"""By trainer; one that is not here is taken for peft_lora."""


def habits_of(spec: TrainingSpec) -> Habits:
    return HABITS.get(spec.trainer or "peft_lora", HABITS["peft_lora"])


def fuses_head() -> bool:
    """Whether the trl of this interpreter never writes out logits (1.15 and later); False without trl."""
    try:
        found = re.match(r"(\d+)(?:\.(\d+))?", metadata.version("trl"))
    except metadata.PackageNotFoundError:
        return False
    return found is not None and (int(found[1]), int(found[2] or 0)) >= (1, 15)


def in_4_bit(anatomy: Anatomy, spec: TrainingSpec) -> bool:
    """Whether the base is held in NF4: asked for, or stored so. MXFP4 (GPT-OSS) is unpacked for training."""
    return spec.load_in_4bit or anatomy.quantised == "bitsandbytes"


def is_quantised(matrix: Matrix, habits: Habits) -> bool:
    return matrix.linear or (matrix.part == "experts" and habits.quantises_experts)
