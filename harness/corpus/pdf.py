"""PDF -> pages of lines: the only file that knows PyMuPDF, and it runs in a child process.

How a page is copied out is decided in ``layout``. What cannot be read whole is refused with the reason and
the remedy; a half-read book is never returned.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import harness
from harness.corpus.layout import RAISED, Segment, copied
from harness.errors import BookError, MissingPrerequisiteError
from harness.types import Book, Page

MOST_PAGES = 20_000
FEWEST_CHARACTERS, SPARSE_SHARE, SCAN_SHARE = 100, 0.2, 0.9
"""Characters of a page with text; the share of pages without at which a book is refused, and at which
nothing (not even ``allow_repaired``) makes it a book."""
_AGAIN = "fetch it again, or print it to a new PDF and use that"


@dataclass(frozen=True)
class Limits:
    """What the child process may use; 400 pages take under five seconds, 5,000 under 1 GB."""

    seconds: float = 60.0
    """For starting, opening and counting the pages."""
    seconds_a_page: float = 0.1
    """More, once the pages are counted."""
    memory: int = 4 << 30
    """Bytes of address space; where the system has no such limit, none."""


def read_pdf(
    path: Path, password: str | None = None, *, allow_repaired: bool = False, limits: Limits | None = None
) -> Book:
    """The book as pages of lines, with chapters from its outline.

    ``allow_repaired`` takes a file that opens only after a repair, or that has pages without text on a
    fifth of its pages, as it is.

    Raises:
        BookError: it cannot be read whole, or not within the limits; file, page and remedy are named.
        MissingPrerequisiteError: PyMuPDF is not installed.
    """
    raw = _bytes_of_pdf(path)
    limits = limits or Limits()
    asked = {"path": str(path.resolve()), "password": password, "allow_repaired": allow_repaired}
    request = json.dumps(asked | {"limits": asdict(limits)})
    home = str(Path(harness.__file__).resolve().parents[1])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([home, os.environ.get("PYTHONPATH", "")])}
    try:
        child = subprocess.run(
            [sys.executable, "-P", "-m", "harness.corpus.pdf"],
            input=request.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # The child's own alarm rings first; this one is for systems without alarms.
            timeout=limits.seconds + MOST_PAGES * limits.seconds_a_page,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _too_slow(path, limits) from None
    if child.returncode == -getattr(signal, "SIGALRM", 0) != 0:
        raise _too_slow(path, limits)
    if child.returncode != 0 or not child.stdout:
        raise BookError(path, "the PDF reader died on it", "print it to a new PDF and use that")
    answer = json.loads(child.stdout)
    if "missing" in answer:
        raise MissingPrerequisiteError(f"reading PDFs needs {answer['missing']}: install stylobench again")
    if "problem" in answer:
        raise BookError(path, answer["problem"], answer["remedy"], answer.get("page"))
    pages = tuple(
        Page(path.stem, number, tuple(lines)) for number, lines in enumerate(answer["pages"], start=1)
    )
    chapters = tuple((int(number), str(title)) for number, title in answer["chapters"])
    return Book(path.stem, hashlib.sha256(raw).hexdigest(), pages, chapters)


def _too_slow(path: Path, limits: Limits) -> BookError:
    what = f"was not read within {limits.seconds:g} seconds and {limits.seconds_a_page:g} a page"
    return BookError(path, what, "print it to a new PDF and use that")


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


def _extract(path: str, password: str | None, allow_repaired: bool, limits: Limits) -> dict[str, Any]:
    """Pages and chapters as JSON values, or a refusal."""
    import pymupdf

    pymupdf.TOOLS.mupdf_display_errors(False)
    pymupdf.TOOLS.mupdf_display_warnings(False)
    try:
        document = pymupdf.open(path, filetype="pdf")
    except (RuntimeError, ValueError) as error:
        return _refusal(f"is damaged ({_first_line(error)})", _AGAIN)
    if document.needs_pass:
        if password is None:
            return _refusal("is encrypted", "give its password with --password")
        if not document.authenticate(password):
            return _refusal("is encrypted and the password given does not open it", "check --password")
    if document.page_count == 0:
        return _refusal("is truncated: no page can be read", _AGAIN)
    if document.is_repaired and not allow_repaired:
        what = "is damaged: it opens only after a repair, which may lose pages"
        return _refusal(what, f"{_AGAIN}, or take it as it is with --allow-repaired")
    if document.page_count > MOST_PAGES:
        return _refusal(f"has {document.page_count} pages", f"split it into parts of {MOST_PAGES} at most")
    _ring_after(limits.seconds + limits.seconds_a_page * document.page_count)
    pages: list[list[str]] = []
    for number in range(document.page_count):
        try:
            pages.append(_page_lines(document[number]))
        except MemoryError:
            raise
        except Exception as error:  # MuPDF's own errors have no other base
            return _refusal(f"cannot be read ({_first_line(error)})", _AGAIN, number + 1)
    sparse = [n for n, page in enumerate(pages, 1) if sum(map(len, page)) < FEWEST_CHARACTERS]
    if len(sparse) >= (SCAN_SHARE if allow_repaired else SPARSE_SHARE) * len(pages):
        what = f"has almost no text on {len(sparse)} of its {len(pages)} pages: is it a scan?"
        remedy = "run OCR on it first, for example: ocrmypdf IN.pdf OUT.pdf"
        if len(sparse) < SCAN_SHARE * len(pages):
            remedy += "; or, if those pages are meant to be empty, give --allow-repaired"
        return _refusal(what, remedy, sparse[0])
    return {"pages": pages, "chapters": _chapters(document.get_toc(simple=True), len(pages))}


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:80]


def _ring_after(seconds: float) -> None:
    """End this process then, whatever C code it is in."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _keep_within(memory: int) -> None:
    """No more address space than that, where the system can say so."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    except (ImportError, ValueError, OSError):
        return


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


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    limits = Limits(**asked["limits"])
    _ring_after(limits.seconds)
    _keep_within(limits.memory)
    try:
        return _extract(asked["path"], asked["password"], asked["allow_repaired"], limits)
    except ModuleNotFoundError as error:
        return {"missing": error.name}
    except MemoryError:
        what = f"needs more than {limits.memory / 2**30:.2g} GiB of memory"
        return _refusal(what, "split it into parts, or print it to a new PDF and use that")


if __name__ == "__main__":
    # Only the answer may reach standard output: PyMuPDF prints its messages there.
    answer_to = os.dup(1)
    os.dup2(2, 1)
    written = json.dumps(_answer(json.loads(sys.stdin.buffer.read()))).encode()
    with os.fdopen(answer_to, "wb") as out:
        out.write(written)
