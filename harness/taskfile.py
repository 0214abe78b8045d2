"""A task: fifteen lines of YAML in lm-eval's format, read strictly.

The same file runs under ``lm_eval --include_path tasks`` and under ``stylobench run``: the harness reads
which metrics it reports and what it asks, lm-eval follows the ``!function`` names into this package.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field

from harness import shelves, yamlfile
from harness.errors import ConfigurationError, YamlError, nearest
from harness.types import Direction
from harness.yamlfile import Strict

Group = Literal[
    "likelihood", "lexical", "similarity", "authorship", "copying", "validity", "relevance", "retention"
]
"""What kind of question a task asks."""

GROUPS: tuple[Group, ...] = get_args(Group)


class MetricEntry(Strict):
    """One line of lm-eval's ``metric_list``."""

    metric: str
    aggregation: str = "mean"
    higher_is_better: bool = True


class Metadata(Strict):
    """What a reader of the report needs to know; ``version`` is lm-eval's (a score has its metric's)."""

    version: str | int | float
    title: str
    group: Group | None = None
    """None for a task of the workspace that fits nowhere."""
    question: str
    target: Literal["higher", "lower", "toward_author"]
    weakness: str
    figure: Literal["intervals", "distribution", "rates", "wordcloud"] = "intervals"
    needs: Literal["responses", "pooled", "likelihoods", "general"] = "responses"
    """What it is scored from: answers to the author's prompts, each or all together (``pooled``),
    likelihoods, answers to general requests.
    """


class Task(Strict):
    """One task file. Only the keys the project uses are known; anything else is a fault."""

    task: str
    tag: str | tuple[str, ...] = "stylo"
    custom_dataset: str
    output_type: Literal["generate_until", "loglikelihood", "loglikelihood_rolling"]
    test_split: str = "test"
    doc_to_text: str = ""
    doc_to_target: str = ""
    target_delimiter: str = " "
    process_results: str
    generation_kwargs: dict[str, Any] = Field({})
    metric_list: tuple[MetricEntry, ...] = Field(min_length=1)
    metadata: Metadata

    @property
    def name(self) -> str:
        """The short name used in suites: ``stylo_copying`` -> ``copying``."""
        return self.task.removeprefix("stylo_")

    @property
    def metrics(self) -> tuple[str, ...]:
        return tuple(entry.metric for entry in self.metric_list)

    @property
    def directions(self) -> dict[str, Direction]:
        """Which way is better for each metric; toward the author where the whole task is."""
        return {entry.metric: self._direction(entry) for entry in self.metric_list}

    def _direction(self, entry: MetricEntry) -> Direction:
        if self.metadata.target == "toward_author":
            return "toward_author"
        return "higher" if entry.higher_is_better else "lower"

    @property
    def version(self) -> str:
        return str(self.metadata.version)


def read_tasks(names: tuple[str, ...], workspace: Path) -> tuple[Task, ...]:
    """The named tasks (short or full names) in the order given.

    Raises:
        YamlError: faults in a file, or two files that claim one task name.
        ConfigurationError: a name no file has.
    """
    known = shelf(workspace)
    chosen = []
    for name in names:
        short = name.removeprefix("stylo_")
        if short not in known:
            raise ConfigurationError(f"task {name!r} does not exist{nearest(short, known)}")
        chosen.append(known[short])
    return tuple(chosen)


def with_metrics(tasks: tuple[Task, ...], metrics: Collection[str], workspace: Path) -> tuple[Task, ...]:
    """The tasks and, for each metric that none of them reports, the first task on the shelf that does.

    Raises:
        YamlError: as ``read_tasks``.
        ConfigurationError: a metric that no task reports; the nearest is offered.
    """
    known = shelf(workspace)
    holders: dict[str, Task] = {}
    for task in known.values():
        for metric in task.metrics:
            holders.setdefault(metric, task)
    found = list(tasks)
    for metric in metrics:
        if metric not in holders:
            raise ConfigurationError(f"no task reports the metric {metric!r}{nearest(metric, holders)}")
        if all(metric not in task.metrics for task in found):
            found.append(holders[metric])
    return tuple(found)


def shelf(workspace: Path) -> dict[str, Task]:
    """Every task there is, shipped or of the workspace, by its short name and in the order of the files.

    Raises:
        YamlError: faults in a file, or two files that claim one task name.
    """
    known: dict[str, Task] = {}
    for path in shelves.list_yaml("tasks/stylo", workspace):
        task = yamlfile.read(path, Task)
        if task.name in known:
            raise YamlError([f"{path.name}:1:1  task: {task.task} is already defined by another file"])
        known[task.name] = task
    return known
