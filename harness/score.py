"""``stylobench score``: answers and likelihoods become scores; never touches a model.

A score that exists for the same key, metric, metric version and reference is not computed again, so a
new metric costs no inference and a second call costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.corpora import passages_of
from harness.measures import VERSIONS, Answer, measure
from harness.metrics import likelihood as perplexities
from harness.metrics.memorisation import CopyIndex
from harness.plan import Ask, void_likelihoods
from harness.recipe import CorpusName
from harness.retention import GENERAL_VERSIONS, score_general
from harness.store import Run, Store
from harness.text import words
from harness.types import Score, Variant
from harness.variants import corpora_seen

if TYPE_CHECKING:
    import pandas as pd

LIKELIHOOD_VERSIONS = {
    "bits_per_byte": "1", "bits_per_byte_in_template": "1", "token_perplexity": "1", "word_perplexity": "1",
    "byte_perplexity": "1", "author_specific_gain": "1", "bits_per_byte_others": "1",
    "bits_per_byte_train": "1",
}  # fmt: skip

_BY_UNIT: Mapping[str, tuple[Callable[[float, int], float], str]] = {
    "bits_per_byte": (perplexities.bits_per_byte, "n_bytes"),
    "byte_perplexity": (perplexities.byte_perplexity, "n_bytes"),
    "word_perplexity": (perplexities.word_perplexity, "n_words"),
    "token_perplexity": (perplexities.token_perplexity, "n_tokens"),
}


ByDocument = Mapping[tuple[str, str], dict[str, Any]]
"""(document id, context) -> row of the likelihoods table."""


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
    parts = (
        _text_scores(asked, chosen, run, stored),
        _general_scores(asked, chosen, run, stored),
        _likelihood_scores(asked, chosen, run, stored),
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
        metric: task for task in asked.tasks if task.metadata.needs == "responses" for metric in task.metrics
    }
    responses = answers_of(asked, variants, run.store)
    pending = []
    for row in responses.to_dict("records"):
        missing = [metric for metric in wanted if (*_identity(row), metric, VERSIONS[metric]) not in stored]
        if missing:
            pending.append((row, missing))
    reused = len(responses) * len(wanted) - sum(len(missing) for _, missing in pending)
    if not pending:
        return _Rows([], reused)
    seen = _trained_on(asked, variants, {row["variant_digest"] for row, _ in pending}, run.store)
    answers = [_answer(asked, row, seen.get(row["variant_digest"], ())) for row, _ in pending]
    measured = measure(answers, asked.reference, asked.system)
    rows = [
        _row(asked, row, wanted[metric].name, scores[metric]) | {"setting": row["setting"]}
        for (row, missing), scores in zip(pending, measured, strict=True)
        for metric in missing
    ]
    return _Rows(rows, reused)


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


def _trained_on(
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


# ── likelihoods ───────────────────────────────────────────────────────────────────────────────────


def _likelihood_scores(asked: Ask, variants: list[Variant], run: Run, stored: set[Any]) -> _Rows:
    task_of = {
        metric: task.name
        for task in asked.tasks
        if task.metadata.needs == "likelihoods"
        for metric in task.metrics
    }
    # By document and not by reference set: what was read once serves every set that has the document.
    documents = [document.id for document in asked.documents]
    frame = run.store.read("likelihoods", protocol=[asked.protocol, asked.template_protocol], item=documents)
    if not task_of or not len(frame):
        return _Rows([], 0)
    parts = {
        (str(variant), str(engine)): _by_document(part)
        for (variant, engine), part in frame.groupby(["variant_digest", "engine"])
    }
    bases = {variant.base: variant.digest for variant in variants if variant.kind == "base"}
    rows: list[dict[str, Any]] = []
    reused = 0
    for variant in variants:
        if void_likelihoods(variant):
            continue
        note = "training data unknown" if variant.trained_on == "unknown" else ""
        for (owner, engine), own in parts.items():
            if owner != variant.digest:
                continue
            found = _perplexities(own) + _gains(asked, own, parts.get((bases.get(variant.base, ""), engine)))
            for row, one in found:
                if one.metric not in task_of:
                    continue
                if (*_identity(row), one.metric, one.version) in stored:
                    reused += 1
                else:
                    rows.append(_row(asked, row, task_of[one.metric], one, note))
    return _Rows(rows, reused)


def _identity(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """What a score's key, item and setting are, of the answer or likelihood it is a score of."""
    return row["key"], row["item"], row["protocol"] if "protocol" in row else row["setting"]


def _by_document(frame: pd.DataFrame) -> ByDocument:
    return {(row["item"], row["context"]): row for row in frame.to_dict("records")}


def _perplexities(own: ByDocument) -> list[tuple[dict[str, Any], Score]]:
    found = []
    for (_, context), row in own.items():
        if row["set"] == "heldout" and context == "raw":
            for metric, (function, unit) in _BY_UNIT.items():
                found.append((row, _likelihood_score(metric, function(row["loglik"], int(row[unit])))))
            continue
        name = "bits_per_byte_in_template" if row["set"] == "heldout" else "bits_per_byte_others"
        name = "bits_per_byte_train" if row["set"] == "train" else name
        value = perplexities.bits_per_byte(row["loglik"], int(row["n_bytes"]))
        found.append((row, _likelihood_score(name, value)))
    return found


def _gains(asked: Ask, own: ByDocument, base: ByDocument | None) -> list[tuple[dict[str, Any], Score]]:
    """Gain on the n-th held-out document minus gain on the n-th document of another author.

    Nothing where the base has not been run yet: a score stored as missing would stay missing.
    """
    if base is None:
        return []
    other_of = {d.pair: d.id for d in asked.documents if d.set.startswith("other:")}
    found = []
    for document in asked.documents:
        needed = [(document.id, "raw"), (other_of.get(document.pair, ""), "raw")]
        if document.set != "heldout" or any(key not in own or key not in base for key in needed):
            continue
        bits = [
            perplexities.bits_per_byte(side[key]["loglik"], int(side[key]["n_bytes"]))
            for key in needed
            for side in (base, own)
        ]
        gain = perplexities.author_specific_gain(*bits)
        found.append((own[document.id, "raw"], _likelihood_score("author_specific_gain", gain)))
    return found


def _likelihood_score(metric: str, value: float) -> Score:
    return Score(metric, LIKELIHOOD_VERSIONS[metric], value)


def _row(asked: Ask, source: Mapping[str, Any], task: str, score: Score, note: str = "") -> dict[str, Any]:
    kept = {name: source[name] for name in ("key", "variant", "variant_digest", "item", "engine")}
    return kept | {
        "task": task,
        "metric": score.metric,
        "metric_version": score.version,
        "value": score.value,
        "note": score.note or note,
        "reference": asked.reference.digest,
        "setting": source.get("protocol", ""),
    }
