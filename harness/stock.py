"""lm-eval's stock tasks as retention: found by name, refused with one line, asked document by document.

    suite: retention: [lm_eval:hellaswag, lm_eval:my_local_task]
    load --> requests of the first documents, built once --> jobs, one a document --> Result a metric

lm-eval's own library reads the tasks, builds the requests and judges what comes back; only the model is
ours (see ``models.lm``). Requests depend on no variant: nothing is loaded, tokenised or cached for them.
Tasks of one's own are YAML files anywhere under the workspace's ``tasks/``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.errors import MissingPrerequisiteError
from harness.models.lm import StockError, generation_fault
from harness.stock_names import PREFIX as PREFIX
from harness.stock_names import (
    RUNS_CODE,
    code_beside,
    first_line,
    managers_of,
    quiet,
    refusal,
    seeded,
    unavailable,
)
from harness.text import digest
from harness.types import Direction

BATCH = 16
"""Documents of one task that are computed, and committed, together."""

_SEED = 1234
"""Which examples a task with few-shot examples shows: lm-eval's default, so that both show the same."""


@dataclass(frozen=True)
class StockJob:
    """One document of one task for one variant; ``key`` covers all that may change its results.

    The document's own digest ends the key, so that results can be joined on what was read (``document_of``).
    """

    key: str
    task: str
    document: int
    size: int = 0
    """Characters that are read for it; only for an estimate of the time."""


@dataclass(frozen=True)
class StockTask:
    """A task as lm-eval loaded it, and its requests by document.

    ``version``: lm-eval's and a digest of the settings. ``metrics``: name -> the way that is better.
    """

    name: str
    version: str
    metrics: Mapping[str, Direction]
    requests: Mapping[int, tuple[Any, ...]]
    digests: Mapping[int, str]
    loaded: Any


@dataclass(frozen=True)
class Stock:
    """A suite's stock tasks, and those that cannot run here with the reason."""

    tasks: tuple[StockTask, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    """Task -> one finished line."""


@dataclass(frozen=True)
class Result:
    """One metric of one document and the way that is better; NaN where the task gave no number."""

    document: int
    metric: str
    value: float
    direction: Direction


def load(names: Sequence[str], documents: int, workspace: Path) -> Stock:
    """The tasks of a suite (``lm_eval:NAME``) with the requests of their first documents.

    Raises:
        ConfigurationError: a name that lm-eval has not, a group, or a task of stylobench's own.
        MissingPrerequisiteError: lm-eval is not installed.
    """
    if not names:
        return Stock()
    try:
        import datasets
        import lm_eval.tasks  # noqa: F401
    except ImportError:
        raise MissingPrerequisiteError("lm-eval's tasks need lm-eval: pip install 'stylobench[hf]'") from None
    tasks: list[StockTask] = []
    refused: dict[str, str] = {}
    with quiet():
        datasets.disable_progress_bars()
        managers = managers_of([name.removeprefix(PREFIX) for name in names], workspace)
    for name, manager in managers.items():
        entry = manager.task_index[name]
        reason = refusal(entry)
        if not reason:
            try:
                with quiet(), seeded():
                    loaded = manager.load(name)["tasks"][name]
                    tasks.append(_prepared(name, loaded, documents, code_beside(entry)))
                continue
            except _Refused as error:
                reason = str(error)
            # Whatever the hub, datasets and a task's own functions raise, an exit included.
            except (Exception, SystemExit) as error:
                reason = unavailable(error)
        refused[name] = f"{PREFIX}{name}: {reason}"
    return Stock(tuple(tasks), refused)


def jobs(task: StockTask, variant_digest: str, engine: str, window: int) -> tuple[tuple[StockJob, ...], ...]:
    """The documents of a task for one variant, in batches that never depend on what is stored."""
    found = []
    for n, of in task.digests.items():
        whole = digest(["stock", variant_digest, task.name, task.version, n, of, engine, window])
        key = f"{whole}-{of}"
        size = sum(len(str(text)) for request in task.requests[n] for text in request.args)
        found.append(StockJob(key, task.name, n, size))
    return tuple(tuple(found[start : start + BATCH]) for start in range(0, len(found), BATCH))


def document_of(key: str) -> str:
    """The digest of the document that a key's result is of, its requests included.

    >>> document_of("9f86d081-2c26b46b"), document_of("9f86d081")
    ('2c26b46b', '')
    """
    return key.partition("-")[2]


def evaluate(task: StockTask, documents: Sequence[int], lm: Any) -> list[Result]:
    """Ask an ``LM`` about some documents and judge the answers, as ``lm_eval.evaluate`` does.

    Raises:
        StockError: the model cannot be asked this task, or the task's own functions fail.
    """
    asked = [replace(request, resps=[], filtered_resps={}) for n in documents for request in task.requests[n]]
    by_kind: dict[str, list[Any]] = {}
    for request in asked:
        by_kind.setdefault(request.request_type, []).extend([request] * request.repeats)
    for kind, requests in by_kind.items():
        answers = getattr(lm, kind)(requests, disable_tqdm=True)
        for request, answer in zip(requests, answers, strict=True):
            request.resps.append(answer)
    try:
        with quiet():
            task.loaded._instances = asked
            task.loaded.apply_filters()
            by_document = {n: [request for request in asked if request.doc_id == n] for n in documents}
            return [found for n, own in by_document.items() for found in _judged(task, own, n)]
    except (Exception, SystemExit) as error:  # a task brings functions of its own
        raise StockError(f"its results cannot be judged ({first_line(error)})") from None


# ── what a task says ──────────────────────────────────────────────────────────────────────────────


class _Refused(Exception):  # noqa: N818
    """Why a task that was loaded is not run."""


def _prepared(name: str, loaded: Any, documents: int, code: Mapping[str, str]) -> StockTask:
    if getattr(loaded, "UNSAFE_CODE", False):
        raise _Refused(RUNS_CODE)
    if getattr(loaded, "MULTIMODAL", False):
        raise _Refused("it shows pictures or sounds, and these models read text")
    metrics = _metrics(loaded)
    if not metrics:
        raise _Refused("it has no metric that is a number for each document")
    loaded.set_fewshot_seed(seed=_SEED)
    # All of the first documents, whatever is stored: few-shot examples are drawn in this order.
    loaded.build_all_requests(limit=documents, rank=0, world_size=1, cache_requests=False)
    requests: dict[int, list[Any]] = {}
    for request in loaded.instances:
        fault = generation_fault(request.args[1]) if request.request_type == "generate_until" else ""
        if fault:
            raise _Refused(f"generation_kwargs: {fault}")
        requests.setdefault(request.doc_id, []).append(request)
    return StockTask(
        name=name,
        version=f"{loaded.VERSION}/{_settings(loaded, code)}",
        metrics=metrics,
        requests={n: tuple(sorted(found, key=lambda r: r.idx)) for n, found in requests.items()},
        digests={n: _digest_of(found) for n, found in requests.items()},
        loaded=loaded,
    )


def _metrics(loaded: Any) -> dict[str, Direction]:
    """The metrics that say something of one document, with their directions.

    A perplexity, an F1 over all documents and their like do not; ``bits_per_byte`` does. An aggregation of
    the task's own may be anything, and is no mean either.
    """
    from lm_eval.api.registry import AGGREGATION_REGISTRY

    higher = loaded.higher_is_better()
    told: dict[str, Direction] = {}
    registered = {function: name for name, function in AGGREGATION_REGISTRY.items()}
    for metric, function in loaded.aggregation().items():
        if registered.get(function) in ("mean", "nanmean", "bits_per_byte"):
            told[metric] = "higher" if higher.get(metric, True) else "lower"
    return told


def _settings(loaded: Any, code: Mapping[str, str]) -> str:
    """A digest of all that a task's file says besides where its data are, and of the code beside it.

    A function is known by its source; what it calls may lie in any of the Python files beside the task's.
    """
    away = {"dataset_path", "dataset_name", "dataset_kwargs", "metadata"}
    said = {key: value for key, value in loaded.dump_config().items() if key not in away}
    told = re.sub(r" at 0x[0-9a-f]+", "", repr(sorted(said.items())))
    return digest([told, dict(code)] if code else told, 8)


def _digest_of(requests: Sequence[Any]) -> str:
    """What a document and its requests say, few-shot examples included."""
    return digest([[request.request_type, repr(request.args), repr(request.doc)] for request in requests], 16)


# ── what came back ────────────────────────────────────────────────────────────────────────────────


def _judged(task: StockTask, requests: Sequence[Any], document: int) -> Iterator[Result]:
    """Every metric by every filter; a metric that gives no number is NaN, never left out."""
    filters = list(requests[0].filtered_resps)
    for name in filters:
        answers = [request.filtered_resps[name] for request in requests]
        # A copy: the requests serve every variant, and a task may change the document it is given.
        found = task.loaded.process_results(deepcopy(requests[0].doc), answers)
        for metric in task.metrics:
            suffix = "" if name == "none" else f":{name}"
            value = _number(metric, found.get(metric))
            yield Result(document, f"{task.name}:{metric}{suffix}", value, task.metrics[metric])


def _number(metric: str, value: Any) -> float:
    if metric == "bits_per_byte" and isinstance(value, tuple | list) and len(value) == 2:
        loglik, n_bytes = value
        return -float(loglik) / (n_bytes * math.log(2)) if n_bytes else math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
