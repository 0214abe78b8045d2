"""What a trainer leaves beside the adapter: a record of what it took.

facts --write_record--> OUT/record.json, written last
"""

from __future__ import annotations

import importlib.metadata
import math
import platform
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import StylobenchError
from harness.training.checkpoints import write_json
from harness.training.evaluation import VALIDATION_EXAMPLES
from harness.training.loop import History
from harness.training.program import place
from harness.training.reading import Splits
from harness.training.saving import adapter_digest, kept_milestones
from harness.training.spec import TrainingSpec

LIBRARIES = ("accelerate", "bitsandbytes", "datasets", "peft", "torch", "transformers", "trl", "unsloth")


@dataclass(frozen=True)
class Memory:
    """In units of 10^9 bytes: the GPU's where one is used, else what is resident on the host.

    ``peak`` was the most held at once, ``base`` after loading the base alone; their difference is what
    training took. ``reserved`` is what the allocator took off the card, ``card`` the card's whole size;
    both None without a GPU.
    """

    peak: float
    base: float
    reserved: float | None = None
    card: float | None = None

    @property
    def card_percent(self) -> float | None:
        """Percent of the card taken at the peak, fragmentation included."""
        return 100 * self.reserved / self.card if self.card and self.reserved is not None else None


@dataclass(frozen=True)
class Sides:
    """One thing measured before training (adapter off) and after (adapter on); NaN: nothing to measure."""

    before: float
    after: float


@dataclass(frozen=True)
class Sample:
    """What the model answered to a prompt before and after."""

    prompt: str
    before: str
    after: str


def memory_held_gb() -> float:
    """Memory held now, in units of 10^9 bytes; on a CPU the most held so far, which loading just reached."""
    import torch

    if torch.cuda.is_available():
        return float(torch.cuda.memory_allocated()) / 1e9
    return _resident_peak_gb()


def measure_memory(base_gb: float) -> Memory:
    """The peak since the process began, beside what the base alone took."""
    import torch

    if not torch.cuda.is_available():
        return Memory(_resident_peak_gb(), base_gb)
    return Memory(
        peak=float(torch.cuda.max_memory_allocated()) / 1e9,
        base=base_gb,
        reserved=float(torch.cuda.max_memory_reserved()) / 1e9,
        card=float(torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory) / 1e9,
    )


def check_loss(history: History) -> None:
    """Raises StylobenchError where training has blown up."""
    if not history.losses or not math.isfinite(history.losses[-1]):
        raise StylobenchError(
            f"the loss is {history.losses[-1:]} after {history.steps} steps; use a lower lr"
        )


def write_record(
    trainer: str,
    spec: TrainingSpec,
    splits: Splits,
    history: History,
    memory: Memory,
    validation: Sides,
    samples: Sequence[Sample],
    trainable: int,
) -> dict[str, Any]:
    """Write ``<out>/record.json``; its presence says that the run is finished.

    ``minutes`` led to the adapter, ``minutes_lost`` were computed twice; ``gpu_hours`` count both, for every
    GPU. ``final_loss`` is the last logged, ``mean_loss`` that of the whole run.
    """
    weights = Path(spec.out) / "adapter" / "adapter_model.safetensors"
    processes = place().processes
    card = gpu()
    record = {
        "trainer": trainer,
        "spec_digest": spec.digest(),
        "base": spec.base_name,
        "base_digest": spec.base_digest,
        "corpus": spec.corpus,
        "version": spec.version,
        "examples_digest": Path(spec.examples).name,
        "train_examples": len(splits.train),
        "steps": history.steps,
        "epochs": history.epochs,
        "resumed_from": history.resumed_from,
        "minutes": history.seconds / 60,
        "minutes_lost": history.seconds_lost / 60,
        "seconds_per_step": history.seconds / history.steps,
        "tokens_per_second": _or_none(history.tokens_per_second),
        "mean_loss": sum(history.losses) / len(history.losses),
        "final_loss": history.losses[-1],
        "loss_curve": [list(point) for point in zip(history.logged_steps, history.losses, strict=True)],
        "validation_loss": {"before": _or_none(validation.before), "after": _or_none(validation.after)},
        "validation_examples": min(len(splits.validation), VALIDATION_EXAMPLES),
        "validation_curve": [look.as_json() for look in history.looks],
        "kept": None if history.kept is None else history.kept.as_json(),
        "under_ceiling": None
        if history.kept is None or spec.max_copied is None
        else (history.kept.copied or 0.0) <= spec.max_copied,
        "peak_memory_gb": memory.peak,
        "base_memory_gb": memory.base,
        "training_memory_gb": memory.peak - memory.base,
        "reserved_memory_gb": memory.reserved,
        "card_memory_gb": memory.card,
        "card_percent": memory.card_percent,
        "adapter_mb": weights.stat().st_size / 1e6,
        "adapter_digest": adapter_digest(weights, spec.lora),
        "milestones": [milestone.as_json() for milestone in kept_milestones(spec)],
        "trainable_parameters": trainable,
        "samples": [vars(sample) for sample in samples],
        "seed": spec.seed,
        "device": card.name if card else "cpu",
        "driver": card.driver if card else None,
        "devices": processes,
        "gpu_hours": (history.seconds + history.seconds_lost) / 3600 * processes if card else None,
        "degraded": list(spec.degraded),
        "versions": _versions() | {"python": platform.python_version()},
    }
    write_json(Path(spec.out) / "record.json", record)
    return record


@dataclass(frozen=True)
class Gpu:
    """``driver`` is empty where nothing tells it."""

    name: str
    driver: str


def gpu() -> Gpu | None:
    """The card in use, or None."""
    import torch

    if not torch.cuda.is_available():
        return None
    asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        said = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        said = ""
    return Gpu(torch.cuda.get_device_name(), said.split("\n", 1)[0].strip())


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _resident_peak_gb() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
