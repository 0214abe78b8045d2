from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness.store import Run, Store


def test_every_public_name_is_there_and_the_list_is_sorted() -> None:
    assert harness.__all__ == sorted(harness.__all__)
    assert all(getattr(harness, name) is not None for name in harness.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        harness.nonsense  # noqa: B018


def test_importing_the_package_imports_nothing_else() -> None:
    heavy = ("pandas", "torch", "pydantic", "typer")
    code = f"import sys, harness; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_tables_are_read_as_frames_now_and_as_of_a_run(tmp_path: Path) -> None:
    store = Store(tmp_path / "results" / "warehouse")
    with Run(store, "score one") as first:
        first.append("scores", [{"key": "a", "metric": "mattr", "value": 0.7}])
    with Run(store, "score two") as second:
        second.append("scores", [{"key": "b", "metric": "mattr", "value": 0.8}])
    assert sorted(harness.open_results(tmp_path).scores()["key"]) == ["a", "b"]
    assert list(harness.open_results(tmp_path, as_of=first.name).scores()["key"]) == ["a"]
    with pytest.raises(KeyError, match="no table 'score'"):
        harness.open_results(tmp_path).table("score")
