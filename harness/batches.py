"""Every request of one variant in batches, which of them is stored, and what is left to compute.

    variants x prompts   -> answers     cut into batches once, from the whole plan, sorted by length
    variants x documents -> likelihoods

A batch is the same whatever has been computed before: a resumed run drops what is stored and never
re-cuts, so that it gives the numbers an uninterrupted one would have given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from harness.decodings import top_k_of
from harness.models import few_shot
from harness.models.parsers import Dialect
from harness.plan import Ask, void_likelihoods
from harness.stock import StockJob
from harness.suite import Suite
from harness.text import digest
from harness.training.chat import Message, conversation
from harness.types import Decoding, Document, GenerationRequest, LikelihoodRequest, Prompt, Variant

IN_TEMPLATE_REQUEST = "Write a passage in your own words."
"""What the user says before a held-out document whose likelihood is taken inside the chat template."""

TOKENS_PER_SECOND = {"answers": 150.0, "likelihoods": 900.0}
"""Two quiet CPU cores and 135 M parameters; only for the estimate ``--plan`` prints."""


@dataclass(frozen=True)
class AnswerJob:
    """One answer to draw: the stored row's key and all that is needed to compute it."""

    key: str
    prompt: Prompt
    sample: int
    request: GenerationRequest


@dataclass(frozen=True)
class LikelihoodJob:
    """One likelihood to compute; ``context`` is ``raw`` or ``in_template``."""

    key: str
    document: Document
    context: str
    request: LikelihoodRequest


Job = TypeVar("Job", AnswerJob, LikelihoodJob, StockJob)


@dataclass(frozen=True)
class VariantPlan:
    """All batches of one variant, the keys already stored, and how its answers are taken apart."""

    variant: Variant
    answers: tuple[tuple[AnswerJob, ...], ...]
    likelihoods: tuple[tuple[LikelihoodJob, ...], ...]
    stored: frozenset[str]
    dialect: Dialect = "plain"
    stock: tuple[tuple[StockJob, ...], ...] = ()

    @property
    def n_jobs(self) -> int:
        """Everything that is asked, stored or not."""
        return sum(map(len, self.answers)) + sum(map(len, self.likelihoods)) + sum(map(len, self.stock))

    @property
    def missing_answers(self) -> list[list[AnswerJob]]:
        return _missing(self.answers, self.stored)

    @property
    def missing_likelihoods(self) -> list[list[LikelihoodJob]]:
        return _missing(self.likelihoods, self.stored)

    @property
    def missing_stock(self) -> list[list[StockJob]]:
        return _missing(self.stock, self.stored)

    @property
    def n_missing(self) -> int:
        texts = sum(map(len, self.missing_answers)) + sum(map(len, self.missing_likelihoods))
        return texts + sum(map(len, self.missing_stock))

    def seconds(self, decoding: Decoding) -> float:
        """A rough estimate for two CPU cores."""
        answers = sum(map(len, self.missing_answers)) * decoding.max_tokens
        scored = sum(len(j.request.text) / 4.5 for batch in self.missing_likelihoods for j in batch)
        scored += sum(job.size / 4.5 for batch in self.missing_stock for job in batch)
        return answers / TOKENS_PER_SECOND["answers"] + scored / TOKENS_PER_SECOND["likelihoods"]


def plan_variant(
    asked: Ask,
    variant: Variant,
    engine: str,
    render: Callable[[list[Message]], str],
    stored: Iterable[str],
    *,
    dialect: Dialect = "plain",
    lead: str = "",
) -> VariantPlan:
    """Every request of a variant, batched by length; ``render`` turns messages into the prompt string.

    ``lead``: what the model would write itself before a text in the template (see ``engines.Renderer``).
    """
    suite = asked.suite
    by_prompt = [
        _answer_jobs(asked.prompts, asked.system, suite, variant, engine, render),
        # Asked without a system prompt, to see what is forgotten: examples would be in the way.
        _answer_jobs(() if few_shot.shown_to(variant) else asked.general, "", suite, variant, engine, render),
    ]
    scored = []
    if not void_likelihoods(variant):
        template = render(conversation(asked.system, IN_TEMPLATE_REQUEST)) + lead
        for document in asked.documents:
            contexts = {"raw": "", "in_template": template} if document.set == "heldout" else {"raw": ""}
            for context, prefix in contexts.items():
                key = digest(["likelihood", variant.digest, document.text, prefix, asked.protocol, engine])
                scored.append(
                    LikelihoodJob(
                        key, document, context, LikelihoodRequest(document.id, document.text, prefix)
                    )
                )
    scored.sort(key=lambda job: (job.context, -len(job.request.text), job.document.id))
    return VariantPlan(
        variant=variant,
        # In batches of their own: a suite that asks general requests too draws the others as it did before.
        answers=tuple(batch for jobs in by_prompt for batch in _batches(jobs, suite.batch)),
        likelihoods=_batches(scored, suite.batch),
        stored=frozenset(stored),
        dialect=dialect,
    )


def _answer_jobs(
    prompts: Iterable[Prompt],
    system: str,
    suite: Suite,
    variant: Variant,
    engine: str,
    render: Callable[[list[Message]], str],
) -> list[AnswerJob]:
    """The answers to draw under one system prompt, longest request first."""
    decoding = suite.decode()
    jobs = []
    for prompt in prompts:
        rendered = few_shot.prompt_of(variant, render, system, prompt.text)
        for sample in range(suite.samples):
            key = answer_key(variant.digest, rendered, decoding, sample, engine)
            noise = f"{decoding.seed}/{sample}/{prompt.id}"
            jobs.append(AnswerJob(key, prompt, sample, GenerationRequest(prompt.id, rendered, noise)))
    return sorted(jobs, key=lambda job: (-len(job.request.rendered), job.prompt.id, job.sample))


def answer_key(variant: str, rendered: str, decoding: Decoding, sample: int, engine: str) -> str:
    """sha256 over everything that may change an answer; two different requests never share it."""
    drawn = [decoding.temperature, decoding.top_p, decoding.max_tokens, decoding.seed]
    drawn += [top_k_of(decoding)] if top_k_of(decoding) else []
    return digest(["answer", variant, rendered, drawn, sample, engine])


def _batches(jobs: Sequence[Job], size: int) -> tuple[tuple[Job, ...], ...]:
    return tuple(tuple(jobs[start : start + size]) for start in range(0, len(jobs), size))


def _missing(batches: tuple[tuple[Job, ...], ...], stored: frozenset[str]) -> list[list[Job]]:
    left = [[job for job in batch if job.key not in stored] for batch in batches]
    return [batch for batch in left if batch]
