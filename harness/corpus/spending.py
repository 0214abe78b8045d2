"""What bought questions cost, and a cap that holds even through a crash.

reserve the worst case --> send --> settle what was billed        spent.jsonl, one line for each arrow
                             \\--> nothing heard: the reservation stays spent

The sum of what is settled and what is still reserved never goes above the cap, so neither does the bill.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.corpus.question_cache import append_line, read_lines

_OVERHEAD_TOKENS = 64
"""More than the API adds to a one-turn message for roles and marks."""


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens, as listed; batches are billed at ``batch_share`` of it."""

    input: float
    output: float
    batch_share: float = 0.5

    def usd(self, n_input: int, n_output: int, *, batch: bool) -> float:
        """``(n_input * input + n_output * output) / 1e6``, times ``batch_share`` for a batch."""
        listed = (n_input * self.input + n_output * self.output) / 1_000_000
        return listed * (self.batch_share if batch else 1.0)


def worst_input_tokens(text: str) -> int:
    """An upper bound: a token stands for at least one byte of UTF-8."""
    return len(text.encode("utf-8", "replace")) + _OVERHEAD_TOKENS


def likely_input_tokens(text: str) -> int:
    """About four bytes of English a token, and a few tokens of overhead; for estimates only."""
    return len(text.encode("utf-8", "replace")) // 4 + _OVERHEAD_TOKENS // 4


class Ledger:
    """Reservations and settlements on disk, by account (one corpus version, say), in US dollars."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._usd: dict[str, float] = {}
        self._account: dict[str, str] = {}
        self._settled: set[str] = set()
        for row in read_lines(path):
            self._note(row["account"], row["id"], row["usd"], row["settled"])

    def spent(self, account: str) -> float:
        """What is settled, and what is reserved and not settled, together."""
        return sum(usd for name, usd in self._usd.items() if self._mine(account, name))

    def billed(self, account: str) -> float:
        """What is settled."""
        return sum(
            usd for name, usd in self._usd.items() if self._mine(account, name) and name in self._settled
        )

    def reserve(self, account: str, name: str, usd: float) -> None:
        """Count the worst case of a purchase as spent, on disk, before it is made."""
        if name in self._usd:
            raise ValueError(f"{name} is reserved already")
        self._append(account, name, usd, settled=False)

    def settle(self, account: str, name: str, usd: float) -> None:
        """Replace a reservation by what was billed (0 where nothing was); the first settlement stands."""
        if name not in self._settled:
            self._append(account, name, usd, settled=True)

    def _mine(self, account: str, name: str) -> bool:
        return self._account[name] == account

    def _append(self, account: str, name: str, usd: float, *, settled: bool) -> None:
        append_line(self._path, {"account": account, "id": name, "usd": usd, "settled": settled})
        self._note(account, name, usd, settled)

    def _note(self, account: str, name: str, usd: float, settled: bool) -> None:
        self._usd[name], self._account[name] = usd, account
        if settled:
            self._settled.add(name)
