"""An adapter's folder, complete or not there at all: the trained one, and those of milestones on the way.

OUT/adapter                      the adapter, once the run is done
OUT/milestones/RUN/step-20       as it was after 20 steps; RUN: what a checkpoint depends on
"""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.text import digest
from harness.training.checkpoints import sha256_file, write_json
from harness.training.spec import Lora, TrainingSpec


@dataclass(frozen=True)
class Milestone:
    """The adapter after ``step`` steps; ``folder`` is told from the run's own."""

    step: int
    folder: str
    adapter_digest: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def save_adapter(model: Any, spec: TrainingSpec) -> Path:
    """``<out>/adapter`` as safetensors. A record that lies there goes first: it speaks of another adapter."""
    out = Path(spec.out)
    (out / "record.json").unlink(missing_ok=True)
    return _write(model, spec, out / "adapter")


def save_milestone(model: Any, spec: TrainingSpec, step: int) -> Path:
    """The adapter as it is now, under its step. A run that a kill threw back writes the same again."""
    return _write(model, spec, _milestones(spec) / f"step-{step}")


def kept_milestones(spec: TrainingSpec) -> list[Milestone]:
    """The milestones that were reached, in order; those of other runs in this folder are removed."""
    own = _milestones(spec)
    for folder in own.parent.glob("*"):
        if folder != own:
            shutil.rmtree(folder, ignore_errors=True)
    return [
        Milestone(
            step,
            str(folder.relative_to(spec.out)),
            adapter_digest(folder / "adapter_model.safetensors", spec.lora),
        )
        for step in sorted(spec.milestones)
        if (folder := own / f"step-{step}").is_dir()
    ]


def first_not_kept(spec: TrainingSpec) -> float:
    """The first milestone whose adapter does not lie there; infinity where all do.

    A run may be resumed from below it only: checkpoints do not depend on milestones, and may be from before
    this one was asked for.
    """
    own = _milestones(spec)
    return min((step for step in spec.milestones if not (own / f"step-{step}").is_dir()), default=math.inf)


def adapter_digest(weights: Path, lora: Lora) -> str:
    """sha256 over the adapter's weights and the scale they are applied with (alpha over r)."""
    return digest({"weights": sha256_file(weights), "r": lora.r, "alpha": lora.alpha})


def _milestones(spec: TrainingSpec) -> Path:
    return Path(spec.out) / "milestones" / spec.resumable()[:16]


def _write(model: Any, spec: TrainingSpec, folder: Path) -> Path:
    building = folder.with_name(f".{folder.name}.tmp")
    for stale in (building, folder):
        shutil.rmtree(stale, ignore_errors=True)
    model.save_pretrained(building, safe_serialization=True)
    (building / "README.md").unlink(missing_ok=True)  # a model card of empty headings
    config = json.loads((building / "adapter_config.json").read_text(encoding="utf-8"))
    for named in ("target_modules", "modules_to_save"):
        if isinstance(config.get(named), list):
            config[named].sort()  # a set upstream: its order changes from run to run
    config["base_model_name_or_path"] = spec.base_name  # a path of this machine helps nobody else
    write_json(building / "adapter_config.json", config)
    for path in building.iterdir():
        path.chmod(0o644)  # safetensors files are made for their owner's eyes only
    return building.rename(folder)
