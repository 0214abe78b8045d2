from __future__ import annotations

import json
import logging
import os
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_anthropic import (
    CUT,
    FAIL_AFTER,
    HANG,
    HANG_AFTER,
    PRICE_IN,
    PRICE_OUT,
    REFUSAL,
    SHORT,
    WELL,
    Answer,
    FakeAnthropic,
    questions,
    reply,
    status,
)

from harness.corpus import question_batches
from harness.corpus.anthropic_calls import Patience, parse_questions
from harness.corpus.anthropic_questions import AnthropicWriter
from harness.corpus.purchase import Terms
from harness.corpus.question_cache import QuestionCache, sole_user
from harness.corpus.questions import Written
from harness.corpus.spending import Price
from harness.errors import ConfigurationError, MissingPrerequisiteError
from harness.text import digest
from harness.types import Passage

SENTINEL = "sk-ant-api03-SENTINEL-0123456789"
TERMS = Terms(
    "claude-haiku-4-5-20251001", Price(PRICE_IN, PRICE_OUT), max_usd=1.0, prompt="Write {n} for|{passage}"
)
PATIENCE = Patience(tries=3, timeout_s=0.4, poll_s=1, wait_s=5, look_s=1)


class Crash(BaseException):
    """Stands for a kill: nothing catches it."""


def passage(n: int) -> Passage:
    text = f"Of the sea and of ships and of the men in them, the {n}th part. " * 5
    return Passage("book", n, "body", text, 75, digest(text)[:16])


PASSAGES = [passage(n) for n in range(10)]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAnthropic]:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANTHROPIC_API_KEY", SENTINEL)
    with FakeAnthropic() as fake:
        yield fake


class Slept(list[float]):
    """A ``sleep`` that returns at once, and can crash instead on its n-th call."""

    def __init__(self, crash_at: int = -1) -> None:
        super().__init__()
        self.crash_at = crash_at

    def __call__(self, seconds: float) -> None:
        if len(self) == self.crash_at:
            raise Crash
        self.append(seconds)


def writer(api: FakeAnthropic, folder: Path, terms: Terms = TERMS, **changed: Any) -> AnthropicWriter:
    settings: dict[str, Any] = {"patience": PATIENCE, "sleep": Slept()} | changed
    return AnthropicWriter(terms, folder, "sea@1", base_url=api.url, **settings)


def paid(api: FakeAnthropic) -> Counter[str]:
    """Times billed, by passage digest."""
    by_text: Counter[str] = Counter()
    for text, n in api.paid.items():
        by_text[digest(text.split("|", 1)[1])[:16]] += n
    return by_text


ONCE = Counter(each.digest for each in PASSAGES)


def everything(written: Written, n: int = 2) -> bool:
    return written.complete and Counter(q.passage for q in written.questions) == Counter(
        {each.digest: n for each in PASSAGES}
    )


# ── all goes well ─────────────────────────────────────────────────────────────────────────────────


def test_a_batch_pays_for_each_passage_once_and_a_second_run_for_none(
    api: FakeAnthropic, tmp_path: Path
) -> None:
    api.polls = 3
    written = writer(api, tmp_path).write(PASSAGES, 2)
    assert everything(written)
    assert paid(api) == ONCE
    assert api.calls["batches.create"] == 1
    assert written.usd == pytest.approx(api.usd)
    assert [q.passage for q in written.questions[::2]] == [p.digest for p in PASSAGES]
    before = api.calls.total()
    again = writer(api, tmp_path).write(PASSAGES[::-1], 2)
    assert (everything(again), again.usd, api.calls.total()) == (True, 0, before)


def test_only_new_text_is_paid_for_wherever_it_stands(api: FakeAnthropic, tmp_path: Path) -> None:
    writer(api, tmp_path).write(PASSAGES, 2)
    moved = [replace(each, ordinal=each.ordinal - 3, book="other") for each in PASSAGES[3:]] + [passage(99)]
    writer(api, tmp_path).write(moved, 2)
    assert paid(api) == ONCE + Counter([passage(99).digest])


def test_more_questions_later_ask_only_for_those_lacking(api: FakeAnthropic, tmp_path: Path) -> None:
    api.answer = lambda text, nth: reply(questions(2, f"try {nth}"))
    assert len(writer(api, tmp_path).write(PASSAGES[:1], 1).questions) == 1
    assert len(writer(api, tmp_path).write(PASSAGES[:1], 2).questions) == 2
    assert {text.split(" for|")[0]: n for text, n in api.paid.items()} == {"Write 1": 2}


def test_live_calls_pay_once_at_full_price(api: FakeAnthropic, tmp_path: Path) -> None:
    written = writer(api, tmp_path, replace(TERMS, live=True)).write(PASSAGES, 2)
    assert everything(written)
    assert paid(api) == ONCE
    assert (api.calls["messages.create"], api.calls["batches.create"]) == (10, 0)
    assert written.usd == pytest.approx(api.usd)


# ── the cap ───────────────────────────────────────────────────────────────────────────────────────


def test_the_estimate_brackets_the_bill_and_sends_nothing(api: FakeAnthropic, tmp_path: Path) -> None:
    estimate = writer(api, tmp_path).estimate(PASSAGES, 2)
    assert api.calls.total() == 0
    writer(api, tmp_path).write(PASSAGES, 2)
    assert estimate.n_passages == 10
    assert estimate.likely_usd / 4 < api.usd < estimate.worst_usd
    assert writer(api, tmp_path).estimate(PASSAGES, 2).n_passages == 0


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("share", [0.15, 0.5, 0.9])
def test_the_bill_never_passes_the_cap_and_what_is_lacking_says_so(
    api: FakeAnthropic, tmp_path: Path, live: bool, share: float
) -> None:
    api.answer = lambda text, nth: reply(questions(2, "x" * 400), "max_tokens")  # as dear as can be
    terms = replace(TERMS, live=live, tokens_a_question=100)
    worst = writer(api, tmp_path, terms).estimate(PASSAGES, 2).worst_usd
    capped = replace(terms, max_usd=worst * share)
    for _ in range(3):  # the cap is over all runs
        written = writer(api, tmp_path, capped).write(PASSAGES, 2)
        assert api.usd <= capped.max_usd
    assert max(paid(api).values()) == 1
    if share < 0.5:
        assert not written.complete
        assert all("max_usd" in why for why in written.missing.values())
    assert len(written.questions) == 2 * len(paid(api))
    assert everything(writer(api, tmp_path, terms).write(PASSAGES, 2))
    assert paid(api) == ONCE


def test_a_cap_below_one_request_sends_nothing(api: FakeAnthropic, tmp_path: Path) -> None:
    written = writer(api, tmp_path, replace(TERMS, max_usd=0.00001)).write(PASSAGES, 2)
    assert (len(written.missing), api.calls.total()) == (10, 0)


# ── crashes ───────────────────────────────────────────────────────────────────────────────────────


def test_a_crash_while_waiting_is_taken_up_without_paying_again(api: FakeAnthropic, tmp_path: Path) -> None:
    api.polls = 3
    with pytest.raises(Crash):
        writer(api, tmp_path, sleep=Slept(crash_at=0)).write(PASSAGES, 2)
    (record,) = (tmp_path / "batches").glob("*.json")
    assert json.loads(record.read_text())["id"] == "msgbatch_0"
    assert everything(writer(api, tmp_path).write(PASSAGES, 2))
    assert (paid(api), api.calls["batches.create"]) == (ONCE, 1)


@pytest.mark.parametrize("crash_at", range(4))
def test_a_crash_at_any_saving_of_a_record_pays_for_nothing_twice(
    api: FakeAnthropic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crash_at: int
) -> None:
    saves = []
    save = question_batches.BatchFolder.save

    def crashing(self: Any, record: Any) -> Any:
        saves.append(record.state)
        if len(saves) == crash_at // 2 + 1:
            if crash_at % 2:
                save(self, record)
            raise Crash
        return save(self, record)

    monkeypatch.setattr(question_batches.BatchFolder, "save", crashing)
    with pytest.raises(Crash):
        writer(api, tmp_path).write(PASSAGES, 2)
    monkeypatch.setattr(question_batches.BatchFolder, "save", save)
    assert everything(writer(api, tmp_path).write(PASSAGES, 2))
    assert paid(api) == ONCE
    assert api.calls["batches.create"] == 1


def test_a_crash_in_the_middle_of_the_results_keeps_them_all(
    api: FakeAnthropic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = QuestionCache.add
    added: list[str] = []

    def crashing(self: QuestionCache, key: str, texts: Any) -> None:
        if len(added) == 4:
            raise Crash
        added.append(key)
        add(self, key, texts)

    monkeypatch.setattr(QuestionCache, "add", crashing)
    with pytest.raises(Crash):
        writer(api, tmp_path).write(PASSAGES, 2)
    monkeypatch.setattr(QuestionCache, "add", add)
    written = writer(api, tmp_path).write(PASSAGES, 2)
    assert everything(written)
    assert paid(api) == ONCE
    assert written.usd == pytest.approx(api.usd)


def test_another_programs_batch_of_the_same_size_is_not_taken_for_ours(
    api: FakeAnthropic, tmp_path: Path
) -> None:
    api.polls = 0
    params = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "theirs|x"}]}
    api.script("batches.create", HANG)
    theirs = {"requests": [{"custom_id": f"theirs-{n}", "params": params} for n in range(10)]}
    api.create(theirs)
    api.paid.clear()
    assert everything(writer(api, tmp_path).write(PASSAGES, 2))
    assert api.calls["batches.results"] == 2  # theirs were looked at, and left alone
    assert paid(api) == ONCE


def test_two_runs_at_once_are_refused(api: FakeAnthropic, tmp_path: Path) -> None:
    with sole_user(tmp_path), pytest.raises(ConfigurationError, match="another run"):
        writer(api, tmp_path).write(PASSAGES, 2)
    assert api.calls.total() == 0


# ── failures of the server ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "script",
    [
        {"batches.create": [status(429, "7"), status(529)]},
        {"batches.create": [HANG]},
        {"batches.create": [HANG_AFTER]},
        {"batches.create": [FAIL_AFTER]},
        {"batches.create": [status(500)]},
        {"batches.create": [CUT]},
        {"batches.create": [HANG_AFTER], "batches.list": [status(529), CUT]},
        {"batches.retrieve": [status(529), HANG]},
        {"batches.results": [CUT, SHORT]},
        {"batches.results": [HANG, status(500)]},
    ],
    ids=lambda script: "+".join(f"{kind}:{len(steps)}" for kind, steps in script.items()),
)
def test_each_passage_is_paid_once_whatever_the_server_does(
    api: FakeAnthropic, tmp_path: Path, script: dict[str, list[Any]]
) -> None:
    for kind, steps in script.items():
        api.script(kind, *steps)
    assert everything(writer(api, tmp_path).write(PASSAGES, 2))
    assert paid(api) == ONCE


def test_the_servers_pause_is_kept(api: FakeAnthropic, tmp_path: Path) -> None:
    api.polls = 0
    api.script("batches.create", status(429, "7"), status(529))
    slept = Slept()
    writer(api, tmp_path, sleep=slept).write(PASSAGES, 2)
    assert slept == [7, 2]


def test_an_api_that_stays_overloaded_is_incomplete_and_resumable(api: FakeAnthropic, tmp_path: Path) -> None:
    api.script("batches.create", *[status(529)] * 3)
    written = writer(api, tmp_path).write(PASSAGES, 2)
    assert len(written.missing) == 10
    assert all("529" in why for why in written.missing.values())
    assert (written.usd, written.note) == (0, "")  # nothing stays reserved
    assert everything(writer(api, tmp_path).write(PASSAGES, 2))
    assert paid(api) == ONCE


def test_results_that_stay_torn_are_left_for_the_next_run(api: FakeAnthropic, tmp_path: Path) -> None:
    api.script("batches.results", CUT, CUT, CUT)
    written = writer(api, tmp_path).write(PASSAGES, 2)
    assert all("msgbatch_0" in why for why in written.missing.values())
    assert "reserved" in written.note
    assert everything(writer(api, tmp_path).write(PASSAGES, 2))
    assert (paid(api), api.calls["batches.create"]) == (ONCE, 1)


def test_a_batch_that_takes_too_long_is_left_for_the_next_run(api: FakeAnthropic, tmp_path: Path) -> None:
    api.polls = 14
    for _ in range(2):
        written = writer(api, tmp_path).write(PASSAGES, 2)
        assert len(written.missing) == 10
        assert all("still being worked on" in why for why in written.missing.values())
    assert everything(writer(api, tmp_path).write(PASSAGES, 2))
    assert (paid(api), api.calls["batches.create"]) == (ONCE, 1)


def test_items_that_failed_unbilled_are_asked_again_alone(api: FakeAnthropic, tmp_path: Path) -> None:
    def answer(text: str, nth: int) -> Answer:
        unlucky = {"3": "errored", "4": "expired", "5": "canceled"}
        part = text.split("the ")[-1][0]
        return Answer(unpaid=unlucky[part]) if nth == 0 and part in unlucky else reply(questions(2, part))

    api.answer = answer
    assert everything(writer(api, tmp_path).write(PASSAGES, 2))
    assert paid(api) == ONCE
    assert [len(batch.requests) for batch in api.batches.values()] == [10, 3]


def test_an_item_that_always_fails_is_named_and_given_up_after_three(
    api: FakeAnthropic, tmp_path: Path
) -> None:
    bad = PASSAGES[7]
    api.answer = lambda text, nth: (
        Answer(unpaid="errored") if "7th" in text else reply(questions(2, text[-8:]))
    )
    written = writer(api, tmp_path).write(PASSAGES, 2)
    assert dict(written.missing) == {bad.digest: "overloaded_error: Overloaded"}
    assert len(written.questions) == 18
    assert max(api.asked.values()) == 3


@pytest.mark.parametrize("live", [False, True])
def test_truncated_json_keeps_what_is_whole_and_asks_for_the_rest(
    api: FakeAnthropic, tmp_path: Path, live: bool
) -> None:
    def answer(text: str, nth: int) -> Answer:
        if "2th" in text and text.startswith("Write 2"):
            return reply('["Why the sea?", "Where do shi', "max_tokens")
        return reply(questions(2, text[8]))

    api.answer = answer
    assert everything(writer(api, tmp_path, replace(TERMS, live=live)).write(PASSAGES, 2))
    assert paid(api) == ONCE + Counter([PASSAGES[2].digest])
    assert sorted(text[:7] for text in api.paid if "2th" in text) == ["Write 1", "Write 2"]


@pytest.mark.parametrize("live", [False, True])
def test_a_refusal_is_named_and_never_paid_for_again(api: FakeAnthropic, tmp_path: Path, live: bool) -> None:
    api.answer = lambda text, nth: REFUSAL if "5th" in text else reply(questions(2, text[-8:]))
    for _ in range(2):
        written = writer(api, tmp_path, replace(TERMS, live=live)).write(PASSAGES, 2)
        assert dict(written.missing) == {PASSAGES[5].digest: "refused by the model"}
        assert paid(api) == ONCE


def test_live_failures_are_handled_item_by_item(api: FakeAnthropic, tmp_path: Path) -> None:
    api.script("messages.create", status(429, "3"), status(529), WELL)  # the first passage, at last
    api.script("messages.create", status(500), status(529), WELL)  # the second too
    api.script("messages.create", HANG, status(400))  # and the third not
    written = writer(api, tmp_path, replace(TERMS, live=True)).write(PASSAGES, 2)
    assert dict(written.missing) == {PASSAGES[2].digest: "400 api_error: scripted 400"}
    assert "reserved" in written.note
    assert paid(api) == ONCE - Counter([PASSAGES[2].digest])
    assert everything(writer(api, tmp_path, replace(TERMS, live=True)).write(PASSAGES, 2))
    assert paid(api) == ONCE


def test_live_replies_that_are_billed_and_lost_stay_below_the_cap(api: FakeAnthropic, tmp_path: Path) -> None:
    terms = replace(TERMS, live=True)
    one = writer(api, tmp_path, terms).estimate(PASSAGES[:1], 2).worst_usd
    api.script("messages.create", *[HANG_AFTER] * 3)
    written = writer(api, tmp_path, replace(terms, max_usd=one * 2.5)).write(PASSAGES[:1], 2)
    assert "max_usd" in written.missing[PASSAGES[0].digest]
    assert api.calls["messages.create"] == 2
    assert api.usd <= one * 2.5


# ── the key ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("live", [False, True])
def test_the_key_is_in_no_file_log_repr_or_traceback(
    api: FakeAnthropic, tmp_path: Path, caplog: pytest.LogCaptureFixture, live: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    terms = replace(TERMS, live=live)
    kind = "messages.create" if live else "batches.create"
    api.script(kind, status(429), HANG, CUT)
    writer(api, tmp_path, terms).write(PASSAGES, 2)
    api.script(kind, *[status(401)] * 9)
    asking = writer(api, tmp_path, terms)
    with pytest.raises(ConfigurationError, match=r"401.*ANTHROPIC_API_KEY") as caught:
        asking.write([passage(99)], 2)
    assert api.keys == {SENTINEL}  # it was used, and the server threw it back
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    seen = [*shown.format(), repr(asking), repr(vars(asking)), repr(caught.value), caplog.text]
    seen += [str(vars(record)) for record in caplog.records]
    seen += [path.read_text("utf-8") for path in tmp_path.rglob("*") if path.is_file()]
    assert len(seen) > 8
    assert not [each for each in seen if SENTINEL in each or "SENTINEL" in each]


@pytest.mark.parametrize("value", [None, "  "])
def test_without_a_key_nothing_is_sent(
    api: FakeAnthropic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.setitem(os.environ, "ANTHROPIC_API_KEY", value or "")
    if value is None:
        monkeypatch.delenv("ANTHROPIC_API_KEY")
    with pytest.raises(MissingPrerequisiteError, match="ANTHROPIC_API_KEY"):
        writer(api, tmp_path).write(PASSAGES, 2)
    assert api.calls.total() == 0
    assert not (tmp_path / "spent.jsonl").exists()


# ── terms and replies ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "claude-haiku-latest"},
        {"prompt": "Ask something."},
        {"price": Price(0, 5)},
        {"max_usd": -1},
    ],
)
def test_terms_that_cannot_be_kept_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        replace(TERMS, **changed)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('["A?", "B?"]', ["A?", "B?"]),
        ('```json\n["A?",\n "B \\"c\\"?"]\n```', ["A?", 'B "c"?']),
        ('["A?", "B', ["A?"]),
        ('["A \\', []),
        ('Here: ["A?", 3, ""] so', ["A?"]),
        ("I will not.", []),
    ],
)
def test_questions_are_read_as_far_as_they_are_whole(written: str, expected: list[str]) -> None:
    assert parse_questions(written) == expected
