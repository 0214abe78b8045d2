"""Masks of the field's models under their real chat templates: what is target, to the character."""

from __future__ import annotations

from typing import Any

import pytest
from field_models import BY_NAME, FIELD, FieldModel, build_field_tokenizer, chat_template
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from harness.errors import ConfigurationError
from harness.training.chat import (
    IGNORED,
    Masked,
    conversation,
    decode,
    detect_turn,
    mask_response,
    render,
)
from harness.training.lint import check_example, lint
from harness.training.templates import OWN, Template

ANSWER = "We hold them in trust, and\n\nwe must keep our word."
MESSAGES = conversation("Be brief.", "Go on.", ANSWER)


@pytest.fixture(scope="module")
def tokenizers() -> dict[str, Any]:
    return {model.name: build_field_tokenizer(model) for model in FIELD}


def stops_of(tokenizer: Any, model: FieldModel) -> set[int]:
    return {tokenizer.convert_tokens_to_ids(mark) for mark in (model.eos, *model.generation_stops)}


def target_of(tokenizer: Any, masked: Masked) -> str:
    return decode(tokenizer, [label for label in masked.labels if label != IGNORED])


def prompt_of(tokenizer: Any, masked: Masked) -> str:
    begin = next(place for place, label in enumerate(masked.labels) if label != IGNORED)
    return decode(tokenizer, masked.input_ids[:begin])


END = {"smollm2": "<|im_end|>", "qwen3": "<|im_end|>", "gpt-oss": "<|return|>"}


@pytest.mark.parametrize("model", FIELD, ids=lambda model: model.name)
def test_the_target_is_what_the_model_has_to_write_and_no_more(
    tokenizers: dict[str, Any], model: FieldModel
) -> None:
    tokenizer = tokenizers[model.name]
    stops = stops_of(tokenizer, model)
    masked = mask_response(tokenizer, MESSAGES, 4096, template=model.spoken, stops=stops)
    assert target_of(tokenizer, masked) == model.before + ANSWER + END.get(model.name, "<|eot_id|>")
    asked = render(tokenizer, MESSAGES[:-1], add_generation_prompt=True, template=model.spoken)
    assert prompt_of(tokenizer, masked) == asked
    turn = detect_turn(tokenizer, model.spoken)
    assert lint(tokenizer, masked, ANSWER, turn, stops) == ()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    answer=st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\n"), min_size=1).map(str.strip),
    question=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).map(str.strip),
)
@pytest.mark.parametrize("model", FIELD, ids=lambda model: model.name)
def test_whatever_is_asked_and_answered_the_target_is_the_answer(
    tokenizers: dict[str, Any], model: FieldModel, answer: str, question: str
) -> None:
    assume(answer)
    tokenizer = tokenizers[model.name]
    stops, turn = stops_of(tokenizer, model), detect_turn(tokenizer, model.spoken)
    messages = conversation("", question, answer)
    masked = mask_response(tokenizer, messages, 4096, template=model.spoken, turn=turn, stops=stops)
    assert target_of(tokenizer, masked) == model.before + answer + END.get(model.name, "<|eot_id|>")
    assert lint(tokenizer, masked, answer, turn, stops) == ()


def test_qwen3_without_thinking_has_its_empty_block_in_the_prompt(tokenizers: dict[str, Any]) -> None:
    masked = mask_response(tokenizers["qwen3"], MESSAGES, 4096, template=Template({"enable_thinking": False}))
    assert prompt_of(tokenizers["qwen3"], masked).endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")


def test_qwen3_with_thinking_writes_the_block_itself(tokenizers: dict[str, Any]) -> None:
    masked = mask_response(tokenizers["qwen3"], MESSAGES, 4096)
    assert target_of(tokenizers["qwen3"], masked) == f"<think>\n\n</think>\n\n{ANSWER}<|im_end|>"
    assert prompt_of(tokenizers["qwen3"], masked).endswith("<|im_start|>assistant\n")


def test_a_block_opened_by_the_prompt_is_closed_by_the_model(tokenizers: dict[str, Any]) -> None:
    template = Template(source=chat_template("qwen3_5_think"))
    masked = mask_response(tokenizers["qwen3"], MESSAGES, 4096, template=template)
    assert prompt_of(tokenizers["qwen3"], masked).endswith("<think>\n")
    assert target_of(tokenizers["qwen3"], masked) == f"\n</think>\n\n{ANSWER}<|im_end|>"


def test_harmony_names_its_effort_and_channels(tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers["gpt-oss"]
    low = render(tokenizer, MESSAGES, add_generation_prompt=False, template=BY_NAME["gpt-oss"].spoken)
    assert "Reasoning: low\n" in low
    assert "Reasoning: medium\n" in render(tokenizer, MESSAGES, add_generation_prompt=False)
    assert "<|start|>developer<|message|># Instructions\n\nBe brief.\n\n<|end|>" in low
    assert low.endswith(f"<|start|>assistant<|channel|>final<|message|>{ANSWER}<|return|>")


@pytest.mark.parametrize("name", ["llama-3.2", "gpt-oss"])
def test_a_template_that_prints_the_date_prints_the_same_every_day(
    tokenizers: dict[str, Any], name: str
) -> None:
    rendered = render(tokenizers[name], MESSAGES, add_generation_prompt=True)
    assert ("26 Jul 2024" if name == "llama-3.2" else "Current date: 2024-07-26") in rendered


def test_the_turn_is_ended_by_what_this_base_stops_at(tokenizers: dict[str, Any]) -> None:
    """Cohere's writes two marks after an answer, and only the second ends the text."""
    ending = "<|endoftext|><|im_end|>"
    source = chat_template("").replace("<|im_end|>' + '", f"{ending}' + '")
    assert source.count(ending) == 1
    masked = mask_response(tokenizers["smollm2"], MESSAGES, 4096, template=Template(source=source))
    assert target_of(tokenizers["smollm2"], masked) == ANSWER + ending


def test_prompts_that_differ_once_an_answer_follows_are_trained_as_asked(tokenizers: dict[str, Any]) -> None:
    source = (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}"
        "{% if m['role'] == 'user' and loop.last %} /no_think{% endif %}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    tokenizer = tokenizers["smollm2"]
    with pytest.raises(ConfigurationError, match="before an answer it writes"):
        mask_response(tokenizer, MESSAGES, 4096, template=Template(source=source))
    # The same difference before the user's words leaves the turn as it is.
    source = source.replace(" /no_think", "").replace(
        "<|im_start|>{{ m['role'] }}",
        "{% if loop.first and add_generation_prompt %}Asked. {% endif %}<|im_start|>{{ m['role'] }}",
    )
    masked = mask_response(tokenizer, MESSAGES, 4096, template=Template(source=source))
    assert prompt_of(tokenizer, masked).startswith("Asked. <|im_start|>system")
    assert target_of(tokenizer, masked) == ANSWER + "<|im_end|>"


def test_reasoning_opened_and_never_closed_is_refused_with_the_remedy(tokenizers: dict[str, Any]) -> None:
    template = Template(source=chat_template("deepseek_r1_distill"))
    with pytest.raises(ConfigurationError, match="opens reasoning") as caught:
        mask_response(tokenizers["qwen3"], MESSAGES, 4096, template=template)
    assert "enable_thinking" in str(caught.value)
    assert "We hold them in trust" in str(caught.value)


def test_an_option_the_template_does_not_know_is_named(tokenizers: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"template\.enable_thinking: .* does not know it"):
        render(
            tokenizers["llama-3.2"], MESSAGES, add_generation_prompt=True, template=BY_NAME["qwen3"].spoken
        )
    with pytest.raises(ConfigurationError, match="did you mean 'enable_thinking'"):
        render(
            tokenizers["qwen3"],
            MESSAGES,
            add_generation_prompt=True,
            template=Template({"enable_thinkin": 1}),
        )


def test_an_answer_the_template_trims_is_refused(tokenizers: dict[str, Any]) -> None:
    for answer in ("\nWe hold.", "We hold. "):
        with pytest.raises(ConfigurationError, match="alters the answer"):
            mask_response(tokenizers["llama-3.2"], conversation("", "Go on.", answer), 4096)


# ── the lint, on examples made wrong on purpose ───────────────────────────────────────────────────


@pytest.fixture
def right(tokenizers: dict[str, Any]) -> Masked:
    return mask_response(tokenizers["llama-3.2"], MESSAGES, 4096)


def faults(tokenizer: Any, ids: list[int], labels: list[int], n_cut: int = 0) -> str:
    n_target = sum(label != IGNORED for label in labels)
    turn, stops = detect_turn(tokenizer, OWN), {tokenizer.eos_token_id}
    return "; ".join(lint(tokenizer, Masked(ids, labels, n_target, n_cut), ANSWER, turn, stops))


def test_the_lint_passes_what_is_right(tokenizers: dict[str, Any], right: Masked) -> None:
    assert faults(tokenizers["llama-3.2"], right.input_ids, right.labels) == ""


def test_two_beginnings_of_text(tokenizers: dict[str, Any], right: Masked) -> None:
    tokenizer = tokenizers["llama-3.2"]
    ids = [tokenizer.bos_token_id, *right.input_ids]
    assert "two beginning-of-text" in faults(tokenizer, ids, [IGNORED, *right.labels])


def test_no_end_of_turn(tokenizers: dict[str, Any], right: Masked) -> None:
    found = faults(tokenizers["llama-3.2"], right.input_ids, [*right.labels[:-1], IGNORED])
    assert "does not stop" in found


def test_prompt_left_in(tokenizers: dict[str, Any], right: Masked) -> None:
    assert "left in the target" in faults(tokenizers["llama-3.2"], right.input_ids, right.input_ids)
    begin = next(place for place, label in enumerate(right.labels) if label != IGNORED)
    late = [IGNORED if place == begin else label for place, label in enumerate(right.labels)]
    assert "not the answer" in faults(tokenizers["llama-3.2"], right.input_ids, late)


def test_special_tokens_in_pieces(tokenizers: dict[str, Any], right: Masked) -> None:
    """The same text under a tokenizer without those marks: the header is fifteen pieces and no token."""
    other, text = tokenizers["smollm2"], decode(tokenizers["llama-3.2"], right.input_ids)
    ids = list(other(text, add_special_tokens=False)["input_ids"])
    assert "<|begin_of_text|> is no token" in faults(other, ids, [IGNORED] * len(ids))


def test_targets_cut_off_are_counted_and_left_to_the_set(tokenizers: dict[str, Any], right: Masked) -> None:
    tokenizer = tokenizers["llama-3.2"]
    cut = mask_response(tokenizer, MESSAGES, len(right.input_ids) - 5)
    turn, stops = detect_turn(tokenizer, OWN), {tokenizer.eos_token_id}
    assert lint(tokenizer, cut, ANSWER, turn, stops) == ("5 target tokens are cut off",)
    check_example(tokenizer, cut, ANSWER, turn, stops)


def test_a_failure_shows_the_example(tokenizers: dict[str, Any], right: Masked) -> None:
    tokenizer = tokenizers["llama-3.2"]
    wrong = Masked(right.input_ids, right.input_ids, len(right.input_ids), 0)
    with pytest.raises(ConfigurationError, match="left in the target") as caught:
        check_example(tokenizer, wrong, ANSWER, detect_turn(tokenizer, OWN), {tokenizer.eos_token_id})
    assert "We hold them in trust" in str(caught.value)
