from __future__ import annotations

from pathlib import Path

import pytest

from harness.corpus.books import find_books, read_book
from harness.errors import BookError, ConfigurationError
from harness.text import words


def test_plain_text_becomes_pages_at_paragraph_ends(tmp_path: Path) -> None:
    paragraphs = [f"Paragraph {number}. " + "word " * 90 for number in range(20)]
    path = tmp_path / "book.txt"
    path.write_text("\n\n".join(paragraphs))
    book = read_book(path)
    counts = [len(words(page.text)) for page in book.pages]
    assert len(counts) == 4
    assert all(300 <= count <= 500 for count in counts)
    assert words("\n".join(page.text for page in book.pages)) == words("\n\n".join(paragraphs))
    assert all(page.lines[0].startswith("Paragraph") for page in book.pages)


def test_markdown_headings_are_chapters_on_fresh_pages(tmp_path: Path) -> None:
    path = tmp_path / "book.md"
    path.write_text("# One\n\nSome words.\n\n# Two\n\nMore words.")
    book = read_book(path)
    assert book.chapters == ((1, "One"), (2, "Two"))
    assert book.pages[1].lines == ("Two", "", "More words.")


@pytest.mark.parametrize("suffix", ["txt", "md"])
def test_underscores_for_italics_go(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"book.{suffix}"
    path.write_text(
        'The _Times_, (_I_) and _several\nwords in_ a row; "_vis-à-vis_"--_so_.\n\n'
        "A snake_case_name, __init__, x_1_, a _ b, ____ and _open\n\nclosed_ later."
    )
    assert read_book(path).pages[0].lines == (
        "The Times, (I) and several",
        'words in a row; "vis-à-vis"--so.',
        "",
        "A snake_case_name, __init__, x_1_, a _ b, ____ and _open",
        "",
        "closed_ later.",
    )


def test_a_heading_in_italics_is_a_plain_chapter(tmp_path: Path) -> None:
    path = tmp_path / "book.md"
    path.write_text("# On _Walden_\n\nSome words.")
    assert read_book(path).chapters == ((1, "On Walden"),)


def test_wrong_encoding_names_line_and_remedy(tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes("fine\nna\xefve".encode("latin-1"))
    with pytest.raises(BookError, match=r"latin\.txt: is not UTF-8 \(line 2\); convert it.*iconv"):
        read_book(path)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [("a.txt", b" \n ", "empty"), ("a.txt", b"a\x00b", "binary"), ("a.docx", b"PK", r"no reader for \.docx")],
)
def test_what_cannot_be_read(tmp_path: Path, name: str, content: bytes, problem: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BookError, match=problem):
        read_book(tmp_path / name)


def test_patterns_find_each_book_once_and_sorted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b.pdf", "a.txt", "notes.doc"):
        (tmp_path / name).write_text("x")
    monkeypatch.setenv("HOME", str(tmp_path))
    expected = [tmp_path / "a.txt", tmp_path / "b.pdf"]
    assert find_books(["*.pdf", "~/a.txt", "b.*"], tmp_path) == expected
    assert find_books(["."], tmp_path) == [tmp_path / "." / p.name for p in expected]


def test_a_pattern_that_names_nothing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "heretics.pdf").write_text("x")
    with pytest.raises(ConfigurationError, match=r"'heretic\.pdf', did you mean 'heretics\.pdf'"):
        find_books(["heretic.pdf"], tmp_path)


def test_mojibake_is_mended_and_clean_text_is_not_touched(tmp_path: Path) -> None:
    clean = "Une \u201cidée\u201d claire\u00a0: l\u2019été \ufb01nit, ½ \uff21."
    path = tmp_path / "fr.txt"
    path.write_text(f"{clean}\nLe cafÃ© est fermÃ©.", encoding="utf-8")
    assert read_book(path).pages[0].lines == (clean, "Le café est fermé.")
    path.write_text(clean, encoding="utf-8")
    assert read_book(path).pages[0].lines == (clean,)


def test_a_name_with_brackets_is_a_name_first(tmp_path: Path) -> None:
    (tmp_path / "a[1].txt").write_text("x")
    assert find_books(["a[1].txt"], tmp_path) == [tmp_path / "a[1].txt"]


@pytest.mark.parametrize("name", ["a\nb.txt", "a\x1b[31m.txt"])
def test_a_name_that_cannot_be_printed_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    with pytest.raises(ConfigurationError, match="rename this file") as caught:
        find_books(["*.txt"], tmp_path)
    assert str(caught.value).isprintable()


def test_a_folder_named_like_a_book_is_not_offered_as_one(tmp_path: Path) -> None:
    (tmp_path / "x.pdf").mkdir()
    with pytest.raises(ConfigurationError) as caught:
        find_books(["x.pdf"], tmp_path)
    assert str(caught.value) == "no book matches 'x.pdf'"


def test_a_home_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="~nobody-here/x: there is no such home"):
        find_books(["~nobody-here/x"], tmp_path)
