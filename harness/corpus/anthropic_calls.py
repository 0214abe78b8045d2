"""One call to the Anthropic API, and what became of it: a value, or a ``Failed`` that says what it may cost.

    busy     429, 529, no connection      certainly not carried out: wait and try again
    lost     timeout, 5xx, torn reply     perhaps carried out: a read is repeated, a purchase looked for
    refused  400, 413, 422                this request is wrong, and stays so
    barred   401, 402, 403, 404           the key, the account or the model is: nothing else will work either

The key comes from the environment when a client is made and is kept nowhere else. The SDK's exceptions hold
requests, and so the key: they end here, are never chained to another, and only their type and message go on.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from harness.errors import ConfigurationError, MissingPrerequisiteError

if TYPE_CHECKING:
    import anthropic

KEY_NAME = "ANTHROPIC_API_KEY"
_MAX_PAUSE_S = 60.0
_BUSY_STATUS, _BARRED_STATUS = (429, 529), (401, 402, 403, 404)
_WHOLE_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)

T = TypeVar("T")


@dataclass(frozen=True)
class Failed:
    """Why a call gave nothing. ``pause_s``: what the server asked to wait, in seconds; 0 if it did not."""

    kind: Literal["busy", "lost", "refused", "barred"]
    why: str
    pause_s: float = 0.0


@dataclass(frozen=True)
class Reply:
    """What a model's message holds: whole questions, and in ``fault`` what kept it from holding more."""

    questions: tuple[str, ...]
    n_input: int
    n_output: int
    refused: bool
    fault: str = ""


@dataclass(frozen=True)
class Patience:
    """How long to try, in seconds, and how often. ``look_s``: between looks for a batch whose creation was
    not confirmed; a server that was asked ``tries`` such looks ago has either made it or never will.
    """

    tries: int = 3
    timeout_s: float = 60.0
    poll_s: float = 30.0
    wait_s: float = 24 * 3600.0
    look_s: float = 60.0


class Calls:
    """The client, with retries that know what may be repeated. The SDK's own are off: they do not."""

    def __init__(self, base_url: str | None, patience: Patience, sleep: Callable[[float], None]) -> None:
        self._client = _client(base_url, patience.timeout_s)
        self._patience, self._sleep = patience, sleep

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def once(self, call: Callable[[anthropic.Anthropic], T]) -> T | Failed:
        """The call's value or its failure; never an exception of the SDK."""
        import anthropic
        import httpx2

        try:
            return call(self._client)
        except anthropic.APIStatusError as error:
            return _status_failure(error.status_code, error.body, error.response.headers)
        except anthropic.APIConnectionError as error:
            unsent = isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout)
            return Failed("busy" if unsent else "lost", "no connection" if unsent else "timeout")
        except (anthropic.AnthropicError, httpx2.HTTPError, httpx2.StreamError, ValueError, OSError) as error:
            return Failed("lost", f"unreadable reply ({type(error).__name__})")

    def unless_busy(self, call: Callable[[anthropic.Anthropic], T]) -> T | Failed:
        """For purchases: repeated only while the server says that it did nothing."""
        return self._repeat(call, ("busy",))

    def read(self, call: Callable[[anthropic.Anthropic], T]) -> T | Failed:
        """For what costs nothing: repeated whenever the reply did not arrive."""
        return self._repeat(call, ("busy", "lost"))

    def pause(self, failed: Failed, attempt: int) -> None:
        """Wait as long as the server asked, else 1, 2, 4 ... seconds; at most a minute."""
        self._sleep(min(failed.pause_s or 2.0**attempt, _MAX_PAUSE_S))

    def _repeat(self, call: Callable[[anthropic.Anthropic], T], kinds: tuple[str, ...]) -> T | Failed:
        found = self.once(call)
        for attempt in range(self._patience.tries - 1):
            if not isinstance(found, Failed) or found.kind not in kinds:
                break
            self.pause(found, attempt)
            found = self.once(call)
        return found


def _client(base_url: str | None, timeout_s: float) -> anthropic.Anthropic:
    try:
        import anthropic
    except ImportError:
        raise MissingPrerequisiteError(
            "the anthropic package is not installed: pip install 'stylobench[anthropic]'"
        ) from None
    if not os.environ.get(KEY_NAME, "").strip():
        raise MissingPrerequisiteError(
            f"{KEY_NAME} is not set in the environment; it is read from nowhere else"
        )
    return anthropic.Anthropic(
        api_key=os.environ[KEY_NAME].strip(),
        base_url=base_url,
        timeout=timeout_s,
        max_retries=0,
        open_telemetry=False,
    )


def barred(failed: Failed) -> ConfigurationError:
    """The error for a call that no retry will mend."""
    return ConfigurationError(f"the Anthropic API refused: {failed.why}; check {KEY_NAME} and the model's id")


def read_message(message: Any, n: int) -> Reply:
    """At most ``n`` questions from a message of the Messages API, with what it was billed for.

    A reply that ran out of tokens gives the questions that were finished.
    """
    used = message.usage
    n_input = sum(
        getattr(used, name, None) or 0
        for name in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    )
    written = "".join(block.text for block in message.content if block.type == "text")
    questions = tuple(parse_questions(written)[:n])
    refused = message.stop_reason == "refusal"
    fault = ""
    if refused:
        fault = "refused by the model"
    elif len(questions) < n:
        cut = "was cut off" if message.stop_reason == "max_tokens" else "is not as asked"
        fault = f"the reply {cut}: {len(questions)} of {n} questions"
    return Reply(questions, n_input, used.output_tokens, refused, fault)


def parse_questions(reply: str) -> list[str]:
    """The strings of the first JSON array in a reply, or those that were whole when it was cut off."""
    start = reply.find("[")
    if start < 0:
        return []
    try:
        values = json.JSONDecoder().raw_decode(reply, start)[0]
    except ValueError:
        values = [_unquoted(match.group()) for match in _WHOLE_STRING.finditer(reply, start)]
    return [" ".join(value.split()) for value in values if isinstance(value, str) and value.strip()]


def _unquoted(literal: str) -> str:
    try:
        return str(json.loads(literal, strict=False))
    except ValueError:
        return ""


def _status_failure(status: int, body: Any, headers: Any) -> Failed:
    error = body.get("error") if isinstance(body, dict) else None
    said = error if isinstance(error, dict) else {}
    why = f"{status} {said.get('type', '')}: {said.get('message', '')}".strip(" :")
    why = why.replace(os.environ.get(KEY_NAME, "").strip() or "\0", "[key]")
    if status in _BUSY_STATUS:
        return Failed("busy", why, _seconds(headers.get("retry-after")))
    if status in _BARRED_STATUS:
        return Failed("barred", why)
    return Failed("lost" if status >= 500 or status == 408 else "refused", why)


def _seconds(value: str | None) -> float:
    try:
        return max(0.0, float(value or 0))
    except ValueError:
        return 0.0
