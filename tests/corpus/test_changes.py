from __future__ import annotations

from dataclasses import replace

from harness.corpus.changes import compare_corpora
from harness.types import Passage, Split


def _passages(book: str, n: int, role: str = "body", split: Split = "train") -> list[Passage]:
    return [
        Passage(book, at, role, f"{book} {role} {at}", 3, f"{book}-{role}-{at}", split) for at in range(n)
    ]


def test_what_went_is_said_by_book_and_role() -> None:
    body = [*_passages("heretics", 200), *_passages("orthodoxy", 100), *_passages("trifles", 50)]
    index = [*_passages("heretics", 88, "index"), *_passages("heretics", 15, "contents")]
    changes = compare_corpora([*body, *index, *_passages("orthodoxy", 59, "index")], body)
    assert changes.sentence("pairs") == (
        "-162 pairs (512 -> 350): -103 (88 index, 15 contents) in heretics, -59 index in orthodoxy"
    )
    first, second, third = changes.books
    assert (first.book, first.before, first.after, first.net) == ("heretics", 303, 200, -103)
    assert first.removed_roles == {"index": 88, "contents": 15}
    assert [p.role for p in first.removed_examples] == ["index", "contents", "index"]
    assert second.removed_examples == tuple(_passages("orthodoxy", 3, "index"))
    assert (third.book, third.removed, third.added, third.moved) == ("trifles", 0, 0, 0)


def test_passages_cut_anew_are_gone_and_come() -> None:
    old = _passages("b", 10)
    new = [*old[:7], *(replace(p, digest=f"new {p.digest}", text="new") for p in old[7:9])]
    (book,) = compare_corpora(old, new).books
    assert (book.removed, book.added, book.net) == (3, 2, -1)
    assert [p.digest for p in book.added_examples] == ["new b-body-7", "new b-body-8"]
    assert compare_corpora(old, new).sentence() == "-1 passages (10 -> 9): -3 +2 in b"


def test_ordinals_do_not_matter_and_sides_do() -> None:
    old = _passages("b", 10)
    new = [replace(p, ordinal=p.ordinal + 5) for p in old]
    assert compare_corpora(old, new).sentence() == "no passages changed (10 -> 10)"
    moved = [replace(p, split="validation") if p.ordinal < 3 else p for p in old]
    (book,) = compare_corpora(old, moved).books
    assert (book.removed, book.added, book.moved) == (0, 0, 3)
    assert compare_corpora(old, moved).sentence() == "+0 passages (10 -> 10): 3 changed sides in b"
    (both,) = compare_corpora(old, moved[1:]).books
    assert (both.removed, both.moved) == (1, 2)


def test_guard_and_heldout_are_not_counted_and_twice_is_twice() -> None:
    heldout = _passages("h", 4, split="heldout")
    old = [*_passages("b", 3), *heldout]
    new = [*_passages("b", 2), *_passages("b", 3, split="guard")[2:], *heldout[:1]]
    changes = compare_corpora(old, new)
    assert [(book.book, book.removed) for book in changes.books] == [("b", 1)]
    twice = compare_corpora([*_passages("b", 2), *_passages("b", 2)], _passages("b", 2))
    assert (twice.books[0].removed, twice.books[0].added) == (2, 0)


def test_a_book_that_came_or_went_altogether() -> None:
    changes = compare_corpora(_passages("old", 5), _passages("new", 7))
    assert changes.sentence() == "+2 passages (5 -> 7): -5 in old, +7 in new"
    assert compare_corpora([], []).sentence() == "no passages changed (0 -> 0)"
