"""Ten everyday requests that have nothing to do with the author: does a variant still do what its base did?

Each request stands beside the checks its answer has to pass; ``general_passed`` is the share of them.

They are asked **without the persona**. With it, a recipe in the voice of a president would be the right
answer, and its faults would say nothing of what was forgotten; without it, every variant of a base gets the
very prompt that the base was tuned on, and whatever of the persona still shows was baked in by training.
(Where a chat template has a default system prompt of its own, it stands there, the same for all of a base.)

Report only: ten prompts describe and do not decide.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.metrics.general import (
    Check,
    Met,
    has_analogy,
    has_code,
    has_items,
    has_length,
    has_line_in,
    has_list,
    has_list_of,
    has_reversing_function,
    in_language,
    is_letter,
    is_no_loop,
    is_one_paragraph,
    mentions,
    no_system_text,
    share_passed,
)
from harness.types import Prompt, Score

GENERAL_VERSIONS = {"general_passed": "1"}
"""Metric name -> version, as ``measures.VERSIONS``; raise it when a check changes."""


@dataclass(frozen=True)
class Request:
    """A request, what shows that an answer is about it at all, and checks of its own."""

    name: str
    text: str
    topic: Callable[[str], Check]
    checks: Callable[[str], list[Check]]


def _about(*groups: tuple[str, ...]) -> Callable[[str], Check]:
    """A stem of each group begins a word of the answer."""
    return lambda text: mentions(text, groups, "topic")


REQUESTS: tuple[Request, ...] = (
    Request(
        "vpn",
        "Explain in one short paragraph what a VPN is and why somebody would use one.",
        _about(("vpn", "virtual"), ("network", "internet", "encrypt", "traffic", "connection")),
        lambda text: [in_language(text, "en"), is_one_paragraph(text), has_length(text, 25, 220)],
    ),
    Request(
        "differences",
        "Name three differences between tea and coffee. Answer with a numbered list of three short items.",
        _about(("tea",), ("coffee",)),
        lambda text: [
            in_language(text, "en"),
            has_list(text),
            has_list_of(text, 3),
            has_length(text, 10, 200),
        ],
    ),
    Request(
        "email",
        "Write a short, polite email to a colleague asking to move our meeting from Monday to Tuesday.",
        _about(("meet",), ("tuesday",)),
        lambda text: [
            in_language(text, "en"),
            is_letter(text),
            mentions(text, [("please", "could", "would", "thank", "appreciat", "sorry", "apolog")], "polite"),
            has_length(text, 20, 200),
        ],
    ),
    Request(
        "pasta",
        "Give me a simple pasta recipe with exactly five ingredients. List the ingredients as bullet points, "
        "then describe the cooking in two sentences.",
        _about(("pasta", "spaghetti", "penne", "linguin", "fettuccin", "macaroni", "noodle", "tagliatell")),
        lambda text: [
            in_language(text, "en"),
            has_list(text),
            has_list_of(text, 5),
            has_length(text, 35, 220),
        ],
    ),
    Request(
        "swedish",
        "Translate into Swedish: The book is on the table, and I will read it when I come home.",
        _about(("bok",), ("bord",)),
        lambda text: [has_line_in(text, "sv"), has_length(text, 8, 80)],
    ),
    Request(
        "two_sides",
        "Give two advantages and two disadvantages of working from home, as bullet points.",
        _about(("home", "remote", "commut"), ("disadvantag", "cons", "drawback", "downside")),
        lambda text: [in_language(text, "en"), has_list(text), has_items(text, 4), has_length(text, 12, 200)],
    ),
    Request(
        "python",
        "Write a Python function that takes a string and returns it reversed. Give only the code.",
        has_code,
        has_reversing_function,
    ),
    Request(
        "study",
        "Give me four short tips for studying for an exam, as a numbered list.",
        _about(("stud", "exam", "learn"), ("practi", "review", "note", "break", "plan", "schedul", "sleep")),
        lambda text: [
            in_language(text, "en"),
            has_list(text),
            has_list_of(text, 4),
            has_length(text, 12, 220),
        ],
    ),
    Request(
        "overfitting",
        "Explain overfitting in machine learning with an analogy from everyday life, in a few sentences.",
        _about(("overfit",), ("data", "model", "train", "learn")),
        lambda text: [
            in_language(text, "en"),
            has_analogy(text),
            has_length(text, 25, 220),
        ],
    ),
    Request(
        "ada",
        "Tell me three things about Ada Lovelace, as a numbered list with one sentence each.",
        _about(("lovelace", "babbage", "mathemat", "programm", "comput", "algorithm")),
        lambda text: [
            in_language(text, "en"),
            has_list(text),
            has_list_of(text, 3),
            has_length(text, 15, 220),
        ],
    ),
)

GENERAL: tuple[Prompt, ...] = tuple(
    Prompt(f"general-{request.name}", "general", request.text, "", "") for request in REQUESTS
)
"""The same as prompts: they have no passage, and no answer of the author's."""

_BY_ITEM = {prompt.id: request for prompt, request in zip(GENERAL, REQUESTS, strict=True)}
_PROMPTS = {prompt.id: prompt for prompt in GENERAL}


def general_prompt(item: str) -> Prompt:
    """The request with an id. Raises KeyError for one that is none of the ten."""
    return _PROMPTS[item]


def score_general(item: str, text: str, *, persona: str, author: str) -> dict[str, Score]:
    """Metric -> score of one answer to the request ``item``; the note names the checks that failed."""
    met = met_by(item, text, persona=persona, author=author)
    return {"general_passed": Score("general_passed", GENERAL_VERSIONS["general_passed"], *met)}


def met_by(item: str, text: str, *, persona: str, author: str) -> Met:
    """The share of its checks that an answer to the request ``item`` passes."""
    request = _BY_ITEM[item]
    own = [*request.checks(text), is_no_loop(text), no_system_text(text, persona, author)]
    return share_passed(request.topic(text), own)
