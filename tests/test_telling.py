"""Verdicts as at most twelve lines in five groups."""

from __future__ import annotations

import math

import pytest
from handmade import make_adapter

from harness.pairing import Pair, pair
from harness.telling import GROUPS, MOST_LINES, ORDER, lines, sentence
from harness.types import Gate, Interval, Outcome, Verdict


def verdict(metric: str, outcome: Outcome, primary: bool = False, **changed: object) -> Verdict:
    found: dict[str, object] = {
        "metric": metric, "task": metric, "outcome": outcome, "primary": primary, "baseline": 0.5,
        "candidate": 0.25, "difference": -0.25, "interval": Interval(-0.4, 0.1), "p_holm": 0.2, "n": 80,
        "unit": "prompts", "margin": 0.02, "detectable": 0.1, "needed": 0,
    }  # fmt: skip
    return Verdict(**(found | changed))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("outcome", "group", "remark"),
    [
        ("WORSE", "worse", "80 prompts"),
        ("decline", "maybe worse", "80 prompts, decline"),
        ("same", "no difference", "80 prompts, margin 2 points"),
        ("not worse", "no difference", "80 prompts, not worse by the margin 2 points"),
        ("better", "better", "80 prompts"),
        ("slight gain", "better", "80 prompts, slight gain"),
        ("inconclusive", "cannot tell", "80 prompts; more would decide"),
        ("descriptive", "cannot tell", "only 80 prompts"),
        ("not comparable", "cannot tell", "not comparable: engines differ"),
    ],
)
def test_every_outcome_has_its_group(outcome: Outcome, group: str, remark: str) -> None:
    note = "engines differ" if outcome == "not comparable" else ""
    (line,) = lines([verdict("copied", outcome, primary=True, note=note)], [])
    assert (line.group, line.remark, line.metric) == (group, remark, "copied answers *")
    assert set(GROUPS.values()) == set(ORDER)


def test_rates_are_in_per_cent_and_numbers_are_not() -> None:
    rate, number = lines([verdict("copied", "decline", True), verdict("mattr", "decline")], [])
    assert (rate.change, rate.gain) == ("50 % -> 25 %", "-25 [-40, 10] points")
    assert (number.change, number.gain) == ("0.5 -> 0.25", "-0.25 [-0.4, 0.1]")
    nothing = Interval(math.nan, math.nan)
    (barred,) = lines([verdict("mattr", "not comparable", difference=math.nan, interval=nothing)], [])
    assert barred.gain == ""


def test_what_would_decide_is_said_where_it_is_more_than_there_is() -> None:
    (more,) = lines([verdict("copied", "inconclusive", needed=244)], [])
    (less,) = lines([verdict("copied", "inconclusive", needed=60)], [])
    assert (more.remark, less.remark) == ("80 prompts; 244 would decide", "80 prompts; more would decide")


def test_gates_that_do_not_pass_have_a_line() -> None:
    gates = [
        Gate("new", "leak", rate, Interval(0.04, 0.2), 0.05, 60, outcome)  # type: ignore[arg-type]
        for rate, outcome in ((0.1, "needs n"), (0.5, "FAIL"), (0.0, "pass"))
    ]
    failed, unsure = lines([], gates)
    assert (failed.group, failed.metric, failed.change) == ("worse", "gate on leaks *", "50 % of new")
    assert (unsure.group, unsure.gain) == ("cannot tell", "[4, 20] %")
    assert unsure.remark == "60 answers, ceiling 5 %: more answers would decide"


def test_twelve_lines_and_what_decides_is_never_dropped() -> None:
    secondary = [verdict(f"m{n}", "same") for n in range(15)] + [verdict("bad", "decline")]
    primary = [verdict("copied", "inconclusive", True), verdict("authorship_logit", "same", True)]
    found = lines([*primary, *secondary], [])
    assert len(found) == MOST_LINES == 12
    assert {line.metric for line in found if line.decides} == {"copied answers *", "authorship *"}
    assert found[0].metric == "bad", "worse comes first, and no difference is dropped before it"
    groups = [ORDER.index(line.group) for line in found]
    assert groups == sorted(groups)


def told(one: Pair) -> str:
    return sentence([one], [verdict("copied", "same", True)], [])


def test_two_ranks_and_two_bases_of_the_same_data_are_no_question_of_data() -> None:
    small = make_adapter("small@1", 1)
    (ranks,) = pair([small], [make_adapter("big@1", 1, lora={"r": 64})], by_recipe=False)
    assert told(ranks).endswith(
        "What differs: lora.r 16 -> 64. One training run each: this is about these adapters."
    )
    from dataclasses import replace

    (bases,) = pair([small], [replace(small, name="b", base="other", digest="b")], by_recipe=False)
    assert "What differs: base tiny -> other." in told(bases)
    bare = [replace(small, name=n, kind="base", base=n, digest=n, corpus="", record={}) for n in ("a", "b")]
    (untrained,) = pair(bare[:1], bare[1:], by_recipe=False)
    assert told(untrained).endswith("What differs: base a -> b.")


NOT_SURE = "Nothing that decides is shown to be better or worse."


@pytest.mark.parametrize(
    ("difference", "margin", "p", "said"),
    [
        (-0.019, 0.02, 0.01, "Nothing that decides got worse, and nothing got better. "
         "Slightly down, within what matters: copied answers."),
        (-0.25, 0.02, 0.06, f"{NOT_SURE} Down by more than the margin, but not beyond chance: "
         "copied answers."),
        (-0.25, 0.02, 0.01, f"{NOT_SURE} Down by more than the margin, but by no more than training seeds "
         "can differ: copied answers."),
        (-0.25, math.nan, 0.01, f"{NOT_SURE} Down, with no margin to hold it against: copied answers."),
    ],
)  # fmt: skip
def test_a_decline_is_called_slight_only_within_the_margin(
    difference: float, margin: float, p: float, said: str
) -> None:
    down = verdict("copied", "decline", True, difference=difference, margin=margin, p_holm=p)
    assert sentence([], [down], []) == said


@pytest.mark.parametrize("outcome", ["decline", "not comparable"])
def test_better_is_not_said_to_have_cost_nothing_where_that_is_not_known(outcome: Outcome) -> None:
    gained = verdict("authorship_logit", "better", True)
    told = sentence([], [gained, verdict("copied", outcome, True)], [])
    assert told.startswith("The candidate is better on authorship. ")
    assert sentence([], [gained], []) == (
        "The candidate is better on authorship, and nothing that decides got worse."
    )
