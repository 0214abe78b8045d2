from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from small_author import ENGINEER, PILOT, Voice, prose

from harness.corpus.choices import Choice, choices, suggest
from harness.corpus.prose import Paragraph
from harness.errors import ConfigurationError
from harness.metrics.profile import function_word_distribution, jensen_shannon
from harness.text import count_words, words


def _book(name: str, voice: Voice, n_words: int, seed: int) -> list[Paragraph]:
    return [
        Paragraph(name, 1, "body", f"chapter {n // 6}", t) for n, t in enumerate(prose(voice, n_words, seed))
    ]


def _size(paragraphs: Sequence[Paragraph]) -> int:
    return sum(count_words(p.text) for p in paragraphs)


def test_three_books_are_offered_whole_and_the_odd_one_is_the_furthest() -> None:
    books = {name: _book(name, PILOT, 3000, n) for n, name in enumerate(("tides", "wrecks", "bars"))}
    books["valves"] = _book("valves", ENGINEER, 3000, 9)
    found = choices(books)
    assert [(c.kind, c.book, c.fold, c.guard_words) for c in found] == [
        ("book", name, None, 0) for name in books
    ]
    for choice in found:
        assert choice.heldout_words == _size(books[choice.book])
        assert choice.train_words == sum(_size(own) for own in books.values()) - choice.heldout_words
        assert choice.lost_share == pytest.approx(0.25, abs=0.02)
    assert max(found, key=lambda c: c.delta).book == "valves"
    assert max(found, key=lambda c: c.jsd).book == "valves"
    assert suggest(found, most=0.3).book != "valves"
    own, *others = (words(" ".join(p.text for p in book)) for book in books.values())
    rest = [word for other in others for word in other]
    expected = jensen_shannon(function_word_distribution(own), function_word_distribution(rest))
    assert found[0].jsd == pytest.approx(expected, abs=1e-9)
    assert all(choice.note == "" for choice in found)


def test_two_books_are_offered_by_blocks_with_the_guard_counted() -> None:
    books = {"tides": _book("tides", PILOT, 12000, 1), "wrecks": _book("wrecks", PILOT, 8000, 2)}
    total = sum(map(_size, books.values()))
    found = choices(books, share=0.12, guard=200)
    assert {c.kind for c in found} == {"chapters"}
    for name, own in books.items():
        mine = [c for c in found if c.book == name]
        assert [c.fold for c in mine] == list(range(len(mine)))
        assert sum(c.heldout_words for c in mine) == _size(own)
        assert all(c.starts.startswith("chapter") for c in mine)
        assert all(c.guard_words >= 200 for c in mine)
    for choice in found:
        assert choice.heldout_words + choice.guard_words + choice.train_words == total
        assert choice.heldout_words / total == pytest.approx(0.12, abs=0.05)
    assert any(not math.isnan(choice.delta) for choice in found)


def test_a_book_unlike_itself_in_one_block_shows_where() -> None:
    book = [*_book("b", PILOT, 10000, 1), *_book("b", ENGINEER, 2500, 2), *_book("b", PILOT, 10000, 3)]
    found = choices({"b": book}, share=1 / 9, guard=0)
    assert len(found) == 9
    assert max(found, key=lambda c: c.jsd).fold == 4
    assert max(found, key=lambda c: c.delta).fold == 4
    assert suggest(found).fold != 4


def test_too_little_text_has_no_delta_or_cannot_be_split() -> None:
    few = choices({name: _book(name, PILOT, 300, n) for n, name in enumerate("abc")})
    assert all(math.isnan(c.delta) and "too few for a Delta" in c.note for c in few)
    assert all(c.jsd >= 0 for c in few)
    assert suggest(few, most=0.5) == min(few, key=lambda c: c.lost_words)
    with pytest.raises(ConfigurationError, match="too little to hold any of them out"):
        choices({"a": [Paragraph("a", 1, "body", "", "One two three.")]})
    with pytest.raises(ConfigurationError, match="0 words are too little"):
        choices({})


def test_what_costs_too_much_is_suggested_only_where_all_do() -> None:
    def option(heldout: int, delta: float) -> Choice:
        return Choice("book", f"b{heldout}", None, "", heldout, 0, 1000 - heldout, delta, 0.1)

    options = [option(600, 0.1), option(100, 0.9), option(200, 0.5)]
    assert suggest(options).heldout_words == 200
    assert suggest(options, most=0.05).heldout_words == 100
