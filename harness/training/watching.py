"""A training run as seen from elsewhere: what its events say of where it stands.

trainer --JSON lines--> launch --append--> OUT/events.jsonl --standing--> Standing --> stylobench watch

    {"event": "launch", "process": 4711, ...}   a new process has taken the run up; what follows is its own
    {"event": "step", "step": 20, "steps": 60, "loss": 3.1, "seconds": 54.0, ...}
    {"event": "end", "status": "done" | "failed" | "interrupted"}
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

EVENTS = "events.jsonl"


@dataclass(frozen=True)
class Standing:
    """Where a run stands. What has not been said yet is NaN or 0.

    ``loss`` and ``validation``: nats per target token; ``seconds`` led here, ``left`` is at the pace so far.
    ``state``: starting, training, done, failed or interrupted, or ``gone`` where its process is no more.
    """

    state: str = "starting"
    process: int = 0
    step: int = 0
    steps: int = 0
    loss: float = math.nan
    validation: float = math.nan
    tokens_per_second: float = math.nan
    memory_gb: float = math.nan
    seconds: float = math.nan
    note: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state not in ("starting", "training")

    @property
    def left(self) -> float:
        """Seconds to the last step, at the mean pace so far; NaN before the first."""
        done = self.step
        return self.seconds / done * (self.steps - done) if done else math.nan


def append_event(out: Path, event: Mapping[str, Any]) -> None:
    """Write one event behind the others of a run."""
    with (out / EVENTS).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"at": round(time.time(), 1), **event}) + "\n")


def standing(events: Iterable[Mapping[str, Any]]) -> Standing:
    """Where a run stands after these events; a new ``launch`` begins anew."""
    now = Standing()
    for event in events:
        now = _after(now, event)
    return now


def _after(now: Standing, event: Mapping[str, Any]) -> Standing:
    match event.get("event"):
        case "launch":
            return Standing(process=int(event["process"]))
        case "start":
            first = int(event.get("step", 0))
            note = f"went on from step {first}" if event.get("resumed") else now.note
            return replace(now, state="training", step=first, steps=int(event.get("steps", 0)), note=note)
        case "step":
            return replace(
                now,
                step=int(event["step"]),
                steps=int(event["steps"]),
                loss=float(event.get("loss", math.nan)),
                seconds=float(event.get("seconds", math.nan)),
                tokens_per_second=float(event.get("tokens_per_second") or math.nan),
                memory_gb=float(event.get("memory_gb") or math.nan),
            )
        case "look":
            return replace(now, validation=float(event.get("loss") or math.nan))
        case "retry":
            return replace(now, state="starting", note=f"{event['because']}: {event['changed']}")
        case "end":
            return replace(now, state=str(event["status"]))
    return now


def read_events(path: Path) -> list[dict[str, Any]]:
    """The events written so far; a line that is still being written is left for the next time."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            found.append(event)
    return found


def follow(path: Path, pause: float = 1.0) -> Iterator[Standing]:
    """Where the run stands, each time that changes, until it ends or its process is no more."""
    before = None
    while True:
        now = standing(read_events(path))
        if not now.ended and now.process and not lives(now.process):
            now = replace(now, state="gone")
        if now != before:
            yield now
            before = now
        if now.ended:
            return
        time.sleep(pause)


def newest(adapters: Path) -> Path | None:
    """The events of the run that spoke last, or None where there is none."""
    found = sorted(adapters.glob(f"*/{EVENTS}"), key=lambda path: path.stat().st_mtime)
    return found[-1] if found else None


def lives(process: int) -> bool:
    """Whether a process of this machine is still there."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
