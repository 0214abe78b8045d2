"""What a report says of the unfit."""

from __future__ import annotations

from harness.report_context import Column, Trust
from harness.report_marks import unfit_remarks
from harness.types import Interval


def test_an_unfit_metric_is_told_in_one_line_and_a_weak_one_in_none() -> None:
    unfit = Column("MATTR", trust=Trust(0.55, Interval(0.48, 0.62), 90, "unfit"))
    weak = Column("density", trust=Trust(0.65, Interval(0.58, 0.72), 90, "weak"))
    (line,) = unfit_remarks([unfit, weak, Column("copied")])
    assert line.startswith("MATTR: unfit on this author (AUC 0.55 [0.48, 0.62] at 90 words; that reaches .5")
    assert unfit.unfit
    assert not weak.unfit
