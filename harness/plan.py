"""What a suite asks of each variant, which of it is stored, and what is left to compute.

    variants x prompts   -> answers     cut into batches once, from the whole plan, sorted by length
    variants x documents -> likelihoods

A batch is the same whatever has been computed before: a resumed run drops what is stored and never
re-cuts, so that it gives the numbers an uninterrupted one would have given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from harness.decodings import top_k_of
from harness.errors import ConfigurationError
from harness.looks import Unit, first_of
from harness.models.parsers import Dialect
from harness.reference import Reference
from harness.retention import GENERAL
from harness.suite import Suite
from harness.taskfile import Task
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


Job = TypeVar("Job", AnswerJob, LikelihoodJob)


@dataclass(frozen=True)
class VariantPlan:
    """All batches of one variant, the keys already stored, and how its answers are taken apart."""

    variant: Variant
    answers: tuple[tuple[AnswerJob, ...], ...]
    likelihoods: tuple[tuple[LikelihoodJob, ...], ...]
    stored: frozenset[str]
    dialect: Dialect = "plain"

    @property
    def missing_answers(self) -> list[list[AnswerJob]]:
        return _missing(self.answers, self.stored)

    @property
    def missing_likelihoods(self) -> list[list[LikelihoodJob]]:
        return _missing(self.likelihoods, self.stored)

    @property
    def n_missing(self) -> int:
        return sum(map(len, self.missing_answers)) + sum(map(len, self.missing_likelihoods))

    def seconds(self, decoding: Decoding) -> float:
        """A rough estimate for two CPU cores."""
        answers = sum(map(len, self.missing_answers)) * decoding.max_tokens
        scored = sum(len(j.request.text) / 4.5 for batch in self.missing_likelihoods for j in batch)
        return answers / TOKENS_PER_SECOND["answers"] + scored / TOKENS_PER_SECOND["likelihoods"]


@dataclass(frozen=True)
class Ask:
    """Everything about a suite that does not depend on the variant."""

    suite: Suite
    tasks: tuple[Task, ...]
    reference: Reference
    system: str
    prompts: tuple[Prompt, ...]
    documents: tuple[Document, ...]
    limited: str = ""
    general: tuple[Prompt, ...] = ()
    """Everyday requests, asked without the system prompt (see ``retention``); no control answers them."""

    @property
    def setting(self) -> str:
        """What must agree for answers to be compared."""
        return self.suite.setting(self.system)

    @property
    def general_setting(self) -> str:
        """The same of the answers to general requests."""
        return self.suite.setting("")

    @property
    def protocol(self) -> str:
        """How likelihoods were computed."""
        chosen = self.suite.likelihood
        return f"window {chosen.window}, context {chosen.context or 'half'}"

    @property
    def template_protocol(self) -> str:
        """The same inside the chat template, whose system prompt and options are part of it."""
        options = self.suite.template.options()
        wished = f", template {digest(options, 8)}" if options else ""
        return f"{self.protocol}, system {digest(self.system, 8)}{wished}"

    def protocol_of(self, context: str) -> str:
        """The protocol of a likelihood by its context, ``raw`` or ``in_template``."""
        return self.protocol if context == "raw" else self.template_protocol

    @property
    def max_words(self) -> int:
        """The models' token budget in words (350 English words are about 400 tokens), for controls."""
        return round(self.suite.max_tokens * 0.875)


def ask(
    suite: Suite,
    tasks: Sequence[Task],
    reference: Reference,
    limit: int | None = None,
    sizes: Mapping[Unit, int] = MappingProxyType({}),
) -> Ask:
    """The prompts and documents a suite uses; ``limit`` keeps so many, prompts spread evenly (LIMITED).

    ``sizes``: so many prompts or documents instead of the suite's own number.

    Raises:
        ConfigurationError: the suite wants more prompts than the reference set has, or may grow to more
            held-out documents.
    """
    wants_answers = any(task.metadata.needs == "responses" for task in tasks)
    wants_general = any(task.metadata.needs == "general" for task in tasks)
    wants_likelihoods = any(task.metadata.needs == "likelihoods" for task in tasks)
    chosen = _chosen(suite, reference, sizes.get("prompts"))
    prompts = _evenly(chosen, limit) if wants_answers else ()
    if wants_likelihoods:
        _check_documents(suite, reference)
    n_documents = sizes.get("blocks", suite.likelihood.documents)
    n_documents = min(n_documents, limit or n_documents)
    sets = [("heldout", n_documents), ("other", n_documents), ("train", n_documents // 2)]
    documents = [d for name, n in sets for d in reference.documents_of(name, n)] if wants_likelihoods else []
    return Ask(
        suite=suite,
        tasks=tuple(tasks),
        reference=reference,
        system=reference.persona if suite.system == "persona" else suite.system,
        prompts=tuple(prompts),
        documents=tuple(documents),
        limited="" if limit is None else f"only {limit} prompts and documents",
        general=tuple(_evenly(GENERAL, limit)) if wants_general else (),
    )


def _chosen(suite: Suite, reference: Reference, size: int | None) -> Sequence[Prompt]:
    if suite.prompts is None:
        return reference.prompts
    wanted = max(suite.prompts, suite.max_prompts or 0)
    if wanted > len(reference.prompts):
        raise ConfigurationError(
            f"the suite wants up to {wanted} prompts, and the reference set {reference.name!r} has "
            f"{len(reference.prompts)}: `prompts:` of the corpus file says how many are cut, once"
        )
    return first_of(reference.prompts, size or suite.prompts)


def _check_documents(suite: Suite, reference: Reference) -> None:
    most, there = suite.likelihood.max_documents or 0, len(reference.documents_of("heldout"))
    if most > there:
        raise ConfigurationError(
            f"likelihood.max_documents is {most}, and the reference set {reference.name!r} has {there} "
            "held-out documents: no more can be declared than there are"
        )


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
        _answer_jobs(asked.general, "", suite, variant, engine, render),
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
        rendered = render(conversation(system, prompt.text))
        for sample in range(suite.samples):
            key = answer_key(variant.digest, rendered, decoding, sample, engine)
            noise = f"{decoding.seed}/{sample}/{prompt.id}"
            jobs.append(AnswerJob(key, prompt, sample, GenerationRequest(prompt.id, rendered, noise)))
    return sorted(jobs, key=lambda job: (-len(job.request.rendered), job.prompt.id, job.sample))


def void_likelihoods(variant: Variant) -> str:
    """Why a variant's likelihoods cannot count, or nothing."""
    if variant.kind == "control":
        return "a control has no likelihoods"
    if variant.kind == "recorded":
        return "recorded answers have no likelihoods"
    if variant.trained_on == "all":
        return "void: it was trained on the held-out passages"
    return ""


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


def _evenly(prompts: Sequence[Prompt], limit: int | None) -> Sequence[Prompt]:
    if limit is None or limit >= len(prompts):
        return prompts
    return [prompts[index * len(prompts) // limit] for index in range(limit)]
