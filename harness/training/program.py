"""What every trainer program does around its work: hear, speak, and end in time.

    SPEC.json --start--> TrainingSpec --> work(spec, events)        events: JSON lines on stdout
                                             '-> exit status        everything else: stderr

A program may be one of several that accelerate started, one a GPU. Then rank 0 alone speaks and writes.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from harness.errors import EXIT_INTERNAL, ConfigurationError, StylobenchError
from harness.training.spec import TrainingSpec

EXIT_OUT_OF_MEMORY = errno.ENOMEM
"""12; the launcher starts a fresh process with smaller batches."""

EXIT_DISK_FULL = errno.ENOSPC
"""28; where the disk is full no log can say so."""

_DISK_FULL = ("No space left on device", "os error 28", "Disk quota exceeded", "PytorchStreamWriter failed")
"""What safetensors' and torch's writers say, which know no OSError."""

_FULL = ("out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")


@dataclass(frozen=True)
class Events:
    """Where a program says what it does; ``stream`` is None for a process that keeps silent."""

    stream: TextIO | None

    def say(self, event: str, **facts: Any) -> None:
        """One JSON line to whoever started this program."""
        if self.stream is not None:
            self.stream.write(json.dumps({"event": event, **facts}) + "\n")
            self.stream.flush()


@dataclass(frozen=True)
class Place:
    """This process among those of one run: ``rank`` counts from 0, ``local`` is its GPU's index."""

    rank: int = 0
    local: int = 0
    processes: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that speaks and writes."""
        return self.rank == 0


def place() -> Place:
    """Where accelerate's launcher has put this process; alone where it was started by hand."""
    return Place(
        rank=int(os.environ.get("RANK", "0")),
        local=int(os.environ.get("LOCAL_RANK", "0")),
        processes=int(os.environ.get("WORLD_SIZE", "1")),
    )


def start(arguments: list[str], work: Callable[[TrainingSpec, Events], None]) -> int:
    """Run ``work`` on the spec named on the command line; the program's exit status.

    0 done, 2 a spec that cannot be used, 12 out of memory, 28 disk full, 1 anything else.
    """
    # Libraries print to stdout when they please; what they say goes to stderr, the events keep stdout.
    spoken = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    stop_with_parent()
    try:
        if len(arguments) != 1:
            raise ConfigurationError("usage: python TRAINER.py SPEC.json")
        spec = TrainingSpec.from_json(json.loads(Path(arguments[0]).read_text(encoding="utf-8")))
        work(spec, Events(spoken if place().first else None))
    except StylobenchError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except Exception as error:
        with contextlib.suppress(OSError):  # the log may lie on a disk that is full
            traceback.print_exc()
        if is_disk_full(error):
            return EXIT_DISK_FULL
        if is_out_of_memory(error):
            with contextlib.suppress(OSError):
                Events(spoken).say("out_of_memory", rank=place().rank)
            return EXIT_OUT_OF_MEMORY
        return EXIT_INTERNAL
    return 0


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether this error, or one it came from, says that a device or the host had no memory left."""
    while error is not None:
        if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
            return True
        if isinstance(error, RuntimeError) and any(word in str(error) for word in _FULL):
            return True
        error = error.__cause__ or error.__context__
    return False


def is_disk_full(error: BaseException | None) -> bool:
    """Whether this error, or one it came from, says that there was no room left to write."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if any(said in str(error) for said in _DISK_FULL):
            return True
        error = error.__cause__ or error.__context__
    return False


def stop_with_parent() -> None:
    """End this process soon after the one named in STYLOBENCH_PARENT is gone, even where it was killed.

    Else a killed harness would leave a trainer behind that writes into the folder of the next.
    """
    named = os.environ.get("STYLOBENCH_PARENT")
    if named is None:
        return
    parent, launcher = int(named), os.getppid()
    alone = place().processes == 1

    def watch() -> None:
        # One of several is the launcher's child and the harness's grandchild: it outlives neither.
        while os.getppid() == (parent if alone else launcher) and (alone or _lives(parent)):
            time.sleep(1)
        os._exit(EXIT_INTERNAL)

    threading.Thread(target=watch, daemon=True).start()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
