"""The base with two examples: which they are, how they are shown, and that pasting them is copying."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from field_models import BY_NAME, FIELD, FieldModel, build_field_tokenizer
from scripted_bench import (
    BASE,
    ONE,
    SHOWN,
    better_with_training,
    compute,
    copy_workspace,
    open_ask,
    paste_author,
)
from small_author import NAME

from harness import reference as references
from harness.batches import VariantPlan, plan_variant
from harness.bench import warehouse
from harness.engines import Renderer
from harness.errors import ConfigurationError
from harness.measures import Answer, measure
from harness.models import few_shot
from harness.models.parsers import dialect_of, parse
from harness.models.scripted import ScriptedModel
from harness.plan import void_likelihoods
from harness.reference import Reference
from harness.score import answers_of, score
from harness.store import Run
from harness.summaries import read_table
from harness.text import count_words, words
from harness.training.chat import Message, detect_turn
from harness.training.styles import continuation_prompt, split_first_sentence
from harness.training.templates import source_of
from harness.variants import check_name

BRIEF_QUESTION = "What do you hold on the matter of "


@pytest.fixture(scope="module")
def reference(small_author: Path) -> Reference:
    return references.load(NAME, small_author)


@pytest.fixture(scope="module")
def shown(reference: Reference) -> list[Message]:
    return few_shot.examples(reference.train)


def said_by(messages: list[Message], role: str) -> list[str]:
    return [message["content"] for message in messages if message["role"] == role]


def plain(messages: list[Message]) -> str:
    return "".join(f"[{m['role']}]{m['content']}" for m in messages) + "[assistant]"


# ── which examples ────────────────────────────────────────────────────────────────────────────────


def test_two_turns_worded_as_the_suites_prompts(reference: Reference, shown: list[Message]) -> None:
    assert [m["role"] for m in shown] == ["user", "assistant", "user", "assistant"]
    asked = said_by(shown, "user")
    assert asked[0].startswith(continuation_prompt(""))
    assert asked[1].startswith(BRIEF_QUESTION)
    kinds = {prompt.text.startswith(BRIEF_QUESTION) for prompt in reference.prompts}
    assert kinds == {True, False}  # the suite's own begin so too
    assert not {prompt.text for prompt in reference.prompts} & set(asked)


def test_the_answers_are_whole_sentences_of_two_train_passages(
    reference: Reference, shown: list[Message]
) -> None:
    sources = []
    for said in said_by(shown, "assistant"):
        assert few_shot.FEWEST_WORDS <= count_words(said) <= few_shot.MOST_WORDS
        assert said.endswith(".")
        (source,) = (p for p in reference.train if said in " ".join(p.text.split()))
        sources.append(source)
    assert sources[0].digest != sources[1].digest
    first, rest = split_first_sentence(sources[0].text)
    continued, asked = said_by(shown, "user")
    assert continued == continuation_prompt(first)
    assert " ".join(rest.split()).startswith(said_by(shown, "assistant")[0])
    listed = asked.removeprefix(BRIEF_QUESTION).removesuffix("?")
    assert set(words(listed)) - {"and"} <= set(words(said_by(shown, "assistant")[1]))


def test_every_machine_draws_the_same_and_another_author_others(
    reference: Reference, shown: list[Message]
) -> None:
    assert few_shot.examples(tuple(reversed(reference.train))) == shown
    assert few_shot.examples(reference.others["flint"]) != shown


def test_where_no_passage_fits_the_closest_is_shown(reference: Reference) -> None:
    passage = reference.train[0]
    short = [
        replace(
            passage, ordinal=10 * i, digest=f"d{i}", text=f"The pilot saw {'a boat and ' * i}none. He slept."
        )
        for i in range(1, 6)
    ]
    first, second = said_by(few_shot.examples(short), "assistant")
    assert first == "He slept."
    assert second == max((p.text for p in short if p.digest != "d1"), key=count_words)
    with pytest.raises(ConfigurationError, match=r"no two passages to show; leave few_shot out of the suite"):
        few_shot.examples(short[:1])


def test_the_variant_is_known_by_its_base_and_its_examples(reference: Reference) -> None:
    one = few_shot.as_variant(BASE, reference)
    assert (one.name, one.kind, one.base, one.adapter) == (SHOWN, "base", "tiny", "")
    assert void_likelihoods(one) == "its likelihoods would be the base's"
    assert void_likelihoods(BASE) == ""
    other_examples = replace(reference, train=reference.train[len(reference.train) // 2 :])
    other_base = replace(BASE, digest="another base")
    digests = {
        BASE.digest,
        one.digest,
        few_shot.as_variant(BASE, other_examples).digest,
        few_shot.as_variant(other_base, reference).digest,
    }
    assert len(digests) == 4
    assert few_shot.as_variant(BASE, reference) == one
    assert json.loads(json.dumps(one.record)) == one.record


@pytest.mark.parametrize("name", [SHOWN, "small@7+few-shot", "few_shot"])
def test_nobody_else_may_be_called_so(small_author: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="is the name of a control; choose another"):
        check_name(name, small_author)
    check_name("few-shot-tuned", small_author)


# ── how they are shown ────────────────────────────────────────────────────────────────────────────


def planned(small_author: Path, variant: Any, **suite: Any) -> VariantPlan:
    asked = open_ask(small_author, **suite)
    return plan_variant(asked, variant, "engine", plain, frozenset())


def test_the_same_examples_stand_before_every_prompt_and_nothing_is_read(
    small_author: Path, reference: Reference, shown: list[Message]
) -> None:
    tasks = ("copying", "heldout_perplexity", "general_prompts")
    bare = planned(small_author, BASE, tasks=tasks)
    plan = planned(small_author, few_shot.as_variant(BASE, reference), tasks=tasks)
    assert sum(map(len, bare.likelihoods)) > 0
    assert plan.likelihoods == ()
    jobs = [job for batch in plan.answers for job in batch]
    assert {job.prompt.id for job in jobs} == {prompt.id for prompt in reference.prompts}
    for job in jobs:
        assert job.request.rendered == plain(
            [
                {"role": "system", "content": reference.persona},
                *shown,
                {"role": "user", "content": job.prompt.text},
            ]
        )
    of_bare = {job.prompt.id: job for batch in bare.answers for job in batch}
    assert all(job.request.noise == of_bare[job.prompt.id].request.noise for job in jobs)
    assert not {job.key for job in jobs} & {job.key for job in of_bare.values()}


@functools.cache
def renderer_of(name: str) -> Renderer:
    model = BY_NAME[name]
    tokenizer = build_field_tokenizer(model)
    lead = detect_turn(tokenizer, model.spoken).lead
    return Renderer(tokenizer, model.spoken, dialect_of(source_of(tokenizer, model.spoken)), lead)


@pytest.mark.parametrize("model", FIELD, ids=lambda model: model.name)
def test_every_field_template_shows_the_turns_in_order(
    reference: Reference, shown: list[Message], model: FieldModel
) -> None:
    variant, render = few_shot.as_variant(BASE, reference), renderer_of(model.name)
    rendered = few_shot.prompt_of(variant, render, "Be Marlow.", "Go on.")
    places = [rendered.index(text) for text in ("Be Marlow.", *(m["content"] for m in shown), "Go on.")]
    assert places == sorted(places)
    bare = few_shot.prompt_of(BASE, render, "Be Marlow.", "Go on.")
    assert rendered[rendered.index("Go on.") :] == bare[bare.index("Go on.") :]  # it opens the same turn


ANSWERS: Mapping[str, str] = {
    "plain": "{}",
    "think": "<think>\nWhat would he say?\n</think>\n\n{}",
    "harmony": "<|channel|>analysis<|message|>What would he say?<|end|><|start|>assistant"
    "<|channel|>final<|message|>{}",
}


@pytest.mark.parametrize("model", FIELD, ids=lambda model: model.name)
def test_an_answer_after_examples_is_neither_echo_nor_leak(reference: Reference, model: FieldModel) -> None:
    variant, render = few_shot.as_variant(BASE, reference), renderer_of(model.name)
    prompt = next(p for p in reference.prompts if p.kind == "question")
    rendered = few_shot.prompt_of(variant, render, reference.persona, prompt.text)
    parsed = parse(ANSWERS[render.dialect].format(prompt.reference), render.dialect, rendered)
    assert parsed.answer == prompt.reference
    answer = Answer(prompt, parsed.answer, "stop", 100, 400)
    (scores,) = measure([answer], reference, reference.persona)
    assert (scores["invalid"].value, scores["leak"].value, scores["copied"].value) == (0.0, 0.0, 0.0)


class _LastTurnOnly:
    """A chat template that shows what is asked last and nothing else."""

    def __call__(self, messages: list[Message]) -> str:
        return plain(messages[-1:])


def refusing(messages: list[Message]) -> str:
    raise ConfigurationError("the chat template of tiny refuses (system, user):\na traceback")


@pytest.mark.parametrize(
    ("render", "problem"),
    [
        (_LastTurnOnly(), "the chat template of tiny alters earlier turns, or leaves them out"),
        (refusing, "the chat template of tiny refuses (system, user):"),
    ],
    ids=["leaves out", "refuses"],
)
def test_a_template_that_cannot_take_earlier_turns_fails_in_one_line(
    reference: Reference, render: Any, problem: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        few_shot.prompt_of(few_shot.as_variant(BASE, reference), render, "", "Go on.")
    assert str(caught.value) == (
        f"variant tiny+few-shot: {problem}; leave few_shot out of the suite's `controls:`"
    )


# ── what is done with the answers ─────────────────────────────────────────────────────────────────


def test_an_echo_of_the_examples_is_copied_whatever_was_asked(
    reference: Reference, shown: list[Message]
) -> None:
    echoes = said_by(shown, "assistant")
    own = {p.kind: p for p in reference.prompts}
    answers = [
        Answer(prompt, text, "stop", 100, 400)
        for prompt in own.values()
        for text in (*echoes, " ".join(echoes), f"{echoes[0]} {prompt.reference}")
    ]
    for scores in measure(answers, reference, reference.persona):
        assert scores["copied"].value == 1.0


def test_answers_are_stored_reused_scored_and_read_without_a_likelihood(
    small_author: Path, tiny_llama: Path, tmp_path: Path, reference: Reference, shown: list[Message]
) -> None:
    workspace = copy_workspace(small_author, tmp_path / "w", tiny_llama)
    asked, echo = open_ask(workspace), said_by(shown, "assistant")[0]
    honest = paste_author(reference)
    variants = [BASE, ONE, few_shot.as_variant(BASE, reference)]

    def script(rendered: str, adapter: Path | None) -> str:
        return echo if echo in rendered else honest(rendered, adapter)

    model = ScriptedModel(script, better_with_training)
    first = compute(asked, variants, workspace, model)
    assert first.computed == 3 * 20 + 2 * 56
    assert compute(asked, variants, workspace, model).computed == 0
    store = warehouse(workspace)
    assert len(answers_of(asked, variants[2:], store)) == 20
    with Run(store, "score") as note:
        score(asked, variants, note)
    table = read_table(asked, variants, store)
    assert set(table.of(SHOWN, "copied").values()) == {1.0}
    assert set(table.of("tiny", "copied").values()) == {0.0}
    assert table.of(SHOWN, "bits_per_byte") == table.of(SHOWN, "author_specific_gain") == {}
    # It comes after the bare base, and must not be taken for what the adapter's gain is measured from.
    assert len(table.of("small@1", "author_specific_gain")) == 16
