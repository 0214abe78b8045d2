"""Which checkpoint can be trusted: one whose marker was written after it, and whose files still match.

checkpoint-20/ --mark_complete--> complete.json {file: size, sha256} --newest_complete--> resume here

A process can die while it writes a checkpoint. The marker is written last and lists every file, so a
half-written folder has none, and a damaged one does not match it.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from pathlib import Path

MARKER = "complete.json"


def mark_complete(folder: Path) -> Path:
    """Write the marker of a finished checkpoint: name, size in bytes and sha256 of each file in it."""
    files = {
        str(path.relative_to(folder)): {"size": path.stat().st_size, "sha256": sha256_file(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MARKER
    }
    return write_json(folder / MARKER, {"files": files})


def is_complete(folder: Path) -> bool:
    """Whether the marker is there and every file it lists has its size and its sha256.

    One with an adapter in a folder of its own is not: transformers would load that one and not the
    checkpoint's. Earlier versions left the best look's there.
    """
    if any(folder.glob("*/adapter_model.safetensors")):
        return False
    try:
        listed = json.loads((folder / MARKER).read_text(encoding="utf-8"))["files"]
        return bool(listed) and all(
            (folder / name).stat().st_size == kept["size"] and sha256_file(folder / name) == kept["sha256"]
            for name, kept in listed.items()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def checkpoints_by_step(folder: Path) -> dict[int, Path]:
    """Every ``checkpoint-N`` in a folder by its N, complete or not."""
    return {
        int(number): path
        for path in folder.glob("checkpoint-*")
        if path.is_dir() and (number := path.name.removeprefix("checkpoint-")).isdecimal()
    }


def newest_complete(folder: Path, before: float = math.inf) -> Path | None:
    """The ``checkpoint-N`` with the largest N below ``before`` that is complete, or None; the others are
    left alone."""
    steps = {step: path for step, path in checkpoints_by_step(folder).items() if step < before}
    return next((steps[step] for step in sorted(steps, reverse=True) if is_complete(steps[step])), None)


def write_json(path: Path, value: object) -> Path:
    """Write JSON so that a reader sees the old file or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return fresh.replace(path)


def sha256_file(path: Path) -> str:
    """sha256 of a file's bytes, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
