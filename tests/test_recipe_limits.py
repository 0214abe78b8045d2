"""What a recipe refuses before anything is planned: numbers without sense, names that would be lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from scripted_bench import copy_workspace

from harness.bench import warehouse
from harness.cli import invoke
from harness.errors import ConfigurationError, YamlError
from harness.models.bases import resolve_base
from harness.orders import orders
from harness.recipe import read_recipe
from harness.store import Run
from harness.types import Variant
from harness.variants import as_row, check_base_name

PLAIN = "base: tiny\ncorpus: marlow@2\nsystem: persona\n"


def written(workspace: Path, body: str, name: str = "x") -> Path:
    path = workspace / "trainers" / "recipes" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(PLAIN + body)
    return path


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("epochs: .inf\n", "epochs"),
        ("epochs: 1e300\n", "epochs"),
        ("steps: 100000000000\n", "steps"),
        ("steps: 2\nbatch: 1000000000\n", "batch"),
        ("steps: 2\nlr: .inf\n", "lr"),
        ("steps: 2\nweight_decay: .inf\n", "weight_decay"),
        ("steps: 2\nseq_len: 1000000000000\n", "seq_len"),
        ("steps: 2\nseeds: [-1]\n", "between 0 and 4294967295"),
        ("steps: 2\nseeds: [4294967296]\n", "between 0 and 4294967295"),
        ("steps: 2\nseeds: [5, 5]\n", "each once"),
        (f"steps: 2\nseeds: {list(range(65))}\n", "at most 64"),
        ("steps: 2\nlora: {targets: '(q_proj'}\n", "no regular expression"),
        ('steps: 2\nnote: "\\uD800"\n', "surrogate"),
    ],
)
def test_a_setting_without_sense_is_refused_with_its_place(tmp_path: Path, body: str, said: str) -> None:
    written(tmp_path, body)
    with pytest.raises(YamlError) as refused:
        read_recipe("x", tmp_path)
    assert "x.yaml:" in str(refused.value)
    assert said in str(refused.value)


def test_a_recipe_that_cannot_be_read_does_not_hide_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, "steps: 2\n", "good")
    written(tmp_path, "", "latin").write_bytes("# caf\xe9\n".encode("latin-1"))
    assert invoke(["--workspace", str(tmp_path), "ls", "recipes"]) == 0
    said = capsys.readouterr().out
    assert "good" in said
    assert "cannot be read; stylobench validate says why" in said


@pytest.fixture
def workspace(small_author: Path, tiny_llama: Path, tmp_path: Path) -> Path:
    return copy_workspace(small_author, tmp_path / "w", tiny_llama)


def test_a_base_is_one_however_it_is_spelt(workspace: Path) -> None:
    plain = resolve_base("tiny", workspace)
    for spelling in ("tiny/", "./tiny", "results/bases/tiny", "results/bases/../bases/tiny"):
        assert resolve_base(spelling, workspace).name == plain.name == "tiny"


def test_a_base_never_takes_a_variants_name(workspace: Path) -> None:
    shelf = workspace / "results" / "bases"
    shutil.copytree((shelf / "tiny").resolve(), shelf / "mine@1")
    store = warehouse(workspace)
    mine = Variant(name="mine@1", kind="adapter", digest="d", base="tiny", adapter="results/adapters/mine@1")
    with Run(store, "train mine@1") as run:
        run.append("variants", [as_row(mine)])
    written(workspace, "steps: 2\n").write_text(PLAIN.replace("tiny", '"mine@1"') + "steps: 2\n")
    with pytest.raises(ConfigurationError, match="has the name of a variant"):
        orders("x", workspace, warehouse(workspace))
    check_base_name(resolve_base("tiny", workspace), {"mine@1": mine})


def test_two_runs_of_one_name_are_refused(workspace: Path) -> None:
    written(workspace, "steps: 2\nmatrix: {corpus: [marlow@2, marlow@02]}\n")
    with pytest.raises((YamlError, ConfigurationError)):
        orders("x", workspace, warehouse(workspace))
