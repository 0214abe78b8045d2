from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import shelves
from harness.errors import ConfigurationError, MissingPrerequisiteError


def _recipe(workspace: Path, name: str) -> Path:
    path = workspace / "trainers" / "recipes" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("base: x\n")
    return path


@pytest.mark.parametrize("mark", ["stylobench.toml", "tasks", "trainers", "results"])
def test_the_workspace_is_the_nearest_folder_upwards_with_a_mark(tmp_path: Path, mark: str) -> None:
    deep = tmp_path / "work" / "notes" / "today"
    deep.mkdir(parents=True)
    (tmp_path / "work" / mark).mkdir()
    assert shelves.find_workspace(deep) == tmp_path / "work"


def test_without_a_mark_the_workspace_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert shelves.find_workspace() == tmp_path / "empty"


def test_find_prefers_the_workspace_to_what_is_shipped(tmp_path: Path) -> None:
    assert shelves.find("tasks/suites/demo.yaml", tmp_path) == shelves.shipped() / "tasks/suites/demo.yaml"
    own = tmp_path / "tasks" / "suites" / "demo.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("author: x\n")
    assert shelves.find("tasks/suites/demo.yaml", tmp_path) == own
    with pytest.raises(MissingPrerequisiteError, match="tasks/nothing: not in this workspace"):
        shelves.find("tasks/nothing", tmp_path)


def test_a_wheel_keeps_its_shelves_in_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelves, "_PACKAGE", tmp_path / "harness")
    assert shelves.shipped() == tmp_path
    (tmp_path / "harness" / "_share").mkdir(parents=True)
    assert shelves.shipped() == tmp_path / "harness" / "_share"


def test_find_yaml_by_name_by_path_and_by_file_name(tmp_path: Path) -> None:
    path = _recipe(tmp_path, "mine.yaml")
    assert shelves.find_yaml("trainers/recipes", "mine", tmp_path) == path
    assert shelves.find_yaml("trainers/recipes", "mine.yaml", tmp_path) == path
    assert shelves.find_yaml("trainers/recipes", str(path), tmp_path) == path
    assert shelves.find_yaml("trainers/recipes", "trainers/recipes/mine.yaml", tmp_path) == path


def test_a_dot_in_a_name_is_no_suffix(tmp_path: Path) -> None:
    path = _recipe(tmp_path, "llama-1.7b.yaml")
    assert shelves.find_yaml("trainers/recipes", "llama-1.7b", tmp_path) == path


def test_find_yaml_offers_the_nearest_name(tmp_path: Path) -> None:
    _recipe(tmp_path, "mine.yaml")
    with pytest.raises(ConfigurationError, match=r"recipes/mien\.yaml does not exist, did you mean 'mine'\?"):
        shelves.find_yaml("trainers/recipes", "mien", tmp_path)


def test_list_yaml_looks_into_subfolders_and_the_workspace_shadows(tmp_path: Path) -> None:
    nested = tmp_path / "tasks" / "stylo" / "deep" / "own.yaml"
    nested.parent.mkdir(parents=True)
    nested.write_text("task: own\n")
    shadow = tmp_path / "tasks" / "stylo" / "copying.yaml"
    shadow.write_text("task: stylo_copying\n")
    listed = shelves.list_yaml("tasks/stylo", tmp_path)
    assert nested in listed
    assert shadow in listed
    assert shelves.shipped() / "tasks/stylo/copying.yaml" not in listed
    assert [path.stem for path in listed] == sorted(path.stem for path in listed)


@pytest.mark.parametrize(
    "name", ["", ".hidden", "../up", "a/b", "a\\b", "a b", "a..b", "name\n", "ä", "-x", "@1"]
)
def test_unsafe_names_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"corpus .*: use letters"):
        shelves.safe_name(name, "corpus")


@given(st.text(max_size=20))
def test_a_name_that_passes_stays_in_its_folder(name: str) -> None:
    try:
        safe = shelves.safe_name(name)
    except ConfigurationError:
        return
    folder = Path("shelf")
    assert safe == name
    assert (folder / safe).parent == folder
    assert (folder / safe).name == name


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_@+~:-]{0,20}", fullmatch=True))
def test_ordinary_names_pass(name: str) -> None:
    assert shelves.safe_name(name) == name


def test_machine_settings_are_optional_and_checked(tmp_path: Path) -> None:
    assert shelves.machine_settings(tmp_path) == {}
    (tmp_path / "stylobench.toml").write_text('[interpreters]\npeft_lora = "python3"\n')
    assert shelves.machine_settings(tmp_path) == {"interpreters": {"peft_lora": "python3"}}
    (tmp_path / "stylobench.toml").write_text("[interpreters\n")
    with pytest.raises(ConfigurationError, match=r"^stylobench\.toml: .*line 1"):
        shelves.machine_settings(tmp_path)


def test_children_get_a_checkouts_package_and_never_installed_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "own")
    for parent, handed_on in (("checkout", [str(tmp_path / "checkout"), "own"]), ("site-packages", ["own"])):
        monkeypatch.setattr(shelves, "_PACKAGE", tmp_path / parent / "harness")
        assert shelves.python_path().split(os.pathsep) == handed_on


def test_a_name_too_long_for_a_file_is_refused() -> None:
    assert shelves.safe_name("x" * 100)
    with pytest.raises(ConfigurationError, match="100 characters at most"):
        shelves.safe_name("x" * 101)


def test_a_home_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"~nobody-here/x\.yaml: there is no such home folder"):
        shelves.find_yaml("trainers/recipes", "~nobody-here/x.yaml", tmp_path)


@pytest.mark.parametrize("text", ["interpreters = 'x'", "interpreters = ['x']", "[interpreters]\nhf = 3"])
def test_interpreters_of_another_shape_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "stylobench.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"stylobench\.toml: write \[interpreters\]"):
        shelves.interpreter("hf", tmp_path)


def test_an_interpreter_is_found_relative_to_the_workspace_or_missed(tmp_path: Path) -> None:
    assert shelves.interpreter("hf", tmp_path) is None
    (tmp_path / "stylobench.toml").write_text("[interpreters]\nhf = 'venv/python'\n")
    with pytest.raises(MissingPrerequisiteError, match=r"the interpreter .*venv/python of hf is not there"):
        shelves.interpreter("hf", tmp_path)
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "python").touch()
    assert shelves.interpreter("hf", tmp_path) == tmp_path / "venv" / "python"
    assert shelves.interpreter("peft_lora", tmp_path) is None


@pytest.mark.parametrize("content", [b"", b'{"a": ', b"\xff", b"[]", b"null", b"[" * 100_000])
def test_damaged_json_names_file_and_remedy(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"x\.json is damaged; fetch it"):
        shelves.read_json(path, "fetch it")
    path.unlink()
    with pytest.raises(ConfigurationError, match=r"x\.json is missing; fetch it"):
        shelves.read_json(path, "fetch it")
