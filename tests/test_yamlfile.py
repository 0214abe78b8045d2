from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field, model_validator

from harness import yamlfile
from harness.errors import ConfigurationError, StylobenchError, YamlError
from harness.yamlfile import MOST_VALUES as MOST
from harness.yamlfile import Strict


class Lens(Strict):
    focus: float = 1.0
    coats: tuple[int, ...] = ()


class Camera(Strict):
    name: str
    lens: Lens = Lens()
    shelf: dict[int, Lens] = Field({})
    from_: int | None = Field(None, alias="from")
    colour: str | tuple[str, ...] = "black"

    @model_validator(mode="after")
    def _named(self) -> Camera:
        if self.name == "nobody":
            raise ValueError("Somebody must be named")
        return self


def _faults(tmp_path: Path, text: str) -> tuple[str, ...]:
    path = tmp_path / "camera.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(YamlError) as caught:
        yamlfile.read(path, Camera)
    return caught.value.faults


def _read(tmp_path: Path, text: str) -> Camera:
    path = tmp_path / "camera.yaml"
    path.write_text(text, encoding="utf-8")
    return yamlfile.read(path, Camera)


def test_yaml_1_2_is_read_and_aliases_are_accepted(tmp_path: Path) -> None:
    camera = _read(
        tmp_path, "name: no\nlens: {focus: 2e-4, coats: [1, 2]}\nfrom: 3\nshelf:\n  1: {focus: 2}\n"
    )
    assert camera == Camera(
        name="no", lens=Lens(focus=0.0002, coats=(1, 2)), from_=3, shelf={1: Lens(focus=2.0)}
    )
    assert type(camera.name) is str
    assert type(camera.lens.focus) is float


def test_function_tags_become_strings(tmp_path: Path) -> None:
    assert _read(tmp_path, "name: !function harness.lmeval.copying\n").name == (
        "!function harness.lmeval.copying"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: a\nlesn: {}\n", "camera.yaml:2:1  lesn: unknown key, did you mean 'lens'?"),
        ("name: a\nlens:\n  fcous: 2\n", "camera.yaml:3:3  lens.fcous: unknown key, did you mean 'focus'?"),
        ("name: a\nform: 1\n", "camera.yaml:2:1  form: unknown key, did you mean 'from'?"),
        (
            "name: a\nshelf:\n  1: {focus: 1, coat: []}\n",
            "camera.yaml:3:17  shelf.1.coat: unknown key, did you mean 'coats'?",
        ),
        ("lens: {}\n", "camera.yaml:1:1  name: missing"),
        (
            "name: a\nlens: {coats: [1, x]}\n",
            "camera.yaml:2:19  lens.coats.1: input should be a valid integer",
        ),
        ("name: a\nlens: {coats: 3}\n", "camera.yaml:2:8  lens.coats: input should be a valid list"),
        ("name: a\nshelf: {one: {}}\n", "camera.yaml:2:9  shelf.one: input should be a valid integer"),
        ("name: nobody\n", "camera.yaml:1:1  somebody must be named"),
        ("name: a\nname: b\n", 'camera.yaml:2:1  found duplicate key "name"'),
        ("name: [a\n", "camera.yaml:2:1  "),
        ("- name\n", "camera.yaml:1:1  a mapping of keys was expected"),
        ("", "camera.yaml:1:1  a mapping of keys was expected"),
        ("name: a\n---\nname: b\n", "camera.yaml:2:1  but found another document"),
        ("name: \x00\n", "camera.yaml  unacceptable character"),
        ("name: " + "[" * 1500, "camera.yaml  nested too deeply"),
    ],
)
def test_a_fault_is_placed_and_named(tmp_path: Path, text: str, expected: str) -> None:
    faults = _faults(tmp_path, text)
    assert len(faults) == 1
    assert faults[0].startswith(expected)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    faults = _faults(tmp_path, "nam: a\nlens: {focus: wide}\n")
    assert [fault.partition("  ")[0] for fault in faults] == [
        "camera.yaml:1:1", "camera.yaml:2:8", "camera.yaml:1:1",
    ]  # fmt: skip


def test_a_union_is_told_without_naming_python_types(tmp_path: Path) -> None:
    assert _faults(tmp_path, "name: a\ncolour: {a: 1}\n") == (
        "camera.yaml:2:1  colour: input should be a valid string",
        "camera.yaml:2:1  colour: input should be a valid list",
    )


def test_what_is_no_text_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"name: na\xefve\n")
    for name in ("latin.yaml", "absent.yaml"):
        with pytest.raises(ConfigurationError, match=rf"^{name}: cannot be read as UTF-8 text"):
            yamlfile.read(tmp_path / name, Camera)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.from_regex(r"[a-z]{2,8}", fullmatch=True), min_size=1, max_size=8, unique=True), st.data())
def test_position_is_where_the_key_stands(tmp_path: Path, keys: list[str], data: st.DataObject) -> None:
    """Any nesting of keys: the position found is the line and column the key was written at."""
    lines: list[str] = []
    where: dict[tuple[str, ...], str] = {}
    path: list[str] = []
    depth = 0
    for key in keys:
        lines.append(f"{'  ' * depth}k{key}:")
        path = [*path[:depth], f"k{key}"]
        where[tuple(path)] = f"{len(lines)}:{2 * depth + 1}"
        depth = data.draw(st.integers(0, depth + 1))
        if depth <= len(path) - 1:
            lines[-1] += " 1"
    file = tmp_path / "tree.yaml"
    file.write_text("\n".join(lines) + "\n")
    tree = yamlfile.load(file)
    for keys_of, place in where.items():
        assert yamlfile.position(tree, keys_of) == place
        assert yamlfile.position(tree, (*keys_of, "absent")) == place


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=60))
def test_no_text_whatever_gives_anything_but_a_named_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "any.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    try:
        told = repr(yamlfile.read(path, Camera))
    except StylobenchError as error:
        told = str(error)
    assert told.startswith(("any.yaml", "Camera("))


def test_a_bomb_of_aliases_and_an_endless_number_are_faults(tmp_path: Path) -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
        for before, name in zip("abcdefg", "bcdefgh", strict=True)
    )
    assert _faults(tmp_path, bomb) == (f"camera.yaml  its aliases stand for more than {MOST:,} values",)
    (fault,) = _faults(tmp_path, f"name: x\nfrom: {'9' * 5000}\n")
    assert fault.startswith("camera.yaml  ")
    assert "\n" not in fault
