from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import shelves
from harness.errors import ConfigurationError, YamlError
from harness.recipe import Recipe, find_trainer, parse_corpus, read_recipe

MINIMAL = "base: tiny\ncorpus: marlow@2\nsteps: 4\n"


def _write(workspace: Path, text: str) -> str:
    path = workspace / "trainers" / "recipes" / "mine.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return "mine"


def test_a_minimal_recipe_has_the_documented_defaults(tmp_path: Path) -> None:
    path, recipe = read_recipe(_write(tmp_path, MINIMAL), tmp_path)
    assert path == tmp_path / "trainers" / "recipes" / "mine.yaml"
    assert recipe == Recipe(base="tiny", corpus="marlow@2", steps=4)
    assert (recipe.trainer, recipe.lr, recipe.batch, recipe.seeds) == ("peft_lora", 0.0002, 8, (3407,))
    assert (recipe.lora.r, recipe.lora.targets) == (16, "all-linear")


def test_the_shipped_recipes_are_valid_and_their_trainers_are_there(tmp_path: Path) -> None:
    paths = shelves.list_yaml("trainers/recipes", tmp_path)
    assert paths
    for path in paths:
        found, recipe = read_recipe(str(path), tmp_path)
        assert find_trainer(recipe, found, tmp_path).name == f"{recipe.trainer}.py"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("base: t\ncorpus: a@1\n", "mine.yaml:1:1  give either epochs or steps"),
        ("base: t\ncorpus: a@1\nsteps: 1\nepochs: 1\n", "mine.yaml:1:1  give either epochs or steps"),
        (MINIMAL + "batch: 8\nmicro_batch: 3\n", "mine.yaml:1:1  batch 8 is not a multiple of micro_batch 3"),
        (MINIMAL + "seeds: []\n", "mine.yaml:1:1  seeds: at least one is needed"),
        (MINIMAL + "lora: {aplha: 3}\n", "mine.yaml:4:8  lora.aplha: unknown key, did you mean 'alpha'?"),
        (MINIMAL + "lr: 0\n", "mine.yaml:4:1  lr: input should be greater than 0"),
        (MINIMAL + "schedule: step\n", "mine.yaml:4:1  schedule: input should be 'linear', 'cosine' or"),
    ],
)
def test_a_faulty_recipe_is_placed(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(YamlError) as caught:
        read_recipe(_write(tmp_path, text), tmp_path)
    assert caught.value.faults[0].startswith(expected)


def test_a_corpus_without_its_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="corpus 'marlow': write NAME@N"):
        read_recipe(_write(tmp_path, "base: t\ncorpus: marlow\nsteps: 1\n"), tmp_path)


def test_a_trainer_of_the_workspace_is_found_and_a_missing_one_named(tmp_path: Path) -> None:
    path, recipe = read_recipe(_write(tmp_path, MINIMAL + "trainer: peft_lroa\n"), tmp_path)
    with pytest.raises(YamlError, match=r"mine.yaml:4:1  trainer: 'peft_lroa' does not exist, did you mean "):
        find_trainer(recipe, path, tmp_path)
    own = tmp_path / "trainers" / "peft_lroa.py"
    own.write_text("print('trained')\n")
    assert find_trainer(recipe, path, tmp_path) == own


def test_a_trainer_cannot_lead_out_of_its_folder(tmp_path: Path) -> None:
    path, recipe = read_recipe(_write(tmp_path, MINIMAL + "trainer: ../evil\n"), tmp_path)
    with pytest.raises(ConfigurationError, match=r"trainer '\.\./evil': use letters"):
        find_trainer(recipe, path, tmp_path)


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,12}", fullmatch=True), st.integers(0, 10**6))
def test_a_corpus_name_survives_the_round_trip(name: str, version: int) -> None:
    if ".." in name:
        return
    parsed = parse_corpus(f"{name}@{version}")
    assert (parsed.name, parsed.version) == (name, version)
    assert parse_corpus(str(parsed)) == parsed


@pytest.mark.parametrize(
    "text", ["", "a", "a@", "@1", "a@-1", "a@1@2", "a@1.5", "a@²", "a@٣", "a b@1", "../a@1"]
)
def test_a_corpus_name_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^corpus "):
        parse_corpus(text)


@given(st.text(alphabet=st.sampled_from("ab@12²٣ /.-+"), max_size=10))
def test_any_other_text_is_a_configuration_error(text: str) -> None:
    name, _, number = text.partition("@")
    if (
        re.fullmatch(r"[0-9]+", number)
        and name
        and re.fullmatch(r"[ab12][ab12.+-]*", name)
        and ".." not in name
    ):
        assert parse_corpus(text).version == int(number)
    else:
        with pytest.raises(ConfigurationError, match=r"^corpus "):
            parse_corpus(text)
