"""A raw generation taken apart: what was thought, and what was said.

    plain     Because. | <think>Hm.</think> Because.        one leading closed block is taken out
    think     <think>\\nHm.\\n</think>\\n\\nBecause.            Qwen3; the prompt may open the block
    harmony   <|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Because.

Reasoning is not style: it is stored apart and not scored. A block that is never closed is all reasoning and
no answer, and the stored reasoning begins with ``UNCLOSED``. Whatever does not have its template's form is
left as it is, so that it counts as a leak.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Dialect = Literal["plain", "think", "harmony"]

UNCLOSED = "[never closed] "
"""Before the reasoning of a generation that ended inside it, and so has no answer."""

_OPEN, _CLOSE = "<think>", "</think>"
_BLOCK = re.compile(r"\s*<think>(.*?)</think>", re.DOTALL)

# One Harmony message: a header with its channel, a body without marks, and its end where there is one.
_MESSAGE = re.compile(
    r"(?:<\|start\|>assistant)?(?: to=[^<\s]+)?\s*<\|channel\|>(?P<channel>analysis|commentary|final)"
    r"(?P<header>[^<]*)(?:<\|constrain\|>[^<]*)?<\|message\|>(?P<body>(?:(?!<\|[a-z]+\|>)[\s\S])*)(?P<end><\|end\|>)?"
)

# The header of a next message that the token cap cut through.
_BEGUN = re.compile(r"(?:<\|start\|>(?:assistant)?)?(?:<\|channel\|>[a-z]*)?")


class Parsed(NamedTuple):
    """What was thought, and what was said; either may be empty."""

    reasoning: str
    answer: str


def dialect_of(source: str) -> Dialect:
    """How a chat template (its Jinja text) has its model separate reasoning from the answer."""
    if "<|channel|>" in source and "<|message|>" in source:
        return "harmony"
    return "think" if _OPEN in source and _CLOSE in source else "plain"


def parse(text: str, dialect: Dialect = "plain", prompt: str = "") -> Parsed:
    """Reasoning and answer of what a model wrote after ``prompt``, its last stop token already gone.

    ``prompt``: as rendered; where it ends inside a block of reasoning, the text begins there.
    """
    if dialect == "harmony":
        return _parse_harmony(text)
    opened = dialect == "think" and prompt.rstrip().endswith(_OPEN)
    whole = _OPEN + text if opened else text
    match = _BLOCK.match(whole)
    if match:
        return Parsed(match.group(1).strip(), whole[match.end() :].strip())
    thought = whole.lstrip()
    if dialect == "think" and thought.startswith(_OPEN):
        return Parsed(UNCLOSED + thought.removeprefix(_OPEN).strip(), "")
    return Parsed("", text.strip())


def _parse_harmony(text: str) -> Parsed:
    """Channels joined by kind; only ``final`` is the answer. Text without any channel is all answer.

    Text after the last message that has not its form, and marks inside a message, are left in the answer.
    """
    thought: list[str] = []
    said: list[str] = []
    place, channel, closed = 0, "", True
    while (match := _MESSAGE.match(text, place)) is not None:
        channel, closed = match["channel"], match["end"] is not None
        (said if channel == "final" else thought).append(match["body"].strip())
        place = match.end()
    rest = text[place:].strip()
    rest = "" if _BEGUN.fullmatch(rest) else rest
    if not place:
        return Parsed("", rest)
    if not said and not rest:
        return Parsed((UNCLOSED if not closed else "") + "\n\n".join(thought), "")
    return Parsed("\n\n".join(thought), "\n\n".join(part for part in (*said, rest) if part))
