"""Drawing: a description of a figure -> SVG or PNG bytes, with seaborn, matplotlib and wordcloud.

Only colours of the LIGHT palette are used, on a transparent ground: that is what lets the dark figure
be made by exchanging colours. Everything random is seeded and every date left out, so that equal
descriptions give equal bytes.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.figures import LIGHT, Curves, Distribution, Dots, Kind, Rates

MARKERS: dict[Kind, str] = {"author": "D", "control": "o", "base": "s"}
INK: dict[Kind, str] = {"author": LIGHT["ink"], "control": LIGHT["muted"], "base": LIGHT["muted"]}
LINES = [
    (LIGHT["accent"], ""),
    (LIGHT["ochre"], (4, 2)),
    (LIGHT["green"], (1, 1)),
    (LIGHT["plum"], (5, 1, 1, 1)),
]
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', Arial, sans-serif"
WIDTH = 5.4  # inches of 72 points: still legible when a phone shows it 340 pixels wide
NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))  # a date would change the bytes
STYLE: dict[str, Any] = {
    "svg.hashsalt": "stylobench",  # ids in the SVG are salted at random otherwise
    "svg.fonttype": "none",
    "text.parse_math": False,  # a variant may be called "a$b$"
    "font.size": 10,
    "axes.edgecolor": LIGHT["rule"],
    "axes.labelcolor": LIGHT["muted"],
    "text.color": LIGHT["ink"],
    "xtick.color": LIGHT["rule"],
    "xtick.labelcolor": LIGHT["muted"],
    "ytick.color": LIGHT["rule"],
    "ytick.labelcolor": LIGHT["ink"],
    "grid.color": LIGHT["rule"],
    "ytick.left": False,
    "axes.grid.axis": "x",
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
}


def draw_svg(spec: Distribution | Dots | Rates | Curves) -> str:
    """Draws on a transparent ground with the LIGHT colours only; words stay text in the reader's font."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.figure
    import seaborn

    rows = (
        len(spec.series)
        if isinstance(spec, Distribution)
        else 0
        if isinstance(spec, Curves)
        else len(spec.dots)
    )
    height = (
        3.0 if isinstance(spec, Curves) else 0.75 + rows * (0.42 if isinstance(spec, Distribution) else 0.33)
    )
    with warnings.catch_warnings(), matplotlib.rc_context({**seaborn.axes_style("whitegrid"), **STYLE}):
        # The reader's browser has the glyphs that matplotlib's own font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        canvas = matplotlib.figure.Figure(figsize=(WIDTH, height), layout="constrained")
        axes = canvas.subplots()
        if isinstance(spec, Distribution):
            _distribution(axes, spec)
        elif isinstance(spec, Dots):
            _dots(axes, spec)
        elif isinstance(spec, Rates):
            _rates(axes, spec)
        else:
            _curves(axes, spec)
        buffer = io.StringIO()
        canvas.savefig(buffer, format="svg", transparent=True, metadata=NO_METADATA)
    # Layout was measured in DejaVu Sans, which is wider than any of these, so nothing overflows.
    return re.sub(r"font-family: [^;\"]+", f"font-family: {FONT}", buffer.getvalue())


def _rows(axes: Any, labels: Sequence[str], title: str) -> None:
    """One row a label, the first on top, with the axis title below."""
    axes.set_yticks(range(len(labels)), [_plain(label) for label in labels])
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xlabel(_plain(title, 70))
    axes.set_ylabel("")
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=5)


def _unknown(axes: Any, row: int, reason: str) -> None:
    place = axes.get_yaxis_transform()
    axes.text(
        0.5, row, reason, transform=place, ha="center", va="center", color=LIGHT["muted"], fontstyle="italic"
    )


def _distribution(axes: Any, spec: Distribution) -> None:
    import seaborn

    finite = [np.array([v for v in series.values if math.isfinite(v)]) for series in spec.series]
    for series, values in zip(spec.series, finite, strict=True):
        if series.kind == "author" and len(values):
            axes.axvspan(
                *np.quantile(values, [0.1, 0.9]), color=LIGHT["ink"], alpha=0.07, linewidth=0, zorder=0
            )
    for row, (series, values) in enumerate(zip(spec.series, finite, strict=True)):
        colour = INK.get(series.kind, LIGHT["accent"])
        if len(values) == 0:
            _unknown(axes, row, "no valid answers")
            continue
        if len(values) > 2 and np.ptp(values) > 0:
            seaborn.violinplot(
                x=values, y=[row] * len(values), orient="h", native_scale=True, cut=0, inner=None, width=0.8,
                color=colour, saturation=1, linewidth=0, alpha=0.28, density_norm="width", ax=axes,
            )  # fmt: skip
        # Jitter of our own: seaborn's is drawn from numpy's unseeded global state.
        jitter = np.random.default_rng(0).uniform(-0.16, 0.16, len(values))
        axes.scatter(values, row + jitter, s=5, color=colour, alpha=0.45, linewidth=0, zorder=3)
        axes.vlines(np.median(values), row - 0.3, row + 0.3, color=colour, linewidth=2, zorder=4)
    _rows(axes, [series.label for series in spec.series], spec.axis)


def _dots(axes: Any, spec: Dots) -> None:
    for place, dashes in ((spec.floor, (0, (3, 2))), (spec.ceiling, "solid")):
        if math.isfinite(place):
            axes.axvline(place, color=LIGHT["muted"], linewidth=1, linestyle=dashes, zorder=1)
    for row, dot in enumerate(spec.dots):
        colour = INK.get(dot.kind, LIGHT["accent"])
        if not math.isfinite(dot.value):
            _unknown(axes, row, "no value")
            continue
        axes.hlines(row, *dot.interval, color=colour, linewidth=2, alpha=0.75, zorder=2)
        filled = "none" if dot.kind == "control" else colour
        marker = MARKERS.get(dot.kind, "o")
        axes.scatter(
            dot.value, row, s=46, marker=marker, facecolor=filled, edgecolor=colour, linewidth=1.6, zorder=3
        )
        _seeds(axes, row, dot.members, colour)
    _rows(axes, [dot.label for dot in spec.dots], spec.axis)
    axes.margins(x=0.06)


def _seeds(axes: Any, row: int, values: Sequence[float], colour: str) -> None:
    """Small rings just below the row's own dot, so that it hides none of them."""
    if values:
        below = [row + 0.27] * len(values)
        axes.scatter(values, below, s=13, facecolor="none", edgecolor=colour, linewidth=1, zorder=4)


def _rates(axes: Any, spec: Rates) -> None:
    import seaborn

    colours = [INK.get(dot.kind, LIGHT["accent"]) for dot in spec.dots]
    rows = list(range(len(spec.dots)))
    seaborn.barplot(
        x=[100 * dot.value for dot in spec.dots], y=rows, hue=rows, orient="h", palette=colours, saturation=1,
        native_scale=True, width=0.55, alpha=0.35, errorbar=None, edgecolor="none", legend=False, ax=axes,
    )  # fmt: skip
    for row, dot in enumerate(spec.dots):
        if not math.isfinite(dot.value):
            _unknown(axes, row, "no value")
            continue
        axes.hlines(row, *(100 * end for end in dot.interval), color=colours[row], linewidth=2)
        axes.scatter(100 * dot.value, row, s=20, color=colours[row], zorder=3)
        _seeds(axes, row, [100 * value for value in dot.members], colours[row])
    if math.isfinite(spec.limit):
        axes.axvline(100 * spec.limit, color=LIGHT["warn"], linewidth=1.2, linestyle=(0, (3, 2)))
    _rows(axes, [dot.label for dot in spec.dots], spec.axis)
    axes.set_xlim(0, max(10.0, min(104.0, axes.get_xlim()[1])))
    axes.xaxis.set_major_formatter(lambda percent, _: f"{percent:g} %")


def _curves(axes: Any, spec: Curves) -> None:
    import seaborn

    families = list(dict.fromkeys(curve.family or curve.label for curve in spec.curves))
    told: set[str] = set()
    # A batch's loss jumps far more than the model changes: beside a curve on the same text it stands back.
    looks = any(len(curve.validation) > 2 for curve in spec.curves)
    for curve in spec.curves:
        family = curve.family or curve.label
        colour, dashes = LINES[families.index(family) % len(LINES)]
        siblings = sum((other.family or other.label) == family for other in spec.curves)
        label = _plain(curve.label if siblings == 1 else f"{family} ·\u00a0{siblings}\u00a0seeds")
        steps, losses = zip(*curve.points, strict=True) if curve.points else ((), ())
        style: dict[str, Any] = {"linewidth": 1, "alpha": 0.45} if looks else {"linewidth": 1.6}
        if dashes:
            style["dashes"] = dashes
        seaborn.lineplot(
            x=steps, y=losses, color=colour, label=None if family in told else label, errorbar=None,
            estimator=None, legend=False, ax=axes, **style,
        )  # fmt: skip
        told.add(family)
        if len(curve.validation) > 2:
            axes.plot(*zip(*curve.validation, strict=True), color=colour, linewidth=1.8, zorder=3)
        for step, loss in curve.validation:
            filled = colour if step == curve.kept else "none"
            axes.scatter(step, loss, s=40, facecolor=filled, edgecolor=colour, linewidth=1.6, zorder=3)
    axes.grid(axis="y", color=LIGHT["rule"])
    axes.grid(visible=False, axis="x")
    axes.set(xlabel="step", ylabel=_plain(spec.axis, 70))
    for line in axes.legend(frameon=False, loc="upper right").get_lines():
        line.set(alpha=1, linewidth=1.6)


def draw_cloud(weights: Mapping[str, float], palette: Mapping[str, str]) -> bytes:
    """A transparent PNG, the same layout for every palette: heavy words in the accent colour."""
    import matplotlib
    import wordcloud

    heavy = sorted(weights.values(), reverse=True)[: max(1, len(weights) // 5)][-1]
    light = sorted(weights.values())[len(weights) // 2]

    def colour(word: str, **_: object) -> str:
        role = "accent" if weights[word] >= heavy else "ink" if weights[word] >= light else "muted"
        return palette[role]

    cloud = wordcloud.WordCloud(
        width=480, height=260, scale=2, mode="RGBA", background_color=None, random_state=7, max_words=60,
        prefer_horizontal=1.0, relative_scaling=0.5, min_font_size=11, max_font_size=64, color_func=colour,
        font_path=str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "STIXGeneral.ttf"),
    )  # fmt: skip
    buffer = io.BytesIO()
    cloud.generate_from_frequencies(dict(weights)).to_image().save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _plain(label: str, longest: int = 26) -> str:
    """A label fit for an axis: no control characters (XML forbids them), cut in the middle if long."""
    clean = "".join(character for character in label.replace("\u00a0", " ") if character.isprintable())
    if len(clean) <= longest:
        return clean
    return f"{clean[: longest // 2]}…{clean[-(longest // 2 - 1) :]}"
