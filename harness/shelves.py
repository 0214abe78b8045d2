"""Where files live: the user's workspace first, then what the package ships.

workspace/tasks/...            the user's own (nearest folder upwards with a shelf or stylobench.toml)
checkout/tasks/...             a git checkout of stylobench
site-packages/harness/_share/  the same shelves inside an installed wheel
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

from harness.errors import ConfigurationError, MissingPrerequisiteError, nearest

_PACKAGE = Path(__file__).resolve().parent
_MARKS = ("stylobench.toml", "tasks", "trainers", "results")
_LONGEST_NAME = 100
"""Characters; file systems take 255 bytes, and suffixes are added."""
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+~:-]*")


def shipped() -> Path:
    """The folder that holds the shelves this copy of stylobench came with."""
    share = _PACKAGE / "_share"
    return share if share.is_dir() else _PACKAGE.parent


def python_path() -> str:
    """``PYTHONPATH`` for a child process: a checkout's own package goes before an older install.

    Installed packages are never handed on: the child's interpreter may be another one, with its own versions.
    """
    here = [] if _PACKAGE.parent.name in ("site-packages", "dist-packages") else [str(_PACKAGE.parent)]
    return os.pathsep.join([*here, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))])


def find_workspace(start: Path | None = None) -> Path:
    """The nearest folder upwards that looks like a workspace, else the starting folder itself."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if any((folder / mark).exists() for mark in _MARKS) and folder != Path(folder.anchor):
            return folder
    return here


def find(relative: str, workspace: Path | None = None) -> Path:
    """The path of a shelf or a file on one, the workspace's own before the shipped one.

    Raises:
        MissingPrerequisiteError: neither has it.
    """
    for root in (workspace, shipped()):
        if root is not None and (root / relative).exists():
            return root / relative
    raise MissingPrerequisiteError(f"{relative}: not in this workspace and not shipped with stylobench")


def find_yaml(shelf: str, name: str, workspace: Path) -> Path:
    """A YAML file by its bare name on a shelf (``trainers/recipes``), or by an explicit path.

    Raises:
        ConfigurationError: no such file; the nearest name on the shelf is offered.
    """
    explicit = at_home(name)
    if explicit.suffix in (".yaml", ".yml"):
        for candidate in (explicit, workspace / explicit):
            if candidate.is_file():
                return candidate
    stem = explicit.stem if explicit.suffix in (".yaml", ".yml") else name
    known = {path.stem: path for path in list_yaml(shelf, workspace)}
    if stem in known:
        return known[stem]
    raise ConfigurationError(f"{shelf}/{stem}.yaml does not exist{nearest(stem, known)}")


def list_yaml(shelf: str, workspace: Path) -> list[Path]:
    """Every YAML file on a shelf and its subfolders, the workspace's own shadowing shipped ones."""
    found: dict[str, Path] = {}
    for root in (shipped(), workspace):
        for path in sorted((root / shelf).rglob("*.yaml")):
            found[path.stem] = path
    return [found[stem] for stem in sorted(found)]


def origin(path: Path, workspace: Path) -> str:
    """Whose shelf a file stands on: ``workspace``, or ``shipped`` with stylobench."""
    return "workspace" if path.is_relative_to(workspace) else "shipped"


def safe_name(name: str, what: str = "name") -> str:
    """The name itself, if it can become part of a path without leaving its folder.

    Raises:
        ConfigurationError: it holds a separator, a space or a leading dot, or is very long.
    """
    if len(name) > _LONGEST_NAME:
        raise ConfigurationError(f"{what} {name[:20]!r} ...: use {_LONGEST_NAME} characters at most")
    if not _SAFE_NAME.fullmatch(name) or ".." in name:
        raise ConfigurationError(f"{what} {name!r}: use letters, digits and . _ @ + ~ : - only")
    return name


def at_home(written: str) -> Path:
    """A path as the user wrote it, ``~`` being the home folder.

    Raises:
        ConfigurationError: there is no such home (``~nobody``), or none at all.
    """
    try:
        return Path(written).expanduser()
    except RuntimeError:
        raise ConfigurationError(f"{written}: there is no such home folder; write the path out") from None


def read_json(path: Path, remedy: str) -> dict[str, Any]:
    """A JSON object that the harness itself wrote.

    Raises:
        ConfigurationError: the file is missing, cut short or no object; ``remedy`` says what to do about it.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"{path.parent.name}/{path.name} is missing; {remedy}") from None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ConfigurationError(f"{path.parent.name}/{path.name} is damaged; {remedy}")
    return found


def machine_settings(workspace: Path) -> dict[str, Any]:
    """The machine-local ``stylobench.toml`` (interpreters by trainer), or an empty dict."""
    path = workspace / "stylobench.toml"
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ConfigurationError("stylobench.toml: nested too deeply") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"stylobench.toml: {error}") from None


def interpreter(name: str, workspace: Path) -> Path | None:
    """The Python that ``stylobench.toml`` names for a trainer, or for ``hf``; None where it names none.

    Raises:
        ConfigurationError: ``[interpreters]`` is not a table of paths.
        MissingPrerequisiteError: the interpreter named is not there.
    """
    named = machine_settings(workspace).get("interpreters", {})
    python = named.get(name) if isinstance(named, dict) else named
    if python is None:
        return None
    if not isinstance(named, dict) or not isinstance(python, str):
        raise ConfigurationError(f"stylobench.toml: write [interpreters] and below it {name} = 'PATH'")
    path = workspace / at_home(python)
    if not path.is_file():
        raise MissingPrerequisiteError(f"stylobench.toml: the interpreter {path} of {name} is not there")
    return path
