"""A ``Model`` as lm-eval sees one, so that its stock tasks run on whatever is loaded, in a child process too.

    lm-eval's (context, continuation) --its own _encode_pair--> tokens --> Model.continuations
    lm-eval's (context, until)        --> tokens --> Model.answers --> cut at the first stop

The protocol is lm-eval's own for a base model: no chat template, no system prompt, the tokenizer's default
special tokens, BOS (EOS where there is none) before a text without context, and nothing cached.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.decodings import make_decoding
from harness.errors import StylobenchError
from harness.models import Model
from harness.models.tokens import ReadsTokens, TokenPair, TokenPrompt

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

LONGEST_WINDOW = 4096
"""Tokens that one forward reads at most: lm-eval would fill the model's length, whatever the memory."""

_GENERATED = 256
"""Tokens an answer may have where a task does not say: lm-eval's default."""

_LENGTHS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
"""The names lm-eval has for that limit."""

_NUMBERS = ("temperature", "top_p", "top_k")

_WITHOUT_EFFECT = {
    "num_beams": 1, "num_return_sequences": 1, "n": 1, "repetition_penalty": 1, "length_penalty": 1,
    "presence_penalty": 0, "frequency_penalty": 0, "min_p": 0, "typical_p": 1,
}  # fmt: skip
"""Settings that are not applied here, with the value at which they change nothing."""


class StockError(StylobenchError):
    """A task that this model cannot be asked, or whose own functions fail: the others can go on."""


def window_of(base: Path) -> int:
    """How many tokens one forward reads: the length the base's config states, 2048 without, 4096 at most."""
    try:
        config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        config = {}
    parts = [config, config.get("text_config") or {}]
    names = ("n_positions", "max_position_embeddings", "n_ctx")
    stated = [part[name] for part in parts for name in names if isinstance(part.get(name), int)]
    return min([*stated[:1], LONGEST_WINDOW]) if stated else 2048


def generation_fault(settings: Mapping[str, Any]) -> str:
    """What is wrong with a task's ``generation_kwargs``, or is not applied here; empty if nothing.

    >>> generation_fault({"until": 5})
    'until: 5 is no text and no list of texts'
    """
    until = settings.get("until", [])
    if not all(isinstance(stop, str) for stop in (until if isinstance(until, list) else [until])):
        return f"until: {until!r} is no text and no list of texts"
    for name, value in settings.items():
        if name in _LENGTHS and value is not None and not (_is_number(value) and int(value) >= 1):
            return f"{name}: {value!r} is no number of tokens"
        if name in _NUMBERS and not (_is_number(value) and float(value) >= 0):
            return f"{name}: {value!r} is no number that it could be"
        if name == "do_sample" and not isinstance(value, bool | None):
            return f"do_sample: {value!r} is neither true nor false"
        known = name in (*_LENGTHS, *_NUMBERS, "until", "do_sample")
        if not known and not (name in _WITHOUT_EFFECT and value == _WITHOUT_EFFECT[name]):
            return f"{name}: {value!r} would not be applied"
    return ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def as_lm(model: Model, tokenizer: Any, window: int, batch: int = 32) -> Any:
    """An ``lm_eval.api.model.LM`` over a model and its base's tokenizer; ``batch``: answers drawn at once.

    Raises:
        StockError: the model's engine cannot score tokens.
    """
    from lm_eval import utils
    from lm_eval.api.model import TemplateLM
    from lm_eval.models.utils import (
        handle_stop_sequences,
        has_bos_prefix,
        normalize_gen_kwargs,
        postprocess_generated_text,
    )

    if not isinstance(model, ReadsTokens):
        raise StockError(f"{model.engine} cannot score tokens, which lm-eval's tasks need")
    reader = model
    first = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id

    class StockLM(TemplateLM):  # type: ignore[misc]
        """lm-eval's side; its base class does the pairing of context and continuation."""

        @property
        def eot_token_id(self) -> int:
            return int(tokenizer.eos_token_id)

        @property
        def prefix_token_id(self) -> int:
            return int(first)

        def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
            """By the tokenizer's own habit, without a second BOS where the text brings one."""
            if add_special_tokens is None and has_bos_prefix(string, tokenizer.decode(first)):
                add_special_tokens = False
            wished = {} if add_special_tokens is None else {"add_special_tokens": add_special_tokens}
            return list(tokenizer.encode(string, **wished))

        def _loglikelihood_tokens(
            self, requests: Sequence[tuple[Any, list[int], list[int]]], **_: Any
        ) -> list[tuple[float, bool]]:
            """Contexts are cut on the left; the last token is predicted and not read."""
            pairs = []
            for _, context, continuation in requests:
                if not 0 < len(continuation) <= window:
                    raise StockError(
                        f"a continuation of {len(continuation)} tokens cannot be scored in {window}"
                    )
                read = context[-(window + 1 - len(continuation)) :]
                pairs.append(TokenPair(tuple(read), tuple(continuation)))
            return [(one.loglik, one.greedy) for one in reader.continuations(pairs)]

        def loglikelihood_rolling(self, requests: list[Instance], disable_tqdm: bool = False) -> list[float]:
            """By lm-eval's windows: each token scored once, one token of context between two windows."""
            found = []
            for request in requests:
                windows = utils.get_rolling_token_windows(
                    token_list=self.tok_encode(request.args[0]),
                    prefix_token=self.prefix_token_id,
                    max_seq_len=window,
                    context_len=1,
                )
                parts = [(None, *utils.make_disjoint_window(one)) for one in windows]
                found.append(sum(loglik for loglik, _ in self._loglikelihood_tokens(parts)))
            return found

        def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
            """Requests of one setting together, in batches; an answer ends where a stop first appears."""
            answers: dict[int, str] = {}
            repeats = _repeats(requests)
            groups: dict[str, list[int]] = {}
            for index, request in enumerate(requests):
                groups.setdefault(json.dumps(request.args[1], sort_keys=True), []).append(index)
            for setting, members in groups.items():
                kwargs = normalize_gen_kwargs(json.loads(setting), _GENERATED)
                until = handle_stop_sequences(kwargs["until"], eos=tokenizer.decode(self.eot_token_id))
                longest = int(kwargs["max_gen_toks"])
                temperature = float(kwargs.get("temperature") or 0.0) if kwargs["do_sample"] else 0.0
                decoding = make_decoding(
                    temperature, float(kwargs.get("top_p") or 1.0), longest, 0, int(kwargs.get("top_k") or 0)
                )
                for start in range(0, len(members), batch):
                    some = members[start : start + batch]
                    asked = [self._prompt(requests[i], repeats[i], window - longest) for i in some]
                    for index, drawn in zip(some, reader.answers(asked, decoding), strict=True):
                        answers[index] = postprocess_generated_text(_plain(drawn.text), until, None)
            return [answers[index] for index in range(len(requests))]

        def _prompt(self, request: Instance, repeat: int, room: int) -> TokenPrompt:
            """Cut on the left to what leaves room for the answer."""
            if room < 1:
                raise StockError(f"the task wants longer answers than a window of {window} tokens holds")
            ids = self.tok_encode(request.args[0])[-room:] or [self.prefix_token_id]
            noise = f"lm_eval/{request.task_name}/{request.doc_id}/{request.idx}/{repeat}"
            return TokenPrompt(tuple(ids), noise)

    def _plain(text: str) -> str:
        for token in tokenizer.all_special_tokens:
            text = text.replace(token, "")
        return text

    return StockLM()


def _repeats(requests: Sequence[Instance]) -> list[int]:
    """How often each request was asked before, so that no two draws share their noise."""
    seen: Counter[tuple[Any, ...]] = Counter()
    found = []
    for request in requests:
        which = (request.task_name, request.doc_id, request.idx)
        found.append(seen[which])
        seen[which] += 1
    return found
