"""``show corpus`` and ``compare NAME@1 NAME@2`` over a prepared corpus; and what ten dropped pages change."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from small_author import CORPUS, NAME, PILOT, _write_pdf, index_lines, prose, write_books

from harness.bench import warehouse
from harness.cli import invoke
from harness.corpora import manifest_path, passages_of, read_manifest
from harness.corpus.changes import compare_corpora
from harness.corpusfile import read_author
from harness.prepare import prepare
from harness.store import Run
from harness.types import Passage


def test_show_corpus_is_whole_in_every_format(
    small_author: Path, tiny_llama: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = ["-C", str(small_author), "show", "corpus", f"{NAME}@2"]
    assert invoke([*here, "--tokenizer", str(tiny_llama), "--format", "json"]) == 0
    lines = json.loads(capsys.readouterr().out)
    sections = list(dict.fromkeys(line["section"] for line in lines))
    assert sections == ["corpus", "books", "pages", "passages", "tokens", "leakage", "lineage", "settings"]
    value = {(line["section"], line["what"]): line["value"] for line in lines}
    manifest = read_manifest(NAME, 2, small_author)
    assert value["passages", "train"].startswith(f"{manifest['passages']['train']} body")
    assert "index" in value["pages", "all"].split("dropped")[1]
    assert value["leakage", "checked now"].startswith("shared 13-grams 0,")
    assert value["lineage", f"from {NAME}@1"] == "keep: everything -> body"
    assert "median" in value["tokens", str(tiny_llama)]
    assert invoke(here) == 0
    shown = capsys.readouterr().out
    assert "tokens" not in shown.replace("tokens a", "")
    assert "held out" in shown


def test_a_version_built_alone_is_shown(
    small_author: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(small_author, tmp_path, dirs_exist_ok=True)
    manifest_path(NAME, 1, tmp_path).unlink()
    assert invoke(["-C", str(tmp_path), "show", "corpus", f"{NAME}@2", "--format", "json"]) == 0
    lines = json.loads(capsys.readouterr().out)
    lineage = [line["value"] for line in lines if line["section"] == "lineage"]
    assert lineage == ["a version not built"]


def test_compare_two_versions_says_what_changed_and_exits_0(
    small_author: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = ["-C", str(small_author), "compare"]
    assert invoke([*here, f"{NAME}@1", f"{NAME}@2"]) == 0
    shown = capsys.readouterr().out
    first, second = (read_manifest(NAME, n, small_author)["roles"] for n in (1, 2))
    gone = sum(first.values()) - sum(second.values())
    assert gone == first["index"] > 0
    assert shown.startswith(f"-{gone} passages ({sum(first.values())} -> {sum(second.values())}): -")
    assert "index in tides" in shown.splitlines()[0]
    assert "INDEX" in shown.split("examples")[1]
    assert invoke([*here, f"{NAME}@2", f"{NAME}@1", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert sum(row["added"] for row in rows) == gone
    assert {row["removed"] for row in rows} == {0}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([f"{NAME}@1"], "two corpus versions"),
        ([], "--baseline and --candidate"),
        ([f"{NAME}@1", f"{NAME}@2", "--baseline", "base"], "two corpus versions"),
        ([f"{NAME}@1", f"{NAME}@7"], "does not exist; have marlow@1, marlow@2"),
        (["base", "tuned"], "write NAME@N"),
    ],
)
def test_what_cannot_be_compared_says_how(
    arguments: list[str], said: str, small_author: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["-C", str(small_author), "compare", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_dropping_ten_front_pages_changes_one_percent_of_a_corpus_version(tmp_path: Path) -> None:
    """Questions are asked by passage text: what keeps its digest is asked, and paid for, only once."""
    import pymupdf

    whole, shorter = (_long_book(tmp_path / name) for name in ("whole", "shorter"))
    path = shorter / "books" / "marlow" / "channels.pdf"
    document = pymupdf.open(path)
    document.delete_pages(list(range(10)))
    document.save(path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)
    before, after = _prepared(whole), _prepared(shorter)
    for version in (1, 2):
        changes = compare_corpora(before[version], after[version])
        removed = sum(book.removed for book in changes.books)
        assert removed >= 25, "ten pages hold that many passages"
        asked = {p.digest for p in before[version]}
        to_ask = {p.digest for p in after[version]} - asked
        assert len(to_ask) <= 0.01 * len(before[version])
        others = [book for book in changes.books if book.book != "channels"]
        assert {(book.removed, book.added) for book in others} == {(0, 0)}


def _long_book(workspace: Path) -> Path:
    """The small author, with a book of forty pages."""
    write_books(workspace)
    path = workspace / "books" / "marlow" / "channels.pdf"
    path.unlink()
    _write_pdf(path, prose(PILOT, 12_000, 1), index_lines(PILOT, 120, 1))
    corpora = workspace / "trainers" / "corpora"
    corpora.mkdir(parents=True)
    (corpora / f"{NAME}.yaml").write_text(CORPUS, encoding="utf-8")
    return workspace


def _prepared(workspace: Path) -> dict[int, list[Passage]]:
    store = warehouse(workspace)
    with Run(store, f"prepare {NAME}") as run:
        prepare(NAME, read_author(NAME, workspace), workspace, run)
    return {version: passages_of(NAME, version, store, workspace) for version in (1, 2)}
