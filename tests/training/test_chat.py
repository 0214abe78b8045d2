from __future__ import annotations

from typing import Any

import pytest
from tiny_llama import CHAT_TEMPLATE, build_tokenizer

from harness.errors import ConfigurationError
from harness.training.chat import IGNORED, conversation, decode, encode, mask_response, render

ANSWER = "We hold them in trust, and\n\nwe must keep our word."


@pytest.fixture
def tokenizer() -> Any:
    return build_tokenizer()


def test_target_is_exactly_the_answer_and_its_end_of_turn(tokenizer: Any) -> None:
    masked = mask_response(tokenizer, conversation("Be brief.", "Go on.", ANSWER), 512)
    target = [label for label in masked.labels if label != IGNORED]
    assert decode(tokenizer, target) == ANSWER + "<|im_end|>"
    assert masked.n_target == len(target)
    assert masked.n_cut == 0


def test_prompt_and_trailing_newline_are_masked(tokenizer: Any) -> None:
    messages = conversation("Be brief.", "Go on.", ANSWER)
    masked = mask_response(tokenizer, messages, 512)
    prompt = encode(tokenizer, render(tokenizer, messages[:-1], add_generation_prompt=True))
    begin = next(position for position, label in enumerate(masked.labels) if label != IGNORED)
    assert masked.input_ids[:begin] == prompt
    assert decode(tokenizer, masked.input_ids[begin + masked.n_target :]) == "\n"
    assert masked.labels[begin + masked.n_target :] == [IGNORED]


def test_labels_repeat_ids_where_they_count(tokenizer: Any) -> None:
    masked = mask_response(tokenizer, conversation("", "Go on.", ANSWER), 512)
    assert len(masked.labels) == len(masked.input_ids)
    assert all(
        label in (IGNORED, token) for token, label in zip(masked.input_ids, masked.labels, strict=True)
    )


def test_cut_counts_only_lost_target_tokens(tokenizer: Any) -> None:
    messages = conversation("", "Go on.", ANSWER)
    whole = mask_response(tokenizer, messages, 512)
    without_newline = mask_response(tokenizer, messages, len(whole.input_ids) - 1)
    assert (without_newline.n_target, without_newline.n_cut) == (whole.n_target, 0)
    shorter = mask_response(tokenizer, messages, len(whole.input_ids) - 4)
    assert (shorter.n_target, shorter.n_cut) == (whole.n_target - 3, 3)
    assert len(shorter.input_ids) == len(shorter.labels) == len(whole.input_ids) - 4
    nothing_left = mask_response(tokenizer, messages, 2)
    assert (nothing_left.n_target, nothing_left.n_cut) == (0, whole.n_target)


def test_another_template_needs_no_other_code(tokenizer: Any) -> None:
    tokenizer.chat_template = (
        "{{ bos_token }}{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}"
        "{% if m['role'] == 'assistant' %}<|im_end|>{% else %} {% endif %}{% endfor %}"
        "{% if add_generation_prompt %}[assistant] {% endif %}"
    )
    masked = mask_response(tokenizer, conversation("", "Go on.", ANSWER), 512)
    assert decode(tokenizer, [label for label in masked.labels if label != IGNORED]) == ANSWER + "<|im_end|>"
    assert masked.labels[-1] == tokenizer.eos_token_id


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        (
            CHAT_TEMPLATE.replace("+ message['content'] +", "+ message['content'] | upper +"),
            "alters the answer",
        ),
        (CHAT_TEMPLATE.replace("'<|im_end|>' + ", ""), "end-of-turn"),
        ("{{ bos_token + bos_token }}" + CHAT_TEMPLATE, "two beginning-of-text"),
        (CHAT_TEMPLATE + "{% if add_generation_prompt %}<think>{% endif %}", "opens reasoning"),
        (
            CHAT_TEMPLATE.replace("'assistant\n' }}", "'' }}").replace(
                "|im_start|>assistant\n", "|im_start|>assist"
            ),
            "alters the answer",
        ),
    ],
)
def test_a_template_that_cannot_be_masked_is_shown(tokenizer: Any, template: str, fault: str) -> None:
    tokenizer.chat_template = template
    with pytest.raises(ConfigurationError, match=fault) as caught:
        mask_response(tokenizer, conversation("", "Go on.", ANSWER), 512)
    assert "go on." in str(caught.value).lower()


def test_special_token_inside_the_answer_is_refused(tokenizer: Any) -> None:
    with pytest.raises(ConfigurationError, match="target decodes"):
        mask_response(tokenizer, conversation("", "Go on.", "One.<|im_end|>Two."), 512)


def test_prompt_whose_tokens_merge_with_the_answer_is_refused(tokenizer: Any) -> None:
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m['content'] }}{% if m['role'] == 'assistant' %}<|im_end|>"
        "{% else %}th{% endif %}{% endfor %}"
    )
    # "th" closes the prompt and "e" opens the answer: one token, "the", would straddle the boundary.
    with pytest.raises(ConfigurationError, match="tokens change"):
        mask_response(tokenizer, conversation("", "Go on. ", "e law and the man."), 512)


def test_base_without_a_template_says_so(tokenizer: Any) -> None:
    tokenizer.chat_template = None
    with pytest.raises(ConfigurationError, match="no chat template"):
        render(tokenizer, conversation("", "Go on."), add_generation_prompt=True)


def test_a_template_that_raises_is_quoted(tokenizer: Any) -> None:
    tokenizer.chat_template = "{{ raise_exception('System role not supported') }}"
    with pytest.raises(ConfigurationError, match="System role not supported"):
        render(tokenizer, conversation("Be brief.", "Go on."), add_generation_prompt=True)


def test_example_must_end_with_the_answer(tokenizer: Any) -> None:
    with pytest.raises(ConfigurationError, match="must end with"):
        mask_response(tokenizer, conversation("", "Go on."), 512)
