from __future__ import annotations

import itertools
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_author import CORPUS, NAME, PILOT, prose

from harness import reference as references
from harness.corpora import cut_runs, passages_of
from harness.corpus.leakage import shared_ngrams
from harness.corpus.prose import Paragraph
from harness.corpus.splits import train_validation
from harness.corpusfile import read_author
from harness.errors import ConfigurationError
from harness.holdout import as_frozen, held_out, parse_hold_out
from harness.prepare import prepare
from harness.store import Run, Store
from harness.text import words
from harness.types import Passage


def _paragraph(page: int, place: int, role: str = "body") -> Paragraph:
    text = " ".join(
        f"w{'abcdefghij'[place % 10]}{'abcdefghij'[page % 10]}{'abcdefghij'[n % 10]}" for n in range(60)
    )
    return Paragraph("b", page, role, f"chapter {page // 5}", f"{text} {role} {page} {place}.")


BODY = [_paragraph(page, place) for page in range(1, 41) for place in range(3)]


@pytest.mark.parametrize(("text", "book", "block"), [("a.pdf", "a.pdf", None), ("a#b.pdf#3", "a#b.pdf", 3)])
def test_a_block_is_named_after_the_last_mark(text: str, book: str, block: int | None) -> None:
    assert parse_hold_out(text) == (book, block)


@pytest.mark.parametrize("text", ["a.pdf#", "a.pdf#x", "a.pdf#0", "a.pdf#-1", "a.pdf#²"])
def test_a_block_is_a_number_from_one(text: str) -> None:
    with pytest.raises(ConfigurationError, match="the number of a block, from 1"):
        parse_hold_out(text)


def test_a_whole_book_leaves_nothing_of_it_to_train_on() -> None:
    assert held_out({"b": BODY}, "b", None).paragraphs == tuple(BODY)


@pytest.mark.parametrize("block", [1, 2, 5])
def test_body_text_is_held_out_or_guarded_or_trained_on_and_never_two_of_them(block: int) -> None:
    away = held_out({"b": BODY}, "b", block)
    before, after = away.runs(BODY)
    kept = [*before, *away.partition.guard_before, *away.paragraphs, *away.partition.guard_after, *after]
    assert sorted(kept, key=BODY.index) == BODY
    assert set(before).isdisjoint(after)
    assert away.paragraphs
    if block > 1:
        assert before
        assert away.partition.guard_before


def test_what_is_not_body_goes_with_the_page_it_stands_on() -> None:
    index = [_paragraph(page, 9, "index") for page in range(1, 41)]
    away = held_out({"b": BODY}, "b", 3)
    before, after = away.runs(sorted([*BODY, *index], key=lambda p: p.page))
    gone = {p.page for p in (*away.partition.guard, *away.paragraphs)}
    pages = {p.page for p in (*before, *after) if p.role == "index"}
    assert pages == set(range(1, 41)) - set(range(min(gone), max(gone) + 1))


def test_a_page_that_a_version_takes_for_body_stays_unless_it_stands_in_the_block() -> None:
    away = held_out({"b": BODY}, "b", 3)
    gone = {p.page for p in (*away.partition.guard, *away.paragraphs)}
    more = [_paragraph(page, 9) for page in range(1, 41)]
    before, after = away.runs(sorted([*BODY, *more], key=lambda p: p.page))
    kept = {p.page for p in (*before, *after) if p in more}
    assert kept == set(range(1, 41)) - set(range(min(gone), max(gone) + 1))


def _frozen(paragraphs: Sequence[Paragraph]) -> list[Passage]:
    return cut_runs([paragraphs], 150, 0)


@pytest.mark.parametrize("block", [1, 2, 5])
def test_a_frozen_block_is_found_by_its_text_when_its_number_means_another(block: int) -> None:
    own, more = (
        [
            Paragraph("b", 1 + n // 3, "body", f"chapter {n // 20}", text)
            for n, text in enumerate(prose(PILOT, size, 1))
        ]
        for size in (20_000, 60_000)
    )
    books = {"a": own, "b": own}
    then = held_out(books, "b", block)
    assert as_frozen(own, _frozen(then.paragraphs)).partition == then.partition
    if block < 5:
        assert held_out(books | {"c": more}, "b", block).partition != then.partition
    else:
        with pytest.raises(ConfigurationError, match="block 5 does not exist"):
            held_out(books | {"c": more}, "b", block)


def test_a_form_of_words_said_in_every_letter_does_not_stretch_a_frozen_block_over_the_book() -> None:
    farewell = "I have the honour to remain, sir, your most humble and obedient servant, Ellis Marlow."
    book = [
        part
        for at, one in enumerate(BODY)
        for part in ([one, replace(one, text=farewell)] if at % 3 == 2 else [one])
    ]
    then = held_out({"b": book}, "b", 3)
    found = as_frozen(book, _frozen(then.paragraphs))
    assert {p for p in then.paragraphs if p.text != farewell} == {
        p for p in found.paragraphs if p.text != farewell
    }


def test_a_frozen_block_that_is_gone_from_its_book_is_told() -> None:
    another = [Paragraph("b", 1, "body", "", text) for text in prose(PILOT, 2000, 1)]
    with pytest.raises(ConfigurationError, match="nothing of the block that the reference set holds out"):
        as_frozen(another, _frozen(held_out({"b": BODY}, "b", 3).paragraphs))


def test_a_block_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigurationError, match="block 99 does not exist; have 1 to"):
        held_out({"b": BODY}, "b", 99)


def test_an_author_with_one_book_can_be_prepared(small_author: Path, tmp_path: Path) -> None:
    workspace = shutil.copytree(small_author, tmp_path / "copy")
    shutil.rmtree(workspace / "results")
    (workspace / "books" / "long.txt").write_text("\n\n".join(prose(PILOT, 9000, seed=5)))
    one = CORPUS.replace("books/marlow/*", "books/long.txt").replace("harbours.txt", "long.txt#2")
    one = one.replace("{from_held_out: 10, continuations: 10}", "{from_held_out: 2, continuations: 2}")
    (workspace / "trainers" / "corpora" / f"{NAME}.yaml").write_text(one)
    store = Store(workspace / "results" / "warehouse")
    with Run(store, "prepare") as run:
        prepare(NAME, read_author(NAME, workspace), workspace, run)
    reference = references.load(NAME, workspace)
    passages = passages_of(NAME, 2, store, workspace)
    train = [p for p in passages if p.split in ("train", "validation")]
    assert shared_ngrams(train, reference.heldout).shared == 0
    assert len({p.ordinal for p in train}) == len(train)
    n_train, n_held = (sum(len(words(p.text)) for p in side) for side in (train, reference.heldout))
    assert n_train > 2 * n_held > 0


def _word(n: int) -> str:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return f"w{letters[n // 676 % 26]}{letters[n // 26 % 26]}{letters[n % 26]}"


def _tellable(lengths: Sequence[Sequence[int]]) -> list[Paragraph]:
    """A book without any word twice, so that every word's place and side are known."""
    number = itertools.count()
    return [
        Paragraph(
            "b", 1 + at // 3, "body", f"chapter {at // 6}",
            " ".join(f"{' '.join(_word(next(number)) for _ in range(n))}." for n in sentences),
        )
        for at, sentences in enumerate(lengths)
    ]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(2, 25), min_size=1, max_size=8), min_size=12, max_size=30),
    st.integers(1, 5),
    st.integers(40, 80),
    st.integers(0, 15),
)
def test_what_prepare_does_to_a_book_loses_no_word_and_puts_none_on_two_sides(
    lengths: list[list[int]], block: int, size: int, overlap: int
) -> None:
    """Held out, cut, train and validation, as wired: the four sides partition the book, in order."""
    book = _tellable(lengths)
    try:
        away = held_out({"b": book}, "b", block)
    except ConfigurationError:
        return
    runs = away.runs(book)
    cut = cut_runs(runs, size, overlap)
    sides = train_validation(cut)
    assert sorted([*sides.train, *sides.validation], key=lambda p: p.ordinal) == [
        *_with_sides(cut, sides.validation)
    ]
    said = {split: [w for p in own for w in words(p.text)] for split, own in vars(sides).items()}
    part = away.partition
    said |= {"guard": _words(part.guard), "heldout": _words(part.heldout)}
    for one, two in itertools.combinations(said, 2):
        assert not {*said[one]} & {*said[two]}, (one, two)
    assert set().union(*said.values()) == {*_words(book)}
    joined: list[str] = []
    for passage in cut:
        tokens = words(passage.text)
        again = [token for token in tokens if token in set(joined)]
        assert len(again) <= overlap
        assert joined[len(joined) - len(again) :] == again
        joined += tokens[len(again) :]
    assert joined == _words(runs[0]) + _words(runs[1])


def _with_sides(cut: Sequence[Passage], validation: Sequence[Passage]) -> list[Passage]:
    chosen = {p.digest: p for p in validation}
    return [chosen.get(p.digest, p) for p in cut]


def _words(paragraphs: Sequence[Paragraph]) -> list[str]:
    return [word for paragraph in paragraphs for word in words(paragraph.text)]
