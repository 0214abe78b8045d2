"""The README's tree captions every file a reader meets, in under ten words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHELVES = ("harness", "tasks", "trainers", "reports/templates")


@pytest.fixture(scope="module")
def captions() -> dict[str, str]:
    """Path in the tree -> caption, folders followed by their indentation."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    tree = text.partition("## The tree")[2].partition("```text\n")[2].partition("```")[0]
    found: dict[str, str] = {}
    folders: list[str] = []
    for line in tree.splitlines():
        match = re.fullmatch(r"( *)(\S+)\s+(.+)", line)
        if match is None:
            continue
        depth = len(match[1]) // 2
        folders = folders[:depth]
        path = "".join([*folders, match[2]])
        found[path] = match[3]
        if match[2].endswith("/"):
            folders.append(match[2])
    return found


def test_every_file_has_a_caption(captions: dict[str, str]) -> None:
    ignored = {"__pycache__", "_share"}
    files = {
        path.relative_to(ROOT).as_posix()
        for shelf in SHELVES
        for path in (ROOT / shelf).rglob("*")
        if path.is_file() and not ignored & set(path.parts)
    }
    assert sorted(files - set(captions)) == []


def test_no_caption_is_of_a_file_that_is_gone(captions: dict[str, str]) -> None:
    assert [path for path in captions if not (ROOT / path).exists()] == []


def test_captions_are_short(captions: dict[str, str]) -> None:
    assert {path: text for path, text in captions.items() if len(text.split()) > 9} == {}
