from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from scripted_bench import finished_workspace
from small_author import NAME, PILOT, prose

from harness import reference as references
from harness.cli import invoke


class Said(NamedTuple):
    code: int
    out: str
    err: str


Shell = Callable[..., Said]


@pytest.fixture(scope="module")
def finished(small_author: Path, tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished_workspace(small_author, tmp_path_factory.mktemp("cli-register") / "w", tiny_llama)


@pytest.fixture
def workspace(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path / "w")


@pytest.fixture
def shell(workspace: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    def say(*arguments: str) -> Said:
        capsys.readouterr()
        code = invoke(["--workspace", str(workspace), *arguments])
        return Said(code, *capsys.readouterr())

    return say


@pytest.fixture
def answers(workspace: Path) -> Path:
    """The author's own answers to all prompts but one, and a row that belongs nowhere."""
    prompts = references.load(NAME, workspace).prompts[1:]
    rows = [{"prompt": p.text, "answer": p.reference} for p in prompts]
    rows.append({"prompt": "What else?", "answer": "Nothing."})
    path = workspace / "answers.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def test_old_answers_from_file_to_report(shell: Shell, workspace: Path, answers: Path) -> None:
    said = shell("register", "old", "--recorded", "answers.jsonl", "--trained-on", "marlow@2")
    assert said == Said(
        0,
        "old  19 recorded answers, trained on marlow@2\n"
        "  1 rows match no prompt of marlow and were left out\n"
        "  1 of 20 prompts have no answer: it cannot be compared with variants that answered them\n",
        "",
    )
    assert "old" in shell("ls", "variants").out
    ran = shell("run", "small", "--variant", "old")
    assert ran.code == 0
    assert ran.out.startswith("small: 0 reused, 0 computed, 0 tokens drawn")
    assert ran.out.endswith("old: 1 of 20 prompts have no recorded answer\n")
    assert shell("score", "small", "--variant", "old").code == 0
    # The suite names it as one of those trained on marlow@2.
    compared = shell("compare", "--suite", "small", "--baseline", "small@1", "--candidate", "old", "--all")
    assert compared.code == 4
    assert "different prompts: 1 are on one side only" in compared.out
    assert shell("report", "small").code == 0
    page = (workspace / "reports" / "out" / "small.html").read_text()
    assert ">old<" in page.replace("\n", "").replace(" ", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "register: give --adapter FOLDER with --base BASE, or --recorded FILE\n"),
        (("--adapter", "a", "--recorded", "b"), "register: give --adapter FOLDER with --base BASE, or"),
        (("--adapter", "a"), "register: --adapter and --base go together\n"),
        (("--recorded", "gone.jsonl"), "gone.jsonl does not exist, neither here nor in the workspace\n"),
        (("--recorded", "answers.jsonl", "--trained-on", "most"), "--trained-on most: write corpus@N, all,"),
        (("--adapter", "answers.jsonl", "--base", "tiny"), "adapter answers.jsonl: it has no adapter_con"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)  # fmt: skip
def test_slips_are_one_line_and_register_nothing(
    shell: Shell, workspace: Path, answers: Path, arguments: tuple[str, ...], message: str
) -> None:
    before = shell("ls", "variants", "--format", "json").out
    said = shell("register", "old", *arguments)
    assert said.code == 2
    assert said.err.startswith(message)
    assert said.err.count("\n") == 1
    assert shell("ls", "variants", "--format", "json").out == before


def test_an_unknown_author_is_missing(shell: Shell, answers: Path) -> None:
    assert shell("register", "old", "--recorded", "answers.jsonl", "--author", "nobody").code == 5


def test_a_text_measured_in_every_format(shell: Shell, workspace: Path) -> None:
    (workspace / "essay.txt").write_text("\n\n".join(prose(PILOT, 500, 61)))
    asked = ("measure", "essay.txt", "--author", NAME)
    as_json = json.loads(shell(*asked, "--format", "json").out)
    as_csv = list(csv.DictReader(io.StringIO(shell(*asked, "--format", "csv").out)))
    assert [row["metric"] for row in as_json] == [row["metric"] for row in as_csv]
    logit = next(row for row in as_json if row["metric"] == "authorship")
    assert logit["others"] < logit["value"]
    table = shell(*asked).out
    assert "beside Ellis Marlow, about 54\npooled metrics (Delta, profiles) are left out: " in table
    whole = shell(*asked, "--whole").out
    assert whole.startswith("1 text of about 5")
    assert "lengths differ: " in whole
    assert "lengths differ: " not in table


def test_measuring_writes_nothing(shell: Shell, workspace: Path) -> None:
    (workspace / "essay.txt").write_text("\n\n".join(prose(PILOT, 200, 62)))
    before = sorted(workspace.rglob("*"))
    assert shell("measure", "essay.txt", "--author", NAME).code == 0
    assert sorted(workspace.rglob("*")) == before
