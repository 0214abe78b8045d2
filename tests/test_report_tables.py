"""A page's content gathered from stored scores."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from scripted_bench import finished_workspace

from harness.bench import Bench, open_bench
from harness.figures import Rates
from harness.report_tables import Material, build, keyness
from harness.score import answers_of
from harness.summaries import gates, summarise


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


def test_the_page_says_where_other_authors_are_easily_told(bench: Bench) -> None:
    def note(background: bool) -> str:
        asked = replace(bench.asked, reference=replace(bench.asked.reference, background=background))
        material = Material(
            asked, bench.variants, bench.table(), None, [], bench.store, bench.workspace, "small"
        )
        return build(material, [], "A page").position_note

    assert "flint, thorne; easy negatives: optimistic" in note(True)
    assert "easy negatives" not in note(False)


def test_words_of_a_cloud_are_over_used_and_of_four_letters_or_more() -> None:
    said = Counter({"harbour": 9, "tide": 9, "fog": 9, "which": 9, "ship": 2, "water": 9})
    background = Counter({"water": 90, "harbour": 1, "tide": 1, "fog": 1, "land": 100})
    assert list(keyness(said, background)) == ["harbour", "tide"]
