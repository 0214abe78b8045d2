"""Run a trainer program in a child process and return the record it leaves.

TrainingSpec --train--> OUT/spec.json -> child process -> JSON lines -> OUT/record.json

The child has its own session, so that everything it starts can be ended with it, and its own interpreter
where one is named. A crash leaves the harness alive, a second call with the same spec starts nothing,
and a killed run goes on from its newest complete checkpoint.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.errors import ConfigurationError, MissingPrerequisiteError, StylobenchError, nearest
from harness.shelves import python_path
from harness.text import digest
from harness.training.checkpoints import write_json

_SECONDS_TO_STOP = 10
_LOG_LINES_QUOTED = 8


@dataclass(frozen=True)
class Lora:
    """LoRA's settings (Hu and others, 2021); ``targets``: module names, or ``all-linear``."""

    r: int = 16
    alpha: int = 16
    dropout: float = 0.0
    targets: tuple[str, ...] | str = "all-linear"


@dataclass(frozen=True)
class TrainingSpec:
    """Everything a trainer needs, as it stands in ``spec.json``.

    ``examples`` is an artefact folder named by its digest, ``out`` the run's folder. Exactly one of
    ``steps`` and ``epochs`` is set. One step takes ``batch * accumulation`` examples. ``warmup_steps`` are
    steps, ``lr`` the highest learning rate, ``dtype`` that of the base's weights.
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

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.epochs is None):
            raise ConfigurationError("a training spec states steps or epochs, one of the two")
        at_least_one = ("steps", "batch", "accumulation", "seq_len", "save_steps", "log_steps")
        for name in at_least_one:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigurationError(f"{name} must be at least 1, and is {value}")
        if self.lora.r < 1:
            raise ConfigurationError(f"lora.r must be at least 1, and is {self.lora.r}")
        if self.epochs is not None and self.epochs <= 0:
            raise ConfigurationError(f"epochs must be above 0, and is {self.epochs}")
        if self.dtype not in ("bfloat16", "float32"):
            raise ConfigurationError(
                f"dtype {self.dtype!r} is unknown{nearest(self.dtype, ['bfloat16', 'float32'])}"
            )

    def digest(self) -> str:
        """sha256 of what decides the adapter and its record: digests in place of paths, no ``save_steps``."""
        deciding = asdict(self)
        for name in ("base_path", "out", "save_steps"):
            del deciding[name]
        return digest(deciding | {"examples": Path(self.examples).name})

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> TrainingSpec:
        """The spec as a trainer reads it. Raises ConfigurationError naming an unknown key's nearest."""
        valid = cls.__dataclass_fields__.keys()
        for key in written:
            if key not in valid:
                raise ConfigurationError(f"{key}: unknown key{nearest(key, valid)}")
        lora = dict(written["lora"])
        if isinstance(lora.get("targets"), list):
            lora["targets"] = tuple(lora["targets"])
        prompts = tuple(written.get("sample_prompts", ()))
        return cls(**{**written, "lora": Lora(**lora), "sample_prompts": prompts})


def finished_record(spec: TrainingSpec) -> dict[str, Any] | None:
    """The record of a finished run of exactly this spec in its folder, or None."""
    try:
        record = json.loads((Path(spec.out) / "record.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    same = isinstance(record, dict) and record.get("spec_digest") == spec.digest()
    return record if same and (Path(spec.out) / "adapter").is_dir() else None


def train(
    spec: TrainingSpec,
    *,
    trainer: Path,
    interpreter: Path | None = None,
    on_event: Callable[[dict[str, Any]], None] = lambda event: None,
) -> dict[str, Any]:
    """Run ``trainer`` on the spec and return its record; a finished run of the same spec is not repeated.

    ``on_event`` gets each JSON line of the child as it comes (``event`` names it: start, step, checkpoint,
    done). Its stderr goes to ``<out>/trainer.log``. An interruption ends the child and everything it
    started, then goes on up; what was checkpointed is resumed by the next call.
    Raises MissingPrerequisiteError where trainer or interpreter is not there, and StylobenchError,
    quoting the log's last lines, where the child fails.
    """
    done = finished_record(spec)
    if done is not None:
        return done
    if not trainer.is_file():
        others = (path.stem for path in trainer.parent.glob("*.py"))
        raise MissingPrerequisiteError(
            f"trainer {trainer.stem!r} is not there{nearest(trainer.stem, others)}"
        )
    python = Path(sys.executable) if interpreter is None else interpreter
    if not python.exists():
        raise MissingPrerequisiteError(
            f"the trainer's interpreter {python} is not there; see stylobench.toml"
        )

    out = Path(spec.out)
    written = write_json(out / "spec.json", asdict(spec))
    log = out / "trainer.log"
    with log.open("ab") as stderr:
        child = subprocess.Popen(
            [python, trainer, written],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            encoding="utf-8",
            start_new_session=True,
            env=_environment(),
        )
        try:
            for line in child.stdout or ():
                event = _event(line)
                if event is not None:
                    on_event(event)
            status = child.wait()
        finally:
            _stop(child)
    record = finished_record(spec)
    if status == 0 and record is not None:
        return record
    raise StylobenchError(_failure(trainer, status, log))


def _environment() -> dict[str, str]:
    """The child's environment: quiet waiting threads, no network unless asked for, and its parent's id.

    The trainer stops when the parent with that id is gone, even where it was killed outright.
    """
    defaults = {"OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    fixed = {
        "STYLOBENCH_PARENT": str(os.getpid()),
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": python_path(),
    }
    return defaults | dict(os.environ) | fixed


def _event(line: str) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None


def _stop(child: subprocess.Popen[str]) -> None:
    """End the child's whole group, politely first; nothing where it has ended by itself."""
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)
        try:
            child.wait(_SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    if child.stdout is not None:
        child.stdout.close()


def _failure(trainer: Path, status: int, log: Path) -> str:
    if status == -signal.SIGKILL:
        cause = "was killed (out of memory, most often)"
    elif status < 0:
        cause = f"was ended by signal {-status}"
    else:
        cause = f"failed with exit code {status}" if status else "ended without a record"
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    quoted = "".join(f"\n  {line}" for line in lines[-_LOG_LINES_QUOTED:])
    return f"training with {trainer.stem} {cause}; the whole log is {log}{quoted}"
