"""More prompts where nothing can be told: only for the two sides, only what is open, nothing twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from handmade import make_ask
from scripted_bench import SUITE, better_with_training, compute, finished_workspace
from small_author import NAME

from harness import reference as references
from harness.across import compare_across
from harness.bench import Bench, open_bench, warehouse
from harness.compare import Comparison
from harness.errors import ConfigurationError
from harness.growing import Growth, compare_grown, grow, next_size, open_units
from harness.growing import compute as grow_answers
from harness.models.scripted import ScriptedModel
from harness.score import score
from harness.statistics import UNKNOWN
from harness.store import Run
from harness.telling import none_seen
from harness.types import Verdict

SIDES = ("small@1", "small@2")
GROWING = SUITE.replace("max_tokens: 40", "max_tokens: 41\nprompts: 14\nmax_prompts: 20")


def torn(workspace: Path) -> ScriptedModel:
    """On every second prompt the first adapter writes as the author and the second as somebody else."""
    reference = references.load(NAME, workspace)
    prompts = {prompt.text: (n, prompt.reference) for n, prompt in enumerate(reference.prompts)}
    others = [passage.text for passages in reference.others.values() for passage in passages]

    def script(rendered: str, adapter: Path | None) -> str:
        n, own = next(found for text, found in prompts.items() if text in rendered)
        second = adapter is not None and adapter.name.endswith("2")
        said = own if (n // 2 + second) % 2 else others[n]
        return " ".join(said.split(" ")[:36]).rstrip(".,;") + "."

    return ScriptedModel(script, better_with_training)


@pytest.fixture(scope="module")
def workspace(small_author: Path, tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = finished_workspace(small_author, tmp_path_factory.mktemp("growing") / "w", tiny_llama)
    (made / "tasks" / "suites" / "torn.yaml").write_text(GROWING)
    (made / "tasks" / "suites" / "fixed.yaml").write_text(GROWING.replace("max_prompts: 20\n", ""))
    bench = open_bench("torn", made)
    compute(bench.asked, bench.variants, made, torn(made))
    with Run(warehouse(made), "score torn") as note:
        score(bench.asked, bench.variants, note)
    return made


@pytest.fixture(scope="module")
def bench(workspace: Path) -> Bench:
    return open_bench("torn", workspace)


def growth_of(bench: Bench, more: int) -> Growth:
    found = grow(bench, bench.compare(*SIDES), more)
    assert found is not None
    return found


def test_only_what_is_open_grows(bench: Bench) -> None:
    comparison = bench.compare(*SIDES)
    assert open_units(comparison) == ["prompts"]
    assert next_size(bench, comparison) == 6
    growth = growth_of(bench, 3)
    assert growth.sizes == {"prompts": 20}
    assert len(growth.bench.asked.documents) == len(bench.asked.documents)
    assert set(bench.asked.prompts) < set(growth.bench.asked.prompts)
    assert growth.bench.asked.setting == bench.asked.setting
    assert growth.sentence() == ("grown to 20 prompts (at most 20 were declared: p values allow for 2 looks)")


def test_the_two_sides_answer_once_and_nobody_else_does(bench: Bench, workspace: Path) -> None:
    growth, comparison = growth_of(bench, 6), bench.compare(*SIDES)
    before = warehouse(workspace).read("responses", setting=bench.asked.setting)
    model = torn(workspace)
    for computed in (2 * 6, 0):
        with Run(warehouse(workspace), "compare --grow 6") as note:
            done = grow_answers(growth, comparison, note, load=lambda base, dtype: model, engine=model.engine)
        assert done == computed
    after = warehouse(workspace).read("responses", setting=bench.asked.setting)
    counts = after["variant"].value_counts()
    assert (counts["tiny"], counts["small@1"], counts["small@2"], counts["author"]) == (14, 20, 20, 20)
    assert set(before["key"]) < set(after["key"]), "what was answered stays as it was"
    grown = compare_grown(growth, bench, comparison)
    sizes = {v.metric: v.n for v in grown.verdicts if v.primary}
    assert (sizes["copied"], sizes["bits_per_byte"]) == (20, 16)
    again = {v.metric: v for v in open_bench("torn", workspace).compare(*SIDES).verdicts}
    assert again["copied"].n == 14, "the suite's own size is what others are compared at"


def test_p_values_allow_for_the_looks(bench: Bench, workspace: Path) -> None:
    one = {v.metric: v for v in open_bench("fixed", workspace).compare(*SIDES).verdicts}
    two = {v.metric: v for v in bench.compare(*SIDES).verdicts}
    assert one["authorship_logit"].interval == two["authorship_logit"].interval
    assert two["authorship_logit"].needed > one["authorship_logit"].needed > 0


def test_what_cannot_grow_says_so(bench: Bench, workspace: Path) -> None:
    comparison = bench.compare(*SIDES)
    with pytest.raises(ConfigurationError, match="max_prompts is 20, so at most 6 more prompts"):
        grow(bench, comparison, 7)
    fixed = open_bench("fixed", workspace)
    assert next_size(fixed, comparison) == 0
    with pytest.raises(ConfigurationError, match="declares no max_prompts above its 14 prompts"):
        grow(fixed, comparison, 1)
    with pytest.raises(ConfigurationError, match="exclude each other"):
        grow(open_bench("torn", workspace, limit=4), comparison, 1)
    settled = open_bench("small", workspace)
    found = settled.compare(*SIDES)
    decided = tuple(v for v in found.verdicts if not none_seen(v))
    assert [v.metric for v in found.verdicts if v.primary and v not in decided] == ["copied"]
    assert grow(settled, replace(found, verdicts=decided), 4) is None


# ── across suites ─────────────────────────────────────────────────────────────────────────────────


def test_one_variant_under_two_suites(bench: Bench, workspace: Path) -> None:
    """``torn`` and a twin of it with other decoding: the same answers and numbers, and it is said."""
    path = workspace / "tasks" / "suites" / "greedy.yaml"
    path.write_text(GROWING + "decoding: {temperature: 0}\n")
    greedy = open_bench("greedy", workspace)
    compute(greedy.asked, greedy.variants, workspace, torn(workspace))
    with Run(warehouse(workspace), "score greedy") as note:
        score(greedy.asked, greedy.variants, note)
    found = compare_across(bench, greedy, "small@1", "small@1")
    assert [(p.baseline.name, p.candidate.name) for p in found.pairs] == [
        ("small@1 (torn)", "small@1 (greedy)")
    ]
    assert found.sentence.endswith("What differs: decoding.temperature 0.8 -> 0.0.")
    verdicts = {v.metric: v for v in found.verdicts if v.primary}
    assert {m: v.outcome for m, v in verdicts.items() if v.outcome != "same"} == {"copied": "inconclusive"}
    assert (verdicts["copied"].n, verdicts["bits_per_byte"].n) == (14, 16)
    assert {gate.variant for gate in found.gates} == {"small@1 (greedy)"}
    crossed = compare_across(bench, greedy, "small@1", "small@2")
    (authorship,) = (v for v in crossed.verdicts if v.metric == "authorship_logit")
    assert authorship.difference == pytest.approx(
        next(v for v in bench.compare(*SIDES).verdicts if v.metric == "authorship_logit").difference
    )
    path.unlink()


def test_another_protocol_of_likelihoods_is_not_compared(bench: Bench, workspace: Path) -> None:
    path = workspace / "tasks" / "suites" / "narrow.yaml"
    path.write_text(GROWING.replace("documents: 16", "documents: 16, window: 64"))
    found = compare_across(bench, open_bench("narrow", workspace), "small@1", "small@1")
    bits = next(v for v in found.verdicts if v.metric == "bits_per_byte")
    assert (bits.outcome, bits.note) == ("not comparable", "small@1 (narrow) has no bits_per_byte")
    assert "likelihood.window 1024 -> 64" in found.sentence
    path.unlink()


# ── what there is left to grow ────────────────────────────────────────────────────────────────────


def judged_open(*units: str) -> Comparison:
    found = tuple(
        Verdict(metric="m", task="", outcome="inconclusive", primary=True, baseline=0.0, candidate=0.0,
                difference=0.0, interval=UNKNOWN, p_holm=1.0, n=20, unit=unit, margin=0.2,  # type: ignore[arg-type]
                detectable=1.0, needed=99)
        for unit in units
    )  # fmt: skip
    return Comparison((), found, (), "", 0)


def small_bench(**suite: Any) -> Bench:
    return Bench("s", Path("nowhere"), None, make_ask(40, **suite), ())  # type: ignore[arg-type]


def test_next_is_above_the_size_asked_now_and_nothing_at_the_maximum() -> None:
    comparison, suited = judged_open("prompts"), small_bench(prompts=10, max_prompts=40)
    found = []
    for more in (0, 10, 30):
        growth = grow(suited, comparison, more) if more else None
        found.append(next_size(growth.bench if growth else suited, comparison))
    assert found == [10, 30, 0], "counted from the suite's own size, as --grow counts"
    third = grow(suited, comparison, found[1])
    assert third is not None
    assert third.sizes == {"prompts": 40}


def test_none_seen_may_grow_but_is_nobodys_next_step() -> None:
    """`--grow` takes a rate along of which nothing was seen; `next:` does not send anybody there for it."""
    suited, comparison = small_bench(prompts=10, max_prompts=40), judged_open("prompts")
    none = replace(comparison.verdicts[0], metric="copied", needed=189)
    alone = replace(comparison, verdicts=(none,))
    assert next_size(suited, alone) == 0
    assert next_size(suited, replace(comparison, verdicts=(none, *comparison.verdicts))) == 10
    assert next_size(suited, replace(alone, verdicts=(replace(none, candidate=0.1),))) == 10
    growth = grow(suited, alone, 10)
    assert growth is not None
    assert growth.sizes == {"prompts": 20}


def test_one_unit_at_its_maximum_does_not_hinder_the_other() -> None:
    comparison = judged_open("prompts", "blocks")
    suited = small_bench(prompts=10, max_prompts=20, likelihood={"documents": 10, "max_documents": 40})
    first = grow(suited, comparison, 10)
    assert first is not None
    assert first.sizes == {"blocks": 20, "prompts": 20}
    more = next_size(first.bench, comparison)
    second = grow(suited, comparison, more)
    assert more == 30
    assert second is not None
    assert second.sizes == {"blocks": 40, "prompts": 20}
    with pytest.raises(ConfigurationError, match="at most"):
        grow(suited, comparison, 31)


def test_documents_that_do_not_exist_cannot_be_declared() -> None:
    with pytest.raises(
        ConfigurationError, match="max_documents is 120, and the reference set 'marlow' has 40 held-out"
    ):
        make_ask(40, likelihood={"documents": 20, "max_documents": 120})
    assert len(make_ask(40, likelihood={"documents": 20, "max_documents": 40}).documents) == 40
    unread = make_ask(40, tasks=("copying",), primaries=("copied",), likelihood={"max_documents": 120})
    assert unread.documents == (), "a suite that reads none may say what it likes"
