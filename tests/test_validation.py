from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness import shelves
from harness.validation import Finding, check_workspace

RECIPE = "base: tiny\ncorpus: marlow@2\nsteps: 4\n"


@pytest.fixture
def workspace(small_author: Path, tmp_path: Path) -> Path:
    return shutil.copytree(small_author, tmp_path / "copy")


def _findings(workspace: Path) -> dict[str, Finding]:
    return {finding.file: finding for finding in check_workspace(workspace)}


def _write(workspace: Path, relative: str, text: str) -> None:
    path = workspace / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_everything_shipped_is_valid_and_every_file_is_looked_at(tmp_path: Path) -> None:
    findings = check_workspace(tmp_path)
    on_shelves = [
        path.name
        for shelf in ("trainers/recipes", "trainers/corpora", "tasks/suites", "tasks/stylo")
        for path in shelves.list_yaml(shelf, tmp_path)
    ]
    assert [finding.file for finding in findings] == on_shelves
    assert {finding.result for finding in findings} == {"ok"}


def test_without_an_author_tasks_are_only_read(tmp_path: Path) -> None:
    assert _findings(tmp_path)["copying.yaml"].example == "no author is prepared: read only"


def test_with_an_author_each_task_shows_one_example(workspace: Path) -> None:
    findings = _findings(workspace)
    assert findings["marlow.yaml"].example == "Ellis Marlow, 2 versions"
    assert findings["heldout_perplexity.yaml"].example.startswith("reads '")
    copying = findings["copying.yaml"].example
    assert copying.startswith("'What do you hold on the matter of ")
    assert "-> copied 0, recited 0, longest_run " in copying
    assert findings["validity.yaml"].example.endswith("short 0")


def test_one_fault_hides_no_other(workspace: Path) -> None:
    _write(workspace, "trainers/recipes/good.yaml", RECIPE)
    _write(workspace, "trainers/recipes/slip.yaml", RECIPE + "epcohs: 2\n")
    _write(workspace, "trainers/recipes/lost.yaml", RECIPE + "trainer: peft_lara\n")
    _write(workspace, "trainers/recipes/loose.yaml", RECIPE.replace("@2", ""))
    _write(workspace, "tasks/suites/wrong.yaml", "author: marlow\ntasks: [copyin]\n")
    findings = _findings(workspace)
    assert findings["good.yaml"] == Finding("good.yaml", "ok", "tiny on marlow@2", "workspace")
    assert findings["slip.yaml"].shelf == "workspace"
    assert findings["copying.yaml"].shelf == "shipped"
    results = {name: findings[name].result for name in ("slip.yaml", "lost.yaml", "loose.yaml", "wrong.yaml")}
    assert results == {
        "slip.yaml": "slip.yaml:4:1  epcohs: unknown key, did you mean 'epochs'?",
        "lost.yaml": "lost.yaml:4:1  trainer: 'peft_lara' does not exist, did you mean 'peft_lora'?",
        "loose.yaml": "corpus 'marlow': write NAME@N, for example roosevelt@2",
        "wrong.yaml": "task 'copyin' does not exist, did you mean 'copying'?",
    }


def test_a_task_with_a_metric_that_does_not_exist_is_told(workspace: Path) -> None:
    text = shelves.find("tasks/stylo/response_length.yaml", workspace).read_text()
    spoilt = text.replace("{metric: words,", "{metric: wrods,")
    assert spoilt != text
    _write(workspace, "tasks/stylo/response_length.yaml", spoilt)
    result = _findings(workspace)["response_length.yaml"].result
    assert result == "response_length.yaml: metric 'wrods' does not exist, did you mean 'words'?"


def test_a_faulty_task_spoils_no_other_task(workspace: Path) -> None:
    copying = shelves.find("tasks/stylo/copying.yaml", workspace).read_text()
    _write(workspace, "tasks/stylo/pasting.yaml", copying.replace("stylo_copying", "stylo_recitation"))
    _write(workspace, "tasks/stylo/faulty.yaml", copying.replace("test_split: test", "split: test"))
    findings = _findings(workspace)
    assert findings["faulty.yaml"].result.startswith(
        "faulty.yaml:7:1  split: unknown key, did you mean 'test_sp"
    )
    assert findings["pasting.yaml"].result == findings["copying.yaml"].result == "ok"


def test_an_edited_corpus_file_that_does_not_resolve_is_told(workspace: Path) -> None:
    path = workspace / "trainers" / "corpora" / "marlow.yaml"
    path.write_text(path.read_text() + "  3: {from: 2, words: 60, overlap: 40}\n")
    assert _findings(workspace)["marlow.yaml"].result.endswith(
        "versions: version 3: overlap 40 is more than half of words 60"
    )


def test_a_suite_that_cannot_run_is_told_with_the_place_of_each_fault(workspace: Path) -> None:
    faulty = (
        "author: marlow\ntasks: [copying]\ncontrols: [author, 'other:flinn']\n"
        "primaries: [copied, bits_per_byte]\nretention: ['lm_eval:hellaswagg', 'lm_eval:hellaswag']\n"
    )
    _write(workspace, "tasks/suites/lost.yaml", faulty)
    _write(
        workspace, "tasks/suites/fine.yaml", "author: marlow\ntasks: [copying]\ncontrols: ['other:flint']\n"
    )
    findings = _findings(workspace)
    told = findings["lost.yaml"].result.split("\n")
    assert told[0] == "lost.yaml:3:20  controls: 'other:flinn' does not exist, did you mean 'other:flint'?"
    assert told[1] == "lost.yaml:4:21  primaries: no task of the suite reports 'bits_per_byte'"
    assert told[2].startswith("lost.yaml:5:13  retention: lm-eval has no task 'hellaswagg', did you mean")
    assert len(told) == 3
    assert findings["fine.yaml"].result == "ok"


def test_checking_writes_nothing(workspace: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in workspace.rglob("*")}
    check_workspace(workspace)
    assert {path: path.stat().st_mtime_ns for path in workspace.rglob("*")} == before
