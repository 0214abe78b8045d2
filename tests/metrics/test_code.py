"""Code is read, never run: the tests' own code would say so if it were."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.metrics.code import LONGEST_CODE, code_of, parsed, reversing_function


@pytest.mark.parametrize(
    "body",
    [
        "return s[::-1]",
        "return ''.join(reversed(s))",
        "out = ''\n    for c in s:\n        out = c + out\n    return out",
        "l = list(s)\n    l.reverse()\n    return ''.join(l)",
        "return ''.join([s[i] for i in range(len(s) - 1, -1, -1)])",
    ],
)
def test_every_usual_way_to_reverse_is_known(body: str) -> None:
    found = reversing_function(f"Here it is:\n```python\ndef reverse(s):\n    {body}\n```\nIt works.")
    assert (found.parses, found.one_parameter, found.returns, found.has_a_way) == (True, True, True, True)


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("", (False, False, False, False, False)),
        ("Reverse it with a slice, by all means.", (False, False, False, False, False)),
        ("```\ndef reverse(s:\n    return s[::-1]\n```", (True, False, False, False, False)),
        ("```python\nprint('abc'[::-1])\n```", (True, True, False, False, False)),
        ("def reverse(a, b):\n    return a[::-1]", (True, True, False, False, False)),
        ("def reverse(s):\n    print(s[::-1])", (True, True, True, False, True)),
        ("def reverse(s):\n    return s[::2]", (True, True, True, True, False)),
        ("def reverse(s, sep=''):\n    return s[::-1]\nThat is all.", (True, True, True, True, True)),
    ],
)
def test_what_is_missing_is_told_step_by_step(text: str, facts: tuple[bool, ...]) -> None:
    found = reversing_function(text)
    assert (found.present, found.parses, found.one_parameter, found.returns, found.has_a_way) == facts


def test_nothing_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    evil = "open('run', 'w').close()\nimport nothing_of_this_name\n"
    found = reversing_function(f"```python\n{evil}def reverse(s=open('run', 'w')):\n    return s[::-1]\n```")
    assert found.has_a_way
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "code",
    ["def f(:", "x = '\x00'", "(" * 1000, "-" * (LONGEST_CODE - 1) + "1", "x = 1\n" * LONGEST_CODE, "  "],
)
def test_what_no_parser_takes_is_no_code(code: str) -> None:
    assert parsed(code) is None


@pytest.mark.parametrize(
    ("step", "found"),
    [("-1", True), ("(-1)", True), ("-2", False), ("1", False), ("-True", False), ("~1", False)],
)
def test_a_step_backwards_is_minus_one_and_nothing_else(step: str, found: bool) -> None:
    assert reversing_function(f"def f(s):\n    return s[::{step}]").has_a_way is found


def test_a_pile_of_minus_signs_crashes_nothing() -> None:
    for n in (50, 500, 900, 3000):
        assert not reversing_function(f"def f(s):\n    return s[::{'-' * n}1]").has_a_way


def test_an_odd_escape_sequence_is_no_warning() -> None:
    assert parsed("x = '\\d'") is not None


def test_the_block_with_the_function_is_chosen_and_a_cut_fence_is_read() -> None:
    text = "```\npip install x\n```\nthen\n```python\ndef f(s):\n    return s\n"
    assert code_of(text) == "def f(s):\n    return s\n"
    assert code_of("```\nx = 1\n```") == "x = 1\n"
    assert (
        code_of("So:\ndef f(s):\n    return s\n\n    # end\nDone.") == "def f(s):\n    return s\n\n    # end"
    )
