"""What is held out, and what is kept apart for choosing checkpoints.

    three books or more     one whole book
    fewer                   a run of chapters, with a guard on either side that nobody sees

        before ─────── | guard | ── held out ── | guard | ─────── after        one book, in reading order

    passages      [······][····][VVVVVV][·····][VVV]     blocks of about eight; V: validation

Splitting comes before cutting: no passage goes over a bound. What is held out is for the benchmark alone;
checkpoints are chosen on validation passages, which come from the same books as *train*.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from harness.corpus.passages import cut_passages
from harness.corpus.prose import Paragraph
from harness.errors import ConfigurationError
from harness.text import count_words, digest
from harness.types import Passage, Split

GUARD_WORDS = 300
_CHAPTER_WITHIN = 0.25
"""A block starts at a chapter that lies within a quarter of its size, else at a paragraph."""


@dataclass(frozen=True)
class Partition:
    """One book in five runs of whole paragraphs, in reading order; all but ``heldout`` may be empty."""

    before: tuple[Paragraph, ...]
    guard_before: tuple[Paragraph, ...]
    heldout: tuple[Paragraph, ...]
    guard_after: tuple[Paragraph, ...]
    after: tuple[Paragraph, ...]

    @property
    def train(self) -> tuple[Paragraph, ...]:
        """Both train runs. Cut them with ``partition_passages``: they are no neighbours."""
        return self.before + self.after

    @property
    def guard(self) -> tuple[Paragraph, ...]:
        """Both guards: neither trained on nor asked about."""
        return self.guard_before + self.guard_after


@dataclass(frozen=True)
class TrainValidation:
    """Passages with their ``split`` set, each side in the order given."""

    train: tuple[Passage, ...]
    validation: tuple[Passage, ...]


# ── blocks of one book ────────────────────────────────────────────────────────────────────────────


def folds(paragraphs: Sequence[Paragraph], share: float, guard: int = GUARD_WORDS) -> tuple[Partition, ...]:
    """The book split once for every block of about ``share`` of its words; the blocks make up the book."""
    starts = _block_starts(paragraphs, share)
    ends = [*starts[1:], len(paragraphs)]
    return tuple(around(paragraphs, start, end, guard) for start, end in zip(starts, ends, strict=True))


def split_blocks(
    paragraphs: Sequence[Paragraph], share: float, guard: int = GUARD_WORDS, fold: int | None = None
) -> Partition:
    """One book's paragraphs as train, guard and held-out; the middle block unless ``fold`` names one.

    Raises:
        ValueError: a share outside (0, .5], a negative guard, or paragraphs of several books.
        ConfigurationError: the book is too short to be split, or has no such block.
    """
    found = folds(paragraphs, share, guard)
    if len(found) < 2:
        raise ConfigurationError("hold_out: the book has too few paragraphs to hold a block of them out")
    wanted = len(found) // 2 if fold is None else fold
    if not 0 <= wanted < len(found):
        raise ConfigurationError(f"hold_out: block {wanted + 1} does not exist; have 1 to {len(found)}")
    return found[wanted]


def partition_passages(part: Partition, *, words: int, overlap: int) -> tuple[Passage, ...]:
    """The passages of a split book with ``split`` set and ordinals in reading order.

    Each run is cut by itself, so none goes over a bound, and held-out passages do not overlap.
    """
    runs: tuple[tuple[Split, tuple[Paragraph, ...]], ...] = (
        ("train", part.before),
        ("guard", part.guard_before),
        ("heldout", part.heldout),
        ("guard", part.guard_after),
        ("train", part.after),
    )
    cut = [
        replace(passage, split=split)
        for split, run in runs
        for passage in cut_passages(run, words=words, overlap=0 if split == "heldout" else overlap)
    ]
    return tuple(replace(passage, ordinal=n) for n, passage in enumerate(cut))


def _block_starts(paragraphs: Sequence[Paragraph], share: float) -> list[int]:
    """Where each of about 1 / share equal blocks starts: at a chapter if one is near, else a paragraph."""
    if not 0 < share <= 0.5:
        raise ValueError(f"share must be above 0 and at most .5, not {share}")
    if len({paragraph.book for paragraph in paragraphs}) > 1:
        raise ValueError("a block lies within one book; give the paragraphs of one")
    upto = [0, *itertools.accumulate(count_words(p.text) for p in paragraphs)]
    opens = [
        at for at, (one, two) in enumerate(itertools.pairwise(paragraphs), 1) if one.chapter != two.chapter
    ]
    size = upto[-1] * share
    starts = [0]
    for block in range(1, round(1 / share)):
        wanted = block * upto[-1] / round(1 / share)
        near = [at for at in opens if abs(upto[at] - wanted) <= _CHAPTER_WITHIN * size]
        candidates = near or range(len(paragraphs))
        start = min(candidates, key=lambda at: abs(upto[at] - wanted), default=0)
        if upto[starts[-1]] < upto[start] < upto[-1]:
            starts.append(start)
    return starts


def around(paragraphs: Sequence[Paragraph], start: int, end: int, guard: int) -> Partition:
    """The book with ``paragraphs[start:end]`` held out.

    Guards are the fewest whole paragraphs of at least ``guard`` words, up to the ends of the book.
    """
    if guard < 0:
        raise ValueError(f"guard must not be negative, is {guard}")
    upto = [0, *itertools.accumulate(count_words(p.text) for p in paragraphs)]
    first = max(0, bisect.bisect_right(upto, upto[start] - guard) - 1) if guard else start
    last = min(bisect.bisect_left(upto, upto[end] + guard), len(paragraphs)) if guard else end
    own = tuple(paragraphs)
    return Partition(own[:first], own[first:start], own[start:end], own[end:last], own[last:])


def _size(paragraphs: Sequence[Paragraph]) -> int:
    return sum(count_words(paragraph.text) for paragraph in paragraphs)


# ── train and validation ──────────────────────────────────────────────────────────────────────────


def train_validation(
    passages: Sequence[Passage], share: float = 0.15, block: int = 8, within: float = 0.03
) -> TrainValidation:
    """Whole blocks of neighbouring passages go to validation, about ``share`` of all passages.

    A block ends where a passage's digest says so (one in ``block`` does) and is drawn by that digest alone:
    pages dropped elsewhere move nothing to the other side. Only where the draw misses ``share`` by more than
    ``within`` are further blocks taken, or the last drawn left out, until it does not. Passages that repeat
    the end of the one before, and all of one digest, are never parted. With two blocks or more neither side
    is empty; with very few, or one that holds half the book, the share may be missed.

    Raises:
        ValueError: a share outside [0, 1), a negative ``within``, or a block under one passage.
    """
    if not 0 <= share < 1 or block < 1 or within < 0:
        raise ValueError(
            f"share must be in [0, 1), block and within positive, not {share}, {block}, {within}"
        )
    groups = sorted(_groups(passages, block), key=lambda group: group.drawn)
    least, most = (share - within) * len(passages), (share + within) * len(passages)
    chosen: set[int] = set()
    for group in groups[:-1] if share else []:
        after = len(chosen) + len(group.places)
        wanted = group.drawn < share or len(chosen) < least
        if wanted and (after <= most or not chosen):
            chosen.update(group.places)
    return TrainValidation(
        train=tuple(replace(p, split="train") for at, p in enumerate(passages) if at not in chosen),
        validation=tuple(replace(p, split="validation") for at, p in enumerate(passages) if at in chosen),
    )


class _Group(NamedTuple):
    """Places of passages that stay together, and their number in [0, 1), the same in every version."""

    places: list[int]
    drawn: float


def _groups(passages: Sequence[Passage], block: int) -> list[_Group]:
    """Blocks, those put together that share a digest or an overlap; a group is drawn by its last block.

    A block is of one book and one role: what stands between body passages (notes, an index) decides nothing
    about them, so versions that keep it and versions that do not have the same body validated.
    """
    streams: dict[tuple[str, str], list[int]] = {}
    for at, passage in enumerate(passages):
        streams.setdefault((passage.book, passage.role), []).append(at)
    blocks: list[list[int]] = []
    block_of_digest: dict[str, int] = {}
    joined: list[tuple[int, int]] = []
    for stream in streams.values():
        opens = True
        for before, at in zip([None, *stream], stream, strict=False):
            passage = passages[at]
            if opens:
                blocks.append([])
            blocks[-1].append(at)
            here = len(blocks) - 1
            if opens and before is not None and repeats(passages[before].text, passage.text):
                joined.append((here - 1, here))
            joined.append((block_of_digest.setdefault(passage.digest, here), here))
            opens = int(digest(passage.digest, 8), 16) % block == 0
    into = list(range(len(blocks)))
    for one, two in joined:
        first, second = _root(into, one), _root(into, two)
        into[min(first, second)] = max(first, second)
    members: dict[int, list[int]] = {}
    for number, places in enumerate(blocks):
        members.setdefault(_root(into, number), []).extend(places)
    # The end of a block stays where pages before it are dropped.
    return [_Group(places, _drawn(passages[blocks[number][-1]])) for number, places in members.items()]


def _drawn(passage: Passage) -> float:
    return int(digest(["validation", passage.digest], 8), 16) / 16**8


def _root(into: Sequence[int], number: int) -> int:
    while into[number] != number:
        number = into[number]
    return number


def repeats(before: str, after: str) -> bool:
    """True where a text starts with the end of the one before: the overlap of two passages of a block.

    >>> repeats("One. Two and three.", "Two and three. Four.")
    True
    """
    if not after.split():
        return False
    # Overlaps are whole sentences or lines, so one that stands in both begins with a whole token.
    head = after.split(maxsplit=1)[0]
    at = before.find(head)
    while at >= 0:
        if after.startswith(before[at:]):
            return True
        at = before.find(head, at + 1)
    return False
