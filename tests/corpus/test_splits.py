from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.corpus.leakage import shared_ngrams
from harness.corpus.passages import cut_passages
from harness.corpus.prose import Paragraph
from harness.corpus.splits import (
    Partition,
    folds,
    partition_passages,
    repeats,
    split_blocks,
    train_validation,
)
from harness.errors import ConfigurationError
from harness.text import count_words, words
from harness.types import Passage

LETTERS = "abcdefghijklmnopqrstuvwxyz"
ANY_SENTENCE = st.lists(
    st.sampled_from(["alpha", "beta", "it's", "1906,", "—"]), min_size=1, max_size=30
).map(lambda tokens: " ".join(tokens) + ".")
ANY_BOOK = st.lists(
    st.builds(
        Paragraph,
        book=st.just("b"),
        page=st.just(1),
        role=st.sampled_from(["body", "body", "body", "notes"]),
        chapter=st.sampled_from(["I", "II", "III"]),
        text=st.lists(ANY_SENTENCE, min_size=1, max_size=6).map(" ".join),
    ),
    max_size=30,
)
LENGTHS = st.lists(st.lists(st.integers(2, 25), min_size=1, max_size=8), min_size=1, max_size=25)


def _word(n: int) -> str:
    return f"w{LETTERS[n // 676 % 26]}{LETTERS[n // 26 % 26]}{LETTERS[n % 26]}"


def _book(lengths: Sequence[Sequence[int]], per_chapter: int = 5) -> list[Paragraph]:
    """Paragraphs of sentences of these lengths; no word stands twice, so that every place is known."""
    number = itertools.count()
    return [
        Paragraph(
            "b",
            1,
            "body",
            f"chapter {at // per_chapter}",
            " ".join(f"{' '.join(_word(next(number)) for _ in range(n))}." for n in sentences),
        )
        for at, sentences in enumerate(lengths)
    ]


def _all_words(paragraphs: Sequence[Paragraph]) -> list[str]:
    return [word for paragraph in paragraphs for word in words(paragraph.text)]


def _in_order(part: Partition) -> tuple[Paragraph, ...]:
    return part.before + part.guard_before + part.heldout + part.guard_after + part.after


# ── blocks ────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=150, deadline=None)
@given(ANY_BOOK, st.floats(0.05, 0.5), st.integers(0, 120))
def test_every_fold_is_the_book_and_the_blocks_together_are_the_book(
    book: list[Paragraph], share: float, guard: int
) -> None:
    found = folds(book, share, guard)
    assert all(_in_order(part) == tuple(book) for part in found)
    assert [p for part in found for p in part.heldout] == book
    for part in found:
        assert Counter(part.train) + Counter(part.guard) + Counter(part.heldout) == Counter(book)
        for run, beyond in ((part.guard_before, part.before), (part.guard_after, part.after)):
            # A guard is as long as asked, or the book ends in it.
            assert sum(count_words(p.text) for p in run) >= guard or not beyond


@settings(max_examples=80, deadline=None)
@given(LENGTHS, st.integers(30, 80), st.integers(0, 15), st.integers(0, 60))
def test_train_validation_guard_and_heldout_partition_every_word(
    lengths: list[list[int]], size: int, overlap: int, guard: int
) -> None:
    """Split, cut, train and validation: no word lost, none on two sides, none twice but for the overlap."""
    book = _book(lengths)
    for part in folds(book, 0.25, guard):
        cut = partition_passages(part, words=size, overlap=overlap)
        sides = train_validation([p for p in cut if p.split == "train"], block=3)
        everything = sorted(
            [*sides.train, *sides.validation, *(p for p in cut if p.split != "train")],
            key=lambda p: p.ordinal,
        )
        assert [p.ordinal for p in everything] == list(range(len(cut)))
        assert [p.digest for p in everything] == [p.digest for p in cut]
        of_side: dict[str, set[str]] = {}
        joined: list[str] = []
        for passage in everything:
            tokens = words(passage.text)
            of_side.setdefault(passage.split, set()).update(tokens)
            said = [token for token in tokens if token in set(joined)]
            assert len(said) <= overlap
            assert joined[len(joined) - len(said) :] == said
            joined += tokens[len(said) :]
        assert joined == _all_words(book)
        assert sum(map(len, of_side.values())) == len(joined)
        assert of_side.get("heldout", set()) == set(_all_words(part.heldout))
        assert of_side.get("guard", set()) == set(_all_words(part.guard))


@settings(max_examples=100, deadline=None)
@given(ANY_BOOK, st.integers(5, 60))
def test_splitting_and_cutting_keeps_the_words_of_any_book(book: list[Paragraph], size: int) -> None:
    for part in folds(book, 0.3, 20):
        cut = partition_passages(part, words=size, overlap=0)
        for split, own in (("heldout", part.heldout), ("guard", part.guard), ("train", part.train)):
            for role in ("body", "notes"):
                expected = _all_words([p for p in own if p.role == role])
                found = [w for p in cut if (p.split, p.role) == (split, role) for w in words(p.text)]
                assert found == expected


def test_blocks_start_at_chapters_where_one_is_near_and_hold_about_their_share() -> None:
    book = _book([[20] * 5] * 100, per_chapter=10)
    found = folds(book, 0.1, 0)
    assert [part.heldout[0].chapter for part in found] == [f"chapter {n}" for n in range(10)]
    assert all(len(part.heldout) == 10 for part in found)
    odd = folds(book, 1 / 3, 0)
    assert [len(part.heldout) for part in odd] == [30, 40, 30]
    one_chapter = folds(_book([[20] * 5] * 100, per_chapter=1000), 0.2, 0)
    assert [len(part.heldout) for part in one_chapter] == [20] * 5


def test_the_guard_is_whole_paragraphs_on_either_side_and_the_middle_is_held_out() -> None:
    book = _book([[20] * 5] * 30, per_chapter=3)
    part = split_blocks(book, share=0.1, guard=150)
    assert [len(run) for run in (part.before, part.guard_before, part.heldout)] == [13, 2, 3]
    assert [len(run) for run in (part.guard_after, part.after)] == [2, 10]
    first = split_blocks(book, share=0.1, guard=150, fold=0)
    assert (first.before, first.guard_before, len(first.guard_after)) == ((), (), 2)
    assert split_blocks(book, share=0.1, guard=0).guard == ()


def test_no_passage_goes_over_a_bound_inside_one_chapter() -> None:
    book = _book([[20] * 2] * 30, per_chapter=1000)
    part = split_blocks(book, share=0.2, guard=80)
    cut = partition_passages(part, words=150, overlap=20)
    assert [key for key, _ in itertools.groupby(p.split for p in cut)] == [
        "train",
        "guard",
        "heldout",
        "guard",
        "train",
    ]
    train = [p for p in cut if p.split == "train"]
    assert shared_ngrams(train, [p for p in cut if p.split == "heldout"], n=1).shared == 0
    joined = cut_passages(part.train, words=150, overlap=20)
    # Cut together, the two train runs would make a passage that the author never wrote.
    assert {p.digest for p in joined} - {p.digest for p in train}


def test_what_cannot_be_split_says_so() -> None:
    book = _book([[20]] * 10)
    with pytest.raises(ConfigurationError, match="too few paragraphs"):
        split_blocks(book[:1], share=0.1)
    with pytest.raises(ConfigurationError, match="block 11 does not exist; have 1 to 10"):
        split_blocks(book, share=0.1, fold=10)
    with pytest.raises(ValueError, match=r"at most \.5"):
        split_blocks(book, share=0.6)
    with pytest.raises(ValueError, match="negative"):
        split_blocks(book, share=0.1, guard=-1)
    with pytest.raises(ValueError, match="within one book"):
        split_blocks([*book, replace(book[0], book="c")], share=0.1)


# ── train and validation ──────────────────────────────────────────────────────────────────────────


def _passages(n: int, book: str = "b") -> list[Passage]:
    return [
        Passage(book, at, "body", f"{book} {_word(at)} says it.", 4, f"{book}{at:04x}") for at in range(n)
    ]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(_passages(30)), max_size=120),
    st.floats(0, 0.9),
    st.integers(1, 12),
)
def test_each_passage_is_on_one_side_in_order_and_questions_stay_together(
    given_passages: list[Passage], share: float, block: int
) -> None:
    sides = train_validation(given_passages, share, block)
    assert Counter(p.digest for p in (*sides.train, *sides.validation)) == Counter(
        p.digest for p in given_passages
    )
    chosen = {p.digest for p in sides.validation}
    assert not chosen & {p.digest for p in sides.train}
    assert [p.digest for p in sides.validation] == [p.digest for p in given_passages if p.digest in chosen]
    assert [p.digest for p in sides.train] == [p.digest for p in given_passages if p.digest not in chosen]
    assert {p.split for p in sides.train} <= {"train"}
    assert {p.split for p in sides.validation} <= {"validation"}


@pytest.mark.parametrize("n", [60, 200, 2000])
def test_the_share_is_kept_in_blocks_of_neighbours(n: int) -> None:
    sides = train_validation(_passages(n))
    assert len(sides.validation) / n == pytest.approx(0.15, abs=8 / n + 0.03)
    runs = 1 + sum(b.ordinal != a.ordinal + 1 for a, b in itertools.pairwise(sides.validation))
    assert len(sides.validation) / runs > 3
    assert sides == train_validation(_passages(n))


def _sides(passages: Sequence[Passage]) -> dict[str, str]:
    sides = train_validation(passages)
    return {p.digest: p.split for p in (*sides.train, *sides.validation)}


@pytest.mark.parametrize("start", [0, 100, 400, 787])
def test_pages_dropped_anywhere_move_next_to_nothing_to_the_other_side(start: int) -> None:
    whole = _passages(800)
    before = _sides(whole)
    after = _sides([replace(p, ordinal=n) for n, p in enumerate(whole[:start] + whole[start + 13 :])])
    assert len(after) == 787
    assert sum(before[name] != side for name, side in after.items()) <= 0.01 * len(after)


def test_what_stands_between_body_passages_decides_nothing_about_them() -> None:
    body = _passages(900)
    notes = [replace(p, role="notes", book="b") for p in _passages(450, book="n")]
    mixed = [p for at in range(450) for p in (body[2 * at], notes[at], body[2 * at + 1])]
    alone, beside = _sides(body), _sides(mixed)
    moved = sum(alone[name] != beside[name] for name in alone)
    assert moved <= 0.01 * len(alone)


def test_an_overlap_over_a_note_is_not_parted_either() -> None:
    text = "One says it. Two says it."
    for at in range(200):
        first = Passage("b", 0, "body", f"A{_word(at)}. {text}", 6, f"first{at}")
        note = Passage("b", 1, "notes", "See above.", 2, f"note{at}")
        second = Passage("b", 2, "body", f"{text} And three.", 6, f"second{at}")
        sides = _sides([first, note, second, *_passages(9, book="c")])
        assert sides[first.digest] == sides[second.digest]


def test_the_overlap_never_stands_on_both_sides() -> None:
    book = _book([[12] * 9] * 120, per_chapter=10)
    cut = cut_passages(book, words=60, overlap=25)
    assert any(repeats(a.text, b.text) for a, b in itertools.pairwise(cut))
    sides = train_validation(cut, block=2)
    assert sides.validation
    assert shared_ngrams(sides.train, sides.validation, n=1).shared == 0


def test_a_repetition_is_seen_however_short() -> None:
    assert repeats("All went. So he did. Yes.", "Yes. And more.")
    assert repeats("One.\n\nTwo. Three.", "Two. Three. Four.")
    assert not repeats("One. Two.", "Three. Two.")
    assert not repeats("Yes, and no. Then.", "Yes, and no. But.")
    assert not repeats("One.", "")


def test_neither_side_is_empty_where_there_are_two_blocks() -> None:
    for n in (2, 3, 5, 10):
        sides = train_validation(_passages(n), block=1)
        assert sides.train
        assert sides.validation
    assert train_validation(_passages(1)).validation == ()
    assert train_validation([]).train == ()
    assert train_validation(_passages(50), share=0).validation == ()
    with pytest.raises(ValueError, match="share"):
        train_validation(_passages(5), share=1)
