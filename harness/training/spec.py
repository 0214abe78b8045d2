"""What a trainer program is told: one frozen record, written as ``spec.json``.

recipe, examples, base --> TrainingSpec --asdict--> spec.json --from_json--> a trainer, in any interpreter

Its digest names the run: equal digests lead to the same adapter, so a finished run is found again, and a
checkpoint is only ever resumed by the run that wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from harness.errors import ConfigurationError, nearest
from harness.text import digest
from harness.training.checkpoints import sha256_file

DTYPES = ("bfloat16", "float32")
OPTIMIZERS = ("adamw_torch", "adamw_8bit", "paged_adamw_8bit")
KEEPS = ("last", "best_validation")
BIASES = ("none", "all", "lora_only")

_PLACES = {
    "base_path",
    "out",
    "save_steps",
    "save_total_limit",
    "devices",
    "offload",
    "degraded",
    "tensorboard",
    "milestones",
}
"""Where and how a run is carried out, and what is kept of it on the way; none of it decides the adapter."""

_LATER = {
    *("trainer", "load_in_4bit", "packing", "optimizer", "gradient_checkpointing", "keep", "eval_steps"),
    *("max_copied", "continue_from", "template", "bias", "modules_to_save", "program"),
}
"""Keys that runs finished before they were there lack: a digest covers them only off their default."""


@dataclass(frozen=True)
class Lora:
    """LoRA's settings (Hu and others, 2021); ``targets``: module names, or ``all-linear``.

    ``bias``: which biases are trained too. ``modules_to_save``: modules trained whole, as full copies.
    """

    r: int = 16
    alpha: int = 16
    dropout: float = 0.0
    targets: tuple[str, ...] | str = "all-linear"
    bias: str = "none"
    modules_to_save: tuple[str, ...] = ()


@dataclass(frozen=True)
class Share:
    """What one of several processes takes of a step: ``accumulation`` batches of ``batch`` examples."""

    batch: int
    accumulation: int


@dataclass(frozen=True)
class TrainingSpec:
    """Everything a trainer needs, as it stands in ``spec.json``.

    ``examples`` is an artefact folder named by its digest, ``out`` the run's folder. Exactly one of
    ``steps`` and ``epochs`` is set. One step takes ``batch * accumulation`` examples, however many devices.
    ``warmup_steps`` are steps, ``lr`` the highest learning rate, ``dtype`` that of the base's weights.
    ``trainer``: the program's name, "" being peft_lora. ``program``: sha256 of one of the user's own, "" for
    a shipped one. ``continue_from``: an adapter's folder to go on from.
    ``gradient_checkpointing``: None is on where there is a GPU. ``eval_steps``: steps between two looks at
    the validation examples; None is never, or every ``save_steps`` where ``keep`` needs them.
    ``max_copied``: share of answers, in [0, 1], that may be copied at a checkpoint that is kept.
    ``template``: the chat template of the sample prompts, as ``Template.record`` writes it.
    ``devices``: CUDA indices, () being the first visible. ``offload``: activations wait in main memory.
    ``milestones``: steps whose adapter is kept too.
    ``tensorboard``: whether its events are written into ``<out>/tensorboard``.
    ``degraded``: what was changed after running out of memory, in words.
    Raises ConfigurationError for values no trainer could use.
    """

    base_path: str
    base_name: str
    base_digest: str
    examples: str
    out: str
    corpus: str
    version: int
    lora: Lora
    steps: int | None = None
    epochs: float | None = None
    batch: int = 4
    accumulation: int = 1
    seq_len: int = 256
    lr: float = 0.0002
    schedule: str = "linear"
    warmup_steps: int = 5
    weight_decay: float = 0.0
    seed: int = 0
    save_steps: int = 20
    log_steps: int = 1
    dtype: str = "bfloat16"
    system: str = ""
    sample_prompts: tuple[str, ...] = ()
    trainer: str = ""
    load_in_4bit: bool = False
    packing: bool = False
    optimizer: str = "adamw_torch"
    save_total_limit: int = 2
    gradient_checkpointing: bool | None = None
    keep: str = "last"
    eval_steps: int | None = None
    max_copied: float | None = None
    continue_from: str = ""
    template: dict[str, Any] = field(default_factory=dict)
    devices: tuple[int, ...] = ()
    offload: bool = False
    tensorboard: bool = False
    degraded: tuple[str, ...] = ()
    program: str = ""
    milestones: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.epochs is None):
            raise ConfigurationError("a training spec states steps or epochs, one of the two")
        at_least_one = ("steps", "batch", "accumulation", "seq_len", "save_steps", "log_steps")
        for name in (*at_least_one, "save_total_limit", "eval_steps"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigurationError(f"{name} must be at least 1, and is {value}")
        if any(step < 1 for step in self.milestones):
            raise ConfigurationError(f"milestones are steps from 1 on, and one is {min(self.milestones)}")
        if self.lora.r < 1:
            raise ConfigurationError(f"lora.r must be at least 1, and is {self.lora.r}")
        if self.epochs is not None and self.epochs <= 0:
            raise ConfigurationError(f"epochs must be above 0, and is {self.epochs}")
        if self.max_copied is not None and not 0 <= self.max_copied <= 1:
            raise ConfigurationError(f"max_copied is a share from 0 to 1, and is {self.max_copied}")
        if self.max_copied is not None and self.keep == "last":
            raise ConfigurationError("max_copied chooses among checkpoints; it needs keep: best_validation")
        if len(set(self.devices)) < len(self.devices):
            raise ConfigurationError(f"devices names one twice: {', '.join(map(str, self.devices))}")
        choices = (("dtype", DTYPES), ("optimizer", OPTIMIZERS), ("keep", KEEPS))
        for name, valid in choices:
            _choose(name, getattr(self, name), valid)
        _choose("lora.bias", self.lora.bias, BIASES)

    def digest(self) -> str:
        """sha256 of what decides the adapter and its record: digests in place of paths.

        ``save_steps`` counts only where it says when the model is looked at.
        """
        return digest(self._deciding())

    def resumable(self) -> str:
        """sha256 of what a checkpoint depends on: as ``digest``, but however a step is cut into batches.

        A run that went out of memory goes on from its checkpoint with smaller batches.
        """
        deciding = self._deciding()
        accumulation = deciding.pop("accumulation")
        return digest(deciding | {"batch": deciding["batch"] * accumulation})

    def share(self, processes: int) -> Share:
        """How one of ``processes`` takes its part of a step, so that the step stays what the recipe says.

            4 x 2 on one device:    0 1 2 3 | 4 5 6 7            two batches after each other
            2 x 2 on two devices:   0 1 | 4 5  and  2 3 | 6 7    the same eight examples

        Where an epoch's last step has too few examples for all, accelerate fills it up from the first.
        Raises ConfigurationError where a step's examples cannot be shared evenly.
        """
        whole = self.batch * self.accumulation
        if whole % processes:
            raise ConfigurationError(
                f"a step takes {whole} examples, which {processes} devices cannot share evenly; "
                f"use a batch that {processes} divides"
            )
        each = whole // processes
        batch = next(size for size in range(min(self.batch, each), 0, -1) if each % size == 0)
        return Share(batch, each // batch)

    @property
    def evaluates_every(self) -> int | None:
        """Steps between two evaluations, or None for none along the way."""
        return self.save_steps if self.eval_steps is None and self.keep != "last" else self.eval_steps

    @property
    def scheduler(self) -> str:
        """The schedule by transformers' name, whose plain ``constant`` has no warm-up."""
        warmed = self.schedule == "constant" and self.warmup_steps > 0
        return "constant_with_warmup" if warmed else self.schedule

    @property
    def checkpoints_kept(self) -> int:
        """Checkpoints that lie there at once: at least 2, for the older goes before the newer is marked."""
        return max(self.save_total_limit, 2)

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> TrainingSpec:
        """The spec as a trainer reads it. Raises ConfigurationError naming an unknown key's nearest."""
        valid = cls.__dataclass_fields__.keys()
        for key in written:
            if key not in valid:
                raise ConfigurationError(f"{key}: unknown key{nearest(key, valid)}")
        lora = Lora(**_tuples(written["lora"]))
        return cls(**{**_tuples(written), "lora": lora})

    def _deciding(self) -> dict[str, Any]:
        """What the digest is of, as plain values."""
        lora = {name: value for name, value in asdict(self.lora).items() if _counts(Lora, name, value)}
        deciding = {
            name: value
            for name, value in asdict(self).items()
            if name not in _PLACES and _counts(TrainingSpec, name, value)
        }
        if self.trainer == "peft_lora":
            del deciding["trainer"]
        if self.evaluates_every is not None:
            deciding["eval_steps"] = self.evaluates_every  # stated, or from save_steps
        deciding["schedule"] = self.scheduler
        if self.continue_from:
            deciding["continue_from"] = adapter_content(Path(self.continue_from))
        return deciding | {"lora": lora, "examples": Path(self.examples).name}


def adapter_content(folder: Path) -> str:
    """sha256 over an adapter's weights and settings, wherever it lies.

    Raises ConfigurationError where it has no safetensors weights or no settings.
    """
    kept = [folder / name for name in ("adapter_config.json", "adapter_model.safetensors")]
    for path in kept:
        if not path.is_file():
            raise ConfigurationError(f"continue_from {folder.name}: it has no {path.name}")
    return digest([sha256_file(path) for path in kept])


def _counts(record: type[Lora] | type[TrainingSpec], name: str, value: object) -> bool:
    known = next(each for each in fields(record) if each.name == name)
    default = known.default if known.default_factory is MISSING else known.default_factory()
    return name not in _LATER or value != default


def _tuples(written: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in written.items()}


def _choose(name: str, value: str, valid: tuple[str, ...]) -> None:
    if value not in valid:
        raise ConfigurationError(f"{name} {value!r} is unknown{nearest(value, valid)}")
