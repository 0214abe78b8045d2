"""EPUB -> a Book: the archive's spine in order, chapters from its table of contents.

    META-INF/container.xml -> package (OPF) -> spine -> documents -> blocks -> pages
                                            -> nav.xhtml or toc.ncx -> chapters

The archive is read in memory and never unpacked: names that climb out of it, archives that swell and
protected books are refused. XML is read without entities, DTDs or network.
"""

from __future__ import annotations

import hashlib
import io
import posixpath
import zipfile
import zlib
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from harness.corpus.html import MOST_BYTES, Typesetting, anchors, blocks_of, headings, kinds, parsed
from harness.corpus.role_names import role_named
from harness.errors import BookError
from harness.types import Book

MOST_ENTRIES, MOST_UNPACKED, MOST_SWELL = 20_000, 1_000_000_000, 200
"""Entries of an archive; bytes of all of them; how many times its packed size a large entry may be."""

_NAME_OF_TYPE = {
    "cover": "Cover",
    "titlepage": "Title page",
    "halftitlepage": "Half title",
    "copyright-page": "Copyright",
    "colophon": "Colophon",
    "imprint": "Imprint",
    "dedication": "Dedication",
    "epigraph": "Epigraph",
    "toc": "Contents",
    "loi": "List of illustrations",
    "lot": "List of tables",
    "index": "Index",
    "bibliography": "Bibliography",
    "glossary": "Glossary",
    "endnotes": "Notes",
    "rearnotes": "Notes",
    "footnotes": "Notes",
}
"""The title that a document's ``epub:type`` stands for, where its table of contents has none."""


@dataclass(frozen=True)
class _Entry:
    """One line of the table of contents: ``target`` is the document, ``anchor`` a place in it."""

    level: int
    title: str
    target: str
    anchor: str


def read_epub(path: Path) -> Book:
    """The book in spine order, pages of about 400 words; chapters from its contents, else its headings.

    Raises:
        BookError: not an EPUB, damaged, protected, dangerous, or without text.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BookError(path, f"cannot be opened ({error.strerror})", "check the path") from None
    if not raw:
        raise BookError(path, "the file is empty", "fetch it again")
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            book = _Archive(path, archive)
            return _set(book, hashlib.sha256(raw).hexdigest())
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, LZMAError, OSError) as error:
        raise BookError(path, f"is not an EPUB or is damaged ({error})", "fetch it again") from None


def _set(archive: _Archive, sha256: str) -> Book:
    """Every linear document of the spine on pages."""
    package = archive.package()
    contents: dict[str, list[_Entry]] = {}
    for entry in _down_to_three(package.entries):
        contents.setdefault(entry.target, []).append(entry)
    setting = Typesetting(archive.path.stem)
    named = False
    for document in package.spine:
        raw = archive.read(document)
        blocks = blocks_of(raw, archive.path)
        if not blocks:
            continue
        here = contents.get(document, [])
        titles = _titles(here, dict(anchors(blocks)))
        if 0 not in titles:
            first = _NAME_OF_TYPE.get(_type_of(raw)) or (next(headings(blocks), None) if not here else None)
            # Without a title of its own a document must not pass for more of the index before it.
            if first is not None or named:
                titles[0] = first or ""
        named = role_named(titles.get(0, "")) is not None
        for at, block in enumerate(blocks):
            setting.add(block, chapter=titles.get(at))
        setting.end_page()
    return setting.book(archive.path, sha256)


def _titles(entries: list[_Entry], places: dict[str, int]) -> dict[int, str]:
    """Block -> the last title of the contents that points at it; an unknown anchor is the document's top."""
    return {places.get(entry.anchor, 0) if entry.anchor else 0: entry.title for entry in entries}


def _down_to_three(entries: list[_Entry]) -> list[_Entry]:
    """The contents down to the first level that makes three entries, as for a PDF's outline."""
    levels = sorted({entry.level for entry in entries})
    deep = next((d for d in levels if sum(e.level <= d for e in entries) >= 3), 99)
    return [entry for entry in entries if entry.level <= deep and entry.title]


def _type_of(raw: bytes) -> str:
    """The first ``epub:type`` of a document's body, or of the section it consists of, that is known."""
    soup = parsed(raw)
    body = soup.body or soup
    around = [body, *body.find_all(["section", "div"], recursive=False, limit=1)]
    return next((kind for tag in around for kind in sorted(kinds(tag)) if kind in _NAME_OF_TYPE), "")


# ── the archive ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Package:
    """Paths of the documents in reading order, and the lines of the table of contents."""

    spine: list[str]
    entries: list[_Entry]


class _Archive:
    """The zip file behind the book; every name is checked once, every read has a ceiling."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path, self._zip = path, archive
        infos = archive.infolist()
        if len(infos) > MOST_ENTRIES or sum(info.file_size for info in infos) > MOST_UNPACKED:
            raise BookError(path, "unpacks to more than any book", "check where it came from")
        for info in infos:
            parts = info.filename.replace("\\", "/").split("/")
            if info.filename.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
                raise BookError(path, f"names a file outside itself ({info.filename!r})", "do not trust it")
            if info.file_size > 1_000_000 and info.file_size > MOST_SWELL * max(1, info.compress_size):
                raise BookError(path, f"swells when unpacked ({info.filename!r})", "check where it came from")
        self._names = {info.filename: info for info in infos}

    def read(self, name: str) -> bytes:
        info = self._names.get(name)
        if info is None:
            raise BookError(self.path, f"lacks {name!r}, which it says it has", "fetch it again")
        if info.flag_bits & 1 or info.file_size > MOST_BYTES:
            what = "is encrypted" if info.flag_bits & 1 else f"has a document above {MOST_BYTES // 10**6} MB"
            raise BookError(self.path, what, "use an edition without it")
        return self._zip.read(info)

    def package(self) -> _Package:
        root = next(iter(self._all(self._xml("META-INF/container.xml"), "rootfile")), None)
        opf = root.get("full-path", "") if root is not None else ""
        tree = self._xml(opf)
        folder = posixpath.dirname(opf)
        items = {item.get("id"): item for item in self._all(tree, "item")}
        where = {
            key: _inside(folder, item.get("href", ""))[0] for key, item in items.items() if item.get("href")
        }
        spine = [
            where[ref.get("idref")]
            for ref in self._all(tree, "itemref")
            if ref.get("linear") != "no" and ref.get("idref") in where
        ]
        nav = next((k for k, i in items.items() if "nav" in (i.get("properties") or "").split()), None)
        ncx = next((k for k, i in items.items() if i.get("media-type") == "application/x-dtbncx+xml"), None)
        if not spine:
            raise BookError(self.path, "lists no document to read", "fetch it again")
        self._refuse_protected(set(spine))
        entries: list[_Entry] = []
        if nav in where:
            entries = self._nav(where[nav])
        if not entries and ncx in where:
            entries = self._ncx(where[ncx])
        return _Package([d for d in spine if nav not in where or d != where[nav]], entries)

    def _refuse_protected(self, documents: set[str]) -> None:
        """Fonts are often scrambled, which is no matter; documents never are but by copy protection."""
        name = "META-INF/encryption.xml"
        if name not in self._names:
            return
        for reference in self._all(self._xml(name), "CipherReference"):
            if unquote(reference.get("URI", "")) in documents:
                raise BookError(self.path, "is copy-protected", "use an edition without protection")

    def _nav(self, name: str) -> list[_Entry]:
        soup = parsed(self.read(name))
        navs = soup.find_all("nav")
        toc = next((nav for nav in navs if kinds(nav) & {"toc", "doc-toc"}), navs[0] if navs else None)
        entries = []
        for link in toc.find_all("a", href=True) if toc is not None else ():
            target, anchor = _inside(posixpath.dirname(name), str(link["href"]))
            level = len(link.find_parents("ol"))
            entries.append(_Entry(level, " ".join(link.get_text().split()), target, anchor))
        return entries

    def _ncx(self, name: str) -> list[_Entry]:
        entries = []
        for point in self._all(self._xml(name), "navPoint"):
            label = next((text.text or "" for text in self._all(point, "text")), "")
            content = next(iter(self._all(point, "content")), None)
            source = content.get("src", "") if content is not None else ""
            target, anchor = _inside(posixpath.dirname(name), source)
            level = sum(1 for parent in point.iterancestors() if parent.tag == point.tag)
            entries.append(_Entry(level, " ".join(label.split()), target, anchor))
        return entries

    def _xml(self, name: str) -> Any:
        from lxml import etree

        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
        try:
            tree = etree.fromstring(self.read(name), parser)
        except etree.XMLSyntaxError:
            tree = None  # even recovery finds nothing in it
        if tree is None:
            raise BookError(self.path, f"{name} is not XML", "fetch it again")
        return tree

    @staticmethod
    def _all(tree: Any, name: str) -> list[Any]:
        """Every element of that local name, whatever its namespace."""
        return list(tree.iter(f"{{*}}{name}"))


def _inside(folder: str, href: str) -> tuple[str, str]:
    """(path in the archive, anchor) of a link; one that leaves the archive names nothing in it."""
    try:
        parts = urlsplit(href)
    except ValueError:
        return "", ""
    if parts.scheme or parts.netloc:
        return "", ""
    return posixpath.normpath(posixpath.join(folder, unquote(parts.path))), unquote(parts.fragment)
