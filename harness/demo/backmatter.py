"""What an editor adds to a message to make it a volume: chapters, notes, a bibliography, an index.

Nothing here draws: it decides words. The index is a real one: its headings are the capitalised phrases and
frequent nouns of the text, its numbers the printed pages on which they stand.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from harness.metrics.function_words import FUNCTION_WORD_SET
from harness.text import count_words, words

CHAPTER_PARAGRAPHS = 10
MOST_REFERENCES = 14
"""A word on more pages than this finds nothing for anybody and is no heading."""
_HEADING = re.compile(r"[A-Z][A-Z' ,.&-]+\.?")
_PHRASE = re.compile(r"(?<![.!?:] )(?<![.!?:][\"'] )(?<!^)\b[A-Z][a-z]{2,}(?: (?:of )?[A-Z][a-z]{2,})*")
_NOUN = re.compile(
    r"\b(?:the|our|their|its|his|any|every|such|all|of|and|no) (?:([a-z]{4,}) )?([a-z]{5,})"
    r"(?=[,.;:]| (?:of|in|is|are|to|and|for|by|on|which|that)\b)"
)
_DULL_WORDS = """
    other those these there their which where while would should could about being shall every others after
    before under upon between against itself themselves ourselves great large small least power person way
    first second third present proper same such some more most many much only very well ever never also
    matter question thing things part parts number year years time times case cases fact facts
"""
_OPENING_WORDS = """
    The This That These Those There They When Where While What With And But For Let Such Some Our Not Now Yet
    January February March April May June July August September October November December
"""
_DULL, _OPENERS = frozenset(_DULL_WORDS.split()), frozenset(_OPENING_WORDS.split())

EDITORIAL_NOTES = (
    "The spelling of the printed message has been kept throughout.—Editor’s note.",
    "Compare the message of the year before, where the same measure is asked for.—Editor’s note.",
    "The figures are those of the document as sent to the two Houses; later ones revise them.—Editor’s note.",
    "The bill referred to was reported from committee in the following session.—Editor’s note.",
    "The paragraph was reprinted as a leaflet in the same winter.—Editor’s note.",
    "The words in quotation marks are given as in the message; no source is named.—Editor’s note.",
    "An appendix laid before the Congress with this passage is omitted here.—Editor’s note.",
    "For the history of the act see the works named in the bibliography.—Editor’s note.",
)

BIBLIOGRAPHY = (
    "Bryce, James. The American Commonwealth. 2 vols. London: Macmillan, 1888.",
    "Croly, Herbert. The Promise of American Life. New York: Macmillan, 1909.",
    "Mahan, A. T. The Influence of Sea Power upon History, 1660–1783. Boston: Little, Brown, 1890.",
    "Pinchot, Gifford. A Primer of Forestry. 2 parts. Washington: Government Printing Office, 1899–1905.",
    "Richardson, James D., ed. A Compilation of the Messages and Papers of the Presidents. 10 vols. "
    "Washington: Government Printing Office, 1896–1899.",
    "Riis, Jacob A. How the Other Half Lives. New York: Scribner, 1890.",
    "Ripley, William Z., ed. Trusts, Pools and Corporations. Boston: Ginn, 1905.",
    "Turner, Frederick Jackson. The Frontier in American History. New York: Henry Holt, 1920.",
    "Wilson, Woodrow. Congressional Government. Boston: Houghton Mifflin, 1885.",
)


@dataclass(frozen=True)
class Chapter:
    """``own`` is True where the message itself has the heading; a chapter without title opens the book."""

    title: str
    own: bool
    paragraphs: tuple[str, ...]


@dataclass(frozen=True)
class IndexEntry:
    """One line of an index before it is broken to measure; ``level`` 1 is a sub-entry."""

    text: str
    level: int


def chapters(text: str) -> tuple[Chapter, ...]:
    """The message under its own headings where it has three or more, else in tens of paragraphs."""
    paragraphs = [" ".join(block.split()) for block in re.split(r"\n\s*\n", text) if block.strip()]
    is_heading = [bool(_HEADING.fullmatch(p)) and count_words(p) <= 10 for p in paragraphs]
    if sum(is_heading) >= 3:
        found: list[Chapter] = []
        title, held = "", list[str]()
        for paragraph, heading in zip(paragraphs, is_heading, strict=True):
            if heading:
                if held or title:
                    found.append(Chapter(title, bool(title), tuple(held)))
                title, held = paragraph, []
            else:
                held.append(paragraph)
        return (*found, Chapter(title, True, tuple(held)))
    count = max(1, round(len(paragraphs) / CHAPTER_PARAGRAPHS))
    cuts = [round(i * len(paragraphs) / count) for i in range(count + 1)]
    groups = [tuple(paragraphs[a:b]) for a, b in itertools.pairwise(cuts)]
    return tuple(Chapter(t, False, g) for t, g in zip(telling_titles(groups), groups, strict=True))


def telling_titles(groups: Sequence[Sequence[str]]) -> list[str]:
    """A title for each group: its three nouns of greatest tf-idf among the groups, no title twice."""
    counts = [Counter(m.group(2) for p in group for m in _NOUN.finditer(p)) for group in groups]
    spread = Counter(noun for count in counts for noun in count)
    titles: list[str] = []
    for number, count in enumerate(counts, start=1):
        weight = {n: c * math.log(1 + len(groups) / spread[n]) for n, c in count.items() if n not in _DULL}
        best = sorted(weight, key=lambda n: (-weight[n], n))[:3]
        first = best[0].capitalize() if best else f"Part {number}"
        title = f"{first}, {best[1]}, and {best[2]}" if len(best) == 3 else first
        titles.append(title if title not in titles else f"{title} ({number})")
    return titles


@dataclass
class _Terms:
    """What the text offers an index: pages of each heading and sub-entry, and how often a heading occurs."""

    at: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    under: dict[str, dict[str, set[int]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(set))
    )
    seen: Counter[str] = field(default_factory=Counter)


def build_index(pages: Sequence[tuple[int, str]], lines: int) -> tuple[IndexEntry, ...]:
    """An alphabetical two-level index of about ``lines`` lines from (printed page, text) pairs.

    Headings come by how often they occur and bring their commonest companions as sub-entries: three each,
    more where that would leave lines empty. A short text may not fill the lines asked for.
    """
    terms = _terms(pages)
    usable = [
        h
        for h in terms.at
        if h not in _OPENERS and h.lower() not in FUNCTION_WORD_SET and len(terms.at[h]) <= MOST_REFERENCES
    ]
    ranked = sorted(usable, key=lambda h: (-terms.seen[h], -len(terms.at[h]), h))
    chosen: list[str] = []
    for most in (3, 6, 12, 1000):
        subs = {heading: _subentries(terms.under[heading], most) for heading in ranked}
        chosen, room = [], lines
        for heading in ranked:
            room -= 1 + len(subs[heading]) + len(terms.at[heading]) // 9
            if room < 0:
                break
            chosen.append(heading)
        if room < 0:
            break
    entries: list[IndexEntry] = []
    for heading in sorted(chosen, key=lambda h: (h.lower(), h)):
        entries.append(IndexEntry(f"{heading}, {page_ranges(terms.at[heading])}", 0))
        found = subs[heading]
        entries += [IndexEntry(f"{sub}, {page_ranges(found[sub])}", 1) for sub in sorted(found)]
    return tuple(entries)


def _terms(pages: Sequence[tuple[int, str]]) -> _Terms:
    """Capitalised phrases and nouns first (they are counted as seen); every long word is held in reserve."""
    terms = _Terms()
    for number, text in pages:
        for match in _PHRASE.finditer(text):
            terms.at[match.group()].add(number)
            terms.seen[match.group()] += 1
        for match in _NOUN.finditer(text):
            if match.group(2) not in _DULL:
                terms.at[match.group(2).capitalize()].add(number)
                terms.seen[match.group(2).capitalize()] += 1
        telling = [word for word in words(text) if len(word) > 3 and word not in _DULL | FUNCTION_WORD_SET]
        for left, right in itertools.pairwise(telling):
            terms.at[right.capitalize()].add(number)
            terms.under[right.capitalize()][left].add(number)
    return terms


def _subentries(companions: dict[str, set[int]], most: int) -> dict[str, set[int]]:
    """The commonest ``most``, where one at least stands on two pages or many are wanted."""
    ranked = sorted(companions, key=lambda c: (-len(companions[c]), c))
    worth = most > 6 or any(len(numbers) > 1 for numbers in companions.values())
    best = ranked[:most] if worth else []
    return {companion: companions[companion] for companion in best} if len(best) > 1 else {}


def page_ranges(numbers: Iterable[int]) -> str:
    """``12, 14, 33–35``: runs of three or more pages become a range.

    >>> page_ranges([12, 14, 33, 34, 35])
    '12, 14, 33–35'
    """
    parts: list[str] = []
    ordered = sorted(set(numbers))
    for _, run in itertools.groupby(enumerate(ordered), key=lambda pair: pair[1] - pair[0]):
        block = [number for _, number in run]
        parts += [f"{block[0]}–{block[-1]}"] if len(block) > 2 else [str(n) for n in block]
    return ", ".join(parts)
