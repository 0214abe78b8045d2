"""The labels of real books' pages: page numbers and roles, never text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from harness.corpus.role_names import ROLES

LABELS = sorted((Path(__file__).parent / "page_labels").glob("*.yaml"))


def _read(path: Path) -> dict[str, Any]:
    labels: dict[str, Any] = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    return labels


def test_there_are_ten_books_and_more() -> None:
    assert len({_read(path)["sha256"] for path in LABELS}) == len(LABELS) >= 10


@pytest.mark.parametrize("path", LABELS, ids=lambda path: path.stem)
def test_labels_are_ranges_of_pages_each_labelled_once(path: Path) -> None:
    labels = _read(path)
    assert set(labels) == {"source", "file", "sha256", "pages", "seen_while_writing_the_rules", "roles"}
    assert set(labels["roles"]) <= {*ROLES, "either"} - {"body"}
    seen: list[int] = []
    for given in (item for ranges in labels["roles"].values() for item in ranges):
        assert re.fullmatch(r"\d+(-\d+)?", given)
        first, _, last = given.partition("-")
        seen += range(int(first), int(last or first) + 1)
    assert len(seen) == len(set(seen))
    assert 1 <= min(seen) <= max(seen) <= labels["pages"]
