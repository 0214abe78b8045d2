"""What is never trained on: a whole book, or a block of chapters of one with a guard on both sides.

hold_out: tremendous_trifles.pdf        the whole book
hold_out: walden.txt#3                  its third block, as ``prepare --plan`` numbers them

before | guard | HELD OUT | guard | after          only before and after may be trained on
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from harness.corpus.choices import block_share
from harness.corpus.leakage import ngrams
from harness.corpus.prose import Paragraph
from harness.corpus.splits import GUARD_WORDS, Partition, around, split_blocks
from harness.errors import ConfigurationError
from harness.text import count_words
from harness.types import Passage

_KNOWN_WORDS = 8
"""Runs of so many words tell a paragraph of the frozen block, whatever was cut where."""


class Named(NamedTuple):
    """``BOOK#N`` taken apart; ``block`` counts from 1 and is None for the whole book."""

    book: str
    block: int | None


def parse_hold_out(text: str) -> Named:
    """The file's name and the block.

    Raises:
        ConfigurationError: what follows ``#`` is no number of a block.
    """
    book, mark, block = text.rpartition("#")
    if not mark:
        return Named(text, None)
    if not (block.isascii() and block.isdigit() and int(block) > 0):
        raise ConfigurationError(f"hold_out: {text!r}: after # comes the number of a block, from 1")
    return Named(book, int(block))


@dataclass(frozen=True)
class HeldOut:
    """One book's body, partitioned; the whole book is held out where nothing else is in the partition."""

    partition: Partition

    @property
    def paragraphs(self) -> tuple[Paragraph, ...]:
        """The held-out body text, in reading order."""
        return self.partition.heldout

    def runs(self, paragraphs: Sequence[Paragraph]) -> tuple[tuple[Paragraph, ...], tuple[Paragraph, ...]]:
        """What may be trained on of the book's ``paragraphs`` (of any roles): before and after the block.

        Anything that is not body text goes with the page it stands on. Cut the two apart: they are no
        neighbours.
        """
        part = self.partition
        away = (*part.guard, *part.heldout)
        kept_body = {(p.page, p.text) for p in part.train}
        pages = {p.page for p in away}
        first, last = min(pages), max(pages)
        before = [p for p in paragraphs if p.page <= first and _may_stay(p, first, last, kept_body)]
        after = [p for p in paragraphs if p.page > first and _may_stay(p, first, last, kept_body)]
        return tuple(before), tuple(after)


def _may_stay(paragraph: Paragraph, first: int, last: int, kept_body: set[tuple[int, str]]) -> bool:
    # Outside those pages a version may take for body what the author's own labels do not.
    if not first <= paragraph.page <= last:
        return True
    return paragraph.role == "body" and (paragraph.page, paragraph.text) in kept_body


def held_out(books: Mapping[str, Sequence[Paragraph]], book: str, block: int | None) -> HeldOut:
    """The partition of the held-out book, given the body paragraphs of all the author's books.

    Raises:
        ConfigurationError: the book is too short for blocks, or has no such block.
    """
    own = tuple(books[book])
    if block is None:
        return HeldOut(Partition((), (), own, (), ()))
    return HeldOut(split_blocks(own, block_share(books, book), fold=block - 1))


def as_frozen(own: Sequence[Paragraph], heldout: Sequence[Passage]) -> HeldOut:
    """The block that was held out once, found in the book's body by its text.

    A block's number means another block when books are added. A paragraph is known where more than half of
    its 8-grams stand in ``heldout``; the block is the run whose known words outnumber its others most, so
    that a form of words said again elsewhere does not stretch it over the book.

    Raises:
        ConfigurationError: nothing of it is in the book any more.
    """
    known = {gram for passage in heldout for gram in ngrams(passage.text, _KNOWN_WORDS)}
    # Kadane's maximum sum: start the run anew wherever what came before weighs nothing.
    best, block, total, start = 0, range(0), 0, 0
    for place, paragraph in enumerate(own):
        weight = _weight(paragraph, known)
        if total <= 0:
            total, start = 0, place
        total += weight
        if weight > 0 and total > best:
            best, block = total, range(start, place + 1)
    if not block:
        raise ConfigurationError(
            "hold_out: nothing of the block that the reference set holds out is in its book any more; "
            "put the book back as it was, or start a corpus file of another name"
        )
    return HeldOut(around(own, block.start, block.stop, GUARD_WORDS))


def _weight(paragraph: Paragraph, known: set[tuple[str, ...]]) -> int:
    """A paragraph's words where it is known, less where it is not; 0 where it is too short to tell."""
    grams = set(ngrams(paragraph.text, _KNOWN_WORDS))
    if not grams:
        return 0
    n_words = count_words(paragraph.text)
    return n_words if 2 * len(grams & known) > len(grams) else -n_words
