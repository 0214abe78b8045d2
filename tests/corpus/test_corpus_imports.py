from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.corpus.imports import COLUMNS, conversations, detect, read_rows
from harness.errors import ConfigurationError

ASKED, SAID = "Why is the sea salt?", "Because the rivers bring it down."
PLAIN = ({"role": "user", "content": ASKED}, {"role": "assistant", "content": SAID})
SHAREGPT = {"conversations": [{"from": "human", "value": ASKED}, {"from": "gpt", "value": SAID}]}
ROWS: dict[str, dict[str, Any]] = {
    "sharegpt": SHAREGPT,
    "alpaca": {"instruction": ASKED, "input": "", "output": SAID},
    "prompt": {"prompt": ASKED, "response": SAID},
    "messages": {"messages": list(PLAIN)},
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_each_format_gives_the_same_conversation(kind: str) -> None:
    found = conversations([ROWS[kind]])
    assert (found.format, found.left_out) == (kind, ())
    assert [each.turns for each in found.conversations] == [PLAIN]


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        ({"question": ASKED, "answer": SAID}, {}),
        ({"prompt": ASKED, "completion": SAID}, {}),
        ({"query": ASKED, "reply": SAID}, {"prompt": "query", "response": "reply"}),
        ({"talk": SHAREGPT["conversations"]}, {"conversations": "talk"}),
        (
            {"chat": [{"who": "user", "text": ASKED}, {"who": "assistant", "text": SAID}]},
            {"messages": "chat", "role": "who", "content": "text"},
        ),
        ({"task": ASKED, "result": SAID}, {"instruction": "task", "output": "result"}),
    ],
)
def test_columns_may_have_other_names(row: dict[str, Any], columns: dict[str, str]) -> None:
    assert conversations([row], columns).conversations[0].turns == PLAIN


def test_an_input_goes_under_the_instruction_and_a_system_column_before_all() -> None:
    row = {"instruction": "Answer.", "input": ASKED, "output": SAID, "system": "Be brief."}
    turns = conversations([row]).conversations[0].turns
    assert [turn["role"] for turn in turns] == ["system", "user", "assistant"]
    assert turns[1]["content"] == f"Answer.\n\n{ASKED}"


@pytest.mark.parametrize(
    ("turns", "why"),
    [
        ([("human", "a")], "end with the assistant"),
        ([], "end with the assistant"),
        ([("gpt", "a"), ("human", "b"), ("gpt", "c")], "take turns"),
        ([("human", "a"), ("human", "b"), ("gpt", "c")], "take turns"),
        ([("human", "a"), ("system", "b"), ("gpt", "c")], "system turn in the middle"),
        ([("human", "a"), ("gpt", " ")], "empty turn"),
        ([("tool", "a"), ("gpt", "b")], "turn by 'tool'"),
        ([("human", 3), ("gpt", "b")], "not text"),
    ],
)
def test_a_row_that_is_no_conversation_is_left_out_with_the_reason(turns: list[Any], why: str) -> None:
    bad = {"conversations": [{"from": who, "value": said} for who, said in turns]}
    found = conversations([SHAREGPT, bad, {"conversations": "text"}, {"other": 1}, SHAREGPT])
    assert [each.row for each in found.conversations] == [1, 5]
    assert [each.row for each in found.left_out] == [2, 3, 4]
    assert why in found.left_out[0].why
    assert sum(found.reasons().values()) == 3


def test_unknown_columns_and_formats_are_errors() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'prompt'"):
        conversations([{"a": "b"}], {"promt": "a"})
    with pytest.raises(ConfigurationError, match=r"no row has 'quesion'.*did you mean 'question'"):
        conversations([{"question": ASKED, "answer": SAID}], {"prompt": "quesion"})
    with pytest.raises(ConfigurationError, match="columns are: body, title"):
        conversations([{"title": "a", "body": "b"}])
    with pytest.raises(ConfigurationError, match="no rows"):
        conversations([])


def test_rows_are_read_from_json_and_json_lines(tmp_path: Path) -> None:
    rows = [ROWS["prompt"], ROWS["prompt"] | {"prompt": "A line\u2028break?"}]
    texts = {
        "list.json": json.dumps(rows),
        "object.json": json.dumps({"version": 1, "data": rows}),
        "lines.jsonl": "\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n\n",
        "bom.json": "\ufeff" + json.dumps(rows),
    }
    for name, raw in texts.items():
        (tmp_path / name).write_text(raw, encoding="utf-8")
        assert read_rows(tmp_path / name) == rows, name
    (tmp_path / "one.jsonl").write_text(json.dumps(SHAREGPT))
    assert read_rows(tmp_path / "one.jsonl") == [SHAREGPT]


@pytest.mark.parametrize(
    ("raw", "where"),
    [
        (b'{"a": 1}\n{"a": \n', "rows:2"),
        (b'{"a": 1}\n3\n', "rows:2"),
        (b"[1, 2]", "rows"),
        (b"\xff\xfe", "UTF-8"),
    ],
)
def test_a_file_that_holds_no_rows_is_named(tmp_path: Path, raw: bytes, where: str) -> None:
    path = tmp_path / "rows"
    path.write_bytes(raw)
    with pytest.raises(ConfigurationError, match=where):
        read_rows(path)


def test_rows_of_a_datasets_dataset_are_rows() -> None:
    datasets = pytest.importorskip("datasets")
    found = conversations(datasets.Dataset.from_list([SHAREGPT, SHAREGPT]))
    assert [each.turns for each in found.conversations] == [PLAIN, PLAIN]


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.just("user") | st.just("assistant"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["messages", "role", "content", "prompt", "response"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@given(
    st.lists(st.dictionaries(st.sampled_from(["messages", "prompt", "response", "system"]), JSON), max_size=5)
)
def test_every_row_is_kept_or_left_out_and_what_is_kept_is_well_formed(rows: list[dict[str, Any]]) -> None:
    if not any(detect(row) for row in rows):
        return
    found = conversations(rows)
    numbers = [each.row for each in found.conversations] + [each.row for each in found.left_out]
    assert sorted(numbers) == list(range(1, len(rows) + 1))
    for conversation in found.conversations:
        roles = [turn["role"] for turn in conversation.turns if turn["role"] != "system"]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        assert all(turn["content"].strip() for turn in conversation.turns)
