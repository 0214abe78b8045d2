"""How large a difference has to be before it matters, and how well each metric knows the author.

Both are measured once, on human text alone: the author's held-out answers against other authors'
passages given to the same prompts, each other author left out of the classifiers that score it.

    margin(metric) = max(.25 |author - other authors|, .2 SD of the author's passages); bits per byte .01
    AUC(metric)    = how often a held-out passage scores further to the author's side than another's
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.errors import ConfigurationError
from harness.measures import RATES, VERSIONS, Answer, measure
from harness.models import controls
from harness.reference import Margins, Reference

BITS_PER_BYTE = 0.01
IN_BITS_PER_BYTE = (
    "bits_per_byte",
    "author_specific_gain",
    "bits_per_byte_in_template",
    "bits_per_byte_others",
    "bits_per_byte_train",
    "domain_gain",
    "generalisation_gap",
)
SMALLEST_RATE = 0.02
"""The author copies and loops never, so a rate's margin would be 0: two answers in a hundred instead."""


def margins_of(reference: Reference) -> Margins:
    """Margins and AUCs of every text metric for one author.

    Raises:
        ConfigurationError: so little of the human text is valid that nothing can be measured.
    """
    author = _measured("author", reference)
    others = [row for name in sorted(reference.others) for row in _measured(f"other:{name}", reference)]
    margins = dict.fromkeys(IN_BITS_PER_BYTE, BITS_PER_BYTE)
    audit = {}
    for metric in VERSIONS:
        mine = _finite([row[metric] for row in author])
        theirs = _finite([row[metric] for row in others])
        if len(mine) < 2 or len(theirs) < 2:
            continue
        margin = max(0.25 * abs(mine.mean() - theirs.mean()), 0.2 * float(mine.std(ddof=1)))
        margin = max(float(margin), SMALLEST_RATE) if metric in RATES else float(margin)
        if margin:  # A mark that nobody uses has none: every use would be more than it.
            margins[metric] = margin
        audit[f"{metric}_auc"] = auc(mine, theirs)
    # Which twin is the primary follows from what was just measured, so its figures are taken from there.
    twin = replace(reference, audit=audit).primary_classifier
    if f"authorship_{twin}" not in margins:
        raise ConfigurationError(
            "fewer than two passages of the author's or of the others' pass for valid answers; "
            "check hold_out, others and language"
        )
    margins["authorship_logit"] = margins[f"authorship_{twin}"]
    audit["authorship_logit_auc"] = audit[f"authorship_{twin}_auc"]
    return Margins(margins, audit)


def auc(author: Sequence[float] | np.ndarray, others: Sequence[float] | np.ndarray) -> float:
    """P(author > other) + P(tie)/2, in [0, 1]; the area under the ROC curve (Mann-Whitney U / nm)."""
    mine, theirs = np.asarray(author, float), np.sort(np.asarray(others, float))
    if not len(mine) or not len(theirs):
        return math.nan
    below = np.searchsorted(theirs, mine, side="left")
    up_to = np.searchsorted(theirs, mine, side="right")
    return float((below + up_to).mean() / 2 / len(theirs))


def _measured(control: str, reference: Reference) -> list[dict[str, float]]:
    size = reference.passage_words
    author = control.partition(":")[2]
    answers = [
        Answer(prompt, controls.answer(control, prompt, reference, size), "stop", 0, 10**9, author, passage)
        for prompt in reference.prompts
        for passage in [prompt.passage if control == "author" else ""]
    ]
    rows = measure(answers, reference, reference.persona)
    return [{metric: score.value for metric, score in row.items()} for row in rows]


def _finite(values: Sequence[float]) -> np.ndarray:
    return np.array([value for value in values if math.isfinite(value)])
