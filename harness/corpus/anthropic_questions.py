"""Questions written by one of Anthropic's models: in message batches at half price, or live.

lacking --> record(sending) --reserve, create--> record(waiting) --poll, fetch--> cache --settle--> done

Nothing is sent that is not reserved, nothing is forgotten that was sent: a crash at any arrow is taken up
there by the next run, which asks the server first and pays for nothing twice. A live call has no id to ask
for: one whose reply was lost stays reserved in full, is repeated at most ``Patience.tries`` times and may be
billed each time, below the cap all the same.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from harness.corpus.anthropic_calls import Calls, Failed, Patience, barred
from harness.corpus.purchase import Estimate, Purchase, Terms
from harness.corpus.question_batches import Ask, BatchRecord, new_record
from harness.corpus.question_cache import sole_user
from harness.corpus.questions import Written
from harness.types import Passage

_MOST_REQUESTS, _MOST_BYTES = 10_000, 64_000_000
"""One batch holds no more; the API's own limits are 100,000 requests and 256 MB."""


class AnthropicWriter:
    """The ``QuestionWriter``. ``folder`` is shared by all corpora; ``account`` is whose cap is charged."""

    def __init__(
        self,
        terms: Terms,
        folder: Path,
        account: str,
        *,
        patience: Patience | None = None,
        base_url: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.identity = f"anthropic:{terms.model}"
        self._terms, self._folder, self._account = terms, folder, account
        self._patience, self._base_url, self._sleep = patience or Patience(), base_url, sleep

    def estimate(self, passages: Sequence[Passage], per_passage: int) -> Estimate:
        """What ``write`` would send now, without sending it; what is cached or was refused is not counted."""
        purchase = Purchase(self._terms, self._folder, self._account)
        return purchase.estimate(purchase.keyed(passages), per_passage)

    def write(self, passages: Sequence[Passage], per_passage: int) -> Written:
        """Buy what is lacking, as far as the cap goes. What is not had is in ``missing``, with the reason.

        Raises:
            MissingPrerequisiteError: no key in the environment, or no ``anthropic`` package.
            ConfigurationError: the API refuses the key or the model; another run is at it.
        """
        with sole_user(self._folder):
            purchase = Purchase(self._terms, self._folder, self._account)
            texts = purchase.keyed(passages)
            if purchase.lacking(texts, per_passage) or purchase.batches.open():
                calls = Calls(self._base_url, self._patience, self._sleep)
                run = _Run(purchase, calls, self._patience, self._sleep)
                with contextlib.closing(calls):
                    run.settle_open()
                    (run.live if self._terms.live else run.in_batches)(texts, per_passage)
            return purchase.written(passages, per_passage, self.identity)


class _Run:
    """One run's dealings with the API."""

    def __init__(
        self, purchase: Purchase, calls: Calls, patience: Patience, sleep: Callable[[float], None]
    ) -> None:
        self._buy, self._calls, self._patience, self._sleep = purchase, calls, patience, sleep

    # ── batches ───────────────────────────────────────────────────────────────────────────────────

    def settle_open(self) -> None:
        """Take up every batch that an earlier run left, before anything new is paid for."""
        for record in self._buy.batches.open():
            self._see_through(record)

    def in_batches(self, texts: Mapping[str, str], per_passage: int) -> None:
        """As large a batch as the cap allows, again while it frees what was reserved and not used."""
        tried: Counter[str] = Counter()
        while True:
            lacking = self._buy.lacking(texts, per_passage)
            wanted = [ask for ask in lacking if tried[ask.key] < self._patience.tries]
            chosen, usd = self._affordable(wanted, texts)
            if not chosen:
                return
            tried.update(ask.key for ask in chosen)
            record = new_record(self._buy.account, self._buy.terms.price, chosen)
            self._buy.batches.save(record)
            self._buy.ledger.reserve(record.account, record.name, usd)
            if not self._send(record, texts):
                return

    def _affordable(self, asks: Sequence[Ask], texts: Mapping[str, str]) -> tuple[list[Ask], float]:
        chosen: list[Ask] = []
        usd, n_bytes = 0.0, 0
        for ask in asks:
            worst, size = self._buy.worst_usd(texts[ask.key], ask.n), len(texts[ask.key].encode())
            if not self._buy.affords(usd + worst):
                self._buy.too_dear(ask, texts[ask.key])
            elif len(chosen) < _MOST_REQUESTS and n_bytes + size <= _MOST_BYTES:
                chosen.append(ask)
                usd, n_bytes = usd + worst, n_bytes + size
        return chosen, usd

    def _send(self, record: BatchRecord, texts: Mapping[str, str]) -> bool:
        """Create the batch and see it through; False where this run had better stop."""
        requests: list[Any] = [
            {"custom_id": custom_id, "params": self._buy.request(texts[ask.key], ask.n)}
            for custom_id, ask in record.asks.items()
        ]
        made = self._calls.unless_busy(lambda client: client.messages.batches.create(requests=requests).id)
        if not isinstance(made, Failed):
            waiting = self._buy.batches.save(replace(record, id=made, state="waiting"))
            return self._see_through(waiting)
        if made.kind == "lost":
            return self._see_through(record)
        self._void(record, f"the batch was not accepted: {made.why}")
        if made.kind != "busy":
            raise barred(made)
        return False

    def _see_through(self, record: BatchRecord) -> bool:
        """From whatever state to settled; False where it stays open, and the next run takes it up."""
        while record.state != "done":
            if record.state == "sending":
                found = self._look_for(record)
                if found is None:
                    self._void(record, "the request for a batch was lost on its way")
                    return True
                if isinstance(found, Failed):
                    self._leave(record, f"it is not known whether the batch was made ({found.why})")
                    return False
                record = found
            collected = self._collect(record)
            if collected is None:
                return False
            record = collected
        return True

    def _look_for(self, record: BatchRecord) -> BatchRecord | Failed | None:
        """One just asked for may still be in the making: only after some looks is it sure that it is not."""
        looks, pause = self._patience.tries, self._patience.look_s
        age = datetime.now(UTC) - datetime.fromisoformat(record.sent)
        if age.total_seconds() > looks * pause + self._patience.timeout_s:
            return self._buy.batches.find_on_server(record, self._calls)
        found: BatchRecord | Failed | None = None
        for _ in range(looks):
            self._sleep(pause)
            found = self._buy.batches.find_on_server(record, self._calls)
            if isinstance(found, BatchRecord):
                break
        return found

    def _collect(self, record: BatchRecord) -> BatchRecord | None:
        """The record done, or at ``sending`` again where the batch was another's; None: no results yet."""
        rows = self._results(record)
        if isinstance(rows, Failed):
            self._leave(record, f"batch {record.id}: {rows.why}; run again to go on from here")
            return None
        if any(row.custom_id not in record.asks for row in rows):
            return self._buy.batches.was_foreign(record)
        billed = sum(self._learn_row(record, row) for row in rows)
        self._buy.ledger.settle(record.account, record.name, billed)
        return self._buy.batches.save(replace(record, state="done"))

    def _results(self, record: BatchRecord) -> list[Any] | Failed:
        waited = 0.0
        while True:
            batch = self._calls.read(lambda client: client.messages.batches.retrieve(record.id))
            if isinstance(batch, Failed):
                return batch
            if batch.processing_status == "ended":
                break
            if waited >= self._patience.wait_s:
                return Failed("busy", f"still being worked on after {waited / 3600:.1f} hours")
            self._sleep(self._patience.poll_s)
            waited += self._patience.poll_s

        def fetch(client: Any) -> list[Any]:
            rows = list(client.messages.batches.results(record.id))
            if len(rows) < len(record.asks):
                raise ValueError("some results did not arrive")
            return rows

        return self._calls.read(fetch)

    def _learn_row(self, record: BatchRecord, row: Any) -> float:
        ask, result = record.asks[row.custom_id], row.result
        if result.type == "succeeded":
            return self._buy.learn(ask, result.message, record.price, batch=True)
        why = str(result.type)
        if why == "errored":
            why = f"{result.error.error.type}: {result.error.error.message}"
        self._buy.reasons[ask.key] = why
        return 0.0

    def _void(self, record: BatchRecord, why: str) -> None:
        """Nothing was made of it, so nothing is billed and nothing has to be waited for."""
        self._buy.ledger.settle(record.account, record.name, 0.0)
        self._buy.batches.drop(record)
        self._leave(record, why)

    def _leave(self, record: BatchRecord, why: str) -> None:
        self._buy.reasons |= {ask.key: why for ask in record.asks.values()}

    # ── live calls ────────────────────────────────────────────────────────────────────────────────

    def live(self, texts: Mapping[str, str], per_passage: int) -> None:
        """One passage after another, each reserved by itself."""
        for ask in self._buy.lacking(texts, per_passage):
            for attempt in range(self._patience.tries):
                n = per_passage - len(self._buy.cache.questions(ask.key))
                if n <= 0 or self._buy.cache.refusal(ask.key):
                    break
                if not self._ask_live(Ask(ask.key, n), texts[ask.key], attempt):
                    break

    def _ask_live(self, ask: Ask, text: str, attempt: int) -> bool:
        """Whether it is worth asking again for what may still be lacking."""
        usd = self._buy.worst_usd(text, ask.n)
        if not self._buy.affords(usd):
            self._buy.too_dear(ask, text)
            return False
        name = uuid4().hex[:12]
        self._buy.ledger.reserve(self._buy.account, name, usd)
        body = self._buy.request(text, ask.n)
        found = self._calls.once(lambda client: client.messages.create(**body))
        if not isinstance(found, Failed):
            billed = self._buy.learn(ask, found, self._buy.terms.price, batch=False)
            self._buy.ledger.settle(self._buy.account, name, billed)
            return True
        self._buy.reasons[ask.key] = found.why
        if found.kind != "lost":  # a lost one may be billed: its reservation stands
            self._buy.ledger.settle(self._buy.account, name, 0.0)
        if found.kind == "barred":
            raise barred(found)
        if found.kind == "refused":
            return False
        self._calls.pause(found, attempt)
        return True
