"""Near-duplicates: held-out text that stands in *train* with a word changed here and there.

    shared 13-grams    find what is repeated word for word
    near-duplicates    find what is repeated with changes: quotations from memory, reprinted chapters

    passages           MinHash, LSH -> candidates -> Jaccard of two whole passages
    windows of 40      MinHash, LSH -> candidates -> how much of the window stands in the held-out text there

MinHash only proposes; every pair reported is verified on the words themselves. Shingles are runs of five
words (Broder, 1997, "On the resemblance and containment of documents"); the banding is Leskovec, Rajaraman
and Ullman's (2014, ch. 3). The train side is dropped: what is held out stays as it was frozen.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from harness.text import words
from harness.types import Passage

N_EXAMPLES = 3
SHINGLE = 5
WINDOW, TRAIN_STEP, HELDOUT_STEP = 40, 20, 10
"""A quotation of 60 words holds a whole train window, and a held-out window at most five words off it."""
MARGIN = 20
"""Words of held-out text looked at on either side of a candidate window."""
FEWEST_WORDS = 13
"""Shorter texts are not judged: nine shared shingles are evidence, two are an idiom."""
_BANDS, _ROWS = 64, 2
"""P(candidate) = 1 - (1 - s^2)^64 at Jaccard s: .93 at .2, .98 at .25, .999 at .33; 0 at 0."""
_SEED = 1

Kind = Literal["passage", "quotation"]


@dataclass(frozen=True)
class DuplicatePair:
    """A train passage and the held-out passage it repeats.

    ``similarity`` is in [0, 1], high is alike: for a ``passage`` the Jaccard of their sets of shingles, for a
    ``quotation`` the share of the window's shingles that stand in the held-out text.
    ``excerpt``: the train side's words, lower-cased, at most a window of them.
    """

    train: Passage
    heldout: Passage
    kind: Kind
    similarity: float
    excerpt: str


@dataclass(frozen=True)
class NearDuplicateReport:
    """``pairs``: one per train and held-out passage, most alike first; ``dropped`` + ``kept`` is *train*."""

    threshold: float
    pairs: tuple[DuplicatePair, ...]
    dropped: tuple[Passage, ...]
    kept: tuple[Passage, ...]

    @property
    def examples(self) -> tuple[DuplicatePair, ...]:
        """The three most alike pairs of different train passages."""
        first: dict[str, DuplicatePair] = {}
        for pair in self.pairs:
            first.setdefault(pair.train.digest, pair)
        return tuple(itertools.islice(first.values(), N_EXAMPLES))

    def facts(self) -> dict[str, Any]:
        """What a manifest keeps of it: counts and the examples, as plain JSON values."""
        examples = [
            {"kind": pair.kind, "similarity": round(pair.similarity, 3), "excerpt": pair.excerpt}
            | {"train": pair.train.book, "heldout": pair.heldout.book}
            for pair in self.examples
        ]
        counts = {"pairs": len(self.pairs), "dropped": len(self.dropped)}
        return {"threshold": self.threshold, "examples": examples, **counts}


@dataclass(frozen=True)
class _Piece:
    """Words to be compared: ``around`` is the text it is verified against, ``at`` the passage's place."""

    tokens: tuple[str, ...]
    around: tuple[str, ...]
    at: int


def near_duplicates(
    train: Iterable[Passage], heldout: Iterable[Passage], threshold: float = 0.5
) -> NearDuplicateReport:
    """Which train passages repeat held-out text, changed a little or not at all, and those that do not.

    At the default .5 a quotation of 60 words is found with every eleventh word changed (one of 40 about half
    the time); 22 running words of a window of 40 are one. A window of held-out text may go over the cut
    between two passages of a book. Nothing below the threshold is reported.

    Raises:
        ValueError: the threshold is not above 0 and at most 1.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be above 0 and at most 1, not {threshold}")
    given, guarded = list(train), list(heldout)
    best: dict[tuple[int, int], DuplicatePair] = {}
    for look in _looks(given, guarded):
        for one, other in _candidates(look.ours, look.theirs):
            similarity = look.measure(one, other)
            known = best.get((one.at, other.at))
            if similarity >= threshold and (known is None or similarity > known.similarity):
                excerpt = " ".join(one.tokens[:WINDOW])
                pair = DuplicatePair(given[one.at], guarded[other.at], look.kind, similarity, excerpt)
                best[one.at, other.at] = pair
    pairs = [best[key] for key in sorted(best, key=lambda key: (-best[key].similarity, key))]
    repeated = {at for at, _ in best}
    return NearDuplicateReport(
        threshold,
        tuple(pairs),
        tuple(passage for at, passage in enumerate(given) if at in repeated),
        tuple(passage for at, passage in enumerate(given) if at not in repeated),
    )


# ── what is compared ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Look:
    """One way of looking: what is compared with what, and the exact measure that decides."""

    kind: Kind
    measure: Callable[[_Piece, _Piece], float]
    ours: Iterator[_Piece]
    theirs: Iterator[_Piece]


def _looks(train: Sequence[Passage], heldout: Sequence[Passage]) -> Iterator[_Look]:
    yield _Look("passage", _jaccard, _whole(train), _whole(heldout))
    yield _Look("quotation", _containment, _train_windows(train), _heldout_windows(heldout))


def _whole(passages: Sequence[Passage]) -> Iterator[_Piece]:
    for at, passage in enumerate(passages):
        tokens = tuple(words(passage.text))
        if len(tokens) >= FEWEST_WORDS:
            yield _Piece(tokens, tokens, at)


def _train_windows(passages: Sequence[Passage]) -> Iterator[_Piece]:
    """Windows inside each passage: it is all that a model is shown at once."""
    for piece in _whole(passages):
        for start in _starts(len(piece.tokens), TRAIN_STEP):
            tokens = piece.tokens[start : start + WINDOW]
            yield _Piece(tokens, tokens, piece.at)


def _heldout_windows(passages: Sequence[Passage]) -> Iterator[_Piece]:
    """Windows over each run of neighbouring passages; one belongs to the passage its middle lies in."""
    for run in _runs(passages):
        tokens: list[str] = []
        places: list[int] = []
        for at in run:
            found = words(passages[at].text)
            tokens += found
            places += [at] * len(found)
        if len(tokens) < FEWEST_WORDS:
            continue
        for start in _starts(len(tokens), HELDOUT_STEP):
            own = tuple(tokens[start : start + WINDOW])
            around = tuple(tokens[max(0, start - MARGIN) : start + WINDOW + MARGIN])
            yield _Piece(own, around, places[start + len(own) // 2])


def _runs(passages: Sequence[Passage]) -> Iterator[list[int]]:
    run: list[int] = []
    for at, passage in enumerate(passages):
        before = passages[run[-1]] if run else None
        if before and (before.book, before.ordinal + 1) != (passage.book, passage.ordinal):
            yield run
            run = []
        run.append(at)
    if run:
        yield run


def _starts(n_tokens: int, step: int) -> Iterator[int]:
    """Where windows begin: every ``step`` words, and one that ends where the text does."""
    last = max(0, n_tokens - WINDOW)
    yield from range(0, last, step)
    yield last


# ── how it is compared ────────────────────────────────────────────────────────────────────────────


def _candidates(ours: Iterable[_Piece], theirs: Iterable[_Piece]) -> Iterator[tuple[_Piece, _Piece]]:
    """Pairs that agree in one band of their signatures: what is held out is indexed, *train* is asked."""
    from datasketch import MinHashLSH

    index = MinHashLSH(num_perm=_BANDS * _ROWS, params=(_BANDS, _ROWS))
    indexed: dict[Hashable, _Piece] = {}
    for key, (piece, signature) in enumerate(_signed(theirs)):
        indexed[key] = piece
        index.insert(key, signature, check_duplication=False)
    for piece, signature in _signed(ours):
        for key in sorted(index.query(signature)):
            yield piece, indexed[key]


def _signed(pieces: Iterable[_Piece]) -> Iterator[tuple[_Piece, object]]:
    """Each piece with the MinHash of its shingles."""
    from datasketch import MinHash

    # What is given is hashed already: MinHash's own SHA-1 of every shingle would be most of the time.
    blank = MinHash(num_perm=_BANDS * _ROWS, seed=_SEED, hashfunc=int, scheme="affine32")
    numbers: dict[str, int] = {}
    for piece in pieces:
        signature = blank.copy()
        signature.update_batch(_hashes(piece.tokens, numbers))
        yield piece, signature


def _hashes(tokens: Sequence[str], numbers: dict[str, int]) -> list[int]:
    """A 32-bit hash of each shingle: words numbered by their bytes' CRC, five of them mixed by odd factors.

    Two shingles that collide only propose a pair which the words then refuse.
    """
    for token in tokens:
        if token not in numbers:
            numbers[token] = zlib.crc32(token.encode())
    found = np.array([numbers[token] for token in tokens], dtype=np.uint64)
    mixed = np.zeros(len(found) - SHINGLE + 1, dtype=np.uint64)
    for place in range(SHINGLE):
        mixed = mixed * np.uint64(0x9E3779B97F4A7C15) + found[place : place + len(mixed)]
    hashes: list[int] = (mixed >> np.uint64(32)).tolist()
    return hashes


def _shingles(tokens: Sequence[str]) -> set[tuple[str, ...]]:
    return set(zip(*(tokens[start:] for start in range(SHINGLE)), strict=False))


def _jaccard(one: _Piece, other: _Piece) -> float:
    """|A ∩ B| / |A ∪ B| of the two sets of shingles, in [0, 1]."""
    mine, theirs = _shingles(one.tokens), _shingles(other.tokens)
    return len(mine & theirs) / len(mine | theirs)


def _containment(one: _Piece, other: _Piece) -> float:
    """|A ∩ B| / |A|: the share of a window's shingles that stand in the held-out text around its match."""
    mine = _shingles(one.tokens)
    return len(mine & _shingles(other.around)) / len(mine)
