"""A model whose answers and likelihoods are written down beforehand: the lowest seam, for tests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.types import Decoding, Generation, GenerationRequest, Likelihood, LikelihoodRequest


class ScriptedModel:
    """Answers by ``script(rendered prompt, adapter)``; counts what it was asked."""

    engine = "scripted"

    def __init__(
        self,
        script: Callable[[str, Path | None], str],
        loglik: Callable[[str, Path | None], float] | None = None,
    ) -> None:
        self._script, self._loglik = script, loglik
        self._adapter: Path | None = None
        self.generated, self.scored = 0, 0

    def wear(self, adapter: Path | None) -> None:
        """Remember the adapter; scripts may answer by it."""
        self._adapter = adapter

    def generate(self, requests: Sequence[GenerationRequest], decoding: Decoding) -> list[Generation]:
        """The script's answers, cut to ``max_tokens`` words."""
        self.generated += len(requests)
        answers = [self._script(request.rendered, self._adapter).split(" ") for request in requests]
        return [
            Generation(
                " ".join(words[: decoding.max_tokens]),
                "length" if len(words) > decoding.max_tokens else "stop",
                min(len(words), decoding.max_tokens),
                0.0,
            )
            for words in answers
        ]

    def loglikelihood(
        self, requests: Sequence[LikelihoodRequest], window: int, context: int | None
    ) -> list[Likelihood]:
        """The scripted likelihood, or one nat a byte with a small text-dependent wobble."""
        self.scored += len(requests)
        return [
            Likelihood(
                self._loglik(request.text, self._adapter) if self._loglik else -_nats(request.text),
                max(1, len(request.text.split())),
            )
            for request in requests
        ]

    def close(self) -> None:
        """Nothing to give back."""


def _nats(text: str) -> float:
    wobble = int(hashlib.sha256(text.encode()).hexdigest()[:4], 16) / 65536
    return len(text.encode()) * (1 + wobble / 10)
