"""How far each metric can be trusted on this author: its AUC on human text of about the answers' length.

    stored audit (audit.json)    --\\
                                     the one nearest in length --> Trust, with its mark
    the reference set's own AUCs --/

Only metrics of style carry a mark. Likelihoods, rates, copying and relevance answer other questions than
"is it his", so an AUC of .5 is no fault of theirs. What is *unfit* is shown, and decides nothing.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.audit import Auc, Mark, mark
from harness.measures import STYLE
from harness.reference import Reference
from harness.types import Interval

JUDGED = frozenset(STYLE) - {"question_reciprocal_rank"}
"""Metrics that claim to know the author."""

SET_BY_THE_SUITE = "the suite sets the length, so it says nothing of who wrote"
TOGETHER = "all other authors together; `stylobench audit` takes them one by one"
UNFIT = "unfit on this author"
"""How a note begins that says why a metric is not told."""


@dataclass(frozen=True)
class Trust:
    """How well a metric tells the author's unseen prose from other authors': AUC in [0, 1] with its 95 %
    interval, on human texts of ``words`` words. ``note`` says what the mark rests on, or a reason.
    """

    auc: float
    interval: Interval
    words: int
    mark: Mark
    note: str = ""

    @property
    def measured(self) -> str:
        """``AUC 0.56 [0.49, 0.63] at 90 words``."""
        low, high = self.interval
        return f"AUC {self.auc:.2f} [{low:.2f}, {high:.2f}] at {self.words} words"


def trusts(reference: Reference, metrics: Sequence[str], length: int) -> dict[str, Trust]:
    """Metric -> how well it knows this author in texts of about ``length`` words; without the unjudged."""
    rows = stored_rows(reference)
    found = {}
    for metric in metrics:
        audited = f"authorship_{reference.primary_classifier}" if metric == "authorship_logit" else metric
        known = [_from_audit(row) for row in rows if row["metric"] == audited]
        known += [_from_reference(reference, metric)] if f"{metric}_auc" in reference.audit else []
        known = [trust for trust in known if not math.isnan(trust.auc)]
        if metric in JUDGED and known:
            found[metric] = min(known, key=lambda trust: abs(math.log(trust.words / max(1, length))))
    return found


def unfit_notes(reference: Reference, metrics: Sequence[str], length: int) -> dict[str, str]:
    """Metric -> why it decides nothing on this author; only those that are unfit at this length."""
    found = {}
    for metric, trust in trusts(reference, metrics, length).items():
        if trust.mark == "unfit":
            why = trust.note if trust.note == SET_BY_THE_SUITE else trust.measured
            found[metric] = f"{UNFIT} ({why}): it decides nothing"
    return found


def median_words(lengths: Sequence[Mapping[str, float]], reference: Reference) -> int:
    """Words in the median valid answer, over all that were counted; else those of the set's passages."""
    counted = [value for of_item in lengths for value in of_item.values() if not math.isnan(value)]
    return round(statistics.median(counted)) if counted else reference.passage_words


def stored_rows(reference: Reference) -> list[dict[str, Any]]:
    """The rows that `stylobench audit` left beside this reference set; none where it was another's."""
    path = reference.folder / "audit.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return list(found["rows"]) if found.get("reference") == reference.digest else []


def _from_audit(row: dict[str, Any]) -> Trust:
    mean = row["mean"]
    ends = (math.nan if end is None else float(end) for end in mean["interval"])
    note = SET_BY_THE_SUITE if row["metric"] == "words" else _worst(row)
    value = math.nan if mean["value"] is None else float(mean["value"])
    return Trust(value, Interval(*ends), int(row["words"]), row["mark"], note)


def _worst(row: dict[str, Any]) -> str:
    value = row["worst"]["value"]
    return f"worst against {row['worst_author']}: {value:.2f}" if value is not None else ""


def _from_reference(reference: Reference, metric: str) -> Trust:
    """From the AUC that every reference set is built with; it does not look at one other author at a time."""
    raw = reference.audit[f"{metric}_auc"]
    n = len(reference.prompts)
    found = folded(raw, n, n * max(1, len(reference.others)))
    words = reference.passage_words
    if metric == "words":
        return Trust(found.value, found.interval, words, "unfit", SET_BY_THE_SUITE)
    return Trust(found.value, found.interval, words, mark(found, found), TOGETHER)


def folded(auc: float, n_author: int, n_others: int) -> Auc:
    """An AUC counted from .5 upwards, as which side the author is on does not matter, with its interval.

    Variance (A (1 - A) + (n - 1)(Q1 - A^2) + (m - 1)(Q2 - A^2)) / nm, Q1 = A / (2 - A), Q2 = 2 A^2 / (1 + A);
    Hanley and McNeil (1982).
    """
    value = max(auc, 1 - auc)
    if math.isnan(value) or not n_author or not n_others:
        return Auc(math.nan, Interval(math.nan, math.nan))
    q1, q2 = value / (2 - value), 2 * value**2 / (1 + value)
    variance = value * (1 - value) + (n_author - 1) * (q1 - value**2) + (n_others - 1) * (q2 - value**2)
    reach = 1.959964 * math.sqrt(max(0.0, variance) / (n_author * n_others))
    if value == 1:
        reach = 1 - 0.025 ** (1 / min(n_author, n_others))  # the exact bound for n of n, as in the audit
    return Auc(value, Interval(max(0.0, value - reach), min(1.0, value + reach)))
