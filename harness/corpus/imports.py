"""Examples from elsewhere: the usual chat formats as conversations, with column mapping.

file --read_rows--> rows --conversations--> Imported: conversations, and the rows left out, with the reason
                                            (question-answer pairs go on to ``paid_pairs``)

    ShareGPT     {"conversations": [{"from": "human", "value": ...}, {"from": "gpt", "value": ...}]}
    Alpaca       {"instruction": ..., "input": ..., "output": ...}
    prompt       {"prompt": ..., "response": ...}, or question and answer, or prompt and completion
    messages     {"messages": [{"role": "user", "content": ...}, {"role": "assistant", "content": ...}]}
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from harness.errors import ConfigurationError, nearest

Format = Literal["sharegpt", "alpaca", "prompt", "messages"]
Turn = Mapping[str, str]
"""``{"role": "system" | "user" | "assistant", "content": text}``."""

COLUMNS: Mapping[Format, tuple[str, ...]] = {
    "sharegpt": ("conversations", "from", "value", "system"),
    "alpaca": ("instruction", "input", "output", "system"),
    "prompt": ("prompt", "response", "system"),
    "messages": ("messages", "role", "content", "system"),
}
"""The columns each format knows by name; a mapping says what they are called in a file."""

_NEEDED: Mapping[Format, tuple[str, ...]] = {
    "sharegpt": ("conversations",),
    "messages": ("messages",),
    "alpaca": ("instruction", "output"),
    "prompt": ("prompt", "response"),
}
_ALIASES = {"question": "prompt", "answer": "response", "completion": "response"}
_ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system"}
_ROLES |= {"model": "assistant", "bot": "assistant", "chatgpt": "assistant"}


@dataclass(frozen=True)
class Conversation:
    """Turns that alternate between user and assistant and end with the assistant; ``row`` counts from 1."""

    turns: tuple[Turn, ...]
    row: int


@dataclass(frozen=True)
class LeftOut:
    """A row that is no conversation, and why."""

    row: int
    why: str


@dataclass(frozen=True)
class Imported:
    """Every row is in one of the two, in order."""

    conversations: tuple[Conversation, ...]
    left_out: tuple[LeftOut, ...]
    format: Format

    def reasons(self) -> dict[str, int]:
        """Why rows were left out -> how many, the most frequent first."""
        return dict(Counter(each.why for each in self.left_out).most_common())


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON file (a list, or an object with one list) or a JSON Lines file, whatever its name.

    Raises ConfigurationError naming the file and the line where it is neither.
    """
    try:
        raw = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path.name}: cannot be read as UTF-8 text ({type(error).__name__})"
        ) from None
    try:
        whole = json.loads(raw)
    except ValueError:
        return _json_lines(path.name, raw)
    if isinstance(whole, dict):
        lists = [value for value in whole.values() if isinstance(value, list)]
        holds_rows = len(lists) == 1 and all(isinstance(value, dict) for value in lists[0])
        whole = lists[0] if holds_rows and detect(whole) is None else [whole]
    if not isinstance(whole, list) or not all(isinstance(row, dict) for row in whole):
        raise ConfigurationError(f"{path.name}: a list of objects is wanted, one a row")
    return whole


def conversations(
    rows: Iterable[Mapping[str, Any]],
    columns: Mapping[str, str] | None = None,
    format: Format | None = None,
) -> Imported:
    """Rows (of a file, or of a ``datasets`` dataset) as conversations.

    ``columns``: the format's own name -> the name in the file, as ``{"prompt": "query"}``. The format is
    that of the first row which has one. Rows that are no conversation are left out, each with the reason.
    Raises ConfigurationError for a column no format has, or where no row has a known format.
    """
    renamed = [_renamed(row, columns or {}) for row in rows]
    _check_columns(columns or {}, renamed)
    found = format or next((kind for row in renamed if (kind := detect(row))), None)
    if found is None:
        have = ", ".join(sorted(map(str, renamed[0]))) if renamed else "no rows"
        raise ConfigurationError(f"none of the formats {', '.join(COLUMNS)} fits; the columns are: {have}")
    kept: list[Conversation] = []
    left_out: list[LeftOut] = []
    for number, row in enumerate(renamed, start=1):
        try:
            turns = _turns(row, found, columns or {})
        except _NoConversationError as error:
            left_out.append(LeftOut(number, str(error)))
        else:
            kept.append(Conversation(turns, number))
    return Imported(tuple(kept), tuple(left_out), found)


def detect(row: Mapping[str, Any]) -> Format | None:
    """The format whose columns a row has, or None."""
    for kind, needed in _NEEDED.items():
        if all(name in row for name in needed):
            return kind
    return None


class _NoConversationError(Exception):
    """Carries the reason to where it is noted; never leaves this module."""


def _turns(row: Mapping[str, Any], kind: Format, columns: Mapping[str, str]) -> tuple[Turn, ...]:
    lacking = [name for name in _NEEDED[kind] if name not in row]
    if lacking:
        raise _NoConversationError(f"no column {columns.get(lacking[0], lacking[0])!r}")
    if kind == "alpaca":
        extra = _text(row.get("input") or "", "input")
        asked = "\n\n".join(filter(None, (_text(row["instruction"], "instruction"), extra)))
        said = [("user", asked), ("assistant", _text(row["output"], "output"))]
    elif kind == "prompt":
        said = [("user", _text(row["prompt"], "prompt")), ("assistant", _text(row["response"], "response"))]
    else:
        said = _said(row[_NEEDED[kind][0]], *(columns.get(name, name) for name in COLUMNS[kind][1:3]))
    system = _text(row.get("system") or "", "system")
    if system and said[:1] and said[0][0] != "system":
        said = [("system", system), *said]
    _check_order([role for role, _ in said])
    if not all(content for _, content in said):
        raise _NoConversationError("an empty turn")
    return tuple({"role": role, "content": content} for role, content in said)


def _said(turns: Any, role_name: str, content_name: str) -> list[tuple[str, str]]:
    if not isinstance(turns, Sequence) or isinstance(turns, str):
        raise _NoConversationError("the turns are not a list")
    said = []
    for turn in turns:
        if not isinstance(turn, Mapping) or role_name not in turn or content_name not in turn:
            raise _NoConversationError(f"a turn without {role_name!r} or {content_name!r}")
        role = _ROLES.get(str(turn[role_name]).lower())
        if role is None:
            raise _NoConversationError(f"a turn by {str(turn[role_name])[:20]!r}")
        said.append((role, _text(turn[content_name], content_name)))
    return said


def _check_order(roles: Sequence[str]) -> None:
    spoken = list(roles[1:] if roles[:1] == ["system"] else roles)
    if not spoken or spoken[-1] != "assistant":
        raise _NoConversationError("it does not end with the assistant")
    if spoken[0] != "user" or any(before == after for before, after in pairwise(spoken)):
        raise _NoConversationError("user and assistant do not take turns")
    if "system" in spoken:
        raise _NoConversationError("a system turn in the middle")


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise _NoConversationError(f"{name!r} is not text")
    return value.strip()


def _renamed(row: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    aliases = {own: row[there] for there, own in _ALIASES.items() if there in row and own not in row}
    return dict(row) | aliases | {own: row[there] for own, there in columns.items() if there in row}


def _check_columns(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> None:
    known = {name for names in COLUMNS.values() for name in names}
    for own, there in columns.items():
        if own not in known:
            raise ConfigurationError(f"columns: {own!r} is no column of any format{nearest(own, known)}")
        inner = any(own in names[1:3] for kind, names in COLUMNS.items() if kind in ("sharegpt", "messages"))
        if rows and not inner and not any(there in row for row in rows):
            have = sorted({str(name) for row in rows[:10] for name in row})
            raise ConfigurationError(f"columns: no row has {there!r}{nearest(there, have)}")


def _json_lines(name: str, raw: str) -> list[dict[str, Any]]:
    rows = []
    # Not splitlines(): JSON text may hold U+2028, which is no end of a line here.
    for number, line in enumerate(raw.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            raise ConfigurationError(f"{name}:{number}: neither JSON nor JSON Lines") from None
        if not isinstance(row, dict):
            raise ConfigurationError(f"{name}:{number}: an object is wanted on each line")
        rows.append(row)
    return rows
