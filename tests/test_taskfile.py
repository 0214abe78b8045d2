from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from harness import shelves, yamlfile
from harness.errors import ConfigurationError, YamlError
from harness.likelihood_scores import LIKELIHOOD_VERSIONS
from harness.measures import VERSIONS
from harness.pooled import POOLED_VERSIONS
from harness.retention import GENERAL_VERSIONS
from harness.taskfile import GROUPS, Task, read_tasks, with_metrics

TASK = """\
task: stylo_brevity
custom_dataset: !function harness.lmeval.prompts
output_type: generate_until
process_results: !function harness.lmeval.response_length
metric_list:
  - {metric: words}
metadata:
  version: 1.2
  title: Brevity
  question: How short?
  target: lower
  weakness: None known.
"""


def _write(workspace: Path, text: str, name: str = "brevity") -> None:
    path = workspace / "tasks" / "stylo" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _shipped(tmp_path: Path) -> tuple[Task, ...]:
    names = tuple(path.stem for path in shelves.list_yaml("tasks/stylo", tmp_path))
    return read_tasks(names, tmp_path)


def test_a_task_of_the_workspace_needs_no_registering(tmp_path: Path) -> None:
    _write(tmp_path, TASK)
    brevity, copying = read_tasks(("brevity", "stylo_copying"), tmp_path)
    assert (brevity.name, brevity.metrics, brevity.version) == ("brevity", ("words",), "1.2")
    assert brevity.process_results == "!function harness.lmeval.response_length"
    assert copying.name == "copying"


def test_every_function_a_shipped_task_names_exists(tmp_path: Path) -> None:
    tasks = _shipped(tmp_path)
    assert tasks
    for task in tasks:
        named = [task.custom_dataset, task.process_results, *(m.aggregation for m in task.metric_list)]
        for function in (name.removeprefix("!function ") for name in named if name.startswith("!function")):
            module, _, attribute = function.rpartition(".")
            assert callable(getattr(importlib.import_module(module), attribute)), function


def test_shipped_tasks_say_what_a_reader_needs_and_report_known_metrics(tmp_path: Path) -> None:
    for task in _shipped(tmp_path):
        assert task.task == f"stylo_{task.name}"
        assert task.metadata.question
        assert task.metadata.weakness
        if task.metadata.needs == "responses":
            assert task.output_type == "generate_until"
            assert set(task.metrics) <= set(VERSIONS)


def test_every_shipped_metric_belongs_to_one_shipped_task_and_every_task_to_a_group(tmp_path: Path) -> None:
    tasks = _shipped(tmp_path)
    reported = [metric for task in tasks for metric in task.metrics]
    assert len(reported) == len(set(reported))
    assert {*VERSIONS, *LIKELIHOOD_VERSIONS, *GENERAL_VERSIONS, *POOLED_VERSIONS} == set(reported)
    assert {task.metadata.group for task in tasks} == set(GROUPS)


def test_tasks_are_found_by_the_metrics_they_report(tmp_path: Path) -> None:
    _write(tmp_path, TASK)
    (brevity,) = read_tasks(("brevity",), tmp_path)
    found = with_metrics((brevity,), ("mtld", "words", "commas", "dashes"), tmp_path)
    assert [task.name for task in found] == ["brevity", "mtld", "punctuation"]
    assert brevity.metadata.group is None
    with pytest.raises(ConfigurationError, match=r"no task reports the metric 'mltd', did you mean 'mtld'\?"):
        with_metrics((brevity,), ("mltd",), tmp_path)


def test_a_shadowing_file_replaces_the_shipped_task(tmp_path: Path) -> None:
    _write(tmp_path, TASK.replace("stylo_brevity", "stylo_copying"), "copying")
    (task,) = read_tasks(("copying",), tmp_path)
    assert task.metadata.title == "Brevity"


def test_two_files_cannot_claim_one_name(tmp_path: Path) -> None:
    _write(tmp_path, TASK)
    _write(tmp_path, TASK, "shortness")
    with pytest.raises(YamlError, match=r"shortness.yaml:1:1  task: stylo_brevity is already defined"):
        read_tasks(("copying",), tmp_path)


def test_an_unknown_task_offers_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"task 'copyin' does not exist, did you mean 'copying'\?"):
        read_tasks(("copyin",), tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "metric_list:\n  - {metric: words}",
            "metric_list: []",
            "brevity.yaml:5:1  metric_list: list should",
        ),
        ("target: lower", "target: down", "brevity.yaml:11:3  metadata.target: input should be 'higher', "),
        ("- {metric: words}", "- {metrc: words}", "brevity.yaml:6:5  metric_list.0.metric: missing"),
        ("output_type: generate_until", "num_fewshot: 3", "brevity.yaml:1:1  output_type: missing"),
    ],
)
def test_a_faulty_task_is_placed(tmp_path: Path, old: str, new: str, expected: str) -> None:
    _write(tmp_path, TASK.replace(old, new))
    with pytest.raises(YamlError) as caught:
        yamlfile.read(tmp_path / "tasks" / "stylo" / "brevity.yaml", Task)
    assert caught.value.faults[0].startswith(expected)
