"""Was a plain request met? Checks of an answer that need no judge: language, shape, topic, code, leftovers.

Each check is a pure function of a text and says why it failed. They see form and topic, never truth: a list
of three false differences passes. Code is read as a syntax tree and never executed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from harness.metrics.code import reversing_function
from harness.metrics.function_words import FUNCTION_WORD_SET
from harness.metrics.lists import lists_of
from harness.metrics.validity import ECHO_WORDS, is_leak, is_loop
from harness.text import words

_SWEDISH = """
en ett den det de dem denna detta dessa någon något några ingen inget inga alla allt varje annan andra
jag mig min mitt mina du dig din ditt dina han honom hans hon henne hennes vi oss vår vårt våra ni er ert
man sig sin sitt sina som vem vad vilken vilket vilka
är var vara varit har hade ha blir blev bli ska skall skulle kan kunde måste vill ville får fick brukar
på av till för med från om efter över mellan mot hos vid utan genom åt ur innan sedan
och men eller att när där här då så eftersom medan fast än både
inte också mycket bara redan aldrig alltid igen nu ju väl
"""
_NORWEGIAN = """
en ett et den det de dem denne dette disse noen noe ingen alle hver annen andre
jeg meg min mitt mine du deg din ditt dine han ham hans hun henne hennes vi oss vår vårt våre dere
man seg sin sitt sine som hvem hva hvilken
er var være vært har hadde ha blir ble bli skal skulle kan kunne må vil ville får fikk
på av til for med fra om etter over mellom mot hos ved uten gjennom ut før
og men eller at når der her da så mens enn både ikke også mye bare allerede aldri alltid igjen nå jo vel
"""
_FUNCTION_WORDS = {
    "en": FUNCTION_WORD_SET,
    "sv": frozenset(_SWEDISH.split()),
    "no": frozenset(_NORWEGIAN.split()),
}
"""Closed-class words by language; the Scandinavian ones compiled for this project, Norwegian (which catches
Danish too) so that Swedish is told from it. ``i`` and ``under`` are left out, being English as well; others
that look English (``men``, ``till``, ``over``) are outweighed, since the languages are compared.
"""

LEAST_FUNCTION_WORDS = 0.1
"""Share under which no language is named: lists of ingredients have .1 to .3, prose .4 to .6, French .04."""

FEWEST_PERSONA_WORDS = 4
"""A shorter persona (or run of its words) is something anybody may say."""

_ANALOGY = re.compile(
    r"\b(?:like (?:an?|the|when|if|trying|learning|someone|somebody)|imagin\w+|analog\w+|metaphor|suppose"
    r"|similar to|as if|as though|think of|picture (?:an?|yourself))\b",
    re.I,
)
_GREETING = re.compile(r"[\s*_]*(?:dear|hi|hello|hey|greetings|good (?:morning|afternoon|day))\b", re.I)
_CLOSING = re.compile(
    r"[\s*_]*(?:(?:(?:with )?(?:kind|best|warm) |with )?(?:regards|wishes)|(?:yours )?(?:sincerely|truly)"
    r"|respectfully|cheers|best|(?:many )?thanks|thank you)\b",
    re.I,
)


class Check(NamedTuple):
    """One question asked of an answer; ``reason`` says why it failed and is empty where it passed."""

    name: str
    passed: bool
    reason: str = ""


def _check(name: str, passed: bool, reason: str) -> Check:
    return Check(name, passed, "" if passed else reason)


# ── language ──────────────────────────────────────────────────────────────────────────────────────


def language_of(text: str) -> str:
    """``en``, ``sv`` or ``no``, whichever has most function words among the words; empty under 10 % of each.

    >>> language_of("Boken ligger på bordet, och jag ska läsa den när jag kommer hem.")
    'sv'
    """
    tokens = words(text)
    if not tokens:
        return ""
    shares = {
        language: sum(token in known for token in tokens) / len(tokens)
        for language, known in _FUNCTION_WORDS.items()
    }
    first = max(shares, key=lambda language: shares[language])
    return first if shares[first] >= LEAST_FUNCTION_WORDS else ""


def in_language(text: str, language: str) -> Check:
    """The text as a whole is in this language."""
    found = language_of(text)
    return _check("language", found == language, f"{found or 'no known language'}, not {language}")


def has_line_in(text: str, language: str, least: int = 4) -> Check:
    """A line (or what follows its last colon) of ``least`` words is in this language.

    For a translation, which may be introduced in another one.
    """
    pieces = [piece for line in text.splitlines() for piece in (line, line.rpartition(":")[2])]
    found = any(len(words(piece)) >= least and language_of(piece) == language for piece in pieces)
    return _check("language", found, f"no line in {language}")


# ── shape ─────────────────────────────────────────────────────────────────────────────────────────


def has_list(text: str) -> Check:
    """There is a list at all: a wrong number of items is less wrong than none."""
    return _check("list", bool(lists_of(text).lengths), "none")


def has_list_of(text: str, n: int) -> Check:
    """One list has exactly ``n`` items; other lists may stand beside it (the steps of a recipe)."""
    found = lists_of(text).lengths
    told = f"lists of {', '.join(map(str, found))}" if found else "no list"
    return _check("items", n in found, f"{told}, not of {n}")


def has_items(text: str, n: int) -> Check:
    """All lists together have exactly ``n`` items; an item with a list inside is a heading."""
    found = lists_of(text).leaves
    return _check("items", found == n, f"{found} list items, not {n}")


def is_one_paragraph(text: str) -> Check:
    """No empty line inside, and no list."""
    if lists_of(text).lengths:
        return Check("paragraph", False, "a list")
    found = sum(bool(piece.strip()) for piece in re.split(r"\n\s*\n", text))
    return _check("paragraph", found == 1, f"{found} paragraphs")


def has_length(text: str, least: int, most: int) -> Check:
    """Between ``least`` and ``most`` words."""
    n = len(words(text))
    return _check("length", least <= n <= most, f"{n} words, not {least} to {most}")


def is_letter(text: str) -> Check:
    """One line opens as a greeting does, and a later one as a farewell or thanks do."""
    lines = [line for line in text.splitlines() if line.strip()]
    opened = next((place for place, line in enumerate(lines) if _GREETING.match(line)), None)
    if opened is None:
        return Check("letter", False, "no greeting")
    return _check("letter", any(map(_CLOSING.match, lines[opened + 1 :])), "no closing line")


def is_no_loop(text: str) -> Check:
    """Not the same words over and over (see ``validity.is_loop``)."""
    return _check("no_loop", not is_loop(text), "a loop")


# ── content ───────────────────────────────────────────────────────────────────────────────────────


def mentions(text: str, groups: Sequence[Iterable[str]], name: str) -> Check:
    """Of each group, at least one stem begins a word of the text (``encrypt`` finds ``encrypted``)."""
    tokens = words(text)
    stems = [tuple(group) for group in groups]
    missing = [group[0] for group in stems if not any(token.startswith(group) for token in tokens)]
    return _check(name, not missing, f"nothing like {', '.join(missing)}")


def has_analogy(text: str) -> Check:
    """A phrase that opens a comparison: *like a*, *imagine*, *as if*, *similar to*, *think of*."""
    return _check("analogy", _ANALOGY.search(text) is not None, "no comparison opened")


def has_code(text: str) -> Check:
    """A fenced block, or a line that begins with ``def``."""
    return _check("topic", reversing_function(text).present, "no code")


def has_reversing_function(text: str) -> list[Check]:
    """The code parses as Python and defines a function of one parameter, which returns something and has a
    way to reverse. Never executed, so whether it is right is not known.
    """
    code = reversing_function(text)
    return [
        _check("parses", code.parses, "no Python"),
        _check("one_parameter", code.one_parameter, "no function of one parameter"),
        _check("returns", code.returns, "returns nothing"),
        _check("reverses", code.has_a_way, "no step of -1, no reversed(), no loop"),
    ]


def no_system_text(text: str, system: str, author: str = "") -> Check:
    """No special token, role word or author's name, and no eight words of the persona in a row.

    Where it has fewer words, all of them. Asked without the persona, a model that still shows it has it baked
    in. An author of one word is not looked for.
    """
    if is_leak(text):
        return Check("system_text", False, "special tokens or a role word")
    tokens, told, name = words(text), words(system), words(author)
    run = min(ECHO_WORDS, len(told))
    if run >= FEWEST_PERSONA_WORDS and _windows(tokens, run) & _windows(told, run):
        return Check("system_text", False, "repeats the persona")
    named = len(name) > 1 and tuple(name) in _windows(tokens, len(name))
    return _check("system_text", not named, f"names {author}")


def _windows(tokens: Sequence[str], n: int) -> set[tuple[str, ...]]:
    return {tuple(tokens[start : start + n]) for start in range(len(tokens) - n + 1)}


# ── the verdict ───────────────────────────────────────────────────────────────────────────────────


class Met(NamedTuple):
    """``value``: share of checks passed, in [0, 1], higher is better; ``note`` names what failed, and why."""

    value: float
    note: str = ""


def share_passed(topic: Check, checks: Sequence[Check]) -> Met:
    """Checks passed over all checks, the topic's among them; 0 off the topic, whatever the others say.

    A clean paragraph about ships does not explain anything else, so its form earns it nothing. Without this
    the prose of an author would meet three checks in five of every request.
    """
    if not topic.passed:
        return Met(0.0, f"off topic: {topic.reason}")
    failed = [f"{check.name} ({check.reason})" for check in checks if not check.passed]
    value = (1 + len(checks) - len(failed)) / (1 + len(checks))
    return Met(value, f"failed: {'; '.join(failed)}" if failed else "")
