"""Numbers as a report prints them: true minus signs, thin spaces, an en dash for what is unknown."""

from __future__ import annotations

import math
from dataclasses import replace

from harness.figures import NO_INTERVAL
from harness.measures import RATES
from harness.report_context import Column, Measure
from harness.types import Interval, Verdict

DASH = "–"
FEWEST_FOR_INTERVAL = 5
"""With fewer values Student's t is wider than anything (of two: 12.7 standard errors), a bootstrap blind."""


def number(value: float, column: Column, signed: bool = False) -> str:
    """A number as printed: true minus signs, percent with a thin space, NaN as an en dash.

    >>> number(-0.0312, Column("bits per byte", digits=3), signed=True)
    '−0.031'
    """
    if not math.isfinite(value):
        return DASH
    shown = 100 * value if column.percent else value
    digits = column.digits if column.digits >= 0 else _significant_digits(shown)
    text = f"{shown:{'+' if signed else ''},.{digits}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("+-")  # no "-0.00"
    return text.replace("-", "−").replace(",", "\u202f") + ("\u202f%" if column.percent else "")


def interval_text(interval: Interval, column: Column, signed: bool = False) -> str:
    """``[low, high]`` in the column's format without its unit; an en dash where an end is unknown.

    >>> interval_text(Interval(0.9, 0.98), Column("valid", digits=0, percent=True))
    '[90, 98]'
    """
    if not all(math.isfinite(end) for end in interval):
        return DASH
    # Both ends get the digits of the wider one, so that they can be compared at sight.
    widest = max(abs(end) for end in interval) * (100 if column.percent else 1)
    digits = column.digits if column.digits >= 0 else _significant_digits(widest)
    bare = Column("", digits=digits)
    factor = 100 if column.percent else 1
    return f"[{number(factor * interval.low, bare, signed)}, {number(factor * interval.high, bare, signed)}]"


def without_idle_interval(measure: Measure, n: int) -> Measure:
    """The measure as it may be shown: resting on under five values it has no interval, and says why.

    Not for rates, whose Wilson interval is honest for one answer too.
    """
    if not 0 < n < FEWEST_FOR_INTERVAL or math.isnan(measure.value):
        return measure
    note = "; ".join(filter(None, (measure.note, f"too few for an interval: {n}")))
    return replace(measure, interval=NO_INTERVAL, note=note)


def difference_shown(verdict: Verdict) -> Measure:
    """What a verdict's pairs differ by, as it may be shown: of under five pairs without its interval."""
    found = Measure(verdict.difference, verdict.interval, verdict.n, note=verdict.note)
    return found if verdict.metric in RATES else without_idle_interval(found, verdict.n)


def probability(p: float) -> str:
    """A p value to three digits, and ``<0.001`` below: a test never shows that chance is impossible.

    >>> probability(0.0004), probability(0.128)
    ('<0.001', '0.128')
    """
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def spread_text(spread: Interval, column: Column) -> str:
    """Lowest and highest of the training seeds in the column's format without its unit.

    >>> spread_text(Interval(0.62, 0.71), Column("position", digits=2))
    'seeds 0.62 to 0.71'
    """
    low, _, high = interval_text(spread, column).strip("[]").partition(", ")
    return f"seeds {low} to {high}" if low != high else f"every seed {low}"


def _significant_digits(value: float) -> int:
    """Digits after the point for a number of no known format: two or three significant ones."""
    return next(
        (digits for digits, least in enumerate((100, 10, 1, 0.01)) if abs(value) >= least), 4 if value else 2
    )


def count(value: int) -> str:
    """A whole number with thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f")
