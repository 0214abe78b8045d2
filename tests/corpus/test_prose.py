from __future__ import annotations

import pytest

from harness.corpus.layout import NOTE_RULE
from harness.corpus.prose import is_heading, paragraphs, running_lines, split_notes, without_furniture
from harness.types import LabelledPage, Page


def _labelled(*pages: tuple[str, ...], roles: tuple[str, ...] = ()) -> tuple[LabelledPage, ...]:
    named = roles or ("body",) * len(pages)
    return tuple(
        LabelledPage(Page("b", number, lines), role, "")
        for number, (lines, role) in enumerate(zip(pages, named, strict=True), start=1)
    )


def _texts(*pages: tuple[str, ...]) -> list[str]:
    return [paragraph.text for paragraph in paragraphs(_labelled(*pages), {"body"})]


def test_running_heads_and_folios_go_the_text_stays() -> None:
    pages = tuple(
        Page("b", n, ("THE BOOK", "", f"Line {word} of the text.", f"Part {word} goes on.", "", f"  {n}"))
        for n, word in enumerate(("one", "two", "three"), start=1)
    )
    running = running_lines(pages)
    assert without_furniture(pages[0], running) == ("Line one of the text.", "Part one goes on.")
    twice = running_lines(pages[:2])
    assert "THE BOOK" in without_furniture(pages[0], twice)


def test_broken_words_are_mended_by_the_book_and_its_language() -> None:
    page = ("  He came to-", "day, and to-day he", "speaks of quater-", "nions in a hon-", "neurs.")
    assert _texts(page) == ["He came to-day, and to-day he speaks of quaternions in a honneurs."]
    known = _labelled(("  The hon and the neurs;", "many hon-", "neurs here."))
    assert [p.text for p in paragraphs(known, {"body"})] == ["The hon and the neurs; many hon-neurs here."]
    french = paragraphs(known, {"body"}, language="fr")
    assert [p.text for p in french] == ["The hon and the neurs; many honneurs here."]


def test_dashes_at_line_ends_are_glued() -> None:
    page = ("  The law--", "all these -- of 1914–", "18 — was", "— he said –", "just.")
    assert _texts(page) == ["The law—all these—of 1914-18—was—he said—just."]


def test_lines_become_paragraphs_over_the_page_break() -> None:
    first = ("  It was the best of all", "years for the govern-")
    second = ("ment of the people. So", "it ended.", "  A new start of the", "government.")
    assert _texts(first, second) == [
        "It was the best of all years for the government of the people. So it ended.",
        "A new start of the government.",
    ]


def test_an_indent_at_the_top_of_a_page_starts_a_paragraph() -> None:
    assert _texts(("  One line", "ends here."), ("  Two begins", "here.")) == [
        "One line ends here.",
        "Two begins here.",
    ]


def test_footnotes_stand_apart_and_their_marks_go() -> None:
    page = (
        "  The law was passed.⁴ It", "is a just law.", "", NOTE_RULE, "⁴ In the year before.", "", "  12",
    )  # fmt: skip
    found = paragraphs(_labelled(page), None)
    assert [(p.role, p.text) for p in found] == [
        ("body", "The law was passed. It is a just law."),
        ("notes", "4 In the year before."),
    ]
    assert split_notes(("text " * 9, "more.", "", "3 A note."))[1] == ("3 A note.",)


def test_a_note_ends_where_a_paragraph_without_a_mark_follows() -> None:
    page = ("  The law was", "passed.", "", "It is just.", "", "* In the year", "before.", "", "So it ended.")
    own, notes = split_notes(page)
    assert notes == ("* In the year", "before.")
    assert own == ("  The law was", "passed.", "", "It is just.", "", "So it ended.")
    found = paragraphs(_labelled(page), None)
    assert [p.text for p in found if p.role == "body"] == [
        "The law was passed.",
        "It is just.",
        "So it ended.",
    ]


def test_numbered_paragraphs_are_no_notes_but_a_star_among_them_is() -> None:
    page = (
        "1. The sea is wide.", "", "2. The sea is deep.", "", "3. The sea is salt.", "", "* So says Marlow.",
        "", "4. The sea is cold.",
    )  # fmt: skip
    own, notes = split_notes(page)
    assert notes == ("* So says Marlow.",)
    assert [line for line in own if line][-2:] == ["3. The sea is salt.", "4. The sea is cold."]


def test_what_has_no_lines_has_no_notes() -> None:
    assert split_notes(()) == ((), ())


@pytest.mark.parametrize("last", ["ill.", "I.", "I,", "civil.", "Mill."])
def test_a_word_of_the_letters_of_roman_numerals_is_no_folio(last: str) -> None:
    page = Page("b", 1, ("The pilot was never so", last))
    assert without_furniture(page, frozenset()) == page.lines


@pytest.mark.parametrize("last", ["iv", "XIV.", "- xcix -", "I", "p. 12", "lxxxviii", "[ccc]"])
def test_a_folio_goes(last: str) -> None:
    page = Page("b", 1, ("The pilot was ill.", last))
    assert without_furniture(page, frozenset()) == page.lines[:1]


def test_a_note_does_not_part_the_paragraph_that_runs_on() -> None:
    first = ("  The law was", NOTE_RULE, "1 A note.")
    assert _texts(first, ("passed at last.",)) == ["The law was passed at last."]


def test_headings_name_the_chapter_and_leave_the_prose() -> None:
    page = (
        "  CHAPTER IV",
        "",
        "  Of the forests",
        "",
        "The trees are",
        "felled.",
        "",
        "  THE NAVY.",
        "",
        "Ships sail.",
    )
    found = paragraphs(_labelled(page), {"body"})
    assert [(p.chapter, p.text) for p in found] == [
        ("CHAPTER IV Of the forests", "The trees are felled."),
        ("THE NAVY.", "Ships sail."),
    ]


def test_the_outline_names_a_chapter_whose_heading_is_not_printed() -> None:
    labelled = _labelled(("  Words of one.",), ("  Words of two.",))
    found = paragraphs(labelled, {"body"}, ((1, "One"), (2, "Two")))
    assert [p.chapter for p in found] == ["One", "Two"]


def test_an_index_keeps_its_lines() -> None:
    labelled = _labelled(
        ("  Prose here.",), ("INDEX", "Army, 1, 2", "  regular, 3", "", "  9"), roles=("body", "index")
    )
    everything = paragraphs(labelled, None)
    assert everything[1].text == "INDEX\nArmy, 1, 2\nregular, 3"
    assert [p.role for p in paragraphs(labelled, {"body"})] == ["body"]


def test_ligatures_and_quotes_are_plain() -> None:
    assert _texts(("  “The ﬁrst oﬃce,” he said.",)) == ['"The first office," he said.']


def test_headings() -> None:
    assert is_heading("THE COURTS.")
    assert is_heading("Chapter IV")
    assert not is_heading("Chapter and verse were given.")
    assert not is_heading("I.")


@pytest.mark.parametrize("text", ["D E R F", "H C B K E", "△ABC : △ABD = AC : AD .", "W.W.R.B.", "A = B"])
def test_letters_of_a_figure_are_no_heading(text: str) -> None:
    assert not is_heading(text)


@pytest.mark.parametrize("text", ["THE SEA", "CHAPTER IV", "A DAY IN MAY", "ON LYING IN BED", "XIV."])
def test_capitals_are_a_heading(text: str) -> None:
    assert is_heading(text)


@pytest.mark.parametrize(
    "text", ["הים היה שקט", "السماء فوق البحر زرقاء", "他走到海边，看了很久，没有说话。"]
)
def test_a_short_line_in_a_script_without_capitals_is_no_heading(text: str) -> None:
    assert not is_heading(text)


def test_a_title_printed_on_the_index_below_does_not_name_the_prose_above() -> None:
    prose = ("The sea was calm and the pilot stood at the wheel, and he looked at the far", "shore all day.")
    index = ("INDEX", "Anchor, 3, 9", "Bell, 4", "Buoy, 7, 12")
    labelled = [
        LabelledPage(Page("book", 9, prose), "body", ""),
        LabelledPage(Page("book", 9, index), "index", ""),
    ]
    found = paragraphs(labelled, None, [(1, "One"), (9, "Index")])
    assert [(p.role, p.chapter) for p in found] == [("body", ""), ("index", "")]
