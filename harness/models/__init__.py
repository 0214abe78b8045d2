"""Things that answer, behind one Protocol: hf (transformers + peft), scripted (tests), later vllm and api."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from harness.types import Decoding, Generation, GenerationRequest, Likelihood, LikelihoodRequest


class Model(Protocol):
    """A base model that can wear one adapter at a time.

    ``engine`` names what computes (library, precision, device) and is part of every response key:
    answers of one engine are never taken for another's.
    """

    engine: str

    def wear(self, adapter: Path | None) -> None:
        """Switch to an adapter, or to the bare base with None; nothing is merged."""

    def generate(self, requests: Sequence[GenerationRequest], decoding: Decoding) -> list[Generation]:
        """One answer a request, computed as one batch; an item's noise never depends on the others."""

    def loglikelihood(
        self, requests: Sequence[LikelihoodRequest], window: int, context: int | None
    ) -> list[Likelihood]:
        """Total natural-log likelihood of each text by rolling windows."""

    def close(self) -> None:
        """Give the memory back."""
