"""What could be held out, and what each choice would cost: for ``prepare --plan``.

    words lost        held-out words and the guard's: they can no longer be trained on
    delta, jsd        how far its style is from the rest: a book unlike the others is a hard, odd test

Nothing is decided here; ``suggest`` names the choice that is most like the rest and does not cost too much.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.corpus.prose import Paragraph
from harness.corpus.splits import GUARD_WORDS, Partition, folds
from harness.errors import ConfigurationError
from harness.metrics.delta import DeltaReference, cosine_delta, pool_segments
from harness.metrics.function_words import FUNCTION_WORD_SET
from harness.metrics.profile import jensen_shannon_of_counts
from harness.text import count_words, words

ENOUGH_BOOKS = 3
SHARE = 0.1
MIN_WORDS = 2000
"""A Delta of less says little: two segments of 1,000 words."""


@dataclass(frozen=True)
class Choice:
    """One thing that could be held out.

    ``fold`` is the number of the book's block, as ``split_blocks`` takes it (None: the whole book);
    ``starts`` the chapter it starts in, where that has a name. ``delta``: mean Cosine Delta of its 1,000-word
    segments to the centroid of everything else, in [0, 2]; ``jsd``: divergence of its function words
    (English) from those of everything else, in bits, in [0, 1]. Low is alike for both. NaN where there is
    too little text, and ``note`` says so.
    """

    kind: Literal["book", "chapters"]
    book: str
    fold: int | None
    starts: str
    heldout_words: int
    guard_words: int
    train_words: int
    delta: float
    jsd: float
    note: str = ""

    @property
    def lost_words(self) -> int:
        """Words that can no longer be trained on."""
        return self.heldout_words + self.guard_words

    @property
    def lost_share(self) -> float:
        """The same, as a share of all words."""
        return self.lost_words / max(1, self.lost_words + self.train_words)


@dataclass(frozen=True)
class _Style:
    delta: float
    jsd: float


def choices(
    books: Mapping[str, Sequence[Paragraph]], *, share: float = SHARE, guard: int = GUARD_WORDS
) -> tuple[Choice, ...]:
    """Everything that could be held out: each whole book where there are three, else each block of chapters.

    ``books``: cleaned body paragraphs by book. A block holds about ``share`` of all words.

    Raises:
        ConfigurationError: there is too little text to hold any of it out.
    """
    held = list(_parts(books, share, guard))
    n_words = sum(_size(paragraphs) for paragraphs in books.values())
    if len(held) < 2 or not all(_size(part.heldout) for part in held):
        raise ConfigurationError(f"hold_out: {n_words:,} words are too little to hold any of them out")
    whole = len(books) >= ENOUGH_BOOKS
    number = Counter[str]()
    found = []
    for part, style in zip(held, _styles([part.heldout for part in held]), strict=True):
        book = part.heldout[0].book
        heldout, guarded = _size(part.heldout), _size(part.guard)
        few = f"under {MIN_WORDS:,} words on a side: too few for a Delta" if math.isnan(style.delta) else ""
        found.append(
            Choice(
                kind="book" if whole else "chapters",
                book=book,
                fold=None if whole else number[book],
                starts="" if whole else part.heldout[0].chapter,
                heldout_words=heldout,
                guard_words=guarded,
                train_words=n_words - heldout - guarded,
                delta=style.delta,
                jsd=style.jsd,
                note=few,
            )
        )
        number[book] += 1
    return tuple(found)


def suggest(options: Sequence[Choice], most: float = 0.25) -> Choice:
    """The choice nearest to the rest by Delta among those that lose at most ``most`` of the words.

    Where none has a Delta, or all lose more: the one that loses fewest words.
    """
    affordable = [option for option in options if option.lost_share <= most]
    measured = [option for option in affordable if not math.isnan(option.delta)]
    if measured:
        return min(measured, key=lambda option: option.delta)
    return min(affordable or options, key=lambda option: option.lost_words)


def block_share(books: Mapping[str, Sequence[Paragraph]], book: str, share: float = SHARE) -> float:
    """The share of one book that is ``share`` of all books' words, at most a half."""
    total = sum(_size(paragraphs) for paragraphs in books.values())
    return min(0.5, share * total / max(1, _size(books[book])))


def _parts(books: Mapping[str, Sequence[Paragraph]], share: float, guard: int) -> Iterator[Partition]:
    """Each book split in every way that is offered; the held-out parts together are all the books."""
    for name, own in books.items():
        if not _size(own):
            continue
        if len(books) >= ENOUGH_BOOKS:
            yield Partition((), (), tuple(own), (), ())
        else:
            yield from folds(own, block_share(books, name, share), guard)


def _styles(parts: Sequence[Sequence[Paragraph]]) -> list[_Style]:
    """How far each part is from all the others together; z-scores are over the segments of all."""
    segments = [pool_segments([p.text for p in part], min_total=MIN_WORDS) for part in parts]
    counts = [
        Counter(word for p in part for word in words(p.text) if word in FUNCTION_WORD_SET) for part in parts
    ]
    together = sum(counts, Counter[str]())
    jsd = [jensen_shannon_of_counts(own, together - own) for own in counts]
    everything = [segment for part in segments for segment in part]
    if len(everything) < 2:
        return [_Style(math.nan, value) for value in jsd]
    background = DeltaReference.fit(everything, everything)
    z = [[background.z(segment) for segment in part] for part in segments]
    styles = []
    for at, own in enumerate(z):
        rest = [vector for other, part in enumerate(z) if other != at for vector in part]
        far = [cosine_delta(vector, np.mean(rest, axis=0)) for vector in own] if rest else []
        styles.append(_Style(float(np.mean(far)) if far else math.nan, jsd[at]))
    return styles


def _size(paragraphs: Sequence[Paragraph]) -> int:
    return sum(count_words(paragraph.text) for paragraph in paragraphs)
