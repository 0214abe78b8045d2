"""Paragraphs -> passages of at most so many words, cut where the text itself says.

    paragraphs   ──── ─── ────────────── ─── ── ───────   of one chapter and one role
    blocks       [──── ───][──────────────][─── ── ─────]  closed once 60 % of the size is reached
    passages     [───────] [─────][─·────] [─── ── ─────]  · overlap: the last sentences, said again

A block is closed after any paragraph that fills it to 60 %, so that a long paragraph always ends one and the
cuts behind it do not depend on what stood before: dropping pages changes the passages of the blocks
touched, and no others. Inside a block the sentences are dealt out evenly, which leaves no short tails;
only the last block of a chapter may be short, and is kept.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.corpus.prose import Paragraph
from harness.text import count_words, digest, normalise, sentences
from harness.types import Passage

CLOSED_AT = 0.6
_AROUND_FIGURES = re.compile(r"\d|(?<=\d)[^\w\s]|(?<!\d)(?=\d)")
_CLAUSE_END = re.compile(r"(?<=[;:,])\s+|(?<=\S—)(?=\S)")
_TOKEN = re.compile(r"\S+")
_WORD_START = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


@dataclass(frozen=True)
class _Unit:
    """A sentence or line that is never cut, and what stands between it and the one before."""

    text: str
    gap: str
    size: int


def passage_size(text: str) -> int:
    """Words, with each figure, each number's start, the mark after it and each stray mark counted as one.

    Tokenizers see them so: an index page cut by its words alone would be three times too long.
    """
    marks = sum(not any(c.isalnum() for c in token) for token in text.split())
    return count_words(text) + len(_AROUND_FIGURES.findall(text)) + marks


def cut_passages(
    paragraphs: Sequence[Paragraph], *, words: int = 150, overlap: int = 20
) -> tuple[Passage, ...]:
    """Passages in reading order, none above ``words`` (by ``passage_size``), none over a chapter or role
    boundary.

    A passage repeats the last whole sentences of the one before in its block, at most ``overlap`` words.
    A sentence longer than ``words`` is split at clauses, then lines, then words.
    """
    if words < 1 or not 0 <= overlap < words:
        raise ValueError(f"words must be positive and overlap below it, not {words} and {overlap}")
    cut: list[tuple[int, Paragraph, str]] = []
    for block in _blocks(paragraphs, words):
        place, first = block[0]
        units = list(itertools.chain.from_iterable(_units(paragraph.text, words) for _, paragraph in block))
        cut += [(place, first, text) for text in _deal(units, words, overlap)]
    cut.sort(key=lambda piece: piece[0])
    ordinals: dict[str, int] = {}
    passages: list[Passage] = []
    for _, first, text in cut:
        ordinal = ordinals.get(first.book, 0)
        ordinals[first.book] = ordinal + 1
        name = digest(normalise(text))[:16]
        passages.append(Passage(first.book, ordinal, first.role, text, count_words(text), name))
    return tuple(passages)


def _blocks(paragraphs: Sequence[Paragraph], words: int) -> Iterator[list[tuple[int, Paragraph]]]:
    """Paragraphs with their places, grouped; other roles in between do not part two of a chapter."""
    streams: dict[tuple[str, str], list[tuple[int, Paragraph]]] = {}
    for place, paragraph in enumerate(paragraphs):
        streams.setdefault((paragraph.book, paragraph.role), []).append((place, paragraph))
    for stream in streams.values():
        for _, chapter in itertools.groupby(stream, key=lambda pair: pair[1].chapter):
            block: list[tuple[int, Paragraph]] = []
            for pair in chapter:
                block.append(pair)
                if sum(passage_size(paragraph.text) for _, paragraph in block) >= CLOSED_AT * words:
                    yield block
                    block = []
            if block:
                yield block


def _units(text: str, words: int) -> Iterator[_Unit]:
    """The sentences of a paragraph, or the lines of a page whose lines were kept."""
    kept = "\n" in text
    pieces = text.split("\n") if kept else sentences(text)
    gap = "\n\n"
    for piece in pieces:
        for part in _fitting(piece.strip(), words):
            yield _Unit(part, gap, passage_size(part))
            gap = "\n" if kept else _space_after(part)


def _fitting(text: str, words: int) -> Iterator[str]:
    """The text in parts of at most ``words``: at clauses if they are short enough, else at words."""
    if not text:
        return
    if passage_size(text) <= words:
        yield text
        return
    held = ""
    for clause in _CLAUSE_END.split(text):
        for part in [clause] if passage_size(clause) <= words else _at_words(clause, words):
            longer = held + _space_after(held) + part if held else part
            if held and passage_size(longer) > words:
                yield held
                held = part
            else:
                held = longer
    if held:
        yield held


def _space_after(part: str) -> str:
    """What stands between two parts of a sentence: nothing where it was cut behind a dash."""
    return "" if part.endswith("—") else " "


def _at_words(text: str, words: int) -> Iterator[str]:
    """Single tokens; one that holds more words than fit is cut between its words."""
    for token in _TOKEN.findall(text):
        if passage_size(token) <= words:
            yield token
            continue
        start = 0
        for match in _WORD_START.finditer(token):
            if match.start() > start:
                yield token[start : match.start()]
            yield match.group()
            start = match.end()
        if token[start:]:
            yield token[start:]


def _deal(units: Sequence[_Unit], words: int, overlap: int) -> Iterator[str]:
    """The units of one block in as few passages as fit, of about equal size."""
    total = sum(unit.size for unit in units)
    room = words if total <= words else words - overlap
    fair = math.ceil(total / max(1, math.ceil(total / room)))
    held: list[_Unit] = []
    size = repeated = 0
    for unit in units:
        full = size - repeated + unit.size / 2 > fair and size > repeated
        if held and (full or size + unit.size > words) and size > repeated:
            yield _text(held)
            held = _trailing(held, min(overlap, words - unit.size))
            repeated = size = sum(u.size for u in held)
        held.append(unit)
        size += unit.size
    if held:
        yield _text(held)


def _trailing(units: Sequence[_Unit], room: int) -> list[_Unit]:
    """The last whole units that fit the room together; never all of a passage."""
    kept: list[_Unit] = []
    for unit in reversed(units[1:]):
        room -= unit.size
        if room < 0:
            break
        kept.insert(0, unit)
    return kept


def _text(units: Sequence[_Unit]) -> str:
    return units[0].text + "".join(unit.gap + unit.text for unit in units[1:])
