from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness import errors
from harness.errors import BookError, StylobenchError, YamlError, nearest


def _tree() -> dict[str, type[StylobenchError]]:
    found: dict[str, type[StylobenchError]] = {}
    pending: list[type[StylobenchError]] = [StylobenchError]
    while pending:
        error = pending.pop()
        if error.__module__ == errors.__name__:
            found[error.__name__] = error
            pending += error.__subclasses__()
    return found


def test_the_docstring_draws_the_tree_as_it_is() -> None:
    drawn: dict[str, tuple[str | None, int | None]] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"([ │├└─]*)(\w+Error)\s+(?:exit (\d))?", line)
        if match:
            depth = (len(match[1]) - 4) // 4
            above[depth:] = [match[2]]
            drawn[match[2]] = (above[depth - 1] if depth else None, int(match[3]) if match[3] else None)
    tree = _tree()
    assert set(drawn) == set(tree)
    for name, (parent, code) in drawn.items():
        assert parent is None or tree[name].__bases__ == (tree[parent],)
        assert code is None or tree[name].exit_code == code


def test_every_error_has_an_exit_code_of_its_own_kind() -> None:
    codes = {name: error.exit_code for name, error in _tree().items()}
    assert codes == {
        "StylobenchError": 1,
        "ConfigurationError": 2,
        "YamlError": 2,
        "BookError": 2,
        "IncompleteError": 4,
        "MissingPrerequisiteError": 5,
    }
    assert (errors.EXIT_OK, errors.EXIT_REGRESSION, errors.EXIT_INTERRUPTED) == (0, 3, 130)


def test_messages_are_finished_lines() -> None:
    assert str(YamlError(iter(["a.yaml:1:1  x", "a.yaml:2:1  y"]))) == "a.yaml:1:1  x\na.yaml:2:1  y"
    book = BookError(Path("shelf/tides.pdf"), "has no text", "run OCR first", page=3)
    assert str(book) == "tides.pdf, page 3: has no text; run OCR first"
    assert str(BookError(Path("tides.pdf"), "is empty", "fetch it again")) == (
        "tides.pdf: is empty; fetch it again"
    )


@pytest.mark.parametrize(
    ("name", "valid", "expected"),
    [
        ("aplha", ["r", "alpha"], ", did you mean 'alpha'?"),
        ("zzz", ["b", "a"], "; have a, b"),
        (
            "zzz",
            [f"name{n}" for n in range(9)],
            "; have name0, name1, name2, name3, name4, name5, name6, name7 ...",
        ),
        ("zzz", [], ""),
    ],
)
def test_nearest(name: str, valid: list[str], expected: str) -> None:
    assert nearest(name, valid) == expected
