"""What goes wrong around a command: folders, disks, bytes and missing packages, each one line and a code."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli import exit_code_of, invoke
from harness.cli.output import Format, print_rows, printable

RUN = "import sys; from harness.cli import main; main()"


def _run(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", RUN, *arguments]
    return subprocess.run(command, capture_output=True, check=False, env=os.environ | (environment or {}))


def test_a_workspace_that_is_not_there_is_a_slip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["--workspace", str(tmp_path / "none"), "ls"]) == 2
    (tmp_path / "file").touch()
    assert invoke(["--workspace", str(tmp_path / "file"), "demo"]) == 2
    assert capsys.readouterr().err.count("there is no such folder") == 2


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, 5), (errno.EROFS, 5), (errno.EACCES, 5), (errno.ENAMETOOLONG, 2), (errno.ENOENT, None)],
)
def test_a_fault_of_the_machine_or_of_a_path_has_a_code_and_a_bug_has_none(
    number: int, code: int | None
) -> None:
    assert exit_code_of(OSError(number, "x")) == code


def test_a_file_name_too_long_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["--workspace", str(tmp_path / ("x" * 300)), "ls"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_an_argument_that_is_no_text_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["report", "--as-of", os.fsdecode(b"\xff")]) == 2
    assert "is not text" in capsys.readouterr().err


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "deltalake.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'deltalake'\", name='deltalake')"
    )
    (tmp_path / "w" / "results" / "warehouse" / "runs" / "_delta_log").mkdir(parents=True)
    said = _run("-C", str(tmp_path / "w"), "ls", "runs", environment={"PYTHONPATH": str(tmp_path)})
    assert said.returncode == 5
    assert said.stderr.decode().splitlines() == [
        "the package deltalake is not installed here; install stylobench again"
    ]


def test_a_terminal_without_unicode_gets_escapes(tmp_path: Path) -> None:
    said = _run(
        "-C", str(tmp_path), "run", "n\u2013", environment={"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "1"}
    )
    assert said.returncode == 2
    assert b"n\\u2013" in said.stderr


def test_no_book_or_answer_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert printable("a\x1b[31mb\x00\tc\n\x9b") == "a\ufffd[31mb\ufffd\tc\n\ufffd"
    for format in (Format.table, Format.md, Format.json):
        print_rows([{"text": "\x1b]0;title\x07 red"}], format)
        assert "\x1b" not in capsys.readouterr().out
