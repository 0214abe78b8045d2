"""What to try after a run went out of memory: the same step in smaller batches, then less exact ways.

TrainingSpec --out of memory--> TrainingSpec, smaller
"""

from __future__ import annotations

from dataclasses import replace

from harness.training.habits import habits_of
from harness.training.spec import TrainingSpec

SHORTEST = 128
"""Sequences are never cut below this: hardly an answer would be left."""


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
