"""One context -> one self-contained HTML file: no script, no request, figures as ``data:`` images.

    ReportContext --figures (cached)--> views --Jinja (autoescape, StrictUndefined)--> report.html

The page answers in the order the questions are asked: one sentence, where everybody stands, what
changed, then the numbers task by task, what training cost, the words, the answers, how it was made.
"""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigurationError
from harness.figures import (
    Cloud,
    Curve,
    Curves,
    Distribution,
    Dots,
    Figure,
    FigureSpec,
    Rates,
    figure,
    is_empty,
)
from harness.report_context import (
    Column,
    PositionRow,
    ReportContext,
    Table,
    TrainingRow,
)
from harness.report_numbers import (
    DASH,
    count,
    difference_shown,
    interval_text,
    number,
    probability,
    spread_text,
)
from harness.telling import contradicted, is_unfit, none_seen
from harness.types import Outcome

FORMATS = {
    "plain": Column(""),
    "one": Column("", digits=1),
    "two": Column("", digits=2),
    "three": Column("", digits=3),
    "whole": Column("", digits=0),
    "percent": Column("", digits=0, percent=True),
    "tenth": Column("", digits=1, percent=True),
}
MARKS: dict[Outcome, str] = {
    "better": "▲",
    "WORSE": "▼",
    "decline": "▽",
    "slight gain": "△",
    "same": "=",
    "not worse": "≥",
    "inconclusive": "?",
    "descriptive": "·",
    "not comparable": "×",
}
MEANINGS: dict[Outcome, str] = {
    "better": "better by at least the margin, after correction for several tests",
    "WORSE": "worse by at least the margin, after correction for several tests",
    "decline": "the interval lies below zero; too small, or not a metric that decides",
    "slight gain": "the interval lies above zero; too small, or not a metric that decides",
    "same": "the whole interval lies inside the margin",
    "not worse": "a loss as large as the margin is excluded",
    "inconclusive": "cannot tell with this many",
    "descriptive": "too few prompts or blocks, or a metric that does not know the author",
    "not comparable": "reference, prompts, versions, decoding or engine differ, or too few pairs are valid",
}


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What an answer may hold and a page may not."""


@dataclass(frozen=True)
class Drawing:
    """A figure as the page shows it: both dresses, what it shows in words, how to read it."""

    figure: Figure
    alt: str
    caption: str


@dataclass(frozen=True)
class Scale:
    """The axis of the position line; ``at`` turns a position into percent of its width, 0 to 100."""

    low: float
    high: float

    def at(self, position: float) -> float:
        share = (position - self.low) / (self.high - self.low)
        return round(100 * min(1.0, max(0.0, share)), 2)

    def holds(self, position: float) -> bool:
        return self.low <= position <= self.high


def render_report(
    context: ReportContext, out: Path, *, figure_cache: Path | None = None, templates: Path | None = None
) -> Path:
    """Writes the report to ``out`` (whole or not at all) and returns that path.

    ``figure_cache`` is a folder of figures by digest; a report whose figures are all there imports no
    drawing library. ``templates`` is by default the shelf ``reports/templates``.
    """
    if out.is_dir():
        raise ConfigurationError(f"--out {out}: is a folder; name the file")
    page = render_html(context, figure_cache=figure_cache, templates=templates)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(out.name + ".part")
    part.write_text(page, encoding="utf-8")
    part.replace(out)
    return out


def render_html(
    context: ReportContext, *, figure_cache: Path | None = None, templates: Path | None = None
) -> str:
    """The page as text; the same context gives the same text."""
    import jinja2

    if templates is None:
        from harness import shelves

        templates = shelves.find("reports/templates")
    # autoescape must be set outright: select_autoescape() does not cover *.html.j2.
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "difference_shown": difference_shown,
        "probability": probability,
        "interval": interval_text,
        "spread": spread_text,
        "count": count,
    }
    environment.tests |= {
        "known": math.isfinite,
        "unfit": is_unfit,
        "none_seen": none_seen,
        "contradicted": contradicted,
    }
    environment.globals |= {"marks": MARKS, "meanings": MEANINGS, "dash": DASH, "common_n": common_n}
    environment.globals |= FORMATS | {"mini": Scale(-0.25, 1.25)}
    draw = functools.partial(_drawing, cache=figure_cache)
    page = environment.get_template("report.html.j2").render(
        report=context,
        scale=position_scale(context.positions),
        panels=[(panel, draw(panel.figure)) for panel in context.panels],
        clouds=[(cloud, draw(Cloud(dict(cloud.weights)))) for cloud in context.wordclouds],
        losses=draw(loss_curves(context.training)),
    )
    return _CONTROL.sub("\ufffd", page)


def position_scale(rows: tuple[PositionRow, ...]) -> Scale:
    """From "other authors" to "the author" and as far beyond as the data go, at most from -1 to 2."""
    ends = [end for row in rows for end in _reaches(row) if math.isfinite(end)]
    return Scale(max(-1.0, min([0.0, *ends]) - 0.08), min(2.0, max([1.0, *ends]) + 0.08))


def _reaches(row: PositionRow) -> tuple[float, ...]:
    """The places that a row and its training seeds take on the line."""
    return (*row.position.interval, row.position.value, *(seed.position.value for seed in row.members))


def loss_curves(rows: tuple[TrainingRow, ...]) -> Curves:
    """Training loss over steps beside validation loss: at every look, or before the first and after the last
    step where nobody looked along the way.
    """
    curves = [
        Curve(
            row.variant,
            row.loss_curve,
            _validation(row),
            row.family,
            next((float(look.step) for look in row.looks if look.kept), math.nan),
        )
        for row in rows
    ]
    return Curves(tuple(curve for curve in curves if curve.points), "loss, nats per token")


def _validation(row: TrainingRow) -> tuple[tuple[float, float], ...]:
    last = [(float(look.step), look.loss) for look in row.looks]
    points = [(0.0, row.validation_before), *(last or [(float(row.steps), row.validation_after)])]
    return tuple((step, loss) for step, loss in points if math.isfinite(loss))


def common_n(table: Table, column: int) -> int:
    """The n that all known cells of a column share, to be said once in its head; 0 where they differ."""
    sizes = {line.cells[column].n for line in table.lines if math.isfinite(line.cells[column].value)}
    return sizes.pop() if len(sizes) == 1 else 0


def _drawing(spec: FigureSpec | None, cache: Path | None) -> Drawing | None:
    if spec is None or is_empty(spec):
        return None
    return Drawing(figure(spec, cache), describe(spec), caption(spec))


def describe(spec: FigureSpec) -> str:
    """The figure in words, for those who cannot see it."""
    if isinstance(spec, Cloud):
        heaviest = sorted(spec.weights, key=lambda word: (-spec.weights[word], word))[:12]
        return f"Word cloud; the heaviest words are {', '.join(heaviest)}."
    if isinstance(spec, Curves):
        runs = (f"{curve.label} from {_ends(curve)}" for curve in spec.curves)
        return f"Curves of {spec.axis}: {'; '.join(runs)}."
    if isinstance(spec, Distribution):
        medians = (f"{series.label} {_median(series.values)}" for series in spec.series)
        return f"Distributions of {spec.axis}, medians: {'; '.join(medians)}."
    column = Column("", digits=0, percent=True) if isinstance(spec, Rates) else Column("")
    dots = (f"{d.label} {number(d.value, column)} {interval_text(d.interval, column)}" for d in spec.dots)
    return f"{spec.axis[:1].upper()}{spec.axis[1:]} with 95 % intervals: {'; '.join(dots)}."


def caption(spec: FigureSpec) -> str:
    """One line on how to read the figure; empty where it explains itself."""
    if isinstance(spec, Distribution):
        return "Points: valid answers. Strokes: medians. Band: the middle 80 % of the author’s own."
    if isinstance(spec, Dots):
        lines = {"other authors dashed": spec.floor, "the author solid": spec.ceiling}
        drawn = ", ".join(name for name, place in lines.items() if math.isfinite(place))
        return f"Estimate and 95 % interval{_seeds_told(spec)}{'; ' if drawn else ''}{drawn}."
    if isinstance(spec, Rates):
        gate = "; the dashed line is the gate’s ceiling" if math.isfinite(spec.limit) else ""
        return f"Rate and 95 % interval{_seeds_told(spec)}{gate}."
    if isinstance(spec, Curves):
        looks = any(len(curve.validation) > 2 for curve in spec.curves)
        kept = any(math.isfinite(curve.kept) for curve in spec.curves)
        strokes, told = ("Thin lines", "along the way") if looks else ("Lines", "before and after")
        filled = ", filled where the adapter was kept" if kept else ""
        return f"{strokes}: training loss. Circles: validation loss {told}{filled}."
    return ""


def _seeds_told(spec: Dots | Rates) -> str:
    return "; small rings: training seeds" if any(dot.members for dot in spec.dots) else ""


def _median(values: tuple[float, ...]) -> str:
    finite = sorted(value for value in values if math.isfinite(value))
    if not finite:
        return "unknown"
    middle = len(finite) // 2
    return number((finite[middle] + finite[~middle]) / 2, Column(""))


def _ends(curve: Curve) -> str:
    first, last = curve.points[0], curve.points[-1]
    return f"{number(first[1], Column(''))} to {number(last[1], Column(''))} in {last[0]:g} steps"
