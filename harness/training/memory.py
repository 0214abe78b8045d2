"""What a training run takes in memory, by part, from shapes alone; what to try when it was not enough.

Anatomy, TrainingSpec -> Memory        TrainingSpec --out of memory--> TrainingSpec, smaller

One step, micro batch of T = batch x seq_len tokens, gradient checkpointing (Chen and others 2016):

    bytes ^                       loss            backward, layer by layer
          |                      ######        ##   ##   ##
          |             ....oooooooooooooooooooooooooooooooooooo....      # logits, or one layer's working set
          |     ....oooo                                        oooo      o hidden states kept, one a layer
          |  ==========================================================   = weights, adapters, gradients,
          +-----------------------------------------------------> time      optimiser state

    peak = static + hidden + max(layer, logits)        or static + the optimiser's scratch, if that is more

The bumps never stand on one another. ``peak`` is what a trainer's record calls so (the allocator's, or a
CPU process's resident memory). ``needed``, to be compared with free memory, adds what is lost between
blocks, the process itself, and a look at validation, whose logits of one example may be larger than the
step's. All in bytes. Constants that were fitted rather than derived stand in ``HABITS`` and just below;
``tests/benchmarks/memory.py`` prints what they should be.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from harness.models.precision import NF4_BYTES as NF4_BYTES
from harness.training.anatomy import Anatomy, Matrix
from harness.training.spec import TrainingSpec
from harness.training.trainable import Trainable, count_trainable, is_targeted, trains_head

Kind = Literal["cuda", "cpu"]

FRAGMENTATION = 0.05
"""Share of the peak that lies unusable between blocks, by the allocator's own "reserved" on an H200."""

PROCESS_BYTES: dict[Kind, float] = {"cuda": 0.6e9, "cpu": 0.9e9}
"""A CUDA context with its libraries' workspaces; a Python process with torch and transformers."""

SHORTEST = 128
"""Sequences are never cut below this: hardly an answer would be left."""


@dataclass(frozen=True)
class Habits:
    """How a trainer spends memory. ``layer_factor`` multiplies one layer's working set as counted below.

    The loss runs over ``max(loss_rows, loss_share x T)`` tokens at a time, ``loss_bytes`` a logit.
    """

    layer_factor: float
    loss_rows: int
    loss_share: float
    loss_bytes: float
    offloads_hidden: bool
    fused_experts: bool
    quantises_experts: bool
    adapter_bytes: int = 4
    float32_copies: bool = False
    unquantised_bytes: int = 2


HABITS: dict[str, Habits] = {
    # trl's chunked loss: 256 tokens; bfloat16, float32, log-softmax, its gradient and the entropy's copies.
    "peft_lora": Habits(1.0, 256, 0.0, 26.0, False, True, False),
    # Unsloth: hidden states wait in the host's memory, kernels keep less, the loss takes an eighth at once.
    "unsloth_lora": Habits(0.72, 512, 1 / 8, 8.0, True, False, True, float32_copies=True),
}
"""By trainer; one that is not here is taken for peft_lora."""


@dataclass(frozen=True)
class Memory:
    """Bytes by part. ``layer``, ``logits``, ``scratch`` and ``evaluation`` are never there together."""

    kind: Kind
    weights: float
    adapters: float
    gradients: float
    optimiser: float
    hidden: float
    layer: float
    logits: float
    scratch: float
    evaluation: float
    trainable: Trainable

    @property
    def static(self) -> float:
        return self.weights + self.adapters + self.gradients + self.optimiser

    @property
    def activations(self) -> float:
        return self.hidden + self.layer

    @property
    def process(self) -> float:
        return PROCESS_BYTES[self.kind]

    @property
    def peak(self) -> float:
        """The most held at once while training: what the trainer's record will show."""
        step = max(self.hidden + max(self.layer, self.logits), self.scratch)
        return self.static + step + (self.process if self.kind == "cpu" else 0.0)

    @property
    def reserved(self) -> float:
        """What the allocator takes off the device over the whole run, the look at validation included."""
        return max(self.peak, self.static - self.gradients + self.evaluation) * (1 + FRAGMENTATION)

    @property
    def needed(self) -> float:
        """What must be free before it starts."""
        return self.reserved + (self.process if self.kind == "cuda" else 0.0)


def habits_of(spec: TrainingSpec) -> Habits:
    return HABITS.get(spec.trainer or "peft_lora", HABITS["peft_lora"])


def estimate(anatomy: Anatomy, spec: TrainingSpec, kind: Kind = "cuda") -> Memory:
    """Memory of one process of this run, by part.

    Raises ConfigurationError where lora.targets name nothing.
    """
    habits = habits_of(spec)
    element = 4 if spec.dtype == "float32" else 2
    trained = count_trainable(anatomy, spec.lora, fused_experts=habits.fused_experts)
    added = trained.lora * habits.adapter_bytes
    saved = trained.saved * (4 if habits.float32_copies or in_4_bit(anatomy, spec) else element)
    biases = trained.biases * element
    slim = spec.optimizer != "adamw_torch"
    micro_batch = spec.share(max(len(spec.devices), 1)).batch
    tokens = micro_batch * spec.seq_len
    checkpointing = kind == "cuda" if spec.gradient_checkpointing is None else spec.gradient_checkpointing
    per_token = _per_token(anatomy, spec, habits, element, kind)
    if checkpointing:
        away = habits.offloads_hidden or spec.offload
        hidden = (2.0 if away else anatomy.layers) * tokens * anatomy.hidden * element
        layer = habits.layer_factor * tokens * (per_token.kept + per_token.passing)
    else:
        hidden = habits.layer_factor * tokens * per_token.kept * anatomy.layers
        layer = habits.layer_factor * tokens * per_token.passing
    return Memory(
        kind=kind,
        weights=_weight_bytes(anatomy, spec, habits, element),
        adapters=added + saved,
        gradients=added + saved + biases,
        # Adam: two moments a parameter, of its own type, or 8 bits each with a 32-bit constant a block of 256
        # (Dettmers and others 2022); full copies keep float32 moments there, as bitsandbytes does embeddings.
        optimiser=(
            trained.lora * 2 * (1 + 4 / 256) + 8 * (trained.saved + trained.biases)
            if slim
            else 2.0 * (added + saved + biases)
        ),
        hidden=hidden,
        layer=layer + _weights_made(anatomy, spec, habits, element),
        logits=_loss_bytes(anatomy, spec, habits, tokens) + tokens * anatomy.hidden * (element + 4),
        scratch=0.0 if slim else added + saved + biases,  # roots of the second moments, all at once
        evaluation=12.0 * spec.seq_len * anatomy.vocabulary,  # one example: bfloat16 twice, float32 twice
        trainable=trained,
    )


def _loss_bytes(anatomy: Anatomy, spec: TrainingSpec, habits: Habits, tokens: int) -> float:
    """Logits and what is computed from them. Where peft trains the head itself they are all there at once:
    in the weights' type, in float32, and their gradient, 2 + 4 + 4 bytes.
    """
    if habits.loss_share == 0 and trains_head(spec.lora):
        return 10.0 * tokens * anatomy.vocabulary
    rows = min(tokens, max(habits.loss_rows, math.ceil(habits.loss_share * tokens)))
    return rows * anatomy.vocabulary * habits.loss_bytes


def _weight_bytes(anatomy: Anatomy, spec: TrainingSpec, habits: Habits, element: int) -> float:
    """The base's weights. In 4 bits only linear layers are; embeddings, lm_head, norms and biases stay."""
    four_bit = in_4_bit(anatomy, spec)
    rest = float(habits.unquantised_bytes if four_bit else element)
    outer = anatomy.embeddings.weights + (0 if anatomy.tied else anatomy.lm_head.weights)
    total = rest * (outer + anatomy.layers * anatomy.norms + anatomy.hidden)
    for matrix in anatomy.layer:
        total += anatomy.layers * matrix.biases * rest
        if not (four_bit and _quantised(matrix, habits)):
            total += anatomy.layers * matrix.weights * rest
            continue
        kept = sum(_kept(anatomy, f"model.layers.{n}.{matrix.name}") for n in range(anatomy.layers))
        total += matrix.weights * (kept * rest + (anatomy.layers - kept) * NF4_BYTES)
    return total


def in_4_bit(anatomy: Anatomy, spec: TrainingSpec) -> bool:
    """Whether the base is held in NF4: asked for, or stored so. MXFP4 (GPT-OSS) is unpacked for training."""
    return spec.load_in_4bit or anatomy.quantised == "bitsandbytes"


def _quantised(matrix: Matrix, habits: Habits) -> bool:
    return matrix.linear or (matrix.part == "experts" and habits.quantises_experts)


def _kept(anatomy: Anatomy, path: str) -> bool:
    """Whether a quantised checkpoint left this matrix at 16 bits: it or something above it is named."""
    return any(f".{name}." in f".{path}." for name in anatomy.kept_16_bit)


@dataclass(frozen=True)
class _PerToken:
    """Bytes a token takes in one layer: ``kept`` until its backward pass, ``passing`` only during it."""

    kept: float
    passing: float


def _per_token(anatomy: Anatomy, spec: TrainingSpec, habits: Habits, element: int, kind: Kind) -> _PerToken:
    """What autograd keeps of one token in one layer of transformers' modelling code, frozen weights.

        norms       their input in float32, twice                     8 d
        q/k norms   the same for queries and keys                     4 (a + k)
        LoRA        the input of every adapted matrix, a copy each    e (sum of inputs)
        attention   q, k, v (repeated to all heads) and the output    4 e a
        MLP         gate, silu(gate), up                              3 e f
        passing     gradients of the MLP and a float32 copy           e (4 f + 3 d)

    e = bytes an element. Counted with one token's experts as one MLP, whose inputs are gathered twice. On a
    CPU the attention weights are kept too (no flash attention), and LoRA's inputs in float32 (no autocast).
    """
    hidden, width = anatomy.hidden, anatomy.mlp_width
    uses = {matrix.name: anatomy.experts_used if matrix.part == "experts" else 1 for matrix in anatomy.layer}
    adapted = sum(
        matrix.inputs * uses[matrix.name]
        for matrix in anatomy.layer
        if is_targeted(matrix, anatomy, spec.lora, fused_experts=habits.fused_experts)
    )
    kept = 8.0 * hidden + element * (4 * anatomy.query_width + 3 * width)
    kept += (4 if kind == "cpu" else element) * adapted
    if anatomy.query_key_norms:
        kept += 4 * (anatomy.query_width + anatomy.key_width)
    if anatomy.experts:
        kept += 2 * element * anatomy.experts_used * hidden
    if kind == "cpu":
        kept += _CPU_ATTENTION_BYTES * anatomy.heads * spec.seq_len
    return _PerToken(kept, element * (4.0 * width + 3 * hidden))


_CPU_ATTENTION_BYTES = 5
"""A token, head and position looked at; fitted to SmolLM2-135M at 4 x 256 and 4 x 512 (2.9 and 5.1 GB)."""


def _weights_made(anatomy: Anatomy, spec: TrainingSpec, habits: Habits, element: int) -> float:
    """Weights written out while a layer runs: the largest of a 4-bit layer, and experts with a LoRA added.

    peft adds the LoRA of a 3-D parameter to a copy of the whole parameter: experts, their change, the sum.
    """
    made = 0
    if in_4_bit(anatomy, spec):
        made = max(matrix.inputs * matrix.outputs for matrix in anatomy.layer if _quantised(matrix, habits))
    if habits.fused_experts:
        made += 3 * sum(
            matrix.weights
            for matrix in anatomy.layer
            if matrix.part == "experts" and is_targeted(matrix, anatomy, spec.lora, fused_experts=True)
        )
    return made * element


def next_attempt(spec: TrainingSpec, allow_degrade: bool = False) -> TrainingSpec | None:
    """The spec to try after this one went out of memory, or None where nothing is left.

        batch 4 x 2  ->  2 x 4  ->  1 x 8  ->  1 x 8, offloaded  ->  sequences halved, if that is allowed

    A step keeps its examples: what the batch loses, the accumulation gains. ``degraded`` says in words what
    was changed. Offloading is for gradient checkpointing's hidden states, which Unsloth always does.
    """
    if spec.batch > 1:
        by = next(factor for factor in range(2, spec.batch + 1) if spec.batch % factor == 0)
        batch, accumulation = spec.batch // by, spec.accumulation * by
        said = f"batch {spec.batch} x {spec.accumulation} -> {batch} x {accumulation}"
        return replace(spec, batch=batch, accumulation=accumulation, degraded=(*spec.degraded, said))
    if not spec.offload and not habits_of(spec).offloads_hidden:
        return replace(spec, offload=True, degraded=(*spec.degraded, "activations offloaded"))
    shorter = max(spec.seq_len // 2, SHORTEST)
    if allow_degrade and shorter < spec.seq_len:
        said = f"seq_len {spec.seq_len} -> {shorter}"
        return replace(spec, seq_len=shorter, degraded=(*spec.degraded, said))
    return None
