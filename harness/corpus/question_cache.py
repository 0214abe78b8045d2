"""Questions that were written once are never written, or paid for, again.

question_cache/questions.jsonl   {"key": sha256(passage text, writer, prompt), "questions": [...]}
question_cache/lock              held while questions are bought

A key says what was asked and never where the passage stood, so pages dropped in front of it cost nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.errors import ConfigurationError
from harness.text import digest


def cache_key(passage_text: str, identity: str, prompt: str) -> str:
    """sha256 over passage text, writer and prompt: the same passage elsewhere in a book is the same work."""
    return digest([passage_text, identity, prompt])


class QuestionCache:
    """Questions on disk, ``questions.jsonl`` in a folder; many writers may share one.

    A row is ``{"key", "questions"}`` or ``{"key", "refused"}``; rows of one key add up. Each append is
    one write to a file opened for appending and is on disk before the call returns. A last line cut off by
    a crash is not read, and the next append starts a line of its own.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "questions.jsonl"
        self._questions: dict[str, list[str]] = {}
        self._refused: dict[str, str] = {}
        for row in read_lines(self._path):
            self._learn(row)

    def questions(self, key: str) -> list[str]:
        """What was written so far under a key, in order."""
        return list(self._questions.get(key, ()))

    def refusal(self, key: str) -> str | None:
        """Why the writer would not, if it said so; asking again would pay for the same answer."""
        return self._refused.get(key)

    def add(self, key: str, questions: Sequence[str]) -> None:
        """Keep questions under a key; those already there are not kept twice."""
        fresh = [text for text in dict.fromkeys(questions) if text not in self._questions.get(key, ())]
        if fresh:
            self._append({"key": key, "questions": fresh})

    def refuse(self, key: str, why: str) -> None:
        """Remember that the writer refused."""
        if key not in self._refused:
            self._append({"key": key, "refused": why})

    def _append(self, row: dict[str, Any]) -> None:
        append_line(self._path, row)
        self._learn(row)

    def _learn(self, row: Mapping[str, Any]) -> None:
        if "refused" in row:
            self._refused[row["key"]] = row["refused"]
        kept = self._questions.setdefault(row["key"], [])
        kept += [text for text in row.get("questions", ()) if text not in kept]


def append_line(path: Path, row: Mapping[str, Any]) -> None:
    """One JSON line at the end of a file: whole or (after a crash) a torn line that nobody reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = (json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n").encode("utf-8", "replace")
    with path.open("ab+") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                raw = b"\n" + raw
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of such a file, in order; none where there is no file."""
    if not path.is_file():
        return
    for line in path.read_bytes().splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue  # torn by a crash: what it stood for was never acknowledged
        if isinstance(row, dict):
            yield row


@contextmanager
def sole_user(folder: Path) -> Iterator[None]:
    """Hold a folder alone while questions are bought, for two runs at once would pay for the same ones.

    Raises:
        ConfigurationError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                f"another run is writing questions in {folder.name}; wait for it"
            ) from None
        yield
