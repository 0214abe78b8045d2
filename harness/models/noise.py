"""How a token is drawn: one uniform number for each (seed, item, step), and the inverse of the distribution.

An item's answer depends on its own noise and not on who shares its batch, so that a resumed run draws what
an uninterrupted one would have drawn. Every engine that samples here samples like this.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from harness.decodings import top_k_of
from harness.types import Decoding


class ItemNoise:
    """A logits processor that picks each row's token by its own uniform number.

    Temperature, then the ``top_k`` most likely where the decoding has one, then of these the smallest set
    whose share of their probability reaches ``top_p``, then the first token at which the cumulated
    probability exceeds u. All other tokens get -inf. Tokens are ordered by falling probability, equal ones
    by their number, so a row's choice depends on that row alone.
    """

    FEW = 1024
    """Most rows reach ``top_p`` within so many tokens: finding those costs a tenth of a whole sort."""

    def __init__(self, torch: Any, decoding: Decoding, noise: np.ndarray, prompt_length: int) -> None:
        self.torch, self.decoding, self.prompt_length = torch, decoding, prompt_length
        self.noise = torch.from_numpy(noise)

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        torch = self.torch
        step = input_ids.shape[1] - self.prompt_length
        uniform = self.noise[:, step].to(scores.device, torch.float32)
        probabilities = torch.softmax(scores.float() / self.decoding.temperature, dim=-1)
        few = min(max(self.FEW, top_k_of(self.decoding)), probabilities.shape[1])
        found = probabilities.topk(few, dim=-1)
        tokens, by_number = found.indices.sort(dim=-1)
        ordered, by_value = found.values.gather(1, by_number).sort(dim=-1, descending=True, stable=True)
        tokens = tokens.gather(1, by_value)
        top_k = top_k_of(self.decoding)
        if top_k:
            kept = ordered[:, :top_k] / ordered[:, :top_k].sum(dim=-1, keepdim=True)
            chosen = self._choose(kept, tokens[:, :top_k], uniform)
            return torch.full_like(scores, float("-inf")).scatter(1, chosen[:, None], 0.0)
        chosen = self._choose(ordered, tokens, uniform)
        wide = (ordered.sum(dim=-1) < self.decoding.top_p).nonzero()[:, 0]
        if few < probabilities.shape[1] and len(wide):
            ordered, tokens = probabilities[wide].sort(dim=-1, descending=True, stable=True)
            chosen[wide] = self._choose(ordered, tokens, uniform[wide])
        return torch.full_like(scores, float("-inf")).scatter(1, chosen[:, None], 0.0)

    def _choose(self, ordered: Any, tokens: Any, uniform: Any) -> Any:
        """Inverse CDF within the nucleus; shapes (rows, k), (rows, k), (rows) -> (rows)."""
        cumulated = ordered.cumsum(dim=-1)
        kept = (cumulated - ordered < self.decoding.top_p).sum(dim=-1)
        mass = cumulated.gather(1, kept[:, None] - 1)
        place = (cumulated <= uniform[:, None] * mass).sum(dim=-1)
        return tokens.gather(1, place.clamp(max=kept - 1)[:, None])[:, 0]


def uniforms(noise: str, n: int) -> np.ndarray:
    """``n`` uniform numbers in [0, 1), float64, that depend on nothing but the noise string."""
    key = int.from_bytes(hashlib.sha256(noise.encode()).digest()[:16], "big")
    return np.random.Generator(np.random.Philox(key=key)).random(n)
