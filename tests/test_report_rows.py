"""Training seeds of one recipe on one corpus as one line: mean by prompt, spread, position."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from harness.positions import positions
from harness.report_positions import position_row
from harness.report_rows import Sheet, averaged, not_run, rows_of
from harness.summaries import Table
from harness.types import Variant

NAN = math.nan
ITEMS = [f"q{index:02d}" for index in range(30)]


def adapter(name: str, seed: int, lr: float = 0.1) -> Variant:
    record = {"recipe": "small", "settings": {"lr": lr, "corpus": "pilot@2"}, "seed": seed}
    return Variant(name, "adapter", name, "tiny", corpus="pilot", version=2, record=record)


VARIANTS = (
    Variant("tiny", "base", "b"),
    adapter("small@2", 1),
    adapter("small@2+seed2", 2),
    adapter("large@2", 1, lr=0.2),
    Variant("author", "control", "a"),
    Variant("other:taft", "control", "t"),
)


def table(**changed: float) -> Table:
    """Style logits and words of everybody, a little different from prompt to prompt."""
    level = {
        "tiny": 0.2,
        "small@2": 0.5,
        "small@2+seed2": 0.7,
        "large@2": 0.6,
        "author": 1.0,
        "other:taft": 0.0,
    }
    values = {
        name: {
            "authorship_logit": {item: mean + 0.1 * (n % 3 - 1) for n, item in enumerate(ITEMS)},
            "mattr": {item: -mean + 0.1 * (n % 3 - 1) for n, item in enumerate(ITEMS)},
            "copied": dict.fromkeys(ITEMS, 0.0),
        }
        for name, mean in (level | changed).items()
    }
    return Table(values, {}, {}, {}, {}, {})


def test_seeds_are_one_row_under_a_name_of_its_own() -> None:
    rows = rows_of(VARIANTS, table())
    assert [row.name for row in rows] == [
        "tiny", "small@2 ·\u00a02\u00a0seeds", "large@2", "author", "other:taft",
    ]  # fmt: skip
    assert rows[1].seeds == ("small@2", "small@2+seed2")
    assert rows[2].seeds == ()
    assert rows[3].kind == "author"


def test_a_seed_without_scores_makes_no_family() -> None:
    scored = table()
    alone = Table({k: v for k, v in scored.values.items() if "+" not in k}, {}, {}, {}, {}, {})
    assert "small@2" in [row.name for row in rows_of(VARIANTS, alone)]


def test_a_prompt_counts_once_however_many_seeds_answered_it() -> None:
    assert averaged([{"a": 1.0, "b": NAN, "c": NAN}, {"a": 3.0, "b": 5.0, "c": NAN}])["a"] == 2
    assert averaged([{"a": 1.0, "b": NAN}, {"a": 3.0, "b": 5.0}])["b"] == 5
    assert math.isnan(averaged([{"c": NAN}, {"c": NAN}])["c"])
    assert averaged([{"a": 2.0}, {"a": 8.0}], "word_perplexity")["a"] == pytest.approx(4)


def test_a_row_has_mean_spread_and_position_and_its_seeds_below() -> None:
    sheet = Sheet(table(), rows_of(VARIANTS, table()))
    line = sheet.line("small@2 ·\u00a02\u00a0seeds", ["authorship_logit", "copied"])
    logit, copied = line.cells
    assert logit.value == pytest.approx(0.6)
    assert logit.n == 30
    assert logit.spread == pytest.approx((0.5, 0.7))
    assert logit.position == pytest.approx(0.6)
    assert [member.cells[0].value for member in line.members] == pytest.approx([0.5, 0.7])
    assert math.isnan(copied.position)  # nobody copies: author and others are at one place
    assert math.isnan(sheet.line("large@2", ["authorship_logit"]).cells[0].spread.low)
    assert sheet.line("large@2", ["authorship_logit"]).members == ()


def test_a_place_is_found_where_the_author_has_less_too() -> None:
    sheet = Sheet(table(), rows_of(VARIANTS, table()))
    assert sheet.cell("tiny", "mattr").position == pytest.approx(0.2)


def test_a_distance_needs_twelve_answers_and_comes_with_its_interval() -> None:
    draw = np.random.default_rng(1)
    train = {"mattr": draw.normal(0.7, 0.05, 200)}
    items = [f"p{n:02d}" for n in range(40)]
    values = {
        name: {"mattr": dict(zip(items, draw.normal(mean, 0.05, 40).tolist(), strict=True))}
        for name, mean in (("author", 0.72), ("tiny", 0.5), ("large@2", 0.6))
    }
    values["large@2"] = {"mattr": dict(list(values["large@2"]["mattr"].items())[:11])}
    scored = Table(values, {}, {}, {}, {}, {})
    sheet = Sheet(scored, rows_of(VARIANTS, scored), train)
    known, few, own = (sheet.cell(name, "mattr") for name in ("tiny", "large@2", "author"))
    assert known.distance_interval.low < known.distance < known.distance_interval.high
    assert known.distance_note == "40 prompts"
    assert math.isnan(few.distance)
    assert math.isnan(few.distance_interval.low)
    assert few.distance_note == "no distance: 11 of 12 answers"
    assert own.distance_note == ""


def test_who_was_never_run_is_named() -> None:
    scored = table()
    without = replace(scored, values={n: v for n, v in scored.values.items() if n != "other:taft"})
    assert not_run(VARIANTS, scored) == ()
    assert not_run(VARIANTS, without) == ("other:taft",)


def test_fewer_than_five_values_have_no_interval_and_say_why() -> None:
    scored = table()
    for metric, known in (("mattr", 4), ("authorship_logit", 3)):
        own = scored.values["tiny"][metric]
        scored.values["tiny"][metric] = {i: own[i] if n < known else NAN for n, i in enumerate(ITEMS)}
    scored.values["large@2"]["mattr"] = {i: -0.5 - 0.1 * n if n < 5 else NAN for n, i in enumerate(ITEMS)}
    scored.values["large@2"]["copied"] = dict.fromkeys(ITEMS[:3], 0.0)
    rows = rows_of(VARIANTS, scored)
    sheet = Sheet(scored, rows)
    few = sheet.cell("tiny", "mattr")
    assert (few.value, few.n) == (pytest.approx(-0.225), 4)
    assert all(math.isnan(end) for end in few.interval)
    assert few.note == "26 of 30 without a value; too few for an interval: 4"
    assert math.isfinite(sheet.cell("large@2", "mattr").interval.low)  # five
    assert math.isfinite(sheet.cell("large@2", "copied").interval.high)  # Wilson's says how little three are
    standing = {p.variant: p for p in positions(sheet.table, sheet.names)}
    row = position_row(sheet, next(row for row in rows if row.name == "tiny"), standing, [])
    assert row.position.value == pytest.approx(standing["tiny"].value)
    assert math.isnan(row.position.interval.low)
    assert row.position.note == "too few for an interval: 3"
