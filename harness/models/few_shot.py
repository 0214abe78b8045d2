"""The control ``few_shot``: a base that is shown two passages of the author before it is asked.

    system     the suite's own
    user       Continue this passage: <first sentence>      assistant   40 to 70 words of train prose
    user       What do you hold on the matter of ...?       assistant   40 to 70 words of another passage
    user       the suite's prompt                           <- answered

What a training has to beat: the same base, untrained, that has read how the author writes. The examples are
worded as the suite's prompts are, and are the same two for every prompt and on every machine. They are not
the prompt: what is copied from them is copied from the training text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.cutting import can_be_continued, question_about
from harness.errors import ConfigurationError
from harness.models.controls import FEW_SHOT as FEW_SHOT
from harness.reference import Reference
from harness.text import count_words, cut_at_sentence, digest, words
from harness.training.chat import Message, conversation
from harness.training.styles import continuation_prompt, split_first_sentence
from harness.types import Passage, Variant

VERSION = 1
SUFFIX = "+few-shot"
LABEL = "base with two examples"
"""What a report says beside the row."""

FEWEST_WORDS, MOST_WORDS = 40, 70
"""Of an example's answer: long enough to have a style, and short, as it is read with every prompt."""

_MOST_WORDS_ASKED = 60
_BACKGROUND = 300
"""Passages that tell which words of an example are telling; all of a long author's would take a second."""

_REMEDY = f"leave {FEW_SHOT} out of the suite's `controls:`"


def name_of(base: str) -> str:
    """The variant's name: ``smollm2-135m-instruct+few-shot``."""
    return base + SUFFIX


def base_of(name: str) -> str:
    """The base that a name with examples is of; empty for any other name.

    >>> base_of("tiny+few-shot"), base_of("tiny")
    ('tiny', '')
    """
    return name.removesuffix(SUFFIX) if name.endswith(SUFFIX) else ""


def as_variant(base: Variant, reference: Reference) -> Variant:
    """A base with examples as a variant, known by the base and by what it is shown.

    Raises:
        ConfigurationError: the author's train prose has no two passages to show.
    """
    shown = examples(reference.train)
    return Variant(
        name=name_of(base.name),
        kind="base",
        digest=digest(["few-shot", VERSION, base.digest, [dict(message) for message in shown]], 32),
        base=base.name,
        record={**base.record, FEW_SHOT: [dict(message) for message in shown]},
    )


def shown_to(variant: Variant) -> list[Message]:
    """The example turns that a variant is shown before every prompt; empty for all others."""
    return list(variant.record.get(FEW_SHOT, ()))


def prompt_of(variant: Variant, render: Callable[[list[Message]], str], system: str, user: str) -> str:
    """What a variant is asked, as ``render`` writes it, after the examples where it is shown any.

    Raises:
        ConfigurationError: the chat template refuses earlier turns, or leaves them out.
    """
    shown = shown_to(variant)
    messages = conversation(system, user, earlier=shown)
    if not shown:
        return render(messages)
    try:
        rendered = render(messages)
    except ConfigurationError as error:
        first_line = str(error).partition("\n")[0]
        raise ConfigurationError(f"variant {variant.name}: {first_line}; {_REMEDY}") from error
    if any(message["content"] not in rendered for message in shown):
        raise ConfigurationError(
            f"variant {variant.name}: the chat template of {variant.base} alters earlier turns, "
            f"or leaves them out; {_REMEDY}"
        )
    return rendered


# ── which examples ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Example:
    """One turn to show: what the user asks, and the passage that the author answers with."""

    passage: Passage
    asked: str
    said: str

    @property
    def words_off(self) -> int:
        """Words by which it is longer or shorter than an example should be; 0 for one that fits."""
        n = count_words(self.said)
        too_much_asked = max(0, count_words(self.asked) - _MOST_WORDS_ASKED)
        return max(0, FEWEST_WORDS - n, n - MOST_WORDS) + too_much_asked


def examples(train: Sequence[Passage]) -> list[Message]:
    """Two turns from train passages: a continuation, and a question about another passage.

    Passages are tried in an order that their digests decide; the first that fits is taken, or the one that
    comes closest. Raises ConfigurationError where there are no two.
    """
    drawn = sorted(train, key=lambda passage: digest(["few-shot", passage.digest]))
    continued = _best(_continuations(drawn))
    elsewhere = [passage for passage in drawn if not _touch(passage, continued.passage)]
    background = drawn[:_BACKGROUND]
    seen_in = Counter(word for passage in background for word in set(words(passage.text)))
    asked = _best(_questions(elsewhere, seen_in, len(background)))
    return [*conversation("", continued.asked, continued.said), *conversation("", asked.asked, asked.said)]


def _continuations(passages: Iterable[Passage]) -> Iterator[Example]:
    for passage in passages:
        if can_be_continued(passage.text):
            first, rest = split_first_sentence(passage.text)
            yield Example(passage, continuation_prompt(first), cut_at_sentence(rest, MOST_WORDS))


def _questions(passages: Iterable[Passage], seen_in: Mapping[str, int], n: int) -> Iterator[Example]:
    """Asked about what is shown of a passage, by words that the background may lack."""
    for passage in passages:
        said = cut_at_sentence(passage.text, MOST_WORDS)
        known = {word: seen_in.get(word, 1) for word in words(said)}
        if known:
            yield Example(passage, question_about(said, known, n), said)


def _touch(one: Passage, other: Passage) -> bool:
    """Whether two passages are one or stand side by side, and so may share words."""
    return one.book == other.book and abs(one.ordinal - other.ordinal) <= 1


def _best(found: Iterable[Example]) -> Example:
    best: Example | None = None
    for each in found:
        if best is None or each.words_off < best.words_off:
            best = each
        if best.words_off == 0:
            break
    if best is None:
        raise ConfigurationError(
            f"control {FEW_SHOT!r}: the author's train prose has no two passages to show; {_REMEDY}"
        )
    return best
