"""A conversation -> token ids and the mask that trains on the answer only.

    <|im_start|>user\\nWhy?<|im_end|>\\n<|im_start|>assistant\\n  Because.  <|im_end|>  \\n
    |------------------- prompt, masked ---------------------|  |-- target --|  masked

Where the answer begins is found by rendering the conversation twice, with the answer and up to it; no
template's markers are assumed. Whatever does not come out exactly as drawn is refused, with the rendered
example shown: a mask that is one token off trains a model to write the wrong thing, and says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from harness.errors import ConfigurationError

IGNORED = -100
"""The label of a token that carries no loss, as torch's cross-entropy has it."""

Message = Mapping[str, str]
"""``{"role": "system" | "user" | "assistant", "content": text}``."""


@dataclass(frozen=True)
class Masked:
    """One example: ``labels`` are ``input_ids`` on target tokens and -100 elsewhere, of equal length.

    ``n_target``: target tokens kept. ``n_cut``: target tokens lost beyond the maximum length.
    """

    input_ids: list[int]
    labels: list[int]
    n_target: int
    n_cut: int


def conversation(system: str, user: str, assistant: str | None = None) -> list[Message]:
    """The messages of one turn; an empty system prompt is left out."""
    messages: list[Message] = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": user})
    if assistant is not None:
        messages.append({"role": "assistant", "content": assistant})
    return messages


def render(tokenizer: Any, messages: Sequence[Message], *, add_generation_prompt: bool) -> str:
    """The conversation as the base's chat template writes it, special tokens as text.

    Raises ConfigurationError where the tokenizer has no chat template or the template refuses.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise ConfigurationError(
            f"the tokenizer of {_name(tokenizer)} has no chat template; use an instruction-tuned base"
        )
    try:
        return str(
            tokenizer.apply_chat_template(
                [dict(message) for message in messages],
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
            )
        )
    except Exception as error:  # a template is foreign code: it raises whatever it likes
        roles = ", ".join(message["role"] for message in messages)
        raise ConfigurationError(
            f"the chat template of {_name(tokenizer)} refuses ({roles}): {error}"
        ) from error


def mask_response(tokenizer: Any, messages: Sequence[Message], max_length: int) -> Masked:
    """Token ids and response-only labels of a conversation whose last message is the assistant's.

    Checked: the prompt's ids are a prefix of the whole's; the target decodes to exactly the answer plus
    one end-of-turn token, and holds no other special token; the text does not begin with two BOS.
    What the template writes after the end of turn (a newline, often) is masked. Ids beyond
    ``max_length`` are dropped and the target tokens among them counted.
    Raises ConfigurationError, showing the rendered example, where one of these fails.
    """
    if not messages or messages[-1]["role"] != "assistant":
        raise ConfigurationError("an example must end with the assistant's message")
    answer = messages[-1]["content"]
    whole = render(tokenizer, messages, add_generation_prompt=False)
    prompt = render(tokenizer, messages[:-1], add_generation_prompt=True)
    if not whole.startswith(prompt):
        _refuse("the template writes the prompt differently once an answer follows", whole)
    turn = whole[len(prompt) :]
    if not answer or not turn.startswith(answer):
        _refuse("the template alters the answer, or puts something before it", whole)

    ids, prompt_ids = encode(tokenizer, whole), encode(tokenizer, prompt)
    if ids[: len(prompt_ids)] != prompt_ids:
        _refuse("the prompt's tokens change once an answer follows", whole)
    bos = tokenizer.bos_token_id
    if bos is not None and ids[:2] == [bos, bos]:
        _refuse("it begins with two beginning-of-text tokens", whole)

    special = special_ids(tokenizer)
    tail = ids[len(prompt_ids) :]
    ends = [position for position, token in enumerate(tail) if token in special]
    if not ends:
        _refuse("no end-of-turn token follows the answer, so the model would never learn to stop", whole)
    target = tail[: ends[0] + 1]
    expected = answer + decode(tokenizer, target[-1:])
    if decode(tokenizer, target) != expected:
        _refuse(f"the target decodes to {decode(tokenizer, target)!r} and not to {expected!r}", whole)

    begin, end = len(prompt_ids), len(prompt_ids) + len(target)
    labels = [token if begin <= position < end else IGNORED for position, token in enumerate(ids)]
    n_cut = min(len(target), max(0, end - max_length))
    return Masked(ids[:max_length], labels[:max_length], len(target) - n_cut, n_cut)


def encode(tokenizer: Any, rendered: str) -> list[int]:
    """Ids of a rendered text; nothing is added, because the template has written every special token."""
    return list(tokenizer(rendered, add_special_tokens=False)["input_ids"])


def decode(tokenizer: Any, ids: Sequence[int]) -> str:
    """The text of ids, special tokens kept and spaces left alone."""
    return str(tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False))


def special_ids(tokenizer: Any) -> frozenset[int]:
    """Ids that are marks and not words: the named special tokens and the added ones.

    Some vocabularies add runs of spaces as tokens; those are text.
    """
    added = getattr(tokenizer, "added_tokens_decoder", {})
    marks = (id_ for id_, token in added.items() if token.special or token.content.strip())
    return frozenset(tokenizer.all_special_ids) | frozenset(marks)


def _name(tokenizer: Any) -> str:
    return str(getattr(tokenizer, "name_or_path", "") or "this base").rsplit("/", 1)[-1]


def _refuse(fault: str, rendered: str) -> NoReturn:
    shown = rendered if len(rendered) <= 1200 else f"{rendered[:600]} ... {rendered[-600:]}"
    raise ConfigurationError(
        f"the chat template cannot be masked: {fault}. The example as rendered:\n{shown}"
    )
