"""PDF -> pages of lines: the only file that knows PyMuPDF, and it runs in a child process.

How a page is copied out is decided in ``layout``. What cannot be read whole is refused with the reason and
the remedy; a half-read book is never returned.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import harness
from harness.corpus.layout import RAISED, Segment, copied
from harness.errors import BookError
from harness.types import Book, Page

TIME_LIMIT = 120.0
"""Seconds the child may take; 400 pages take under five."""
MOST_PAGES = 20_000
FEWEST_CHARACTERS, SPARSE_SHARE = 100, 0.2


def read_pdf(path: Path, password: str | None = None, time_limit: float = TIME_LIMIT) -> Book:
    """The book as pages of lines, with chapters from its outline; BookError where it cannot be read whole."""
    raw = _bytes_of_pdf(path)
    request = json.dumps({"path": str(path.resolve()), "password": password})
    home = str(Path(harness.__file__).resolve().parents[1])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([home, os.environ.get("PYTHONPATH", "")])}
    try:
        child = subprocess.run(
            [sys.executable, "-P", "-m", "harness.corpus.pdf"],
            input=request.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=time_limit,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BookError(
            path, f"was not read within {time_limit:g} seconds", "print it to a new PDF and use that"
        ) from None
    if child.returncode != 0 or not child.stdout:
        raise BookError(path, "the PDF reader died on it", "print it to a new PDF and use that")
    answer = json.loads(child.stdout)
    if "problem" in answer:
        raise BookError(path, answer["problem"], answer["remedy"], answer.get("page"))
    pages = tuple(
        Page(path.stem, number, tuple(lines)) for number, lines in enumerate(answer["pages"], start=1)
    )
    chapters = tuple((int(number), str(title)) for number, title in answer["chapters"])
    return Book(path.stem, hashlib.sha256(raw).hexdigest(), pages, chapters)


def _bytes_of_pdf(path: Path) -> bytes:
    """The file's bytes where they begin as a PDF does; else the BookError that says what it is instead."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BookError(path, f"cannot be opened ({error.strerror})", "check the path") from None
    if not raw:
        raise BookError(path, "the file is empty", "fetch it again")
    start = raw[:1024]
    if b"%PDF-" not in start:
        if start.lstrip().lower().startswith((b"<!doctype html", b"<html", b"<head", b"<?xml")):
            raise BookError(
                path, "is a web page named .pdf", "download the PDF itself, not the page about it"
            )
        raise BookError(path, "is not a PDF", "check that the download finished, or rename it to what it is")
    return raw


# ── in the child process ──────────────────────────────────────────────────────────────────────────


def _refusal(problem: str, remedy: str, page: int | None = None) -> dict[str, Any]:
    return {"problem": problem, "remedy": remedy, "page": page}


def _extract(path: str, password: str | None) -> dict[str, Any]:
    """Pages and chapters as JSON values, or a refusal."""
    import pymupdf

    pymupdf.TOOLS.mupdf_display_errors(False)
    pymupdf.TOOLS.mupdf_display_warnings(False)
    again = "fetch it again, or print it to a new PDF and use that"
    try:
        document = pymupdf.open(path, filetype="pdf")
    except (RuntimeError, ValueError) as error:
        return _refusal(f"is damaged ({str(error).splitlines()[0][:80]})", again)
    if document.needs_pass:
        if password is None:
            return _refusal("is encrypted", "give its password with --password")
        if not document.authenticate(password):
            return _refusal("is encrypted and the password given does not open it", "check --password")
    if document.page_count == 0:
        return _refusal("is truncated: no page can be read", again)
    if document.is_repaired:
        return _refusal("is damaged: it opens only after a repair, which may lose pages", again)
    if document.page_count > MOST_PAGES:
        return _refusal(f"has {document.page_count} pages", f"split it into parts of {MOST_PAGES} at most")
    pages: list[list[str]] = []
    for number in range(document.page_count):
        try:
            pages.append(_page_lines(document[number]))
        except (RuntimeError, ValueError) as error:
            return _refusal(f"cannot be read ({str(error).splitlines()[0][:80]})", again, number + 1)
    sparse = [n for n, page in enumerate(pages, 1) if sum(map(len, page)) < FEWEST_CHARACTERS]
    if len(sparse) >= SPARSE_SHARE * len(pages):
        what = f"has almost no text on {len(sparse)} of its {len(pages)} pages: is it a scan?"
        return _refusal(what, "run OCR on it first, for example: ocrmypdf IN.pdf OUT.pdf", sparse[0])
    return {"pages": pages, "chapters": _chapters(document.get_toc(simple=True), len(pages))}


def _chapters(outline: Sequence[Sequence[Any]], n_pages: int) -> list[tuple[int, str]]:
    """The outline down to the first level that has three entries, sorted by page."""
    entries = [
        (int(level), str(title).strip(), int(page))
        for level, title, page, *_ in outline
        if 1 <= int(page) <= n_pages
    ]
    levels = sorted({level for level, _, _ in entries})
    deep = next((d for d in levels if sum(level <= d for level, _, _ in entries) >= 3), 99)
    return sorted(((page, title) for level, title, page in entries if level <= deep), key=lambda e: e[0])


def _page_lines(page: Any) -> list[str]:
    segments = []
    for block in page.get_text("dict", flags=3)["blocks"]:
        for line in block.get("lines", ()):
            segment = _segment(line)
            if segment is not None:
                segments.append(segment)
    return copied(segments)


def _segment(line: dict[str, Any]) -> Segment | None:
    """One line of PyMuPDF's, raised figures as superscripts; None where it is blank or runs vertically."""
    spans = [span for span in line["spans"] if span["text"]]
    if abs(line["dir"][0]) < 0.9 or not "".join(span["text"] for span in spans).strip():
        return None
    size = max((len(span["text"].strip()), span["size"]) for span in spans)[1]
    y = next(span["origin"][1] for span in spans if span["size"] == size)
    text = ""
    for span in spans:
        raised = span["size"] < 0.85 * size and span["origin"][1] < y - 0.15 * size
        text += span["text"].translate(RAISED) if raised and span["text"].strip().isdigit() else span["text"]
    left, _, right, _ = line["bbox"]
    return Segment(left, right, y, size, text.replace("\u00a0", " "))


if __name__ == "__main__":
    # Only the answer may reach standard output: PyMuPDF prints its messages there.
    answer_to = os.dup(1)
    os.dup2(2, 1)
    asked = json.loads(sys.stdin.buffer.read())
    with os.fdopen(answer_to, "wb") as out:
        out.write(json.dumps(_extract(asked["path"], asked["password"])).encode())
