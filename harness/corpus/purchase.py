"""One purchase of questions: the terms, what is lacking, what it may cost, what came of it.

passages --lacking--> asks --request, worst_usd--> (the API) --learn--> cache --written--> Written
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.corpus.anthropic_calls import read_message
from harness.corpus.question_batches import Ask, BatchFolder
from harness.corpus.question_cache import QuestionCache, cache_key
from harness.corpus.questions import QA_PROMPT, Question, Written, checked_prompt, fill
from harness.corpus.spending import Ledger, Price, likely_input_tokens, worst_input_tokens
from harness.errors import ConfigurationError
from harness.types import Passage

_DATED = re.compile(r".*-20\d{6}")
_LIKELY_TOKENS_A_QUESTION = 35


@dataclass(frozen=True)
class Terms:
    """What the corpus file says: model, price, prompt and cap (US dollars, over all runs of one account)."""

    model: str
    price: Price
    max_usd: float
    prompt: str = QA_PROMPT
    tokens_a_question: int = 100
    live: bool = False

    def __post_init__(self) -> None:
        checked_prompt(self.prompt)
        if not _DATED.fullmatch(self.model):
            raise ConfigurationError(f"writer {self.model!r}: name a dated model, which stays the same one")
        if min(self.price.input, self.price.output) <= 0 or self.max_usd < 0 or self.tokens_a_question < 1:
            raise ConfigurationError("prices and tokens must be positive, and the cap not negative")


@dataclass(frozen=True)
class Estimate:
    """Before anything is spent: passages to ask about, and US dollars, as likely and at the very most."""

    n_passages: int
    likely_usd: float
    worst_usd: float


class Purchase:
    """What is known on disk, and why what is lacking is lacking (by cache key)."""

    def __init__(self, terms: Terms, folder: Path, account: str) -> None:
        self.terms, self.account = terms, account
        self.cache, self.ledger = QuestionCache(folder), Ledger(folder / "spent.jsonl")
        self.batches = BatchFolder(folder / "batches")
        self.reasons: dict[str, str] = {}
        self._billed_before = self.ledger.billed(account)

    def key(self, passage: Passage) -> str:
        """Where this passage's questions are kept."""
        return cache_key(passage.text, f"anthropic:{self.terms.model}", self.terms.prompt)

    def keyed(self, passages: Sequence[Passage]) -> dict[str, str]:
        """Cache key -> text; two passages with one text are one."""
        return {self.key(passage): passage.text for passage in passages}

    def lacking(self, texts: Mapping[str, str], per_passage: int) -> list[Ask]:
        """What is not in the cache, was not refused and is not under way."""
        away = {ask.key for record in self.batches.open() for ask in record.asks.values()}
        asks = [Ask(key, per_passage - len(self.cache.questions(key))) for key in texts if key not in away]
        return [ask for ask in asks if ask.n > 0 and self.cache.refusal(ask.key) is None]

    def request(self, text: str, n: int) -> dict[str, Any]:
        """The body of a Messages API request."""
        return {
            "model": self.terms.model,
            "max_tokens": self.terms.tokens_a_question * n,
            "messages": [{"role": "user", "content": fill(self.terms.prompt, text, n)}],
        }

    def worst_usd(self, text: str, n: int) -> float:
        """What a request can cost at the very most, in US dollars."""
        n_input = worst_input_tokens(fill(self.terms.prompt, text, n))
        n_output = self.terms.tokens_a_question * n
        return self.terms.price.usd(n_input, n_output, batch=not self.terms.live)

    def estimate(self, texts: Mapping[str, str], per_passage: int) -> Estimate:
        """Of what is lacking."""
        asks = self.lacking(texts, per_passage)
        n_input = sum(likely_input_tokens(fill(self.terms.prompt, texts[ask.key], ask.n)) for ask in asks)
        n_output = _LIKELY_TOKENS_A_QUESTION * sum(ask.n for ask in asks)
        likely = self.terms.price.usd(n_input, n_output, batch=not self.terms.live)
        return Estimate(len(asks), likely, sum(self.worst_usd(texts[ask.key], ask.n) for ask in asks))

    def affords(self, usd: float) -> bool:
        """Whether so much more stays within the cap."""
        return self.ledger.spent(self.account) + usd <= self.terms.max_usd

    def too_dear(self, ask: Ask, text: str) -> None:
        """Note that the cap is why this is lacking."""
        self.reasons[ask.key] = (
            f"max_usd {self.terms.max_usd:.2f} is reached: {self.ledger.spent(self.account):.4f} spent or "
            f"reserved, and this one may cost {self.worst_usd(text, ask.n):.4f}"
        )

    def learn(self, ask: Ask, message: Any, price: Price, *, batch: bool) -> float:
        """Keep what a message holds; what it cost, in US dollars."""
        reply = read_message(message, ask.n)
        if reply.refused:
            self.cache.refuse(ask.key, reply.fault)
        else:
            self.cache.add(ask.key, reply.questions)
        self.reasons[ask.key] = reply.fault
        return price.usd(reply.n_input, reply.n_output, batch=batch)

    def written(self, passages: Sequence[Passage], per_passage: int, identity: str) -> Written:
        """What the passages have now, and why any has less."""
        questions: list[Question] = []
        missing: dict[str, str] = {}
        for passage in passages:
            key = self.key(passage)
            have = self.cache.questions(key)[:per_passage]
            questions += [Question(passage.digest, text, identity) for text in have]
            if len(have) < per_passage:
                refusal = self.cache.refusal(key)
                missing[passage.digest] = refusal or self.reasons.get(key) or "the questions were all alike"
        billed = self.ledger.billed(self.account)
        unsure = self.ledger.spent(self.account) - billed
        note = f"{unsure:.4f} US dollars are reserved for replies that did not come" if unsure > 0 else ""
        return Written(tuple(questions), missing, note, billed - self._billed_before)
