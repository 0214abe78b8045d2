from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from small_author import CORPUS, NAME, write_books

from harness.corpora import read_manifest
from harness.corpusfile import read_author
from harness.errors import ConfigurationError
from harness.foldfiles import Fold, fold_choices, write_folds
from harness.prepare import prepare
from harness.prospect import prospect
from harness.store import Run, Store

ONE_BOOK = CORPUS.replace("hold_out: harbours.txt\n", "").replace("books/marlow/*", "books/marlow/tides.txt")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    write_books(tmp_path)
    (tmp_path / "trainers" / "corpora").mkdir(parents=True)
    return tmp_path


def _folds(workspace: Path, corpus: str, n: int) -> tuple[Fold, ...]:
    (workspace / "trainers" / "corpora" / f"{NAME}.yaml").write_text(corpus)
    return fold_choices(NAME, prospect(NAME, read_author(NAME, workspace), workspace), n)


def test_as_many_folds_as_books_hold_out_each_once(workspace: Path) -> None:
    folds = _folds(workspace, CORPUS, 4)
    assert [(fold.name, fold.hold_out) for fold in folds] == [
        ("marlow-fold1", "channels.pdf"),
        ("marlow-fold2", "harbours.txt"),
        ("marlow-fold3", "tides.txt"),
        ("marlow-fold4", "wrecks.txt"),
    ]


def test_fewer_folds_than_blocks_are_spread_over_the_book(workspace: Path) -> None:
    assert [fold.hold_out for fold in _folds(workspace, ONE_BOOK, 2)] == ["tides.txt#1", "tides.txt#6"]
    assert len({fold.hold_out for fold in _folds(workspace, ONE_BOOK, 10)}) == 10


@pytest.mark.parametrize(("corpus", "n", "said"), [(CORPUS, 5, "4 books"), (ONE_BOOK, 11, "10 blocks")])
def test_more_folds_than_there_are_parts_are_refused(workspace: Path, corpus: str, n: int, said: str) -> None:
    with pytest.raises(ConfigurationError, match=f"--folds {n}: there are {said}; give 2 to"):
        _folds(workspace, corpus, n)


@pytest.mark.parametrize("corpus", [CORPUS, ONE_BOOK])
def test_fold_files_differ_in_hold_out_alone_and_keep_the_comments(workspace: Path, corpus: str) -> None:
    commented = corpus.replace("versions:", "versions:   # append only")
    folds = _folds(workspace, commented, 3)
    for path, fold in zip(write_folds(NAME, folds, workspace), folds, strict=True):
        assert path.read_text().startswith("# Fold ")
        assert "# append only" in path.read_text()
        made, origin = read_author(fold.name, workspace), read_author(NAME, workspace)
        assert made.hold_out == fold.hold_out
        assert made.model_copy(update={"hold_out": origin.hold_out}) == origin


def test_no_file_is_ever_overwritten_and_none_is_written_beside_one(workspace: Path) -> None:
    folds = _folds(workspace, CORPUS, 3)
    there = workspace / "trainers" / "corpora" / "marlow-fold2.yaml"
    there.write_text("mine\n")
    with pytest.raises(ConfigurationError, match=r"marlow-fold2.yaml is there already; nothing was written"):
        write_folds(NAME, folds, workspace)
    assert there.read_text() == "mine\n"
    assert sorted(path.name for path in there.parent.iterdir()) == ["marlow-fold2.yaml", "marlow.yaml"]


def test_a_fold_is_prepared_like_any_corpus(small_author: Path, tmp_path: Path) -> None:
    workspace = shutil.copytree(small_author, tmp_path / "copy")
    folds = _folds(workspace, CORPUS, 4)
    write_folds(NAME, folds, workspace)
    name = folds[2].name
    with Run(Store(workspace / "results" / "warehouse"), "prepare") as run:
        prepare(name, read_author(name, workspace), workspace, run)
    manifest = read_manifest(name, 2, workspace)
    assert (manifest["heldout_book"], manifest["leakage"]["left"]) == ("tides", 0)
    assert set(manifest["pages"]) == {"channels", "harbours", "wrecks"}
