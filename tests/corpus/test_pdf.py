from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pymupdf
import pytest

from harness.corpus.layout import NOTE_RULE
from harness.corpus.pdf import Limits, read_pdf
from harness.errors import BookError

PROSE = "The quick brown fox jumps over the lazy dog and goes on its way"


def _document(pages: int = 3, lines: int = 20) -> Any:
    document = pymupdf.open()
    for number in range(pages):
        page = document.new_page(width=400, height=600)
        for line in range(lines):
            page.insert_text(
                (60 if line % 5 == 0 else 46, 60 + 14 * line), f"{number} {line} {PROSE}", fontsize=9
            )
        page.insert_text((195, 570), str(number + 1), fontsize=9)
    return document


def test_lines_come_in_order_with_indents_marked(tmp_path: Path) -> None:
    path = tmp_path / "plain.pdf"
    _document().save(path)
    book = read_pdf(path)
    assert (book.name, len(book.pages), len(book.sha256)) == ("plain", 3, 64)
    lines = book.pages[1].lines
    assert lines[0] == f"  1 0 {PROSE}"
    assert lines[1] == f"1 1 {PROSE}"
    assert [line.strip() for line in lines][-2:] == ["", "2"]


def test_two_columns_are_read_one_after_the_other(tmp_path: Path) -> None:
    document = pymupdf.open()
    page = document.new_page(width=400, height=600)
    for line in range(20):  # written across, as some makers do
        page.insert_text((30, 80 + 14 * line), f"left {line} of this column", fontsize=10)
        page.insert_text((220, 80 + 14 * line), f"right {line} of this column", fontsize=10)
    page.insert_text((100, 50), "A heading that crosses the gutter of the page", fontsize=10)
    path = tmp_path / "columns.pdf"
    document.save(path)
    lines = [line.strip() for line in read_pdf(path).pages[0].lines if line]
    assert lines[0].startswith("A heading")
    assert lines[20] == "left 19 of this column"
    assert lines[21] == "right 0 of this column"


def test_small_type_at_the_foot_is_set_off_and_raised_figures_marked(tmp_path: Path) -> None:
    document = _document(pages=1)
    page = document[0]
    last = "The last line of the page has a mark"
    page.insert_text((46, 350), last, fontsize=9)
    page.insert_text((46 + pymupdf.get_text_length(last, fontsize=9), 346), "7", fontsize=5)
    page.insert_text((46, 520), "7 The note that belongs to the mark.", fontsize=7)
    path = tmp_path / "notes.pdf"
    document.save(path)
    lines = read_pdf(path).pages[0].lines
    assert "⁷" in next(line for line in lines if "last line" in line)
    assert lines[lines.index(NOTE_RULE) + 1].strip() == "7 The note that belongs to the mark."


def test_outline_becomes_chapters(tmp_path: Path) -> None:
    document = _document()
    document.set_toc([[1, "The Book", 1], [2, "One", 1], [2, "Two", 2], [3, "Two and a half", 2]])
    path = tmp_path / "outline.pdf"
    document.save(path)
    assert read_pdf(path).chapters == ((1, "The Book"), (1, "One"), (2, "Two"))


def test_an_encrypted_file_names_the_password_option(tmp_path: Path) -> None:
    path = tmp_path / "locked.pdf"
    _document().save(path, encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="sesame", owner_pw="x")
    with pytest.raises(BookError, match=r"locked\.pdf: is encrypted; give its password with --password"):
        read_pdf(path)
    with pytest.raises(BookError, match="does not open it"):
        read_pdf(path, password="wrong")
    assert len(read_pdf(path, password="sesame").pages) == 3


def test_a_scan_names_ocr(tmp_path: Path) -> None:
    document = _document(pages=4)
    document.new_page()
    path = tmp_path / "scan.pdf"
    document.save(path)
    with pytest.raises(BookError, match=r"page 5: has almost no text on 1 of its 5 pages.*ocrmypdf"):
        read_pdf(path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body>Not found</body></html>", "web page named .pdf"),
        (b"PK\x03\x04 some archive", "is not a PDF"),
        (b"%PDF-1.7\n" + b"\x00" * 400, "is (damaged|truncated)"),
    ],
)
def test_what_is_no_pdf_says_what_it_is(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "odd.pdf"
    path.write_bytes(content)
    with pytest.raises(BookError, match=problem) as caught:
        read_pdf(path)
    assert caught.value.remedy


@pytest.mark.parametrize("share", [0.3, 0.7, 0.97])
def test_a_truncated_file_is_never_half_a_book(tmp_path: Path, share: float) -> None:
    path = tmp_path / "short.pdf"
    _document(pages=12).save(path)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(share * len(raw))])
    with pytest.raises(BookError, match=r"is (damaged|truncated)"):
        read_pdf(path)


@pytest.mark.parametrize("limits", [Limits(seconds=0.01), Limits(seconds=0.01, seconds_a_page=-1)])
def test_a_reader_that_hangs_is_an_error(tmp_path: Path, limits: Limits) -> None:
    path = tmp_path / "slow.pdf"
    _document().save(path)
    with pytest.raises(BookError, match=r"not read within 0\.01 seconds"):
        read_pdf(path, limits=limits)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BookError, match="cannot be opened"):
        read_pdf(tmp_path / "nowhere.pdf")


def test_a_reader_that_wants_too_much_memory_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "big.pdf"
    _document().save(path)
    with pytest.raises(BookError, match=r"big\.pdf: (needs more than|the PDF reader died)"):
        read_pdf(path, limits=Limits(memory=60 << 20))


def test_a_repaired_file_is_read_only_where_allowed(tmp_path: Path) -> None:
    path = tmp_path / "short.pdf"
    _document(pages=12).save(path)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(0.97 * len(raw))])
    with pytest.raises(BookError, match="--allow-repaired"):
        read_pdf(path)
    assert read_pdf(path, allow_repaired=True).pages[0].lines[0] == f"  0 0 {PROSE}"


def test_sparse_pages_are_read_only_where_allowed_and_a_scan_never(tmp_path: Path) -> None:
    document = _document(pages=4)
    document.new_page()
    document.save(tmp_path / "sparse.pdf")
    with pytest.raises(BookError, match="--allow-repaired"):
        read_pdf(tmp_path / "sparse.pdf")
    assert len(read_pdf(tmp_path / "sparse.pdf", allow_repaired=True).pages) == 5
    scan = pymupdf.open()
    scan.new_page()
    scan.save(tmp_path / "scan.pdf")
    with pytest.raises(BookError, match="ocrmypdf"):
        read_pdf(tmp_path / "scan.pdf", allow_repaired=True)


@pytest.mark.parametrize(("left", "gap"), [(46, 2), (46, 6)])
def test_a_drop_cap_is_the_first_letter_of_its_line(tmp_path: Path, left: float, gap: float) -> None:
    document = pymupdf.open()
    page = document.new_page(width=400, height=600)
    wide = pymupdf.get_text_length("I", fontsize=36) + gap
    for line in range(20):
        text = "N THE beginning was the word" if line == 0 else f"{line} {PROSE}"
        page.insert_text((left + (wide if line < 3 else 0), 100 + 12 * line), text, fontsize=9)
    page.insert_text((left, 124), "I", fontsize=36)
    document.save(tmp_path / "cap.pdf")
    lines = read_pdf(tmp_path / "cap.pdf").pages[0].lines
    assert lines[:4] == ("IN THE beginning was the word", f"1 {PROSE}", f"2 {PROSE}", f"3 {PROSE}")


@pytest.mark.slow
def test_five_thousand_pages(tmp_path: Path) -> None:
    part, whole = _document(pages=50, lines=36), pymupdf.open()
    for _ in range(100):
        whole.insert_pdf(part)
    whole.save(tmp_path / "long.pdf")
    start = time.perf_counter()
    book = read_pdf(tmp_path / "long.pdf", limits=Limits(memory=2 << 30))
    assert len(book.pages) == 5000
    assert time.perf_counter() - start < 60
