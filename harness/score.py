"""``stylobench score``: answers and likelihoods become scores; never touches a model.

A score that exists for the same key, metric, metric version and reference is not computed again, so a
new metric costs no inference and a second call costs nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.corpora import passages_of
from harness.likelihood_scores import likelihood_scores
from harness.measures import VERSIONS, Answer, measure
from harness.metrics.memorisation import CopyIndex
from harness.plan import Ask
from harness.pooled_scores import JUDGED_BY, pooled_rows, pooled_tasks
from harness.recipe import CorpusName
from harness.retention import GENERAL_VERSIONS, score_general
from harness.stock_scores import score_rows
from harness.store import Run, Store
from harness.text import words
from harness.types import Score, Variant
from harness.variants import corpora_seen

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Scored:
    """How many scores were there already, and how many were computed."""

    reused: int
    computed: int


def score(asked: Ask, variants: Iterable[Variant], run: Run) -> Scored:
    """Score every answer and likelihood of a suite's variants that has not been scored yet."""
    chosen = list(variants)
    # Item and setting too: one key may be stored under several of them, and scores are read by both.
    columns = ["key", "item", "setting", "metric", "metric_version"]
    frame = run.store.read("scores", columns, reference=asked.reference.digest)
    stored = set(zip(*(frame[column] for column in columns), strict=True))
    of_answers = _text_scores(asked, chosen, run, stored)
    parts = (
        of_answers,
        _pooled_scores(asked, chosen, run, stored, of_answers.rows),
        _general_scores(asked, chosen, run, stored),
        _likelihood_scores(asked, chosen, run, stored),
        _stock_scores(asked, chosen, run, stored),
    )
    rows = [row for part in parts for row in part.rows]
    run.append("scores", rows)
    return Scored(reused=sum(part.reused for part in parts), computed=len(rows))


@dataclass(frozen=True)
class _Rows:
    """Rows of the scores table to append, and how many were there already."""

    rows: list[dict[str, Any]]
    reused: int


# ── answers ───────────────────────────────────────────────────────────────────────────────────────


def _text_scores(asked: Ask, variants: list[Variant], run: Run, stored: set[Any]) -> _Rows:
    wanted = {
        metric: task.name
        for task in asked.tasks
        if task.metadata.needs == "responses"
        for metric in task.metrics
    }
    if pooled_tasks(asked):
        wanted = dict.fromkeys(JUDGED_BY, "") | wanted
    responses = answers_of(asked, variants, run.store)
    pending = []
    for row in responses.to_dict("records"):
        missing = [metric for metric in wanted if (*_identity(row), metric, VERSIONS[metric]) not in stored]
        if missing:
            pending.append((row, missing))
    reused = len(responses) * len(wanted) - sum(len(missing) for _, missing in pending)
    if not pending:
        return _Rows([], reused)
    seen = trained_on(asked, variants, {row["variant_digest"] for row, _ in pending}, run.store)
    answers = [_answer(asked, row, seen.get(row["variant_digest"], ())) for row, _ in pending]
    measured = measure(answers, asked.reference, asked.system)
    rows = [
        _row(asked, row, wanted[metric], scores[metric]) | {"setting": row["setting"]}
        for (row, missing), scores in zip(pending, measured, strict=True)
        for metric in missing
    ]
    return _Rows(rows, reused)


def _pooled_scores(
    asked: Ask, variants: list[Variant], run: Run, stored: set[Any], fresh: list[dict[str, Any]]
) -> _Rows:
    """Scores of all answers of a variant together; ``fresh``: scores of answers, about to be stored."""
    import pandas as pd

    if not pooled_tasks(asked):
        return _Rows([], 0)
    columns = ["key", "metric", "metric_version", "value"]
    judged = run.store.read("scores", columns, reference=asked.reference.digest, metric=JUDGED_BY)
    if fresh:
        new = pd.DataFrame(fresh)[columns]
        judged = pd.concat([judged, new]) if len(judged) else new
    found = pooled_rows(asked, answers_of(asked, variants, run.store), judged, stored)
    rows = [_row(asked, row.source, row.task, row.score) | {"setting": asked.setting} for row in found.rows]
    return _Rows(rows, found.reused)


def _general_scores(asked: Ask, variants: list[Variant], run: Run, stored: set[Any]) -> _Rows:
    """Scores of the answers to general requests, which nothing about style is measured on."""
    wanted = {
        metric: task for task in asked.tasks if task.metadata.needs == "general" for metric in task.metrics
    }
    rows: list[dict[str, Any]] = []
    reused = 0
    for row in general_answers_of(asked, variants, run.store).to_dict("records"):
        missing = [m for m in wanted if (*_identity(row), m, GENERAL_VERSIONS[m]) not in stored]
        reused += len(wanted) - len(missing)
        if missing:
            whose = asked.reference
            scores = score_general(row["item"], row["text"], persona=whose.persona, author=whose.author)
            rows += [
                _row(asked, row, wanted[m].name, scores[m]) | {"setting": row["setting"]} for m in missing
            ]
    return _Rows(rows, reused)


def _likelihood_scores(asked: Ask, variants: list[Variant], run: Run, stored: set[Any]) -> _Rows:
    found = likelihood_scores(asked, variants, run.store)
    missing = [
        one for one in found if (*_identity(one.source), one.score.metric, one.score.version) not in stored
    ]
    rows = [_row(asked, one.source, one.task, one.score) for one in missing]
    return _Rows(rows, len(found) - len(missing))


def _stock_scores(asked: Ask, variants: list[Variant], run: Run, stored: set[Any]) -> _Rows:
    """Results of lm-eval's tasks are numbers already; a NaN is stored once, as any other."""
    rows = score_rows(asked, variants, run.store) if asked.suite.retention else []
    missing = [row for row in rows if (*_identity(row), row["metric"], row["metric_version"]) not in stored]
    return _Rows(missing, len(rows) - len(missing))


def general_answers_of(asked: Ask, variants: Iterable[Variant], store: Store) -> pd.DataFrame:
    """The stored answers to this suite's general requests, by these very variants."""
    items = [prompt.id for prompt in asked.general]
    digests = [variant.digest for variant in variants]
    frame = store.read("responses", setting=asked.general_setting, variant_digest=digests, item=items)
    return frame[frame["sample"] < asked.suite.samples] if len(frame) else frame


def answers_of(asked: Ask, variants: Iterable[Variant], store: Store) -> pd.DataFrame:
    """The stored answers to this suite's prompts, in this setting, by these very variants."""
    digests = [variant.digest for variant in variants]
    frame = store.read("responses", setting=asked.setting, variant_digest=digests)
    items = {prompt.id for prompt in asked.prompts}
    if not len(frame):
        return frame
    return frame[frame["item"].isin(items) & (frame["sample"] < asked.suite.samples)]


def trained_on(
    asked: Ask, variants: Iterable[Variant], wanted: Collection[str], store: Store
) -> dict[str, tuple[CopyIndex, ...]]:
    """Digest of a variant -> an index of each corpus version it was trained on, one index a version.

    The reference set is cut once, by the first ``prepare``: what is pasted from a book that came later, or
    from a corpus of another name, is found nowhere else.
    """
    workspace = asked.reference.folder.parents[2]  # from WORKSPACE/results/references/NAME
    corpora: dict[str, dict[CorpusName, None]] = {}
    for variant in variants:
        if variant.digest in wanted:
            corpora.setdefault(variant.digest, {}).update(dict.fromkeys(corpora_seen(variant)))
    indexes: dict[CorpusName, CopyIndex] = {}
    for corpus in (each for named in corpora.values() for each in named):
        if corpus not in indexes:
            passages = passages_of(corpus.name, corpus.version, store, workspace)
            texts = [p.text for p in passages if p.split in ("train", "validation")]
            indexes[corpus] = CopyIndex([words(text) for text in texts])
    return {whose: tuple(indexes[corpus] for corpus in named) for whose, named in corpora.items()}


def _answer(asked: Ask, row: Mapping[str, Any], seen: tuple[CopyIndex, ...]) -> Answer:
    is_control = row["engine"] == "control"
    author = (
        row["variant"].removeprefix("other:") if is_control and row["variant"].startswith("other:") else ""
    )
    # A control was cut to length on purpose: it never "reached the cap".
    cap = 10**9 if is_control else asked.suite.max_tokens
    prompt = asked.reference.prompt(row["item"])
    passage = prompt.passage if is_control and row["variant"] == "author" else ""
    return Answer(prompt, row["text"], row["finish"], int(row["n_tokens"]), cap, author, passage, seen)


# ── rows ──────────────────────────────────────────────────────────────────────────────────────────


def _identity(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """What a score's key, item and setting are, of the answer or likelihood it is a score of."""
    return row["key"], row["item"], row["protocol"] if "protocol" in row else row["setting"]


def _row(asked: Ask, source: Mapping[str, Any], task: str, score: Score) -> dict[str, Any]:
    kept = {name: source[name] for name in ("key", "variant", "variant_digest", "item", "engine")}
    return kept | {
        "task": task,
        "metric": score.metric,
        "metric_version": score.version,
        "value": score.value,
        "note": score.note,
        "reference": asked.reference.digest,
        "setting": source.get("protocol", ""),
    }
