"""A ``Model`` as lm-eval sees one, so that its stock tasks run on whatever is loaded, in a child process too.

    lm-eval's (context, continuation) --its own _encode_pair--> tokens --> Model.continuations
    lm-eval's (context, until)        --> Model.generate, greedy --> cut at the first stop

The protocol is lm-eval's own for a base model: no chat template, no system prompt, the tokenizer's default
special tokens, BOS (EOS where there is none) before a text without context, and nothing cached.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.decodings import make_decoding
from harness.errors import StylobenchError
from harness.models import Model
from harness.models.tokens import ReadsTokens, TokenPair
from harness.types import GenerationRequest

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

LONGEST_WINDOW = 4096
"""Tokens that one forward reads at most: lm-eval would fill the model's length, whatever the memory."""

_GENERATED = 256
"""Tokens an answer may have where a task does not say: lm-eval's default."""


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


def as_lm(model: Model, tokenizer: Any, window: int) -> Any:
    """An ``lm_eval.api.model.LM`` over a model and its base's tokenizer.

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
            """All requests of one setting as one batch; an answer ends where a stop first appears."""
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
                asked = [self._request(requests[i], repeats[i], window - longest) for i in members]
                for index, drawn in zip(members, model.generate(asked, decoding), strict=True):
                    answers[index] = postprocess_generated_text(_plain(drawn.text), until, None)
            return [answers[index] for index in range(len(requests))]

        def _request(self, request: Instance, repeat: int, room: int) -> GenerationRequest:
            if room < 1:
                raise StockError(f"the task wants longer answers than a window of {window} tokens holds")
            text = request.args[0]
            ids = self.tok_encode(text)
            if len(ids) > room:
                text = tokenizer.decode(ids[-room:])
            elif ids[:1] == [tokenizer.bos_token_id] and not text.startswith(tokenizer.bos_token):
                text = tokenizer.bos_token + text
            noise = f"lm_eval/{request.task_name}/{request.doc_id}/{request.idx}/{repeat}"
            return GenerationRequest(f"{request.task_name}/{request.doc_id}", text, noise)

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
