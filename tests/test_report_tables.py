"""A page's content gathered from stored scores."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from scripted_bench import SHOWN, finished_workspace

from harness.bench import Bench, open_bench
from harness.figures import Rates
from harness.report_context import ReportContext
from harness.report_tables import DOES_NOT_KNOW_HIM, Material, build
from harness.report_words import keyness
from harness.score import answers_of
from harness.summaries import Table, gates, summarise


@pytest.fixture(scope="module")
def bench(small_author: Path, tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    workspace = finished_workspace(small_author, tmp_path_factory.mktemp("tables") / "w", tiny_llama)
    return open_bench("small", workspace)


def test_a_gated_rate_is_drawn_with_its_ceiling(bench: Bench) -> None:
    table = bench.table()
    answers = answers_of(bench.asked, bench.variants, bench.store).to_dict("records")
    material = Material(
        bench.asked, bench.variants, table, None, answers, bench.store, bench.workspace, "small"
    )
    panels = {panel.task: panel for panel in build(material, [], "A page").panels}
    figure = panels["copying"].figure
    (gate,) = (gate for gate in gates(table, bench.asked, "small@1") if gate.name == "copied")
    assert isinstance(figure, Rates)
    assert figure.limit == gate.ceiling
    assert {dot.label: dot.value for dot in figure.dots} == {
        line.variant: summarise(table, line.variant, "copied").value for line in panels["copying"].table.lines
    }


def test_the_page_names_who_was_never_run_and_says_what_a_distance_is(bench: Bench) -> None:
    table = bench.table()
    without = replace(table, values={n: v for n, v in table.values.items() if n not in (SHOWN, "copyist")})

    def page(scored: Table) -> ReportContext:
        material = Material(
            bench.asked, bench.variants, scored, None, [], bench.store, bench.workspace, "small"
        )
        return build(material, [], "A page")

    assert page(table).notes == ()
    (note,) = page(without).notes
    assert note == f"Not run, and in no table: {SHOWN}, copyist; `stylobench run small`."
    assert page(table).has_distances
    blind = replace(table, values={n: v for n, v in table.values.items() if n != "author"})
    assert not page(blind).has_distances


def test_the_page_says_where_other_authors_are_easily_told(bench: Bench) -> None:
    def note(background: bool) -> str:
        asked = replace(bench.asked, reference=replace(bench.asked.reference, background=background))
        material = Material(
            asked, bench.variants, bench.table(), None, [], bench.store, bench.workspace, "small"
        )
        return build(material, [], "A page").position_note

    assert "flint, thorne; easy negatives: optimistic" in note(True)
    assert "easy negatives" not in note(False)


def test_the_base_with_examples_is_a_row_of_its_own_that_says_what_it_is(bench: Bench) -> None:
    answers = answers_of(bench.asked, bench.variants, bench.store).to_dict("records")
    page = build(
        Material(
            bench.asked, bench.variants, bench.table(), None, answers, bench.store, bench.workspace, "small"
        ),
        [],
        "A page",
    )
    (place,) = (row for row in page.positions if row.variant == SHOWN)
    (bare,) = (row for row in page.positions if row.variant == "tiny")
    assert place.note.startswith("base with two examples")
    assert "base with two examples" not in bare.note
    panels = {panel.task: panel.table for panel in page.panels}
    for listed in (page.leaderboard, panels["authorship"], panels["copying"]):
        notes = {line.variant: line.note for line in listed.lines}
        assert (notes[SHOWN], notes["tiny"]) == ("base with two examples", "")
    assert SHOWN not in {line.variant for line in panels["heldout_perplexity"].lines}
    assert {gate.name for gate in page.gates if gate.variant == SHOWN} == set(bench.asked.suite.gates)


def test_training_seeds_are_one_row_everywhere_and_the_worst_of_them_is_gated(bench: Bench) -> None:
    one, two = (next(v for v in bench.variants if v.name == f"small@{n}") for n in (1, 2))
    sibling = replace(two, version=one.version, record=one.record | {"seed": 2})
    variants = tuple(sibling if v.name == "small@2" else v for v in bench.variants)
    answers = answers_of(bench.asked, variants, bench.store).to_dict("records")
    table = bench.table()
    material = Material(bench.asked, variants, table, None, answers, bench.store, bench.workspace, "small")
    page = build(material, [], "A page")

    name = "small@1 ·\u00a02\u00a0seeds"
    (row,) = (row for row in page.positions if row.members)
    assert row.variant == name
    assert [member.variant for member in row.members] == ["small@1", "small@2"]
    for listed in (page.leaderboard, *(panel.table for panel in page.panels)):
        assert not {"small@1", "small@2"} & {line.variant for line in listed.lines}
        assert {line.variant for line in listed.seeds.lines} == {"small@1", "small@2"}
    assert len([gate for gate in page.gates if "seeds" in gate.variant]) == len(bench.asked.suite.gates)
    worst = max(
        (gate for seed in ("small@1", "small@2") for gate in gates(table, bench.asked, seed)),
        key=lambda gate: (gate.name == "copied", gate.rate),
    )
    (shown,) = (gate for gate in page.gates if "seeds" in gate.variant and gate.name == "copied")
    assert (shown.rate, shown.outcome) == (worst.rate, worst.outcome)
    assert [run.family for run in page.training] == ["small@1", "small@1"]
    spoken = {answer.variant for row in page.answers for answer in row.answers}
    assert spoken == {"tiny", SHOWN, "small@1"}


def test_each_style_metric_has_its_mark_and_each_place_runs_from_others_to_author(bench: Bench) -> None:
    material = Material(
        bench.asked, bench.variants, bench.table(), None, [], bench.store, bench.workspace, "small"
    )
    page = build(material, [], "A page")
    trust = page.metrics["authorship_logit"].trust
    assert trust is not None
    assert f"AUC {trust.auc:.2f} [{trust.interval.low:.2f}" in page.position_note
    assert page.metrics["copied"].trust is None
    (panel,) = (panel for panel in page.panels if panel.task == "authorship")
    places = {line.variant: line.cells[0].position for line in panel.table.lines}
    assert places["author"] == pytest.approx(1)
    assert places["other:flint"] + places["other:thorne"] == pytest.approx(0, abs=1e-9)


def test_words_of_a_cloud_are_over_used_and_of_four_letters_or_more() -> None:
    said = Counter({"harbour": 9, "tide": 9, "fog": 9, "which": 9, "ship": 2, "water": 9})
    background = Counter({"water": 90, "harbour": 1, "tide": 1, "fog": 1, "land": 100})
    assert list(keyness(said, background)) == ["harbour", "tide"]


def test_nobody_is_ranked_by_an_authorship_that_does_not_know_the_author(bench: Bench) -> None:
    def page(auc: float) -> ReportContext:
        audit = {**bench.asked.reference.audit, "authorship_logit_auc": auc}
        audit[f"authorship_{bench.asked.reference.primary_classifier}_auc"] = auc
        asked = replace(bench.asked, reference=replace(bench.asked.reference, audit=audit))
        material = Material(
            asked, bench.variants, bench.table(), None, [], bench.store, bench.workspace, "small"
        )
        return build(material, [], "A page")

    fit, unfit = page(0.99), page(0.5)
    assert unfit.metrics["authorship_logit"].unfit
    assert not fit.metrics["authorship_logit"].unfit
    assert any(not math.isnan(row.position.value) for row in fit.positions)
    assert all(math.isnan(row.position.value) for row in unfit.positions)
    assert {row.position.note for row in unfit.positions} == {DOES_NOT_KNOW_HIM}
