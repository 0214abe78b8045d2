"""Run a trainer program in a child process and return the record it leaves.

TrainingSpec --train--> OUT/spec.json -> child process -> JSON lines -> OUT/record.json
                 ^------ smaller batches -----'  where the child ran out of memory

The child has its own session, so that everything it starts can be ended with it, and its own interpreter
where one is named. A crash leaves the harness alive, a second call with the same spec starts nothing,
and a killed run goes on from its newest complete checkpoint. On several GPUs accelerate starts one process
each.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.errors import MissingPrerequisiteError, StylobenchError, nearest
from harness.shelves import python_path
from harness.training.checkpoints import write_json
from harness.training.program import EXIT_DISK_FULL, EXIT_OUT_OF_MEMORY
from harness.training.retreat import next_attempt
from harness.training.spec import Lora as Lora
from harness.training.spec import TrainingSpec as TrainingSpec
from harness.training.watching import append_event

_SECONDS_TO_STOP = 10
_LOG_LINES_QUOTED = 8

OnEvent = Callable[[dict[str, Any]], None]


def finished_record(spec: TrainingSpec) -> dict[str, Any] | None:
    """The record of a finished run of exactly this spec in its folder, its milestones kept, or None."""
    record = _record_of(spec)
    return None if record is None or _lacking(spec, record) else record


def milestones_not_kept(spec: TrainingSpec) -> tuple[int, ...]:
    """The milestones for which a run that is finished otherwise has to be trained again; () where none is."""
    record = _record_of(spec)
    return () if record is None else _lacking(spec, record)


def _lacking(spec: TrainingSpec, record: dict[str, Any]) -> tuple[int, ...]:
    kept = {
        each["step"] for each in record.get("milestones", []) if (Path(spec.out) / each["folder"]).is_dir()
    }
    # The last step and those beyond it are no milestones, whatever the recipe says.
    end = record.get("steps", math.inf)
    return tuple(step for step in sorted(spec.milestones) if step < end and step not in kept)


def _record_of(spec: TrainingSpec) -> dict[str, Any] | None:
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
    on_event: OnEvent = lambda event: None,
    allow_degrade: bool = False,
) -> dict[str, Any]:
    """Run ``trainer`` on the spec and return its record; a finished run of the same spec is not repeated.

    ``on_event`` gets each JSON line of the child as it comes (``event`` names it: start, step, checkpoint,
    evaluate, done), and ``<out>/events.jsonl`` keeps them for ``watch``. The child's stderr goes to
    ``<out>/trainer.log``. An interruption ends the child and everything it started, then goes on up; what
    was checkpointed is resumed by the next call.
    A child out of memory is followed by a fresh one with smaller batches (event ``retry``), which goes on
    from the last checkpoint; with ``allow_degrade`` also by one with shorter examples. The record's
    ``degraded`` says what was changed.
    Raises MissingPrerequisiteError where trainer or interpreter is not there, or the disk is full, and
    StylobenchError, quoting the log's last lines, where the child fails.
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
    out.mkdir(parents=True, exist_ok=True)

    def tell(event: dict[str, Any]) -> None:
        append_event(out, event)
        on_event(event)

    append_event(out, {"event": "launch", "process": os.getpid(), "trainer": trainer.stem})
    status = "interrupted"
    try:
        record = _train(spec, trainer, python, tell, allow_degrade)
        status = "done"
    except StylobenchError:
        status = "failed"
        raise
    finally:
        append_event(out, {"event": "end", "status": status})
    return record


def _train(
    spec: TrainingSpec, trainer: Path, python: Path, on_event: OnEvent, allow_degrade: bool
) -> dict[str, Any]:
    """One child after another until one ends well or nothing smaller is left to try."""
    attempt = spec
    while True:
        ended = _run_child(attempt, trainer, python, on_event)
        record = finished_record(attempt)
        if ended.status == 0 and record is not None:
            break
        smaller = next_attempt(attempt, allow_degrade) if ended.out_of_memory else None
        if ended.status == EXIT_DISK_FULL:
            raise MissingPrerequisiteError(
                f"training with {trainer.stem}: the disk of {spec.out} is full; make room, and run the same "
                "command again to go on from the newest checkpoint"
            )
        if smaller is None:
            raise StylobenchError(_failure(trainer, ended, Path(spec.out) / "trainer.log", allow_degrade))
        attempt = smaller
        on_event({"event": "retry", "because": "out of memory", "changed": attempt.degraded[-1]})
    if attempt.digest() != spec.digest():
        # Found again under what was asked for, or the next call would run out of memory once more.
        record |= {"spec_digest": spec.digest(), "attempt_digest": attempt.digest()}
        write_json(Path(spec.out) / "record.json", record)
    return record


@dataclass(frozen=True)
class _Ended:
    """How a child ended: its exit status, and whether it said that memory ran out."""

    status: int
    out_of_memory: bool


def _run_child(spec: TrainingSpec, trainer: Path, python: Path, on_event: OnEvent) -> _Ended:
    """Start the trainer on the spec, pass its events on, wait for it, and leave nothing of it running."""
    out = Path(spec.out)
    written = write_json(out / "spec.json", asdict(spec))
    out_of_memory = False
    with (out / "trainer.log").open("ab") as stderr:
        child = subprocess.Popen(
            [python, *_launcher(len(spec.devices)), trainer, written],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            encoding="utf-8",
            start_new_session=True,
            env=_environment(spec.devices),
        )
        try:
            for line in child.stdout or ():
                event = _event(line)
                if event is None:
                    continue
                # Said by any of several processes; accelerate's own exit status is 1 whatever theirs was.
                if event["event"] == "out_of_memory":
                    out_of_memory = True
                on_event(event)
            status = child.wait()
        finally:
            _stop(child)
    return _Ended(status, out_of_memory or status == EXIT_OUT_OF_MEMORY)


def _launcher(devices: int) -> list[str]:
    """What stands before the program: nothing for one process, accelerate's launcher for one a device."""
    if devices < 2:
        return []
    fixed = {"num_processes": devices, "num_machines": 1, "mixed_precision": "no", "dynamo_backend": "no"}
    # Port 0: any free one, so that two runs on one machine do not meet.
    options = [f"--{name}={value}" for name, value in (fixed | {"main_process_port": 0}).items()]
    return ["-m", "accelerate.commands.launch", "--multi_gpu", *options]


def _environment(devices: tuple[int, ...]) -> dict[str, str]:
    """The child's environment: quiet waiting threads, no network unless asked for, its parent's id, its GPUs.

    The trainer stops when the parent with that id is gone, even where it was killed outright.
    ``devices`` count among those this process may see; where none is named the first is taken, for a trainer
    that sees several takes them all.
    """
    defaults = {
        "OMP_WAIT_POLICY": "PASSIVE",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    fixed = {
        "STYLOBENCH_PARENT": str(os.getpid()),
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": python_path(),
    }
    seen = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    hidden = "CUDA_VISIBLE_DEVICES" in os.environ and not seen  # how a user keeps a run off the cards
    if devices or not hidden:
        names = [seen[device] if device < len(seen) else str(device) for device in devices or (0,)]
        fixed["CUDA_VISIBLE_DEVICES"] = ",".join(names)
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


def _failure(trainer: Path, ended: _Ended, log: Path, allow_degrade: bool) -> str:
    status = ended.status
    if ended.out_of_memory:
        shorter = "" if allow_degrade else ", --allow-degrade for shorter examples"
        cause = f"ran out of memory at the smallest batch; use load_in_4bit, fewer lora.targets{shorter}"
    elif status == -signal.SIGKILL:
        cause = "was killed (out of memory, most often)"
    elif status < 0:
        cause = f"was ended by signal {-status}"
    else:
        cause = f"failed with exit code {status}" if status else "ended without a record"
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    quoted = "".join(f"\n  {line}" for line in lines[-_LOG_LINES_QUOTED:])
    return f"training with {trainer.stem} {cause}; the whole log is {log}{quoted}"
