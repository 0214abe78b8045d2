from __future__ import annotations

import pytest

from harness.corpus.mixed_pages import blocks, page_roles
from harness.corpus.prose import paragraphs
from harness.corpus.roles import apply_overrides, label_pages
from harness.types import Book, LabelledPage, Page

PROSE = tuple("The railroads of the country ought to be governed by a law that is just." for _ in range(12))
INDEX = tuple(
    f"{word}, {n}, {n + 7}, {n + 30}" for n, word in enumerate(["Army", "Banks", "Coal", "Cuba"] * 5)
)
LEADERS = tuple(f"Part {word} . . . . . . . . . . {9 * n}" for n, word in enumerate("ABCDEF", start=1))
ENTRIES = tuple(f"{word} Matters {9 * n}" for n, word in enumerate("ABCDEF", start=1))
WORKS = tuple(f"[{n}] A. Smith. On canals. New York, 19{n}4." for n in range(6))
NOTES = ("[1] See the message of 1906.", "", "[2] The same, p. 12.", "", "[3] Ibid.")


def _cut(*lines: str, number: int = 50, early: bool = False, titles: tuple[str, ...] = ()) -> list[str]:
    page = Page("b", number, lines)
    found = blocks(page, titles, early=early)
    assert [line for part in found for line in part.page.lines if line] == [line for line in lines if line]
    return [f"{part.role} {len(part.page.lines)}" for part in found]


@pytest.mark.parametrize(
    ("heading", "matter", "role"),
    [
        ("INDEX", INDEX, "index"),
        ("Subject Index", INDEX, "index"),
        ("References", WORKS, "bibliography"),
        ("NOTES", NOTES, "notes"),
        ("Contents", LEADERS, "contents"),
        ("Elenco delle ﬁgure", LEADERS, "captions"),
    ],
)
def test_a_heading_with_that_kind_of_matter_below_it_cuts_the_page(
    heading: str, matter: tuple[str, ...], role: str
) -> None:
    assert _cut(*PROSE, "", heading, "", *matter) == ["None 13", f"{role} {len(matter) + 2}"]


@pytest.mark.parametrize("heading", ["INDEX", "References", "NOTES", "Contents", "GLOSSARY"])
def test_a_heading_above_prose_cuts_nothing(heading: str) -> None:
    assert _cut(*PROSE, "", heading, "", *PROSE) == ["None 27"]


def test_a_heading_at_the_top_or_in_the_midst_of_an_index_cuts_nothing() -> None:
    assert _cut("INDEX", *INDEX) == ["None 21"]
    assert _cut(*INDEX, "INDEX", *INDEX) == ["None 41"]
    assert _cut(*PROSE, "index", *INDEX) == ["None 33"]


def test_a_glossary_needs_the_outline_as_its_witness() -> None:
    terms = ("Boom: a bar across a river.", "Weir: a low dam.", "Lock: a chamber for ships.")
    assert _cut(*PROSE, "Glossary", *terms) == ["None 16"]
    assert _cut(*PROSE, "Glossary", *terms, titles=("Glossary",)) == ["None 12", "glossary 4"]


def test_after_the_notes_of_one_chapter_the_next_begins() -> None:
    page = (*PROSE, "", "FOOTNOTES:", "", *NOTES, "", "CHAPTER II", "", *PROSE[:6])
    assert _cut(*page) == ["None 13", "notes 7", "None 9"]


def test_contents_end_where_prose_begins() -> None:
    assert _cut(*LEADERS, "", "CHAPTER I", "", *PROSE) == ["contents 6", "None 15"]
    assert _cut(*ENTRIES, "", "CHAPTER I", "", *PROSE, early=True) == ["contents 6", "None 15"]
    # A table of figures in the middle of the book has no dot leaders.
    assert _cut(*ENTRIES, "", "CHAPTER I", "", *PROSE) == ["None 21"]
    falling = tuple(reversed(ENTRIES))
    assert _cut(*falling, "", "CHAPTER I", "", *PROSE, early=True) == ["None 21"]


def test_contents_between_a_preface_and_a_chapter() -> None:
    page = (*PROSE, "", "CONTENTS", "", *ENTRIES, "", "CHAPTER I", "", *PROSE)
    assert _cut(*page, early=True) == ["None 13", "contents 8", "None 15"]


def test_the_marks_of_project_gutenberg() -> None:
    start, end = (
        "*** START OF THE PROJECT GUTENBERG EBOOK X ***",
        "*** END OF THIS PROJECT GUTENBERG EBOOK X ***",
    )
    assert _cut("Title: X", start, *PROSE) == ["copyright 2", "None 12"]
    assert _cut(*PROSE, end, "Section 1. Terms of use") == ["None 12", "copyright 2"]
    assert _cut("Title: X", start) == ["copyright 2"]
    assert _cut("Title: X", start, *PROSE, end) == ["copyright 2", "None 12", "copyright 1"]


def test_the_top_of_a_plain_text() -> None:
    title = ("Produced by a Volunteer", "", "THE WEIR", "", "By A. Smith", "")
    text = " ".join(PROSE[:5])
    assert _cut(*title, "PREFACE", "", text, number=1) == ["title 6", "None 3"]
    assert _cut(*title, "CHAPTER I", "", "OF DAMS", "", text, number=1) == ["title 6", "None 5"]
    note = ("[Transcriber's Note:", "", text, "]", "")
    assert _cut(*note, *title, "PREFACE", "", text, number=1) == ["title 11", "None 3"]
    # Headings alone are no title page, and no page but the first has one.
    assert _cut("LECTURE I", "", "OF DAMS", "", text, number=1) == ["None 5"]
    assert _cut(*title, "PREFACE", "", text, number=2) == ["None 9"]


def _prose(page: str, n_lines: int) -> tuple[str, ...]:
    """Lines of which no two are alike: what stands at the edge of three pages would be furniture."""
    return tuple(
        f"The railroads of {page}{line} ought to be governed by a law." for line in "abcdefghi"[:n_lines]
    )


def _book() -> Book:
    whole = [_prose(page, 9) for page in "ABCDEFGHI"]
    pages = [*whole, (*_prose("J", 4), "", "INDEX", "", *INDEX), INDEX]
    return Book("b", "0", tuple(Page("b", number, lines) for number, lines in enumerate(pages, start=1)))


def test_both_blocks_are_labelled_and_the_page_counts_once() -> None:
    labelled = label_pages(_book())
    assert [(item.page.number, item.role) for item in labelled[9:]] == [
        (10, "body"),
        (10, "index"),
        (11, "index"),
    ]
    assert labelled[10].reason == "below the heading 'INDEX'"
    assert page_roles(labelled) == dict.fromkeys(range(1, 11), "body") | {11: "index"}


def test_most_of_the_words_decide_what_a_page_counts_as() -> None:
    upper, lower = Page("b", 7, ("one two three",)), Page("b", 7, ("one two",))
    parts = [LabelledPage(upper, "body", ""), LabelledPage(lower, "index", "")]
    assert page_roles(parts) == {7: "body"}
    assert page_roles([LabelledPage(lower, "body", ""), LabelledPage(upper, "index", "")]) == {7: "index"}


def test_only_the_prose_of_a_mixed_page_becomes_paragraphs_of_the_body() -> None:
    found = paragraphs(label_pages(_book()), None)
    last = [p for p in found if p.page >= 10]
    assert [(p.page, p.role) for p in last if p.role == "index"] == [(10, "index"), (11, "index")]
    body = " ".join(p.text for p in found if p.role == "body")
    assert body.count("railroads") == 9 * 9 + 4
    assert "Banks" not in body


def test_a_role_given_by_hand_holds_for_every_block() -> None:
    given = apply_overrides(label_pages(_book()), {"10": "body", "11": "body"})
    assert [item.role for item in given[9:]] == ["body"] * 3
