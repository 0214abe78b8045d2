"""What a word, a sentence and a finished text are: one definition for every metric.

raw page text --normalise--> text --sentences--> sentences --words--> tokens
                                 \\--complete--> text up to its last full sentence
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import re
import unicodedata
from typing import Any, Protocol

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"})
_INVISIBLE = str.maketrans({"\u00ad": None, "\u200b": None})
_MARKS = str.maketrans(
    {"‘": "'", "’": "'", "‚": "'", "‛": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"'}
    | {"‐": "-", "‑": "-", "‒": "-", "−": "-", "―": "—"}
)
_HYPHEN_AT_LINE_END = re.compile(r"(?<=[^\W\d_])-[ \t]*\n[ \t]*(?=[a-zà-öø-ÿ])")
_DASHES = re.compile(r"[ \t]*([-–—]+)[ \t]*")
_DASH_MARKS = frozenset("-–—")
_NO_WORD_ENDS, _NO_WORD_STARTS = _DASH_MARKS | set("|<+="), _DASH_MARKS | set("|>+=")
_NEAR = 8
"""How many characters before a dash can tell that a sentence has ended there."""
_SENTENCE_END = re.compile(r"[.!?][\"')\]]*(?=\s|$)")
_ABBREVIATION = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|st|messrs|hon|gen|col|no|vol|vs|etc|i\.e|e\.g)|\b[A-Za-z])\.$", re.I
)


_KEPT_CHARACTERS = 20_000
"""Texts up to this length have their words kept for a moment; a book's words are not worth the memory."""


class Punkt(Protocol):
    """Anything that cuts text into sentences; nltk's ``PunktSentenceTokenizer`` is one."""

    def tokenize(self, text: str) -> list[str]: ...


def words(text: str) -> list[str]:
    """Lower-cased Unicode words, inner apostrophes kept, digits and underscores never part of one.

    >>> words("The Nation's 3 ships—don't_sink!")
    ['the', "nation's", 'ships', "don't", 'sink']
    """
    return list(_kept_words(text)) if len(text) <= _KEPT_CHARACTERS else _words(text)


@functools.lru_cache(maxsize=8)
def _kept_words(text: str) -> tuple[str, ...]:
    """A dozen measures ask for the words of one answer, one after the other."""
    return tuple(_words(text))


def _words(text: str) -> list[str]:
    if text.isascii():
        return _WORD.findall(text.lower())
    return [word.lower().replace("’", "'") for word in _WORD.findall(text)]


def count_words(text: str) -> int:
    """``len(words(text))`` without lower-casing them."""
    return len(_WORD.findall(text))


def normalise(text: str) -> str:
    """NFKC, straight quotes, one dash and one hyphen, ligatures spelled out, end-of-line hyphens joined.

    Line breaks are kept: whether a break ends a paragraph is the corpus builder's decision. Idempotent.

    >>> normalise("the law -- all these — 1914–18")
    'the law—all these—1914-18'
    """
    plain = text.replace("\u00ad\n", "-\n").translate(_INVISIBLE)
    plain = unicodedata.normalize("NFKC", plain.translate(_LIGATURES)).translate(_MARKS)
    return _DASHES.sub(_dash, _HYPHEN_AT_LINE_END.sub("", plain))


def _dash(match: re.Match[str]) -> str:
    """One run of hyphens and dashes, with the spaces around it, as it is to stand.

    A dash is glued to what stands before it on its line and to what follows, unless it opens the line or,
    after the end of a sentence, an utterance: ``— Bonjour. — Oui.`` Left alone are a single hyphen, four or
    more (rules, leaders), and two or three that no word stands beside (``---`` alone, ``| -- |``, ``-->``).
    """
    whole, run, text = match.group(), match.group(1), match.string
    start, end = match.span()
    before = text[max(0, start - _NEAR) : start].rstrip(" \t")
    left, right = before[-1:].strip("\n"), text[end : end + 1].strip("\n")
    touches_left, touches_right = start == match.start(1), end == match.end(1)
    if run == "–" and touches_right and _is_hyphen(left if touches_left else "", right):
        return whole.replace("–", "-")
    if run == "--" and touches_left and touches_right and left.isdigit() and right.isdigit():
        return "-"
    if run in ("--", "---"):
        beside_words = (left or right) and left not in _NO_WORD_ENDS and right not in _NO_WORD_STARTS
        if not beside_words or before.endswith("<!"):
            return whole
    elif run not in ("–", "—"):
        return whole.replace("–", "—")
    if left and left not in _DASH_MARKS and not right:
        return "—" + text[match.end(1) : end]
    if not left or left in _DASH_MARKS or right in _DASH_MARKS:
        return whole.replace(run, "—")
    anew = right.isupper() and not touches_left and not touches_right
    return " — " if anew and before.rstrip("\"')]").endswith((".", "!", "?")) else "—"


def _is_hyphen(left: str, right: str) -> bool:
    """Whether an en dash stands inside a word or a range (``1914–18``), or is a minus sign (``–5``)."""
    return right.isalnum() if left.isalnum() else right.isdigit()


def sentence_ends(text: str) -> list[int]:
    """Offsets just past each full stop, question or exclamation mark that ends a sentence."""
    ends = []
    for match in _SENTENCE_END.finditer(text):
        up_to_mark = text[max(0, match.start() - 8) : match.start() + 1]
        if not _ABBREVIATION.search(up_to_mark):
            ends.append(match.end())
    return ends


def sentences(text: str, punkt: Punkt | None = None) -> list[str]:
    """The sentences of a text, stripped, in order.

    With ``punkt`` (parameters trained on the author's own prose live in the reference set) nltk
    decides; without, a full stop that is no abbreviation or initial does.
    """
    if punkt is not None:
        return [piece.strip() for piece in punkt.tokenize(text) if piece.strip()]
    bounds = [0, *sentence_ends(text), len(text)]
    pieces = (text[start:end].strip() for start, end in itertools.pairwise(bounds))
    return [piece for piece in pieces if piece]


def complete(text: str) -> str:
    """The text cut back to its last full sentence; unchanged (but stripped) where no sentence ends.

    An answer that reached its token cap stops mid-sentence: that is a fact about length, and is
    cut away before style is scored.
    """
    ends = sentence_ends(text)
    return text[: ends[-1]].strip() if ends else text.strip()


def cut_at_sentence(text: str, max_words: int) -> str:
    """The longest run of whole leading sentences with at most ``max_words`` words (one at least)."""
    kept: list[str] = []
    total = 0
    for sentence in sentences(text):
        total += count_words(sentence)
        if kept and total > max_words:
            break
        kept.append(sentence)
    return " ".join(kept)


def digest(value: Any, length: int = 64) -> str:
    """sha256 of a text, or of any JSON value in canonical form (sorted keys, no spaces), as hex."""
    raw = value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()[:length]
