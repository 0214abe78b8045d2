"""``prepare --plan``: what it says, and that saying it writes nothing."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest
from small_author import CORPUS, NAME, write_books

from harness.corpora import read_manifest
from harness.corpusfile import read_author
from harness.errors import YamlError
from harness.library import Kept
from harness.prospect import Prospect, prospect

PAID = "style: qa, writer: claude-haiku-4-5-20251001, per_passage: 2, price: {input: 1, output: 5}"


@pytest.fixture
def workspace(small_author: Path, tmp_path: Path) -> Path:
    return shutil.copytree(small_author, tmp_path / "copy")


def _prospect(workspace: Path, corpus: str = CORPUS) -> Prospect:
    path = workspace / "trainers" / "corpora" / f"{NAME}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(corpus)
    return prospect(NAME, read_author(NAME, workspace), workspace)


def test_what_is_built_is_reused_and_what_is_not_is_counted_as_a_build_would(workspace: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (workspace / "results").rglob("*")}
    found = _prospect(workspace, CORPUS + "  3: {from: 2}\n  4: {from: 1, style: qa, ask: 7}\n")
    first, second, third, fourth = found.versions
    assert [line.state for line in found.versions] == ["reused", "reused", "to build", "to build"]
    counts = read_manifest(NAME, 2, workspace)["passages"]
    for line in (second, third):
        assert (line.train, line.validation) == (counts["train"], counts["validation"])
        assert line.dropped == counts["guard"]
    assert (third.parent, third.to_ask, fourth.to_ask) == (2, 0, 7)
    assert math.isnan(fourth.likely_usd)
    assert (fourth.train, fourth.validation) == (first.train, first.validation)
    assert {path: path.stat().st_mtime_ns for path in (workspace / "results").rglob("*")} == before


def test_a_paid_version_is_priced_below_its_worst_case(workspace: Path) -> None:
    enough = f"  3: {{from: 2, {PAID}, max_usd: 5}}\n"
    line = _prospect(workspace, CORPUS + enough).versions[2]
    assert line.to_ask == line.train + line.validation > 100
    assert 0 < line.likely_usd < line.worst_usd < line.max_usd == 5
    assert line.note == ""
    dear = _prospect(workspace, CORPUS + enough.replace("max_usd: 5", "max_usd: 0.001")).versions[2]
    assert dear.note == "max_usd will not do for all of them"
    assert dear.likely_usd == line.likely_usd
    fewer = _prospect(workspace, CORPUS + enough.replace("max_usd: 5", "max_usd: 5, ask: 10")).versions[2]
    assert fewer.to_ask == 10
    assert fewer.likely_usd < line.likely_usd / 5


@pytest.mark.parametrize(
    ("line", "note"),
    [
        (f"{{from: 2, {PAID}}}", "marlow@3: writer claude-haiku-4-5-20251001 needs max_usd and price"),
        ("{from: 2, dose: {role: index, share: 0.5}}", "dose: role 'index' is 0% of the passages"),
        (f"{{from: 2, {PAID}, max_usd: 1, pairs: gone.json}}", "pairs: gone.json does not exist"),
        ("{from: 2, style: qa, pairs: gone.json}", "pairs: gone.json does not exist"),
    ],
)
def test_what_stands_in_the_way_of_a_version_is_its_remark(workspace: Path, line: str, note: str) -> None:
    assert _prospect(workspace, CORPUS + f"  3: {line}\n").versions[2].note.startswith(note)


def test_a_built_version_that_was_edited_is_told(workspace: Path) -> None:
    found = _prospect(workspace, CORPUS.replace("{from: 1, keep: body}", "{from: 1, keep: body, words: 90}"))
    assert [(line.state, line.note) for line in found.versions] == [
        ("reused", ""),
        ("changed", "built, and cannot change: add version 3"),
    ]


def test_the_present_choice_is_marked_and_named_as_the_file_would(workspace: Path) -> None:
    found = _prospect(workspace)
    assert found.frozen
    assert [choice.book for choice in found.choices if found.is_present(choice)] == ["harbours"]
    assert {found.hold_out(choice) for choice in found.choices} == {
        "channels.pdf", "harbours.txt", "tides.txt", "wrecks.txt",
    }  # fmt: skip


def test_before_anything_is_decided_the_blocks_are_offered_and_nothing_is_cut(tmp_path: Path) -> None:
    write_books(tmp_path)
    corpus = CORPUS.replace("hold_out: harbours.txt\n", "").replace(
        "books/marlow/*", "books/marlow/tides.txt"
    )
    found = _prospect(tmp_path, corpus)
    assert (found.present, found.frozen) == (None, False)
    assert [found.hold_out(choice) for choice in found.choices[:2]] == ["tides.txt#1", "tides.txt#2"]
    assert [(line.state, line.train) for line in found.versions] == [("to build", 0)] * 2
    named = _prospect(tmp_path, corpus.replace("others:", "hold_out: tides.txt#2\nothers:"))
    assert (named.present, named.frozen) == (Kept("tides", 2), False)
    assert [named.hold_out(c) for c in named.choices if named.is_present(c)] == ["tides.txt#2"]
    assert all(line.train > 0 for line in named.versions)
    assert not (tmp_path / "results").exists()


def test_roles_for_a_book_that_is_not_there_are_a_fault(workspace: Path) -> None:
    with pytest.raises(YamlError, match="no book is called 'tide', did you mean 'tides'"):
        _prospect(workspace, 'pages: {tide: {"1": title}}\n' + CORPUS)
