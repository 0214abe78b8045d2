"""Where words stand on a page -> lines in reading order, as a typist would copy them.

    a line that is indented begins with two spaces
    extra space above a line is an empty line
    raised figures are superscript characters (¹²³)
    smaller type at the foot of the page is set off by NOTE_RULE
    columns follow one another
    a drop cap is the first letter of its line again

Nothing is repaired here: heads, folios, hyphens and notes are as printed.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

NOTE_RULE = "―――"
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Segment:
    """A piece of one line as PyMuPDF found it; points, y downwards to the baseline."""

    left: float
    right: float
    y: float
    size: float
    text: str


def copied(segments: Sequence[Segment]) -> list[str]:
    """The lines of one page, in reading order, with the typist's marks."""
    lines: list[str] = []
    for region in _regions(_lettered([_seated(segment, segments) for segment in segments])):
        lines += _typescript(region)
    return lines


def _seated(mark: Segment, segments: Sequence[Segment]) -> Segment:
    """A raised figure that PyMuPDF found apart, set on the line it follows; anything else as it is."""
    if not mark.text.strip().isdigit() or len(mark.text.strip()) > 3:
        return mark
    for line in segments:
        rise = (line.y - mark.y) / line.size
        if (
            mark.size < 0.85 * line.size
            and 0.15 < rise < 0.6
            and abs(mark.left - line.right) < 0.3 * line.size
        ):
            return Segment(mark.left, mark.right, line.y, mark.size, mark.text.strip().translate(RAISED))
    return mark


def _lettered(segments: list[Segment]) -> list[Segment]:
    """Each drop cap set before the first of the lines it stands beside; those lines begin where it does.

    ┌──┐ N the beginning      a drop cap: one letter, at least 1.8 times as large as the lines on
    │I │ was the Word,        its right, which touch it and are two at least
    └──┘ and so forth.
    """
    for cap in segments:
        letter = cap.text.strip("\"'“”‘’ ")
        if len(letter) != 1 or not letter.isalpha():
            continue
        beside = [
            line
            for line in segments
            if line.size * 1.8 <= cap.size
            and -0.3 * line.size <= line.left - cap.right <= 1.5 * line.size
            and cap.y - cap.size < line.y <= cap.y + 0.3 * line.size
        ]
        if len({round(line.y) for line in beside}) < 2:
            continue
        first = min(beside, key=lambda line: line.y)
        moved = {id(line): replace(line, left=cap.left) for line in beside}
        moved[id(first)] = replace(first, left=cap.left, text=cap.text.strip() + first.text.lstrip())
        return _lettered([moved.get(id(s), s) for s in segments if s is not cap])
    return segments


def _regions(segments: list[Segment]) -> list[list[Segment]]:
    """The page as one region, or as head, left column, right column, foot where there is a gutter.

    ┌ head ──────────┐
    │ left  ││ right │    a gutter: eight lines or more on either side, alike in width,
    └ foot ──────────┘    and little that crosses it; head and foot stand off or cross it
    """
    if len(segments) < 16:
        return [segments] if segments else []
    ordered = sorted(segments, key=lambda s: s.y)
    levels = sorted({round(s.y) for s in segments})
    step = median(b - a for a, b in itertools.pairwise(levels)) if len(levels) > 1 else 0.0
    first = levels[0] if len(levels) > 2 and levels[1] - levels[0] > 1.4 * step else levels[0] - 1
    last = levels[-1] if len(levels) > 2 and levels[-1] - levels[-2] > 1.4 * step else levels[-1] + 1
    inner = [s for s in ordered if first < round(s.y) < last]
    edge, end = min(s.left for s in inner), max(s.right for s in inner)
    span = end - edge
    candidates = sorted({s.left for s in inner if edge + 0.3 * span < s.left < edge + 0.8 * span})
    if not candidates:
        return [segments]
    gutter = min(candidates, key=lambda x: sum(s.left < x - 1 and s.right > x - 1 for s in inner))
    left = [s for s in inner if s.right <= gutter - 1]
    right = [s for s in inner if s.left >= gutter - 1]
    crossing = [s for s in inner if s.right > gutter - 1 and s.left < gutter - 1]
    alike = bool(left and right) and median(map(_extent, right)) >= 0.4 * median(map(_extent, left))
    if min(len(left), len(right)) < 8 or len(crossing) > 0.15 * len(inner) or not alike:
        return [segments]
    middle = (first + last) / 2
    above = [s for s in ordered if round(s.y) <= first or (s in crossing and s.y <= middle)]
    below = [s for s in ordered if round(s.y) >= last or (s in crossing and s.y > middle)]
    return [region for region in (above, left, right, below) if region]


def _extent(segment: Segment) -> float:
    return segment.right - segment.left


def _typescript(region: list[Segment]) -> list[str]:
    """The lines of one region, top to bottom, with the typist's marks of the module's docstring."""
    rows: list[list[Segment]] = []
    for segment in sorted(region, key=lambda s: (s.y, s.left)):
        if rows and segment.y - rows[-1][0].y < 0.45 * rows[-1][0].size:
            rows[-1].append(segment)
        else:
            rows.append([segment])
    merged = [_merge(sorted(row, key=lambda s: s.left)) for row in rows]
    gaps = [b.y - a.y for a, b in itertools.pairwise(merged)]
    step = median(gaps) if gaps else 0.0
    margin = _margin(merged)
    size = median(row.size for row in merged)
    foot = _foot(merged, size)
    lines: list[str] = []
    for number, row in enumerate(merged):
        if number == foot:
            lines.append(NOTE_RULE)
        elif number and gaps[number - 1] > 1.35 * step:
            lines.append("")
        indented = row.left > margin + 0.6 * row.size
        lines.append(("  " if indented else "") + row.text.strip())
    return lines


def _merge(row: Sequence[Segment]) -> Segment:
    text = row[0].text
    for before, after in itertools.pairwise(row):
        apart = after.left - before.right > 0.12 * after.size
        text += (" " if apart and not text.endswith(" ") else "") + after.text
    biggest = max(row, key=lambda s: s.right - s.left)
    return Segment(row[0].left, row[-1].right, biggest.y, biggest.size, text)


def _margin(rows: Sequence[Segment]) -> float:
    """The left edge at which most lines begin; the leftmost of those nearly as common."""
    begins: dict[int, int] = {}
    for row in rows:
        begins[round(row.left / 3)] = begins.get(round(row.left / 3), 0) + 1
    most = max(begins.values())
    chosen = min(begin for begin, n in begins.items() if n >= 0.5 * most)
    return min(row.left for row in rows if round(row.left / 3) == chosen)


def _foot(rows: Sequence[Segment], size: float) -> int:
    """Index of the first line of smaller type that reaches down to the page's foot; -1 for none.

    The last line may be a page number in any size; notes take at most the lower 60 % of the lines.
    """
    last = len(rows) - 1
    if last > 0 and len(rows[last].text.strip()) <= 6:
        last -= 1
    if len(rows) < 12:
        return -1
    first = last + 1
    while first > 0 and rows[first - 1].size < 0.88 * size:
        first -= 1
    return first if 0.4 * len(rows) <= first <= last else -1
