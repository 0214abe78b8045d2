"""What a training run takes in memory, by part, from shapes alone.

Anatomy, TrainingSpec -> Memory

One step, micro batch of T = batch x seq_len tokens, gradient checkpointing (Chen and others 2016):

    bytes ^                       loss            backward, layer by layer
          |                      ######        ##   ##   ##
          |             ....oooooooooooooooooooooooooooooooooooo....      # logits, or one layer's working set
          |     ....oooo                                        oooo      o hidden states kept, one a layer
          |  ==========================================================   = weights, adapters, gradients,
          +-----------------------------------------------------> time      optimiser state

    peak = static + hidden + casts + max(layer, logits)   or static + the optimiser's scratch, if that is more

The bumps never stand on one another. ``peak`` is what a trainer's record calls so (the allocator's, or a
CPU process's resident memory). ``needed``, to be compared with free memory, adds what is lost between
blocks, the process itself, and a look at validation, whose logits of one example may be larger than the
step's. All in bytes. What was seen rather than derived stands in habits.py, in activations.py and just
below; ``tests/benchmarks/memory.py`` compares it with a card.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.models.precision import NF4_BYTES as NF4_BYTES
from harness.training.activations import are_stacked, loss_bytes, per_token, routed, weights_made
from harness.training.anatomy import Anatomy
from harness.training.habits import Habits, habits_of, in_4_bit, is_quantised
from harness.training.spec import TrainingSpec
from harness.training.trainable import Trainable, count_trainable

Kind = Literal["cuda", "cpu"]

FRAGMENTATION = 0.05
"""Share of the peak that lies unusable between blocks, by the allocator's own "reserved" on an H200."""

PROCESS_BYTES: dict[Kind, float] = {"cuda": 0.6e9, "cpu": 0.9e9}
"""A CUDA context with its libraries' workspaces; a Python process with torch and transformers."""


@dataclass(frozen=True)
class Memory:
    """Bytes by part. ``layer``, ``logits``, ``scratch`` and ``evaluation`` are never there together.

    ``casts``: the adapter once more in 16 bits, as autocast keeps it through a step.
    """

    kind: Kind
    weights: float
    adapters: float
    gradients: float
    optimiser: float
    hidden: float
    casts: float
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
        step = max(self.hidden + self.casts + max(self.layer, self.logits), self.scratch)
        return self.static + step + (self.process if self.kind == "cpu" else 0.0)

    @property
    def reserved(self) -> float:
        """What the allocator takes off the device over the whole run, the look at validation included."""
        return max(self.peak, self.static - self.gradients + self.evaluation) * (1 + FRAGMENTATION)

    @property
    def needed(self) -> float:
        """What must be free before it starts."""
        return self.reserved + (self.process if self.kind == "cuda" else 0.0)


def estimate(
    anatomy: Anatomy, spec: TrainingSpec, kind: Kind = "cuda", *, fused_head: bool = False
) -> Memory:
    """Memory of one process of this run, by part. ``fused_head``: trl's, as ``fuses_head`` finds it.

    Raises ConfigurationError where lora.targets name nothing.
    """
    habits = habits_of(spec)
    element = 4 if spec.dtype == "float32" else 2
    trained = count_trainable(anatomy, spec.lora, experts=habits.experts)
    added = trained.lora * habits.adapter_bytes
    saved = float(trained.saved * max(habits.copies_bytes, element))
    biases = float(trained.biases * max(habits.copies_bytes, element))
    slim = spec.optimizer != "adamw_torch"
    embeddings = anatomy.embeddings.weights if "embed_tokens" in spec.lora.modules_to_save else 0
    micro_batch = spec.share(max(len(spec.devices), 1)).batch
    tokens = micro_batch * spec.seq_len
    checkpointing = kind == "cuda" if spec.gradient_checkpointing is None else spec.gradient_checkpointing
    token = per_token(anatomy, spec, habits, element, kind)
    made = weights_made(anatomy, spec, habits, element)
    if checkpointing:
        away = habits.offloads_hidden or spec.offload
        hidden = (2.0 if away else anatomy.layers) * tokens * anatomy.hidden * element
        if habits.keeps_routed and are_stacked(anatomy):
            hidden += anatomy.layers * tokens * routed(anatomy, spec, habits, element)
        layer = habits.layer_factor * tokens * token.kept
    else:
        hidden = habits.layer_factor * tokens * token.kept * anatomy.layers
        layer = 0.0
    layer += max(habits.layer_factor * tokens * token.passing, made + tokens * token.entering)
    return Memory(
        kind=kind,
        weights=_weight_bytes(anatomy, spec, habits, element),
        adapters=added + saved,
        gradients=added + saved + biases,
        # Adam: two moments a parameter, of its own type, or 8 bits each with a 32-bit constant a block of 256
        # (Dettmers and others 2022); bitsandbytes keeps float32 moments of embeddings and of small tensors.
        optimiser=(
            (trained.lora + trained.saved - embeddings) * 2 * (1 + 4 / 256)
            + 8 * (embeddings + trained.biases)
            if slim
            else 2.0 * (added + saved + biases)
        ),
        hidden=hidden,
        casts=2.0 * trained.lora if habits.casts and kind == "cuda" and element == 2 else 0.0,
        layer=layer,
        logits=loss_bytes(anatomy, spec, habits, tokens, element, fused_head=fused_head)
        + tokens * anatomy.hidden * (element + 4),
        scratch=0.0 if slim else added + saved + biases,  # roots of the second moments, all at once
        evaluation=12.0 * spec.seq_len * anatomy.vocabulary,  # one example: bfloat16 twice, float32 twice
        trainable=trained,
    )


def _weight_bytes(anatomy: Anatomy, spec: TrainingSpec, habits: Habits, element: int) -> float:
    """The base's weights. In 4 bits only linear layers are; embeddings, lm_head, norms and biases stay."""
    four_bit = in_4_bit(anatomy, spec)
    rest = float(habits.unquantised_bytes if four_bit else element)
    outer = anatomy.embeddings.weights + (0 if anatomy.tied else anatomy.lm_head.weights)
    total = rest * (outer + anatomy.layers * anatomy.norms + anatomy.hidden)
    for matrix in anatomy.layer:
        total += anatomy.layers * matrix.biases * rest
        if not (four_bit and is_quantised(matrix, habits)):
            total += anatomy.layers * matrix.weights * rest
            continue
        kept = sum(_kept(anatomy, f"model.layers.{n}.{matrix.name}") for n in range(anatomy.layers))
        total += matrix.weights * (kept * rest + (anatomy.layers - kept) * NF4_BYTES)
    return total


def _kept(anatomy: Anatomy, path: str) -> bool:
    """Whether a quantised checkpoint left this matrix at 16 bits: it or something above it is named."""
    return any(f".{name}." in f".{path}." for name in anatomy.kept_16_bit)
