"""Style positions and ranks from tables written by hand."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pytest
from handmade import make_ask, make_table

from harness.positions import Position, positions, ranking
from harness.summaries import Table
from harness.types import Interval

NAN = math.nan
RNG = np.random.default_rng(7)


def table_of(values: dict[str, dict[str, Sequence[float]]], n: int = 40) -> Table:
    return make_table(make_ask(n), values)


def sides(**more: Sequence[float]) -> Table:
    """The author about 4, two others about 0 and -2: the floor is -1."""
    noise = RNG.normal(0, 0.3, 40)
    found = {"author": noise + 4, "other:a": noise + 0.0, "other:b": noise - 2.0}
    logits = {name: list(values) for name, values in found.items()} | more
    return table_of({name: {"authorship_logit": values} for name, values in logits.items()})


def test_the_author_stands_at_one_and_the_floor_at_nought() -> None:
    table = sides()
    author, a, b = positions(table, ["author", "other:a", "other:b"])
    assert author.value == pytest.approx(1.0)
    assert author.interval == pytest.approx((1.0, 1.0))
    assert author.note == ""
    assert a.value + b.value == pytest.approx(0.0, abs=1e-9)
    assert a.value == pytest.approx(0.2)


def test_a_position_is_linear_between_floor_and_ceiling_and_has_an_interval() -> None:
    table = sides(half=list(RNG.normal(1.5, 0.5, 40)), beyond=[9.0] * 40)
    half, beyond = positions(table, ["half", "beyond"])
    logit = np.mean(list(table.of("half", "authorship_logit").values()))
    ceiling = np.mean(list(table.of("author", "authorship_logit").values()))
    floor = np.mean([np.mean(list(table.of(o, "authorship_logit").values())) for o in ("other:a", "other:b")])
    assert half.value == pytest.approx((logit - floor) / (ceiling - floor))
    assert half.interval.low < half.value < half.interval.high
    assert half.interval.high - half.interval.low < 0.2
    assert beyond.value > 1
    assert beyond.note == "closer than the author: no credit"


def test_a_metric_of_which_the_author_has_less_has_positions_only_when_asked_for_either_way() -> None:
    table = table_of(
        {"author": {"m": [1.0, 1.1] * 9}, "other:a": {"m": [3.0, 3.1] * 9}, "v": {"m": [1.5, 1.6] * 9}}
    )
    (strict,), (either,) = (positions(table, ["v"], "m", either_way=way) for way in (False, True))
    assert math.isnan(strict.value)
    assert either.value == pytest.approx(0.75)


def test_a_side_that_lacks_prompts_has_no_position() -> None:
    table = sides(part=[1.5] * 10, whole=[1.5] * 30 + [NAN] * 10)
    part, whole = positions(table, ["part", "whole"])
    assert math.isnan(part.value)
    assert part.note == "part lacks 30 of 40"
    # Invalid answers are answers.
    assert (math.isnan(whole.value), whole.note) == (False, "")


def test_nobody_has_a_position_where_the_ends_were_only_tried_out() -> None:
    """`run --limit 40` and a report of all 80 prompts: every side has the same rows, and too few of them."""
    asked = frozenset(f"p{i:03d}" for i in range(80))
    table = dataclasses.replace(sides(v=[1.5] * 40), asked={"authorship_logit": asked})
    (found,) = positions(table, ["v"])
    assert math.isnan(found.value)
    assert found.note == "author lacks 40 of 80"


def test_no_position_where_author_and_others_are_not_told_apart() -> None:
    same = list(RNG.normal(0, 1, 40))
    table = table_of({n: {"authorship_logit": same} for n in ("author", "other:a", "v")})
    (found,) = positions(table, ["v"])
    assert math.isnan(found.value)
    assert found.note == "cannot tell: author and others are not told apart"


def test_no_position_without_controls_or_valid_answers() -> None:
    (alone,) = positions(table_of({"v": {"authorship_logit": [1.0] * 40}}), ["v"])
    assert math.isnan(alone.value)
    assert alone.note == "needs the controls author and other:*"
    (empty,) = positions(sides(v=[NAN] * 40), ["v"])
    assert math.isnan(empty.value)
    assert empty.note == "no valid answers"


def test_no_position_for_who_only_copies() -> None:
    table = sides(v=[NAN] * 40)
    pasted = dataclasses.replace(
        table, notes={"v": {"authorship_logit": {"p00": "copied", "p01": "invalid: loop"}}}
    )
    (found,) = positions(pasted, ["v"])
    assert math.isnan(found.value)
    assert found.note == "no valid answers that are not copied"


def test_ranking_caps_at_the_author_and_bars_whoever_fails_a_gate() -> None:
    known = {
        "copyist": 1.4,
        "author": 1.0,
        "beyond": 1.2,
        "good": 0.7,
        "poor": 0.1,
        "unknown": NAN,
        "loop": NAN,
    }
    found = [Position(name, value, Interval(value, value)) for name, value in known.items()]
    order = [p.variant for p in ranking(found, failed=["copyist", "loop"])]
    assert order == ["author", "beyond", "good", "poor", "unknown", "copyist", "loop"]


def test_however_high_a_failing_variant_stands_below_every_passing_one() -> None:
    draw = np.random.default_rng(0)
    for _ in range(50):
        values = draw.normal(0.5, 1, 8)
        values[draw.random(8) < 0.2] = NAN
        found = [Position(f"v{i}", float(v), Interval(v, v)) for i, v in enumerate(values)]
        failed = {f"v{i}" for i in range(8) if draw.random() < 0.4}
        barred = [p.variant in failed for p in ranking(found, failed)]
        assert barred == sorted(barred)
