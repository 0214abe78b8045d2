"""Which metrics know Chesterton? The audit on real essays, and how long it takes.

    train      heretics, orthodoxy
    held out   all_things_considered, tremendous_trifles
    others     every other folder, each left out of the fits that score it

python tests/benchmarks/audit.py FOLDER [LENGTHS]     FOLDER/AUTHOR/BOOK.txt; exit 1 if at 350 words the plain
classifier's mean AUC is under .95, its worst author under .85, or Cosine Delta's mean under .85
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from harness.audit import LENGTHS, Fitness, measure_fitness
from harness.corpus.books import read_book
from harness.corpus.passages import cut_passages
from harness.corpus.prose import paragraphs
from harness.corpus.roles import label_pages
from harness.types import Passage

AUTHOR, TRAIN = "chesterton", ("heretics", "orthodoxy")
TARGETS = {
    ("authorship_plain", "mean"): 0.95,
    ("authorship_plain", "worst"): 0.85,
    ("cosine_delta", "mean"): 0.85,
}
AT_LENGTH = 350


def main(folder: Path, lengths: Sequence[int]) -> int:
    """Print the audit as Markdown, by author at 350 words, and the targets missed."""
    started = time.perf_counter()
    shelves = {
        path.name: {book.stem: body(book) for book in sorted(path.glob("*.txt"))}
        for path in sorted(folder.iterdir())
    }
    train = [passage for book in TRAIN for passage in shelves[AUTHOR][book]]
    heldout = [p for book, own in shelves[AUTHOR].items() if book not in TRAIN for p in own]
    others = {
        name: [p for own in books.values() for p in own] for name, books in shelves.items() if name != AUTHOR
    }
    n_words = sum(p.n_words for side in (train, heldout, *others.values()) for p in side)
    read, cpu = time.perf_counter(), time.process_time()
    rows = measure_fitness(train, heldout, others, lengths)
    done = time.perf_counter()
    seconds = f"{done - read:.0f} s ({time.process_time() - cpu:.0f} s of CPU)"
    print(f"{n_words:,} words: read in {read - started:.0f} s, audited in {seconds}\n")
    print("| words | metric | mean AUC [95 %] | " + " | ".join(sorted(others)) + " | mark |")
    print("|" + "---|" * (4 + len(others)))
    for row in rows:
        low, high = row.mean.interval
        each = " | ".join(f"{row.by_author.get(name, float('nan')):.3f}" for name in sorted(others))
        mean = f"{row.mean.value:.3f} [{low:.3f}, {high:.3f}]"
        print(f"| {row.words} | {row.metric} | {mean} | {each} | {row.mark} |")
    missed = missed_targets(rows)
    print(f"\nmissed: {', '.join(missed) or 'none'}")
    return 1 if missed else 0


def body(path: Path) -> tuple[Passage, ...]:
    """A book's body text in passages, as ``prepare`` cuts them."""
    book = read_book(path)
    return cut_passages(paragraphs(label_pages(book), {"body"}, book.chapters), words=150, overlap=0)


def missed_targets(rows: Sequence[Fitness]) -> list[str]:
    """The targets that were not reached, in words."""
    at_length = {row.metric: row for row in rows if row.words == AT_LENGTH}
    missed = []
    for (metric, which), target in TARGETS.items():
        if metric not in at_length:
            continue
        row = at_length[metric]
        reached = row.mean.value if which == "mean" else row.worst.value
        if not reached >= target:
            missed.append(f"{metric} {which} {reached:.3f} < {target}")
    return missed


if __name__ == "__main__":
    chosen = [int(part) for part in sys.argv[2].split(",")] if len(sys.argv) > 2 else list(LENGTHS)
    sys.exit(main(Path(sys.argv[1]), chosen))
