"""What was said: the words a variant over-uses, and a few answers side by side.

valid answers --G2 against other authors' prose--> word cloud
prompts, spread over the book --> the author's own passage beside each answer
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from harness.metrics.function_words import FUNCTION_WORD_SET
from harness.metrics.keyness import log_likelihood_g2, log_ratio
from harness.plan import Ask
from harness.report_context import Answer, AnswerRow, WordCloud
from harness.report_rows import Row
from harness.summaries import Table
from harness.text import complete, words

_ANSWERS_SHOWN = 4
_CLOUD_WORDS = 40

Responses = Sequence[Mapping[str, Any]]


def clouds(asked: Ask, table: Table, responses: Responses, rows: Sequence[Row]) -> list[WordCloud]:
    """Words a row over-uses against other authors' prose (G2, log ratio >= 1), the author's own first."""
    if not any(task.metadata.figure == "wordcloud" for task in asked.tasks):
        return []
    background = Counter(
        word for passages in asked.reference.others.values() for p in passages for word in words(p.text)
    )
    found = []
    for row in rows:
        if row.kind not in ("author", "base", "adapter", "merged", "recorded"):
            continue
        said = Counter(
            word
            for response in responses
            if response["variant"] in row.members
            and table.of(response["variant"], "invalid").get(response["item"]) == 0
            for word in words(complete(response["text"]))
        )
        weights = keyness(said, background)
        if weights:
            found.append(WordCloud(row.name, row.kind, weights, "against other authors' prose, by G2"))
    return found


def keyness(target: Counter[str], background: Counter[str], n: int = _CLOUD_WORDS) -> dict[str, float]:
    """Word -> G2 of the ``n`` most over-used words (four letters or more, at least three times)."""
    size, other_size = target.total(), background.total()
    weights = {
        word: log_likelihood_g2(count, background[word], size, other_size)
        for word, count in target.items()
        if count >= 3
        and len(word) > 3
        and word not in FUNCTION_WORD_SET
        and log_ratio(count, background[word], size, other_size) >= 1
    }
    best = sorted(weights, key=lambda word: (-weights[word], word))[:n]
    return {word: weights[word] for word in best}


def answer_rows(asked: Ask, table: Table, responses: Responses, rows: Sequence[Row]) -> list[AnswerRow]:
    """A few prompts of each kind, spread over the book, with what every row with a model said.

    Of training seeds the first speaks, under its own name.
    """
    spoken = [(row.members[0], row.kind) for row in rows if row.kind not in ("author", "control")]
    by_item = {(response["variant"], response["item"]): response for response in responses}
    found = []
    for kind in ("continue", "question"):
        prompts = [p for p in asked.prompts if p.kind == kind]
        for prompt in prompts[:: max(1, len(prompts) // _ANSWERS_SHOWN)][:_ANSWERS_SHOWN]:
            answers = [
                Answer(name, of, by_item[name, prompt.id]["text"], flags(table, name, prompt.id))
                for name, of in spoken
                if (name, prompt.id) in by_item
            ]
            found.append(AnswerRow(prompt.id, kind, prompt.text, prompt.reference, tuple(answers)))
    return found


def flags(table: Table, variant: str, item: str) -> tuple[str, ...]:
    """The faults found in one answer."""
    found = []
    if table.of(variant, "invalid").get(item) == 1:
        found.append(table.notes.get(variant, {}).get("invalid", {}).get(item, "invalid"))
    found += [flag for flag in ("copied", "truncated") if table.of(variant, flag).get(item) == 1]
    return tuple(found)
