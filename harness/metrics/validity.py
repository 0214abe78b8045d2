"""Is an answer an answer at all? Checked before any metric of style; each check is a pure function.

Style is scored on valid answers only, and the invalid rate stands beside every style number: an
empty string once reached a probability of .84 of being by the author. Thresholds are conventions, set so
that honest prose passes: of 19,200 passages of 150 words, essays and presidents' messages, the only
ones flagged were printed indexes and two pages around statistical tables.
"""

from __future__ import annotations

import itertools
import math
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.metrics.function_words import FUNCTION_WORD_SET
from harness.metrics.index_pages import index_like as index_like
from harness.text import words
from harness.types import Finish, PromptKind

MAX_REPETITION = 0.3
MAX_COMPRESSION = 5.0
ECHO_WORDS = 8
SHORT_WORDS = 20
MIN_ENGLISH_FUNCTION_WORDS = 0.2

_SPECIAL_TOKEN = re.compile(
    r"<\|[^|<>\n]{1,40}\|>|<｜[^<>\n]{1,40}｜>|</?s>|<(?:bos|eos|pad|unk)>|</?(?:start|end)_of_turn>"
    r"|\[/?INST\]|<</?SYS>>|</?(?:think|thinking|reasoning)>|Cutting Knowledge Date",
    re.I,
)
_LEADING_ROLE = re.compile(r"\s*[*#_]*(?:assistant|user|system|human|model)\b[*#_]*\s*(?::|\n)", re.I)
_DISCLAIMER = re.compile(
    r"\bas an? (?:large )?(?:ai|artificial intelligence|(?:ai )?language model|virtual assistant)\b"
    r"|\bi(?: am|'m) (?:just |only )?an? (?:ai|(?:large )?(?:ai )?language model|virtual assistant)\b"
    r"|\bi (?:can ?not|can't|am unable to|'m unable to|will not|won't) "
    r"(?:assist with|help (?:you )?with|fulfill?|comply with|engage in) (?:that|this|your|such)\b"
    r"|\bi(?: am|'m) (?:sorry|afraid),? but i (?:can ?not|can't|am unable to|'m unable to|am not able to)\b"
    r"|\bi (?:do not|don't) have (?:personal|access to real-time)\b",
    re.I,
)


def seq_rep(tokens: Sequence[str], n: int) -> float:
    """Share of n-grams that repeat an earlier one: 1 - distinct / all, in [0, 1); Welleck et al. (2020).

    High is a loop; 150 words of honest prose reach .22 in 4-grams at most. Fewer tokens than n: NaN.
    """
    total = len(tokens) - n + 1
    return 1 - len(set(_ngrams(tokens, n))) / total if total > 0 else math.nan


def compression_ratio(text: str) -> float:
    """UTF-8 bytes over zlib (level 9) bytes, above 0. English prose of 1,000 bytes has about 1.9.

    High is a loop. Means little below some 300 bytes, where zlib's header weighs (it errs low, so a
    short text is never called a loop by it); grows with length, to about 2.7 for a book. Empty: NaN.
    """
    raw = text.encode("utf-8", "surrogatepass")
    return len(raw) / len(zlib.compress(raw, 9)) if raw else math.nan


def is_empty(text: str) -> bool:
    """No word at all: nothing, white space, or only digits and punctuation."""
    return not words(text)


def is_loop(text: str) -> bool:
    """4-gram repetition of words above .3, or a compression ratio above 5."""
    return seq_rep(words(text), 4) > MAX_REPETITION or compression_ratio(text) > MAX_COMPRESSION


def is_leak(text: str) -> bool:
    """Machinery shows: special tokens, reasoning tags, a leading role word, a template's preamble.

    Expects what the template's parser leaves: reasoning taken out, and the end-of-turn token that
    properly closes the answer.
    """
    return bool(_SPECIAL_TOKEN.search(text) or _LEADING_ROLE.match(text))


def is_echo(text: str, prompt: str) -> bool:
    """The answer repeats eight consecutive words of the prompt; a shorter prompt cannot be echoed."""
    asked = set(_ngrams(words(prompt), ECHO_WORDS))
    return any(ngram in asked for ngram in _ngrams(words(text), ECHO_WORDS)) if asked else False


def is_refusal(text: str) -> bool:
    """Speaks as an AI, or declines in an assistant's set phrases (English only)."""
    return bool(_DISCLAIMER.search(text.replace("’", "'")))


def is_wrong_language(text: str, language: str = "en") -> bool:
    """Under 20 % of the words are English function words (English prose: 47 to 67 %; French: 4 %).

    Not judged, so False, under 20 words and for any ``language`` but ``en``.
    """
    tokens = words(text)
    if language != "en" or len(tokens) < SHORT_WORDS:
        return False
    return sum(token in FUNCTION_WORD_SET for token in tokens) / len(tokens) < MIN_ENGLISH_FUNCTION_WORDS


def is_mid_sentence_start(text: str) -> bool:
    """The first letter is in lower case: a continuation, where an answer was asked for."""
    first_letter = next((character for character in text if character.isalpha()), "")
    return first_letter.islower()


@dataclass(frozen=True)
class Validity:
    """Verdict on one answer: ``reasons`` invalidate it; the other flags are reported as rates only."""

    invalid: bool
    reasons: tuple[str, ...]
    truncated: bool
    mid_sentence_start: bool
    short: bool


def check_validity(
    text: str,
    *,
    kind: PromptKind,
    prompt: str,
    system_prompt: str,
    finish: Finish,
    n_tokens: int,
    max_tokens: int,
    language: str = "en",
    also: Sequence[str] = (),
) -> Validity:
    """All checks on one answer, ``text`` being the whole of it, not yet cut back to a full sentence.

    ``also``: reasons that only a reference set can tell (``disordered``, ``stuffed``; see ``honesty``), put
    behind the others. An empty answer has the one reason ``empty``. ``mid_sentence_start`` is meaningless,
    so False, where the prompt asked for a continuation. ``truncated``: stopped by the token cap, or at it.
    """
    if is_empty(text):
        reasons: tuple[str, ...] = ("empty",)
    else:
        found = {
            "loop": is_loop(text),
            "leak": is_leak(text),
            "echo": is_echo(text, prompt) or is_echo(text, system_prompt),
            "refusal": is_refusal(text),
            "index_like": index_like(text),
            "wrong_language": is_wrong_language(text, language),
        }
        reasons = (*(reason for reason, present in found.items() if present), *also)
    return Validity(
        invalid=bool(reasons),
        reasons=reasons,
        truncated=finish == "length" or n_tokens >= max_tokens,
        mid_sentence_start=kind != "continue" and is_mid_sentence_start(text),
        short=len(words(text)) < SHORT_WORDS,
    )


def _ngrams(tokens: Sequence[str], n: int) -> Iterator[tuple[str, ...]]:
    return zip(*(itertools.islice(tokens, start, None) for start in range(n)), strict=False)
