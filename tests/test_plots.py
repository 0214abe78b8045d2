"""Figures: the same bytes every time, both dresses complete, cached without importing a drawing library."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.figures import (
    DARK,
    LIGHT,
    NAN,
    Cloud,
    Curve,
    Curves,
    Distribution,
    Dot,
    Dots,
    FigureSpec,
    Rates,
    Series,
    darkened,
    digest,
    figure,
    is_empty,
)
from harness.report_context import kind_of
from harness.types import Interval, Variant

VALUES = tuple(0.5 + 0.01 * (index * 7 % 13) for index in range(40))
SPECS: dict[str, FigureSpec] = {
    "distribution": Distribution(
        (
            Series("author", "author", VALUES),
            Series("base", "base", VALUES[:9]),
            Series("constant", "adapter", (0.5, 0.5, 0.5)),
            Series("two", "adapter", (0.4, NAN, 0.6)),
            Series("silent", "adapter", (NAN,)),
        ),
        "type-token ratio",
    ),
    "dots": Dots(
        (
            Dot("author", "author", 1.0, Interval(0.9, 1.1)),
            Dot("no interval", "adapter", 0.4),
            Dot("unknown", "control", NAN),
        ),
        "logit",
        floor=0.1,
        ceiling=1.0,
    ),
    "rates": Rates(
        (Dot("copyist", "control", 0.97, Interval(0.9, 1.0)), Dot("unknown", "base", NAN)), "copied", 0.05
    ),
    "curves": Curves(
        (Curve("v1", ((1, 3.0), (2, 2.5)), ((0, 3.1), (2, 2.7))), Curve("v2", ((1, 3.1),))), "loss"
    ),
    "cloud": Cloud({"nation": 40.0, "canal": 12.0, "absent": -3.0, "unknown": NAN}),
}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_equal_descriptions_give_equal_bytes_in_two_different_dresses(spec: FigureSpec) -> None:
    drawn = figure(spec)
    assert drawn == figure(spec)
    assert drawn.light != drawn.dark
    assert drawn.light_uri.startswith(f"data:{drawn.media};base64,")


@pytest.mark.parametrize("name", [name for name in SPECS if name != "cloud"])
def test_every_colour_of_a_light_figure_has_a_dark_counterpart(name: str) -> None:
    drawn = figure(SPECS[name])
    ElementTree.fromstring(drawn.light)
    used = set(re.findall(r"#[0-9a-f]{6}\b", drawn.light.decode()))
    assert used
    assert used <= set(LIGHT.values())
    assert set(re.findall(r"#[0-9a-f]{6}\b", drawn.dark.decode())) <= set(DARK.values())
    # A colour left to the viewer would be black, which nobody sees on a dark page.
    assert not re.search(r"<text(?![^>]*fill: #)", drawn.light.decode())


def test_darkened_swaps_each_colour_once() -> None:
    assert (
        darkened(f"fill: {LIGHT['ink']}; stroke: {LIGHT['rule']}")
        == f"fill: {DARK['ink']}; stroke: {DARK['rule']}"
    )


def test_labels_are_neither_markup_nor_mathematics() -> None:
    spec = Dots((Dot("a$b$ <script>\x00&漢", "adapter", 0.5, Interval(0.4, 0.6)),), "x")
    svg = figure(spec).light
    texts = [element.text for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert "a$b$ <script>&漢" in texts


def test_long_labels_keep_their_end_where_the_version_stands() -> None:
    svg = figure(Dots((Dot("a-very-long-name-of-a-recipe-and-base@12", "adapter", 0.5),), "x")).light.decode()
    assert re.search(r">a-very-[^<]*…[^<]*@12<", svg)


@pytest.mark.parametrize(
    "spec",
    [
        Distribution((Series("a", "base", (NAN,)),), "x"),
        Dots((Dot("a", "base", NAN),), "x"),
        Rates((), "x"),
        Curves((Curve("a", ()),), "x"),
        Cloud({"a": 0.0}),
    ],
    ids=lambda spec: type(spec).__name__,
)
def test_nothing_to_draw_is_said_and_not_drawn(spec: FigureSpec) -> None:
    assert is_empty(spec)
    with pytest.raises(ValueError, match="nothing to draw"):
        figure(spec)


def test_cache_returns_what_was_drawn_and_leaves_no_part_behind(tmp_path: Path) -> None:
    first = figure(SPECS["dots"], tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"{digest(SPECS['dots'])}.{dress}.svg" for dress in ("dark", "light")]
    (tmp_path / names[1]).write_bytes(b"<svg/>")
    assert figure(SPECS["dots"], tmp_path).light == b"<svg/>"
    assert figure(SPECS["dots"]) == first


def test_training_seeds_are_drawn_beside_their_row() -> None:
    seeds = (0.35, 0.42, 0.44)
    for kind in (Dots, Rates):
        with_seeds, without = (
            figure(kind((Dot("v", "adapter", 0.4, Interval(0.3, 0.5), members),), "x")).light.decode()
            for members in (seeds, ())
        )
        assert with_seeds.count("<use") == without.count("<use") + len(seeds)


def test_training_seeds_share_a_colour_and_one_line_of_the_legend() -> None:
    curves = tuple(
        Curve(name, ((1, 3.0), (2, 2.5)), ((0, 3.1), (1, 2.9), (2, 2.7)), name[0], kept=1)
        for name in ("a", "a+seed2", "b")
    )
    svg = figure(Curves(curves, "loss")).light.decode()
    texts = {e.text for e in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")}
    assert {"a · 2 seeds", "b"} <= texts
    assert "a+seed2" not in texts
    plain = figure(Curves(tuple(replace(curve, kept=NAN) for curve in curves), "loss")).light.decode()
    assert plain != svg  # the kept look is filled


def test_digest_depends_on_the_data_and_on_the_kind_of_figure() -> None:
    dots = (Dot("a", "base", 0.5),)
    digests = {
        digest(Dots(dots, "x")),
        digest(Dots(dots, "y")),
        digest(Rates(dots, "x")),
        digest(Dots((), "x")),
    }
    assert len(digests) == 4


def test_cached_figures_import_no_drawing_library(tmp_path: Path) -> None:
    spec = SPECS["rates"]
    figure(spec, tmp_path)
    program = (
        "import sys, pathlib; from harness.figures import *;"
        "from harness.types import Interval;"
        f"figure({spec!r}, pathlib.Path(sys.argv[1]));"
        "print(sorted({'matplotlib', 'seaborn', 'pandas', 'wordcloud'} & set(sys.modules)))"
    ).replace("nan", "NAN")
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_author_is_told_apart_from_the_other_controls() -> None:
    assert kind_of(Variant("author", "control", "d")) == "author"
    assert kind_of(Variant("other:taft", "control", "d")) == "control"
    assert kind_of(Variant("author", "adapter", "d")) == "adapter"
