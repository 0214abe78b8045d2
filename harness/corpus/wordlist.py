"""Which words a language has, from the lists that come with pyspellchecker (MIT licence, no network).

Lists of Arabic, Basque, Dutch, English, French, German, Italian, Latvian, Persian, Portuguese, Russian and
Spanish, counted from film subtitles; the English one is American: ``american`` respells a British word.
"""

from __future__ import annotations

import gzip
import json
import re
from functools import lru_cache
from importlib import resources

_BRITISH = (
    (re.compile(r"our(?=$|s|ed|ing|abl|ite|er|ful|hood|less)"), "or"),
    (re.compile(r"(?<=[iy])s(?=(?:e|es|ed|er|ers|ing|ation|ations|able)$)"), "z"),
    (re.compile(r"ll(?=(?:ed|en|er|ers|ing|ous)$)"), "l"),
    (re.compile(r"(?<=[bchtg])re(?=s?$)"), "er"),
    (re.compile(r"(?<=en)c(?=e(?:s|less)?$)"), "s"),
    (re.compile(r"(?<=e)x(?=ions?$)"), "ct"),
)


@lru_cache(maxsize=4)
def word_list(language: str) -> frozenset[str]:
    """The lower-cased words of a language (``en``, ``fr``, ``de-AT``); empty where there is no list of it.

    Read once a process, in .05 s (French) to .3 s (Portuguese).
    """
    name = re.split(r"[-_]", language.lower())[0]
    if not name.isalpha():
        return frozenset()
    try:
        listed = resources.files("spellchecker") / "resources" / f"{name}.json.gz"
        counts: dict[str, int] = json.loads(gzip.decompress(listed.read_bytes()))
    except FileNotFoundError:
        return frozenset()
    return frozenset(word for word in counts if word.isalpha())


def is_listed(word: str, language: str) -> bool:
    """Whether a lower-cased word is on the language's list, an English one perhaps in American spelling."""
    listed = word_list(language)
    return word in listed or (language[:2].lower() == "en" and any(w in listed for w in american(word)))


def american(word: str) -> tuple[str, ...]:
    """The American spellings a British word may have.

    >>> american("honoured"), american("generalisation"), american("sea")
    (('honored',), ('generalization',), ())
    """
    respelt = (pattern.sub(ending, word) for pattern, ending in _BRITISH)
    return tuple(other for other in respelt if other != word)
