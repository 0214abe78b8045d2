"""What a report says of the metrics that cannot be trusted on this author (see ``trust``)."""

from __future__ import annotations

from collections.abc import Sequence

from harness.reference import Reference
from harness.report_context import Column
from harness.report_rows import Sheet
from harness.trust import SET_BY_THE_SUITE, median_words


def usual_length(sheet: Sheet, reference: Reference) -> int:
    """Words in the median valid answer of a model; the reference's passages where nobody counted."""
    models = [row.name for row in sheet.rows.values() if row.kind not in ("author", "control")]
    return median_words([sheet.table.of(name, "words") for name in models], reference)


def unfit_remarks(columns: Sequence[Column]) -> tuple[str, ...]:
    """One line for each unfit metric of a table, saying why it has no arrow."""
    remarks = []
    for column in columns:
        trust = column.trust
        if trust is None or trust.mark != "unfit":
            continue
        why = trust.note if trust.note == SET_BY_THE_SUITE else "that reaches .5, which is guessing"
        remarks.append(
            f"{column.title}: unfit on this author ({trust.measured}; {why}). No arrow; it decides nothing."
        )
    return tuple(remarks)
