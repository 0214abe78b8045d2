"""Pooled metrics in the tables: one row a variant, known by its answers, read by summaries and verdicts."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
from scripted_bench import (
    ONE,
    compute,
    control_variants,
    copy_workspace,
    open_ask,
    scripted,
)

from harness import lmeval, pooled
from harness.compare import compare
from harness.differences import turned
from harness.pairing import Pair
from harness.plan import Ask
from harness.pooled import POOLED_VERSIONS, Difference, Side
from harness.pooled_scores import POOLED, Pools, background_without, pooled_key, yardstick_of
from harness.pooled_verdicts import Fewest, judge_pooled, pooled_margin
from harness.positions import positions
from harness.reference import author_answer
from harness.report_rows import Sheet, rows_of
from harness.score import Scored, score
from harness.statistics import UNKNOWN
from harness.store import Run, Store
from harness.summaries import Table, read_table, summarise
from harness.text import complete
from harness.types import Variant

TASKS = ("delta", "profile", "word_order")
LENGTH = 80
"""Tokens an answer: 70 words, of which 20 prompts make 1,400."""


@pytest.fixture(scope="module", autouse=True)
def _smaller() -> object:
    """1,000 words in place of 5,000, in segments of 200: the small author has 20 prompts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pooled, "MIN_WORDS_IN_ALL", 1000)
        patch.setattr(pooled, "SEGMENT_WORDS", 200)
        yield


@pytest.fixture(scope="module")
def workspace(small_author: Path, tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_workspace(small_author, tmp_path_factory.mktemp("pooled") / "w", tiny_llama)


@pytest.fixture(scope="module")
def asked(workspace: Path) -> Ask:
    return open_ask(workspace, tasks=TASKS, max_tokens=LENGTH)


@pytest.fixture(scope="module")
def variants(asked: Ask) -> list[Variant]:
    return [ONE, *control_variants(asked.reference)]


@pytest.fixture(scope="module")
def store(workspace: Path, asked: Ask, variants: list[Variant]) -> Store:
    store = Store(workspace / "results" / "pooled")
    compute(asked, variants, workspace, scripted(workspace), store)
    scored(asked, variants, store)
    return store


@pytest.fixture(scope="module")
def table(asked: Ask, variants: list[Variant], store: Store) -> Table:
    return read_table(asked, variants, store)


def scored(asked: Ask, variants: list[Variant], store: Store) -> Scored:
    with Run(store, "score") as run:
        return score(asked, variants, run)


def test_one_row_a_variant_known_by_its_answers(asked: Ask, store: Store) -> None:
    frame = store.read("scores", metric="cosine_delta", variant="author")
    (row,) = frame.to_dict("records")
    answers = store.read("responses", variant="author")
    assert len(answers) == 20
    assert (row["item"], row["task"], row["setting"]) == (POOLED, "delta", asked.setting)
    assert row["key"] == pooled_key("cosine_delta", reversed(list(answers["key"])))
    assert row["note"].endswith("segments of 200 words")


def test_scored_once_and_anew_for_another_set_of_answers(
    asked: Ask, variants: list[Variant], store: Store
) -> None:
    assert scored(asked, variants, store).computed == 0
    fewer = dataclasses.replace(asked, prompts=asked.prompts[:18])
    author = [v for v in variants if v.name == "author"]
    assert summarise(read_table(fewer, author, store), "author", "cosine_delta").n == 0
    # Four numbers of each metric: the value, the ends of its interval, the prompts.
    assert scored(fewer, author, store).computed == 4 * len(POOLED_VERSIONS)
    assert summarise(read_table(fewer, author, store), "author", "cosine_delta").n == 18
    assert summarise(read_table(asked, author, store), "author", "cosine_delta").n == 20


def test_the_authors_control_is_nearest(table: Table) -> None:
    for metric in ("cosine_delta", "burrows_delta", "function_words_jsd", "character_trigrams_jsd"):
        author, *others = (summarise(table, n, metric) for n in ("author", "other:flint", "other:thorne"))
        assert author.interval.low <= author.value <= author.interval.high
        assert all(author.value < other.value for other in others), metric
        assert author.n == 20


def test_what_is_pasted_or_invalid_is_not_pooled(table: Table) -> None:
    for name in ("copyist", "shuffled"):
        found = summarise(table, name, "cosine_delta")
        assert math.isnan(found.value)
        assert math.isnan(found.interval.low)
        assert found.note == "insufficient text: 0 of 1,000 words"
        assert table.texts[name] == {}
    assert len(table.texts["author"]) == 20


def test_another_author_is_left_out_of_the_background(asked: Ask, table: Table) -> None:
    note = table.notes["other:flint"]["cosine_delta"][POOLED]
    assert note.endswith("left out of the background")
    assert POOLED not in table.notes["other:flint"].get("function_words_jsd_low", {})
    reference = asked.reference
    flint = " ".join(passage.text for passage in reference.others["flint"])
    without = background_without(reference, "flint")
    assert without is not None
    assert without.cosine(flint) != reference.fitted.delta.cosine(flint)
    alone = dataclasses.replace(reference, others={"flint": reference.others["flint"]})
    assert background_without(alone, "flint") is None
    assert background_without(reference, "nobody") is None


def test_a_position_needs_the_author_to_be_told_apart(table: Table) -> None:
    (author, flint, absent) = positions(
        table, ["author", "other:flint", "shuffled"], "cosine_delta", either_way=True
    )
    assert author.value == pytest.approx(1)
    assert flint.value < 0.5
    assert math.isnan(absent.value)
    values = {name: dict(found) for name, found in table.values.items()}
    values["author"]["cosine_delta_high"] = {POOLED: 2.0}
    blurred = dataclasses.replace(table, values=values)
    (author,) = positions(blurred, ["author"], "cosine_delta", either_way=True)
    assert author.note == "cannot tell: author and others are not told apart"


def test_the_margin_is_a_quarter_of_the_way_from_the_others(table: Table) -> None:
    author, *others = (
        summarise(table, name, "cosine_delta").value for name in ("author", "other:flint", "other:thorne")
    )
    expected = 0.25 * abs(author - sum(others) / 2)
    assert pooled_margin("cosine_delta", table) == pytest.approx(expected)
    bare = dataclasses.replace(table, values={"small@1": table.values["small@1"]})
    assert math.isnan(pooled_margin("cosine_delta", bare))


def test_a_verdict_reports_and_decides_nothing(asked: Ask, variants: list[Variant], table: Table) -> None:
    by_name = {v.name: v for v in variants}
    found = compare(asked, [Pair(by_name["author"], by_name["other:flint"])], table)
    verdict = {v.metric: v for v in found.verdicts}["cosine_delta"]
    assert (verdict.outcome, verdict.primary, verdict.unit, verdict.n) == ("decline", False, "prompts", 20)
    assert verdict.difference == pytest.approx(turned(verdict.baseline, verdict.candidate, "lower", None))
    assert verdict.interval.low < verdict.difference < verdict.interval.high < 0
    assert math.isnan(verdict.p_holm)
    back = compare(asked, [Pair(by_name["other:flint"], by_name["author"])], table)
    assert {v.metric: v for v in back.verdicts}["cosine_delta"].outcome == "slight gain"
    same = compare(asked, [Pair(by_name["author"], by_name["author"])], table)
    assert {v.outcome for v in same.verdicts if v.metric in POOLED_VERSIONS} == {"same"}


def test_insufficient_text_is_not_comparable(asked: Ask, variants: list[Variant], table: Table) -> None:
    by_name = {v.name: v for v in variants}
    found = compare(asked, [Pair(by_name["author"], by_name["shuffled"])], table)
    verdict = {v.metric: v for v in found.verdicts}["function_words_jsd"]
    assert verdict.outcome == "not comparable"
    assert verdict.note == "insufficient text: 0 of 1,000 words"
    assert math.isnan(verdict.interval.low)


def test_too_few_prompts_in_both_are_not_comparable(
    asked: Ask, variants: list[Variant], table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pooled, "MIN_WORDS_IN_ALL", 500)
    by_name = {v.name: v for v in variants}
    most = dict(list(table.texts["other:flint"].items())[:15])
    shorter = dataclasses.replace(table, texts={**table.texts, "other:flint": most})
    found = compare(asked, [Pair(by_name["author"], by_name["other:flint"])], shorter)
    verdict = {v.metric: v for v in found.verdicts}["function_words_jsd"]
    assert verdict.note == "only 15 of 20 prompts are valid in both"


def test_lm_eval_pools_the_same_answers_by_the_same_rule(asked: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmeval, "reference", lambda: asked.reference)
    lmeval._yardstick.cache_clear()
    said = {p.id: author_answer(p, lmeval.POOLED_WORDS) for p in asked.prompts}
    passed = [lmeval.delta({"item": item}, [text]) for item, text in said.items()]
    assert all(row["cosine_delta"] == row["burrows_delta"] for row in passed)
    looping = {"item": asked.prompts[0].id}
    assert lmeval.delta(looping, ["the sea " * 60])["cosine_delta"] == (looping["item"], "")
    yardstick = yardstick_of(asked.reference, lmeval.POOLED_WORDS)
    side = Side({item: yardstick.count(complete(text)) for item, text in said.items()}, yardstick)
    found = lmeval.pooled_cosine_delta([row["cosine_delta"] for row in passed])
    lmeval._yardstick.cache_clear()
    assert found == pytest.approx(pooled.estimate("cosine_delta", side).value, abs=1e-12)


def test_a_report_has_a_cell_for_it(variants: list[Variant], table: Table) -> None:
    sheet = Sheet(table, rows_of(variants, table))
    cell = sheet.cell("author", "cosine_delta")
    assert cell.value == summarise(table, "author", "cosine_delta").value
    assert cell.interval.low < cell.value < cell.interval.high
    assert cell.position == pytest.approx(1)


def test_a_difference_without_an_interval_is_not_comparable(
    asked: Ask, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = Difference(0.5, 0.6, 0.1, UNKNOWN, 20, "1 segments of 1,000 words")
    monkeypatch.setattr(Pools, "difference", lambda *_: nothing)
    comparison = compare(asked, [Pair(ONE, ONE)], table)
    (verdict,) = (v for v in comparison.verdicts if v.metric == "cosine_delta")
    assert (verdict.outcome, verdict.note) == ("not comparable", "too little text for an interval")
    pools, fewest = Pools(asked, table.texts), Fewest(12, 0.8)
    judged = judge_pooled(asked, "cosine_delta", "lower", [Pair(ONE, ONE)], table, pools, ["engines"], fewest)
    assert judged.verdict.note == "engines"
