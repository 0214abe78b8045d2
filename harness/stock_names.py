"""Which stock tasks there are, and which are refused before anything of theirs is loaded."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import random
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import ConfigurationError, nearest

PREFIX = "lm_eval:"

RUNS_CODE = "it would run code that a model wrote, which stylobench never does"
_CODE = re.compile(r"\bcode_eval\b|\bexec\(|\bsubprocess\b|\bos\.system\b")


def managers_of(names: Sequence[str], workspace: Path) -> dict[str, Any]:
    """Name -> lm-eval's manager that has the task: the workspace's, or else that of the shipped ones.

    Raises:
        ConfigurationError: neither has it as a task of its own.
    """
    own = _own(workspace / "tasks")
    found = {}
    for name in names:
        if name.startswith("stylo_"):
            raise ConfigurationError(f"retention: {PREFIX}{name} is stylobench's own: name it under tasks")
        # The shipped ones are 13,000 files, which take seconds to list: only if they are needed.
        found[name] = own if name in own.all_subtasks else _shipped()
        known = [*own.all_subtasks, *found[name].all_subtasks]
        if name in (*found[name].all_groups, *found[name].all_tags):
            raise ConfigurationError(
                f"retention: {PREFIX}{name} is a group of lm-eval's: name its tasks{_members(name, known)}"
            )
        if name not in known:
            raise ConfigurationError(f"retention: lm-eval has no task {name!r}{nearest(name, known)}")
    return found


def _own(folder: Path) -> Any:
    """The manager of the tasks under a folder.

    lm-eval sorts all names it finds and dies of one that is no text (``task: 5``), whoever asks for which. So
    its manager is made empty, and given the index without those.
    """
    from lm_eval.tasks import TaskManager
    from lm_eval.tasks._index import Kind, TaskIndex

    index = {name: entry for name, entry in TaskIndex.build([folder]).items() if isinstance(name, str)}
    own = TaskManager(include_defaults=False)
    of_kind = {kind: sorted(n for n, entry in index.items() if entry.kind == kind) for kind in Kind}
    own._index = index
    own._all_tasks = sorted(index)
    own._all_subtasks = sorted([*of_kind[Kind.TASK], *of_kind[Kind.PY_TASK]])
    own._all_groups, own._all_tags = of_kind[Kind.GROUP], of_kind[Kind.TAG]
    return own


def _members(group: str, known: Sequence[str]) -> str:
    """``, such as a, b, c``: the first tasks called after their group, as most are; else nothing."""
    found = sorted(name for name in set(known) if name.startswith(f"{group}_"))[:3]
    return f", such as {', '.join(found)}" if found else ""


@functools.lru_cache(maxsize=1)
def _shipped() -> Any:
    from lm_eval.tasks import TaskManager

    return TaskManager()


def refusal(entry: Any) -> str:
    """Why a task must not even be loaded, as loading may run what stands beside its file."""
    config = entry.cfg or {}
    runs_code = config.get("unsafe_code") or _CODE.search(str(config.get("metric_list", "")))
    if runs_code or any(map(_CODE.search, code_beside(entry).values())):
        return RUNS_CODE
    return ""


def code_beside(entry: Any) -> dict[str, str]:
    """Name -> text of the Python files that lie beside a task's file, which its functions may call."""
    beside = sorted(entry.yaml_path.parent.glob("*.py")) if entry.yaml_path else ()
    return {path.name: path.read_text(encoding="utf-8", errors="replace") for path in beside}


def unavailable(error: BaseException) -> str:
    return (
        f"cannot be read ({first_line(error)}); a task of the hub is fetched once, with a connection and "
        "without HF_HUB_OFFLINE; a task of your own needs its data beside it"
    )


def first_line(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return "it asked to end the program"
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


@contextlib.contextmanager
def seeded() -> Iterator[None]:
    """The seeds that lm-eval sets before it loads tasks, which may shuffle; then the former states again."""
    import torch

    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    random.seed(0)
    np.random.seed(1234)
    torch.manual_seed(1234)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """lm-eval draws bars and tells what it does, between the harness's own lines."""
    loggers = [logging.getLogger(name) for name in ("lm_eval", "datasets", "huggingface_hub")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stderr(io.StringIO()),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
