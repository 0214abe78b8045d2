from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from small_author import CORPUS, NAME, PILOT, prose, write_books

from harness.corpusfile import AuthorFile, read_author
from harness.errors import ConfigurationError, YamlError
from harness.library import Kept, check_pages, find_files, held_out_of, own_books


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    write_books(tmp_path)
    return tmp_path


def _author(workspace: Path, corpus: str = CORPUS) -> AuthorFile:
    path = workspace / "trainers" / "corpora" / f"{NAME}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(corpus)
    return read_author(NAME, workspace)


def test_the_held_out_book_is_apart_and_others_go_by_their_folder(workspace: Path) -> None:
    files = find_files(_author(workspace), workspace)
    assert [path.name for path in files.train] == ["channels.pdf", "tides.txt", "wrecks.txt"]
    assert (files.heldout.name, files.block, files.background) == ("harbours.txt", None, False)
    assert {name: [path.name for path in paths] for name, paths in files.others.items()} == {
        "flint": ["volume_1.txt", "volume_2.txt"],
        "thorne": ["volume_1.txt", "volume_2.txt"],
    }


def test_a_block_leaves_its_book_among_the_train_books(workspace: Path) -> None:
    files = find_files(_author(workspace, CORPUS.replace("harbours.txt", "tides.txt#2")), workspace)
    assert (files.heldout.name, files.block) == ("tides.txt", 2)
    assert "tides.txt" in {path.name for path in files.train}
    assert (
        files.digest()
        != find_files(_author(workspace, CORPUS.replace("harbours.txt", "tides.txt#3")), workspace).digest()
    )


def test_without_other_authors_presidents_stand_in(workspace: Path) -> None:
    files = find_files(_author(workspace, CORPUS.replace("others: books/others/*/*.txt\n", "")), workspace)
    assert files.background
    assert len(files.others) >= 4
    assert all(path.is_file() for paths in files.others.values() for path in paths)


def test_what_is_frozen_decides_where_nothing_is_named(workspace: Path) -> None:
    author = _author(workspace, CORPUS.replace("hold_out: harbours.txt\n", ""))
    books = own_books(author, workspace)
    assert held_out_of(author, books, Kept("wrecks", None)).path.name == "wrecks.txt"
    assert held_out_of(author, books, Kept("wrecks", 4)) == (books["wrecks.txt"], 4)
    chosen = held_out_of(author, books, None)
    for seed in (50, 51, 52, 53):
        (workspace / "books" / NAME / f"more_{seed}.txt").write_text("\n\n".join(prose(PILOT, 6000, seed)))
    more = own_books(author, workspace)
    assert held_out_of(author, more, None) != chosen
    assert held_out_of(author, more, Kept(chosen.path.stem, None)) == chosen


def test_a_book_may_have_a_hash_in_its_name(workspace: Path) -> None:
    folder = workspace / "books" / NAME
    (folder / "tides.txt").rename(folder / "C# tides.txt")
    for named, block in (("C# tides.txt", None), ("C# tides.txt#2", 2)):
        author = _author(workspace, CORPUS.replace("harbours.txt", f'"{named}"'))
        found = held_out_of(author, own_books(author, workspace), Kept("C# tides", block))
        assert found == (folder / "C# tides.txt", block)


def test_a_frozen_book_that_is_gone_is_missed(workspace: Path) -> None:
    author = _author(workspace, CORPUS.replace("hold_out: harbours.txt\n", ""))
    with pytest.raises(ConfigurationError, match="books: 'bars', which the reference set holds out for good"):
        held_out_of(author, own_books(author, workspace), Kept("bars", None))


def test_one_of_the_authors_own_books_is_no_other_author_whatever_it_is_called(workspace: Path) -> None:
    theirs = workspace / "books" / "others" / "thorne" / "volume_3.txt"
    shutil.copy(workspace / "books" / NAME / "wrecks.txt", theirs)
    with pytest.raises(ConfigurationError, match=r"thorne/volume_3.txt is the author's own wrecks.txt"):
        find_files(_author(workspace), workspace)
    theirs.write_text(theirs.read_text().swapcase())
    assert theirs.stat().st_size == (workspace / "books" / NAME / "wrecks.txt").stat().st_size
    assert len(find_files(_author(workspace), workspace).others["thorne"]) == 3


def test_roles_for_a_book_that_is_not_there_are_placed_in_the_file(workspace: Path) -> None:
    corpus = 'pages:\n  tides: {"1": title}\n  wrekcs: {"1": title}\n' + CORPUS
    corpus += '  3: {from: 2, pages: {harbour: {"2": index}}}\n'
    author = _author(workspace, corpus)
    stems = [path.stem for path in own_books(author, workspace).values()]
    with pytest.raises(YamlError) as caught:
        check_pages(NAME, author, stems, workspace)
    assert caught.value.faults == (
        "marlow.yaml:3:3  pages: no book is called 'wrekcs', did you mean 'wrecks'?",
        "marlow.yaml:14:24  versions.3.pages: no book is called 'harbour', did you mean 'harbours'?",
    )
    check_pages(NAME, author, [*stems, "wrekcs", "harbour"], workspace)
