"""Variants that need no model and stand in every table: what the numbers look like when the truth is known.

author          the held-out passage itself: the ceiling, paired with every prompt
other:NAME      another author's passages: the floor (left out of every fit that scores it)
copyist         training passages pasted: must fail the copying gate
shuffled        the author's answer with its words shuffled: must lose every metric of order

A suite's ``few_shot`` is asked for beside them, and does need a model: see ``few_shot``.
"""

from __future__ import annotations

import hashlib

import numpy as np

from harness.errors import ConfigurationError, nearest
from harness.reference import Reference, author_answer
from harness.text import cut_at_sentence, digest
from harness.types import Passage, Prompt, Variant

ENGINE = "control"
VERSION = 2
FEW_SHOT = "few_shot"
"""A name in ``controls:`` that stands for every base of the bench with two examples in its prompt."""

RESERVED = ("author", "copyist", "shuffled", FEW_SHOT)
"""What no variant may be called, besides ``other:NAME``."""


def expand(names: tuple[str, ...], reference: Reference) -> list[str]:
    """The controls that need no model, with ``other:*`` spelled out.

    Raises:
        ConfigurationError: a control that does not exist.
    """
    valid = ["author", *(f"other:{name}" for name in sorted(reference.others)), "copyist", "shuffled"]
    known = [*valid, FEW_SHOT]
    chosen: list[str] = []
    for name in names:
        if name == "other:*":
            chosen += [other for other in valid if other.startswith("other:")]
        elif name in valid:
            chosen.append(name)
        elif name not in known:
            raise ConfigurationError(f"control {name!r} does not exist{nearest(name, known)}")
    return list(dict.fromkeys(chosen))


def as_variant(name: str, reference: Reference) -> Variant:
    """A control as a row of the registry, known by what it draws from: a refit keeps the answers it had."""
    return Variant(
        name=name,
        kind="control",
        digest=digest(["control", VERSION, name, _drawn_from(name, reference)], 32),
        trained_on="nothing",
    )


def answer(name: str, prompt: Prompt, reference: Reference, max_words: int) -> str:
    """What a control says to a prompt, at most ``max_words`` long and cut at a sentence end."""
    if name == "author":
        return author_answer(prompt, max_words)
    if name == "copyist":
        return _drawn(reference.train, name, prompt, max_words)
    if name == "shuffled":
        pieces = author_answer(prompt, max_words).split()
        order = np.random.default_rng(_number(name, prompt)).permutation(len(pieces))
        return " ".join(pieces[index] for index in order)
    return _drawn(reference.others[name.removeprefix("other:")], name, prompt, max_words)


def _drawn_from(name: str, reference: Reference) -> list[str]:
    if name in ("author", "shuffled"):
        return [prompt.reference for prompt in reference.prompts]
    other = name.removeprefix("other:")
    return [passage.digest for passage in (reference.train if name == "copyist" else reference.others[other])]


def _drawn(passages: tuple[Passage, ...], name: str, prompt: Prompt, max_words: int) -> str:
    """A passage chosen by the prompt alone, so that every run and every machine draws the same."""
    return cut_at_sentence(passages[_number(name, prompt) % len(passages)].text, max_words)


def _number(name: str, prompt: Prompt) -> int:
    return int.from_bytes(hashlib.sha256(f"{name}/{prompt.id}".encode()).digest()[:6], "big")
