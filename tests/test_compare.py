"""Every rule of the verdict list, in order, on tables written by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from handmade import make_adapter, make_ask, make_table

from harness.cli.compare import verdict_row
from harness.compare import LOGARITHMS, Comparison, compare
from harness.deciding import Draft, units_to_decide
from harness.errors import ConfigurationError
from harness.pairing import Pair, pair, seed_spreads
from harness.statistics import holm, minimal_detectable_effect, paired_test, sample_size
from harness.summaries import summarise
from harness.telling import lines
from harness.types import Variant, Verdict

N = 40
OLD, NEW = make_adapter("old", 1), make_adapter("new", 2)
NAN = math.nan


def wave(mean: float, amplitude: float, n: int = N) -> list[float]:
    """``n`` values with this mean, alternating by the amplitude."""
    return [mean + amplitude * (-1) ** i for i in range(n)]


def judge(
    metric: str,
    old: Sequence[float],
    new: Sequence[float],
    *,
    primaries: Sequence[str] = ("authorship_logit",),
    spreads: dict[str, float] | None = None,
    author: Sequence[float] | None = None,
    **table: Any,
) -> Verdict:
    asked = make_ask(max(len(old), len(new)), primaries=tuple(primaries))
    values: dict[str, dict[str, Sequence[float]]] = {"old": {metric: old}, "new": {metric: new}}
    if author is not None:
        values["author"] = {metric: author}
    comparison = compare(asked, [Pair(OLD, NEW)], make_table(asked, values, **table), spreads)
    (verdict,) = (v for v in comparison.verdicts if v.metric == metric)
    return verdict


def logit(d: Sequence[float], **kwargs: Any) -> Verdict:
    return judge("authorship_logit", [0.0] * len(d), d, **kwargs)


# ── 1 not comparable ──────────────────────────────────────────────────────────────────────────────


def test_engines_that_differ_forbid_it() -> None:
    verdict = logit(wave(1, 0.1), engines={"old": "hf/float32", "new": "vllm/bfloat16"})
    assert (verdict.outcome, verdict.note) == (
        "not comparable",
        "engines differ: hf/float32 and vllm/bfloat16",
    )


def test_metric_versions_that_differ_forbid_it() -> None:
    versions = {("old", "authorship_logit"): "1", ("new", "authorship_logit"): "2"}
    verdict = logit(wave(1, 0.1), versions=versions)
    assert (verdict.outcome, verdict.note) == ("not comparable", "metric versions differ")


def test_different_prompts_forbid_it() -> None:
    verdict = judge("authorship_logit", wave(0, 0.1, 40), wave(1, 0.1, 38), primaries=("copied",))
    assert (verdict.outcome, verdict.note) == (
        "not comparable",
        "different prompts: 2 are on one side only",
    )


@pytest.mark.parametrize("metric", ["authorship_logit", "bits_per_byte"])
def test_a_primary_needs_a_row_for_all_that_is_asked(metric: str) -> None:
    """A run stopped at 16 of 80 on both sides agrees with itself, and says nothing of the 64."""
    asked = make_ask(80, primaries=(metric,), likelihood={"documents": 80})
    values = {name: {metric: wave(mean, 0.1, 16)} for name, mean in (("old", 1), ("new", 2))}
    comparison = compare(asked, [Pair(OLD, NEW)], make_table(asked, values))
    (verdict,) = (v for v in comparison.verdicts if v.primary)
    assert (verdict.outcome, verdict.note) == ("not comparable", "old lacks 64 of 80; new lacks 64 of 80")
    assert comparison.exit_code == 4
    one_sided = judge(metric, wave(0, 0.1, 40), wave(1, 0.1, 38), primaries=(metric,))
    assert (one_sided.outcome, one_sided.note) == ("not comparable", "new lacks 2 of 40")


def test_no_scores_on_one_side_forbid_it() -> None:
    verdict = judge("authorship_logit", wave(0, 0.1), [])
    assert (verdict.outcome, verdict.note) == ("not comparable", "new has no authorship_logit")
    assert verdict.curable


@pytest.mark.parametrize(("valid", "outcome"), [(31, "not comparable"), (32, "better")])
def test_four_in_five_prompts_must_be_valid_in_both(valid: int, outcome: str) -> None:
    verdict = logit(wave(1, 0.1, valid) + [NAN] * (N - valid))
    assert verdict.outcome == outcome
    assert verdict.note == ("only 31 of 40 prompts are valid in both" if valid == 31 else "")
    assert (verdict.n, verdict.curable) == (valid, False)


# ── 2 descriptive ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("n", "outcome"), [(11, "descriptive"), (12, "better")])
def test_under_twelve_units_only_describe(n: int, outcome: str) -> None:
    verdict = logit(wave(1, 0.1, n))
    assert (verdict.outcome, verdict.n) == (outcome, n)
    assert math.isnan(verdict.p_holm) == (outcome == "descriptive")


# ── 3 better, 4 WORSE ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("mean", "outcome"),
    [(0.25, "better"), (0.24, "slight gain"), (-0.25, "WORSE"), (-0.24, "decline")],
)
def test_a_primary_needs_both_significance_and_the_margin(mean: float, outcome: str) -> None:
    verdict = logit([mean] * N)
    assert verdict.outcome == outcome
    assert verdict.margin == 0.25
    assert verdict.p_holm == pytest.approx(1 / 10_001)


def test_the_spread_between_training_seeds_raises_the_bar() -> None:
    assert logit(wave(0.5, 0.1)).outcome == "better"
    assert logit(wave(0.5, 0.1), spreads={"authorship_logit": 0.6}).outcome == "slight gain"
    assert logit(wave(-0.5, 0.1), spreads={"authorship_logit": 0.6}).outcome == "decline"
    assert logit(wave(0.5, 0.1), spreads={"authorship_logit": 0.1}).outcome == "better"


@pytest.mark.parametrize(("mean", "outcome"), [(1.0, "slight gain"), (-1.0, "decline")])
def test_two_seeds_of_one_recipe_are_never_better_or_worse(mean: float, outcome: str) -> None:
    """Their spread is their own difference, and |mean| >= |mean| always: what differs is chance."""
    twins = [make_adapter("small@1", 1, 1), make_adapter("small@1+seed2", 1, 2)]
    asked = make_ask(N, primaries=("authorship_logit",))
    values = {v.name: {"authorship_logit": wave(m, 0.1)} for v, m in zip(twins, (0, mean), strict=True)}
    table = make_table(asked, values)
    comparison = compare(
        asked, pair(twins[:1], twins[1:], by_recipe=False), table, seed_spreads(table, twins, asked)
    )
    (verdict,) = (v for v in comparison.verdicts if v.primary)
    assert verdict.p_holm < 0.05
    assert (verdict.outcome, comparison.exit_code) == (outcome, 0)
    assert comparison.sentence.endswith(
        "What differs: training seed 1 -> 2. Between trainings of one recipe on one corpus a difference is "
        "chance: nothing is called better or worse."
    )


def test_only_primaries_can_be_better_or_worse() -> None:
    for mean, outcome in ((1.0, "slight gain"), (-1.0, "decline")):
        verdict = logit(wave(mean, 0.1), primaries=("copied",))
        assert (verdict.outcome, verdict.primary) == (outcome, False)
        assert math.isnan(verdict.p_holm)


def test_a_large_mean_that_is_not_significant_is_neither() -> None:
    verdict = logit(wave(0.4, 3.0))
    assert verdict.p_holm > 0.05
    assert verdict.outcome == "inconclusive"


@pytest.mark.parametrize(("metric", "sign"), [("bits_per_byte", -1), ("copied", -1), ("authorship_logit", 1)])
def test_differences_are_turned_so_that_higher_is_better(metric: str, sign: int) -> None:
    old, new = [0.5] * N, [0.9] * N
    verdict = judge(metric, old, new, primaries=(metric,))
    assert verdict.difference == pytest.approx(sign * 0.4)
    assert verdict.outcome == ("better" if sign > 0 else "WORSE")
    assert (verdict.baseline, verdict.candidate) == pytest.approx((0.5, 0.9))
    assert verdict.unit == ("blocks" if metric == "bits_per_byte" else "prompts")


def test_toward_the_author_his_mean_every_time_is_no_gain() -> None:
    """Closer prompt by prompt than another honest text, as any constant in the middle is."""
    draw = np.random.default_rng(3)
    author, honest = draw.normal(100, 20, 80).tolist(), draw.normal(100, 20, 80).tolist()
    constant = judge("words", honest, [100.0] * 80, author=author)
    assert constant.interval.low > 0
    assert constant.outcome == "inconclusive"
    assert constant.note.startswith("closer prompt by prompt, not as a distribution")
    assert (constant.needed, math.isnan(constant.detectable)) == (0, True), "no number of prompts would do"
    (line,) = lines([constant], [])
    assert line.remark == "80 prompts; closer prompt by prompt, not as a distribution"
    back = judge("words", [100.0] * 80, honest, author=author)
    assert (back.outcome, back.interval.high < 0) == ("inconclusive", True)
    assert back.note.startswith("further prompt by prompt, not as a distribution")


def test_toward_the_author_overshoot_is_no_gain() -> None:
    author = [100.0] * N
    nearer = judge("words", wave(60, 1), wave(90, 1), author=author)
    beyond = judge("words", wave(60, 1), wave(160, 1), author=author)
    assert [nearer.outcome, beyond.outcome] == ["slight gain", "decline"]
    assert [nearer.difference, beyond.difference] == pytest.approx([30.0, -20.0])


@pytest.mark.parametrize("metric", ["word_perplexity", "byte_perplexity"])
def test_perplexities_are_compared_as_they_are_reported(metric: str) -> None:
    asked = make_ask(N)
    old, new = [10.0, 90.0] * (N // 2), [20.0, 45.0] * (N // 2)
    table = make_table(asked, {"old": {metric: old}, "new": {metric: new}})
    comparison = compare(asked, [Pair(OLD, NEW)], table)
    (verdict,) = (v for v in comparison.verdicts if v.metric == metric)
    assert (verdict.baseline, verdict.candidate) == pytest.approx((30, 30))
    assert (verdict.baseline, verdict.candidate) == pytest.approx(
        tuple(summarise(table, name, metric).value for name in ("old", "new"))
    )
    assert verdict.difference == pytest.approx(0, abs=1e-12)
    assert verdict.note == LOGARITHMS


def test_an_unknown_spread_does_not_tell_how_many_would_decide() -> None:
    verdict = replace(logit(wave(0, 3)), unit="prompts")
    assert units_to_decide(Draft(verdict, math.nan, 0.1, math.nan), 0.1, 0.05) == 0


# ── 5 to 9 ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("mean", "amplitude", "outcome"),
    [
        (-0.10, 0.05, "decline"),
        (0.10, 0.05, "slight gain"),
        (0.00, 0.10, "same"),
        (0.10, 0.60, "not worse"),  # about [-.09, .29]: past +m, not past -m
        (0.00, 3.00, "inconclusive"),
        (-0.10, 0.60, "inconclusive"),  # the mirror image of "not worse" may hide a loss
    ],
)
def test_the_interval_decides_the_rest(mean: float, amplitude: float, outcome: str) -> None:
    verdict = logit(wave(mean, amplitude))
    low, high = verdict.interval
    assert verdict.outcome == outcome
    assert {"decline": high < 0, "slight gain": low > 0, "same": -0.25 < low < 0 < high < 0.25,
            "not worse": -0.25 < low < 0 and high >= 0.25, "inconclusive": low <= -0.25}[outcome]  # fmt: skip


def test_inconclusive_says_what_would_decide() -> None:
    d = wave(0.0, 3.0)
    sd = float(np.std(d, ddof=1))
    alone = logit(d)
    assert alone.detectable == pytest.approx(minimal_detectable_effect(sd, N, alpha=0.05))
    assert alone.needed == sample_size(sd, 0.25, alpha=0.05) > N
    asked = make_ask(N, primaries=("authorship_logit", "copied"))
    values = {
        name: {"authorship_logit": side, "copied": wave(0.5, 0.5)}
        for name, side in (("old", [0.0] * N), ("new", d))
    }
    family = compare(asked, [Pair(OLD, NEW)], make_table(asked, values)).verdicts
    (verdict,) = (v for v in family if v.metric == "authorship_logit")
    assert verdict.needed == sample_size(sd, 0.25, alpha=0.025)
    assert logit(wave(0, 0.1)).needed == 0


@pytest.mark.parametrize(
    ("discordant", "n", "outcome"),
    [
        (3, 40, "inconclusive"),
        (5, 40, "inconclusive"),
        (6, 40, "decline"),
        (5, 1000, "same"),  # [-.01, -.002] lies within the margin of .02
    ],
)
def test_a_rate_needs_six_prompts_that_differ_to_decline(discordant: int, n: int, outcome: str) -> None:
    """Without the six, three copied answers more were a decline: the bootstrap never draws none of them."""
    side = [0.0] * n
    bad = [1.0] * discordant + [0.0] * (n - discordant)
    verdict = judge("copied", side, bad, primaries=("authorship_logit",))
    assert (verdict.outcome, verdict.n) == (outcome, n)
    assert verdict.interval.high < 0 or discordant < 5, "the rule is needed"
    mirrored = judge("copied", bad, side, primaries=("authorship_logit",))
    assert (mirrored.outcome == "slight gain") == (discordant >= 6)


def test_p_is_taken_times_the_looks_a_suite_declares() -> None:
    """40 prompts, 80 at most: two looks. The sizes were declared, so what was seen does not matter."""
    values = {"old": {"authorship_logit": [0.0] * 60}, "new": {"authorship_logit": wave(0.5, 0.1, 60)}}
    found = []
    for most in (None, 50):
        asked = make_ask(60, primaries=("authorship_logit",), prompts=N, max_prompts=most)
        found.append(compare(asked, [Pair(OLD, NEW)], make_table(asked, values)).verdicts[0])
    assert [v.p_holm for v in found] == pytest.approx([1 / 10_001, 2 / 10_001])
    assert found[1].detectable > found[0].detectable


# ── the family ────────────────────────────────────────────────────────────────────────────────────


def test_holm_runs_over_the_primaries_and_nothing_else() -> None:
    """A p of about .03 is enough alone and not in a family of four, however many secondaries there are."""
    d = np.array([1.0] * 27 + [-1.0] * 13)
    raw = paired_test(d, np.zeros(N)).p
    assert 0.0125 < raw < 0.05
    flat = wave(0.5, 0.5)
    old = {"authorship_logit": [0.0] * N, "copied": flat, "bits_per_byte": flat, "author_specific_gain": flat,
           "invalid": flat, "words": flat}  # fmt: skip
    new = old | {"authorship_logit": d.tolist()}
    tested = ("bits_per_byte", "author_specific_gain", "authorship_logit", "copied")
    for primaries in (("authorship_logit",), tested):
        asked = make_ask(N, primaries=primaries)
        table = make_table(asked, {"old": old, "new": new, "author": {"words": flat}})
        verdicts = compare(asked, [Pair(OLD, NEW)], table).verdicts
        found = {v.metric: v for v in verdicts}
        assert [v.metric for v in verdicts[: len(primaries)]] == list(primaries)
        expected = holm([raw] + [1.0] * (len(primaries) - 1))[0]
        assert found["authorship_logit"].p_holm == pytest.approx(expected)
        assert math.isnan(found["invalid"].p_holm)
        assert found["authorship_logit"].outcome == ("better" if len(primaries) == 1 else "slight gain")


def test_a_primary_that_was_not_tested_does_not_cost_the_others() -> None:
    asked = make_ask(N, primaries=("authorship_logit", "copied"))
    one_sided = {"old": {"authorship_logit": [0.0] * N}, "new": {"authorship_logit": wave(1.0, 0.1)}}
    found = {v.metric: v for v in compare(asked, [Pair(OLD, NEW)], make_table(asked, one_sided)).verdicts}
    assert found["copied"].outcome == "not comparable"
    assert found["authorship_logit"].p_holm == pytest.approx(1 / 10_001)


def test_a_pair_without_valid_answers_is_not_hidden_by_the_others() -> None:
    old, new = ([make_adapter(f"{side}{s}", v, s) for s in (1, 2)] for side, v in (("old", 1), ("new", 2)))
    asked = make_ask(N, primaries=("authorship_logit",))
    values = {name: {"authorship_logit": wave(1, 0.1)} for name in ("old1", "old2", "new1")}
    table = make_table(asked, {**values, "new2": {"authorship_logit": [NAN] * N}})
    comparison = compare(asked, pair(old, new, by_recipe=True), table)
    (verdict,) = (v for v in comparison.verdicts if v.primary)
    assert (verdict.outcome, verdict.note) == ("not comparable", "only 20 of 40 prompts are valid in both")


def test_seed_spreads_are_the_largest_difference_between_seeds_of_one_recipe_and_corpus() -> None:
    a, b, other = make_adapter("a", 1, seed=1), make_adapter("b", 1, seed=2), make_adapter("c", 1, lr=0.1)
    asked = make_ask(N)
    table = make_table(asked, {n: {"authorship_logit": [v] * N} for n, v in (("a", 1), ("b", 1.5), ("c", 9))})
    assert seed_spreads(table, [a, b, other], asked) == {"authorship_logit": 0.5}
    assert seed_spreads(table, [a, other], asked) == {}


# ── pairs ─────────────────────────────────────────────────────────────────────────────────────────


def test_corpora_pair_by_recipe_and_training_seed() -> None:
    old = [make_adapter(f"old{seed}", 1, seed) for seed in (1, 2, 3)] + [
        make_adapter("oldr", 1, lora={"r": 8})
    ]
    new = [make_adapter(f"new{seed}", 2, seed) for seed in (2, 1)]
    found = pair(old, new, by_recipe=True)
    assert {(p.baseline.name, p.candidate.name, p.also_changed) for p in found} == {
        ("old1", "new1", ()),
        ("old2", "new2", ()),
    }


def test_nothing_paired_is_an_error_that_lists_both_sides() -> None:
    old = [make_adapter("a", 1), make_adapter("b", 1, seed=2)]
    with pytest.raises(
        ConfigurationError, match=r"nothing pairs: no recipe and seed is on both sides \(a, b \| c\)"
    ):
        pair(old, [make_adapter("c", 2, lr=0.5)], by_recipe=True)


def test_what_else_changed_is_said() -> None:
    one = pair([make_adapter("a", 1)], [make_adapter("b", 2, seed=7, lora={"r": 32})], by_recipe=False)
    assert one[0].also_changed == ("lora.r 16 -> 32", "training seed 1 -> 7")
    assert run({}, [OLD, one[0].candidate]).sentence.endswith(
        "Also changed: lora.r 16 -> 32; training seed 1 -> 7: this is not about data."
    )


def test_several_pairs_are_averaged_within_a_prompt() -> None:
    old, new = ([make_adapter(f"{side}{s}", v, s) for s in (1, 2)] for side, v in (("old", 1), ("new", 2)))
    asked = make_ask(N, primaries=("authorship_logit",))
    means = {"old1": 0.0, "old2": 0.0, "new1": 1.0, "new2": 0.5}
    table = make_table(asked, {n: {"authorship_logit": wave(m, 0.1)} for n, m in means.items()})
    comparison = compare(asked, pair(old, new, by_recipe=True), table)
    (verdict,) = (v for v in comparison.verdicts if v.primary)
    assert verdict.n == N
    assert verdict.difference == pytest.approx(0.75)
    assert "One training run each" not in comparison.sentence


# ── gates, sentences, exit codes ──────────────────────────────────────────────────────────────────


def run(new: dict[str, Sequence[float]], sides: Sequence[Variant] = (OLD, NEW)) -> Comparison:
    """All four primaries and the gates, nothing changed but what is given for the candidate."""
    same: dict[str, Sequence[float]] = {
        "bits_per_byte": wave(1, 0.1), "author_specific_gain": wave(0.1, 0.05),
        "authorship_logit": wave(1, 0.1), "copied": [0.0] * N, "invalid": [0.0] * N, "leak": [0.0] * N,
    }  # fmt: skip
    asked = make_ask(N)
    author: dict[str, Sequence[float]] = {"copied": [0.0] * N}
    values = {sides[0].name: same, sides[1].name: {**same, **new}, "author": author}
    return compare(asked, pair([sides[0]], [sides[1]], by_recipe=False), make_table(asked, values))


ONE_EACH = "One training run each: this is about these adapters, not yet the data."
NONE = "copied answers (none seen on either side)."


@pytest.mark.parametrize(
    ("changed", "said", "exit_code"),
    [
        ({}, f"Nothing that decides got worse, and nothing got better. Cannot tell: {NONE}", 0),
        (
            {"authorship_logit": wave(2, 0.1)},
            f"The candidate is better on authorship, and nothing that decides got worse. Cannot tell: {NONE}",
            0,
        ),
        (
            {"bits_per_byte": wave(1.2, 0.1)},
            f"The candidate got worse on bits per byte on unseen prose. Cannot tell: {NONE}",
            3,
        ),
        (
            {"bits_per_byte": wave(1.2, 0.1), "author_specific_gain": wave(0.0, 0.05),
             "authorship_logit": wave(2, 0.1)},
            "The candidate got worse on bits per byte on unseen prose and author-specific gain. "
            f"It is better on authorship. Cannot tell: {NONE}",
            3,
        ),
        (
            {"leak": [1.0] * 20 + [0.0] * 20},
            f"The candidate failed the gate on leaks. Cannot tell: {NONE}",
            3,
        ),
        (
            {"copied": [1.0] * N},
            "The candidate got worse on copied answers and failed the gate on copied answers.",
            3,
        ),
        (
            {"authorship_logit": [x - 0.1 for x in wave(1, 0.1)]},
            "Nothing that decides got worse, and nothing got better. "
            f"Slightly down, within what matters: authorship. Cannot tell: {NONE}",
            0,
        ),
        (
            {"authorship_logit": wave(1, 4)},
            f"Nothing that decides got worse, and nothing got better. Cannot tell: authorship and {NONE}",
            0,
        ),
        (
            {"authorship_logit": wave(1, 0.1, 20) + [NAN] * 20},
            "Nothing that decides is shown to be better or worse. Not comparable: authorship. "
            f"Cannot tell: {NONE}",
            4,
        ),
    ],
)  # fmt: skip
def test_the_plain_sentence_and_the_exit_code(
    changed: dict[str, Sequence[float]], said: str, exit_code: int
) -> None:
    comparison = run(changed)
    assert comparison.sentence == f"{said} {ONE_EACH}"
    assert comparison.exit_code == exit_code


def test_an_empty_candidate_is_not_better_on_copied_answers() -> None:
    """Who says nothing copies nothing; a pasted index page is invalid and stays copied."""
    asked = make_ask(N, primaries=("copied",))
    old = {"copied": [1.0] * 10 + [0.0] * 30, "invalid": [0.0] * N}
    silent = make_table(asked, {"old": old, "new": {"copied": [0.0] * N, "invalid": [1.0] * N}})
    comparison = compare(asked, [Pair(OLD, NEW)], silent)
    assert (comparison.verdicts[0].outcome, comparison.verdicts[0].note) == (
        "not comparable",
        "only 0 of 40 prompts are valid in both",
    )
    pasted = make_table(asked, {"old": old, "new": {"copied": [1.0] * N, "invalid": [1.0] * N}})
    assert compare(asked, [Pair(OLD, NEW)], pasted).verdicts[0].outcome == "WORSE"


def test_sides_that_share_nothing_cannot_be_compared() -> None:
    asked = make_ask(N)
    comparison = compare(asked, [Pair(OLD, NEW)], make_table(asked, {"old": {"copied": [0.0] * N}}))
    assert comparison.sentence == f"The two sides cannot be compared. {ONE_EACH}"
    assert comparison.exit_code == 4


def test_too_few_prompts_cannot_tell() -> None:
    asked = make_ask(6)
    side = {m: wave(0, 0.0, 6) for m in asked.suite.primaries}
    comparison = compare(asked, [Pair(OLD, NEW)], make_table(asked, {"old": side, "new": side}))
    assert comparison.sentence == (
        f"Cannot tell: nothing that decides is settled at this number of prompts. {ONE_EACH}"
    )
    assert comparison.exit_code == 0


@pytest.mark.parametrize(
    ("bad", "n", "outcome"),
    [(0, 40, "needs n"), (0, 80, "pass"), (4, 40, "needs n"), (5, 40, "FAIL"), (8, 40, "FAIL")],
)
def test_gates_by_hand(bad: int, n: int, outcome: str) -> None:
    """Ceiling 5 %. Wilson: 0/40 ends at 8.8 %, 0/80 at 4.6 %; 4/40 begins at 4.0 %, 5/40 at 5.5 %."""
    asked = make_ask(n, gates={"leak": 0.05})
    values = {"old": {"leak": [0.0] * n}, "new": {"leak": [1.0] * bad + [0.0] * (n - bad)}}
    (gate,) = compare(asked, [Pair(OLD, NEW)], make_table(asked, values)).gates
    assert (gate.outcome, gate.variant, gate.rate, gate.ceiling) == (outcome, "new", bad / n, 0.05)


def test_a_gate_stands_above_the_authors_own_rate() -> None:
    asked = make_ask(N, gates={"copied": 0.05})
    rates = {"old": 0, "new": 16, "author": 12}
    values = {name: {"copied": [1.0] * bad + [0.0] * (N - bad)} for name, bad in rates.items()}
    (gate,) = compare(asked, [Pair(OLD, NEW)], make_table(asked, values)).gates
    assert gate.ceiling == pytest.approx(0.35)
    assert gate.outcome == "needs n"


def test_silence_does_not_pass_the_gate_on_copying() -> None:
    """72 of 80 answers are empty and 4 of the others copied: 4 of 8, not 4 of 80. Empty alone: nothing."""
    asked = make_ask(80, gates={"copied": 0.05})
    mostly = {"copied": [1.0] * 4 + [0.0] * 76, "invalid": [0.0] * 8 + [1.0] * 72}
    silent = {"copied": [0.0] * 80, "invalid": [1.0] * 80}
    found = []
    for new in (mostly, silent):
        table = make_table(asked, {"old": {"copied": [0.0] * 80}, "new": new})
        found.append(compare(asked, [Pair(OLD, NEW)], table).gates[0])
    assert (found[0].outcome, found[0].n, found[0].rate) == ("FAIL", 8, 0.5)
    assert (found[1].outcome, found[1].n, math.isnan(found[1].rate)) == ("needs n", 0, True)


# ── rates of which little is seen ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("n", "outcome"), [(80, "inconclusive"), (188, "inconclusive"), (189, "same")])
def test_none_seen_of_few_is_not_the_same(n: int, outcome: str) -> None:
    verdict = judge("copied", [0.0] * n, [0.0] * n, primaries=("copied",))
    assert verdict.outcome == outcome
    if n == 80:
        assert verdict.interval == pytest.approx((-0.0458, 0.0458), abs=1e-4)
        assert verdict.needed == 189
        assert verdict.detectable == pytest.approx(0.0458, abs=1e-4), "and not 0, as its spread would have it"
        assert verdict.note == "none seen in 80 prompts on either side; up to 4.6 % could be"
        (line,) = lines([verdict], [])
        assert line.remark == f"{verdict.note}; 189 would decide if still none"
        assert verdict_row(verdict)["remark"] == f"n = 189 would decide if still none; {verdict.note}"
    assert (verdict.needed == 0) == (outcome == "same")


def test_what_needs_more_of_a_rate_is_never_less_than_for_none_seen() -> None:
    one = judge("copied", [1.0] + [0.0] * 79, [0.0] * 80, primaries=("copied",))
    assert (one.outcome, one.note) == ("inconclusive", "")
    assert one.needed >= 189


def test_several_samples_widen_the_interval_of_a_rate_too() -> None:
    halves = judge("copied", [0.5] + [0.0] * 79, [0.0] * 80, primaries=("copied",))
    assert halves.interval.low < -0.03
    assert halves.interval.high > 0.05


# ── unfit on this author ──────────────────────────────────────────────────────────────────────────

BLIND = {"authorship_logit_auc": 0.52, "mattr_auc": 0.51, "words_auc": 0.9, "authorship_masked_auc": 0.9}


def blind(aucs: dict[str, float], new: float, n: int = N, **suite: Any) -> Comparison:
    asked = make_ask(n, **suite)
    asked = replace(asked, reference=replace(asked.reference, audit=aucs))
    sides = {"old": wave(1, 0.1, n), "new": wave(new, 0.1, n)}
    bits = {"old": wave(1, 0.1, n), "new": wave(0.97, 0.2, n)}
    return compare(
        asked,
        [Pair(OLD, NEW)],
        make_table(
            asked,
            {name: {"bits_per_byte": bits[name], "author_specific_gain": wave(1, 0.1, n),
                    "authorship_logit": logits, "copied": [0.0] * n}
             for name, logits in sides.items()},
        ),
    )  # fmt: skip


@pytest.mark.parametrize("new", [-3.0, 5.0])
def test_a_primary_unfit_on_this_author_decides_nothing(new: float) -> None:
    fit = next(v for v in blind({}, new).verdicts if v.metric == "authorship_logit")
    assert (fit.outcome, fit.primary) == ("WORSE" if new < 0 else "better", True)
    comparison = blind(BLIND, new)
    verdict = next(v for v in comparison.verdicts if v.metric == "authorship_logit")
    assert (verdict.outcome, verdict.primary, comparison.exit_code) == ("descriptive", False, 0)
    assert math.isnan(verdict.p_holm)
    assert verdict.note.startswith("unfit on this author (AUC 0.52 [")
    assert verdict.note.endswith("] at 100 words): it decides nothing")
    assert "Decides nothing, being unfit on this author: authorship." in comparison.sentence
    assert comparison.fell == ()
    (line,) = (line for line in lines(comparison.verdicts, []) if line.metric == "authorship")
    assert (line.group, line.decides, line.remark) == (
        "cannot tell",
        False,
        verdict.note.removesuffix(": it decides nothing"),
    )


def test_an_unfit_primary_takes_no_share_of_holms_alpha_and_makes_nothing_incomplete() -> None:
    with_it, without = blind({}, 1.0), blind(BLIND, 1.0)
    p = [next(v.p_holm for v in c.verdicts if v.metric == "bits_per_byte") for c in (with_it, without)]
    assert p[0] == pytest.approx(4 / 3 * p[1])
    alone = blind(BLIND, 1.0, primaries=("authorship_logit",))
    assert alone.sentence.startswith("Cannot tell: nothing here decides. Decides nothing, being unfit")
    asked = make_ask(N, primaries=("authorship_logit",))
    asked = replace(asked, reference=replace(asked.reference, audit=BLIND))
    lacking = make_table(asked, {"old": {"authorship_logit": wave(1, 1)}, "new": {"copied": [0.0] * N}})
    assert compare(asked, [Pair(OLD, NEW)], lacking).exit_code == 0
