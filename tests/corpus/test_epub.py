from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.corpus import epub
from harness.corpus.books import read_book
from harness.corpus.roles import label_pages
from harness.errors import BookError

CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
    '<rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
)
LAW = "<p>The railroads of the country ought to be governed by a law that is just to all men.</p>"
DOCUMENTS = {
    "title.xhtml": "<p>THE LAW</p><p>by an author</p>",
    "rights.xhtml": "<section epub:type='copyright-page'><p>Copyright 1906 by the author</p></section>",
    "one.xhtml": f"<h1>Of Roads</h1>{LAW * 60}<h2 id='ships'>Of Ships</h2>{LAW * 30}",
    "two%20b.xhtml": f"<h1>Of Banks</h1>{LAW * 60}",
    "index.xhtml": "<h1>Index</h1>" + "".join(f"<p>Army, {n}, {n + 7}</p>" for n in range(30)),
}
NAV = (
    "<nav epub:type='landmarks'><ol><li><a href='index.xhtml'>Wrong</a></li></ol></nav>"
    "<nav epub:type='toc'><ol>"
    "<li><a href='one.xhtml'>Of Roads</a></li><li><a href='one.xhtml#ships'>Of Ships</a></li>"
    "<li><a href='two%20b.xhtml'>Of Banks</a></li><li><a href='index.xhtml'>Index</a></li></ol></nav>"
)
NCX = (
    '<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap><navPoint><navLabel><text>Roads</text></navLabel>'
    '<content src="one.xhtml"/></navPoint><navPoint><navLabel><text>Banks</text></navLabel>'
    '<content src="two%20b.xhtml"/></navPoint></navMap></ncx>'
)


def _epub(
    path: Path, nav: str = NAV, ncx: str = "", more: Mapping[str, str | bytes] | None = None, spine: str = ""
) -> Path:
    items = "".join(
        f'<item id="d{n}" href="{name}" media-type="application/xhtml+xml"/>'
        for n, name in enumerate(DOCUMENTS)
    )
    items += '<item id="nav" href="nav.xhtml" properties="nav"/>' if nav else ""
    items += '<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>' if ncx else ""
    refs = spine or "".join(f'<itemref idref="d{n}"/>' for n in range(len(DOCUMENTS)))
    opf = (
        '<package xmlns="http://www.idpf.org/2007/opf"><manifest>'
        f"{items}</manifest><spine>{refs}</spine></package>"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", CONTAINER)
        archive.writestr("OEBPS/book.opf", opf)
        for name, body in DOCUMENTS.items():
            archive.writestr(f"OEBPS/{name.replace('%20', ' ')}", f"<html><body>{body}</body></html>")
        if nav:
            archive.writestr("OEBPS/nav.xhtml", f"<html><body>{nav}</body></html>")
        if ncx:
            archive.writestr("OEBPS/toc.ncx", ncx)
        for name, content in (more or {}).items():
            archive.writestr(name, content)
    return path


def test_the_spine_is_read_in_order_with_chapters_from_the_contents(tmp_path: Path) -> None:
    book = read_book(_epub(tmp_path / "law.epub"))
    assert [title for _, title in book.chapters] == ["Copyright", "Of Roads", "Of Ships", "Of Banks", "Index"]
    starts = [book.pages[page - 1].lines[0].strip() for page, _ in book.chapters]
    assert starts == ["Copyright 1906 by the author", "Of Roads", "Of Ships", "Of Banks", "Index"]
    assert (book.name, len(book.sha256), book.pages[0].lines[0].strip()) == ("law", 64, "THE LAW")
    assert all(page.number == n for n, page in enumerate(book.pages, 1))


def test_roles_follow_the_types_and_the_contents(tmp_path: Path) -> None:
    roles = [item.role for item in label_pages(read_book(_epub(tmp_path / "law.epub")))]
    assert roles[:2] == ["title", "copyright"]
    assert roles[-1] == "index"
    assert set(roles[2:-1]) == {"body"}


def test_an_old_table_of_contents_will_do(tmp_path: Path) -> None:
    book = read_book(_epub(tmp_path / "law.epub", nav="", ncx=NCX))
    assert [t for _, t in book.chapters if t] == ["Copyright", "Roads", "Banks", "Index"]


def test_what_is_not_linear_is_not_read(tmp_path: Path) -> None:
    spine = '<itemref idref="d2"/><itemref idref="d0" linear="no"/>'
    assert "THE LAW" not in read_book(_epub(tmp_path / "law.epub", spine=spine)).pages[0].text


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"../../outside.txt": "x"}, "names a file outside itself"),
        ({"/root.txt": "x"}, "names a file outside itself"),
        ({"OEBPS/bomb.xhtml": b"\0" * 3_000_000}, "swells when unpacked"),
        (
            {
                "META-INF/encryption.xml": '<encryption xmlns:e="urn:e"><e:CipherReference '
                'URI="OEBPS/one.xhtml"/></encryption>'
            },
            "is copy-protected",
        ),
    ],
)
def test_dangerous_and_protected_archives_are_refused(
    tmp_path: Path, more: dict[str, str | bytes], problem: str
) -> None:
    with pytest.raises(BookError, match=problem):
        read_book(_epub(tmp_path / "odd.epub", more=more))


def test_scrambled_fonts_do_not_matter(tmp_path: Path) -> None:
    fonts = '<encryption xmlns:e="urn:e"><e:CipherReference URI="OEBPS/font.otf"/></encryption>'
    assert read_book(_epub(tmp_path / "law.epub", more={"META-INF/encryption.xml": fonts})).pages


def test_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epub, "MOST_UNPACKED", 1000)
    with pytest.raises(BookError, match="more than any book"):
        read_book(_epub(tmp_path / "law.epub"))


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", "is empty"), (b"not a zip", "not an EPUB"), (b"PK\x03\x04 cut", "not an EPUB")],
)
def test_what_is_no_epub(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "odd.epub"
    path.write_bytes(content)
    with pytest.raises(BookError, match=problem):
        read_book(path)


def test_a_zip_that_is_no_book_and_a_missing_document(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.epub", "w") as archive:
        archive.writestr("x.txt", "x")
    with pytest.raises(BookError, match=r"lacks 'META-INF/container\.xml'"):
        read_book(tmp_path / "a.epub")
    raw = _epub(tmp_path / "b.epub").read_bytes()
    (tmp_path / "b.epub").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(BookError, match="damaged"):
        read_book(tmp_path / "b.epub")


def test_whatever_byte_is_wrong_the_book_is_read_or_refused(tmp_path: Path) -> None:
    whole = _epub(tmp_path / "whole.epub").read_bytes()
    path = tmp_path / "bent.epub"
    refused = 0
    for place in range(0, len(whole), 29):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            read_book(path)
        except BookError:
            refused += 1
    assert refused > 10


@pytest.mark.parametrize("name", ["META-INF/container.xml", "OEBPS/book.opf"])
def test_a_part_that_is_no_xml_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.epub"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("META-INF/container.xml", "" if name.startswith("META") else CONTAINER)
        archive.writestr("OEBPS/book.opf", "")
    with pytest.raises(BookError, match="is not XML"):
        read_book(path)


def test_a_link_that_is_no_address_is_a_missing_document(tmp_path: Path) -> None:
    book = read_book(_epub(tmp_path / "x.epub", nav=NAV.replace("one.xhtml#ships", "http://[bad")))
    assert "Of Ships" not in [title for _, title in book.chapters]
