from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.corpus.question_cache import QuestionCache, append_line, cache_key, read_lines, sole_user
from harness.corpus.questions import (
    QA_PROMPT,
    QA_TEMPLATES,
    SCENE_PROMPT,
    SCENE_TEMPLATES,
    TemplateWriter,
    Written,
    checked_prompt,
    fill,
)
from harness.cutting import question_about
from harness.errors import ConfigurationError, IncompleteError
from harness.text import count_words, digest, words
from harness.types import Passage

TEXTS = [
    "The canal must be dug, and the canal must be guarded by a navy that keeps the peace.",
    "The forests are not ours to burn; the forests and the rivers belong to our children.",
    "No corporation is above the law, and the law must reach every corporation and railway.",
    "The navy keeps the peace because the navy is ready, and peace without ships is a wish.",
]


def passage(text: str) -> Passage:
    return Passage("b", 0, "body", text, count_words(text), digest(text, 16))


PASSAGES = [passage(text) for text in TEXTS]
WRITER = TemplateWriter.fit(TEXTS)


# ── the template ──────────────────────────────────────────────────────────────────────────────────


def test_the_first_question_is_worded_as_the_benchmarks_are() -> None:
    seen_in = Counter(word for text in TEXTS for word in set(words(text)))
    for each in PASSAGES:
        (question,) = WRITER.write([each], 1).questions
        assert question.text == question_about(each.text, seen_in, len(TEXTS))
        assert (question.passage, question.writer) == (each.digest, WRITER.identity)


def test_a_passages_questions_differ_and_depend_on_no_other_passage() -> None:
    whole = WRITER.write(PASSAGES, 2)
    assert whole.complete
    assert {len(set(texts)) for texts in whole.by_passage().values()} == {2}
    assert WRITER.write(PASSAGES[2:3], 2).questions == whole.questions[4:6]
    assert TemplateWriter.fit(TEXTS[:2]).identity != WRITER.identity
    assert TemplateWriter.fit(TEXTS, SCENE_TEMPLATES).identity != WRITER.identity


def test_what_the_template_cannot_ask_is_said() -> None:
    written = WRITER.write([passage("It is so."), PASSAGES[0]], 9)
    assert not written.complete
    assert written.missing[passage("It is so.").digest] == "template: 0 of 9 questions"
    assert written.missing[PASSAGES[0].digest] == f"template: {len(QA_TEMPLATES)} of 9 questions"


def test_a_template_or_a_prompt_without_its_place_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="words"):
        TemplateWriter({}, 1, ["What of it?"])
    with pytest.raises(ConfigurationError, match="passage"):
        checked_prompt("Ask something.")


def test_prompts_are_filled_and_braces_in_a_passage_are_left_alone() -> None:
    for prompt in (QA_PROMPT, SCENE_PROMPT):
        filled = fill(checked_prompt(prompt), "A {n} and a {passage}.", 2)
        assert "A {n} and a {passage}." in filled
        assert "JSON array of 2 strings" in " ".join(filled.split())
        assert max(map(len, filled.splitlines())) < 120


@given(st.text(), st.integers(1, 6))
def test_the_template_never_fails_and_never_writes_too_many(text: str, n: int) -> None:
    written = WRITER.write([passage(text)], n)
    asked = [question.text for question in written.questions]
    assert len(asked) == len(set(asked)) <= n
    assert written.complete == (len(asked) == n)


# ── the cache ─────────────────────────────────────────────────────────────────────────────────────


def test_the_key_is_passage_text_writer_and_prompt() -> None:
    keys = {cache_key(*each) for each in (("t", "w", "p"), ("u", "w", "p"), ("t", "x", "p"), ("t", "w", "q"))}
    assert len(keys) == 4
    assert cache_key("ab", "c", "p") != cache_key("a", "bc", "p")


def test_what_is_added_is_there_for_the_next_process(tmp_path: Path) -> None:
    cache = QuestionCache(tmp_path)
    cache.add("k", ["One?", "Two?"])
    cache.add("k", ["Two?", "Three\u2028?\ud800"])
    cache.refuse("r", "no")
    cache.refuse("r", "never")
    again = QuestionCache(tmp_path)
    assert again.questions("k") == ["One?", "Two?", "Three\u2028??"]
    assert (again.refusal("r"), again.refusal("k"), again.questions("none")) == ("no", None, [])
    assert len((tmp_path / "questions.jsonl").read_bytes().splitlines()) == 3


@settings(max_examples=60)
@given(cut=st.integers(1, 200), rows=st.lists(st.text(max_size=20), min_size=1, max_size=4))
def test_a_torn_line_costs_itself_alone(
    tmp_path_factory: pytest.TempPathFactory, cut: int, rows: list[str]
) -> None:
    path = tmp_path_factory.mktemp("torn") / "lines.jsonl"
    for row in rows:
        append_line(path, {"row": row})
    whole = path.read_bytes()
    path.write_bytes(whole[: max(0, len(whole) - cut)])
    n_left = path.read_bytes().count(b"\n")
    append_line(path, {"row": "after"})
    found = [row["row"] for row in read_lines(path)]
    assert found[:n_left] == rows[:n_left]
    assert found[-1] == "after"
    assert len(found) <= len(rows) + 1


def test_only_one_at_a_time_holds_the_folder(tmp_path: Path) -> None:
    with sole_user(tmp_path):
        with pytest.raises(ConfigurationError, match="another run"), sole_user(tmp_path):
            pass
        with pytest.raises(ConfigurationError, match="another run"), sole_user(tmp_path):
            pass
    with sole_user(tmp_path):
        pass


def test_missing_questions_make_it_incomplete() -> None:
    assert Written(()).complete
    Written(()).check()
    lacking = Written((), {"a": "overloaded", "b": "refused", "c": "overloaded"})
    assert not lacking.complete
    with pytest.raises(
        IncompleteError, match=r"3 passages lack questions(.|\n)*2 x overloaded\n  1 x refused"
    ):
        lacking.check()
