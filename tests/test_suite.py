from __future__ import annotations

from pathlib import Path

import pytest

from harness import shelves
from harness.errors import YamlError
from harness.suite import PRIMARIES, DecodingSettings, Suite, read_suite
from harness.types import Decoding

MINIMAL = "author: marlow\ntasks: [copying]\n"


def _read(workspace: Path, text: str) -> Suite:
    path = workspace / "tasks" / "suites" / "small.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return read_suite("small", workspace)


def test_a_minimal_suite_has_the_documented_defaults(tmp_path: Path) -> None:
    suite = _read(tmp_path, MINIMAL)
    assert suite.variants == "*"
    assert suite.controls == ("author", "other:*", "copyist", "shuffled", "few_shot")
    assert suite.primaries == PRIMARIES
    assert suite.gates == {"invalid": 0.10, "leak": 0.05, "copied": 0.05}
    assert suite.decode() == Decoding(temperature=0.8, top_p=0.95, max_tokens=350, seed=0)


def test_decode_carries_every_setting(tmp_path: Path) -> None:
    suite = _read(tmp_path, MINIMAL + "max_tokens: 40\ndecoding: {temperature: 0, top_p: 0.5, seed: 9}\n")
    assert suite.decode() == Decoding(temperature=0.0, top_p=0.5, max_tokens=40, seed=9)


def test_the_shipped_suites_are_valid(tmp_path: Path) -> None:
    paths = shelves.list_yaml("tasks/suites", tmp_path)
    assert paths
    for path in paths:
        assert read_suite(str(path), tmp_path).tasks


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "gates: {ivalid: 0.1}",
            "small.yaml:3:1  gates: unknown gate 'ivalid'; have copied, invalid, leak, recited",
        ),
        (
            "primaries: [mattr]",
            "small.yaml:3:1  primaries: 'mattr' cannot decide; choose from bits_per_byte, ",
        ),
        (
            "gates: {leak: 0.1, copied: 5}",
            "small.yaml:3:20  gates.copied: input should be less than or equal to 1",
        ),
        ("gates: {leak: -0.1}", "small.yaml:3:9  gates.leak: input should be greater than or equal to 0"),
        ("gates: {leak: .nan}", "small.yaml:3:9  gates.leak: input should be "),
        (
            "controls: [author, copiest]",
            "small.yaml:3:20  controls.1: control 'copiest' does not exist, did you",
        ),
        ("decoding: {top_p: 0}", "small.yaml:3:12  decoding.top_p: input should be greater than 0"),
        ("likelihood: {window: 1}", "small.yaml:3:14  likelihood.window: input should be greater than or"),
        ("dtype: int8", "small.yaml:3:1  dtype: string should match pattern"),
        ("max_token: 9", "small.yaml:3:1  max_token: unknown key, did you mean 'max_tokens'?"),
    ],
)
def test_a_faulty_suite_is_placed(tmp_path: Path, line: str, expected: str) -> None:
    with pytest.raises(YamlError) as caught:
        _read(tmp_path, f"{MINIMAL}{line}\n")
    assert caught.value.faults[0].startswith(expected)


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        ("[]", "small.yaml:2:1  tasks: list should have at least 1 item"),
        ("[copying, validity, stylo_copying]", "small.yaml:2:1  tasks: task 'copying' is named twice"),
    ],
)
def test_a_suite_has_tasks_and_each_of_them_once(tmp_path: Path, tasks: str, expected: str) -> None:
    with pytest.raises(YamlError) as caught:
        _read(tmp_path, f"author: marlow\ntasks: {tasks}\n")
    assert caught.value.faults[0].startswith(expected)


@pytest.mark.parametrize(
    "change",
    [
        {"max_tokens": 41},
        {"decoding": DecodingSettings(temperature=0.7)},
        {"decoding": DecodingSettings(top_p=0.9)},
        {"decoding": DecodingSettings(seed=1)},
    ],
)
def test_what_changes_the_answers_changes_the_setting(change: dict[str, object]) -> None:
    suite = Suite(author="marlow", tasks=("copying",), max_tokens=40)
    assert suite.model_copy(update=change).setting("persona") != suite.setting("persona")


def test_what_does_not_change_an_answer_leaves_the_setting_alone() -> None:
    suite = Suite(author="marlow", tasks=("copying",))
    other = Suite(author="marlow", tasks=("validity",), variants=("a",), batch=4, gates={"leak": 0.5})
    assert other.setting("persona") == suite.setting("persona")
    assert suite.setting("nobody") != suite.setting("persona")
