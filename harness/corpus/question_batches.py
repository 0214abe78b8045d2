"""Message batches that were sent and not yet settled, each a small file that outlives a crash.

    sending   written before the request: it may or may not have arrived
    waiting   the server's id is known; results are fetched as often as needed and cost nothing more
    done      results are in the cache and the bill is settled

A crash, or a reply that never came, can leave a record at ``sending`` although the server made the batch. It
is then looked for among the server's batches before anything is sent again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from harness.corpus.anthropic_calls import Calls, Failed
from harness.corpus.spending import Price

_CLOCKS_DIFFER = timedelta(days=1)
_MOST_LISTED = 1000


@dataclass(frozen=True)
class Ask:
    """One request: questions wanted for the text behind a cache key."""

    key: str
    n: int


@dataclass(frozen=True)
class BatchRecord:
    """``asks``: the request's custom id -> what it asks. ``foreign``: server ids that are others' batches."""

    name: str
    account: str
    price: Price
    asks: Mapping[str, Ask]
    sent: str
    state: Literal["sending", "waiting", "done"] = "sending"
    id: str = ""
    foreign: tuple[str, ...] = ()


def new_record(account: str, price: Price, asks: Sequence[Ask]) -> BatchRecord:
    """A record at ``sending``; custom ids are unique for good, so results can never be taken for others'."""
    name = uuid4().hex[:12]
    ids = {f"{ask.key[:32]}-{name}": ask for ask in asks}
    return BatchRecord(name, account, price, ids, datetime.now(UTC).isoformat())


class BatchFolder:
    """The records, one JSON file each, replaced as a whole and on disk before ``save`` returns."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, record: BatchRecord) -> BatchRecord:
        """Write the record and return it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{record.name}.json"
        fresh = path.with_suffix(".part")
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(asdict(record), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        return record

    def drop(self, record: BatchRecord) -> None:
        """Forget a batch that was never made."""
        (self._folder / f"{record.name}.json").unlink(missing_ok=True)

    def all(self) -> list[BatchRecord]:
        """Every record, oldest first."""
        read = [_record(json.loads(path.read_text("utf-8"))) for path in self._folder.glob("*.json")]
        return sorted(read, key=lambda record: (record.sent, record.name))

    def open(self) -> list[BatchRecord]:
        """Those not settled yet."""
        return [record for record in self.all() if record.state != "done"]

    def find_on_server(self, record: BatchRecord, calls: Calls) -> BatchRecord | Failed | None:
        """The record with the id of a batch that may be its own: as many requests, made since, nobody's else.

        Whether it is its own is only known from the custom ids in its results. None: there is no such batch.
        """
        known = {other.id for other in self.all()} | set(record.foreign)
        since = datetime.fromisoformat(record.sent) - _CLOCKS_DIFFER

        def look(client: Any) -> str:
            for seen, batch in enumerate(client.messages.batches.list(limit=100)):
                if seen >= _MOST_LISTED or batch.created_at < since:
                    break
                counts = batch.request_counts
                n = sum(
                    (counts.processing, counts.succeeded, counts.errored, counts.canceled, counts.expired)
                )
                if n == len(record.asks) and batch.id not in known:
                    return str(batch.id)
            return ""

        found = calls.read(look)
        if isinstance(found, Failed):
            return found
        return self.save(replace(record, id=found, state="waiting")) if found else None

    def was_foreign(self, record: BatchRecord) -> BatchRecord:
        """The record back at ``sending``: the batch taken for its own holds other custom ids."""
        return self.save(replace(record, id="", state="sending", foreign=(*record.foreign, record.id)))


def _record(raw: dict[str, Any]) -> BatchRecord:
    asks = {custom_id: Ask(**ask) for custom_id, ask in raw["asks"].items()}
    fields = raw | {"price": Price(**raw["price"]), "asks": asks, "foreign": tuple(raw["foreign"])}
    return BatchRecord(**fields)
