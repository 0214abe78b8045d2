"""How long do near-duplicates over two million words take, and are planted ones found?

    train      2,000,000 words: the books of a folder where one is given, Zipf's words for the rest
    held out   200,000 words more
    planted    200 quotations of 60 held-out words, one word in twelve changed, so that no 13-gram is shared

python tests/benchmarks/near_duplicates.py [FOLDER]     a minute on two CPU cores; exit 1 if a pass takes over
60 s or if fewer than 95 % of the planted quotations are found
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness.corpus.leakage import shared_ngrams
from harness.corpus.near_duplicates import near_duplicates
from harness.text import words
from harness.types import Passage

TRAIN_WORDS, HELDOUT_WORDS, SIZE, PLANTED, SECONDS = 2_000_000, 200_000, 150, 200, 60


def main(folder: Path | None) -> int:
    """Time one pass and count the planted quotations found."""
    files = sorted(folder.rglob("*.txt")) if folder else []
    real = [word for path in files for word in words(path.read_text(encoding="utf-8"))]
    tokens = (real + zipf(max(0, TRAIN_WORDS + HELDOUT_WORDS - len(real))))[: TRAIN_WORDS + HELDOUT_WORDS]
    # Held-out text is what comes first, so that real books stand on both sides.
    heldout = passages(tokens[:HELDOUT_WORDS], "heldout")
    train = passages(tokens[HELDOUT_WORDS:], "train")
    clean = {p.digest for p in near_duplicates(train, heldout).dropped}
    drawn = random.Random(0)
    for at in drawn.sample([n for n, p in enumerate(train) if p.digest not in clean], PLANTED):
        train[at] = with_quotation(train[at], drawn.choice(heldout))
    started = time.perf_counter()
    report = near_duplicates(train, heldout)
    seconds = time.perf_counter() - started
    planted = {p.digest for p in train if p.role == "planted"}
    found = planted & {p.digest for p in report.dropped}
    word_for_word = planted & {p.digest for p in shared_ngrams(train, heldout).dropped}
    n_words = sum(p.n_words for p in (*train, *heldout))
    print(f"{n_words:,} words ({min(len(real), len(tokens)):,} of real books): {seconds:.1f} s")
    print(f"planted {PLANTED}: found {len(found)}; by shared 13-grams {len(word_for_word)}")
    print(f"dropped besides: {len(report.dropped) - len(found)}")
    for pair in report.examples:
        print(f"  {pair.similarity:.2f} {pair.kind}: {pair.excerpt}")
    return 0 if seconds < SECONDS and len(found) >= 0.95 * PLANTED else 1


def zipf(n: int, types: int = 20_000) -> list[str]:
    """Words drawn with probability 1 / rank."""
    weights = 1 / np.arange(1, types + 1)
    ranks = np.random.default_rng(0).choice(types, size=n, p=weights / weights.sum())
    names = ["".join(chr(97 + rank // 26**place % 26) for place in range(4)) for rank in range(types)]
    return [names[rank] for rank in ranks]


def passages(tokens: Sequence[str], book: str) -> list[Passage]:
    """Passages of 150 words."""
    starts = range(0, len(tokens), SIZE)
    return [
        Passage(book, n, "body", " ".join(tokens[s : s + SIZE]), len(tokens[s : s + SIZE]), f"{book}{n}")
        for n, s in enumerate(starts)
    ]


def with_quotation(passage: Passage, quoted: Passage) -> Passage:
    """The passage with 60 words of the other in its middle, every twelfth of them changed."""
    own, other = passage.text.split(), quoted.text.split()[40:100]
    other = [f"{word}x" if at % 12 == 11 else word for at, word in enumerate(other)]
    text = " ".join([*own[:45], *other, *own[105:]])
    return Passage(passage.book, passage.ordinal, "planted", text, len(text.split()), passage.digest)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if sys.argv[1:] else None))
