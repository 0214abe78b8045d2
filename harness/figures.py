"""What a figure shows, as frozen descriptions, and its bytes for a light page and for a dark one.

    Distribution | Dots | Rates | Curves | Cloud  --plots, or a cache--> Figure(light, dark)

Equal descriptions give equal bytes, so figures are cached under a digest of description, drawing code
and drawing libraries; a page whose figures are all cached imports neither seaborn nor matplotlib.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from harness.types import Interval

Kind = Literal["author", "control", "base", "adapter", "merged", "recorded", "api"]
NAN = float("nan")
NO_INTERVAL = Interval(NAN, NAN)
_HERE = Path(__file__)

# Each role of colour for light pages and for dark ones; style.css uses the same values.
LIGHT = {
    "ink": "#22211e",
    "muted": "#5f5b53",
    "rule": "#d9d5cb",
    "accent": "#1d5b8f",
    "warn": "#b03a0c",
    "ochre": "#8f5a00",
    "green": "#00735c",
    "plum": "#8a4f7d",
}
DARK = {
    "ink": "#e8e5de",
    "muted": "#a9a59c",
    "rule": "#3a3d43",
    "accent": "#7db6e8",
    "warn": "#f0926a",
    "ochre": "#e6a756",
    "green": "#4cc2a0",
    "plum": "#d79bc7",
}


@dataclass(frozen=True)
class Series:
    """The per-answer values of one variant; NaN are left out of the drawing."""

    label: str
    kind: Kind
    values: tuple[float, ...]


@dataclass(frozen=True)
class Distribution:
    """A violin with its points a row; the band is the middle 80 % of the series of kind ``author``."""

    series: tuple[Series, ...]
    axis: str


@dataclass(frozen=True)
class Dot:
    """One estimate with its 95 % interval; ``members`` are its training seeds, drawn small around it."""

    label: str
    kind: Kind
    value: float
    interval: Interval = NO_INTERVAL
    members: tuple[float, ...] = ()


@dataclass(frozen=True)
class Dots:
    """A dot and interval a row; ``floor`` is drawn as a dashed line, ``ceiling`` as a solid one."""

    dots: tuple[Dot, ...]
    axis: str
    floor: float = NAN
    ceiling: float = NAN


@dataclass(frozen=True)
class Rates:
    """A bar and interval a row; values from 0 to 1, shown in percent; ``limit`` is a gate's ceiling."""

    dots: tuple[Dot, ...]
    axis: str
    limit: float = NAN


@dataclass(frozen=True)
class Curve:
    """Loss of one training run as (step, loss) points, on training and on validation text.

    Curves of one ``family`` (training seeds) share a colour; ``kept`` is the step whose state became the
    adapter, where that was chosen by validation.
    """

    label: str
    points: tuple[tuple[float, float], ...]
    validation: tuple[tuple[float, float], ...] = ()
    family: str = ""
    kept: float = NAN


@dataclass(frozen=True)
class Curves:
    """Training loss over steps beside validation loss, whose circle is filled where the adapter was kept."""

    curves: tuple[Curve, ...]
    axis: str


@dataclass(frozen=True)
class Cloud:
    """Words sized by weight (keyness, G2); only weights above 0 are drawn."""

    weights: Mapping[str, float]


FigureSpec = Distribution | Dots | Rates | Curves | Cloud


@dataclass(frozen=True)
class Figure:
    """One drawing in both dresses; ``media`` is ``image/svg+xml`` or ``image/png``."""

    media: str
    light: bytes
    dark: bytes

    @property
    def light_uri(self) -> str:
        return f"data:{self.media};base64,{base64.b64encode(self.light).decode('ascii')}"

    @property
    def dark_uri(self) -> str:
        return f"data:{self.media};base64,{base64.b64encode(self.dark).decode('ascii')}"


def is_empty(spec: FigureSpec) -> bool:
    """True where no finite value is left to draw; the page then says so in words."""
    if isinstance(spec, Distribution):
        return not any(math.isfinite(value) for series in spec.series for value in series.values)
    if isinstance(spec, Curves):
        return not any(math.isfinite(loss) for curve in spec.curves for _, loss in curve.points)
    if isinstance(spec, Cloud):
        return not positive(spec.weights)
    return not any(math.isfinite(dot.value) for dot in spec.dots)


def digest(spec: FigureSpec) -> str:
    """sha256 of the description, of the drawing code and of the versions of the libraries that draw."""
    libraries = [f"{name} {metadata.version(name)}" for name in ("matplotlib", "seaborn", "wordcloud")]
    code = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (_HERE, _HERE.with_name("plots.py"))]
    description = json.dumps([type(spec).__name__, asdict(spec), libraries, code])
    return hashlib.sha256(description.encode()).hexdigest()


def figure(spec: FigureSpec, cache: Path | None = None) -> Figure:
    """The figure of a description: from ``cache`` where it is there, else drawn and put there.

    Raises ValueError where ``is_empty(spec)``.
    """
    if is_empty(spec):
        raise ValueError(f"nothing to draw in this {type(spec).__name__}")
    if cache is None:
        return _draw(spec)
    media, suffix = ("image/png", "png") if isinstance(spec, Cloud) else ("image/svg+xml", "svg")
    key = digest(spec)
    light, dark = cache / f"{key}.light.{suffix}", cache / f"{key}.dark.{suffix}"
    if light.is_file() and dark.is_file():
        return Figure(media, light.read_bytes(), dark.read_bytes())
    drawn = _draw(spec)
    cache.mkdir(parents=True, exist_ok=True)
    for path, content in ((light, drawn.light), (dark, drawn.dark)):
        part = path.with_name(path.name + ".part")
        part.write_bytes(content)
        part.replace(path)  # whole or not at all: an interrupted report leaves no half figure
    return drawn


def _draw(spec: FigureSpec) -> Figure:
    from harness import plots

    if isinstance(spec, Cloud):
        weights = positive(spec.weights)
        return Figure("image/png", plots.draw_cloud(weights, LIGHT), plots.draw_cloud(weights, DARK))
    light = plots.draw_svg(spec)
    return Figure("image/svg+xml", light.encode(), darkened(light).encode())


def darkened(svg: str) -> str:
    """The SVG with every light colour replaced by its dark counterpart."""
    swap = {LIGHT[role]: DARK[role] for role in LIGHT}
    return re.sub("|".join(swap), lambda match: swap[match.group()], svg)


def positive(weights: Mapping[str, float]) -> dict[str, float]:
    """The words that can be drawn: those with a finite weight above 0."""
    return {word: weight for word, weight in weights.items() if math.isfinite(weight) and weight > 0}
