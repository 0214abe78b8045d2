"""Words -> lines of type: curly quotes, ligatures, greedy breaking, hyphenation. Sizes are points."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from harness.text import count_words

LEFT, MEASURE, TOP = 48.0, 300.0, 74.0
SIZE, LEADING, ROWS = 10.5, 13.0, 36
FACES = {"roman": "tiro", "bold": "tibo", "italic": "tiit"}
_HYPHENATION_POINT = re.compile(r"(?<=[aeiouy][bcdfgklmnprstv])(?=[bcdfgklmnprstv][aeiouy])")
_OPENING = re.compile(r"(^|[\s(\[—])\"")
_OPENING_SINGLE = re.compile(r"(^|[\s(\[—“])'")


@dataclass(frozen=True)
class Line:
    """One line of type. ``leading`` is the space it takes; ``note`` the editor's note it carries."""

    words: tuple[str, ...]
    x: float = 0.0
    width: float = MEASURE
    align: str = "left"
    face: str = "roman"
    size: float = SIZE
    leading: float = LEADING
    broken: bool = False
    mark: str = ""
    note: tuple[Line, ...] = ()


@dataclass
class Sheet:
    """One page being filled: lines with their baselines, and the thin rules drawn between them."""

    placed: list[tuple[float, Line]] = field(default_factory=list)
    rules: list[tuple[float, float, float]] = field(default_factory=list)


def typographic(text: str) -> str:
    """Curly quotes and dashes for typewriter ones."""
    text = re.sub(r" ?-- ?", "—", text)
    text = _OPENING.sub(r"\1“", text).replace('"', "”")
    return _OPENING_SINGLE.sub(r"\1‘", text).replace("'", "’")


def ligatures(text: str) -> str:
    return text.replace("fi", "ﬁ").replace("fl", "ﬂ")


@lru_cache(maxsize=8)
def font(face: str) -> Any:
    import pymupdf

    return pymupdf.Font(FACES[face])


@lru_cache(maxsize=4096)
def advance(face: str, character: str) -> float:
    return float(font(face).glyph_advance(ord(character)))


@lru_cache(maxsize=65536)
def text_width(text: str, face: str, size: float) -> float:
    return sum(advance(face, character) for character in ligatures(text)) * size


def _hyphenated(word: str, room: float, face: str, size: float) -> tuple[str, str] | None:
    """The longest head of a long word that fits with its hyphen, and the tail; None where none does."""
    if count_words(word) != 1 or len(word) < 9:
        return None
    points = [m.start() for m in _HYPHENATION_POINT.finditer(word) if 3 <= m.start() <= len(word) - 4]
    for point in reversed(points):
        head = word[:point] + "-"
        if word[:point].isalpha() and text_width(head, face, size) <= room:
            return head, word[point:]
    return None


def set_lines(text: str, pattern: Line, *, indent: float = 0.0, hang: float = 0.0) -> list[Line]:
    """Breaks a paragraph greedily into lines like ``pattern``; the last line is set ragged."""
    face, size, space = pattern.face, pattern.size, advance(pattern.face, " ") * pattern.size
    lines: list[Line] = []
    left = indent
    row: list[str] = []
    used = 0.0
    queue = list(reversed(text.split()))
    while queue:
        word = queue.pop()
        room = pattern.width - left - used - (space if row else 0.0)
        if text_width(word, face, size) <= room or not row:
            used += (space if row else 0.0) + text_width(word, face, size)
            row.append(word)
            continue
        split = _hyphenated(word, room, face, size) if room > 24 and pattern.align == "justify" else None
        if split:
            row.append(split[0])
            queue.append(split[1])
        else:
            queue.append(word)
        whole = replace(
            pattern, words=tuple(row), x=pattern.x + left, width=pattern.width - left, broken=bool(split)
        )
        lines.append(whole)
        row, used, left = [], 0.0, hang
    ragged = "left" if pattern.align == "justify" else pattern.align
    last = replace(pattern, words=tuple(row), x=pattern.x + left, width=pattern.width - left, align=ragged)
    return [*lines, last]
