"""What a model is worth along the way: validation loss, sample answers, copying, and which look was best.

    validation examples --> loss, bits per byte --\\
                                                   Look, one every eval_steps --> the best under a ceiling
    their prompts --> answers --> copied share ---/

The lowest validation loss alone would keep a model that has begun to recite; the ceiling is on copying.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.metrics.memorisation import CopyIndex, is_copied
from harness.text import words
from harness.training.chat import IGNORED, conversation, decode, encode, render, special_ids
from harness.training.spec import TrainingSpec
from harness.training.templates import Template

VALIDATION_EXAMPLES = 16
SAMPLE_TOKENS = 60
SAMPLE_TEMPERATURE, SAMPLE_TOP_P = 0.8, 0.95  # greedy answers loop at the size of the demo's model
COPY_PROMPTS, COPY_TOKENS = 8, 120

Row = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Validation:
    """``loss``: nats a target token. ``bits_per_byte``: of its text. Low is good; NaN without any."""

    loss: float
    bits_per_byte: float


@dataclass(frozen=True)
class Look:
    """The model after ``step`` steps. ``copied``: share of answers copied from train examples, in [0, 1];
    ``longest_run``: words in the longest copied piece. Both None where nobody asked.
    """

    step: int
    loss: float
    bits_per_byte: float
    copied: float | None = None
    longest_run: int | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def best(looks: Sequence[Look], ceiling: float | None) -> Look:
    """The look with the lowest loss among those whose copied share is at most the ceiling.

    Where none is under the ceiling, the one that copies least.
    """
    allowed = [look for look in looks if ceiling is None or (look.copied or 0.0) <= ceiling]
    if allowed:
        return min(allowed, key=lambda look: (look.loss, look.step))
    return min(looks, key=lambda look: (look.copied or 0.0, look.loss, look.step))


@contextlib.contextmanager
def undisturbed(model: Any) -> Iterator[None]:
    """Evaluation mode, and afterwards the mode and the random state of before.

    A run with looks along the way then ends exactly as one without.
    """
    import torch

    training = model.training
    cards = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=cards):
        model.eval()
        try:
            yield
        finally:
            model.train(training)


def validate(model: Any, tokenizer: Any, examples: Sequence[Row]) -> Validation:
    """Mean negative log-likelihood of the targets of up to 16 examples.

    Softmax in float32: in bfloat16 the loss of an example is off by more than training changes it.
    """
    import torch

    total, n_tokens, n_bytes = 0.0, 0, 0
    for row in examples[:VALIDATION_EXAMPLES]:
        ids = torch.tensor([list(row["input_ids"])], device=model.device)
        labels = torch.tensor(list(row["labels"])[1:], device=model.device)
        with torch.inference_mode():
            logits = model(input_ids=ids).logits[0, :-1]
            wanted = labels != IGNORED
            total += float(
                torch.nn.functional.cross_entropy(logits[wanted].float(), labels[wanted], reduction="sum")
            )
        n_tokens += int(wanted.sum())
        n_bytes += len(target_text(tokenizer, row).encode("utf-8"))
    return Validation(
        total / n_tokens if n_tokens else math.nan, total / math.log(2) / n_bytes if n_bytes else math.nan
    )


def sample_answers(model: Any, tokenizer: Any, spec: TrainingSpec) -> list[str]:
    """One answer to each sample prompt, drawn in one batch from the spec's seed; special tokens left out."""
    template = Template.from_record(spec.template)
    asked = [conversation(spec.system, prompt) for prompt in spec.sample_prompts]
    prompts = [
        encode(tokenizer, render(tokenizer, messages, add_generation_prompt=True, template=template))
        for messages in asked
    ]
    return answers(model, tokenizer, prompts, SAMPLE_TOKENS, spec.seed)


def answers(
    model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]], max_tokens: int, seed: int
) -> list[str]:
    """An answer to each tokenised prompt, drawn in one batch; special tokens left out."""
    import torch

    if not prompts:
        return []
    batch = tokenizer.pad({"input_ids": [list(prompt) for prompt in prompts]}, return_tensors="pt")
    batch = batch.to(model.device)
    torch.manual_seed(seed)
    with torch.inference_mode():
        written = model.generate(
            **batch,
            max_new_tokens=max_tokens,
            do_sample=True,
            temperature=SAMPLE_TEMPERATURE,
            top_p=SAMPLE_TOP_P,
            top_k=0,
            pad_token_id=tokenizer.pad_token_id,
            use_cache=True,
        )
    silent = special_ids(tokenizer)
    return [
        decode(tokenizer, [token for token in answer if token not in silent])
        for answer in written[:, batch["input_ids"].shape[1] :].tolist()
    ]


@dataclass(frozen=True)
class Appraisal:
    """Where a model stands at one end of a training: its validation loss (nats a target token, NaN without
    validation examples) and its answers to the sample prompts."""

    loss: float
    answers: tuple[str, ...]


def appraise(model: Any, tokenizer: Any, validation: Sequence[Row], spec: TrainingSpec) -> Appraisal:
    """Where the model stands now, as it is: adapter on or off, in whatever mode the caller has put it."""
    loss = validate(model, tokenizer, validation).loss
    return Appraisal(loss, tuple(sample_answers(model, tokenizer, spec)))


class CopyWatch:
    """How much of a model's answers to validation prompts stands word for word in the train examples."""

    def __init__(self, tokenizer: Any, train: Sequence[Row], validation: Sequence[Row], seed: int) -> None:
        self._tokenizer, self._seed = tokenizer, seed
        self._index = CopyIndex([words(target_text(tokenizer, row)) for row in train])
        self._prompts = [prompt_ids(row) for row in validation[:COPY_PROMPTS]]

    def copied(self, model: Any) -> tuple[float, int]:
        """The copied share of the answers, in [0, 1], and the words of the longest copied run.

        The same rule as the benchmark's: 50 words on end, or 30 % of the words inside copied 8-grams. What an
        answer repeats from its prompt does not count.
        """
        n_copied, longest = 0, 0
        written = answers(model, self._tokenizer, self._prompts, COPY_TOKENS, self._seed)
        for answer, ids in zip(written, self._prompts, strict=True):
            asked, said = words(decode(self._tokenizer, ids)), words(answer)
            run = self._index.longest_run(said, asked)
            n_copied += is_copied(run, self._index.coverage(said, prompt=asked))
            longest = max(longest, run)
        return n_copied / len(self._prompts) if self._prompts else math.nan, longest


def target_text(tokenizer: Any, row: Row) -> str:
    """The text a row's labels ask for, without the end-of-turn mark."""
    silent = special_ids(tokenizer) | {IGNORED}
    return decode(tokenizer, [label for label in row["labels"] if label not in silent])


def prompt_ids(row: Row) -> list[int]:
    """The tokens before a row's first target."""
    first = next((n for n, label in enumerate(row["labels"]) if label != IGNORED), len(row["labels"]))
    return list(row["input_ids"])[:first]
