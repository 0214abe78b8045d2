from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ConfigurationError, YamlError
from harness.matrix import cells, narrowed
from harness.recipe import read_recipe

PLAIN = "base: tiny\ncorpus: marlow@2\nsteps: 4\n"


def _write(workspace: Path, text: str) -> Path:
    path = workspace / "trainers" / "recipes" / "mine.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def _labels(workspace: Path, matrix: str, more: str = "") -> list[str]:
    _write(workspace, f"{PLAIN}{more}matrix: {matrix}\n")
    path, recipe = read_recipe("mine", workspace)
    return [cell.label for cell in cells(recipe, path)]


def test_without_a_matrix_a_recipe_is_one_training(tmp_path: Path) -> None:
    _write(tmp_path, PLAIN)
    path, recipe = read_recipe("mine", tmp_path)
    (cell,) = cells(recipe, path)
    assert (cell.label, cell.recipe) == ("", recipe)


def test_every_combination_is_a_training_with_a_speaking_name(tmp_path: Path) -> None:
    assert _labels(tmp_path, "{seeds: [1, 2], lora.r: [8, 16]}") == [
        "+r8+seed1", "+r16+seed1", "+r8+seed2", "+r16+seed2"
    ]  # fmt: skip
    assert _labels(tmp_path, "{max_examples: [100, 1000], packing: [true, false]}") == [
        "+100examples+packing",
        "+100examples+no-packing",
        "+1000examples+packing",
        "+1000examples+no-packing",
    ]
    assert _labels(tmp_path, "{base: [org/Llama-3.2-1B@abc, my models/tiny b/], lr: [0.0005, 1.0e6]}") == [
        "+llama-3.2-1b+lr0.0005", "+llama-3.2-1b+lr1e06", "+tiny-b+lr0.0005", "+tiny-b+lr1e06"
    ]  # fmt: skip
    assert _labels(tmp_path, "{schedule: [cosine], template.enable_thinking: [false]}") == [
        "+schedule-cosine+no-enable_thinking"
    ]


def test_a_cell_has_its_own_values_and_what_follows_from_them(tmp_path: Path) -> None:
    _write(tmp_path, PLAIN + "lora: {r: 4, dropout: 0.1}\nmatrix: {lora.r: [8, 32], corpus: [marlow@1]}\n")
    path, recipe = read_recipe("mine", tmp_path)
    found = [cell.recipe for cell in cells(recipe, path)]
    assert [(each.lora.r, each.lora.alpha, each.lora.dropout) for each in found] == [
        (8, 8, 0.1),
        (32, 32, 0.1),
    ]
    assert {(each.corpus, each.matrix == {}) for each in found} == {("marlow@1", True)}
    _write(tmp_path, PLAIN + "lora: {alpha: 128}\nmatrix: {lora.r: [8, 32], seeds: [7]}\n")
    path, recipe = read_recipe("mine", tmp_path)
    assert [(c.recipe.lora.alpha, c.recipe.seeds) for c in cells(recipe, path)] == [(128, (7,))] * 2


def test_one_corpus_or_seed_narrows_the_matrix_too(tmp_path: Path) -> None:
    _write(tmp_path, PLAIN + "matrix: {lora.r: [8, 16], seeds: [1, 2], corpus: [marlow@1, marlow@2]}\n")
    path, recipe = read_recipe("mine", tmp_path)
    found = cells(narrowed(recipe, corpus="marlow@2", seed=5), path)
    assert [(cell.label, cell.recipe.corpus) for cell in found] == [
        ("+r8+seed5", "marlow@2"),
        ("+r16+seed5", "marlow@2"),
    ]


@pytest.mark.parametrize(
    ("matrix", "fault"),
    [
        ("{lora.rr: [8]}", "4:10  matrix: lora.rr cannot be varied, did you mean 'lora.r'?"),
        ("{lora: [8]}", "4:10  matrix: lora cannot be varied"),
        ("{note: [a, b]}", "4:10  matrix: note cannot be varied"),
        ("{seeds: []}", "4:10  matrix: seeds: at least one value is needed"),
        ("{lora.r: [8, 0]}", "4:22  matrix: lora.r: input should be greater than or equal to 1"),
        ("{lr: [fast]}", "4:15  matrix: lr: input should be a valid number"),
        ("{seeds: [1, 1]}", "4:1  matrix: two trainings would have one name (+seed1)"),
        ("{corpus: [marlow@1, marlow@1]}", "4:1  matrix: two trainings would have one name (marlow@1)"),
        ("{epochs: [1, 2]}", "4:1  matrix: epochs 1: give either epochs or steps"),
        ("{base: [a/x, b/x]}", "4:1  matrix: two trainings would have one name (+x)"),
        (
            "{lora.r: [1, 2, 3, 4, 5, 6, 7, 8, 9], batch: [1, 2, 3, 4, 5, 6, 7, 8]}",
            "4:1  matrix: stands for 72 trainings; 64 are the most",
        ),
    ],
)
def test_a_faulty_matrix_is_placed_when_the_recipe_is_read(tmp_path: Path, matrix: str, fault: str) -> None:
    _write(tmp_path, f"{PLAIN}matrix: {matrix}\n")
    with pytest.raises(YamlError) as caught:
        read_recipe("mine", tmp_path)
    assert caught.value.faults[0].startswith(f"mine.yaml:{fault}")
    assert len(caught.value.faults) == 1


def test_a_corpus_without_its_number_is_refused(tmp_path: Path) -> None:
    _write(tmp_path, PLAIN + "matrix: {corpus: [marlow]}\n")
    with pytest.raises(ConfigurationError, match="corpus 'marlow': write NAME@N"):
        read_recipe("mine", tmp_path)


def test_a_rule_between_two_varied_keys_is_tried_on_each_pair(tmp_path: Path) -> None:
    assert _labels(tmp_path, "{batch: [6], micro_batch: [3]}") == ["+batch6+micro_batch3"]
    _write(tmp_path, PLAIN + "matrix: {batch: [6, 8], micro_batch: [3]}\n")
    with pytest.raises(YamlError, match="batch 8, micro_batch 3: batch 8 is not a multiple of micro_batch 3"):
        read_recipe("mine", tmp_path)
