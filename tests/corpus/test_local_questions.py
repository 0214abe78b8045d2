from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.corpus.local_questions import LocalWriter, first_instruction, first_question, on_topic_share
from harness.corpus.question_examples import QUESTION_GUIDE, SCENE_GUIDE, Guide
from harness.corpus.questions import TemplateWriter, Written
from harness.models.scripted import ScriptedModel
from harness.text import digest, words
from harness.types import Passage


def passage(n: int) -> Passage:
    own = " ".join(f"{stem}{chr(97 + n // 26)}{chr(97 + n % 26)}" for stem in ("ship", "harbour", "pilot"))
    text = f"We went down to the water and there we saw {own} lying in the early light. {own.title()} again."
    return Passage("book", n, "body", text, len(words(text)), digest(text, 16))


PASSAGES = [passage(n) for n in range(120)]
TEMPLATE = TemplateWriter.fit(each.text for each in PASSAGES)


def opening_of(rendered: str) -> str:
    return rendered.rsplit("<|assistant|>", 1)[1]


def on_topic(rendered: str) -> str:
    """What a good model adds to the opening it is given."""
    return f' about {rendered.rsplit("saw ", 1)[1].split(" lying")[0]}?"<|im_end|>'


def told(messages: Sequence[Mapping[str, str]]) -> str:
    return "".join(f"<|{m['role']}|>{m['content']}" for m in messages) + "<|assistant|>"


def write(
    script: Any, folder: Path, passages: list[Passage] = PASSAGES, n: int = 1
) -> tuple[Written, ScriptedModel]:
    model = ScriptedModel(lambda rendered, adapter: script(rendered))
    writer = LocalWriter(model, told, "tiny@1", TEMPLATE, folder)
    return writer.write(passages, n), model


def every(part: int, of: int) -> Any:
    """On topic for so many of so many passages, by the words of the passage alone."""
    good = {
        each.text for place, each in enumerate(sorted(PASSAGES, key=lambda p: p.digest)) if place % of < part
    }
    return lambda text: on_topic(text) if any(each in text for each in good) else " shall we do now?"


def test_questions_on_topic_are_kept(tmp_path: Path) -> None:
    written, model = write(on_topic, tmp_path)
    assert written.complete
    assert [q.passage for q in written.questions] == [p.digest for p in PASSAGES]
    assert {q.writer.split(":")[0] for q in written.questions} == {"local"}
    assert written.questions[0].text == "How about shipaa harbouraa pilotaa?"
    assert (model.generated, written.note) == (2 * 120, "100% of the questions are on topic")


def test_nothing_is_asked_of_no_passages(tmp_path: Path) -> None:
    written, model = write(on_topic, tmp_path, [])
    assert (written, model.generated) == (Written(()), 0)


def test_of_three_drafts_the_two_on_topic_stay(tmp_path: Path) -> None:
    def why_is_idle(rendered: str) -> str:
        return " shall we do now?" if opening_of(rendered) == "Why" else on_topic(rendered)

    written, model = write(why_is_idle, tmp_path, n=2)
    assert model.generated == 3 * 120
    openings = [text.split()[0] for texts in written.by_passage().values() for text in texts]
    assert openings == ["How", "What"] * 120
    assert written.note == "100% of the questions are on topic"


def test_what_asks_about_an_example_is_no_question(tmp_path: Path) -> None:
    def mixed_up(rendered: str) -> str:
        return " would the old captain not leave?" if opening_of(rendered) == "Why" else on_topic(rendered)

    written, _ = write(mixed_up, tmp_path, n=2)
    assert not any("captain" in q.text for q in written.questions)
    assert QUESTION_GUIDE.mixed_up("Why did the captain stay?", "The pilot stayed.")
    assert not QUESTION_GUIDE.mixed_up("Why did the captain stay?", "The Captain stayed.")


@pytest.mark.parametrize("guide", [QUESTION_GUIDE, SCENE_GUIDE])
def test_every_example_starts_as_its_opening_says(guide: Guide) -> None:
    for opening, asked in guide.asked.items():
        assert all(text.startswith(opening) for text in asked)
        turns = guide.messages("The\npassage.", opening)
        assert [turn["role"] for turn in turns] == ["user", "assistant"] * len(guide.passages) + ["user"]
        assert turns[0]["content"].startswith(guide.instruction)
        assert turns[-1]["content"] == "The passage."


def test_a_second_run_asks_the_model_for_new_text_only(tmp_path: Path) -> None:
    first, _ = write(on_topic, tmp_path)
    again, model = write(on_topic, tmp_path, [*PASSAGES[60:], passage(200)])
    assert model.generated == 2
    assert again.questions[:60] == first.questions[60:]


def test_questions_off_topic_fall_back_before_all_are_written_and_say_so(tmp_path: Path) -> None:
    written, model = write(lambda text: " shall we do now?", tmp_path)
    assert written.complete
    assert model.generated == 200
    assert {q.writer for q in written.questions} == {TEMPLATE.identity}
    assert written.note.startswith("local:tiny@1:")
    assert (
        "0% of its questions on 100 passages were on topic, 60% are needed; used template-1:" in written.note
    )


@pytest.mark.parametrize(("part", "kept"), [(5, False), (7, True)])
def test_the_share_decides(tmp_path: Path, part: int, kept: bool) -> None:
    written, _ = write(every(part, 10), tmp_path)
    assert ({q.writer.split(":")[0] for q in written.questions} == {"local"}) is kept
    assert f"{part}0%" in written.note


def test_what_the_model_left_out_is_the_templates_and_counted(tmp_path: Path) -> None:
    written, model = write(lambda text: "I cannot." if "shipab" in text else on_topic(text), tmp_path)
    assert written.complete
    by_passage = {q.passage: q for q in written.questions}
    assert by_passage[passage(1).digest].writer == TEMPLATE.identity
    assert "1 of 120 are the template's" in written.note
    assert model.generated == 240
    assert write(on_topic, tmp_path)[1].generated == 0  # the model has had its try


def test_two_alike_are_one_and_the_second_is_the_templates(tmp_path: Path) -> None:
    written, model = write(lambda text: f"\nWhat{on_topic(text)}", tmp_path, n=2)
    assert model.generated == 360
    assert written.complete
    assert {len(texts) for texts in written.by_passage().values()} == {2}
    assert "120 of 240 are the template's" in written.note


def test_the_measure_knows_its_own_passage() -> None:
    right = {p.digest: [f"What of {p.text.split()[10]}?"] for p in PASSAGES}
    wrong = {p.digest: right[PASSAGES[(n + 1) % 120].digest] for n, p in enumerate(PASSAGES)}
    assert on_topic_share(right, PASSAGES) == 1
    assert on_topic_share(wrong, PASSAGES) == 0
    assert on_topic_share({p.digest: right[p.digest] for p in PASSAGES[:60]}, PASSAGES) == pytest.approx(
        0.5, abs=0.1
    )
    assert (
        on_topic_share({p.digest: ["We went down to the water?"] for p in PASSAGES}, PASSAGES) == 0
    )  # all tie
    assert on_topic_share({}, []) == 1


def test_the_first_instruction_of_an_answer() -> None:
    assert first_instruction(
        "Sure!\n1. **Write how the pilot drowns at sea.** Add more.<|im_end|>"
    ).startswith("Write how the pilot drowns at sea.")
    assert first_instruction("<|im_end|>") == ""


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Why is the sea salt?", "Why is the sea salt?"),
        ('1. "Why is the sea salt?" Because.', "Why is the sea salt?"),
        ("Sure, here it is:\n**Question:** Why is the sea salt?", "Why is the sea salt?"),
        ("The sea is salt. Why is that so?", "Why is that so?"),
        ("Why?", ""),
        ("The sea is salt.", ""),
        ("<|im_end|>Why is the sea salt?", ""),
    ],
)
def test_the_first_question_of_an_answer(answer: str, expected: str) -> None:
    assert first_question(answer) == expected


def test_a_writer_is_the_same_in_every_process() -> None:
    """Else what was asked yesterday would be asked again: sets, for one, print in another order."""
    told = "from harness.corpus.question_examples import QUESTION_GUIDE as q, SCENE_GUIDE as s; print(q, s)"
    said = {
        subprocess.run(
            [sys.executable, "-c", told],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(said) == 1
