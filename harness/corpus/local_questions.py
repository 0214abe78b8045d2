"""Questions written by a model on this machine, and whether they are good enough to train on.

passages --generate--> drafts --nearest_first--> questions --on_topic_share--> at least 60 %: kept
                                                                               below: the template's

A small model may ask about nothing in particular. So it writes one draft more than is wanted, each from
another opening, and those stay whose own passage ranks best. A question is on topic where its own passage is
among the nearest five of a hundred; that is measured on a hundred passages before the rest are asked about,
and again on all. What the model left out is asked by the template, and counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.corpus.question_cache import QuestionCache, cache_key
from harness.corpus.question_examples import QUESTION_GUIDE, Guide, Message
from harness.corpus.questions import Question, QuestionWriter, Written
from harness.metrics.similarity import TermWeights
from harness.text import digest, sentences, words
from harness.types import Decoding, GenerationRequest, Passage

if TYPE_CHECKING:
    from harness.models import Model

POOL, NEAREST, ENOUGH = 100, 5, 0.6
"""Accepted: the own passage among the ``NEAREST`` of a ``POOL``, for at least the share ``ENOUGH``."""
SPARE = 1
"""Drafts a passage beyond the questions wanted of it."""

_MARK = re.compile(r"<\|?[^<>\s]{1,40}\|?>")
_LABEL = re.compile(r"^(?:[-*\d.)\s]+|(?:question|q)\s*\d*\s*[:.]\s*)+", re.I)
_QUESTION = re.compile(r"[^.!?\n]*\?")


class LocalWriter:
    """The ``QuestionWriter`` of any ``Model``. ``render`` puts a conversation into the chat template.

    ``name`` is the variant's, with its digest: it must change with whatever changes the answers. ``read``
    takes the question out of an answer (empty: there is none). Each draft has its own noise, from passage
    text and number, so what else is in its batch does not matter.
    """

    def __init__(
        self,
        model: Model,
        render: Callable[[list[Message]], str],
        name: str,
        fallback: QuestionWriter,
        folder: Path,
        *,
        guide: Guide = QUESTION_GUIDE,
        read: Callable[[str], str] | None = None,
        batch: int = 32,
        decoding: Decoding | None = None,
    ) -> None:
        self._model, self._render, self._fallback = model, render, fallback
        self._folder, self._guide, self._batch = folder, guide, batch
        self._read = read or first_question
        self._decoding = decoding or Decoding(temperature=0.5, max_tokens=40)
        self.identity = f"local:{name}:{digest([repr(guide), repr(self._decoding)], 8)}"

    def write(self, passages: Sequence[Passage], per_passage: int) -> Written:
        """The model's questions if enough of them are on topic, else the fallback's; ``note`` has the share.

        What was generated is kept either way, so the same verdict is found again at no cost.
        """
        if not passages:
            return Written(())
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
        """Passage digest -> its best different questions, drafted where the cache has no attempt yet."""
        cache = QuestionCache(self._folder)
        places = range(per_passage + SPARE)
        drafts = [(p, place) for p in {p.text: p for p in passages}.values() for place in places]
        lacking = [(p, place) for p, place in drafts if not cache.questions(self._key(p, place))]
        for start in range(0, len(lacking), self._batch):
            chosen = lacking[start : start + self._batch]
            answers = self._model.generate([self._request(p, place) for p, place in chosen], self._decoding)
            for (passage, place), answer in zip(chosen, answers, strict=True):
                asked = self._read(self._opening(place) + answer.text)
                astray = self._guide.mixed_up(asked, passage.text)
                cache.add(self._key(passage, place), ["" if astray else asked])
        found: dict[str, list[str]] = {}
        for passage in passages:
            written = [cache.questions(self._key(passage, place)) for place in places]
            found[passage.digest] = list(dict.fromkeys(text for texts in written for text in texts if text))
        return nearest_first(found, passages, per_passage)

    def _opening(self, place: int) -> str:
        return self._guide.openings[place % len(self._guide.openings)]

    def _key(self, passage: Passage, place: int) -> str:
        return cache_key(passage.text, self.identity, str(place))

    def _request(self, passage: Passage, place: int) -> GenerationRequest:
        key, opening = self._key(passage, place), self._opening(place)
        return GenerationRequest(
            key, self._render(self._guide.messages(passage.text, opening)) + opening, key
        )


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


def nearest_first(
    questions: Mapping[str, Sequence[str]], passages: Sequence[Passage], n: int
) -> dict[str, list[str]]:
    """The ``n`` questions of each passage whose own passage ranks best, in the order they came."""
    ranks = own_ranks(questions, passages)
    kept = {}
    for passage in passages:
        asked, rank = questions[passage.digest], ranks[passage.digest]
        best = sorted(range(len(asked)), key=lambda place: (rank[place], place))[:n]
        kept[passage.digest] = [asked[place] for place in sorted(best)]
    return kept


def on_topic_share(
    questions: Mapping[str, Sequence[str]], passages: Sequence[Passage], pool: int = POOL
) -> float:
    """Share of questions whose own passage is among the nearest 5 % of ``pool`` passages, in [0, 1].

    High is good. Of fewer than ``pool`` passages, the nearest 5 % (at least one). A passage without a
    question counts as one off topic. No passages: 1.0.
    """
    if not passages:
        return 1.0
    nearest = max(1, min(pool, len({p.digest for p in passages})) * NEAREST // POOL)
    ranks = own_ranks(questions, passages, pool)
    asked = [rank for of_passage in ranks.values() for rank in of_passage or [float("inf")]]
    return sum(rank <= nearest for rank in asked) / len(asked)


def own_ranks(
    questions: Mapping[str, Sequence[str]], passages: Sequence[Passage], pool: int = POOL
) -> dict[str, list[float]]:
    """Passage digest -> the rank of that passage for each of its questions among ``pool``, from 1.

    Nearest by TF-IDF cosine, weights fitted on the passages, which are pooled in the order of their digests.
    Ties count against the question; one that shares no word with its passage has rank infinity.
    """
    texts = {passage.digest: passage.text for passage in sorted(passages, key=lambda p: p.digest)}
    names = list(texts)
    tokens = [words(text) for text in texts.values()]
    weights = TermWeights.fit(tokens)
    rows = weights.transform(tokens)
    size = min(pool, len(names))
    found: dict[str, list[float]] = {}
    for fresh in range(0, len(names), size):
        begin = min(fresh, len(names) - size)  # the last pool is filled up with passages already judged
        for row in range(fresh, begin + size):
            asked = questions.get(names[row]) or []
            found[names[row]] = []
            if asked:
                vectors = weights.transform([words(text) for text in asked])
                cosines = np.asarray((vectors @ rows[begin : begin + size].T).todense())
                own = cosines[:, row - begin]
                rank = (cosines >= own[:, None] - 1e-12).sum(axis=1)
                found[names[row]] = [
                    float(r) if o > 0 else float("inf") for r, o in zip(rank, own, strict=True)
                ]
    return found
