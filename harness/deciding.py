"""Rules 3 to 9 of a comparison (see ``compare``): what a metric's mean, interval and p value come to.

    Draft --decide, by Holm's p and the size of the family--> Verdict
          --units_to_decide, where nobody can tell----------> the n that would decide

A draft knows nothing of the other metrics; how many primaries were tested comes in with ``family``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from harness.power import prompts_for_none, units_needed
from harness.statistics import minimal_detectable_effect, sample_size
from harness.telling import ALPHA, none_seen, none_seen_note
from harness.types import Outcome, Verdict

FEWEST_DISCORDANT = 6
"""The sign test of 5 that all go one way has p = 2/32 = .0625, of 6 it has 2/64 = .031 (Dixon, Mood 1946)."""


@dataclass(frozen=True)
class Draft:
    """A verdict before the family is known: its p value (times ``looks``), effect threshold and per-unit SD.

    ``discordant``: prompts on which the two sides of a rate differ; None for what is no rate. ``d``: the
    differences themselves; without them, what would decide is told by the formula.
    """

    verdict: Verdict
    p: float
    threshold: float
    sd: float
    discordant: int | None = None
    looks: int = 1
    d: np.ndarray = field(default_factory=lambda: np.empty(0))

    @property
    def too_few_differ(self) -> bool:
        """Whether a rate rests on fewer discordant prompts than could show anything."""
        return self.discordant is not None and self.discordant < FEWEST_DISCORDANT


def decide(draft: Draft, p_holm: float, family: int) -> Verdict:
    """Rules 3 to 9, on a verdict that rules 1 and 2 let through."""
    verdict = replace(draft.verdict, p_holm=p_holm)
    if verdict.outcome != "inconclusive":
        return verdict
    low, high = verdict.interval
    m, e, mean = verdict.margin, draft.threshold, verdict.difference
    alpha = ALPHA / draft.looks / (family if verdict.primary else 1)
    detectable = minimal_detectable_effect(draft.sd, verdict.n, alpha=alpha)
    if draft.discordant == 0:
        # No spread is no sharp sight: what was not seen may still be as frequent as the interval's end.
        detectable = (high - low) / 2
    known = not math.isnan(m)
    outcome: Outcome
    if verdict.primary and p_holm < ALPHA and mean >= e:
        outcome = "better"
    elif verdict.primary and p_holm < ALPHA and mean <= -e:
        outcome = "WORSE"
    elif high < 0 and not draft.too_few_differ:
        outcome = "decline"
    elif low > 0 and not draft.too_few_differ:
        outcome = "slight gain"
    elif known and -m < low and high < m:
        outcome = "same"
    elif known and low > -m:
        outcome = "not worse"
    else:
        outcome = "inconclusive"
    needed = units_to_decide(draft, m, alpha) if outcome == "inconclusive" and known and m > 0 else 0
    decided = replace(verdict, outcome=outcome, detectable=detectable, needed=needed)
    return replace(decided, note=none_seen_note(decided)) if none_seen(decided) else decided


def units_to_decide(draft: Draft, margin: float, alpha: float) -> int:
    """Units that find a difference of one margin; of a rate, at least those where none seen is `same`.

    0 where nobody can tell, as the spread is not known.
    """
    if draft.discordant == 0:
        return prompts_for_none(margin)
    if not math.isfinite(draft.sd):
        return 0
    by_power = (
        units_needed(draft.d, margin, alpha=alpha)
        if len(draft.d)
        else sample_size(draft.sd, margin, alpha=alpha)
    )
    return by_power if draft.discordant is None else max(by_power, prompts_for_none(margin))
