"""Every text metric of one answer, in the order that keeps them honest: valid, then copied, then style.

    answer --validity--> invalid? --yes--> style is NaN ("invalid: loop"), rates still count
                             \\--no---> copied? --yes--> style is NaN ("copied"): it is the author's own
                                            \\--no---> style, on the answer cut back to its last full sentence

A plain dict from metric to Score; no I/O and no model, so ``score`` may rerun it for nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.fitted import Fitted
from harness.metrics.attribution import AuthorshipClassifier
from harness.metrics.features import FEATURES, prose_features
from harness.metrics.honesty import is_disordered, is_stuffed
from harness.metrics.keyness import keyword_coverage, keyword_density
from harness.metrics.memorisation import CopyIndex, is_copied, is_recited
from harness.metrics.order import OrderReference
from harness.metrics.relevance import question_rank
from harness.metrics.validity import Validity, check_validity
from harness.reference import Reference
from harness.text import complete, words
from harness.types import Finish, Prompt, Score

VERSIONS: dict[str, str] = {
    "invalid": "2", "leak": "1", "truncated": "1", "mid_sentence_start": "1", "short": "1",
    "copied": "2", "recited": "2", "longest_run": "2", "coverage_8": "2", "novelty_4": "2",
    "words": "3", "sentence_words": "3", "type_token_ratio": "3", "mattr": "3",
    "mtld": "1", "punctuation": "1", "commas": "1", "semicolons": "1", "dashes": "1",
    "dialogue_share": "1", "flesch_kincaid_grade": "1",
    "attested_bigrams": "4",
    "tfidf_nearest": "3", "tfidf_centroid": "3", "keyword_density": "3", "keyword_coverage": "3",
    "authorship_logit": "3", "authorship_plain": "3", "authorship_masked": "3",
    "question_reciprocal_rank": "3",
}  # fmt: skip
"""Metric name -> version. A version goes into every score; raising it rescores, and costs no inference."""

NOT_APPLICABLE = "not applicable"
"""How the note of a score begins that this prompt was never meant to have: left out, not missing."""

COPIED = "copied"
"""Why an answer pasted from training text has no style: that style is the text's, and not the model's."""

RATES = frozenset({"invalid", "leak", "truncated", "mid_sentence_start", "short", "copied", "recited"})
"""Metrics that are 0 or 1 for an answer, so that their mean is a rate with a Wilson interval."""


@dataclass(frozen=True)
class Answer:
    """What a variant said to a prompt, reasoning already taken out. ``author`` is set for ``other:NAME``
    controls: the name whose prose wrote it, which its classifier must not have seen. ``passage`` is set
    for the ``author`` control: digest of the held-out passage it reads out, which is no recitation.
    ``seen``: indexes of what the variant was trained on, which may hold books that the reference set lacks.
    """

    prompt: Prompt
    text: str
    finish: Finish
    n_tokens: int
    max_tokens: int
    author: str = ""
    passage: str = ""
    seen: tuple[CopyIndex, ...] = ()


def measure(answers: Sequence[Answer], reference: Reference, system: str) -> list[dict[str, Score]]:
    """All metrics of each answer, in the order given."""
    fitted = reference.fitted
    logits = {twin: _logits(answers, fitted, twin) for twin in ("plain", "masked")}
    questions = {p.id: p.text for p in reference.prompts if p.kind == "question"}
    measured = []
    for index, answer in enumerate(answers):
        validity = check_validity(
            answer.text,
            kind=answer.prompt.kind,
            prompt=answer.prompt.text,
            system_prompt=system,
            finish=answer.finish,
            n_tokens=answer.n_tokens,
            max_tokens=answer.max_tokens,
            language=reference.language,
            also=out_of_place(answer, reference),
        )
        values = _validity_values(validity) | _copying_values(answer, reference)
        if validity.invalid:
            reason = f"invalid: {', '.join(validity.reasons)}"
            values |= {name: Value(math.nan, reason) for name in STYLE}
            values["invalid"] = Value(1.0, reason)
        elif values["copied"].value:
            values |= {name: Value(math.nan, COPIED) for name in STYLE}
        else:
            values |= _style_values(answer, reference, questions)
            plain, masked = float(logits["plain"][index]), float(logits["masked"][index])
            chosen = masked if reference.primary_classifier == "masked" else plain
            values |= {"authorship_plain": Value(plain), "authorship_masked": Value(masked)}
            values["authorship_logit"] = Value(chosen, f"{reference.primary_classifier} twin")
        if answer.prompt.id not in questions:
            # Whatever the answer is like: else one invalid answer would make the two sides' prompts differ.
            none = Value(math.nan, f"{NOT_APPLICABLE}: this prompt is no question")
            values["question_reciprocal_rank"] = none
        measured.append({name: _score(name, value) for name, value in values.items()})
    return measured


@dataclass(frozen=True)
class Value:
    """A metric's value and, where it needs one, the reason or remark that goes beside it."""

    value: float
    note: str = ""


def _validity_values(validity: Validity) -> dict[str, Value]:
    return {
        "invalid": Value(float(validity.invalid)),
        "leak": Value(float("leak" in validity.reasons)),
        "truncated": Value(float(validity.truncated)),
        "mid_sentence_start": Value(float(validity.mid_sentence_start)),
        "short": Value(float(validity.short)),
    }


def _copying_values(answer: Answer, reference: Reference) -> dict[str, Value]:
    """Copying is measured on the whole answer, valid or not: a pasted index page is pasted."""
    tokens, prompt = words(answer.text), words(answer.prompt.text)
    if not tokens:
        return {name: Value(math.nan, "no words") for name in ("longest_run", "coverage_8", "novelty_4")} | {
            name: Value(0.0, "no words") for name in ("copied", "recited")
        }
    train = reference.train_copies.matches(tokens, prompt)
    for index in answer.seen:
        train = train.together(index.matches(tokens, prompt))
    own = words(reference.heldout_passage(answer.passage))
    heldout = reference.heldout_copies.matches(tokens, [*prompt, *own])
    return {
        "copied": Value(float(is_copied(train.run, train.coverage(8)))),
        "recited": Value(float(is_recited(train, heldout))),
        "longest_run": Value(float(train.run)),
        "coverage_8": Value(train.coverage(8)),
        "novelty_4": Value(train.novelty(4)),
    }


# What is read from the text alone is in ``metrics.features``; these need the reference set.
_STYLE: Mapping[str, Callable[[str, list[str], Reference], float]] = {
    "tfidf_nearest": lambda text, tokens, reference: reference.fitted.tfidf.nearest(text),
    "tfidf_centroid": lambda text, tokens, reference: reference.fitted.tfidf.centroid(text),
    "keyword_density": lambda text, tokens, reference: keyword_density(tokens, reference.fitted.keywords),
    "keyword_coverage": lambda text, tokens, reference: keyword_coverage(tokens, reference.fitted.keywords),
}
_AUTHORSHIP = ("authorship_logit", "authorship_plain", "authorship_masked")
STYLE = (*FEATURES, *_STYLE, "attested_bigrams", *_AUTHORSHIP, "question_reciprocal_rank")
"""Metrics that exist only for answers that are valid and not copied."""


def out_of_place(answer: Answer, reference: Reference) -> list[str]:
    """``disordered`` and ``stuffed``: cheats that keep what the classifiers read, told by word pairs."""
    fitted, tokens = reference.fitted, words(answer.text)
    known = _order_for(answer, fitted)
    found = {
        "disordered": is_disordered(tokens, known, fitted.honest),
        "stuffed": is_stuffed(tokens, fitted.keywords, known, fitted.honest),
    }
    return [reason for reason, present in found.items() if present]


def _order_for(answer: Answer, fitted: Fitted) -> OrderReference:
    """Known word pairs, without those of the answer's own author."""
    return fitted.orders.get(f"without:{answer.author}", fitted.orders["all"])


def _style_values(answer: Answer, reference: Reference, questions: Mapping[str, str]) -> dict[str, Value]:
    text = complete(answer.text)
    tokens = words(text)
    features = prose_features(text, tokens, reference.sentence_tokenizer)
    values = {name: Value(value) for name, value in features.items()}
    values |= {name: Value(metric(text, tokens, reference)) for name, metric in _STYLE.items()}
    known = _order_for(answer, reference.fitted)
    values["attested_bigrams"] = Value(known.attested_bigrams(tokens))
    if answer.prompt.id in questions:
        own = list(questions).index(answer.prompt.id)
        values["question_reciprocal_rank"] = Value(question_rank(list(questions.values()), text, own))
    return values


def _logits(answers: Sequence[Answer], fitted: Fitted, twin: str) -> list[float]:
    """Logits by the classifier that left the answer's own author out, one call a classifier."""
    by_classifier: dict[str, list[int]] = {}
    for index, answer in enumerate(answers):
        without = f"{twin}-without:{answer.author}"
        name = without if answer.author and without in fitted.classifiers else twin
        by_classifier.setdefault(name, []).append(index)
    found = [math.nan] * len(answers)
    for name, members in by_classifier.items():
        classifier: AuthorshipClassifier = fitted.classifiers[name]
        texts = [complete(answers[index].text) for index in members]
        for index, logit in zip(members, classifier.logits(texts), strict=True):
            found[index] = float(logit)
    return found


def _score(name: str, value: Value) -> Score:
    note = value.note
    if math.isnan(value.value) and not note:
        note = "too short for this metric"
    return Score(name, VERSIONS[name], value.value, note)
