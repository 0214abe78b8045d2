"""What a local model is shown before it asks: two passages, each with what was asked about it.

    user       instruction, first passage           assistant   its question
    user       second passage                       assistant   its question
    user       the passage in hand                  assistant   Why ...      goes on from the opening

A model of 135 million parameters, told in words to write a question, writes "What is the answer to this
question?"; shown two and given the first word, it asks about the passage. Measured on a president's prose:
20 % on topic when told; shown, and the best two of three drafts kept, 76 and 83 %.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.text import words

Message = Mapping[str, str]
"""``{"role": "user" | "assistant", "content": text}``."""


@dataclass(frozen=True)
class Guide:
    """How one kind of asking is shown. ``asked``: opening -> what was asked of each of ``passages``.

    ``telltale``: words of the examples; a small model that uses one of another passage has mixed them up.
    """

    instruction: str
    passages: tuple[str, ...]
    asked: Mapping[str, tuple[str, ...]]
    telltale: tuple[str, ...]

    @property
    def openings(self) -> tuple[str, ...]:
        """The words an answer may start with, in the order they are tried."""
        return tuple(self.asked)

    def messages(self, passage: str, opening: str) -> list[Message]:
        """The conversation up to the passage in hand; the answer is to go on from the opening."""
        turns: list[Message] = []
        before = f"{self.instruction}\n\n"
        for shown, asked in zip(self.passages, self.asked[opening], strict=True):
            turns.append({"role": "user", "content": before + shown})
            turns.append({"role": "assistant", "content": asked})
            before = ""
        turns.append({"role": "user", "content": " ".join(passage.split())})
        return turns

    def mixed_up(self, asked: str, passage: str) -> bool:
        """Whether this asks about an example instead of the passage in hand."""
        return bool({*self.telltale} & {*words(asked)} - {*words(passage)})


_DITCHES = (
    "The farmer who irrigates his land must be certain that the water will be his next year also. Without "
    "that certainty no man will dig a ditch, and without ditches the valley stays a desert."
)
_CAPTAIN = (
    "The sea was calm, and yet the old captain would not leave the deck. He had seen such a calm before, off "
    "the Cape, an hour before the storm that took his brother."
)
_LETTER = (
    "Anna read the letter twice, folded it, and put it under the lamp. Her mother asked who had written. "
    '"Nobody," she said, and went out to see to the horses.'
)

QUESTION_GUIDE = Guide(
    "Ask one question that the text answers, in the words of the text.",
    (_DITCHES, _CAPTAIN),
    {
        "How": (
            "How does certainty of water turn a desert valley into farms?",
            "How did the captain's brother come to lose his life off the Cape?",
        ),
        "Why": (
            "Why must a farmer who irrigates his land be certain of its water?",
            "Why would the old captain not leave the deck in a calm sea?",
        ),
        "What": (
            "What becomes of a valley whose farmers cannot be certain of water for their ditches?",
            "What did the old captain remember when the sea was calm off the Cape?",
        ),
    },
    ("cape", "captain", "deck", "desert", "ditch", "ditches", "irrigate", "irrigates"),
)

SCENE_GUIDE = Guide(
    "Tell a writer, in one sentence, to write this scene.",
    (_CAPTAIN, _LETTER),
    {
        "Write a scene in which": (
            "Write a scene in which an old captain distrusts a calm sea and thinks of his brother.",
            "Write a scene in which Anna hides a letter from her mother and goes out to the horses.",
        ),
        "Describe how": (
            "Describe how a captain keeps to his deck in a calm, thinking of a storm off the Cape.",
            "Describe how Anna reads a letter, hides it under the lamp and will not say who wrote it.",
        ),
        "Tell the part of the story where": (
            "Tell the part of the story where the captain will not leave his deck though the sea is calm.",
            "Tell the part of the story where a letter comes for Anna and her mother asks about it.",
        ),
    },
    ("anna", "cape", "captain", "deck", "horses", "lamp", "letter"),
)
