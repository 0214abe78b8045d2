"""Who stands in for other authors where a corpus file names none: eight presidents, from 1801 to 1988.

They are far from most authors in time and matter, so that any metric tells them apart: easy negatives, and
every AUC and position against them is optimistic.

    results/background/lincoln/lincoln_1861.txt        written once; safe to delete
"""

from __future__ import annotations

from pathlib import Path

from harness.corpus.speeches import message
from harness.errors import MissingPrerequisiteError
from harness.text import words

BACKGROUND: dict[str, tuple[int, ...]] = {
    "Jefferson": (1801, 1803, 1805, 1807),
    "Jackson": (1829, 1831, 1832, 1833),
    "Lincoln": (1861, 1862, 1863, 1864),
    "Grant": (1869, 1871, 1873, 1876),
    "Wilson": (1914, 1915, 1917, 1919),
    "Coolidge": (1923, 1924, 1927, 1928),
    "Eisenhower": (1953, 1955, 1957, 1959),
    "Reagan": (1982, 1983, 1984, 1988),
}
"""Four messages each, of 2,000 to 10,000 words; nobody shares his surname with another president."""


def background_books(workspace: Path, author: str = "") -> dict[str, tuple[Path, ...]]:
    """Their messages as text files by president, without one whose surname is a word of ``author``.

    Raises:
        MissingPrerequisiteError: the package that holds them is not installed.
    """
    himself = set(words(author))
    folder = workspace / "results" / "background"
    return {
        president.lower(): tuple(_written(president, year, folder) for year in years)
        for president, years in sorted(BACKGROUND.items())
        if president.lower() not in himself
    }


def _written(president: str, year: int, folder: Path) -> Path:
    path = folder / president.lower() / f"{president.lower()}_{year}.txt"
    if path.is_file():
        return path
    try:
        text = message(president, year)
    except MissingPrerequisiteError as error:
        raise MissingPrerequisiteError(
            f"others: none are named, and {error}, or name other authors' books under others"
        ) from None
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
    return path
