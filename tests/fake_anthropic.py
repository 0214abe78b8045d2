"""A loopback server that speaks the Messages and Message Batches API, fails as told, counts what it bills.

with FakeAnthropic() as api:
    api.script("batches.create", status(529), status(429))  # the first two calls fail
    api.answer = lambda text, nth: reply('["Why?"]')  # what the model writes
    ...
    assert api.paid == Counter({...})  # billed, by the user's text
"""

from __future__ import annotations

import json
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PRICE_IN, PRICE_OUT = 1.0, 5.0
"""US dollars per million tokens; batches cost half."""


@dataclass(frozen=True)
class Step:
    """How one HTTP call goes wrong. ``after``: the server has already done the work when it does;
    ``lose``: so many lines of the results are not sent.
    """

    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    hang: bool = False
    cut: bool = False
    lose: int = 0
    after: bool = False


def status(code: int, retry_after: str | None = None) -> Step:
    return Step(status=code, headers=(("retry-after", retry_after),) if retry_after else ())


WELL = Step()
SHORT = Step(lose=3)
HANG, HANG_AFTER, CUT = Step(hang=True), Step(hang=True, after=True), Step(cut=True)
FAIL_AFTER = Step(status=500, after=True)


@dataclass(frozen=True)
class Answer:
    """What the model writes, or why a batch does not run it (``errored``, ``expired``, ``canceled``)."""

    text: str = ""
    stop: str = "end_turn"
    unpaid: str = ""


def reply(text: str, stop: str = "end_turn") -> Answer:
    return Answer(text, stop)


REFUSAL = Answer("", "refusal")


def questions(n: int, about: str) -> str:
    return json.dumps([f"What of {about} {place}?" for place in range(n)])


def judging(prefer: Callable[[str, str], str]) -> Callable[[str, int], Answer]:
    """An ``answer`` that replies to a judge's exhibit: ``prefer(first, second)`` is what it says."""

    def said(text: str, nth: int) -> Answer:
        first, second = (
            text.partition(f"<{name}>\n")[2].partition(f"\n</{name}>")[0] for name in ("first", "second")
        )
        return reply(json.dumps([prefer(first, second)]))

    return said


@dataclass
class Batch:
    id: str
    requests: list[dict[str, Any]]
    created: datetime
    polls_left: int
    results: list[dict[str, Any]] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        return self.polls_left <= 0


class FakeAnthropic:
    """``paid``: user text -> times billed; ``usd``: the whole bill; ``calls``: HTTP calls by kind."""

    def __init__(self) -> None:
        self.answer: Callable[[str, int], Answer] = lambda text, nth: reply(questions(2, text[-8:]))
        self.polls = 1
        self.paid: Counter[str] = Counter()
        self.paid_ids: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.keys: set[str] = set()
        self.usd = 0.0
        self.batches: dict[str, Batch] = {}
        self._scripts: dict[str, deque[Step]] = {}
        self._lock = threading.Lock()
        self._released = threading.Event()
        fake = self

        class Handler(_Handler):
            api = fake

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FakeAnthropic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def script(self, kind: str, *steps: Step) -> None:
        """The next calls of a kind (messages.create, batches.create, .retrieve, .results, .list) go so."""
        self._scripts.setdefault(kind, deque()).extend(steps)

    def next_step(self, kind: str) -> Step:
        with self._lock:
            self.calls[kind] += 1
            steps = self._scripts.get(kind)
            return steps.popleft() if steps else Step()

    def hang(self) -> None:
        self._released.wait(10)

    # ── what the server does ──────────────────────────────────────────────────────────────────────

    def run(self, params: dict[str, Any], share: float, custom_id: str = "") -> dict[str, Any]:
        """Carry one request out and bill it; a batch result's ``result``."""
        with self._lock:
            text = params["messages"][-1]["content"]
            answer = self.answer(text, self.asked[text])
            self.asked[text] += 1
            if answer.unpaid == "errored":
                error = {"type": "overloaded_error", "message": "Overloaded"}
                return {"type": "errored", "error": {"type": "error", "error": error, "request_id": None}}
            if answer.unpaid:
                return {"type": answer.unpaid}
            n_in, n_out = len(text) // 4, min(len(answer.text) // 4 + 1, params["max_tokens"])
            self.paid[text] += 1
            self.paid_ids[custom_id] += 1
            self.usd += share * (n_in * PRICE_IN + n_out * PRICE_OUT) / 1_000_000
            message = {
                "id": f"msg_{sum(self.paid.values())}",
                "type": "message",
                "role": "assistant",
                "model": params["model"],
                "content": [{"type": "text", "text": answer.text}],
                "stop_reason": answer.stop,
                "stop_sequence": None,
                "usage": {"input_tokens": n_in, "output_tokens": n_out},
            }
            return {"type": "succeeded", "message": message}

    def create(self, body: dict[str, Any]) -> Batch:
        batch = Batch(f"msgbatch_{len(self.batches)}", body["requests"], datetime.now(UTC), self.polls)
        self.batches[batch.id] = batch
        self._advance(batch)
        return batch

    def poll(self, batch: Batch) -> None:
        batch.polls_left -= 1
        self._advance(batch)

    def _advance(self, batch: Batch) -> None:
        if batch.ended and not batch.results:
            done = [(each["custom_id"], each["params"]) for each in batch.requests]
            rows = [{"custom_id": name, "result": self.run(params, 0.5, name)} for name, params in done]
            batch.results = rows[::-1]  # results come in any order

    def shown(self, batch: Batch) -> dict[str, Any]:
        kinds = Counter(row["result"]["type"] for row in batch.results)
        counts = {kind: kinds[kind] for kind in ("succeeded", "errored", "canceled", "expired")}
        counts["processing"] = len(batch.requests) - len(batch.results)
        url = f"{self.url}/v1/messages/batches/{batch.id}/results" if batch.ended else None
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": "ended" if batch.ended else "in_progress",
            "request_counts": counts,
            "created_at": batch.created.isoformat(),
            "expires_at": batch.created.isoformat(),
            "ended_at": batch.created.isoformat() if batch.ended else None,
            "results_url": url,
        }


class _Handler(BaseHTTPRequestHandler):
    api: FakeAnthropic
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Silence: the tests read what the client logs."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/v1/messages":
            self._carry_out("messages.create", lambda: self._live(body))
        else:
            self._carry_out("batches.create", lambda: self.api.shown(self.api.create(body)))

    def do_GET(self) -> None:
        pieces = self.path.split("?")[0].strip("/").split("/")  # v1 messages batches ID results
        if len(pieces) == 3:
            self._carry_out("batches.list", self._list)
        elif len(pieces) == 4:
            self._carry_out("batches.retrieve", lambda: self._retrieve(pieces[3]))
        else:
            self._carry_out("batches.results", lambda: self.api.batches[pieces[3]].results)

    def _live(self, body: dict[str, Any]) -> Any:
        return self.api.run(body, 1.0)["message"]

    def _retrieve(self, name: str) -> Any:
        batch = self.api.batches[name]
        self.api.poll(batch)
        return self.api.shown(batch)

    def _list(self) -> Any:
        newest_first = [self.api.shown(batch) for batch in reversed(self.api.batches.values())]
        return {"data": newest_first, "has_more": False, "first_id": None, "last_id": None}

    def _carry_out(self, kind: str, work: Callable[[], Any]) -> None:
        key = self.headers.get("authorization", "").removeprefix("Bearer ")
        self.api.keys.add(key)
        step = self.api.next_step(kind)
        done = work() if step.after or not (step.status or step.hang) else None
        if step.hang:
            self.api.hang()
            self.close_connection = True
        elif step.status:
            kinds = {401: "authentication_error", 429: "rate_limit_error", 529: "overloaded_error"}
            error = {"type": kinds.get(step.status, "api_error"), "message": f"scripted {step.status}"}
            if step.status == 401:  # as unkind as a server can be
                error["message"] = f"invalid key: {key}"
            self._send(step.status, json.dumps({"type": "error", "error": error}), headers=step.headers)
        elif kind == "batches.results":
            self._send(200, "".join(json.dumps(row) + "\n" for row in done[step.lose :]), cut=step.cut)
        else:
            self._send(200, json.dumps(done), cut=step.cut)

    def _send(
        self, code: int, text: str, headers: tuple[tuple[str, str], ...] = (), cut: bool = False
    ) -> None:
        raw = text.encode()
        raw = raw[: len(raw) * 2 // 3] if cut else raw
        self.send_response(code)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)
