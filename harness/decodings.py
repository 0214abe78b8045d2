"""How answers are drawn, by name: what the makers of a model family advise, written once.

decoding: chat                                    in a suite
decoding: {temperature: 0.7, top_p: 0.8, top_k: 20}    the same, spelled out
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.types import Decoding


@dataclass(frozen=True)
class TopKDecoding(Decoding):
    """A decoding that keeps the ``top_k`` most likely tokens (0: all) before the nucleus is taken."""

    top_k: int = 0


NAMED: dict[str, dict[str, float | int]] = {
    "chat": {"temperature": 0.7, "top_p": 0.8, "top_k": 20},
    "thinking": {"temperature": 0.6, "top_p": 0.95, "top_k": 20},
}
"""Qwen3's model card (Qwen team, 2025): the first with thinking off, the second with thinking on."""


def top_k_of(decoding: Decoding) -> int:
    """How many tokens are kept at each step; 0 for all."""
    return decoding.top_k if isinstance(decoding, TopKDecoding) else 0


def make_decoding(temperature: float, top_p: float, max_tokens: int, seed: int, top_k: int = 0) -> Decoding:
    """The plain record where all tokens are kept, so that answers drawn before ``top_k`` keep their keys."""
    if top_k:
        return TopKDecoding(temperature, top_p, max_tokens, seed, top_k)
    return Decoding(temperature, top_p, max_tokens, seed)
