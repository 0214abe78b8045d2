"""How long do one million words take on every text metric, and how much memory?

    every *.txt of a folder, one after the other, again from the front if need be, cut at a million words
    --measured as one file, beside a prepared author--> seconds, peak memory

python tests/benchmarks/measure_speed.py WORKSPACE AUTHOR FOLDER [WORDS]     half a minute of a CPU; exit 1
if a million words would take over 60 s, or if the process had over 2 GB
"""

from __future__ import annotations

import itertools
import math
import resource
import sys
import tempfile
import time
from pathlib import Path

from harness.measuring import measure_file
from harness.text import count_words

WORDS, SECONDS, GIGABYTES = 1_000_000, 60.0, 2.0


def main(workspace: Path, author: str, folder: Path, n_words: int = WORDS) -> int:
    """Measure the words as one file, and print what it took and how many metrics had a value."""
    text = joined(folder, n_words)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "texts.txt")
        path.write_text(text, encoding="utf-8")
        started, cpu = time.perf_counter(), time.process_time()
        found = measure_file(path, author, workspace)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    gigabytes = peak_gigabytes()
    valued = sum(not math.isnan(line.value) for line in found.lines)
    words = count_words(text)
    print(f"{words:,} words in {found.texts:,} texts of about {found.median_words}: {seconds:.1f} s")
    print(f"{cpu:.1f} s of CPU, {gigabytes:.2f} GB at the peak")
    print(f"{valued} of {len(found.lines)} metrics have a value")
    return 0 if seconds * WORDS < SECONDS * words and gigabytes < GIGABYTES else 1


def joined(folder: Path, n_words: int) -> str:
    """Paragraphs of the folder's books, in order and round again, until there are ``n_words`` words."""
    books = [path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.txt"))]
    paragraphs = [paragraph for book in books for paragraph in book.split("\n\n") if count_words(paragraph)]
    if not paragraphs:
        raise SystemExit(f"{folder}: no *.txt with a word in it")
    taken: list[str] = []
    total = 0
    for paragraph in itertools.cycle(paragraphs):
        if total >= n_words:
            break
        taken.append(paragraph)
        total += count_words(paragraph)
    return "\n\n".join(taken)


def peak_gigabytes() -> float:
    """Largest resident size of this process; Linux counts it in kibibytes, macOS in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        raise SystemExit(__doc__)
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), *map(int, sys.argv[4:])))
