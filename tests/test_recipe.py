from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import shelves
from harness.errors import ConfigurationError, YamlError
from harness.recipe import Recipe, completed, find_trainer, parse_corpus, read_recipe, settings_of

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


PUBLISHED = {
    "completion-gpt-oss-20b": {"lora.r": 16, "epochs": 1, "load_in_4bit": True},
    "completion-qwen3-14b": {"lora.r": 16, "epochs": 1, "load_in_4bit": True},
    "qa-qwen3-14b": {"lora.r": 32, "lora.alpha": 32, "epochs": 3, "seq_len": 2048, "micro_batch": 2},
    "qwen3-32b": {"seq_len": 1024, "micro_batch": 1, "batch": 8},
    "qwen3-30b-a3b-attention": {"lora.targets": ("q_proj", "k_proj", "v_proj", "o_proj")},
    "style-llama-3.1-8b": {
        "lora.r": 64, "lora.alpha": 128, "lora.dropout": 0.05, "epochs": 5,
        "lora.modules_to_save": ("lm_head", "embed_tokens"),
    },
    "llama-3.2-1b": {"steps": 600, "matrix": {"lora.r": (16, 64), "max_examples": (10000, 30000)}},
    "smoke": {"max_examples": 64},
    "smollm2-135m": {"lora.r": 16, "steps": 60, "base": "smollm2-135m-instruct", "seeds": (3407,)},
    "rank-sweep": {"matrix": {"lora.r": (4, 16, 64), "seeds": (1, 2, 3)}},
    "data-size-sweep": {"matrix": {"max_examples": (64, 128, 256, 512), "seeds": (1, 2)}},
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_experiment_has_its_own_settings(tmp_path: Path, name: str) -> None:
    path, recipe = read_recipe(name, tmp_path)
    for key, wanted in PUBLISHED[name].items():
        found = recipe
        for part in key.split("."):
            found = getattr(found, part)
        assert found == wanted, key
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[1].startswith(f"# stylobench train {name}")
    assert "measured" in lines[0] or "minute" in lines[0], "what it takes, or that nobody has measured it"
    assert sum(line.startswith("corpus: ") for line in lines) == 1


def test_the_shipped_recipes_are_those_described_here(tmp_path: Path) -> None:
    assert {path.stem for path in shelves.list_yaml("trainers/recipes", tmp_path)} == set(PUBLISHED)


def test_alpha_follows_the_rank_unless_it_is_written(tmp_path: Path) -> None:
    for lora, alpha in (("{r: 64}", 64), ("{r: 64, alpha: 8}", 8), ("{alpha: 8}", 8), ("{dropout: 0.1}", 16)):
        assert read_recipe(_write(tmp_path, MINIMAL + f"lora: {lora}\n"), tmp_path)[1].lora.alpha == alpha


def test_settings_of_an_older_record_gain_the_keys_that_came_since() -> None:
    recipe = Recipe(base="tiny", corpus="marlow@2", steps=4, note="why", matrix={"seeds": (1, 2)})
    settings = settings_of(recipe)
    assert not {"note", "matrix"} & set(settings)
    assert completed(settings) == settings
    old = {key: settings[key] for key in ("base", "corpus", "steps", "lr")} | {"lora": {"r": 16, "alpha": 16}}
    assert completed(old) == settings
    foreign = {"trained elsewhere": "x", "lora": {"r": 8}}
    assert completed(foreign) == foreign


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("base: t\ncorpus: a@1\n", "mine.yaml:1:1  give either epochs or steps"),
        ("base: t\ncorpus: a@1\nsteps: 1\nepochs: 1\n", "mine.yaml:1:1  give either epochs or steps"),
        (MINIMAL + "batch: 8\nmicro_batch: 3\n", "mine.yaml:1:1  batch 8 is not a multiple of micro_batch 3"),
        (MINIMAL + "seeds: []\n", "mine.yaml:1:1  seeds: at least one is needed"),
        (MINIMAL + "lora: {aplha: 3}\n", "mine.yaml:4:8  lora.aplha: unknown key, did you mean 'alpha'?"),
        (MINIMAL + "lora: {r: 0}\n", "mine.yaml:4:8  lora.r: input should be greater than or equal to 1"),
        (MINIMAL + "max_copied: 0.1\n", "mine.yaml:1:1  max_copied is a ceiling for keep: best_validation"),
        (MINIMAL + "template: {thinking: no}\n", "mine.yaml:4:12  template.thinking: unknown key"),
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
