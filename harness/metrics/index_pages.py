"""Does a piece of plain text look like a back-of-book index or a table of contents?

One function, used on model answers and on pages of books alike, so that what is taken out of the
training data and what is counted against a model are the same thing. It works with the line breaks
kept and with all of them collapsed into spaces.

    Railroads, 12, 14, 33-35; regulation of, 40   locators: numbers after a comma, closing an entry
    The Strenuous Life . . . . . . . . . 101       dot leaders to a number
    III. American Ideals 24 IV. Civic Duty 43      page numbers that only ever rise, no verbs
    Trusts. See also Corporations; Monopoly        cross references

Prose also has numbers after commas (``December 3, 1907, the``; ``1,200 tons``) and contents pages have
function words, so no single mark decides: the numbers must be many *and* the words must not be
those of sentences. Auxiliary verbs are the surest sign of a sentence and hardly occur in an index.
"""

from __future__ import annotations

import itertools
import re

from harness.metrics.function_words import AUXILIARIES, FUNCTION_WORD_SET
from harness.text import words

MIN_MARKS = 4
"""Fewer page references than this prove nothing, unless dots lead to them in one word of nine."""

_MONTH = r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_DATE = re.compile(
    rf"\b{_MONTH}\s+\d{{1,2}}(?:,\s*\d{{4}})?|\b{_MONTH},\s*\d{{4}}|\b\d{{1,2}}\s+{_MONTH}\b", re.I
)
_NUMBER = r"\d{1,4}(?:\s?[-–]\s?\d{1,4})?(?:\s?(?:ff?|n)\.?)?"
_LOCATOR = re.compile(rf",\s+{_NUMBER}(?=\s*(?:[,;.]\s|[,;.]?$|\n|\s[A-Z\"'(]|\s[a-z-]+\s*[,(]))", re.M)
_PAGE_NUMBER = re.compile(r"(?<![\w$£#.,:/-])\d{1,4}(?![\w%/]|[.,:]\d)")
_LEADER = re.compile(r"(?:\.[ \t]?){4,}\s*(?:\d{1,4}|[ivxlc]{1,7})\b|…{2,}\s*\d", re.I)
_ENDS_IN_PAGE = re.compile(r"[\s.,—](?:\d{1,4}|[ivxlc]{1,6})$")
_CROSS_REFERENCE = re.compile(r"\bsee\s+(?:also\b|under\b|[A-Z])")


def index_like(text: str) -> bool:
    """True where the text is mostly index or contents entries; ordinary prose, however statistical, is not.

    Texts with fewer than four page references or cross references are flagged for dot leaders only.
    """
    return _is_index(text) or _is_contents(text)


def ends_in_page(line: str) -> bool:
    """True where a stripped line of at least one word ends in a page number.

    >>> ends_in_page("Barges 14"), ends_in_page("Preface . . . . . ix"), ends_in_page("1914")
    (True, True, False)
    """
    # Only the end of a line is searched: collapsed text is one very long line.
    return bool(_ENDS_IN_PAGE.search(line[-8:])) and bool(words(line))


def has_leader(line: str) -> bool:
    """True where dots lead to a page number."""
    return bool(_LEADER.search(line))


def _is_index(text: str) -> bool:
    """Locators or cross references in at least one word of nine, few function words, hardly a verb."""
    tokens = words(text)
    undated = _DATE.sub(" ", text)
    locators = len(_LOCATOR.findall(undated))
    references = len(_CROSS_REFERENCE.findall(text))
    marks = locators + references
    return (
        marks >= MIN_MARKS
        and marks >= 0.11 * len(tokens)
        and _share(tokens, FUNCTION_WORD_SET) < 0.38
        and _share(tokens, AUXILIARIES) < 0.035
    )


def _is_contents(text: str) -> bool:
    """Dot leaders; or most lines short and ending in a number; or rising numbers and no verbs."""
    tokens = words(text)
    leaders = len(_LEADER.findall(text))
    if leaders and leaders >= (0.04 if leaders >= MIN_MARKS else 0.11) * len(tokens):
        return True
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    to_page = sum(map(ends_in_page, lines))
    if to_page >= MIN_MARKS and to_page >= 0.6 * len(lines) and len(tokens) <= 12 * len(lines):
        return True
    pages = [int(number) for number in _PAGE_NUMBER.findall(_DATE.sub(" ", text))]
    rising = sum(first <= second for first, second in itertools.pairwise(pages))
    return (
        len(pages) > MIN_MARKS
        and len(pages) >= 0.08 * len(tokens)
        and rising >= 0.85 * (len(pages) - 1)
        and _share(tokens, FUNCTION_WORD_SET) < 0.45
        and _share(tokens, AUXILIARIES) < 0.02
    )


def _share(tokens: list[str], wanted: frozenset[str]) -> float:
    return sum(token in wanted for token in tokens) / len(tokens) if tokens else 0.0
