"""Verdicts toward the author, held against the distance between distributions.

closer to his answer, prompt by prompt   --same way-->   the verdict stands, both distances in its note
closer to his answers, as distributions  --other way-->  inconclusive: his mean every time is no gain
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.distances import Shift, author_train_values, shift
from harness.pairing import Pair
from harness.plan import Ask
from harness.summaries import Table
from harness.types import Direction, Verdict


def shifts(
    asked: Ask, directions: Mapping[str, Direction], pairs: Sequence[Pair], table: Table
) -> dict[str, Shift]:
    """Metric -> how both sides stand to the author, for what is to be as his; nothing without his answers."""
    toward = [m for m, way in directions.items() if way == "toward_author" and table.of("author", m)]
    if not toward:
        return {}
    train = author_train_values(asked.reference, asked.max_words)
    found = {}
    for metric in toward:
        sides = [(table.of(p.baseline.name, metric), table.of(p.candidate.name, metric)) for p in pairs]
        found[metric] = shift(metric, sides, table.of("author", metric), train)
    return found


def held_against(found: Shift | None, verdict: Verdict) -> Verdict:
    """The verdict with both distances in its note; no gain and no decline where they say otherwise.

    A contradiction is no want of prompts: nothing is said of how many would decide.
    """
    if found is None or verdict.outcome == "not comparable":
        return verdict
    against = ""
    if verdict.outcome in ("decline", "slight gain"):
        against = found.contradiction(verdict.difference)
    note = "; ".join(filter(None, (verdict.note, against, found.told)))
    if against:
        return replace(verdict, outcome="inconclusive", detectable=math.nan, needed=0, note=note)
    return replace(verdict, note=note)
