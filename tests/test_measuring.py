"""A text measured without a model: known authors land where they belong, and what is no answer is named."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from small_author import GARDENER, NAME, PILOT, index_lines, prose

from harness import measuring
from harness import reference as references
from harness.errors import ConfigurationError, MissingPrerequisiteError
from harness.measures import VERSIONS
from harness.measuring import HELDOUT, Line, Measurement, measure_file, split
from harness.pooled import POOLED_VERSIONS
from harness.reference import Reference
from harness.text import count_words, words


@pytest.fixture(scope="module")
def reference(small_author: Path) -> Reference:
    return references.load(NAME, small_author)


def lines(found: Measurement) -> dict[str, Line]:
    return {line.metric: line for line in found.lines}


def measured(
    small_author: Path, folder: Path, paragraphs: Sequence[str], name: str = "t.txt"
) -> dict[str, Line]:
    (folder / name).write_text("\n\n".join(paragraphs))
    return lines(measure_file(folder / name, NAME, small_author))


def test_the_authors_new_prose_is_near_him_and_a_rivals_is_not(small_author: Path, tmp_path: Path) -> None:
    own = measured(small_author, tmp_path, prose(PILOT, 1500, 77))
    rival = measured(small_author, tmp_path, prose(GARDENER, 1500, 78))
    assert set(own) == set(VERSIONS) - {"truncated", "question_reciprocal_rank"} | {HELDOUT}
    logit = own["authorship_logit"]
    assert logit.author - logit.others > 1
    assert abs(logit.value - logit.author) < abs(logit.value - logit.others)
    assert rival["authorship_logit"].value < logit.others
    assert logit.interval.low < logit.value < logit.interval.high
    assert logit.auc > 0.9
    assert logit.n == 28
    for one in (own, rival):
        assert [one[metric].value for metric in ("invalid", "copied", HELDOUT)] == [0, 0, 0]


def test_pasted_training_text_and_held_out_text_are_told_apart(
    small_author: Path, tmp_path: Path, reference: Reference
) -> None:
    train = measured(small_author, tmp_path, [p.text for p in reference.train[:5]])
    heldout = measured(small_author, tmp_path, [p.text for p in reference.heldout[:5]])
    assert (train["copied"].value, train[HELDOUT].value) == (1, 0)
    assert (heldout["copied"].value, heldout[HELDOUT].value) == (0, 1)
    assert heldout[HELDOUT].note == "this is the author's own prose, not an imitation of it"


def test_what_is_no_answer_is_named_and_not_scored_on_style(small_author: Path, tmp_path: Path) -> None:
    rows = [
        "\n".join(index_lines(PILOT, 30, 5)),
        "The gale, the gale, the gale. " * 30,
        "",
        "As an AI language model, I cannot write as a pilot, but I can tell you of the sea.",
        prose(PILOT, 60, 9)[0],
    ]
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(f"{json.dumps({'answer': row})}\n" for row in rows))
    found = lines(measure_file(path, NAME, small_author))
    assert found["invalid"].value == 0.8
    reasons = dict(part.rsplit(" ", 1) for part in found["invalid"].note.split(", "))
    assert reasons.items() >= {"index_like": "1", "loop": "1", "empty": "1", "refusal": "1"}.items()
    assert found["authorship_logit"].n == 1
    assert found["authorship_logit"].note == "4 of 5 without a value"
    assert math.isnan(found["authorship_logit"].interval.low)


def test_answers_to_prompts_are_set_beside_the_authors_own(
    small_author: Path, tmp_path: Path, reference: Reference
) -> None:
    questions = [prompt for prompt in reference.prompts if prompt.kind == "question"]
    rows = [{"prompt": p.text, "response": p.reference} for p in questions for _ in range(2)]
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    measurement = measure_file(path, NAME, small_author)
    assert (measurement.texts, measurement.matched) == (20, 20)
    found = lines(measurement)
    rank = found["question_reciprocal_rank"]
    # Two answers to one question are one unit.
    assert rank.n == 10
    assert rank.value == pytest.approx(rank.author, abs=0.15)
    assert rank.value > rank.others
    assert found["authorship_logit"].value == pytest.approx(found["authorship_logit"].author, abs=0.3)


def test_a_whole_text_is_one_answer(small_author: Path, tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("\n\n".join(prose(PILOT, 400, 6)))
    one = measure_file(path, NAME, small_author, whole=True)
    many = measure_file(path, NAME, small_author)
    assert (one.texts, many.texts) == (1, 8)
    assert abs(many.median_words - many.author_words) < 0.2 * many.author_words
    assert one.median_words == count_words(path.read_text())


def test_passages_are_as_written_and_nothing_is_lost() -> None:
    text = "\n\n".join(prose(PILOT, 1000, 3)).replace(" the ", "\nthe ")
    pieces = split(text, 90)
    assert words(" ".join(pieces)) == words(text)
    assert all(piece in text for piece in pieces)
    sizes = [count_words(piece) for piece in pieces]
    assert min(sizes) >= 45
    assert max(sizes) <= 90
    assert 11 <= len(sizes) <= 16
    assert split("No end to this", 2) == ["No end to this"]
    assert split(" \n", 2) == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.txt", b" \n 12 \n", "t.txt: there are no words in it"),
        ("t.txt", b"\xff\xfe\x00%PDF", r"cannot be read as UTF-8 text .*stylobench prepare"),
        ("t.jsonl", b'{"answer": ""}', "there are no words in it"),
        ("t.jsonl", b"not json", "neither JSON nor JSON Lines"),
        ("t.jsonl", rb'{"answer": "a \ud800 b"}', r"row 1 holds half a character \(.ud800\)"),
    ],
)
def test_files_that_cannot_be_measured(
    small_author: Path, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigurationError, match=message):
        measure_file(tmp_path / name, NAME, small_author)


def test_an_author_who_was_never_prepared(small_author: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingPrerequisiteError, match="no reference set 'marlowe', did you mean 'marlow'"):
        measure_file(tmp_path / "t.txt", "marlowe", small_author)


def test_measuring_needs_no_model(small_author: Path, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("\n\n".join(prose(PILOT, 200, 6)))
    script = (
        "import sys\nfrom harness.cli import invoke\n"
        f"where, file = {str(small_author)!r}, {str(tmp_path / 't.txt')!r}\n"
        "code = invoke(['-C', where, 'measure', file, '--author', 'marlow'])\n"
        "print(code, sorted({'torch', 'transformers', 'peft', 'deltalake'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.splitlines()[-1] == "0 []"
    assert done.stdout.startswith("5 texts of about")


def test_the_size_of_a_batch_changes_nothing(
    small_author: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paragraphs = [*prose(PILOT, 300, 5), *prose(GARDENER, 300, 6), "The gale, the gale. " * 60]
    at_once = measured(small_author, tmp_path, paragraphs)
    monkeypatch.setattr(measuring, "AT_ONCE", 2)
    in_twos = measured(small_author, tmp_path, paragraphs)
    assert at_once.keys() == in_twos.keys()
    for metric, line in at_once.items():
        numbers = (line.value, *line.interval, line.author, line.others, line.n)
        other = in_twos[metric]
        assert numbers == pytest.approx(
            (other.value, *other.interval, other.author, other.others, other.n), abs=1e-12, nan_ok=True
        )
        assert line.note == other.note


def test_from_five_thousand_words_on_there_are_pooled_metrics_too(small_author: Path, tmp_path: Path) -> None:
    own = measured(small_author, tmp_path, prose(PILOT, 6500, 77))
    rival = measured(small_author, tmp_path, prose(GARDENER, 6500, 78))
    assert set(POOLED_VERSIONS) < set(own)
    for metric in POOLED_VERSIONS:
        assert own[metric].value < rival[metric].value, metric
    line = own["cosine_delta"]
    assert line.interval.low < line.value < line.interval.high
    assert line.n > 60


def test_what_is_too_short_to_be_pooled_says_so(small_author: Path, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("\n\n".join(prose(PILOT, 1500, 77)))
    found = measure_file(tmp_path / "t.txt", NAME, small_author)
    assert not set(POOLED_VERSIONS) & set(lines(found))
    assert found.left_out.endswith(" of 5,000 words in valid, uncopied texts")


def test_rows_that_name_a_prompt_nobody_was_asked_are_counted(
    small_author: Path, tmp_path: Path, reference: Reference
) -> None:
    text = reference.heldout[0].text
    rows = [
        {"prompt": reference.prompts[0].text, "answer": text},
        {"prompt": "What is a lighthouse for?", "answer": text},
        {"item": "nowhere", "answer": text},
        {"answer": text},
    ]
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert measure_file(path, NAME, small_author).unmatched == 2
