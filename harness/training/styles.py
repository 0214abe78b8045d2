"""How a passage becomes a conversation, for each style of training examples.

    completion   user: Continue this passage: <first sentence>    assistant: the rest, word for word
    qa           user: <question>                                 assistant: the passage, word for word
    scene        user: <instruction to write it>                  assistant: the passage, word for word

What the assistant says is always the author's own. ``continuation_prompt`` and ``split_first_sentence`` are
also how benchmark prompts are worded: a model is asked what it was trained to answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from harness import text
from harness.errors import ConfigurationError, nearest
from harness.training.chat import Message, conversation
from harness.types import Passage

Style = Literal["completion", "qa", "scene"]

CONTINUATION = "Continue this passage:\n\n{first_sentence}"


class Opening(NamedTuple):
    """A passage in two parts: what the user shows and what the assistant writes."""

    first: str
    rest: str


@dataclass(frozen=True)
class Draft:
    """An example before it is tokenised. ``asked``: the question or instruction; empty for a completion."""

    passage: Passage
    asked: str = ""


def drafts(
    passages: Sequence[Passage], style: Style, questions: Mapping[str, Sequence[str]], seed: int
) -> list[Draft]:
    """One draft a train or validation passage (``completion``), or one for each of its questions.

    In the order of sha256(seed + passage digest + question): how passages were listed does not matter, and
    dropping some, or some questions, leaves the others in place. All drafts of a passage have its split.
    Raises ConfigurationError for an unknown style, or where a passage has no question.
    """
    check_style(style)
    used = [passage for passage in passages if passage.split in ("train", "validation")]
    if style == "completion":
        made = [Draft(passage) for passage in used]
    else:
        bare = sum(not questions.get(passage.digest) for passage in used)
        if bare:
            raise ConfigurationError(
                f"{bare} of {len(used)} passages have no question, and style {style!r} needs one for each; "
                "run `stylobench prepare` again to have them written"
            )
        made = [
            Draft(passage, asked)
            for passage in used
            for asked in dict.fromkeys(each.strip() for each in questions[passage.digest])
        ]
    return sorted(made, key=lambda draft: text.digest(f"{seed}{draft.passage.digest}{draft.asked}"))


def messages_of(draft: Draft, style: Style, system: str) -> list[Message]:
    """The conversation of a draft: system (left out where empty), user, assistant."""
    if style == "completion":
        return completion_messages(system, draft.passage.text)
    return asked_messages(system, draft.asked, draft.passage.text)


def completion_messages(system: str, passage: str) -> list[Message]:
    """The first sentence is shown and the rest is written. Raises ConfigurationError below two words."""
    opening = split_first_sentence(passage)
    return conversation(system, continuation_prompt(opening.first), opening.rest)


def asked_messages(system: str, asked: str, passage: str) -> list[Message]:
    """A question (``qa``) or an instruction (``scene``), answered by the passage word for word.

    Raises ConfigurationError where either is empty.
    """
    if not asked.strip() or not passage.strip():
        raise ConfigurationError("an example needs a question and a passage, and one of them is empty")
    return conversation(system, asked.strip(), passage.strip())


def split_first_sentence(passage: str) -> Opening:
    """The first sentence and the rest; a passage of one sentence is split after half its words.

    Raises ConfigurationError for a text of fewer than two words: nothing of it would be left to write.
    """
    whole = passage.strip()
    for end in text.sentence_ends(whole):
        first, rest = whole[:end].strip(), whole[end:].strip()
        if first and rest:
            return Opening(first, rest)
    pieces = whole.split()
    if len(pieces) < 2:
        raise ConfigurationError(f"a passage of one word cannot be continued: {whole!r}")
    half = len(pieces) // 2
    return Opening(" ".join(pieces[:half]), " ".join(pieces[half:]))


def continuation_prompt(first_sentence: str) -> str:
    """What the user says, in training and in the benchmark alike."""
    return CONTINUATION.format(first_sentence=first_sentence)


def check_style(style: str) -> None:
    """Raises ConfigurationError for a style there is not."""
    if style not in get_args(Style):
        raise ConfigurationError(f"unknown style of examples {style!r}{nearest(style, get_args(Style))}")
