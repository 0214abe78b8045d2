"""A hyphen at the end of a line: the printer's, or the author's?

    soft hyphen                      the printer's                    much(soft)- / ness -> muchness
    the book's other lines           whichever form they have more    to- / day -> to-day, where he writes so
    a list of the language's words   the printer's, if the whole is   govern- / ment -> government
    two whole words, one letter      the author's                     truth- / value -> truth-value
    anything else                    the printer's                    quater- / nions -> quaternions

A capital after a small letter (``Anglo- / Saxon``) is the author's unless the book says otherwise. Two words
become one in languages that write compounds so. In a chain (``day-to- / day``) the list is not asked.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from harness.corpus.wordlist import is_listed
from harness.text import normalise

Mending = Literal["joined", "kept", "hanging"]

_BROKEN = re.compile(r"([^\W\d_]+(?:[-‐‑][^\W\d_]+)*)[-‐‑\u00ad]$")
_CHAIN = re.compile(r"[^\W\d_]+(?:[-‐‑][^\W\d_]+)*")
_LONGEST = 80
"""Characters at the end of a line that are searched for a broken word."""
_CUT_RANGE = re.compile(r"\d[-‐‑–]$")
_HANGING = {"en": {"and", "or"}, "de": {"und", "oder", "bis"}, "nl": {"en", "of"}}
_SOLID = frozenset({"da", "de", "fi", "is", "nb", "nl", "nn", "no", "sv"})
"""Languages that write their compounds as one word: ``Welt- / anschauung``."""
_NEVER_ALONE = {
    "en": frozenset(
        {
            *("com", "con", "de", "dis", "em", "im", "ob", "per", "pro", "re", "un"),
            *("able", "ably", "al", "ance", "ed", "en", "ent", "er", "ers", "es", "est", "ful", "ic", "ing"),
            *("ings", "ion", "ions", "ism", "ist", "ists", "ity", "ive", "ly", "ment", "ments", "ness"),
            *("ous", "tion", "tions"),
        }
    ),
    "fr": frozenset({"ment", "ments"}),
}
"""Beginnings and endings that word lists have as words, and no compound is made of."""


@dataclass(frozen=True)
class Lexicon:
    """What a broken word is judged by: the book's words and compounds no line end breaks, counted."""

    counts: Mapping[str, int] = field(default_factory=dict)
    language: str = "en"
    """Its first part only: ``de`` for ``de-AT``."""

    def mend(self, head: str, tail: str) -> Mending:
        """How ``head-`` at the end of a line and ``tail`` at the start of the next are one text again.

        Both may be chains (``mother-in-`` and ``law``). ``hanging`` is a hyphen that stays with a space
        after it: ``two- and threefold``.
        """
        first, second = _plain(head), _plain(tail)
        joined, kept = self.counts.get(first + second, 0), self.counts.get(f"{first}-{second}", 0)
        if joined != kept:
            return "joined" if joined > kept else "kept"
        if tail[0].isupper() and not head.isupper():
            return "kept"
        left, right = first.rpartition("-")[2], second.partition("-")[0]
        in_chain = (left, right) != (first, second)
        if not in_chain and is_listed(first + second, self.language):
            return "joined"
        if not in_chain and second in _HANGING.get(self.language, ()) and self._is_word(first):
            return "hanging"
        one_letter = min(len(left), len(right)) == 1
        return "kept" if one_letter or self._is_compound(left, right) else "joined"

    def _is_compound(self, left: str, right: str) -> bool:
        return self.language not in _SOLID and self._is_word(left) and self._is_word(right)

    def _is_word(self, piece: str) -> bool:
        known = self.counts.get(piece, 0) > 0 or is_listed(piece, self.language)
        return known and piece not in _NEVER_ALONE.get(self.language, ())


def lexicon(pages: Sequence[Sequence[str]], language: str = "en") -> Lexicon:
    """Counts of every word and hyphened compound of the pages' lines that no line end breaks."""
    counts: Counter[str] = Counter()
    for lines in pages:
        previous = ""
        for line in (line.strip() for line in lines if line.strip()):
            whole = _CHAIN.sub("", line, count=1) if _BROKEN.search(previous[-_LONGEST:]) else line
            for chain in _CHAIN.findall(normalise(_BROKEN.sub("", whole)).lower()):
                counts[chain] += 1
                if "-" in chain:
                    counts.update(chain.split("-"))
            previous = line
    return Lexicon(counts, re.split(r"[-_]", language.lower())[0])


def join(before: str, line: str, known: Lexicon) -> str:
    """Two lines as one: a space between them, but for a word, a range or a sentence's dash that is cut."""
    end = before[-_LONGEST:]
    broken, rest = _BROKEN.search(end), _CHAIN.match(line)
    if broken and rest:
        mending = "joined" if before.endswith("\u00ad") else known.mend(broken.group(1), rest.group())
        return {"joined": before[:-1] + line, "kept": before + line, "hanging": f"{before} {line}"}[mending]
    if before.endswith(("—", "―")) or (_CUT_RANGE.search(end) and line[:1].isdigit()):
        return before + line
    return f"{before} {line}"


def _plain(chain: str) -> str:
    return normalise(chain).lower()
