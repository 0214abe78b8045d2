"""Questions that passages answer: who writes them, and where they are kept once written.

passages --QuestionWriter.write--> Written: questions, what is missing and why, what it cost

The answers of a question-and-answer corpus are the author's own words; only the questions are made up.
Writers: ``TemplateWriter`` here, ``local_questions`` (a model on this machine), ``anthropic_questions``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from harness.errors import ConfigurationError, IncompleteError
from harness.metrics.function_words import FUNCTION_WORD_SET
from harness.text import digest, words
from harness.types import Passage

QA_PROMPT = """\
Below is a passage by an author. Write {n} questions that a reader could put to the author and that this
passage, word for word, would answer. Do not mention the passage or the author; do not quote more than three
words in a row from it. Make the questions different from each other. Answer with a JSON array of {n} strings
and with nothing else.

<passage>
{passage}
</passage>"""
"""What a model is asked. ``{n}`` and ``{passage}`` are filled in; anything else is left as it stands."""

SCENE_PROMPT = """\
Below is an excerpt from a work of fiction. Write {n} instructions, of one or two sentences each, that would
lead a writer to produce exactly this excerpt: what kind of scene it is, who is in it, what happens. Do not
mention the excerpt; do not quote more than three words in a row from it. Make the instructions different from
each other. Answer with a JSON array of {n} strings and with nothing else.

<passage>
{passage}
</passage>"""

QA_TEMPLATES = (
    "What do you hold on the matter of {words}?",
    "What would you have us know of {words}?",
    "How do you judge {words}?",
    "What have you to say of {words}?",
)
"""The first is the wording of the benchmark's own question prompts."""

SCENE_TEMPLATES = (
    "Write a scene that turns upon {words}.",
    "Tell what happens, and let it concern {words}.",
    "Write the part of the story where we read of {words}.",
)


@dataclass(frozen=True)
class Question:
    """A question (or a scene's instruction) for the passage with this digest, and who wrote it."""

    passage: str
    text: str
    writer: str


@dataclass(frozen=True)
class Written:
    """What a writer delivered: questions in the order of the passages, at most ``per_passage`` each.

    ``missing``: passage digest -> why it has fewer than were wanted. ``note``: what the user should know,
    such as a fallback. ``usd`` is what was billed, in US dollars.
    """

    questions: tuple[Question, ...]
    missing: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    usd: float = 0.0

    @property
    def complete(self) -> bool:
        """Whether every passage has all its questions; if not, the caller says why and exits with 4."""
        return not self.missing

    def check(self) -> None:
        """Raises IncompleteError (exit 4) if anything is missing, with the most frequent reasons."""
        if self.missing:
            reasons = Counter(self.missing.values()).most_common(5)
            listed = "\n".join(f"  {n:,} x {why}" for why, n in reasons)
            raise IncompleteError(
                f"{len(self.missing):,} passages lack questions; run the same command again:\n{listed}"
            )

    def by_passage(self) -> dict[str, list[str]]:
        """Passage digest -> its questions, as ``build_examples`` wants them."""
        found: dict[str, list[str]] = {}
        for question in self.questions:
            found.setdefault(question.passage, []).append(question.text)
        return found


class QuestionWriter(Protocol):
    """Something that writes questions. ``identity`` names it and whatever changes what it writes."""

    @property
    def identity(self) -> str: ...

    def write(self, passages: Sequence[Passage], per_passage: int) -> Written:
        """``per_passage`` questions for each passage; what could not be had is in ``missing``."""


def fill(prompt: str, passage: str, n: int) -> str:
    """The prompt with the passage and the number in; braces in either are harmless."""
    return prompt.replace("{n}", str(n)).replace("{passage}", passage)


def checked_prompt(prompt: str) -> str:
    """The prompt itself. Raises ConfigurationError where it has no place for the passage."""
    if "{passage}" not in prompt:
        raise ConfigurationError("the question writer's prompt must contain {passage}")
    return prompt


# ── the template ──────────────────────────────────────────────────────────────────────────────────


class TemplateWriter:
    """Asks for a passage's most telling words: no model, no cost, and on topic by construction.

    Telling = tf * ln(N / df) over a fixed background, so that a passage's questions depend on no other
    passage of the corpus. A word the background lacks counts as being in one document.
    """

    def __init__(
        self, seen_in: Mapping[str, int], n_passages: int, templates: Sequence[str] = QA_TEMPLATES
    ) -> None:
        if not templates or any("{words}" not in template for template in templates):
            raise ConfigurationError("a question template must contain {words}")
        self._seen_in, self._n_passages, self._templates = dict(seen_in), n_passages, tuple(templates)
        fitted = digest([sorted(self._seen_in.items()), n_passages, self._templates], 12)
        self.identity = f"template-1:{fitted}"

    @classmethod
    def fit(cls, background: Iterable[str], templates: Sequence[str] = QA_TEMPLATES) -> TemplateWriter:
        """From texts that no corpus version changes: the reference set's train passages."""
        seen_in: Counter[str] = Counter()
        n_passages = 0
        for text in background:
            n_passages += 1
            seen_in.update(set(words(text)))
        return cls(seen_in, n_passages, templates)

    def write(self, passages: Sequence[Passage], per_passage: int) -> Written:
        """The n-th question takes the n-th template and the n-th three telling words.

        A passage with too few telling words gets the ones it has again in the next wording; beyond the
        number of templates, or without a telling word, its lack is in ``missing``.
        """
        questions: list[Question] = []
        missing: dict[str, str] = {}
        for passage in passages:
            asked = self._ask(passage.text, per_passage)
            questions += [Question(passage.digest, text, self.identity) for text in asked]
            if len(asked) < per_passage:
                missing[passage.digest] = f"template: {len(asked)} of {per_passage} questions"
        return Written(tuple(questions), missing)

    def _ask(self, text: str, n: int) -> list[str]:
        telling = self._telling(text)
        asked: list[str] = []
        for place, template in enumerate(self._templates[:n] if telling else ()):
            chosen = telling[3 * place : 3 * place + 3] or telling[:3]
            asked.append(template.replace("{words}", _listed(sorted(chosen, key=words(text).index))))
        return asked

    def _telling(self, text: str) -> list[str]:
        counts = Counter(word for word in words(text) if len(word) > 3 and word not in FUNCTION_WORD_SET)
        n = max(1, self._n_passages)
        weight = {word: tf * math.log(n / min(n, self._seen_in.get(word, 1))) for word, tf in counts.items()}
        return sorted(weight, key=lambda word: (-weight[word], word))


def _listed(chosen: Sequence[str]) -> str:
    return f"{', '.join(chosen[:-1])} and {chosen[-1]}" if len(chosen) > 1 else "".join(chosen)
