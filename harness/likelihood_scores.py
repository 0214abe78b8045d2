"""Likelihoods -> scores: perplexities of each document, gains over the base, the gap to what was trained on.

    (document, context) -> nats --by its bytes, words or tokens--> bits per byte, perplexities
    variant, base --same document--> domain gain --minus another author's--> author-specific gain
    held-out, train document of one pair number --> generalisation gap

A gain or a gap belongs to the held-out document. All are made anew each time; ``score`` drops what is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.metrics import likelihood as perplexities
from harness.plan import Ask, void_likelihoods
from harness.store import Store
from harness.types import Score, Variant

if TYPE_CHECKING:
    import pandas as pd

LIKELIHOOD_VERSIONS = {
    "bits_per_byte": "1", "bits_per_byte_in_template": "1", "token_perplexity": "1", "word_perplexity": "1",
    "byte_perplexity": "1", "author_specific_gain": "1", "bits_per_byte_others": "1",
    "bits_per_byte_train": "1", "domain_gain": "1", "generalisation_gap": "1",
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
class LikelihoodScore:
    """A score, and the row of the likelihoods table whose document it is of."""

    source: Mapping[str, Any]
    task: str
    score: Score


def likelihood_scores(asked: Ask, variants: Iterable[Variant], store: Store) -> list[LikelihoodScore]:
    """Every score the suite's tasks ask of the stored likelihoods of these variants, scored before or not."""
    task_of = {
        metric: task.name
        for task in asked.tasks
        if task.metadata.needs == "likelihoods"
        for metric in task.metrics
    }
    # By document and not by reference set: what was read once serves every set that has the document.
    documents = [document.id for document in asked.documents]
    frame = store.read("likelihoods", protocol=[asked.protocol, asked.template_protocol], item=documents)
    if not task_of or not len(frame):
        return []
    parts = {
        (str(variant), str(engine)): _by_document(part)
        for (variant, engine), part in frame.groupby(["variant_digest", "engine"])
    }
    chosen = list(variants)
    bases = {v.base: v.digest for v in chosen if v.kind == "base" and not void_likelihoods(v)}
    rows: list[LikelihoodScore] = []
    for variant in chosen:
        if void_likelihoods(variant):
            continue
        note = "training data unknown" if variant.trained_on == "unknown" else ""
        for (owner, engine), own in parts.items():
            if owner != variant.digest:
                continue
            base = parts.get((bases.get(variant.base, ""), engine))
            found = [*_perplexities(own), *_gaps(asked, own), *_gains(asked, own, base)]
            rows += [
                LikelihoodScore(source, task_of[score.metric], replace(score, note=note))
                for source, score in found
                if score.metric in task_of
            ]
    return rows


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
    """Gain on each held-out document; and that on the n-th minus that on the n-th of another author.

    Nothing where the base has not been run yet: a score stored as missing would stay missing.
    """
    if base is None:
        return []
    other_of = {d.pair: d.id for d in asked.documents if d.set.startswith("other:")}
    found = []
    for document in asked.documents:
        if document.set != "heldout":
            continue
        # Base and variant on the author's text, then on the other's: the order of ``author_specific_gain``.
        keys = [(document.id, "raw"), (other_of.get(document.pair, ""), "raw")]
        bits = [_bits(side[key]) for key in keys for side in (base, own) if key in side]
        if keys[0] in own and keys[0] in base:
            gain = perplexities.domain_gain(bits[0], bits[1])
            found.append((own[keys[0]], _likelihood_score("domain_gain", gain)))
        if len(bits) == 4:
            gain = perplexities.author_specific_gain(*bits)
            found.append((own[keys[0]], _likelihood_score("author_specific_gain", gain)))
    return found


def _gaps(asked: Ask, own: ByDocument) -> list[tuple[dict[str, Any], Score]]:
    """Bits per byte of the n-th held-out document minus those of the n-th train passage."""
    train_of = {d.pair: d.id for d in asked.documents if d.set == "train"}
    found = []
    for document in asked.documents:
        keys = [(document.id, "raw"), (train_of.get(document.pair, ""), "raw")]
        if document.set == "heldout" and all(key in own for key in keys):
            gap = perplexities.generalisation_gap(*(_bits(own[key]) for key in keys))
            found.append((own[keys[0]], _likelihood_score("generalisation_gap", gap)))
    return found


def _bits(row: Mapping[str, Any]) -> float:
    return perplexities.bits_per_byte(row["loglik"], int(row["n_bytes"]))


def _likelihood_score(metric: str, value: float) -> Score:
    return Score(metric, LIKELIHOOD_VERSIONS[metric], value)
