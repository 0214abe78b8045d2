"""``prepare --plan`` and ``--folds`` as a user meets them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from small_author import CORPUS, NAME

from harness.cli import invoke


@pytest.fixture
def workspace(small_author: Path, tmp_path: Path) -> Path:
    return shutil.copytree(small_author, tmp_path / "copy")


def _describe(workspace: Path, corpus: str) -> None:
    (workspace / "trainers" / "corpora" / f"{NAME}.yaml").write_text(corpus)


def _here(workspace: Path) -> list[str]:
    return ["-C", str(workspace), "prepare", NAME]


def test_the_plan_marks_what_is_held_out_and_prices_what_would_be_bought(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paid = "style: qa, writer: claude-haiku-4-5-20251001, price: {input: 1, output: 5}, max_usd: 3"
    _describe(workspace, CORPUS + f"  3: {{from: 2, {paid}}}\n")
    assert invoke([*_here(workspace), "--plan"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (marked,) = [line for line in lines if "whole" in line and "held out" in line]
    assert marked.startswith("harbours")
    assert "held out, for good: harbours" in lines
    (second,) = [line.split() for line in lines if line.startswith(f"{NAME}@2")]
    assert second[1:5] == ["@1", "completion", "body", "reused"]
    (third,) = [line.split() for line in lines if line.startswith(f"{NAME}@3")]
    assert third[1:4] == ["@2", "qa", "body"]
    assert " ".join(third).count("to build") == 1
    likely, worst, most = map(float, third[-3:])
    assert 0 < likely < worst < most == 3
    assert invoke([*_here(workspace), "--plan", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["book"] for row in rows if row["now"]] == ["harbours"]


def test_folds_are_listed_then_written_and_never_overwritten(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf = workspace / "trainers" / "corpora"
    assert invoke([*_here(workspace), "--plan", "--folds", "3"]) == 0
    shown = capsys.readouterr().out
    assert "stylobench prepare marlow --folds 3 writes these corpus files" in shown
    assert [path.name for path in shelf.iterdir()] == ["marlow.yaml"]
    assert invoke([*_here(workspace), "--folds", "3"]) == 0
    written = capsys.readouterr().out
    assert "author: marlow-fold1" in written
    assert sorted(path.stem for path in shelf.iterdir())[1:] == [f"marlow-fold{n}" for n in (1, 2, 3)]
    assert invoke([*_here(workspace), "--folds", "3"]) == 2
    assert "marlow-fold1.yaml is there already" in capsys.readouterr().err
    assert invoke([*_here(workspace), "--folds", "9"]) == 2
    assert "there are 4 books" in capsys.readouterr().err


def test_one_version_is_built_by_itself(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _describe(workspace, CORPUS + "  3: {from: 2, words: 80}\n  4: {from: 2, words: 90}\n")
    one = ["-C", str(workspace), "prepare", f"{NAME}@4"]
    assert invoke(one) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]] == [f"{NAME}@4"]
    built = {path.stem for path in (workspace / "results" / "corpora").glob("*.json")}
    assert built == {f"{NAME}@{number}" for number in (1, 2, 4)}
    assert invoke(one) == 0
    assert capsys.readouterr().out.splitlines()[1].endswith("reused")
    assert invoke(["-C", str(workspace), "prepare", f"{NAME}@9"]) == 2
    assert "version 9 does not exist; have @1, @2, @3, @4" in capsys.readouterr().err


def test_too_few_questions_for_a_validation_side_are_said(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _describe(workspace, CORPUS + "  3: {from: 2, style: qa, ask: 1}\n")
    assert invoke(_here(workspace)) == 0
    manifest = json.loads((workspace / "results" / "corpora" / f"{NAME}@3.json").read_text())
    said = "marlow@3: no passage is left for validation; ask about more than 1" in capsys.readouterr().err
    assert said == (manifest["passages"].get("validation", 0) == 0)
    assert manifest["passages"].get("train", 0) + manifest["passages"].get("validation", 0) == 1
