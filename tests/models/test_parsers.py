from __future__ import annotations

import pytest
from field_models import chat_template

from harness.metrics.validity import is_leak
from harness.models.parsers import UNCLOSED, dialect_of, parse

FINAL = "<|channel|>final<|message|>"
THOUGHT = "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant"


@pytest.mark.parametrize(
    ("template", "dialect"),
    [("", "plain"), ("llama3_2", "plain"), ("qwen3", "think"), ("gptoss", "harmony"),
     ("qwen3_5_think", "think"), ("qwen2_5", "plain")],
)  # fmt: skip
def test_a_template_says_how_its_model_thinks(template: str, dialect: str) -> None:
    assert dialect_of(chat_template(template)) == dialect


@pytest.mark.parametrize(
    ("raw", "reasoning", "answer"),
    [
        ("<think>\nHm.\n</think>\n\nBecause.", "Hm.", "Because."),
        ("<think>\n\n</think>\n\nBecause.", "", "Because."),
        ("Because.", "", "Because."),
        ("<think>\nHm, and so on", f"{UNCLOSED}Hm, and so on", ""),
        ("Because. <think>Hm.</think>", "", "Because. <think>Hm.</think>"),
        ("<think>a</think>\n<think>b</think> c", "a", "<think>b</think> c"),
        ("Hm.\n</think>\n\nBecause.", "", "Hm.\n</think>\n\nBecause."),
    ],
)
def test_blocks_of_reasoning(raw: str, reasoning: str, answer: str) -> None:
    assert parse(raw, "think", "<|im_start|>assistant\n") == (reasoning, answer)


@pytest.mark.parametrize(
    ("raw", "reasoning", "answer"),
    [
        ("Hm.\n</think>\n\nBecause.", "Hm.", "Because."),
        ("\n</think>\n\nBecause.", "", "Because."),
        ("Hm, and so on", f"{UNCLOSED}Hm, and so on", ""),
    ],
)
def test_a_block_that_the_prompt_opened(raw: str, reasoning: str, answer: str) -> None:
    assert parse(raw, "think", "<|im_start|>assistant\n<think>\n") == (reasoning, answer)
    # Where it is closed in the prompt, the model has not begun to think.
    assert parse("Because.", "think", "assistant\n<think>\n\n</think>\n\n") == ("", "Because.")


@pytest.mark.parametrize(
    ("raw", "reasoning", "answer"),
    [
        (f"{FINAL}Because.", "", "Because."),
        (f"{THOUGHT}{FINAL}Because.", "Hm.", "Because."),
        (f"{THOUGHT}<|channel|>commentary<|message|>Ha.<|end|><|start|>assistant{FINAL}So.",
         "Hm.\n\nHa.", "So."),
        ("<|channel|>analysis<|message|>Hm, and so", f"{UNCLOSED}Hm, and so", ""),
        (f"{THOUGHT}<|channel|>analysis<|message|>And", f"{UNCLOSED}Hm.\n\nAnd", ""),
        (f"{THOUGHT}{FINAL}", "Hm.", ""),
        ("Because.", "", "Because."),
        (f"{FINAL}a < b, and 3 <| 4.", "", "a < b, and 3 <| 4."),
    ],
)  # fmt: skip
def test_channels(raw: str, reasoning: str, answer: str) -> None:
    assert parse(raw, "harmony") == (reasoning, answer)
    assert not is_leak(answer)


@pytest.mark.parametrize(
    "raw",
    [
        f"{FINAL}Because.<|start|>user<|message|>Why?",
        f"{FINAL}Because.<|end|><|start|>user",
        "Because. <|channel|>final",
        "<|message|>Because.",
        f"{THOUGHT}Because.<|message|>",
    ],
)
def test_marks_that_are_not_the_form_are_left_and_leak(raw: str) -> None:
    assert is_leak(parse(raw, "harmony").answer)


def test_reasoning_that_ended_without_an_answer_is_no_leak() -> None:
    parsed = parse("<|channel|>analysis<|message|>Hm.<|end|>", "harmony")
    assert parsed == ("Hm.", "")
    assert parse(f"{THOUGHT}<|channel|>fin", "harmony") == parse(THOUGHT, "harmony") == ("Hm.", "")
