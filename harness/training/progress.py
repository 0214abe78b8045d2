"""What a run remembers of itself while it trains: the time it took, and how good the model was on the way.

    before.json      the base's loss and answers            \\
    clock.json       seconds spent, at each log              |
    checkpoint-N/    elapsed.json, looks.json, of_looks/best  >-- read again after a kill
    best/            the adapter of the best look           /
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import ConfigurationError
from harness.training.checkpoints import write_json
from harness.training.evaluation import Appraisal, CopyWatch, Look, appraise, best, undisturbed, validate
from harness.training.program import Events, place
from harness.training.reading import Splits, wear
from harness.training.spec import TrainingSpec

BEST = Path("of_looks", "best")
"""Where a checkpoint holds the best look's adapter: two folders down. One folder down transformers would take
it for an adapter of the checkpoint, and load it in place of the checkpoint's own."""

Looking = Callable[[Any], contextlib.AbstractContextManager[None]]


@dataclass
class Clock:
    """Seconds of training, across kills. ``earlier`` led to the checkpoint resumed from, ``lost`` did not."""

    path: Path
    earlier: float
    lost: float
    began: float = field(default_factory=time.monotonic)
    beside: float = 0.0

    @classmethod
    def begin(cls, checkpoints: Path, resume: Path | None) -> Clock:
        """Read what earlier processes spent (``clock.json``, at each log) and kept (in the checkpoint)."""
        earlier = _seconds(resume / "elapsed.json") if resume is not None else 0.0
        path = checkpoints / "clock.json"
        return cls(path, earlier, max(0.0, _seconds(path) - earlier))

    def start(self) -> None:
        """Training begins now; what went before was loading."""
        self.began = time.monotonic()

    @property
    def here(self) -> float:
        """Seconds since this process began to train."""
        return time.monotonic() - self.began

    @property
    def stepping(self) -> float:
        """``here`` without what was done aside."""
        return self.here - self.beside

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Surrounds what is no training step, such as a look."""
        started = time.monotonic()
        yield
        self.beside += time.monotonic() - started

    @property
    def seconds(self) -> float:
        return self.earlier + self.here

    def tick(self) -> None:
        """Remember what was spent. Not forced to the disk: after a power cut a few seconds are forgotten."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(f".{os.getpid()}.tmp")
        fresh.write_text(json.dumps({"seconds": self.seconds + self.lost}), encoding="utf-8")
        fresh.replace(self.path)


@dataclass
class Viewer:
    """Looks at the model along the way, and keeps the adapter of the best look beside the checkpoints.

    ``looking`` puts a backend's model into the state in which it can be read, and back.
    ``looks`` and that adapter travel in each checkpoint, so that a resumed run chooses among the same.
    """

    model: Any
    tokenizer: Any
    splits: Splits
    spec: TrainingSpec
    folder: Path
    looking: Looking
    looks: list[Look] = field(default_factory=list)
    watch: CopyWatch | None = None

    @classmethod
    def begin(
        cls,
        model: Any,
        tokenizer: Any,
        splits: Splits,
        spec: TrainingSpec,
        checkpoints: Path,
        resume: Path | None,
        looking: Looking,
    ) -> Viewer:
        """Raises ConfigurationError where there is nothing to look at."""
        if spec.evaluates_every is not None and not splits.validation:
            raise ConfigurationError("the corpus has no validation passages; leave out eval_steps and keep")
        viewer = cls(model, tokenizer, splits, spec, checkpoints / "best", looking)
        if not place().first:
            return viewer
        shutil.rmtree(viewer.folder, ignore_errors=True)
        if resume is not None and (resume / "looks.json").is_file():
            written = json.loads((resume / "looks.json").read_text(encoding="utf-8"))
            viewer.looks = [Look(**each) for each in written]
            if (resume / BEST).is_dir():
                shutil.copytree(resume / BEST, viewer.folder)
        return viewer

    def look(self, step: int) -> Look:
        """Validation loss now, and the copied share where there is a ceiling; keeps the best adapter."""
        with undisturbed(self.model), self.looking(self.model):
            valued = validate(self.model, self.tokenizer, self.splits.validation)
            copied, longest = None, None
            if self.spec.max_copied is not None:
                if self.watch is None:
                    self.watch = CopyWatch(
                        self.tokenizer, self.splits.train, self.splits.validation, self.spec.seed
                    )
                copied, longest = self.watch.copied(self.model)
        seen = Look(step, valued.loss, valued.bits_per_byte, copied, longest)
        self.looks = [look for look in self.looks if look.step != step] + [seen]
        if self.spec.keep == "best_validation" and best(self.looks, self.spec.max_copied) is seen:
            building = self.folder.with_name("best.tmp")
            shutil.rmtree(building, ignore_errors=True)
            self.model.save_pretrained(building, safe_serialization=True)
            shutil.rmtree(self.folder, ignore_errors=True)
            building.rename(self.folder)
        return seen

    def save(self, checkpoint: Path) -> None:
        """Leave looks and best adapter in a checkpoint that is about to be marked."""
        write_json(checkpoint / "looks.json", [look.as_json() for look in self.looks])
        if self.folder.is_dir():
            shutil.rmtree(checkpoint / BEST, ignore_errors=True)
            shutil.copytree(self.folder, checkpoint / BEST)

    def wear_best(self) -> Look | None:
        """Put the best look's weights back into the model; None where the last is what is kept."""
        if self.spec.keep == "last":
            return None
        wear(self.model, self.folder)
        return best(self.looks, self.spec.max_copied)


def base_ahead(
    model: Any,
    tokenizer: Any,
    splits: Splits,
    spec: TrainingSpec,
    checkpoints: Path,
    events: Events,
    looking: Looking = lambda model: contextlib.nullcontext(),
) -> Appraisal | None:
    """Where the base stands, for a run that will change the base itself; None where taking the adapter off
    gives the base back, so that it can be measured afterwards.

    ``lora.bias`` trains biases of the base's own layers, which stay when the adapter is taken off. ``model``
    wears a fresh LoRA, which changes nothing yet. Measured once and kept beside the checkpoints; by the first
    process alone.
    """
    if spec.lora.bias == "none" or not place().first:
        return None
    path = checkpoints / "before.json"
    found = _read_appraisal(path, len(spec.sample_prompts))
    if found is None:
        events.say("evaluate", model="before")
        with undisturbed(model), looking(model):
            found = appraise(model, tokenizer, splits.validation, spec)
        write_json(path, asdict(found) | {"loss": None if math.isnan(found.loss) else found.loss})
    return found


def _read_appraisal(path: Path, n_prompts: int) -> Appraisal | None:
    """What was kept; None where nothing was, it cannot be read, or it answers other prompts."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        loss = math.nan if kept["loss"] is None else float(kept["loss"])
        answers = tuple(map(str, kept["answers"]))
        return Appraisal(loss, answers) if len(answers) == n_prompts else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _seconds(path: Path) -> float:
    try:
        return float(json.loads(path.read_text(encoding="utf-8"))["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0
