from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from small_author import NAME

from harness.cli import invoke
from harness.corpora import passages_of
from harness.store import Store


@pytest.fixture
def workspace(small_author: Path, tmp_path: Path) -> Path:
    return shutil.copytree(small_author, tmp_path / "copy")


def test_pairs_are_counted_by_where_they_belong(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    passages = passages_of(NAME, 2, Store(workspace / "results" / "warehouse"), workspace)
    train = next(p for p in passages if p.split == "train")
    heldout = next(p for p in passages if p.split == "heldout")
    rows = [
        {"instruction": "What?", "output": text}
        for text in (train.text, heldout.text, "None of these at all.")
    ]
    (workspace / "pairs.json").write_text(json.dumps(rows))
    asked = ["--workspace", str(workspace), "import", "qa", "pairs.json", "--corpus", f"{NAME}@2"]
    assert invoke([*asked, "--format", "json"]) == 0
    assert [row["n"] for row in json.loads(capsys.readouterr().out)] == [1, 1, 1, 1]
    assert invoke(asked) == 0
    assert "{from: 2, style: qa, pairs: pairs.json}" in capsys.readouterr().out


def test_a_file_that_is_not_there_is_one_line(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = invoke(["--workspace", str(workspace), "import", "qa", "gone.json", "--corpus", f"{NAME}@2"])
    assert (code, capsys.readouterr().err) == (2, "pairs: gone.json does not exist in this workspace\n")


def test_the_plan_names_what_could_be_held_out_and_writes_nothing(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(p.relative_to(workspace) for p in workspace.rglob("*"))
    assert invoke(["--workspace", str(workspace), "prepare", NAME, "--plan", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert "harbours" in {row["book"] for row in rows}
    assert all(row["held out"] > 0 and row["left to train on"] > 0 for row in rows)
    assert sorted(p.relative_to(workspace) for p in workspace.rglob("*")) == before
