"""Sets a message as a real PDF volume, so that the demo starts where users start: with a book.

text -> chapters -> lines (justified, hyphenated) -> sheets -> PDF with an outline and page labels

    title | copyright | contents | body, with running heads, folios and notes | bibliography | index

Sizes are points; y grows downwards until it is written. The same text gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from harness.demo.backmatter import EDITORIAL_NOTES, Chapter, chapters
from harness.demo.matter import (
    Section,
    bibliography_sheet,
    contents_sheets,
    copyright_page,
    index_sheets,
    title_page,
)
from harness.demo.setting import (
    FACES,
    LEADING,
    LEFT,
    MEASURE,
    ROWS,
    TOP,
    Line,
    Sheet,
    font,
    ligatures,
    set_lines,
    text_width,
    typographic,
)

PAGE_WIDTH, PAGE_HEIGHT, HEAD, FOLIO = 396.0, 612.0, 48.0, 566.0
NOTE_SIZE, NOTE_LEADING, NOTE_EVERY = 8.0, 9.8, 13


def typeset(
    text: str, path: Path, *, title: str, author: str, year: int, index_pages: int | None = None
) -> int:
    """Writes the volume to ``path`` and returns its number of pages.

    ``index_pages`` asks for an index of that many pages (default: one to every 25 pages of body); a short
    text may fill fewer.
    """
    body, sections = _body(chapters(text))
    pages = [(number, _plain(sheet)) for number, sheet in enumerate(body, start=1)]
    wanted = max(1, round(len(body) / 25)) if index_pages is None else index_pages
    index = index_sheets(pages, wanted)
    first_back = len(body) + 1
    named = [section for section in sections if section.title]
    back_sections = [Section("Bibliography", first_back), Section("Index", first_back + 1)]
    contents = contents_sheets([*named, *(back_sections if index else back_sections[:1])])
    front = [title_page(title, author, year), copyright_page(title, author, year), *contents]
    back = [bibliography_sheet(), *index]
    for number, sheet in enumerate([*body, *back], start=1):
        opens = number > len(body) or any(s.page == number and not s.title.isupper() for s in named)
        sheet.placed += _furniture(number, author if number % 2 == 0 else title, head=not opens)
    outline = [(1, "Title page"), (2, "Copyright"), (3, "Contents")]
    outline += [(section.page + len(front), section.title) for section in named]
    outline += [(first_back + len(front), "Bibliography")]
    outline += [(first_back + 1 + len(front), "Index")] if index else []
    sheets = [*front, *body, *back]
    _write(sheets, path, outline, {"title": title, "author": author}, len(front))
    return len(sheets)


# ── sheets ────────────────────────────────────────────────────────────────────────────────────────


def _flow(parts: Sequence[Chapter]) -> Iterator[Line | str]:
    """The body as lines; a string opens a section (``*`` before its title: on a fresh page)."""
    paragraph_line = Line((), align="justify")
    count = 0
    for number, chapter in enumerate(parts, start=1):
        yield chapter.title if chapter.own or not chapter.title else f"*{chapter.title}"
        if chapter.own:
            yield Line((typographic(chapter.title),), align="center", size=9.5, leading=LEADING * 2)
        elif chapter.title:
            yield Line((f"CHAPTER {_roman(number).upper()}",), align="center", size=10, leading=22)
            heading = set_lines(typographic(chapter.title), Line((), align="center", face="bold", size=14))
            yield from (replace(line, leading=18.0) for line in heading[:-1])
            yield replace(heading[-1], leading=34.0)
        for place, paragraph in enumerate(chapter.paragraphs):
            indent = 0.0 if place == 0 else 14.0
            lines = set_lines(typographic(paragraph), paragraph_line, indent=indent)
            count += 1
            if count % NOTE_EVERY == 5:
                ordinal = count // NOTE_EVERY
                note = f"{EDITORIAL_NOTES[ordinal % len(EDITORIAL_NOTES)]}"
                small = Line((), align="justify", size=NOTE_SIZE, leading=NOTE_LEADING)
                set_note = set_lines(f"{ordinal + 1} {note}", small)
                lines[-1] = replace(lines[-1], mark=str(ordinal + 1), note=tuple(set_note))
            yield from lines


def _body(parts: Sequence[Chapter]) -> tuple[list[Sheet], list[Section]]:
    """Fills the pages of the body; notes stand at the foot of the page that carries their mark."""
    sheets, sections = [Sheet()], list[Section]()
    y, foot, notes = TOP, list[Line](), 0.0
    bottom = TOP + (ROWS - 1) * LEADING

    def turn() -> None:
        nonlocal y, foot, notes
        _place_notes(sheets[-1], foot, bottom)
        sheets.append(Sheet())
        y, foot, notes = TOP, [], 0.0

    for item in _flow(parts):
        if isinstance(item, str):
            if item.startswith("*"):
                if sheets[-1].placed:
                    turn()
                y += 2 * LEADING
            elif item and sheets[-1].placed:
                y += LEADING
                if y > bottom - notes - 4 * LEADING:
                    turn()
            sections.append(Section(item.lstrip("*"), len(sheets)))
            continue
        extra = sum(line.leading for line in item.note) + (14.0 if item.note and not foot else 0.0)
        if y > bottom - notes - extra and sheets[-1].placed:
            turn()
            extra = sum(line.leading for line in item.note) + (14.0 if item.note else 0.0)
        sheets[-1].placed.append((y, item))
        y += item.leading
        foot += item.note
        notes += extra
    _place_notes(sheets[-1], foot, bottom)
    return sheets, sections


def _place_notes(sheet: Sheet, notes: Sequence[Line], bottom: float) -> None:
    if not notes:
        return
    y = bottom - sum(line.leading for line in notes[1:])
    sheet.rules.append((LEFT, y - 12.0, 60.0))
    for line in notes:
        sheet.placed.append((y, line))
        y += line.leading


def _furniture(number: int, running: str, *, head: bool) -> list[tuple[float, Line]]:
    """The folio at the foot, and the running head except on pages that open a division."""
    lines = [(FOLIO, Line((str(number),), align="center", size=9.0))]
    if head:
        align = "left" if number % 2 == 0 else "right"
        lines.append((HEAD, Line(tuple(running.upper().split()), align=align, size=8.0)))
    return lines


def _plain(sheet: Sheet) -> str:
    """The words of a sheet for the index: lines joined, hyphenated words whole again."""
    text = ""
    for _, line in sheet.placed:
        if line.size == NOTE_SIZE:
            continue
        row = " ".join(line.words)
        text += row[:-1] if line.broken else row + " "
    return text.replace("’", "'")


def _roman(number: int) -> str:
    parts = ((50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))
    numeral = ""
    for value, sign in parts:
        numeral += sign * (number // value)
        number %= value
    return numeral


# ── ink ───────────────────────────────────────────────────────────────────────────────────────────


def _hex(text: str, face: str) -> str:
    return "".join(f"{font(face).has_glyph(ord(character)):04x}" for character in ligatures(text))


def _operators(line: Line, y: float) -> str:
    """PDF text operators of one line: words in one TJ array, the stretch of a space as its number."""
    text = " ".join(line.words)
    natural = text_width(text, line.face, line.size)
    x = LEFT + line.x
    if line.align == "center":
        x = LEFT + (MEASURE - natural) / 2
    elif line.align == "right":
        x = LEFT + line.x + line.width - natural
    stretch = 0.0
    if line.align == "justify" and len(line.words) > 1:
        stretch = (line.width - natural) / (len(line.words) - 1)
    shift = -1000 * stretch / line.size
    array = f" {shift:.1f} ".join(f"<{_hex(word, line.face)}>" for word in _spaced(line.words))
    ink = f"BT /{line.face} {line.size} Tf {x:.2f} {PAGE_HEIGHT - y:.2f} Td [{array}] TJ ET"
    if line.mark:
        small, raised = line.size * 0.62, PAGE_HEIGHT - y + line.size * 0.36
        ink += (
            f"\nBT /roman {small:.2f} Tf {x + natural:.2f} {raised:.2f} Td <{_hex(line.mark, 'roman')}> Tj ET"
        )
    return ink


def _spaced(row: Sequence[str]) -> list[str]:
    return [word + " " for word in row[:-1]] + list(row[-1:])


def _write(
    sheets: Sequence[Sheet],
    path: Path,
    outline: Sequence[tuple[int, str]],
    about: dict[str, str],
    n_front: int,
) -> None:
    """Draws the sheets and saves; fixed dates and no file id, so equal input gives equal bytes."""
    import pymupdf

    document = pymupdf.open()
    for sheet in sheets:
        page = document.new_page(width=PAGE_WIDTH, height=PAGE_HEIGHT)
        for face in FACES:
            page.insert_font(fontname=face, fontbuffer=font(face).buffer)
        ink = [_operators(line, y) for y, line in sheet.placed]
        ink += [
            f"0.5 w {x} {PAGE_HEIGHT - y:.2f} m {x + w} {PAGE_HEIGHT - y:.2f} l S" for x, y, w in sheet.rules
        ]
        stream = document.get_new_xref()
        document.update_object(stream, "<<>>")
        document.update_stream(stream, "\n".join(ink).encode("ascii"))
        page.set_contents(stream)
    document.set_toc([[1, title, page] for page, title in outline])
    document.set_page_labels(
        [
            {"startpage": 0, "prefix": "", "style": "r", "firstpagenum": 1},
            {"startpage": n_front, "prefix": "", "style": "D", "firstpagenum": 1},
        ]
    )
    date = "D:20260101000000Z"
    document.set_metadata({**about, "creationDate": date, "modDate": date, "producer": "stylobench"})
    path.parent.mkdir(parents=True, exist_ok=True)
    document.save(path, garbage=3, deflate=True, no_new_id=True)
    document.close()
