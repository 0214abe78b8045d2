"""``stylobench train``: a recipe and a corpus version become a registered variant.

recipe --> base, passages --> examples (tokenised, masked, ordered once) --> child process --> registry
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import reference as references
from harness import shelves
from harness.corpora import passages_of, questions_of, read_manifest
from harness.corpusfile import read_author
from harness.errors import ConfigurationError
from harness.models.bases import Base, resolve_base
from harness.recipe import CorpusName, Recipe, find_trainer, parse_corpus, read_recipe
from harness.store import Run, Store
from harness.training.examples import continuation_prompt, prepare_examples, split_first_sentence
from harness.training.launch import Lora, TrainingSpec, finished_record, train
from harness.types import Passage, Variant
from harness.variants import adapter_digest, as_row, base_variant, registered

SECONDS_PER_TOKEN = 0.0026
"""Two quiet CPU cores, 135 M parameters, LoRA on all projections; only for the estimate of ``--plan``."""


@dataclass(frozen=True)
class Order:
    """One training run, checked and ready: nothing of it has been started or written yet."""

    name: str
    recipe_name: str
    recipe: Recipe
    corpus: CorpusName
    base: Base
    seed: int
    steps: int | None
    trainer: Path
    limited: str

    @property
    def effective_steps(self) -> str:
        return f"{self.steps} steps" if self.steps else f"{self.recipe.epochs:g} epochs"


def orders(
    recipe_name: str,
    workspace: Path,
    *,
    corpus: str | None = None,
    seed: int | None = None,
    steps: int | None = None,
) -> list[Order]:
    """The runs a recipe stands for, one a seed, with everything they name checked to exist.

    Raises:
        YamlError, ConfigurationError: recipe, corpus version or trainer is not right.
        MissingPrerequisiteError: the base is not on this machine.
    """
    path, recipe = read_recipe(recipe_name, workspace)
    wanted = parse_corpus(corpus or recipe.corpus)
    trainer = find_trainer(recipe, path, workspace)
    read_manifest(wanted.name, wanted.version, workspace)
    base = resolve_base(recipe.base, workspace)
    if not base.chat_template_digest:
        raise ConfigurationError(
            f"{path.name}: base {base.name} has no chat template; name an instruct model"
        )
    limited = "" if steps is None or steps == recipe.steps else f"{steps} training steps"
    seeds = recipe.seeds if seed is None else (seed,)
    return [
        Order(
            name=variant_name(path.stem, recipe, wanted, one, steps if limited else None),
            recipe_name=path.stem,
            recipe=recipe,
            corpus=wanted,
            base=base,
            seed=one,
            steps=steps or recipe.steps,
            trainer=trainer,
            limited=limited,
        )
        for one in seeds
    ]


def variant_name(stem: str, recipe: Recipe, corpus: CorpusName, seed: int, steps: int | None) -> str:
    """``recipe@N``; another corpus than the recipe's, another seed or fewer steps are spelled out."""
    own = parse_corpus(recipe.corpus).name == corpus.name
    name = f"{stem}@{corpus.version}" if own else f"{stem}~{corpus}"
    name += "" if seed == recipe.seeds[0] else f"+seed{seed}"
    name += "" if steps is None else f"+{steps}steps"
    return shelves.safe_name(name, "variant")


def specify(order: Order, store: Store, workspace: Path) -> TrainingSpec:
    """The trainer's spec; tokenises the examples on first use."""
    recipe, corpus = order.recipe, order.corpus
    author = read_author(corpus.name, workspace)
    style = author.resolve(corpus.version).style
    passages = passages_of(corpus.name, corpus.version, store, workspace)
    questions = {} if style == "completion" else questions_of(corpus.name, corpus.version, store, workspace)
    system = references.load(corpus.name, workspace).persona if recipe.system == "persona" else recipe.system
    examples = prepare_examples(
        passages,
        base_path=order.base.path,
        base_digest=order.base.digest,
        system=system,
        style=style,
        max_length=recipe.seq_len,
        seed=order.seed,
        out=workspace / "results" / "examples",
        questions=questions,
    )
    micro = recipe.micro_batch or recipe.batch
    return TrainingSpec(
        base_path=str(order.base.path),
        base_name=order.base.name,
        base_digest=order.base.digest,
        examples=str(examples),
        out=str(workspace / "results" / "adapters" / order.name),
        corpus=corpus.name,
        version=corpus.version,
        lora=Lora(recipe.lora.r, recipe.lora.alpha, recipe.lora.dropout, recipe.lora.targets),
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
        dtype=recipe.dtype,
        system=system,
        sample_prompts=tuple(_sample_prompts(passages, questions)),
    )


def is_finished(spec: TrainingSpec) -> bool:
    """Whether this very run is done and will be reused."""
    return finished_record(spec) is not None


def carry_out(
    order: Order, spec: TrainingSpec, run: Run, workspace: Path, on_event: Callable[[dict[str, Any]], None]
) -> Variant:
    """Train (or reuse, or resume) and register the variant and its base."""
    record = train(
        spec,
        trainer=order.trainer,
        interpreter=shelves.interpreter(order.recipe.trainer, workspace),
        on_event=on_event,
    )
    settings = order.recipe.model_dump(mode="json") | {"corpus": str(order.corpus), "steps": order.steps}
    variant = Variant(
        name=order.name,
        kind="adapter",
        digest=adapter_digest(order.base, str(record["adapter_digest"])),
        base=order.base.name,
        adapter=str((Path(spec.out) / "adapter").relative_to(workspace)),
        corpus=order.corpus.name,
        version=order.corpus.version,
        trained_on=str(order.corpus),
        record=record | {"recipe": order.recipe_name, "settings": settings, "limited": order.limited},
    )
    known = registered(run.store)
    both = (base_variant(order.base), variant)
    fresh = [v for v in both if v.name not in known or known[v.name].digest != v.digest]
    run.append("variants", [as_row(v) for v in fresh])
    return variant


def _sample_prompts(passages: list[Passage], questions: Mapping[str, Sequence[str]], n: int = 3) -> list[str]:
    """What the trainer asks before and after: about validation passages, as the examples ask."""
    body = [passage for passage in passages if passage.split == "validation" and passage.role == "body"]
    chosen = sorted(body, key=lambda passage: passage.digest)[:n]
    return [
        questions[passage.digest][0]
        if passage.digest in questions
        else continuation_prompt(split_first_sentence(passage.text).first)
        for passage in chosen
    ]
