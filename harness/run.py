"""``stylobench run``: variants answer a suite's prompts and read its documents.

    plan --> group by base --> load the base once --> wear each adapter --> batches --> one commit a batch

Whatever is stored is never computed again, and every batch is one atomic commit: kill the process at any
moment, run the same command again, and the tables end up the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from harness.batches import AnswerJob, LikelihoodJob, VariantPlan, answer_key, plan_variant
from harness.engines import Loader, Renderer, engine_name, load_in_child, renderer
from harness.errors import StylobenchError
from harness.models import Model, controls, recorded
from harness.models.bases import resolve_base
from harness.models.lm import StockError
from harness.models.parsers import Dialect
from harness.models.parsers import parse as parse
from harness.models.precision import engine_of
from harness.plan import Ask
from harness.stock import Stock
from harness.stock_run import compute, load_stock, restated, stored_results, with_stock
from harness.store import Run, Store
from harness.text import count_words
from harness.training.templates import template_of
from harness.types import Finish, Generation, Likelihood, Prompt, Variant
from harness.variants import check_adapter

TASK = "stylo"
"""Answers serve every task of the suite, so they are stored under one name."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Outcome:
    """What a run did: answers and likelihoods reused and computed, and tokens drawn.

    ``unanswered``: recorded variant -> how many of the suite's prompts its file has no answer to.
    ``refused``: stock task, or ``TASK on BASE`` -> why it was not run, as one finished line.
    """

    reused: int
    computed: int
    tokens: int
    unanswered: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)


def plan(
    asked: Ask,
    variants: Sequence[Variant],
    store: Store,
    workspace: Path,
    engine: str,
    stock: Stock | None = None,
) -> list[VariantPlan]:
    """The plan of every variant with a model, against what is stored; ``stock``: what ``load_stock`` gave."""
    stock = load_stock(asked, workspace) if stock is None else stock
    finished = stored_results(asked, store) if stock.tasks else set()
    documents, protocols = [d.id for d in asked.documents], [asked.protocol, asked.template_protocol]
    stored = _stored_answers(asked, store)
    stored |= store.existing("likelihoods", item=documents, protocol=protocols)
    wished = asked.suite.template.options()
    plans = []
    for (base_name, _), members in _by_base(variants).items():
        base = resolve_base(base_name, workspace)
        on_base = engine_of(engine, base.path)
        renderers: dict[str, Renderer] = {}
        for variant in members:
            template = template_of(variant.record)
            if template.digest not in renderers:
                renderers[template.digest] = renderer(base, template, wished)
            render = renderers[template.digest]
            planned = plan_variant(
                asked, variant, on_base, render, stored, dialect=render.dialect, lead=render.lead
            )
            plans.append(with_stock(planned, stock, base, on_base, finished))
    return plans


def run(
    asked: Ask,
    variants: Sequence[Variant],
    run_: Run,
    workspace: Path,
    *,
    load: Loader | None = None,
    engine: str | None = None,
    progress: Progress = lambda name, done, total: None,
) -> Outcome:
    """Compute everything of a suite that is not stored yet.

    Raises:
        MissingPrerequisiteError: a base is not here, or torch is not installed.
    """
    store = run_.store
    engine = engine or engine_name(asked.suite.dtype, workspace)
    stock = load_stock(asked, workspace)
    refused = dict(stock.refused)
    plans = plan(asked, variants, store, workspace, engine, stock)
    total = sum(p.n_jobs for p in plans)
    missing = sum(p.n_missing for p in plans)
    computed = tokens = 0
    for (base_name, _), members in _by_base([p.variant for p in plans if p.n_missing]).items():
        base = resolve_base(base_name, workspace)
        if load is None:
            for variant in members:
                if variant.adapter:
                    check_adapter(variant, base, workspace)
        model = (load or load_in_child(workspace))(base, asked.suite.dtype)
        try:
            if model.engine != (planned := engine_of(engine, base.path)):
                raise StylobenchError(f"planned for {planned}, but the model runs on {model.engine}")
            for p in (p for p in plans if p.variant in members):
                model.wear(workspace / p.variant.adapter if p.variant.adapter else None)
                for likelihood_batch in p.missing_likelihoods:
                    run_.append("likelihoods", _read(model, asked, p.variant, likelihood_batch))
                    computed += len(likelihood_batch)
                    progress(p.variant.name, computed, missing)
                for answer_batch in p.missing_answers:
                    rows = _answer(model, asked, p, answer_batch)
                    run_.append("responses", rows)
                    tokens += sum(int(row["n_tokens"]) for row in rows)
                    computed += len(answer_batch)
                    progress(p.variant.name, computed, missing)
                for stock_batch in p.missing_stock:
                    here = f"{stock_batch[0].task} on {base.name}"
                    if here in refused:
                        continue
                    try:
                        rows = compute(stock, stock_batch, model, base, p.variant, asked.suite.batch)
                    except StockError as error:
                        refused[here] = f"lm_eval:{here}: {error}"
                        continue
                    run_.append("retention", rows)
                    computed += len(stock_batch)
                    progress(p.variant.name, computed, missing)
        finally:
            model.close()
    run_.append("retention", restated(asked, stock, store) if stock.tasks else [])
    run_controls(asked, [v for v in variants if v.kind == "control"], run_)
    unanswered = run_recorded(asked, [v for v in variants if v.kind == "recorded"], run_, workspace)
    return Outcome(
        reused=total - missing, computed=computed, tokens=tokens, unanswered=unanswered, refused=refused
    )


def run_controls(asked: Ask, chosen: Iterable[Variant], run_: Run) -> None:
    """Answers that need no model; nothing is computed, so they do not count as work."""
    stored = _stored_answers(asked, run_.store, engine=controls.ENGINE)
    rows = []
    for variant in chosen:
        for prompt in asked.prompts:
            key = _key_without_model(asked, variant, prompt, controls.ENGINE)
            if key not in stored:
                text = controls.answer(variant.name, prompt, asked.reference, asked.max_words)
                said = Said(text, "", "stop")
                rows.append(_row_without_model(asked, variant, prompt, controls.ENGINE, key, said))
    run_.append("responses", rows)


def run_recorded(asked: Ask, chosen: Iterable[Variant], run_: Run, workspace: Path) -> dict[str, int]:
    """Answers drawn elsewhere, cut to the suite's length; variant -> prompts its file does not answer.

    Raises:
        MissingPrerequisiteError, ConfigurationError: a file of answers is gone, or not what was registered.
    """
    stored = _stored_answers(asked, run_.store, engine=recorded.ENGINE)
    unanswered = {}
    rows = []
    for variant in chosen:
        answers = recorded.load(variant, workspace)
        answered = [prompt for prompt in asked.prompts if prompt.id in answers]
        if len(answered) < len(asked.prompts):
            unanswered[variant.name] = len(asked.prompts) - len(answered)
        for prompt in answered:
            key = _key_without_model(asked, variant, prompt, recorded.ENGINE)
            if key not in stored:
                parsed = parse(answers[prompt.id])
                text, finish = recorded.cut(parsed.answer, asked.max_words)
                said = Said(text, parsed.reasoning, finish)
                rows.append(_row_without_model(asked, variant, prompt, recorded.ENGINE, key, said))
    run_.append("responses", rows)
    return unanswered


def _stored_answers(asked: Ask, store: Store, **equal: str) -> set[str]:
    """Keys of the answers that ``score`` will find, which looks for them by item and setting.

    A key covers neither: prompts cut anew have other names, and a template may ignore what a suite wishes.
    What is stored under another name is lacking here; its noise was another too, so it is no second draw.
    """
    asked_for = ((asked.prompts, asked.setting), (asked.general, asked.general_setting))
    found = (
        store.existing("responses", item=[prompt.id for prompt in prompts], setting=setting, **equal)
        for prompts, setting in asked_for
    )
    return set().union(*found)


class Said(NamedTuple):
    """An answer that no model of ours drew."""

    text: str
    reasoning: str
    finish: Finish


def _key_without_model(asked: Ask, variant: Variant, prompt: Prompt, engine: str) -> str:
    rendered = f"{asked.system}\n{prompt.text}"
    return answer_key(variant.digest, rendered, asked.suite.decode(), 0, engine)


def _row_without_model(
    asked: Ask, variant: Variant, prompt: Prompt, engine: str, key: str, said: Said
) -> dict[str, Any]:
    job = {"key": key, "item": prompt.id, "sample": 0, "kind": prompt.kind, "prompt": prompt.text}
    counts = {"n_tokens": count_words(said.text), "seconds": 0.0}
    return job | said._asdict() | counts | _whose(variant, engine) | {"setting": asked.setting}


def _answer(model: Model, asked: Ask, plan_: VariantPlan, batch: list[AnswerJob]) -> list[dict[str, Any]]:
    drawn = model.generate([job.request for job in batch], asked.suite.decode())
    same = _whose(plan_.variant, model.engine)
    general = {"setting": asked.general_setting}
    return [
        _answer_row(job, generation, plan_.dialect)
        | same
        | (general if job.prompt.kind == "general" else {"setting": asked.setting})
        for job, generation in zip(batch, drawn, strict=True)
    ]


def _answer_row(job: AnswerJob, generation: Generation, dialect: Dialect) -> dict[str, Any]:
    parsed = parse(generation.text, dialect, job.request.rendered)
    return {
        "key": job.key,
        "item": job.prompt.id,
        "sample": job.sample,
        "kind": job.prompt.kind,
        "prompt": job.prompt.text,
        "text": parsed.answer,
        "reasoning": parsed.reasoning,
        "finish": generation.finish,
        "n_tokens": generation.n_tokens,
        "seconds": generation.seconds,
    }


def _read(model: Model, asked: Ask, variant: Variant, batch: list[LikelihoodJob]) -> list[dict[str, Any]]:
    chosen = asked.suite.likelihood
    found = model.loglikelihood([job.request for job in batch], chosen.window, chosen.context)
    return [
        _likelihood_row(job, likelihood)
        | _whose(variant, model.engine)
        | {"protocol": asked.protocol_of(job.context), "reference": asked.reference.digest}
        for job, likelihood in zip(batch, found, strict=True)
    ]


def _likelihood_row(job: LikelihoodJob, likelihood: Likelihood) -> dict[str, Any]:
    text = job.document.text
    return {
        "key": job.key,
        "item": job.document.id,
        "set": job.document.set,
        "context": job.context,
        "loglik": likelihood.loglik,
        "n_tokens": likelihood.n_tokens,
        "n_words": count_words(text),
        "n_bytes": len(text.encode("utf-8")),
    }


def _whose(variant: Variant, engine: str) -> dict[str, Any]:
    return {"variant": variant.name, "variant_digest": variant.digest, "task": TASK, "engine": engine}


class Load(NamedTuple):
    """One loading of a base; ``alone``: the variant that has it to itself, or nothing."""

    base: str
    alone: str


def _by_base(variants: Iterable[Variant]) -> dict[Load, list[Variant]]:
    """Who shares a loaded base. An adapter with biases changes the base's own, so nobody may follow it."""
    groups: dict[Load, list[Variant]] = {}
    for variant in variants:
        if variant.base:
            lora = variant.record.get("settings", {}).get("lora") or {}
            alone = "" if lora.get("bias") in (None, "none") else variant.name
            groups.setdefault(Load(variant.base, alone), []).append(variant)
    return groups
