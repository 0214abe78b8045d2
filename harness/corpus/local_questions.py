"""Questions written by a model on this machine, and whether they are good enough to train on.

passages --generate, in batches--> questions --on_topic_share--> at least 60 %: kept, else the template's

A small model may ask about nothing in particular. A question is on topic where its own passage is among the
nearest five of a hundred; that is measured on a hundred passages before the rest are asked about, and again
on all. What the model left out is asked by the template, and counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.corpus.question_cache import QuestionCache, cache_key
from harness.corpus.questions import Question, QuestionWriter, Written, checked_prompt, fill
from harness.metrics.similarity import TermWeights
from harness.text import digest, sentences, words
from harness.types import Decoding, GenerationRequest, Passage

if TYPE_CHECKING:
    from harness.models import Model

LOCAL_PROMPT = """\
{passage}

Write one short question that the passage above answers. Write the question and nothing else."""
LOCAL_SCENE_PROMPT = """\
{passage}

Write one sentence that tells a writer to write the scene above. Write that sentence and nothing else."""
POOL, NEAREST, ENOUGH = 100, 5, 0.6
"""Accepted: the own passage among the ``NEAREST`` of a ``POOL``, for at least the share ``ENOUGH``."""

_MARK = re.compile(r"<\|?[^<>\s]{1,40}\|?>")
_LABEL = re.compile(r"^(?:[-*\d.)\s]+|(?:question|q)\s*\d*\s*[:.]\s*)+", re.I)
_QUESTION = re.compile(r"[^.!?\n]*\?")


class LocalWriter:
    """The ``QuestionWriter`` of any ``Model``. ``render`` puts a user's message into the chat template.

    ``name`` is the variant's, with its digest: it must change with whatever changes the answers. ``read``
    takes the question out of an answer (empty: there is none). Each question has its own noise, from passage
    text and number, so what else is in its batch does not matter.
    """

    def __init__(
        self,
        model: Model,
        render: Callable[[str], str],
        name: str,
        fallback: QuestionWriter,
        folder: Path,
        *,
        prompt: str = LOCAL_PROMPT,
        read: Callable[[str], str] | None = None,
        batch: int = 16,
        decoding: Decoding | None = None,
    ) -> None:
        self._model, self._render, self._fallback = model, render, fallback
        self._folder, self._prompt, self._batch = folder, checked_prompt(prompt), batch
        self._read = read or first_question
        self._decoding = decoding or Decoding(temperature=0.7, max_tokens=48)
        self.identity = f"local:{name}:{digest(repr(self._decoding), 8)}"

    def write(self, passages: Sequence[Passage], per_passage: int) -> Written:
        """The model's questions if enough of them are on topic, else the fallback's; ``note`` has the share.

        What was generated is kept either way, so the same verdict is found again at no cost.
        """
        pilot = sorted(passages, key=lambda passage: passage.digest)[:POOL]
        for chosen in (pilot, passages):
            asked = self._ask(chosen, per_passage)
            share = on_topic_share(asked, chosen)
            if share < ENOUGH:
                instead = self._fallback.write(passages, per_passage)
                why = (
                    f"{self.identity}: {share:.0%} of its questions on {len(chosen)} passages were on topic, "
                    f"{ENOUGH:.0%} are needed; used {self._fallback.identity} instead"
                )
                return Written(instead.questions, instead.missing, why, instead.usd)
        return self._completed(passages, asked, per_passage, share)

    def _completed(
        self, passages: Sequence[Passage], asked: Mapping[str, list[str]], per_passage: int, share: float
    ) -> Written:
        """The model's questions, and the fallback's where the model wrote none or too few."""
        lacking = [p for p in passages if len(asked[p.digest]) < per_passage]
        instead = self._fallback.write(lacking, per_passage)
        spare = instead.by_passage()
        questions: list[Question] = []
        missing: dict[str, str] = {}
        n_spare = 0
        for passage in passages:
            own = asked[passage.digest][:per_passage]
            fill_in = [text for text in spare.get(passage.digest, []) if text not in own]
            fill_in = fill_in[: per_passage - len(own)]
            questions += [Question(passage.digest, text, self.identity) for text in own]
            questions += [Question(passage.digest, text, self._fallback.identity) for text in fill_in]
            n_spare += len(fill_in)
            if len(own) + len(fill_in) < per_passage:
                missing[passage.digest] = f"{len(own) + len(fill_in)} of {per_passage} questions"
        note = f"{share:.0%} of the questions are on topic"
        note += f"; {n_spare} of {len(questions)} are the template's" if n_spare else ""
        return Written(tuple(questions), missing, note, instead.usd)

    def _ask(self, passages: Sequence[Passage], per_passage: int) -> dict[str, list[str]]:
        """Passage digest -> different questions, written where the cache has none; an attempt counts."""
        cache = QuestionCache(self._folder)
        drafts = [(p, place) for p in {p.text: p for p in passages}.values() for place in range(per_passage)]
        lacking = [(p, place) for p, place in drafts if not cache.questions(self._key(p, place))]
        for start in range(0, len(lacking), self._batch):
            chosen = lacking[start : start + self._batch]
            answers = self._model.generate([self._request(p, place) for p, place in chosen], self._decoding)
            for (passage, place), answer in zip(chosen, answers, strict=True):
                cache.add(self._key(passage, place), [self._read(answer.text)])
        found: dict[str, list[str]] = {}
        for passage in passages:
            drafts_of = [cache.questions(self._key(passage, place)) for place in range(per_passage)]
            found[passage.digest] = list(dict.fromkeys(text for texts in drafts_of for text in texts if text))
        return found

    def _key(self, passage: Passage, place: int) -> str:
        return cache_key(passage.text, self.identity, f"{self._prompt}#{place}")

    def _request(self, passage: Passage, place: int) -> GenerationRequest:
        key = self._key(passage, place)
        return GenerationRequest(key, self._render(fill(self._prompt, passage.text, 1)), key)


def first_question(answer: str) -> str:
    """The first question in what a model wrote, its marks, labels and quotes taken off; empty if none.

    >>> first_question('Sure! Question: "Why is the sea salt?"<|im_end|>')
    'Why is the sea salt?'
    """
    for line in _MARK.split(answer)[0].splitlines():
        for match in _QUESTION.finditer(line):
            question = _LABEL.sub("", match.group().strip().lstrip("\"'“*")).strip(" \"'“”*")
            if len(words(question)) >= 3:
                return question
    return ""


def first_instruction(answer: str) -> str:
    """The first sentence of five words or more in what a model wrote, for scenes; empty if none."""
    for line in _MARK.split(answer)[0].splitlines():
        bare = _LABEL.sub("", line.strip().lstrip("\"'“*")).strip(" \"'“”*")
        if len(words(bare)) >= 5:
            return sentences(bare)[0]
    return ""


def on_topic_share(
    questions: Mapping[str, Sequence[str]], passages: Sequence[Passage], pool: int = POOL
) -> float:
    """Share of questions whose own passage is among the nearest 5 % of ``pool`` passages, in [0, 1].

    High is good. Nearest by TF-IDF cosine, weights fitted on the passages. Passages are pooled in the order
    of their digests; of fewer than ``pool``, the nearest 5 % (at least one). Ties count against the question,
    and a passage without a question counts as one off topic. No passages: 1.0.
    """
    texts = {passage.digest: passage.text for passage in sorted(passages, key=lambda p: p.digest)}
    if not texts:
        return 1.0
    names = list(texts)
    tokens = [words(text) for text in texts.values()]
    weights = TermWeights.fit(tokens)
    rows = weights.transform(tokens)
    n_on_topic = n_asked = 0
    size = min(pool, len(names))
    nearest = max(1, size * NEAREST // POOL)
    for fresh in range(0, len(names), size):
        begin = min(fresh, len(names) - size)  # the last pool is filled up with passages already judged
        own_row = [row for row in range(fresh, begin + size) for _ in questions.get(names[row]) or [""]]
        asked = [text for row in range(fresh, begin + size) for text in questions.get(names[row]) or [""]]
        vectors = weights.transform([words(text) for text in asked])
        cosines = np.asarray((vectors @ rows[begin : begin + size].T).todense())
        own = cosines[np.arange(len(asked)), np.array(own_row) - begin]
        rank = (cosines >= own[:, None] - 1e-12).sum(axis=1)
        n_on_topic += int(((rank <= nearest) & (own > 0)).sum())
        n_asked += len(asked)
    return n_on_topic / n_asked
