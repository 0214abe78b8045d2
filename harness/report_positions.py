"""The first picture of a report: where everybody stands between other authors and the author."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from harness.figures import NO_INTERVAL
from harness.plan import Ask
from harness.positions import Position
from harness.report_context import Column, Measure, PositionRow
from harness.report_numbers import without_idle_interval
from harness.report_rows import Row, Sheet
from harness.types import Gate, Interval


def valid_rate(sheet: Sheet, name: str) -> Measure:
    """The share of answers that are answers at all."""
    bad = sheet.cell(name, "invalid")
    one_less = (Interval(1 - high, 1 - low) for low, high in (bad.interval, bad.spread))
    interval, spread = one_less
    return Measure(1 - bad.value, interval, bad.n, bad.note, spread)


def position_row(
    sheet: Sheet, row: Row, standing: Mapping[str, Position], failed: Sequence[Gate]
) -> PositionRow:
    """A row where it stands, its training seeds one by one, what it is, and why it ranks below its number."""

    def placed(name: str, note: str = "", members: tuple[PositionRow, ...] = ()) -> PositionRow:
        found = standing[name]
        known = [m.position.value for m in members if not math.isnan(m.position.value)]
        spread = Interval(min(known), max(known)) if len(known) > 1 else NO_INTERVAL
        at = Measure(found.value, found.interval, note=found.note, spread=spread)
        return PositionRow(
            variant=name,
            kind=row.kind,
            position=without_idle_interval(at, sheet.cell(name, "authorship_logit").n),
            valid=valid_rate(sheet, name),
            copied=sheet.cell(name, "copied"),
            note=note or found.note,
            members=members,
        )

    reason = "fails a gate: ranked below all that pass"
    if failed and row.seeds:
        reason = "a seed fails a gate: ranked below all that pass"
    told = "; ".join(filter(None, (row.note, reason if failed else "")))
    return placed(row.name, told, tuple(placed(seed) for seed in row.seeds))


def position_note(asked: Ask, columns: Mapping[str, Column]) -> str:
    """What the position was measured by, how far that can be trusted, and against whom."""
    reference = asked.reference
    twin = reference.primary_classifier
    known = columns["authorship_logit"].trust if "authorship_logit" in columns else None
    measured = f"Measured by the {twin} authorship classifier"
    if known is not None:
        low, high = known.interval
        measured += f", AUC {known.auc:.2f} [{low:.2f}, {high:.2f}] on human text of {known.words} words"
        measured += f": {known.mark}"
    remarks = [
        f"other authors: {', '.join(sorted(reference.others))}",
        reference.caveat,
        "" if twin == "masked" else "it reads topic as well as style",
        "it does not know this author, and decides nothing" if known and known.mark == "unfit" else "",
    ]
    return f"{'; '.join([measured, *filter(None, remarks)])}."
