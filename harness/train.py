"""``stylobench train``: a checked order and a corpus version become a registered variant.

order, passages --specify--> examples, spec --carry_out--> child process --> registry
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import reference as references
from harness import shelves, text
from harness.corpora import passages_of, questions_of
from harness.corpusfile import read_author
from harness.errors import ConfigurationError
from harness.milestones import check_milestone_names, milestone_variants
from harness.orders import Order, lineage
from harness.recipe import Recipe, settings_of
from harness.store import Run, Store
from harness.training.checkpoints import sha256_file
from harness.training.examples import continuation_prompt, prepare_examples, split_first_sentence
from harness.training.launch import finished_record, milestones_not_kept, train
from harness.training.spec import Lora, TrainingSpec
from harness.training.templates import Template, read_template
from harness.types import Passage, Variant
from harness.variants import (
    adapter_digest,
    as_row,
    base_variant,
    registered,
    trained_on_both,
)

COPYING_CEILING = 0.05
"""What ``keep: best_validation`` chooses under where a recipe names no ceiling: the suite's own gate."""


@dataclass(frozen=True)
class Material:
    """What a corpus version gives to a training: passages, what is asked about them, and its style."""

    passages: tuple[Passage, ...]
    questions: Mapping[str, Sequence[str]]
    style: Any


def specify(order: Order, store: Store, workspace: Path) -> TrainingSpec:
    """The trainer's spec; tokenises the examples on first use.

    Raises:
        ConfigurationError: no example to train on, fewer than ``max_examples``, an unfit template, or a
            milestone whose name stands for something else.
    """
    recipe, corpus = order.recipe, order.corpus
    check_milestone_names(order, store, workspace)
    material = _material(order, store, workspace)
    template = template_of(recipe, workspace)
    system = references.load(corpus.name, workspace).persona if recipe.system == "persona" else recipe.system
    examples = prepare_examples(
        material.passages,
        base_path=order.base.path,
        base_digest=order.base.digest,
        system=system,
        style=material.style,
        max_length=recipe.seq_len,
        seed=order.seed,
        out=workspace / "results" / "examples",
        questions=material.questions,
        template=template,
    )
    micro = recipe.micro_batch or recipe.batch
    best = recipe.keep == "best_validation"
    return TrainingSpec(
        base_path=str(order.base.path),
        base_name=order.base.name,
        base_digest=order.base.digest,
        examples=str(examples),
        out=str(workspace / "results" / "adapters" / order.name),
        corpus=corpus.name,
        version=corpus.version,
        lora=Lora(**recipe.lora.model_dump()),
        steps=order.steps,
        epochs=None if order.steps else recipe.epochs,
        batch=micro,
        accumulation=recipe.batch // micro,
        seq_len=recipe.seq_len,
        lr=recipe.lr,
        schedule=recipe.schedule,
        warmup_steps=recipe.warmup_steps,
        weight_decay=recipe.weight_decay,
        seed=order.seed,
        save_steps=recipe.save_steps,
        save_total_limit=recipe.save_total_limit,
        dtype=recipe.dtype,
        system=system,
        sample_prompts=tuple(_sample_prompts(material)),
        trainer=recipe.trainer,
        load_in_4bit=recipe.load_in_4bit,
        packing=recipe.packing,
        optimizer=recipe.optimizer,
        gradient_checkpointing=recipe.gradient_checkpointing,
        keep=recipe.keep,
        eval_steps=recipe.eval_steps,
        max_copied=(recipe.max_copied if recipe.max_copied is not None else COPYING_CEILING)
        if best
        else None,
        continue_from=str(workspace / order.earlier.adapter) if order.earlier else "",
        template=template.record(),
        tensorboard=recipe.tensorboard,
        program=program_digest(order.trainer),
        milestones=tuple(sorted(recipe.milestones)),
    )


def program_digest(trainer: Path) -> str:
    """sha256 of a trainer of the user's own; "" for one that is shipped, which the version stands for."""
    home = (shelves.shipped() / "trainers").resolve()
    return "" if trainer.resolve().is_relative_to(home) else sha256_file(trainer)


def template_of(recipe: Recipe, workspace: Path) -> Template:
    """The chat template a recipe asks for, its file read."""
    return read_template(recipe.template.model_dump(), workspace)


def split_as_finished(spec: TrainingSpec) -> TrainingSpec:
    """The spec with a step cut into batches as the finished run in its folder cut it, where there is one.

    How many examples fit at once depends on the card of the day; a finished run must be found on any day.
    """
    whole = spec.batch * spec.accumulation
    splits = (replace(spec, batch=n, accumulation=whole // n) for n in range(1, whole + 1) if whole % n == 0)
    return next((split for split in splits if is_finished(split)), spec)


def milestones_lacking(spec: TrainingSpec) -> tuple[int, ...]:
    """The milestones for want of which a finished run, however its steps were cut, is trained again."""
    whole = spec.batch * spec.accumulation
    splits = (replace(spec, batch=n, accumulation=whole // n) for n in range(1, whole + 1) if whole % n == 0)
    return next(filter(None, map(milestones_not_kept, splits)), ())


def is_finished(spec: TrainingSpec) -> bool:
    """Whether this very run is done and will be reused."""
    return finished_record(spec) is not None


def carry_out(
    order: Order,
    spec: TrainingSpec,
    run: Run,
    workspace: Path,
    on_event: Callable[[dict[str, Any]], None],
    *,
    allow_degrade: bool = False,
) -> Variant:
    """Train (or reuse, or resume) and register the variant and its base."""
    record = train(
        spec,
        trainer=order.trainer,
        interpreter=shelves.interpreter(order.recipe.trainer, workspace),
        on_event=on_event,
        allow_degrade=allow_degrade,
    )
    template = Template.from_record(spec.template)
    settings = settings_of(order.recipe) | {"corpus": str(order.corpus), "steps": order.steps}
    told: dict[str, Any] = {"recipe": order.recipe_name, "settings": settings, "limited": order.limited}
    if spec.template:
        told["template"] = spec.template
    if order.recipe.note:
        told["note"] = order.recipe.note
    if order.earlier:
        told["lineage"] = lineage(order.earlier)
    seen = str(order.corpus)
    variant = Variant(
        name=order.name,
        kind="adapter",
        digest=adapter_digest(order.base, str(record["adapter_digest"]), template.digest),
        base=order.base.name,
        adapter=str((Path(spec.out) / "adapter").relative_to(workspace)),
        corpus=order.corpus.name,
        version=order.corpus.version,
        trained_on=trained_on_both(order.earlier.trained_on, seen) if order.earlier else seen,
        record=record | told,
    )
    known = registered(run.store)
    heirs = (variant, *milestone_variants(variant, order, template, workspace))
    fresh = [v for v in (base_variant(order.base), *heirs) if is_news(v, known)]
    # An earlier adapter may have been registered again with another --trained-on, which its heirs share.
    fresh += [v for v in heirs if v not in fresh and known[v.name].trained_on != v.trained_on]
    run.append("variants", [as_row(v) for v in fresh])
    return variant


def is_news(variant: Variant, known: Mapping[str, Variant]) -> bool:
    """Whether a variant is not registered, or registered as something else or somewhere else.

    A milestone's settings count too: they say which run's milestone it is, and pair it.
    """
    if variant.name not in known:
        return True
    before = known[variant.name]
    if (before.digest, before.adapter) != (variant.digest, variant.adapter):
        return True
    return "milestone_of" in variant.record and before.record.get("settings") != variant.record["settings"]


def first_examples(material: Material, wanted: int, corpus: str) -> Material:
    """Only so many training examples: the first by digest, so that a smaller set is part of a larger one.

    Validation passages all stay: the curves of two sizes are read on the same text.
    Raises ConfigurationError where there are fewer.
    """
    train_first = sorted(material.passages, key=lambda p: (p.split != "train", text.digest(p.digest)))
    kept: list[Passage] = []
    questions = dict(material.questions)
    left = wanted
    for passage in train_first:
        if passage.split != "train":
            kept.append(passage)
            continue
        asked = list(dict.fromkeys(each.strip() for each in material.questions.get(passage.digest, ())))
        n = 1 if material.style == "completion" else len(asked)
        if left <= 0:
            questions.pop(passage.digest, None)
            continue
        kept.append(passage)
        if n > left:
            questions[passage.digest] = asked[:left]
        left -= n
    if left > 0:
        raise ConfigurationError(
            f"max_examples {wanted:,}: {corpus} has {wanted - left:,} training examples; "
            "write a smaller number, or leave it out to take all"
        )
    return replace(material, passages=tuple(kept), questions=questions)


def _material(order: Order, store: Store, workspace: Path) -> Material:
    corpus = order.corpus
    style = read_author(corpus.name, workspace).resolve(corpus.version).style
    passages = passages_of(corpus.name, corpus.version, store, workspace)
    questions = {} if style == "completion" else questions_of(corpus.name, corpus.version, store, workspace)
    material = Material(tuple(passages), questions, style)
    wanted = order.recipe.max_examples
    return material if wanted is None else first_examples(material, wanted, str(corpus))


def _sample_prompts(material: Material, n: int = 3) -> list[str]:
    """What the trainer asks before and after: about validation passages, as the examples ask."""
    body = [p for p in material.passages if p.split == "validation" and p.role == "body"]
    chosen = sorted(body, key=lambda passage: passage.digest)[:n]
    return [
        material.questions[passage.digest][0]
        if passage.digest in material.questions
        else continuation_prompt(split_first_sentence(passage.text).first)
        for passage in chosen
    ]
