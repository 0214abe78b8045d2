"""The metrics that an audit puts to the test, each as a judge: texts in, numbers out, higher = more like him.

    passages --deal--> texts of one length --judge--> scores

Distances are turned round. What has no good direction is judged by its distance from the author's mean. A
judge is fitted on train prose and, where it needs a background, on other authors less the one it will meet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics.attribution import MAX_FOLDS, AuthorshipClassifier
from harness.metrics.delta import DeltaReference, pool_segments
from harness.metrics.keyness import characteristic_keywords, keyword_density
from harness.metrics.lexical import mattr, type_token_ratio
from harness.metrics.profile import function_word_distribution, jensen_shannon
from harness.metrics.similarity import TfidfReference
from harness.text import count_words, sentences, words
from harness.types import Passage

LEAST_FULL = 0.8
MOST_PASSAGES, MOST_WORDS = 300, 75_000
"""Caps on each side of a fit and of a test: more costs minutes and moves an AUC by less than its interval."""
FEWEST_PASSAGES = 10
TWINS = ("authorship_plain", "authorship_masked")

Judge = Callable[[Sequence[str]], np.ndarray]
"""Texts -> one number each, higher being more like the author."""


# ── passages of a length ──────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Piece:
    """A text of the audited length and the book it is from."""

    book: str
    text: str


def deal(passages: Sequence[Passage], size: int) -> list[Piece]:
    """The sentences of each book's passages, in order, dealt into texts of ``size`` words to within half a
    sentence; a last one under 80 % of that is left out.
    """
    by_book: dict[str, list[Passage]] = {}
    for passage in passages:
        by_book.setdefault(passage.book, []).append(passage)
    pieces = []
    for book, own in by_book.items():
        held: list[str] = []
        total = 0
        for passage in sorted(own, key=lambda p: p.ordinal):
            for sentence in sentences(passage.text):
                length = count_words(sentence)
                if held and total + length / 2 > size:
                    pieces.append(Piece(book, " ".join(held)))
                    held, total = [], 0
                held.append(sentence)
                total += length
        if total >= LEAST_FULL * size:
            pieces.append(Piece(book, " ".join(held)))
    return pieces


def spread(pieces: Sequence[Piece], n: int = MOST_PASSAGES, n_words: int = MOST_WORDS) -> list[Piece]:
    """At most ``n`` pieces and about ``n_words`` words of them, spread evenly over the books."""
    total = sum(count_words(piece.text) for piece in pieces)
    kept = min(len(pieces), n, max(FEWEST_PASSAGES, int(n_words * len(pieces) / max(1, total))))
    return [pieces[index * len(pieces) // kept] for index in range(kept)]


def texts_of(pieces: Sequence[Piece]) -> list[str]:
    return [piece.text for piece in pieces]


def without(others: Mapping[str, Sequence[Passage]], name: str) -> dict[str, Sequence[Passage]]:
    return {other: passages for other, passages in sorted(others.items()) if other != name}


# ── judges ────────────────────────────────────────────────────────────────────────────────────────

METRICS = (
    *TWINS, "cosine_delta", "burrows_delta", "function_words", "keyword_density", "tfidf_nearest",
    "type_token_ratio", "mattr", "words",
)  # fmt: skip


def own_judges(train: Sequence[str]) -> dict[str, Judge]:
    """Judges that know the author alone: nobody has to be left out of them."""
    tokens = [words(text) for text in train]
    profile = function_word_distribution([word for text in tokens for word in text])
    tfidf = TfidfReference.fit(train)
    features: dict[str, Callable[[list[str]], float]] = {
        "type_token_ratio": type_token_ratio,
        "mattr": mattr,
        "words": lambda text: float(len(text)),
    }
    judges: dict[str, Judge] = {
        "tfidf_nearest": _each(tfidf.nearest),
        "function_words": _each(
            lambda text: -jensen_shannon(function_word_distribution(words(text)), profile)
        ),
    }
    for name, feature in features.items():
        judges[name] = _nearness(feature, float(np.mean([feature(text) for text in tokens])))
    return judges


def _nearness(feature: Callable[[list[str]], float], usual: float) -> Judge:
    """Minus the distance of a feature from the author's mean, as too much is as wrong as too little."""
    return _each(lambda text: -abs(feature(words(text)) - usual))


def background_judges(train: Sequence[Passage], others: Mapping[str, Sequence[Passage]]) -> dict[str, Judge]:
    """Judges that need a background but no length; none where no other author is left."""
    mine = [passage.text for passage in train]
    background = [passage.text for passages in others.values() for passage in passages]
    author, around = pool_segments(mine, min_total=0), pool_segments(background, min_total=0)
    if not author or not around:
        return {}
    delta = DeltaReference.fit(author, [*author, *around])
    keywords = [k.word for k in characteristic_keywords(_blocks(mine), _blocks(background))]
    judges = {
        "cosine_delta": _each(lambda text: -delta.cosine(text)),
        "burrows_delta": _each(lambda text: -delta.burrows(text)),
    }
    if keywords:
        judges["keyword_density"] = _each(lambda text: keyword_density(words(text), keywords))
    return judges


def classifiers(
    train: Sequence[Piece], others: Mapping[str, Sequence[Passage]], left_out: str, size: int
) -> dict[str, Judge]:
    """Both twins, fitted as a reference set fits them but at the audited length, one author left out."""
    left = without(others, left_out)
    share = max(1, len(left))
    negatives = [
        Piece(f"{name}/{piece.book}", piece.text)
        for name, passages in left.items()
        for piece in spread(deal(passages, size), MOST_PASSAGES // share, MOST_WORDS // share)
    ]
    if min(len(train), len(negatives)) < MAX_FOLDS:
        return {}
    background = [passage.text for passages in left.values() for passage in passages]
    return {
        twin: AuthorshipClassifier.fit(
            texts_of(train),
            texts_of(negatives),
            author_groups=[piece.book for piece in train],
            other_groups=[piece.book for piece in negatives],
            masked=twin == "authorship_masked",
            background=background,
        ).logits
        for twin in TWINS
    }


def _each(metric: Callable[[str], float]) -> Judge:
    return lambda texts: np.array([metric(text) for text in texts])


def _blocks(texts: Sequence[str], size: int = 2000) -> list[list[str]]:
    tokens = [word for text in texts for word in words(text)]
    return [tokens[start : start + size] for start in range(0, len(tokens), size)]
