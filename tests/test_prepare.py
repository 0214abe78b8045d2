from __future__ import annotations

import itertools
import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from small_author import CORPUS, NAME, PILOT, QUOTED, prose, write_books

from harness import reference as references
from harness.corpora import dosed, passages_of, read_manifest
from harness.corpus.splits import repeats
from harness.corpusfile import Dose, read_author
from harness.errors import BookError, ConfigurationError
from harness.library import find_files
from harness.prepare import Built, _identity, prepare
from harness.prospect import prospect
from harness.store import Run, Store
from harness.text import words
from harness.types import Passage


@pytest.fixture
def workspace(small_author: Path, tmp_path: Path) -> Path:
    return shutil.copytree(small_author, tmp_path / "copy")


@pytest.fixture
def unprepared(tmp_path: Path) -> Path:
    write_books(tmp_path)
    (tmp_path / "trainers" / "corpora").mkdir(parents=True)
    _describe(tmp_path, CORPUS)
    return tmp_path


def _describe(workspace: Path, corpus: str) -> None:
    (workspace / "trainers" / "corpora" / f"{NAME}.yaml").write_text(corpus)


def _store(workspace: Path) -> Store:
    return Store(workspace / "results" / "warehouse")


def _prepare(workspace: Path) -> list[Built]:
    with Run(_store(workspace), "prepare") as run:
        return prepare(NAME, read_author(NAME, workspace), workspace, run)


def _rows(workspace: Path, version: int) -> pd.DataFrame:
    return _store(workspace).read("passages", corpus=NAME, version=version)


def _files(workspace: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in (workspace / "results").rglob("*") if p.is_file()}


# ── what a version holds ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("version", [1, 2])
def test_the_tables_alone_prove_that_no_held_out_13_gram_is_trained_on(
    small_author: Path, version: int
) -> None:
    """Counted anew, by hand, over the held-out book as one text; the dropped passage shows it can fail."""
    rows = _rows(small_author, version)

    def grams(frame: pd.DataFrame, whole: bool) -> set[tuple[str, ...]]:
        texts = list(frame.sort_values(["book", "ordinal"])["text"])
        pieces = [" ".join(texts)] if whole else texts
        return {
            tuple(tokens[start : start + 13])
            for tokens in map(words, pieces)
            for start in range(len(tokens) - 12)
        }

    heldout = grams(rows[rows["split"] == "heldout"], whole=True)
    trained = grams(rows[rows["split"].isin(["train", "validation"])], whole=False)
    assert len(heldout) > 2000
    assert len(trained) > 5000
    assert not heldout & trained
    guarded = grams(rows[rows["split"] == "guard"], whole=False) & heldout
    assert tuple(words(QUOTED)[:13]) in guarded


def test_version_1_keeps_everything_and_version_2_the_body(small_author: Path) -> None:
    first, second = _rows(small_author, 1), _rows(small_author, 2)
    used = first[first["split"] != "heldout"]
    assert set(used["role"]) == {"body", "index"}
    assert set(second["role"]) == {"body"}
    bodies = used[used["role"] == "body"]
    assert set(bodies["text"]) == set(second[second["split"] != "heldout"]["text"])
    for rows in (first, second):
        assert set(rows[rows["split"] == "heldout"]["book"]) == {"harbours"}
        assert set(rows[rows["split"] != "heldout"]["book"]) == {"channels", "tides", "wrecks"}
        assert {"train", "validation", "guard", "heldout"} == set(rows["split"])


def test_the_manifest_says_what_the_table_holds(small_author: Path) -> None:
    for version in (1, 2):
        manifest = read_manifest(NAME, version, small_author)
        rows = _rows(small_author, version)
        used = rows[rows["split"].isin(["train", "validation"])]
        assert manifest["passages"] == dict(Counter(rows["split"]))
        assert manifest["words"] == used["n_words"].sum()
        assert manifest["roles"] == dict(Counter(used["role"]))
        assert manifest["leakage"]["dropped"] == (rows["split"] == "guard").sum() == 1
        assert manifest["leakage"]["shared_13grams"] == len(words(QUOTED)) - 12
        assert manifest["leakage"]["left"] == 0
        assert set(rows["corpus_digest"]) == {manifest["digest"]}
        assert set(rows["run"]) == {manifest["run"]}
        assert manifest["reference"] == references.load(NAME, small_author).digest
        assert set(manifest["books"]) == {"channels", "tides", "wrecks", "harbours"}
    assert read_manifest(NAME, 2, small_author)["parent"] == 1
    assert read_manifest(NAME, 1, small_author)["pages"]["channels"]["index"] >= 3


def test_passages_come_back_as_passages(small_author: Path) -> None:
    passages = passages_of(NAME, 2, _store(small_author), small_author)
    assert all(type(passage) is Passage for passage in passages)
    manifest = read_manifest(NAME, 2, small_author)
    assert Counter(passage.split for passage in passages) == manifest["passages"]
    with pytest.raises(ConfigurationError, match="marlow@3 does not exist; have marlow@1, marlow@2"):
        passages_of(NAME, 3, _store(small_author), small_author)
    with pytest.raises(
        ConfigurationError, match="nobody@1 does not exist; run `stylobench prepare nobody` first"
    ):
        read_manifest("nobody", 1, small_author)


@pytest.mark.parametrize("version", [1, 2])
def test_validation_is_about_fifteen_percent_and_no_overlap_goes_over_to_train(
    small_author: Path, version: int
) -> None:
    passages = passages_of(NAME, version, _store(small_author), small_author)
    used = [p for p in passages if p.split in ("train", "validation")]
    sides = Counter(passage.split for passage in used)
    assert sides["validation"] / sides.total() == pytest.approx(0.15, abs=0.03)
    overlapping = [
        (one, two)
        for one, two in itertools.pairwise(used)
        if one.book == two.book and repeats(one.text, two.text)
    ]
    assert len(overlapping) > 10
    assert all(one.split == two.split for one, two in overlapping)


def test_body_text_is_validated_in_every_version_alike(small_author: Path) -> None:
    first, second = (
        {r["digest"]: r["split"] for r in _rows(small_author, n).to_dict("records")} for n in (1, 2)
    )
    assert sum(first[name] != side for name, side in second.items()) <= 0.01 * len(second)


# ── again ─────────────────────────────────────────────────────────────────────────────────────────


def test_preparing_again_does_nothing_at_all(workspace: Path) -> None:
    before = _files(workspace)
    built = _prepare(workspace)
    assert [(b.manifest["version"], b.reused) for b in built] == [(1, True), (2, True)]
    assert _files(workspace) == before


def test_the_same_books_elsewhere_give_the_same_digests(small_author: Path, tmp_path: Path) -> None:
    """Nothing depends on the folder, the day or the machine: only on the books and the settings."""
    shutil.copytree(small_author / "books", tmp_path / "books")
    shutil.copytree(small_author / "trainers", tmp_path / "trainers")
    built = _prepare(tmp_path)
    assert [b.reused for b in built] == [False, False]
    there = references.load(NAME, small_author)
    here = references.load(NAME, tmp_path)
    assert here.digest == there.digest
    assert here.margins == pytest.approx(dict(there.margins))
    for version in (1, 2):
        kept = ("digest", "passages", "words", "roles", "leakage", "reference", "pages", "books")
        mine, theirs = (read_manifest(NAME, version, w) for w in (tmp_path, small_author))
        assert {key: mine[key] for key in kept} == {key: theirs[key] for key in kept}


def test_a_new_version_is_built_beside_the_old_ones(workspace: Path) -> None:
    _describe(workspace, CORPUS + "  3: {from: 1, dose: {role: index, share: 0.5}}\n")
    frozen = references.load(NAME, workspace).digest
    built = _prepare(workspace)
    assert [b.reused for b in built] == [True, True, False]
    roles = built[2].manifest["roles"]
    assert roles["index"] == built[0].manifest["roles"]["index"]
    assert roles["index"] / sum(roles.values()) == pytest.approx(0.5, abs=0.01)
    assert references.load(NAME, workspace).digest == frozen == built[2].manifest["reference"]
    assert len(_rows(workspace, 1)) == sum(built[0].manifest["passages"].values())


@pytest.mark.parametrize(
    ("old", "new", "version"),
    [
        ("words: 100, overlap: 20, keep", "words: 90, overlap: 20, keep", 1),
        ("2: {from: 1, keep: body}", "2: {from: 1, keep: body, overlap: 0}", 2),
    ],
)
def test_editing_a_built_version_names_the_next_number(
    workspace: Path, old: str, new: str, version: int
) -> None:
    _describe(workspace, CORPUS.replace(old, new))
    before = _files(workspace)
    with pytest.raises(ConfigurationError) as caught:
        _prepare(workspace)
    assert str(caught.value) == (
        f"marlow@{version} is built and can no longer change; "
        "put its settings back and add version 3 to trainers/corpora/marlow.yaml"
    )
    assert _files(workspace) == before


def test_books_that_changed_are_named_and_seen_by_the_next_version_only(workspace: Path) -> None:
    """Built versions and the reference set stay; the new version sees the new book, guarded as ever."""
    mine = workspace / "books" / NAME
    (mine / "wrecks.txt").write_text((mine / "wrecks.txt").read_text() + "\n\nOne line more.\n")
    (mine / "letters.txt").write_text("\n\n".join([*prose(PILOT, 1200, 77), QUOTED]))
    before = _files(workspace)
    assert [(b.reused, b.changed) for b in _prepare(workspace)] == [(True, ("letters", "wrecks"))] * 2
    assert _files(workspace) == before
    _describe(workspace, CORPUS + "  3: {from: 2}\n")
    first, second, third = _prepare(workspace)
    assert (first.reused, second.reused, third.reused, third.changed) == (True, True, False, ())
    assert set(third.manifest["books"]) == {"channels", "letters", "tides", "wrecks", "harbours"}
    assert third.manifest["leakage"]["dropped"] == 2
    assert third.manifest["reference"] == second.manifest["reference"]
    rows = _rows(workspace, 3)
    assert "letters" in set(rows[rows["split"] == "train"]["book"])
    assert _files(workspace).items() >= {k: v for k, v in before.items() if "warehouse" not in k}.items()


def test_a_build_stopped_before_its_manifest_is_repeated_and_counted_once(workspace: Path) -> None:
    manifest = workspace / "results" / "corpora" / "marlow@2.json"
    expected = json.loads(manifest.read_text())["passages"]
    manifest.unlink()
    built = _prepare(workspace)
    assert [b.reused for b in built] == [True, False]
    assert len(_rows(workspace, 2)) == 2 * sum(expected.values())
    passages = passages_of(NAME, 2, _store(workspace), workspace)
    assert Counter(passage.split for passage in passages) == expected


# ── what cannot be prepared ───────────────────────────────────────────────────────────────────────


def _no_hold_out(workspace: Path) -> None:
    _describe(workspace, CORPUS.replace("hold_out: harbours.txt\n", ""))
    (workspace / "books" / NAME / "wrecks.txt").unlink()
    (workspace / "books" / NAME / "tides.txt").unlink()


def _only_the_held_out(workspace: Path) -> None:
    for book in ("channels.pdf", "tides.txt", "wrecks.txt"):
        (workspace / "books" / NAME / book).unlink()


def _own_book_among_others(workspace: Path) -> None:
    shutil.copy(
        workspace / "books" / NAME / "tides.txt", workspace / "books" / "others" / "flint" / "mine.txt"
    )


def _two_of_one_name(workspace: Path) -> None:
    shutil.copy(workspace / "books" / NAME / "tides.txt", workspace / "books" / NAME / "channels.txt")


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (
            lambda w: _describe(w, CORPUS.replace("harbours.txt", "harbors.txt")),
            "hold_out: harbors.txt is not among the books, did you mean 'harbours.txt'?",
        ),
        (
            lambda w: _describe(w, CORPUS.replace("books/marlow/*", "books/marlowe/*")),
            "no book matches 'books/marlowe/*'",
        ),
        (
            _no_hold_out,
            "hold_out: name the book to hold out, or BOOK#N for a block of it "
            "(fewer than three books are here; "
            "`stylobench prepare NAME --plan` lists the blocks)",
        ),
        (
            lambda w: _describe(w, CORPUS + "  3: {from: 2, dose: {role: index, share: 0.01}}\n"),
            "dose: role 'index' is 0% of the passages",
        ),
        (
            lambda w: _describe(w, CORPUS + "  3: {from: 1, dose: {role: index, share: 0.01}}\n"),
            "dose: role 'index' is ",
        ),
        (
            lambda w: _describe(w, CORPUS + "  3: {from: 2, style: qa, pairs: gone.jsonl}\n"),
            "pairs: gone.jsonl does not exist in this workspace",
        ),
        (
            lambda w: _describe(w, CORPUS + "  3: {from: 2, style: qa, writer: claude-haiku-4-5-20251001}\n"),
            "marlow@3: writer claude-haiku-4-5-20251001 needs max_usd and price",
        ),
        (
            lambda w: _describe(w, 'pages: {tide: {"1": title}}\n' + CORPUS),
            "marlow.yaml:1:9  pages: no book is called 'tide', did you mean 'tides'?",
        ),
        (
            lambda w: _describe(w, CORPUS + '  3: {from: 2, pages: {wreck: {"1": title}}}\n'),
            "marlow.yaml:11:24  versions.3.pages: no book is called 'wreck', did you mean 'wrecks'?",
        ),
        (
            _own_book_among_others,
            "others: flint/mine.txt is the author's own tides.txt; name other authors' books only",
        ),
        (_only_the_held_out, "books: harbours.txt is held out, and there is no other to train on"),
        (_two_of_one_name, "books: two files are called 'channels'; a book is known by its name"),
    ],
)
def test_what_cannot_be_prepared_is_said_before_anything_is_written(
    unprepared: Path, spoil: Callable[[Path], None], expected: str
) -> None:
    spoil(unprepared)
    with pytest.raises(ConfigurationError) as caught:
        _prepare(unprepared)
    assert str(caught.value).startswith(expected)
    assert not (unprepared / "results").exists()


def test_a_book_that_cannot_be_read_leaves_nothing_behind(unprepared: Path) -> None:
    (unprepared / "books" / "others" / "flint" / "volume_2.txt").write_bytes(b"caf\xe9")
    with pytest.raises(BookError, match=r"volume_2\.txt: is not UTF-8"):
        _prepare(unprepared)
    assert not (unprepared / "results").exists()


def test_the_middle_book_is_held_out_where_none_is_named(unprepared: Path) -> None:
    _describe(unprepared, CORPUS.replace("hold_out: harbours.txt\n", ""))
    (unprepared / "books" / NAME / "channels.pdf").unlink()
    files = find_files(read_author(NAME, unprepared), unprepared)
    sizes = {path.name: path.stat().st_size for path in (*files.train, files.heldout)}
    assert sorted(sizes, key=lambda name: sizes[name])[1] == files.heldout.name
    assert {path.parent.name for paths in files.others.values() for path in paths} == set(files.others)


# ── dose ──────────────────────────────────────────────────────────────────────────────────────────


def _passages(n_body: int, n_index: int, n_notes: int = 0) -> list[Passage]:
    roles = ["body"] * n_body + ["index"] * n_index + ["notes"] * n_notes
    return [Passage("b", i, role, "text", 1, f"{i * 7919 % 1000:03d}") for i, role in enumerate(roles)]


def test_a_dose_leaves_out_body_passages_until_the_share_is_reached() -> None:
    kept = dosed(_passages(100, 14, n_notes=5), Dose(role="index", share=0.7))
    assert Counter(passage.role for passage in kept) == {"index": 14, "body": 6}
    assert [passage.ordinal for passage in kept] == sorted(passage.ordinal for passage in kept)


def test_a_larger_share_keeps_a_part_of_what_a_smaller_one_keeps() -> None:
    shares = [
        {p.digest for p in dosed(_passages(100, 10), Dose(role="index", share=share))}
        for share in (0.2, 0.5, 0.9)
    ]
    for less, more in itertools.pairwise(shares):
        assert more < less


def test_a_dose_that_cannot_be_reached_says_what_there_is() -> None:
    with pytest.raises(ConfigurationError, match="dose: role 'index' is 50% of the passages, 20% asked for"):
        dosed(_passages(10, 10), Dose(role="index", share=0.2))
    with pytest.raises(ConfigurationError, match="dose: role 'glossary' is 0% of the passages"):
        dosed(_passages(10, 10), Dose(role="glossary", share=0.2))


def test_the_shared_fixture_is_what_other_tests_rely_on(small_author: Path) -> None:
    """One statement of what tests/small_author.py promises, so that a change there fails here first."""
    reference = references.load(NAME, small_author)
    assert Counter(prompt.kind for prompt in reference.prompts) == {"continue": 10, "question": 10}
    assert set(reference.others) == {"flint", "thorne"}
    assert [path.name for path in sorted((small_author / "results" / "corpora").iterdir())] == [
        "marlow@1.json", "marlow@2.json",
    ]  # fmt: skip


def test_the_held_out_book_stays_the_one_of_the_frozen_reference(workspace: Path) -> None:
    _describe(workspace, CORPUS.replace("harbours.txt", "tides.txt") + "  3: {from: 2}\n")
    before = _store(workspace).versions()
    with pytest.raises(
        ConfigurationError, match="holds out 'harbours', for good; name that book under hold_out"
    ):
        _prepare(workspace)
    assert _store(workspace).versions() == before
    assert not (workspace / "results" / "corpora" / f"{NAME}@3.json").exists()


@pytest.mark.parametrize("hold_out", ["harbours.txt#1", "harbours.txt#2"])
def test_a_block_of_the_frozen_book_is_another_choice(workspace: Path, hold_out: str) -> None:
    _describe(workspace, CORPUS.replace("harbours.txt", hold_out) + "  3: {from: 2}\n")
    with pytest.raises(ConfigurationError, match="holds out 'harbours', for good"):
        _prepare(workspace)


def test_another_block_than_the_frozen_one_is_refused(unprepared: Path) -> None:
    fewer = CORPUS.replace("{from_held_out: 10, continuations: 10}", "{from_held_out: 5, continuations: 5}")
    _describe(unprepared, fewer.replace("harbours.txt", "tides.txt#1"))
    _prepare(unprepared)
    frozen = references.load(NAME, unprepared)
    assert (frozen.heldout_book, frozen.heldout_block) == ("tides", 1)
    assert read_manifest(NAME, 2, unprepared)["heldout_block"] == 1
    for other in ("tides.txt#2", "tides.txt"):
        _describe(unprepared, fewer.replace("harbours.txt", other) + "  3: {from: 2}\n")
        with pytest.raises(ConfigurationError, match="holds out 'tides#1', for good"):
            _prepare(unprepared)


def test_books_that_come_later_do_not_change_what_is_held_out_where_none_is_named(unprepared: Path) -> None:
    """The middle book by size at first; then the frozen one, however many longer ones come."""
    _describe(unprepared, CORPUS.replace("hold_out: harbours.txt\n", ""))
    _prepare(unprepared)
    held = references.load(NAME, unprepared).heldout_book
    sizes = {path.stem: path.stat().st_size for path in (unprepared / "books" / NAME).iterdir()}
    for number, seed in enumerate((70, 71, 72)):
        _write = unprepared / "books" / NAME / f"long_{number}.txt"
        _write.write_text("\n\n".join(prose(PILOT, 6000, seed)))
    middle = sorted(
        [*sizes.values(), *(p.stat().st_size for p in (unprepared / "books" / NAME).glob("long*"))]
    )
    assert sizes[held] != middle[len(middle) // 2], "chosen anew, another book would be held out"
    _describe(unprepared, CORPUS.replace("hold_out: harbours.txt\n", "") + "  3: {from: 2}\n")
    third = _prepare(unprepared)[2]
    assert third.manifest["heldout_book"] == held
    assert {"long_0", "long_1", "long_2"} < set(third.manifest["books"])
    assert third.manifest["leakage"]["left"] == 0
    (
        unprepared / "books" / NAME / next(p.name for p in (unprepared / "books" / NAME).glob(f"{held}.*"))
    ).unlink()
    with pytest.raises(
        ConfigurationError, match=f"books: '{held}', which the reference set holds out for good"
    ):
        _prepare(unprepared)


def _of_book(workspace: Path, version: int, book: str) -> set[str]:
    rows = _rows(workspace, version)
    return set(rows[(rows["book"] == book) & (rows["split"] != "heldout")]["text"])


@pytest.mark.parametrize("moved", [False, True])
def test_a_held_out_block_stays_that_block_when_books_come(unprepared: Path, moved: bool) -> None:
    """Another book makes blocks larger, so block 2 is other text; a set moved away is cut of it again."""
    named = CORPUS.replace("harbours.txt", "tides.txt#2").replace(
        "held_out: 10, continuations: 10", "held_out: 5, continuations: 5"
    )
    _describe(unprepared, named)
    _prepare(unprepared)
    then = references.load(NAME, unprepared)
    (unprepared / "books" / NAME / "later.txt").write_text("\n\n".join(prose(PILOT, 9000, 50)))
    if moved:
        then.folder.rename(unprepared / "moved")
    _describe(unprepared, named.replace("hold_out: tides.txt#2\n", "") + "  3: {from: 2}\n")
    planned = prospect(NAME, read_author(NAME, unprepared), unprepared).versions[2]
    third = _prepare(unprepared)[2].manifest
    now = references.load(NAME, unprepared)
    assert (now.heldout_book, now.heldout_block) == ("tides", 2)
    assert [p.text for p in now.heldout] == [p.text for p in then.heldout]
    assert "later" in third["books"]
    assert (planned.train, planned.validation) == tuple(third["passages"][s] for s in ("train", "validation"))
    assert _of_book(unprepared, 3, "tides") == _of_book(unprepared, 2, "tides")


def test_a_version_is_known_by_its_language_too(small_author: Path) -> None:
    author = read_author(NAME, small_author)
    files = find_files(author, small_author)
    other = author.model_copy(update={"language": "de"})
    assert _identity(author, 2, files) == read_manifest(NAME, 2, small_author)["digest"]
    assert _identity(other, 2, files) != _identity(author, 2, files)


def test_a_version_that_fails_its_check_leaves_a_frozen_reference_and_its_tables_alone(
    workspace: Path,
) -> None:
    _describe(workspace, CORPUS + "  3: {from: 2, dose: {role: index, share: 0.5}}\n")
    before = _files(workspace)
    with pytest.raises(ConfigurationError, match="dose: role 'index' is 0%"):
        _prepare(workspace)
    assert _files(workspace) == before
