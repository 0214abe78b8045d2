"""Which stock tasks there are, and which are refused before anything of theirs is loaded."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.errors import ConfigurationError, nearest

PREFIX = "lm_eval:"

RUNS_CODE = "it would run code that a model wrote, which stylobench never does"
_CODE = re.compile(r"\bcode_eval\b|\bexec\(|\bsubprocess\b|\bos\.system\b")


def managers_of(names: Sequence[str], workspace: Path) -> dict[str, Any]:
    """Name -> lm-eval's manager that has the task: the workspace's, or else that of the shipped ones.

    Raises:
        ConfigurationError: neither has it as a task of its own.
    """
    from lm_eval.tasks import TaskManager

    own = TaskManager(include_path=[workspace / "tasks"], include_defaults=False)
    found = {}
    for name in names:
        if name.startswith("stylo_"):
            raise ConfigurationError(f"retention: {PREFIX}{name} is stylobench's own: name it under tasks")
        # The shipped ones are 13,000 files, which take seconds to list: only if they are needed.
        found[name] = own if name in own.all_subtasks else _shipped()
        known = [*own.all_subtasks, *found[name].all_subtasks]
        if name in (*found[name].all_groups, *found[name].all_tags):
            raise ConfigurationError(
                f"retention: {PREFIX}{name} is a group of lm-eval's: name its tasks{nearest(name, known)}"
            )
        if name not in known:
            raise ConfigurationError(f"retention: lm-eval has no task {name!r}{nearest(name, known)}")
    return found


@functools.lru_cache(maxsize=1)
def _shipped() -> Any:
    from lm_eval.tasks import TaskManager

    return TaskManager()


def refusal(entry: Any) -> str:
    """Why a task must not even be loaded, as loading may run what stands beside its file."""
    config = entry.cfg or {}
    beside = entry.yaml_path.parent.glob("*.py") if entry.yaml_path else ()
    runs_code = config.get("unsafe_code") or _CODE.search(str(config.get("metric_list", "")))
    if runs_code or any(_CODE.search(path.read_text(encoding="utf-8", errors="replace")) for path in beside):
        return RUNS_CODE
    return ""


def unavailable(error: Exception) -> str:
    return (
        f"cannot be read ({first_line(error)}); a task of the hub is fetched once, with a connection and "
        "without HF_HUB_OFFLINE; a task of your own needs its data beside it"
    )


def first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


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
