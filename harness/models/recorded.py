"""Answers that were drawn elsewhere: a file of them instead of a model.

    results/recorded/NAME.jsonl   {"item": ..., "prompt": ..., "answer": ...}, one line a prompt

They are cut to the length that the suite gives its models, as the controls are; how they were drawn is
not known, and they have no likelihoods.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import ConfigurationError, MissingPrerequisiteError
from harness.reference import Reference
from harness.text import digest
from harness.types import Finish, Variant

ENGINE = "recorded"
ANSWER_COLUMNS = ("answer", "response", "text")

_TOKEN = re.compile(r"\S+")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Given:
    """One row of a file of answers; ``row`` counts from 1, ``item`` and ``prompt`` may be empty."""

    row: int
    item: str
    prompt: str
    answer: str


@dataclass(frozen=True)
class Matched:
    """Answers that belong to prompts of the reference set, and how many rows belong to none."""

    answers: Mapping[str, str]
    unmatched: int


class Cut(NamedTuple):
    """An answer at the suite's length; ``length`` where it was longer, as a model's would be."""

    text: str
    finish: Finish


def given(rows: Sequence[Mapping[str, Any]], name: str) -> list[Given]:
    """Rows of a user's file as answers; ``name`` is the file's, for messages.

    Raises:
        ConfigurationError: rows without an answer, or with something that is no text; the first are named.
    """
    found, faults = [], []
    for number, row in enumerate(rows, start=1):
        columns = [column for column in ANSWER_COLUMNS if column in row]
        asked = {key: row.get(key, "") for key in ("item", "prompt")}
        if not columns:
            faults.append(f"row {number} has none of {', '.join(ANSWER_COLUMNS)}")
        elif len({json.dumps(row[column]) for column in columns}) > 1:
            faults.append(f"row {number} has two answers: {' and '.join(columns)}")
        elif not all(isinstance(value, str) for value in (row[columns[0]], *asked.values())):
            faults.append(f"row {number}: item, prompt and {columns[0]} must be text")
        elif half := _half_character(row[columns[0]], *asked.values()):
            faults.append(f"row {number} holds half a character ({half}), which no file can hold as UTF-8")
        else:
            found.append(Given(number, asked["item"], asked["prompt"].strip(), row[columns[0]]))
    if faults:
        more = f"; and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise ConfigurationError(f"{name}: {'; '.join(faults[:3])}{more}")
    if not found:
        raise ConfigurationError(f"{name}: no rows")
    return found


def _half_character(*texts: str) -> str:
    """The first lone surrogate as JSON writes it (``\\ud800``), or nothing."""
    found = _SURROGATE.search("".join(f"{text} " for text in texts))
    return f"\\u{ord(found[0]):04x}" if found else ""


def match_prompts(rows: Sequence[Given], reference: Reference, name: str) -> Matched:
    """Rows to prompts, by item id where a row has one, else by the prompt's exact text.

    Raises:
        ConfigurationError: two rows answer one prompt, or no row matches.
    """
    answers: dict[str, str] = {}
    rows_of: dict[str, int] = {}
    twice = []
    for row in rows:
        item = item_of(row, reference)
        if item in rows_of:
            twice.append(f"rows {rows_of[item]} and {row.row} both answer {item}")
        elif item:
            rows_of[item], answers[item] = row.row, row.answer
    if twice:
        more = f"; and {len(twice) - 3} more" if len(twice) > 3 else ""
        raise ConfigurationError(f"{name}: {'; '.join(twice[:3])}{more}")
    if not answers:
        raise ConfigurationError(
            f"{name}: none of {len(rows)} rows matches a prompt of {reference.name}; "
            f"`stylobench show prompts {reference.name}` prints them"
        )
    return Matched(dict(sorted(answers.items())), len(rows) - len(answers))


def item_of(row: Given, reference: Reference) -> str:
    """The id of the prompt a row answers, or nothing. A text asked twice is told apart by its id only."""
    if row.item:
        return row.item if any(prompt.id == row.item for prompt in reference.prompts) else ""
    found = [prompt.id for prompt in reference.prompts if row.prompt and prompt.text.strip() == row.prompt]
    return found[0] if len(found) == 1 else ""


def answers_digest(answers: Mapping[str, str]) -> str:
    """What identifies a recorded variant: which prompts it answers, and with what."""
    return digest(["recorded", dict(answers)], 32)


def path_of(name: str, workspace: Path) -> Path:
    """Where a variant's answers are kept."""
    return workspace / "results" / "recorded" / f"{name}.jsonl"


def load(variant: Variant, workspace: Path) -> dict[str, str]:
    """Item -> answer of a recorded variant.

    Raises:
        MissingPrerequisiteError: the file is gone.
        ConfigurationError: it is not what was registered.
    """
    path = path_of(variant.name, workspace)
    if not path.is_file():
        raise MissingPrerequisiteError(
            f"{variant.name}: results/recorded/{path.name} is not there; register it again"
        )
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
        answers = {str(row["item"]): str(row["answer"]) for row in rows}
    except (ValueError, KeyError, TypeError):
        answers = {}
    if answers_digest(answers) != variant.digest:
        raise ConfigurationError(
            f"results/recorded/{path.name} was changed after it was registered; "
            "register the changed answers under another name"
        )
    return answers


def cut(text: str, max_words: int) -> Cut:
    """The first ``max_words`` words as written, line breaks kept."""
    pieces = list(_TOKEN.finditer(text))
    if len(pieces) <= max_words:
        return Cut(text, "stop")
    return Cut(text[: pieces[max_words - 1].end()], "length")
