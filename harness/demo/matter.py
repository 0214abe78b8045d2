"""The sheets before and behind the body: title, copyright, contents; bibliography, index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.demo.backmatter import BIBLIOGRAPHY, build_index
from harness.demo.setting import LEADING, MEASURE, ROWS, TOP, Line, Sheet, set_lines, text_width, typographic

COLUMN, GUTTER, INDEX_SIZE, INDEX_LEADING, INDEX_ROWS = 142.0, 16.0, 8.5, 10.4, 44


@dataclass(frozen=True)
class Section:
    """A division of the body with the printed page it starts on."""

    title: str
    page: int


def _stacked(lines: Sequence[tuple[float, Line]]) -> Sheet:
    return Sheet(placed=list(lines))


def title_page(title: str, author: str, year: int) -> Sheet:
    y = 190.0
    placed: list[tuple[float, Line]] = []
    for line in set_lines(title.upper(), Line((), align="center", face="bold", size=20.0)):
        placed.append((y, line))
        y += 26.0
    rest = (
        (y + 20, f"as sent to the two Houses of the Congress in December {year}", "italic", 10.5),
        (y + 70, author, "roman", 14.0),
        (y + 92, "With notes, a bibliography and an index", "italic", 10.0),
        (500.0, "THE SPECIMEN PRESS", "roman", 10.0),
        (515.0, "Washington", "roman", 9.0),
    )
    placed += [(at, Line((text,), align="center", face=face, size=size)) for at, text, face, size in rest]
    return _stacked(placed)


def copyright_page(title: str, author: str, year: int) -> Sheet:
    rows = (
        f"{title}, by {author}",
        "",
        "The text of the message is in the public domain.",
        f"Notes and index © {year + 1} by The Specimen Press. All rights reserved.",
        "Published by The Specimen Press, Washington.",
        "",
        f"First printed February {year + 1}. Second printing, corrected, October {year + 1}.",
        f"Library of Congress Catalog Card Number {year % 100:02d}-{year * 7 % 10000:04d}",
        f"ISBN 0-000-{year:05d}-0",
        "",
        "Printed in the United States of America",
        "Set by machine as a specimen volume; not a publication.",
    )
    y = 300.0
    return _stacked([(y + 13.0 * i, Line((row,), size=8.5)) for i, row in enumerate(rows) if row])


def contents_sheets(sections: Sequence[Section]) -> list[Sheet]:
    """Titles with dot leaders to the page number, 30 to a page."""
    sheets: list[Sheet] = []
    for start in range(0, len(sections), 30):
        sheet = Sheet(
            placed=[(TOP + 13, Line(("CONTENTS",), align="center", size=12.0))] if not start else []
        )
        y = TOP + 50.0 if not start else TOP
        for section in sections[start : start + 30]:
            name = typographic(section.title.title() if section.title.isupper() else section.title)
            room = MEASURE - text_width(name, "roman", 10.0) - 30.0
            dots = "." * max(3, int(room / text_width(". ", "roman", 10.0)))
            sheet.placed.append((y, Line((name, *dots), size=10.0)))
            sheet.placed.append((y, Line((str(section.page),), align="right", size=10.0)))
            y += 14.5
        sheets.append(sheet)
    return sheets


def bibliography_sheet() -> Sheet:
    sheet = Sheet(placed=[(TOP + 13, Line(("BIBLIOGRAPHY",), align="center", size=12.0))])
    y = TOP + 50.0
    for work in BIBLIOGRAPHY:
        for line in set_lines(work, Line((), size=9.5), hang=16.0):
            sheet.placed.append((y, line))
            y += 12.0
        y += 4.0
    return sheet


def index_sheets(pages: Sequence[tuple[int, str]], wanted: int) -> list[Sheet]:
    """Two columns a page; the first page has the heading."""
    columns = 2 * wanted
    entries = build_index(pages, lines=int(columns * INDEX_ROWS * 0.82)) if wanted else ()
    lines: list[Line] = []
    for entry in entries:
        indent = 10.0 * entry.level
        pattern = Line((), width=COLUMN, size=INDEX_SIZE)
        lines += set_lines(typographic(entry.text), pattern, indent=indent, hang=indent + 16.0)
    sheets: list[Sheet] = []
    while lines and len(sheets) < wanted:
        sheet = Sheet()
        y = TOP
        if not sheets:
            sheet.placed.append((TOP + 13, Line(("INDEX",), align="center", size=12.0)))
            y = TOP + 50.0
        rows = int((TOP + ROWS * LEADING - y) / INDEX_LEADING)
        for column in range(2):
            held, lines = lines[:rows], lines[rows:]
            x = column * (COLUMN + GUTTER)
            sheet.placed += [
                (y + INDEX_LEADING * i, replace(line, x=line.x + x)) for i, line in enumerate(held)
            ]
        sheets.append(sheet)
    return sheets
