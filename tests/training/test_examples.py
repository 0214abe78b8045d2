from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from tiny_llama import SENTENCES, build_tokenizer

from harness import text
from harness.errors import ConfigurationError, StylobenchError
from harness.training import examples as module
from harness.training.chat import IGNORED, conversation, decode, mask_response
from harness.training.examples import (
    build_examples,
    continuation_prompt,
    load_examples,
    prepare_examples,
    split_first_sentence,
    write_examples,
)
from harness.types import Passage, Split

SYSTEM = "You write state papers."


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return build_tokenizer()


def passage(ordinal: int, split: Split = "train") -> Passage:
    words = f"{SENTENCES[ordinal % 6]} {SENTENCES[(ordinal + 1) % 6]} Number {ordinal}."
    return Passage("1901", ordinal, "body", words, text.count_words(words), text.digest(words), split)


PASSAGES = [passage(n) for n in range(6)] + [
    passage(6, "validation"),
    passage(7, "heldout"),
    passage(8, "guard"),
]


def build(tokenizer: Any, passages: list[Passage] = PASSAGES, **changed: Any) -> module.ExampleSet:
    settings: dict[str, Any] = {
        "system": SYSTEM,
        "style": "completion",
        "max_length": 400,
        "seed": 0,
    } | changed
    return build_examples(passages, tokenizer=tokenizer, **settings)


@pytest.mark.parametrize(
    ("whole", "first", "rest"),
    [
        ("We meet in peace. It must last.\n\nIt will.", "We meet in peace.", "It must last.\n\nIt will."),
        ("Mr. Taft spoke. He sat.", "Mr. Taft spoke.", "He sat."),
        ("One sentence of six words only.", "One sentence of", "six words only."),
        ("no full stop at all", "no full", "stop at all"),
    ],
)
def test_split_first_sentence(whole: str, first: str, rest: str) -> None:
    assert split_first_sentence(whole) == (first, rest)


def test_one_word_cannot_be_split() -> None:
    with pytest.raises(ConfigurationError, match="one word"):
        split_first_sentence(" Peace. ")


def test_continuation_prompt_is_the_wording_of_the_brief() -> None:
    assert continuation_prompt("We meet.") == "Continue this passage:\n\nWe meet."


def test_heldout_and_guard_passages_are_never_examples(tokenizer: Any) -> None:
    built = build(tokenizer)
    assert (built.count("train"), built.count("validation"), len(built.examples)) == (6, 1, 7)


def test_the_answer_is_the_rest_of_the_passage(tokenizer: Any) -> None:
    by_digest = {each.digest: each for each in PASSAGES}
    for example in build(tokenizer).examples:
        target = decode(tokenizer, [label for label in example.labels if label != IGNORED])
        opening = split_first_sentence(by_digest[example.passage].text)
        assert target == opening.rest + "<|im_end|>"
        assert continuation_prompt(opening.first) in decode(tokenizer, example.input_ids)


def test_order_is_by_seed_and_passage_alone(tokenizer: Any) -> None:
    built = build(tokenizer)
    assert [each.passage for each in built.examples] == sorted(
        (each.digest for each in PASSAGES if each.split in ("train", "validation")),
        key=lambda digest: text.digest(f"0{digest}"),
    )
    assert build(tokenizer, PASSAGES[::-1]).digest == built.digest
    assert [each.passage for each in build(tokenizer, seed=1).examples] != [e.passage for e in built.examples]


def test_completion_is_made_as_it_always_was(tokenizer: Any) -> None:
    """The recipe before there were other styles, written out: adapters already trained keep their data."""
    used = sorted(
        (each for each in PASSAGES if each.split in ("train", "validation")),
        key=lambda each: text.digest(f"0{each.digest}"),
    )
    running = hashlib.sha256()
    for each in used:
        opening = split_first_sentence(each.text)
        turn = conversation(SYSTEM, f"Continue this passage:\n\n{opening.first}", opening.rest)
        masked = mask_response(tokenizer, turn, 400)
        running.update(json.dumps([masked.input_ids, masked.labels, each.split, each.digest]).encode())
    assert build(tokenizer).digest == running.hexdigest()
    assert build(tokenizer, questions={PASSAGES[0].digest: ["Not used?"]}).digest == running.hexdigest()


QUESTIONS = {each.digest: [f"Why {n}?", f"How {n}?"] for n, each in enumerate(PASSAGES)}


@pytest.mark.parametrize("style", ["qa", "scene"])
def test_each_question_is_answered_by_its_passage_word_for_word(tokenizer: Any, style: str) -> None:
    built = build(tokenizer, style=style, questions=QUESTIONS)
    assert (built.style, built.count("train"), built.count("validation")) == (style, 12, 2)
    by_digest = {each.digest: each for each in PASSAGES}
    asked: dict[str, list[str]] = {}
    for example in built.examples:
        target = decode(tokenizer, [label for label in example.labels if label != IGNORED])
        assert target == by_digest[example.passage].text + "<|im_end|>"
        user = decode(tokenizer, example.input_ids).split("user\n")[1].split("<|im_end|>")[0]
        asked.setdefault(example.passage, []).append(user)
    wanted = {each.digest: QUESTIONS[each.digest] for each in PASSAGES[:7]}
    assert {name: sorted(each) for name, each in asked.items()} == {k: sorted(v) for k, v in wanted.items()}
    assert build(tokenizer, PASSAGES[::-1], style=style, questions=QUESTIONS).digest == built.digest


def test_a_passage_without_a_question_is_named_and_not_left_out(tokenizer: Any) -> None:
    some = {name: asked for name, asked in QUESTIONS.items() if name != PASSAGES[2].digest}
    with pytest.raises(ConfigurationError, match="1 of 7 passages have no question"):
        build(tokenizer, style="qa", questions=some)
    with pytest.raises(ConfigurationError, match="7 of 7"):
        build(tokenizer, style="scene")


def test_an_unknown_style_is_refused(tokenizer: Any) -> None:
    with pytest.raises(ConfigurationError, match="'completion'"):
        build(tokenizer, style="completions")


def test_digest_follows_ids_labels_and_order(tokenizer: Any) -> None:
    digests = {
        build(tokenizer).digest,
        build(tokenizer, PASSAGES[1:]).digest,
        build(tokenizer, seed=1).digest,
        build(tokenizer, system="Another.").digest,
    }
    assert len(digests) == 4


def test_too_many_cut_targets_are_counted_and_refused(tokenizer: Any) -> None:
    many = [passage(n) for n in range(60)]
    with pytest.raises(ConfigurationError, match=r"target tokens .* lie beyond seq_len 60; .* seq_len \d+"):
        build(tokenizer, many, max_length=60)
    whole = build(tokenizer, many)
    longest = max(len(example.input_ids) for example in whole.examples)
    few_cut = build(tokenizer, many, max_length=longest - 2)  # the newline, and the last mark of the longest
    assert 0 < few_cut.n_cut <= 0.01 * (few_cut.n_target + few_cut.n_cut)
    assert few_cut.n_target + few_cut.n_cut == whole.n_target


def test_no_train_passages_is_an_error(tokenizer: Any) -> None:
    with pytest.raises(ConfigurationError, match="no train passages"):
        build(tokenizer, [passage(0, "heldout"), passage(1, "validation")])


def test_written_examples_are_read_back_and_kept(tokenizer: Any, tmp_path: Path) -> None:
    built = build(tokenizer)
    folder = write_examples(built, tmp_path)
    assert folder == tmp_path / built.digest
    assert load_examples(folder) == built
    written = (folder / "examples.parquet").stat().st_mtime_ns
    assert write_examples(built, tmp_path) == folder
    assert (folder / "examples.parquet").stat().st_mtime_ns == written
    assert [path.name for path in tmp_path.iterdir()] == [built.digest]


def test_damaged_examples_are_noticed(tokenizer: Any, tmp_path: Path) -> None:
    built = build(tokenizer)
    other = write_examples(dataclasses.replace(built, examples=built.examples[::-1]), tmp_path)
    with pytest.raises(StylobenchError, match="damaged"):
        load_examples(other)


def test_prepared_examples_are_found_again_without_a_tokenizer(
    tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads = []

    def load(path: Path) -> Any:
        loads.append(path)
        return tokenizer

    monkeypatch.setattr(module, "load_tokenizer", load)

    def prepare(**changed: Any) -> Path:
        settings: dict[str, Any] = {"base_path": tmp_path, "base_digest": "b", "system": SYSTEM, "seed": 0}
        settings |= {"style": "completion", "max_length": 400, "out": tmp_path} | changed
        return prepare_examples(PASSAGES, **settings)

    first = prepare()
    assert prepare() == first
    assert len(loads) == 1
    assert prepare(base_digest="another") == first  # the same ids from another base are the same examples
    assert len(loads) == 2
    assert prepare(seed=1) != first
    asked = prepare(style="qa", questions=QUESTIONS)
    assert prepare(style="qa", questions=dict(reversed(QUESTIONS.items()))) == asked
    assert len(loads) == 4
    monkeypatch.setattr(module, "RULES", module.RULES + 1)
    assert prepare() == first  # made again by the new rules, here to the same ids
    assert len(loads) == 5
    fewer = {name: each[:1] for name, each in QUESTIONS.items()}
    assert prepare(style="qa", questions=fewer) != asked
