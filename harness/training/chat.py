"""A conversation -> token ids and the mask that trains on the answer only.

    <|im_start|>user\\nWhy?<|im_end|>\\n<|im_start|>assistant\\n  Because.  <|im_end|>  \\n
    |------------------- prompt, masked ---------------------|  |-- target --|  masked

Where the answer begins is found by rendering a probe conversation twice, with an answer and up to it; no
template's markers are assumed. The prompt is always what the template writes at inference; what stands
between it and the answer is what the model has to write itself, so it is target:

    Qwen3, enable_thinking: false   ...assistant\\n<think>\\n\\n</think>\\n\\n|Because.<|im_end|>
    Qwen3                           ...assistant\\n|<think>\\n\\n</think>\\n\\nBecause.<|im_end|>
    Qwen3.5                         ...assistant\\n<think>\\n|\\n</think>\\n\\nBecause.<|im_end|>
    Harmony (GPT-OSS)               ...<|start|>assistant|<|channel|>final<|message|>Because.<|return|>
                                             prompt  <--  |  --> target

Whatever does not come out exactly as drawn is refused, with the rendered example shown: a mask that is one
token off trains a model to write the wrong thing, and says nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from harness.errors import ConfigurationError
from harness.training.templates import OWN, PINNED_DATE, Template, check_options, source_of

IGNORED = -100
"""The label of a token that carries no loss, as torch's cross-entropy has it."""

Message = Mapping[str, str]
"""``{"role": "system" | "user" | "assistant", "content": text}``."""

_USER, _ANSWER = "Probe-of-the-user.", "Probe-of-the-answer."


@dataclass(frozen=True)
class Masked:
    """One example: ``labels`` are ``input_ids`` on target tokens and -100 elsewhere, of equal length.

    ``n_target``: target tokens kept. ``n_cut``: target tokens lost beyond the maximum length.
    """

    input_ids: list[int]
    labels: list[int]
    n_target: int
    n_cut: int


@dataclass(frozen=True)
class Turn:
    """What a template writes around an answer, as a probe showed it; the texts of the drawing above.

    ``opening``: after the user's words at inference (prompt). ``lead``: between that and the answer, for the
    model to write (target). ``ending``: after the answer. ``header``: what a finished conversation has
    between the user's words and the answer; ``opening + lead``, but for what is written at inference only.
    """

    opening: str
    lead: str
    ending: str
    header: str


def conversation(
    system: str, user: str, assistant: str | None = None, earlier: Sequence[Message] = ()
) -> list[Message]:
    """The messages of one turn, after ``earlier`` ones; an empty system prompt is left out."""
    messages: list[Message] = [{"role": "system", "content": system}] if system else []
    messages += earlier
    messages.append({"role": "user", "content": user})
    if assistant is not None:
        messages.append({"role": "assistant", "content": assistant})
    return messages


def render(
    tokenizer: Any, messages: Sequence[Message], *, add_generation_prompt: bool, template: Template = OWN
) -> str:
    """The conversation as the chat template writes it, special tokens as text, the date pinned.

    Raises ConfigurationError where the tokenizer has no chat template, or the template refuses or does not
    know an option.
    """
    source = source_of(tokenizer, template)
    if not source:
        raise ConfigurationError(
            f"the tokenizer of {_name(tokenizer)} has no chat template; use an instruction-tuned base"
        )
    check_options(source, template)
    try:
        return str(
            tokenizer.apply_chat_template(
                [dict(message) for message in messages],
                chat_template=template.source or None,
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
                **{"strftime_now": PINNED_DATE.strftime, **template.options},
            )
        )
    except Exception as error:  # a template is foreign code: it raises whatever it likes
        roles = ", ".join(message["role"] for message in messages)
        raise ConfigurationError(
            f"the chat template of {_name(tokenizer)} refuses ({roles}): {error}"
        ) from error


def detect_turn(tokenizer: Any, template: Template = OWN, like: Sequence[Message] = ()) -> Turn:
    """What the template writes around an answer, by rendering a probe with and without one.

    ``like``: the conversation that is to be masked; its system prompt is the probe's, and it is what a
    refusal shows. Raises ConfigurationError where the answer does not come out as it went in, or where
    training would never show what the template writes at inference.
    """
    system = next((m["content"] for m in like if m["role"] == "system"), "")
    probe = conversation(system, _USER, _ANSWER)
    whole = render(tokenizer, probe, add_generation_prompt=False, template=template)
    prompt = render(tokenizer, probe[:-1], add_generation_prompt=True, template=template)
    shown = render(tokenizer, like, add_generation_prompt=False, template=template) if like else whole

    begin = whole.rfind(_ANSWER)
    if begin < 0 or _USER not in whole[:begin] or _USER not in prompt:
        _refuse("the template alters the answer, or the question", shown)
    header = whole[whole.rindex(_USER, 0, begin) + len(_USER) : begin]
    opening = prompt[prompt.rindex(_USER) + len(_USER) :]
    ending = whole[begin + len(_ANSWER) :]
    if opening.startswith(header):
        added = opening[len(header) :]
        if added.count("<think>") > added.count("</think>"):
            _refuse(
                f"at inference it opens reasoning ({added!r}) that a finished answer does not have; "
                "switch thinking off (template: {enable_thinking: false}) or give another template",
                shown,
            )
        return Turn(opening, "", ending, header)
    if not header.startswith(opening):
        _refuse(
            f"before an answer it writes {header!r}, and at inference {opening!r}; "
            "try template: {enable_thinking: false}, or give another template",
            shown,
        )
    lead = header[len(opening) :]
    if lead.strip() and not special_ids(tokenizer).intersection(encode(tokenizer, lead)):
        _refuse(f"the template alters the answer, or puts something before it ({lead!r})", shown)
    return Turn(opening, lead, ending, header)


def mask_response(
    tokenizer: Any,
    messages: Sequence[Message],
    max_length: int,
    *,
    template: Template = OWN,
    turn: Turn | None = None,
    stops: Collection[int] = (),
) -> Masked:
    """Token ids and response-only labels of a conversation whose last message is the assistant's.

    ``turn``: of this template, where it was detected before. ``stops``: ids at which generation ends;
    without, the tokenizer's end of text. The target is lead, answer and what follows up to the first of
    these, or up to the first special token where none follows; the rest of the ending (a newline, often) is
    masked.
    Checked: the prompt's ids are a prefix of the whole's, and the target decodes to exactly its text.
    Ids beyond ``max_length`` are dropped and the target tokens among them counted.
    Raises ConfigurationError, showing the rendered example, where one of these fails.
    """
    if not messages or messages[-1]["role"] != "assistant":
        raise ConfigurationError("an example must end with the assistant's message")
    answer = messages[-1]["content"]
    turn = turn or detect_turn(tokenizer, template, messages)
    finished = render(tokenizer, messages, add_generation_prompt=False, template=template)
    prompt = render(tokenizer, messages[:-1], add_generation_prompt=True, template=template)
    if not answer or not finished.endswith(turn.header + answer + turn.ending):
        _refuse("the template alters the answer, or puts something before it", finished)
    if not prompt.endswith(turn.opening):
        _refuse("the template writes this prompt's end otherwise than the probe's", finished)
    whole = prompt + turn.lead + answer + turn.ending

    ids, prompt_ids = encode(tokenizer, whole), encode(tokenizer, prompt)
    if ids[: len(prompt_ids)] != prompt_ids:
        _refuse("the prompt's tokens change once an answer follows", whole)
    bos = tokenizer.bos_token_id
    if bos is not None and ids[:2] == [bos, bos]:
        _refuse("it begins with two beginning-of-text tokens", whole)

    n_target = _target_length(tokenizer, ids[len(prompt_ids) :], turn, stops, whole)
    target = ids[len(prompt_ids) : len(prompt_ids) + n_target]
    decoded, text = decode(tokenizer, target), turn.lead + answer
    if not decoded.startswith(text) or not turn.ending.startswith(decoded[len(text) :]):
        _refuse(f"the target decodes to {decoded!r} and not to {text!r} and the end of its turn", whole)

    begin, end = len(prompt_ids), len(prompt_ids) + n_target
    labels = [token if begin <= position < end else IGNORED for position, token in enumerate(ids)]
    n_cut = min(n_target, max(0, end - max_length))
    return Masked(ids[:max_length], labels[:max_length], n_target - n_cut, n_cut)


def _target_length(
    tokenizer: Any, tail: Sequence[int], turn: Turn, stops: Collection[int], whole: str
) -> int:
    """How many tokens after the prompt are the model's to write."""
    special = special_ids(tokenizer)

    def marks(ids: Sequence[int]) -> list[int]:
        return [place for place, token in enumerate(ids) if token in special]

    after_lead = marks(tail)[len(marks(encode(tokenizer, turn.lead))) :]
    n_ending = len(marks(encode(tokenizer, turn.ending)))
    if not after_lead or not n_ending:
        _refuse("no end-of-turn token follows the answer, so the model would never learn to stop", whole)
    last = set(stops or (tokenizer.eos_token_id,))
    # A mark inside the answer is taken for its end here, and the decoded target will show that it is not.
    closing = [place for place in after_lead[:n_ending] if tail[place] in last]
    return (closing or after_lead)[0] + 1


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


def shorten(rendered: str) -> str:
    """A rendered example for an error message: both its ends."""
    return rendered if len(rendered) <= 1200 else f"{rendered[:600]} ... {rendered[-600:]}"


def _refuse(fault: str, rendered: str) -> NoReturn:
    raise ConfigurationError(
        f"the chat template cannot be masked: {fault}. The example as rendered:\n{shorten(rendered)}"
    )
