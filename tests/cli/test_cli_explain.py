from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli import invoke
from harness.keys import described


def test_a_key_is_told_in_three_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["-C", str(tmp_path), "explain", "lora.alpha"]) == 0
    assert capsys.readouterr().out == (
        "lora.alpha  (a whole number from 1; default: = lora.r)\n"
        "  The change is scaled by alpha / r; left out it is r, so that a rank sweep keeps one scale.\n"
        "  Usual: r to 2 r.\n"
    )


def test_without_a_key_all_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["-C", str(tmp_path), "explain", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["key"] for row in rows] == list(described())
    assert invoke(["-C", str(tmp_path), "explain"]) == 0
    assert "gradient_checkpointing" in capsys.readouterr().out


def test_an_unknown_key_is_one_line_with_the_nearest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["-C", str(tmp_path), "explain", "lora.aplha"]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "explain lora.aplha: unknown key, did you mean 'lora.alpha'?\n")
