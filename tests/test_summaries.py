"""Means, pooled values and intervals from tables written by hand, and which stored rows make a table."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from handmade import make_adapter, make_ask, make_table

from harness import summaries
from harness.metrics import likelihood
from harness.plan import Ask
from harness.statistics import bootstrap_interval, wilson
from harness.store import Store
from harness.summaries import Table, read_table, summarise

NAN = math.nan
RNG = np.random.default_rng(7)


def table_of(values: dict[str, dict[str, Sequence[float]]], n: int = 40) -> Table:
    return make_table(make_ask(n), values)


def test_bits_per_byte_is_pooled_by_sums() -> None:
    """(-100 nats, 50 bytes) and (-900, 300): 1,000 nats over 350 bytes, not the mean of two ratios."""
    sizes, logliks = [50, 300], [-100.0, -900.0]
    pooled = likelihood.bits_per_byte(sum(logliks), sum(sizes))
    each = [likelihood.bits_per_byte(loglik, n) for loglik, n in zip(logliks, sizes, strict=True)]
    weights = {"bytes": {f"h{i:03d}": n / 175 for i, n in enumerate(sizes)}}
    table = dataclasses.replace(table_of({"v": {"bits_per_byte": each}}, 2), weights=weights)
    assert summarise(table, "v", "bits_per_byte").value == pytest.approx(pooled)
    assert np.mean(each) != pytest.approx(pooled)


def test_perplexities_are_pooled_by_their_own_unit() -> None:
    """The documents of metrics.md: 17.4117 over all words, where the mean of two perplexities is 13.737."""
    each = [likelihood.word_perplexity(-100, 50), likelihood.word_perplexity(-900, 300)]
    found = {"h000": each[0], "h001": each[1]}
    table = table_of({"v": {}}, 2)
    weights = {"bytes": {"h000": 1.0, "h001": 1.0}, "words": {"h000": 50 / 175, "h001": 300 / 175}}
    table = dataclasses.replace(table, values={"v": {"word_perplexity": found}}, weights=weights)
    summary = summarise(table, "v", "word_perplexity")
    assert summary.value == pytest.approx(17.4117, abs=1e-4)
    assert np.mean(each) == pytest.approx(13.737, abs=1e-3)
    assert summary.interval.low < summary.value < summary.interval.high


def test_a_document_without_a_value_leaves_the_others_pooled() -> None:
    weights = {"bytes": {"h000": 0.5, "h001": 1.0, "h002": 1.5}}
    table = dataclasses.replace(table_of({"v": {"bits_per_byte": [2.0, NAN, 4.0]}}, 3), weights=weights)
    assert summarise(table, "v", "bits_per_byte").value == pytest.approx((0.5 * 2 + 1.5 * 4) / 2)


def test_weights_are_bytes_and_words_over_their_mean_in_each_set() -> None:
    asked = make_ask(3)
    texts = {"heldout": iter(["a" * 10, "é e" * 5, "b" * 25]), "other:flint": iter(["c"] * 3)}
    documents = tuple(dataclasses.replace(d, text=next(texts[d.set])) for d in asked.documents)
    weights = summaries._weights(dataclasses.replace(asked, documents=documents))
    assert weights["bytes"] == pytest.approx(
        {"h000": 30 / 55, "h001": 60 / 55, "h002": 75 / 55, "o000": 1.0, "o001": 1.0, "o002": 1.0}
    )
    assert weights["words"]["h001"] == pytest.approx(6 / (8 / 3))


def test_a_mean_has_its_bootstrap_interval() -> None:
    values = RNG.normal(2, 1, 40).tolist()
    found = summarise(table_of({"v": {"words": values}}), "v", "words")
    assert found.value == pytest.approx(np.mean(values))
    assert found.interval == pytest.approx(bootstrap_interval(values))
    assert (found.n, found.task, found.note) == (40, "response_length", "")


def test_a_rate_has_wilsons_interval() -> None:
    found = summarise(table_of({"v": {"copied": [1.0] * 3 + [0.0] * 37}}), "v", "copied")
    assert found.value == 3 / 40
    assert found.interval == wilson(3, 40)
    # Two samples a prompt average to halves: no longer a count of successes.
    halves = [0.5] * 6 + [0.0] * 34
    averaged = summarise(table_of({"v": {"copied": halves}}), "v", "copied")
    assert averaged.interval == pytest.approx(bootstrap_interval(halves))


def test_missing_values_are_counted_not_zeroed() -> None:
    found = summarise(table_of({"v": {"words": [10.0, NAN, 20.0, NAN]}}), "v", "words")
    assert (found.value, found.n, found.note) == (15.0, 2, "2 of 4 without a value")


def test_nothing_is_nan_with_a_reason() -> None:
    table = table_of({"v": {"words": [NAN, NAN]}})
    noted = dataclasses.replace(table, notes={"v": {"words": {"p000": "invalid: loop"}}})
    for found, reason in (
        (summarise(table, "v", "copied"), "not run for this variant"),
        (summarise(table, "nobody", "words"), "not run for this variant"),
        (summarise(noted, "v", "words"), "invalid: loop"),
    ):
        assert math.isnan(found.value)
        assert math.isnan(found.interval.low)
        assert (found.n, found.note) == (0, reason)


# ── which rows ────────────────────────────────────────────────────────────────────────────────────


CPU, GPU = "transformers/bfloat16/cpu", "transformers/bfloat16/cuda"
ADAPTER = make_adapter("small@1", 1)


def stored(folder: Path, asked: Ask, *batches: dict[str, Any]) -> Store:
    """Answers and scores of one variant; a batch is an engine's ``sample`` on the first ``n`` prompts."""
    store = Store(folder)
    for nth, batch in enumerate(batches):
        told = {"engine": CPU, "version": "2", "value": 0.0, "sample": 0, "n": 40} | batch
        prompts = asked.prompts[: told["n"]]
        same = {"variant": ADAPTER.name, "variant_digest": ADAPTER.digest, "engine": told["engine"],
                "setting": asked.setting, "task": "t", "run": f"run {nth}"}  # fmt: skip
        rows = [same | {"key": f"{told['engine']} {p.id} {told['sample']}", "item": p.id} for p in prompts]
        score = {"metric": "words", "metric_version": told["version"], "value": told["value"], "note": "",
                 "reference": asked.reference.digest}  # fmt: skip
        store.append("responses", [row | {"sample": told["sample"]} for row in rows])
        store.append("scores", [row | score for row in rows])
    return store


@pytest.mark.parametrize(
    ("batches", "value"),
    [
        # A former version of a metric is a row more and no answer more: the newest engine stands.
        (({"version": "1"}, {}, {"engine": GPU, "value": 1.0}), 1.0),
        (({"engine": GPU, "value": 1.0}, {}), 0.0),
        # The whole before the newest, and the suite's dtype before both.
        (({}, {"engine": GPU, "value": 1.0, "n": 39}), 0.0),
        (({"n": 39}, {"engine": "transformers/float32/cpu", "value": 1.0}), 0.0),
        (({"engine": "transformers/float32/cpu", "value": 1.0},), 1.0),
    ],
)
def test_which_engine_stands_for_a_variant(
    tmp_path: Path, batches: tuple[dict[str, Any], ...], value: float
) -> None:
    asked = make_ask(40)
    table = read_table(asked, [ADAPTER], stored(tmp_path, asked, *batches))
    assert set(table.of("small@1", "words").values()) == {value}


def test_samples_that_the_suite_no_longer_draws_are_not_read(tmp_path: Path) -> None:
    one, three = make_ask(40), make_ask(40, samples=3)
    store = stored(tmp_path, one, *({"sample": n, "value": float(n)} for n in range(3)))
    assert set(read_table(one, [ADAPTER], store).of("small@1", "words").values()) == {0.0}
    assert set(read_table(three, [ADAPTER], store).of("small@1", "words").values()) == {1.0}


def test_a_prompt_that_a_metric_is_not_for_is_not_expected_of_it(tmp_path: Path) -> None:
    asked = make_ask(4)
    store = stored(tmp_path, asked, {"n": 4})
    (first,) = store.read("scores", item="p000").to_dict("records")
    rank = {"metric": "question_reciprocal_rank", "note": "not applicable: this prompt is no question"}
    store.append("scores", [first | rank])
    expected = read_table(asked, [ADAPTER], store).asked
    assert expected["words"] == {"p000", "p001", "p002", "p003"}
    assert expected["question_reciprocal_rank"] == {"p001", "p002", "p003"}
    assert "bits_per_byte" not in expected


# ── tokens, and what an answer that says nothing does not copy ────────────────────────────────────


def test_token_perplexity_is_pooled_by_each_variants_own_tokens(tmp_path: Path) -> None:
    """-100 nats over 50 tokens and -900 over 300: 17.4117, where the geometric mean of two is 12.18."""
    asked = make_ask(2, tasks=("token_perplexity",))
    store = Store(tmp_path)
    found = []
    for n_tokens, loglik, document in ((50, -100.0, "h000"), (300, -900.0, "h001")):
        same = {"variant": ADAPTER.name, "variant_digest": ADAPTER.digest, "engine": CPU, "key": document,
                "task": "token_perplexity", "item": document, "run": "run 0",
                "reference": asked.reference.digest}  # fmt: skip
        value = likelihood.token_perplexity(loglik, n_tokens)
        found.append(value)
        read = {"set": "heldout", "context": "raw", "loglik": loglik, "n_tokens": n_tokens, "n_words": 1,
                "n_bytes": 1, "protocol": asked.protocol}  # fmt: skip
        store.append("likelihoods", [same | read])
        score = {"metric": "token_perplexity", "metric_version": "1", "value": value, "note": "",
                 "setting": asked.protocol}  # fmt: skip
        store.append("scores", [same | score])
    summary = summarise(read_table(asked, [ADAPTER], store), ADAPTER.name, "token_perplexity")
    assert summary.value == pytest.approx(17.4117, abs=1e-4)
    assert math.exp(np.log(found).mean()) == pytest.approx(12.18, abs=1e-2)


def test_what_was_copied_is_counted_over_the_answers_that_the_gate_counts() -> None:
    asked = make_ask(40)
    sides = {"copied": [1.0] * 3 + [0.0] * 37, "invalid": [1.0] * 13 + [0.0] * 27}
    table = make_table(asked, {"v": sides, "silent": {"copied": [0.0] * 40, "invalid": [1.0] * 40}})
    found = summarise(table, "v", "copied")
    (gate,) = (gate for gate in summaries.gates(table, asked, "v") if gate.name == "copied")
    assert (
        (found.value, found.interval, found.n)
        == (gate.rate, gate.interval, gate.n)
        == (0.1, wilson(3, 30), 30)
    )
    assert found.note == "10 of 40 without a value"
    silent = summarise(table, "silent", "copied")
    assert (math.isnan(silent.value), silent.note) == (True, "no valid answers")
