"""A hub id -> a folder in the hub's local cache; what a download weighs is read before it begins.

    org/name[@revision] --cached--> folder                       no network, ever
                        --measure--> BaseSize --download--> folder    only when the user asked for it

A branch moves, so a name that was fetched is pinned to its commit on this machine. Only safetensors,
tokenizer and config files are fetched: no pickles, and no code.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import MissingPrerequisiteError

FETCHED = ("*.safetensors", "*.json", "*.txt", "*.jinja", "*.model")
NOT_FETCHED = ("original/*", "metal/*", "onnx/*", "consolidated*.safetensors", "*.bin.index.json")

_NAME = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
_PINS = "hub.json"


@dataclass(frozen=True)
class HubName:
    """``org/name`` and, where one was given, a branch, tag or commit."""

    repository: str
    revision: str | None


@dataclass(frozen=True)
class BaseSize:
    """What fetching a base would bring: ``revision`` is the hub's commit, ``files`` name -> bytes."""

    repository: str
    revision: str
    files: Mapping[str, int]

    @property
    def n_bytes(self) -> int:
        return sum(self.files.values())

    def __str__(self) -> str:
        return (
            f"{self.repository}@{self.revision[:12]}: {len(self.files)} files, {self.n_bytes / 1e9:,.2f} GB"
        )


def parse_name(name: str) -> HubName | None:
    """``org/name@revision`` taken apart; None for what is no hub id."""
    match = _NAME.fullmatch(name)
    if match is None or name.startswith("."):
        return None
    return HubName(match["repository"], match["revision"])


def cached(name: HubName, shelf: Path) -> Path | None:
    """The snapshot in the hub's local cache, that of the pinned commit where there is one; None if absent."""
    _require(name.repository)
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                name.repository,
                revision=_pins(shelf).get(_key(name), name.revision),
                allow_patterns=list(FETCHED),
                ignore_patterns=list(NOT_FETCHED),
                local_files_only=True,
            )
        )
    except Exception:  # the hub client's word for "not cached" differs from version to version
        return None


def measure(name: HubName) -> BaseSize:
    """Commit and file sizes as the hub tells them; nothing is fetched.

    Raises MissingPrerequisiteError where the hub does not answer, or has no safetensors of this model.
    """
    _require(name.repository)
    from huggingface_hub import HfApi
    from huggingface_hub.utils._paths import filter_repo_objects

    try:
        told = HfApi().model_info(name.repository, revision=name.revision, files_metadata=True)
    except Exception as error:  # no network, no such model, no right to read it
        raise _unreachable(name, error) from error
    sizes = {each.rfilename: int(each.size or 0) for each in told.siblings or []}
    wanted = filter_repo_objects(
        sorted(sizes), allow_patterns=list(FETCHED), ignore_patterns=list(NOT_FETCHED)
    )
    files = {each: sizes[each] for each in wanted}
    if not any(each.endswith(".safetensors") for each in files):
        raise MissingPrerequisiteError(
            f"base {name.repository!r} has no safetensors on the hub; pickled weights are never loaded"
        )
    return BaseSize(name.repository, str(told.sha), files)


def download(name: HubName, size: BaseSize, shelf: Path, say: Callable[[str], None]) -> Path:
    """Fetch the measured commit and pin the name to it.

    Raises MissingPrerequisiteError where the disk is too full or the hub does not answer.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.constants import HF_HUB_CACHE

    cache = Path(HF_HUB_CACHE)
    there = next(folder for folder in (cache, *cache.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if size.n_bytes > free:
        raise MissingPrerequisiteError(
            f"{size} do not fit on the disk of {cache}: {free / 1e9:,.2f} GB are free; make room, "
            "or set HF_HUB_CACHE to another disk"
        )
    say(f"fetching {size}")
    try:
        folder = Path(
            snapshot_download(
                name.repository,
                revision=size.revision,
                allow_patterns=list(FETCHED),
                ignore_patterns=list(NOT_FETCHED),
            )
        )
    except Exception as error:
        raise _unreachable(name, error) from error
    _pin(shelf, _key(name), size.revision)
    return folder


def _require(repository: str) -> None:
    try:
        import huggingface_hub  # noqa: F401
    except ImportError as error:
        raise MissingPrerequisiteError(
            f"base {repository!r} is a hub id, and huggingface_hub is not installed; "
            "pip install 'stylobench[hf]'"
        ) from error


def _unreachable(name: HubName, error: Exception) -> MissingPrerequisiteError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return MissingPrerequisiteError(
        f"base {name.repository!r} cannot be fetched ({reason}); connect, log in where the model asks for "
        "it, or name a local folder"
    )


def _key(name: HubName) -> str:
    return name.repository if name.revision is None else f"{name.repository}@{name.revision}"


def _pins(shelf: Path) -> dict[str, str]:
    try:
        kept = json.loads((shelf / _PINS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _pin(shelf: Path, key: str, commit: str) -> None:
    shelf.mkdir(parents=True, exist_ok=True)
    fresh = shelf / f".{_PINS}.{os.getpid()}.tmp"
    fresh.write_text(json.dumps(_pins(shelf) | {key: commit}, indent=1) + "\n", encoding="utf-8")
    fresh.replace(shelf / _PINS)
