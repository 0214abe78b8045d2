"""The whole job on a random Llama: train two data versions, run, score, compare, report; then break it."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from scripted_bench import copy_workspace

from harness.bench import warehouse
from harness.cli import invoke
from harness.store import Store

RECIPE = """\
base: tiny
corpus: marlow@1
lora: {r: 4, alpha: 16}
steps: 3
batch: 4
seq_len: 400
lr: 0.02
warmup_steps: 0
dtype: float32
seeds: [1]
"""
SUITE = """\
author: marlow
variants: [tiny, marlow@1, marlow@2]
tasks: [heldout_perplexity, heldout_in_template, author_gain, authorship, copying, validity, relevance,
        keyword_density, type_token_ratio, response_length]
max_tokens: 24
likelihood: {documents: 16, window: 512}
batch: 4
dtype: float32
"""
SIDES = ("--baseline", "marlow@1", "--candidate", "marlow@2")


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


def stylobench(workspace: Path, *arguments: str) -> Said:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = invoke(["--workspace", str(workspace), *arguments])
    return Said(code, out.getvalue(), err.getvalue())


def rows(store: Store, table: str) -> pd.DataFrame:
    """A table sorted, without what may differ between two runs of the same thing."""
    frame = store.read(table).drop(columns=["run", "seconds"], errors="ignore")
    return frame.sort_values(["key", "metric"] if table == "scores" else "key").reset_index(drop=True)


@pytest.fixture(scope="module")
def trained(small_author: Path, tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two adapters, one a data version; nothing run yet. Copy it before running anything."""
    workspace = copy_workspace(small_author, tmp_path_factory.mktemp("e2e") / "trained", tiny_llama)
    for shelf, name, text in (
        ("trainers/recipes", "small", RECIPE),
        ("tasks/suites", "small", SUITE),
    ):
        (workspace / shelf).mkdir(parents=True, exist_ok=True)
        (workspace / shelf / f"{name}.yaml").write_text(text)
    for version in (1, 2):
        said = stylobench(workspace, "train", "small", "--corpus", f"marlow@{version}")
        assert said.code == 0, said.err
        assert said.out.startswith(f"small@{version}  trained: 3 steps on marlow@{version}")
    return workspace


@pytest.fixture(scope="module")
def finished(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, run and scored without interruption."""
    workspace = tmp_path_factory.mktemp("e2e") / "finished"
    shutil.copytree(trained, workspace)
    ran, scored = stylobench(workspace, "run", "small"), stylobench(workspace, "score", "small")
    assert (ran.code, scored.code) == (0, 0), ran.err + scored.err
    # Three variants: 20 answers, 16 held-out documents twice, 16 others, 8 train ones; 20 after examples.
    assert ran.out.startswith("small: 0 reused, 248 computed,")
    assert scored.out.startswith("small: 0 scores reused,")
    return workspace


def test_training_is_registered_and_reused(trained: Path) -> None:
    said = stylobench(trained, "ls", "variants", "--format", "json")
    found = {row["variant"]: row for row in json.loads(said.out)}
    assert list(found) == ["tiny", "small@1", "small@2"]
    assert found["small@2"]["trained on"] == "marlow@2"
    assert len({row["digest"] for row in found.values()}) == 3
    before = warehouse(trained).versions()
    again = stylobench(trained, "train", "small", "--corpus", "marlow@2")
    assert (again.code, again.out.split(":")[0]) == (0, "small@2  reused")
    assert warehouse(trained).versions() == before


def test_run_again_reuses_everything(finished: Path) -> None:
    before = warehouse(finished).versions()
    assert stylobench(finished, "run", "small").out.startswith(
        "small: 248 reused, 0 computed, 0 tokens drawn"
    )
    assert ", 0 computed in" in stylobench(finished, "score", "small").out
    assert warehouse(finished).versions() == before
    plan = stylobench(finished, "run", "small", "--plan").out
    variants, _, verdicts = plan.partition("\n\n")
    assert "copied answers" in verdicts
    assert " needs 511 " in verdicts
    assert [line.split()[:4] for line in variants.splitlines() if line.strip()][1:] == [
        *([name, "76", "0", "0"] for name in ("tiny", "small@1", "small@2")),
        ["tiny+few-shot", "20", "0", "0"],
    ]


def test_the_adapters_say_something_of_their_own(finished: Path) -> None:
    loglik = warehouse(finished).read("likelihoods", context="raw", set="heldout")
    sums = loglik.groupby("variant")["loglik"].sum()
    assert sums.nunique() == 3
    said = warehouse(finished).read("responses", engine="transformers/float32/cpu")
    texts = said.groupby("variant")["text"].agg(tuple)
    assert texts.nunique() == 4  # the base once more, after two examples


def test_compare_and_report_speak_about_the_pair(finished: Path) -> None:
    said = stylobench(finished, "compare", *SIDES)
    assert said.code in (0, 3, 4)
    assert "pair  small@1 -> small@2" in said.out
    assert "One training run each: this is about these adapters, not yet the data." in said.out
    as_json = stylobench(finished, "compare", *SIDES, "--format", "json")
    verdicts = {row["metric"]: row for row in json.loads(as_json.out)}
    bits = verdicts["bits per byte on unseen prose *"]
    assert bits["n"] == 16
    assert bits["gain"] == pytest.approx(bits["baseline"] - bits["candidate"])
    report = stylobench(finished, "report", "small", *SIDES)
    assert (report.code, report.out.strip()) == (0, "report: reports/out/small.html")
    page = (finished / "reports" / "out" / "small.html").read_text(encoding="utf-8")
    assert said.out.splitlines()[0] in page
    assert "small@1" in page
    assert str(finished) not in page


def test_as_of_a_run_gives_the_numbers_of_that_run(finished: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    shutil.copytree(finished, workspace)
    runs = json.loads(stylobench(workspace, "ls", "runs", "--format", "json").out)
    (first,) = (row["run"] for row in runs if row["command"] == "score small")
    ran = next(row["run"] for row in runs if row["command"] == "run small")
    earlier = stylobench(workspace, "compare", *SIDES, "--format", "json")
    # More data under the same names: a newer version of one metric, one unit higher.
    store = warehouse(workspace)
    more = store.read("scores", variant="small@2", metric="bits_per_byte")
    store.append("scores", (more.assign(value=more["value"] + 1, metric_version="2")).to_dict("records"))
    now = stylobench(workspace, "compare", *SIDES, "--format", "json")
    then = stylobench(workspace, "compare", *SIDES, "--format", "json", "--as-of", first)
    assert now.out != earlier.out
    assert (then.code, then.out) == (earlier.code, earlier.out)
    before_scoring = stylobench(workspace, "compare", *SIDES, "--as-of", ran)
    assert before_scoring.code == 4
    assert "cannot be compared" in before_scoring.out
    assert stylobench(workspace, "compare", *SIDES, "--as-of", "nosuch").code == 2


def commits(workspace: Path) -> int:
    return sum(
        1
        for table in ("likelihoods", "responses")
        for _ in (workspace / "results" / "warehouse" / table / "_delta_log").glob("*.json")
    )


def test_killed_between_batches_and_started_again_gives_the_same_scores(
    trained: Path, finished: Path, tmp_path: Path
) -> None:
    workspace = tmp_path / "killed"
    shutil.copytree(trained, workspace)
    kills = 0
    for wanted in (3, 30):  # once among the base's likelihoods, once among a later variant's
        start = "import sys; from harness.cli import main; sys.argv[0] = 'stylobench'; main()"
        command = [sys.executable, "-c", start, "--workspace", str(workspace), "run", "small"]
        with (
            (tmp_path / "said").open("w") as said,
            subprocess.Popen(command, stdout=said, stderr=said) as child,
        ):
            deadline = time.monotonic() + 60
            while commits(workspace) < wanted and child.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
            if child.poll() is None:
                child.kill()
                kills += 1
    kept = sum(len(rows(warehouse(workspace), table)) for table in ("likelihoods", "responses"))
    assert kills == 2, (tmp_path / "said").read_text()
    assert 0 < kept < 248
    again = stylobench(workspace, "run", "small")
    assert again.out.startswith(f"small: {kept} reused, {248 - kept} computed")
    assert stylobench(workspace, "score", "small").code == 0
    for table in ("likelihoods", "responses", "scores"):
        resumed, whole = rows(warehouse(workspace), table), rows(warehouse(finished), table)
        pd.testing.assert_frame_equal(resumed, whole, check_exact=True)
