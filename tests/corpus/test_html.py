from __future__ import annotations

from pathlib import Path

import pytest

from harness.corpus import html
from harness.corpus.books import find_books, read_book
from harness.corpus.layout import NOTE_RULE
from harness.corpus.prose import paragraphs
from harness.errors import BookError
from harness.types import LabelledPage

PROSE = "<p>The railroads of the country ought to be governed by a law that is just to all men.</p>\n" * 40


def _saved(tmp_path: Path, text: str | bytes, name: str = "page.html") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def _texts(path: Path, role: str = "body") -> list[str]:
    book = read_book(path)
    labelled = [LabelledPage(page, "body", "") for page in book.pages]
    return [p.text for p in paragraphs(labelled, {role}, book.chapters)]


def test_paragraphs_stay_paragraphs_and_headings_are_chapters(tmp_path: Path) -> None:
    path = _saved(
        tmp_path, "<h1>One</h1><p>First\n line.</p><p>A line without end</p><h2>Two</h2><p>Last.</p>"
    )
    book = read_book(path)
    assert book.chapters == ((1, "One"), (2, "Two"))
    assert book.pages[0].lines == ("One", "", "  First line.", "", "  A line without end")
    assert _texts(path) == ["First line.", "A line without end", "Last."]


def test_scripts_menus_and_page_numbers_are_not_read(tmp_path: Path) -> None:
    junk = "<script>alert(1)</script><nav>Home</nav><style>p{}</style><!-- hidden --><p hidden>Secret</p>"
    junk += "<div role='navigation'><h3>Navigation</h3></div>"
    path = _saved(tmp_path, f"<title>T</title>{junk}<p>Kept<span class='pagenum'>[12]</span> words.</p>")
    assert _texts(path) == ["Kept words."]


def test_entities_and_declared_encodings(tmp_path: Path) -> None:
    path = _saved(
        tmp_path, "<meta charset='cp1252'><p>Caf\u00e9 &amp; na&iuml;vet&eacute;</p>".encode("cp1252")
    )
    assert _texts(path) == ["Café & naïveté"]


def test_external_entities_are_not_fetched(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("the secret")
    head = f'<?xml version="1.0"?><!DOCTYPE html [<!ENTITY x SYSTEM "{tmp_path / "secret.txt"}">]>'
    path = _saved(tmp_path, f"{head}<html><body><p>Before &x; after.</p></body></html>", "a.xhtml")
    assert "secret" not in " ".join(_texts(path))


def test_raised_figures_and_footnotes(tmp_path: Path) -> None:
    note = '<aside epub:type="footnote"><p>The note.</p></aside>'
    path = _saved(tmp_path, f"<p>A law.<sup><a href='#n'>4</a></sup> It is just.</p>{note}<p>More.</p>")
    assert read_book(path).pages[0].lines[-2:] == (NOTE_RULE, "The note.")
    assert _texts(path) == ["A law. It is just.", "More."]
    assert _texts(path, "notes") == ["The note."]


def test_the_letters_of_an_index_are_no_chapters(tmp_path: Path) -> None:
    entries = "".join(f"<h2>{c}</h2><p>{c}rmy, 1, 2, 3</p>" for c in "ABC")
    path = _saved(tmp_path, f"<h1>One</h1>{PROSE}<h1>Index</h1>{entries}<h1>Colophon</h1><p>Set by hand.</p>")
    assert [title for _, title in read_book(path).chapters] == ["One", "Index", "Colophon"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [("", "is empty"), ("<script>x</script>", "has no text"), ("<b>" * 3000 + "x", "nested too deeply")],
)
def test_what_cannot_be_read(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(BookError, match=problem):
        read_book(_saved(tmp_path, text))


def test_a_page_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "MOST_BYTES", 100)
    with pytest.raises(BookError, match="larger than"):
        read_book(_saved(tmp_path, PROSE))


def test_folders_offer_web_books_too(tmp_path: Path) -> None:
    for name in ("a.html", "b.epub", "c.css"):
        (tmp_path / name).write_text("x")
    assert [path.name for path in find_books(["."], tmp_path)] == ["a.html", "b.epub"]
