"""What a layer and the loss hold while they are computed, in bytes, from shapes alone.

    one step:   forward ... | loss | backward: a layer runs again, then back through it
                             logits            kept + max(passing, weights written out + entering)

Counted from transformers' modelling code, and held against a GPU in tests/training/test_memory.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.training.anatomy import Anatomy
from harness.training.habits import Habits, in_4_bit, is_quantised
from harness.training.spec import TrainingSpec
from harness.training.trainable import is_targeted, trains_head


@dataclass(frozen=True)
class PerToken:
    """Bytes a token takes in one layer: ``kept`` until its backward pass, ``passing`` only during it,
    ``entering`` of that while the first of its matrices is used.
    """

    kept: float
    passing: float
    entering: float


def per_token(anatomy: Anatomy, spec: TrainingSpec, habits: Habits, element: int, kind: str) -> PerToken:
    """What autograd keeps of one token in one layer of transformers' modelling code, frozen weights.

        norms       their input in float32, twice                     8 d
        q/k norms   the same for queries and keys                     4 (a + k)
        attention   q and the output, k and v                         e (2 a + 2 k)
        MLP         gate, silu(gate), up                              3 e f
        LoRA        the input of q, k, v; of gate and up; of down     e (d + d + f)
        passing     gradients of gate, up and the layer's input       e (2 f + d)

    e = bytes an element; d, a, k, f = widths of the layer, of queries, keys and MLP. What LoRA's matrices
    share is kept once; with dropout each has its own, and a mask of one byte. One token's experts count as
    one MLP, whose outputs are weighted one by one. GPT-OSS clamps, which keeps more, and its attention keeps
    weights. On a CPU all attention keeps them, and LoRA's inputs are float32. Agrees with what
    ``torch.autograd.graph.saved_tensors_hooks`` counts (tests/training/test_activations.py).
    """
    hidden, width = anatomy.hidden, anatomy.mlp_width
    kept = 8.0 * hidden + element * 2 * (anatomy.query_width + anatomy.key_width)
    passing = element * (2.0 * width + hidden)
    if anatomy.query_key_norms:
        kept += 4 * (anatomy.query_width + anatomy.key_width)
    kept += element * (7 if anatomy.kind == "gpt_oss" else 3) * width
    if anatomy.experts and anatomy.kind != "gpt_oss":
        kept += element * anatomy.experts_used * hidden
    kept += _adapted_inputs(anatomy, spec, habits, element, kind)
    if kind == "cpu":
        kept += _CPU_ATTENTION_BYTES * anatomy.heads * spec.seq_len
    elif anatomy.kind == "gpt_oss":  # eager: softmax over all positions, and two gradients of it
        kept += element * anatomy.heads * spec.seq_len
        kept += element * 2 * (anatomy.query_width - anatomy.key_width)  # keys and values for every head
        passing += 2 * element * anatomy.heads * spec.seq_len
    return PerToken(kept, passing, element * (width + hidden))


def _adapted_inputs(anatomy: Anatomy, spec: TrainingSpec, habits: Habits, element: int, kind: str) -> float:
    """Bytes a token that LoRA's first matrices keep, for their own gradients."""
    adapted = [
        matrix for matrix in anatomy.layer if is_targeted(matrix, anatomy, spec.lora, experts=habits.experts)
    ]
    uses = {matrix.name: anatomy.experts_used if matrix.part == "experts" else 1 for matrix in adapted}
    apart = float(sum(matrix.inputs * uses[matrix.name] for matrix in adapted))
    if kind == "cpu":
        return (4 + (element if spec.lora.dropout else 0)) * apart  # a mask as wide as what it masks
    if spec.lora.dropout:
        return (element + 1) * apart
    # The output of attention, which o_proj reads, is kept anyway.
    shared = {
        matrix.part if matrix.leaf != "down_proj" else matrix.name: matrix.inputs * uses[matrix.name]
        for matrix in adapted
        if matrix.leaf != "o_proj"
    }
    return float(element * sum(shared.values()))


_CPU_ATTENTION_BYTES = 5
"""A token, head and position looked at; fitted to SmolLM2-135M at 4 x 256 and 4 x 512 (2.9 and 5.1 GB)."""


def are_stacked(anatomy: Anatomy) -> bool:
    """Whether a layer's experts are two 3-D parameters; GPT-OSS's are taken one by one when quantised."""
    return anatomy.experts > 0 and anatomy.kind != "gpt_oss"


def routed(anatomy: Anatomy, spec: TrainingSpec, habits: Habits, element: int) -> float:
    """Bytes a token leaves in every layer of a mixture although the layer is checkpointed; seen on an H200
    with Unsloth's compiled layers: what gate and up came to, and with LoRA on experts what goes in and out.
    """
    if not _adapts_experts(anatomy, spec, habits):
        return 2.0 * element * anatomy.mlp_width
    attention = 2 * (anatomy.query_width + anatomy.key_width)
    gathered = (anatomy.experts_used + 2) * anatomy.hidden
    return float(element * (3 * anatomy.mlp_width + gathered + attention))


def weights_made(anatomy: Anatomy, spec: TrainingSpec, habits: Habits, element: int) -> float:
    """Weights written out while a layer runs: the largest of a 4-bit layer, and experts with a LoRA added.

    Experts in 4 bits are unpacked all together. peft adds the LoRA of a 3-D parameter to a copy of the whole
    parameter: both sums stay until the layer's backward pass, the change of the larger is there beside them.
    """
    experts = float(sum(matrix.weights for matrix in anatomy.layer if matrix.part == "experts"))
    made = 0.0
    if in_4_bit(anatomy, spec):
        made = max(matrix.inputs * matrix.outputs for matrix in anatomy.layer if is_quantised(matrix, habits))
        if habits.quantises_experts and are_stacked(anatomy):
            made = max(made, experts)
    if not habits.quantises_experts and _adapts_experts(anatomy, spec, habits):
        made += experts * (1 + 2 / 3)  # gate and up, one parameter, are two thirds
    return made * element


def _adapts_experts(anatomy: Anatomy, spec: TrainingSpec, habits: Habits) -> bool:
    return any(
        matrix.part == "experts" and is_targeted(matrix, anatomy, spec.lora, experts=habits.experts)
        for matrix in anatomy.layer
    )


def loss_bytes(
    anatomy: Anatomy, spec: TrainingSpec, habits: Habits, tokens: int, element: int, *, fused_head: bool
) -> float:
    """Logits and what is computed from them; with a head that is trained over several batches, its gradient
    beside the one so far.

    trl 1.15 takes logits in tiles. Before, they are all there at once where peft trains the head: in 16 bits,
    in float32, and their gradient.
    """
    vocabulary = anatomy.vocabulary
    head = trains_head(spec.lora)
    several = spec.share(max(len(spec.devices), 1)).accumulation > 1
    gradient = float(habits.copies_bytes * anatomy.lm_head.weights if head and several else 0)
    if habits.loss_share == 0 and fused_head:
        return element * min(tokens, _TILE_TOKENS) * min(vocabulary, _TILE_WORDS) + gradient
    if habits.loss_share == 0 and head:
        return max(10.0 * tokens * vocabulary, 2.0 * tokens * vocabulary + gradient)
    rows = min(tokens, max(habits.loss_rows, math.ceil(habits.loss_share * tokens)))
    return rows * vocabulary * habits.loss_bytes + gradient


_TILE_TOKENS, _TILE_WORDS = 4096, 32768
"""trl 1.15's ``TOKEN_CHUNK_SIZE`` and ``_CHUNKED_LOGPROB_CHUNK_SIZE``."""
