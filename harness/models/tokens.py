"""Tokens after tokens: the rows of a likelihood forward, and the pairs that lm-eval's stock tasks ask for.

    context tokens | continuation tokens   -> log p of the continuation, and would greedy decoding give it

A ``LikelihoodRequest`` is text, and its two halves are tokenised apart. lm-eval tokenises context and
continuation together and cuts the tokens, so what it asks can only be said in tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from harness.types import Decoding, Generation

_TOKENS_PER_FORWARD = 2048
"""Upper bound of rows x columns in one likelihood forward: bounds the float32 logits to about 400 MB."""


@dataclass(frozen=True)
class TokenPair:
    """The tokens that are read, at least one, and the tokens after them whose likelihood is wanted."""

    context: tuple[int, ...]
    continuation: tuple[int, ...]


@dataclass(frozen=True)
class TokenScore:
    """Natural-log likelihood of a continuation; ``greedy``: whether greedy decoding would have given it."""

    loglik: float
    greedy: bool


@dataclass(frozen=True)
class TokenPrompt:
    """The tokens that are read before an answer, at least one; ``noise`` as in ``GenerationRequest``."""

    ids: tuple[int, ...]
    noise: str


@runtime_checkable
class ReadsTokens(Protocol):
    """What a ``Model`` can do besides, if lm-eval's tasks are to run on it."""

    def continuations(self, pairs: Sequence[TokenPair]) -> list[TokenScore]:
        """The score of each pair, each in one window."""

    def answers(self, prompts: Sequence[TokenPrompt], decoding: Decoding) -> list[Generation]:
        """One answer a prompt, as one batch. Text would not do: ``<s>`` written is not always BOS read."""


@dataclass(frozen=True)
class Forward:
    """One row of a likelihood forward: its request, its tokens, and how many of the last are scored."""

    index: int
    ids: list[int]
    n_scored: int


def by_length(jobs: list[Forward]) -> list[list[Forward]]:
    """Rows that go through the model together, longest first."""
    groups: list[list[Forward]] = []
    for job in sorted(jobs, key=lambda job: -len(job.ids)):
        if groups and (len(groups[-1]) + 1) * len(groups[-1][0].ids) <= _TOKENS_PER_FORWARD:
            groups[-1].append(job)
        else:
            groups.append([job])
    return groups
