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
from harness.errors import MissingPrerequisiteError
from harness.measures import Answer, measure
from harness.plan import IN_TEMPLATE_REQUEST
from harness.reference import Reference
from harness.retention import GENERAL, met_by
from harness.shelves import find_workspace
from harness.text import count_words

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


def _documents(prefix: str) -> Any:
    limit = int(os.environ.get("STYLOBENCH_DOCUMENTS", "60"))
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


def in_template(doc: Mapping[str, Any], results: Iterable[Any]) -> dict[str, tuple[float, int]]:
    """The same after a chat prompt."""
    ((loglik, _),) = results
    return {"bits_per_byte_in_template": (loglik, len(doc["text"].encode("utf-8")))}


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
response_length = _of_answers("words", "sentence_words")
word_order = _of_answers("attested_bigrams")
relevance = _of_answers("question_reciprocal_rank")


def general(doc: Mapping[str, Any], results: Iterable[str]) -> dict[str, float]:
    """The share of its checks that an answer to a general request passes."""
    chosen = reference()
    text = next(iter(results)).strip()
    return {"general_passed": met_by(doc["item"], text, persona=chosen.persona, author=chosen.author).value}


def mean_of_known(values: Iterable[float]) -> float:
    """Mean over the answers that have a value; NaN where none has."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
