"""What a suite asks of every variant: prompts, documents, and the settings that must agree.

    suite, tasks, reference set --ask--> Ask, the same for all variants
    variant --void_likelihoods---------> why it is not asked for likelihoods

How that becomes requests, keys and batches is told in ``batches``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from harness.errors import ConfigurationError
from harness.looks import Unit, first_of
from harness.models import few_shot
from harness.reference import Reference
from harness.retention import GENERAL
from harness.suite import Suite
from harness.taskfile import Task
from harness.text import digest
from harness.types import Document, Prompt, Variant


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
    retention_documents: int = 0
    """How many of the first documents of each of the suite's stock tasks are asked (see ``stock``)."""

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
    wants_answers = any(task.metadata.needs in ("responses", "pooled") for task in tasks)
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
        retention_documents=min(suite.retention_documents, limit or suite.retention_documents),
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


def void_likelihoods(variant: Variant) -> str:
    """Why a variant's likelihoods cannot count, or nothing."""
    if variant.kind == "control":
        return "a control has no likelihoods"
    if variant.kind == "recorded":
        return "recorded answers have no likelihoods"
    if few_shot.shown_to(variant):
        return "its likelihoods would be the base's"
    if variant.trained_on == "all":
        return "void: it was trained on the held-out passages"
    return ""


def _evenly(prompts: Sequence[Prompt], limit: int | None) -> Sequence[Prompt]:
    if limit is None or limit >= len(prompts):
        return prompts
    return [prompts[index * len(prompts) // limit] for index in range(limit)]
