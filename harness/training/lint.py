"""Is an example what it should be? Looked at once more from its tokens alone, however it was made.

    ids, labels  --decode-->  exactly lead + answer + end of turn?  one BOS?  marks whole?  a stop at the end?

The five faults that make a fine-tune quietly bad: two beginning-of-text tokens, no end to learn, prompt left
in the target, special tokens split into pieces, targets cut off. The last is counted here and judged over
the whole set, in ``examples``.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from harness.errors import ConfigurationError
from harness.training.chat import IGNORED, Masked, Turn, decode, encode, shorten

_MARK = re.compile(r"<\|[^|<>\s]{1,40}\|>|<｜[^<>｜\s]{1,40}｜>")
"""What every template that writes it means as one token. ``[INST]`` and ``<think>`` are text in some."""


def lint(tokenizer: Any, example: Masked, answer: str, turn: Turn, stops: Collection[int]) -> tuple[str, ...]:
    """Every fault of one example, in words; empty where there is none.

    ``answer``: what the assistant says; ``turn``: what the template writes around it; ``stops``: ids at
    which generation ends.
    """
    faults = []
    bos = tokenizer.bos_token_id
    if bos is not None and example.input_ids[:2] == [bos, bos]:
        faults.append("it begins with two beginning-of-text tokens")
    split = _split_marks(tokenizer, decode(tokenizer, example.input_ids))
    if split:
        faults.append(f"{split[0]} is no token of this base and is split into pieces")
    target = [label for label in example.labels if label != IGNORED]
    if example.n_cut:
        faults.append(f"{example.n_cut} target tokens are cut off")
    if target:
        faults += _target_faults(tokenizer, target, turn.lead + answer, turn.ending, example.n_cut > 0)
        if not example.n_cut and target[-1] not in stops:
            faults.append(
                f"the answer ends with {decode(tokenizer, target[-1:])!r}, at which this base does not stop; "
                "name it as eos in generation_config.json, or give another template"
            )
    return tuple(faults)


def check_example(tokenizer: Any, example: Masked, answer: str, turn: Turn, stops: Collection[int]) -> None:
    """Raises ConfigurationError, showing the example, for any fault but a cut: the set decides on those."""
    faults = [fault for fault in lint(tokenizer, example, answer, turn, stops) if "cut off" not in fault]
    if faults:
        shown = shorten(decode(tokenizer, example.input_ids))
        raise ConfigurationError(
            f"an example is not right: {'; '.join(faults)}. The example as rendered:\n{shown}"
        )


def _target_faults(tokenizer: Any, target: list[int], text: str, ending: str, cut: bool) -> list[str]:
    decoded = decode(tokenizer, target)
    if cut:
        # A cut may go through a character of several bytes.
        right = (text + ending).startswith(decoded.rstrip("\ufffd"))
    else:
        right = decoded.startswith(text) and ending.startswith(decoded[len(text) :])
    if right:
        return []
    if text and text in decoded:
        return [f"prompt or template is left in the target: {decoded[: decoded.index(text)][-60:]!r}"]
    return [f"the target is {shorten(decoded)!r} and not the answer"]


def _split_marks(tokenizer: Any, rendered: str) -> list[str]:
    return [mark for mark in sorted(set(_MARK.findall(rendered))) if len(encode(tokenizer, mark)) != 1]
