from __future__ import annotations

from pathlib import Path

import pytest

from harness.corpus.spending import Ledger, Price, likely_input_tokens, worst_input_tokens


def test_a_price_is_per_million_and_batches_cost_half() -> None:
    price = Price(input=1.0, output=5.0)
    assert price.usd(500_000, 100_000, batch=False) == pytest.approx(1.0)
    assert price.usd(500_000, 100_000, batch=True) == pytest.approx(0.5)


@pytest.mark.parametrize("text", ["", "Peace.", "été — “à la mer”", "海" * 50, "\ud800"])
def test_the_worst_case_is_a_token_a_byte_and_above_the_likely_one(text: str) -> None:
    assert worst_input_tokens(text) > len(text.encode("utf-8", "replace"))
    assert likely_input_tokens(text) < worst_input_tokens(text)


def test_reservations_count_until_they_are_settled_also_for_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "spent.jsonl"
    ledger = Ledger(path)
    ledger.reserve("a@1", "one", 3.0)
    ledger.reserve("a@1", "two", 2.0)
    ledger.reserve("b@1", "three", 7.0)
    assert (ledger.spent("a@1"), ledger.billed("a@1"), ledger.spent("b@1")) == (5.0, 0, 7.0)
    ledger.settle("a@1", "one", 0.5)
    ledger.settle("a@1", "one", 9.0)  # results were fetched twice
    for each in (ledger, Ledger(path)):
        assert (each.spent("a@1"), each.billed("a@1"), each.spent("c@1")) == (2.5, 0.5, 0)
    with pytest.raises(ValueError, match="one"):
        ledger.reserve("a@1", "one", 1.0)


def test_what_was_never_reserved_can_be_settled_at_nothing(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "spent.jsonl")
    ledger.settle("a@1", "void", 0.0)
    assert ledger.spent("a@1") == 0
