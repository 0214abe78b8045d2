"""Every YAML file of a workspace read strictly, and every task tried on one example and a dummy answer."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import reference as references
from harness import shelves, stock_names, yamlfile
from harness.corpusfile import read_author
from harness.errors import ConfigurationError, MissingPrerequisiteError, StylobenchError, YamlError, nearest
from harness.likelihood_scores import LIKELIHOOD_VERSIONS
from harness.measures import VERSIONS, Answer, measure
from harness.pooled import POOLED_VERSIONS
from harness.recipe import find_trainer, read_recipe
from harness.reference import Reference
from harness.retention import GENERAL, GENERAL_VERSIONS, met_by
from harness.suite import Suite, read_suite
from harness.taskfile import Task, read_tasks
from harness.training.chat import conversation

DUMMY = (
    "The Nation must keep its word, and it must be strong enough to keep it. No man is above the law, "
    "and none is below it; we ask no permission when we require him to obey. Whatever is done for the "
    "forests and the streams is done for those who come after us, and they will judge us by it."
)


@dataclass(frozen=True)
class Finding:
    """One file: ``ok`` or what is wrong with it, and for a task one example."""

    file: str
    result: str
    example: str = ""
    shelf: str = ""
    """Where it stands: ``workspace``, or ``shipped`` with stylobench."""


def check_workspace(workspace: Path) -> list[Finding]:
    """All recipes, corpora, suites and tasks, each read on its own so that one fault hides no other."""
    checks: dict[str, Callable[[Path, Path], str]] = {
        "trainers/recipes": _recipe,
        "trainers/corpora": _author,
        "tasks/suites": _suite,
        "tasks/stylo": _task,
    }
    findings: list[Finding] = []
    for shelf, check in checks.items():
        findings += [_tried(path, workspace, check) for path in shelves.list_yaml(shelf, workspace)]
    return findings


def _tried(path: Path, workspace: Path, check: Callable[[Path, Path], str]) -> Finding:
    shelf = shelves.origin(path, workspace)
    try:
        return Finding(path.name, "ok", check(path, workspace), shelf)
    except StylobenchError as error:
        return Finding(path.name, str(error), shelf=shelf)


def _recipe(path: Path, workspace: Path) -> str:
    found, recipe = read_recipe(str(path), workspace)
    find_trainer(recipe, found, workspace)
    return f"{recipe.base} on {recipe.corpus}"


def _author(path: Path, workspace: Path) -> str:
    author = read_author(path.stem, workspace)
    for number in author.versions:
        author.resolve(number)
    return f"{author.author}, {len(author.versions)} versions"


def _suite(path: Path, workspace: Path) -> str:
    suite = read_suite(str(path), workspace)
    tasks = read_tasks(suite.tasks, workspace)
    faults = [*_lost_controls(suite, workspace), *_lost_primaries(suite, tasks)]
    faults += _lost_stock_tasks(suite, workspace)
    if faults:
        tree = yamlfile.load(path)
        raise YamlError(
            [f"{path.name}:{yamlfile.position(tree, (f.key, f.place))}  {f.key}: {f.problem}" for f in faults]
        )
    return f"{len(tasks)} tasks"


@dataclass(frozen=True)
class _Fault:
    """Which item of a list of the file, and what is wrong with it."""

    key: str
    place: int
    problem: str


def _lost_controls(suite: Suite, workspace: Path) -> list[_Fault]:
    """Other authors by name whom the reference set does not know; nothing before it is there."""
    if suite.author not in references.prepared_authors(workspace):
        return []
    others = [f"other:{name}" for name in references.load(suite.author, workspace).others]
    return [
        _Fault("controls", place, f"{name!r} does not exist{nearest(name, others)}")
        for place, name in enumerate(suite.controls)
        if name.startswith("other:") and name not in ("other:*", *others)
    ]


def _lost_primaries(suite: Suite, tasks: Sequence[Task]) -> list[_Fault]:
    """What was written down to decide, and no task of the suite reports; the default asks for nothing."""
    if "primaries" not in suite.model_fields_set:
        return []
    reported = {metric for task in tasks for metric in task.metrics}
    return [
        _Fault("primaries", place, f"no task of the suite reports {name!r}")
        for place, name in enumerate(suite.primaries)
        if name not in reported
    ]


def _lost_stock_tasks(suite: Suite, workspace: Path) -> list[_Fault]:
    """What lm-eval has under no such name, by its files alone; nothing where it is not installed."""
    if not suite.retention or importlib.util.find_spec("lm_eval") is None:
        return []
    faults = []
    for place, name in enumerate(suite.retention):
        try:
            with stock_names.quiet():
                stock_names.managers_of([name.removeprefix(stock_names.PREFIX)], workspace)
        except ConfigurationError as error:
            faults.append(_Fault("retention", place, str(error).removeprefix("retention: ")))
    return faults


def _task(path: Path, workspace: Path) -> str:
    # Not read_tasks: it reads the whole shelf, and another file's fault would be told as this one's.
    task = yamlfile.read(path, Task)
    by_source = {"responses": VERSIONS, "likelihoods": LIKELIHOOD_VERSIONS, "general": GENERAL_VERSIONS}
    by_source["pooled"] = POOLED_VERSIONS
    known = by_source[task.metadata.needs]
    for metric in task.metrics:
        if metric not in known:
            raise ConfigurationError(f"{path.name}: metric {metric!r} does not exist{nearest(metric, known)}")
    return _example(task, workspace)


def _example(task: Task, workspace: Path) -> str:
    """One rendered request of the task and, for answers, the dummy's scores."""
    reference = _any_reference(workspace)
    if reference is None:
        return "no author is prepared: read only"
    if task.metadata.needs == "likelihoods":
        return f"reads {reference.documents[0].text[:50]!r}"
    if task.metadata.needs == "general":
        met = met_by(GENERAL[0].id, DUMMY, persona=reference.persona, author=reference.author)
        return f"{GENERAL[0].text[:50]!r} -> {task.metrics[0]} {met.value:.3g}, {met.note}"
    prompt = reference.prompts[0]
    asked = conversation(reference.persona, prompt.text)[-1]["content"]
    if task.metadata.needs == "pooled":
        return f"{asked[:50]!r} -> {task.metrics[0]} of all answers together"
    (scores,) = measure([Answer(prompt, DUMMY, "stop", 40, 160)], reference, reference.persona)
    shown = [f"{m} {scores[m].value:.3g}" for m in task.metrics if not math.isnan(scores[m].value)]
    return f"{asked[:50]!r} -> {', '.join(shown) or 'no value'}"


def _any_reference(workspace: Path) -> Reference | None:
    for name in references.prepared_authors(workspace):
        try:
            return references.load(name, workspace)
        except MissingPrerequisiteError:
            continue
    return None
