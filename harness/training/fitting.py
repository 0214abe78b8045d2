"""Does it fit? Chooses the device and how a step is cut into batches, or says what would fit instead.

TrainingSpec, devices -> Fit (device, spec with its split, memory)      or DoesNotFitError with remedies

A step of 8 examples is tried as 8 x 1, 4 x 2, 2 x 4, 1 x 8: the largest batch that fits is the fastest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import combinations

from harness.errors import ConfigurationError, MissingPrerequisiteError
from harness.training.anatomy import ATTENTION, Anatomy
from harness.training.devices import Device
from harness.training.habits import in_4_bit
from harness.training.memory import Memory, estimate
from harness.training.spec import TrainingSpec

_SHORTEST_OFFERED = 256
_REMEDIES_SHOWN = 4

_Change = Callable[[TrainingSpec], TrainingSpec]


@dataclass(frozen=True)
class Fit:
    """Where a run goes: ``spec`` has its batch and accumulation set and names the device."""

    device: Device
    spec: TrainingSpec
    memory: Memory


@dataclass(frozen=True)
class Remedy:
    """A change of the recipe, as one would write it, of how many keys, and the memory it would then take."""

    change: str
    keys: int
    spec: TrainingSpec
    memory: Memory


class DoesNotFitError(MissingPrerequisiteError):
    """No device has the memory. The message says what is free, what is needed, and what would fit."""

    def __init__(self, message: str, remedies: tuple[Remedy, ...]) -> None:
        self.remedies = remedies
        super().__init__(message)


def fit(
    anatomy: Anatomy,
    spec: TrainingSpec,
    devices: Sequence[Device],
    *,
    wanted: int | None = None,
    split_is_fixed: bool = False,
) -> Fit:
    """The device with the most free memory, or the ``wanted`` one, and the largest batch that fits on it.

    ``split_is_fixed``: batch and accumulation stay as they are (the recipe names ``micro_batch``).
    Raises MissingPrerequisiteError where there is no such device, or none for a 4-bit base, and
    DoesNotFitError where it does not fit.
    """
    device = choose_device(devices, wanted)
    if device.kind == "cpu" and in_4_bit(anatomy, spec):
        raise MissingPrerequisiteError(
            "a 4-bit base needs a CUDA device; set load_in_4bit: false and name a 16-bit base"
        )
    named = spec if device.kind == "cpu" else replace(spec, devices=(device.index,))
    for tried in [named] if split_is_fixed else splits(named):
        memory = _on(device, anatomy, tried)
        if memory.needed <= device.free:
            return Fit(device, tried, memory)
    found = remedies(anatomy, tried, device, split_is_fixed=split_is_fixed)
    raise DoesNotFitError(_refusal(tried, device, memory, found), found)


def choose_device(devices: Sequence[Device], wanted: int | None = None) -> Device:
    """The wanted device, else the one with the most free memory (of equals the first).

    Raises MissingPrerequisiteError naming those there are.
    """
    if wanted is None and devices:
        return max(devices, key=lambda device: (device.free, -device.index))
    for device in devices:
        if device.index == wanted:
            return device
    have = ", ".join(map(str, devices)) or "none"
    raise MissingPrerequisiteError(f"there is no device {wanted}; have {have}")


def splits(spec: TrainingSpec) -> Iterator[TrainingSpec]:
    """The same step cut into ever smaller batches: every divisor, from all at once down to one by one."""
    whole = spec.batch * spec.accumulation
    for batch in range(whole, 0, -1):
        if whole % batch == 0:
            yield replace(spec, batch=batch, accumulation=whole // batch)


def remedies(
    anatomy: Anatomy, spec: TrainingSpec, device: Device, *, split_is_fixed: bool = False
) -> tuple[Remedy, ...]:
    """What would fit, by the fewest changes: one, else two together, and so on. Empty where none would.

    Where the recipe fixes the split, a smaller one comes first: it costs time and nothing else.
    """
    tried = list(splits(spec))
    if not split_is_fixed or spec.batch == 1:
        return _fewest(anatomy, tried[-1], device)
    for smaller in tried:
        memory = _on(device, anatomy, smaller)
        if smaller.batch < spec.batch and memory.needed <= device.free:
            return (Remedy(f"micro_batch: {smaller.batch}", 1, smaller, memory),)
    as_it_is = _fewest(anatomy, spec, device)
    one_by_one = _fewest(anatomy, tried[-1], device, ("micro_batch: 1",))
    return min((as_it_is, one_by_one), key=lambda found: found[0].keys if found else math.inf)


def _fewest(
    anatomy: Anatomy, spec: TrainingSpec, device: Device, already: tuple[str, ...] = ()
) -> tuple[Remedy, ...]:
    """The smallest sets of changes to this spec that fit; ``already``: what was changed to get to it."""
    changes = _changes(anatomy, spec, device)
    for count in range(1, len(changes) + 1):
        found = []
        for chosen in combinations(changes, count):
            changed = reduce(lambda so_far, name: changes[name](so_far), chosen, spec)
            try:
                memory = _on(device, anatomy, changed)
            except ConfigurationError:
                continue
            if memory.needed <= device.free:
                said = (*already, *chosen)
                found.append(Remedy(", ".join(said), len(said), changed, memory))
        if found:
            return tuple(found[:_REMEDIES_SHOWN])
    return ()


def _on(device: Device, anatomy: Anatomy, spec: TrainingSpec) -> Memory:
    return estimate(anatomy, spec, device.kind, fused_head=device.fuses_head)


def _changes(anatomy: Anatomy, spec: TrainingSpec, device: Device) -> dict[str, _Change]:
    """What could be written otherwise in the recipe, least harm first."""
    shorter = spec.seq_len // 2
    cuda = device.kind == "cuda"
    offered: list[tuple[bool, str, _Change]] = [
        (
            cuda and spec.optimizer == "adamw_torch",
            "optimizer: adamw_8bit",
            lambda spec: replace(spec, optimizer="adamw_8bit"),
        ),
        (
            cuda and spec.trainer != "unsloth_lora",
            "trainer: unsloth_lora",
            lambda spec: replace(spec, trainer="unsloth_lora"),
        ),
        (
            cuda and not in_4_bit(anatomy, spec),
            "load_in_4bit: true",
            lambda spec: replace(spec, load_in_4bit=True),
        ),
        (
            bool(spec.lora.modules_to_save),
            "lora.modules_to_save: []",
            lambda spec: replace(spec, lora=replace(spec.lora, modules_to_save=())),
        ),
        (
            isinstance(spec.lora.targets, str) or not set(spec.lora.targets) <= set(ATTENTION),
            f"lora.targets: [{', '.join(ATTENTION)}]",
            lambda spec: replace(spec, lora=replace(spec.lora, targets=ATTENTION)),
        ),
        (
            shorter >= _SHORTEST_OFFERED,
            f"seq_len: {shorter}",
            lambda spec: replace(spec, seq_len=shorter),
        ),
    ]
    return {said: change for applies, said, change in offered if applies}


def _refusal(spec: TrainingSpec, device: Device, memory: Memory, remedies: tuple[Remedy, ...]) -> str:
    parts = ("weights", "adapters", "gradients", "optimiser", "casts", "activations", "logits")
    taken = {part: getattr(memory, part) for part in parts}
    by_part = ", ".join(f"{part} {size / 1e9:.1f}" for part, size in taken.items() if size or part != "casts")
    lines = [
        f"{spec.base_name} does not fit {device}: {memory.needed / 1e9:.1f} GB needed with batch "
        f"{spec.batch} x {spec.accumulation}, {device.free / 1e9:.1f} of {device.total / 1e9:.1f} GB free",
        f"  it would take {by_part} GB; {memory.trainable.total / 1e6:,.0f} M parameters are trained",
    ]
    held = device.total - device.free
    if held > 0.05 * device.total:
        who = "nvidia-smi names them" if device.kind == "cuda" else "see top"
        lines.append(
            f"  {held / 1e9:.1f} GB are held by other programs, which cannot be told apart here ({who})"
        )
    if not remedies:
        lines.append("  no change of the recipe would make it fit; a larger device is needed")
    lines += [f"  would fit: {remedy.change}  ({remedy.memory.needed / 1e9:.1f} GB)" for remedy in remedies]
    return "\n".join(lines)
