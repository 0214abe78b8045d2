"""The bridge that lets lm-evaluation-harness run the very same task files.

    lm_eval --include_path tasks --tasks stylo_copying --model hf --model_args pretrained=... \\
            --apply_chat_template --system_instruction "You write as ..."

Documents come from the frozen reference set of the author named in ``STYLOBENCH_AUTHOR`` (or, where
the workspace has just one, that one). What lm-eval cannot know stays out: it has no base to take a gain
against, and does not tell how many tokens an answer had.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from harness import reference as references
from harness.batches import IN_TEMPLATE_REQUEST
from harness.errors import MissingPrerequisiteError
from harness.measures import Answer, measure
from harness.pooled import Side, estimate
from harness.pooled_scores import JUDGED_BY, yardstick_of
from harness.reference import Reference
from harness.retention import GENERAL, met_by
from harness.shelves import find_workspace
from harness.text import complete, count_words
from harness.yardsticks import Yardstick

UNKNOWN_TO_LM_EVAL = ("truncated",)
"""Metrics that need the number of tokens of an answer."""


@functools.lru_cache(maxsize=4)
def reference(name: str | None = None, workspace: Path | None = None) -> Reference:
    """The reference set lm-eval's documents come from.

    Raises:
        MissingPrerequisiteError: none was prepared, or several and no name says which.
    """
    workspace = workspace or find_workspace()
    chosen = name or os.environ.get("STYLOBENCH_AUTHOR")
    if chosen is None:
        have = references.prepared_authors(workspace)
        if len(have) != 1:
            found = f"have {', '.join(have)}" if have else "run `stylobench prepare NAME` first"
            raise MissingPrerequisiteError(f"set STYLOBENCH_AUTHOR to a reference set; {found}")
        chosen = have[0]
    return references.load(chosen, workspace)


# ── documents ─────────────────────────────────────────────────────────────────────────────────────


def prompts(**metadata: Any) -> Any:
    """lm-eval's ``custom_dataset`` for answers: every prompt with its paired reference."""
    rows = [
        {"item": p.id, "kind": p.kind, "prompt": p.text, "reference": p.reference}
        for p in reference().prompts
    ]
    return _dataset(rows)


def general_prompts(**metadata: Any) -> Any:
    """The ten everyday requests; run them without ``--system_instruction``, as stylobench does."""
    return _dataset([{"item": p.id, "kind": p.kind, "prompt": p.text} for p in GENERAL])


def heldout(**metadata: Any) -> Any:
    """The author's held-out documents."""
    return _documents("heldout")


def others(**metadata: Any) -> Any:
    """Other authors' documents."""
    return _documents("other")


def train(**metadata: Any) -> Any:
    """The author's train passages, half as many as held-out ones."""
    return _documents("train", share=0.5)


def _documents(prefix: str, share: float = 1.0) -> Any:
    limit = int(int(os.environ.get("STYLOBENCH_DOCUMENTS", "60")) * share)
    rows = [{"item": d.id, "text": d.text, "request": IN_TEMPLATE_REQUEST}
            for d in reference().documents_of(prefix, limit)]  # fmt: skip
    return _dataset(rows)


def _dataset(rows: list[dict[str, Any]]) -> Any:
    from datasets import Dataset

    return {"test": Dataset.from_list(rows)}


# ── results ───────────────────────────────────────────────────────────────────────────────────────


def rolling(doc: Mapping[str, Any], results: Iterable[Any]) -> dict[str, tuple[float, int]]:
    """(log-likelihood, units) of a document; lm-eval pools them by sums."""
    (loglik,) = results
    size = len(doc["text"].encode("utf-8"))
    return {
        "bits_per_byte": (loglik, size),
        "byte_perplexity": (loglik, size),
        "word_perplexity": (loglik, count_words(doc["text"])),
    }


def rolling_others(doc: Mapping[str, Any], results: Iterable[Any]) -> dict[str, tuple[float, int]]:
    """The same for other authors' prose, under its own name."""
    return {"bits_per_byte_others": rolling(doc, results)["bits_per_byte"]}


def rolling_train(doc: Mapping[str, Any], results: Iterable[Any]) -> dict[str, tuple[float, int]]:
    """The same for the author's train passages; the gap to unseen prose takes two tasks and is ours alone."""
    return {"bits_per_byte_train": rolling(doc, results)["bits_per_byte"]}


def in_template(doc: Mapping[str, Any], results: Iterable[Any]) -> dict[str, tuple[float, int]]:
    """The same after a chat prompt."""
    ((loglik, _),) = results
    return {"bits_per_byte_in_template": (loglik, len(doc["text"].encode("utf-8")))}


def token_perplexity(doc: Mapping[str, Any], results: Iterable[Any]) -> dict[str, float]:
    """NaN: lm-eval does not tell how many tokens a document had."""
    return {"token_perplexity": math.nan}


def domain_gain(doc: Mapping[str, Any], results: Iterable[Any]) -> dict[str, float]:
    """NaN: lm-eval runs one model, and has no base to take a gain against."""
    return {"domain_gain": math.nan}


def _of_answers(*metrics: str) -> Callable[[Mapping[str, Any], Iterable[str]], dict[str, float]]:
    def process(doc: Mapping[str, Any], results: Iterable[str]) -> dict[str, float]:
        chosen = reference()
        text = next(iter(results)).strip()
        answer = Answer(chosen.prompt(doc["item"]), text, "stop", 0, 10**9)
        (scores,) = measure([answer], chosen, chosen.persona)
        return {
            metric: math.nan if metric in UNKNOWN_TO_LM_EVAL else scores[metric].value for metric in metrics
        }

    return process


validity = _of_answers("invalid", "leak", "truncated", "mid_sentence_start", "short")
copying = _of_answers("copied", "recited", "longest_run", "coverage_8", "novelty_4")
authorship = _of_answers("authorship_logit", "authorship_plain", "authorship_masked")
tfidf_similarity = _of_answers("tfidf_nearest", "tfidf_centroid")
keyword_usage = _of_answers("keyword_density")
word_cloud = _of_answers("keyword_coverage")
lexical_variety = _of_answers("type_token_ratio", "mattr")
mtld = _of_answers("mtld")
punctuation = _of_answers("punctuation", "commas", "semicolons", "dashes")
dialogue = _of_answers("dialogue_share")
readability = _of_answers("flesch_kincaid_grade")
response_length = _of_answers("words", "sentence_words")
word_order = _of_answers("attested_bigrams")
relevance = _of_answers("question_reciprocal_rank")


# ── all answers together ──────────────────────────────────────────────────────────────────────────

POOLED_WORDS = 140
"""The words of the tasks' 160 tokens, to which the author's prose is cut as well."""


def _to_be_pooled(*metrics: str) -> Callable[[Mapping[str, Any], Iterable[str]], dict[str, tuple[str, str]]]:
    def process(doc: Mapping[str, Any], results: Iterable[str]) -> dict[str, tuple[str, str]]:
        chosen = reference()
        text = next(iter(results)).strip()
        answer = Answer(chosen.prompt(doc["item"]), text, "stop", 0, 10**9)
        (scores,) = measure([answer], chosen, chosen.persona)
        good = not any(scores[name].value for name in JUDGED_BY)
        return dict.fromkeys(metrics, (doc["item"], complete(text) if good else ""))

    return process


def _pooled(metric: str) -> Callable[[Iterable[tuple[str, str]]], float]:
    def aggregate(answers: Iterable[tuple[str, str]]) -> float:
        yardstick = _yardstick()
        counted = {item: yardstick.count(text) for item, text in answers if text}
        return estimate(metric, Side(counted, yardstick), n_samples=0).value

    return aggregate


@functools.lru_cache(maxsize=1)
def _yardstick() -> Yardstick:
    return yardstick_of(reference(), POOLED_WORDS)


delta = _to_be_pooled("cosine_delta", "burrows_delta")
profile = _to_be_pooled(
    "function_words_jsd", "character_trigrams_jsd", "punctuation_jsd", "sentence_lengths_distance"
)
pooled_cosine_delta = _pooled("cosine_delta")
pooled_burrows_delta = _pooled("burrows_delta")
pooled_function_words_jsd = _pooled("function_words_jsd")
pooled_character_trigrams_jsd = _pooled("character_trigrams_jsd")
pooled_punctuation_jsd = _pooled("punctuation_jsd")
pooled_sentence_lengths_distance = _pooled("sentence_lengths_distance")


# ── everyday requests ─────────────────────────────────────────────────────────────────────────────


def general(doc: Mapping[str, Any], results: Iterable[str]) -> dict[str, float]:
    """The share of its checks that an answer to a general request passes."""
    chosen = reference()
    text = next(iter(results)).strip()
    return {"general_passed": met_by(doc["item"], text, persona=chosen.persona, author=chosen.author).value}


def mean_of_known(values: Iterable[float]) -> float:
    """Mean over the answers that have a value; NaN where none has."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
