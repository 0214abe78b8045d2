"""The trainings a recipe stands for, with everything they name checked before anything starts.

recipe --matrix, seeds--> orders; of each: base, corpus version, trainer, and the adapter it goes on from
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import shelves, yamlfile
from harness.corpora import read_manifest
from harness.errors import ConfigurationError, YamlError, nearest
from harness.matrix import Cell, cells, narrowed
from harness.models.adapters import read_adapter
from harness.models.bases import Base, resolve_base
from harness.recipe import CorpusName, Recipe, find_trainer, parse_corpus, read_recipe
from harness.store import Store
from harness.training.reading import SCALED_OTHERWISE
from harness.types import Variant
from harness.variants import check_adapter, check_base_name, check_name, registered


@dataclass(frozen=True)
class Order:
    """One training run, checked and ready: nothing of it has been started or written yet.

    ``earlier``: the variant it trains on from, if any. ``limited``: why its result is no full one.
    """

    name: str
    recipe_name: str
    recipe: Recipe
    corpus: CorpusName
    base: Base
    seed: int
    steps: int | None
    trainer: Path
    limited: str
    earlier: Variant | None = None

    @property
    def effective_steps(self) -> str:
        if self.steps:
            return f"{self.steps} steps"
        return "1 epoch" if self.recipe.epochs == 1 else f"{self.recipe.epochs:g} epochs"


def orders(
    recipe_name: str,
    workspace: Path,
    store: Store,
    *,
    corpus: str | None = None,
    seed: int | None = None,
    steps: int | None = None,
    find_base: Callable[[str, Path], Base] = resolve_base,
) -> list[Order]:
    """The runs a recipe stands for, one for each seed of each combination of its matrix.

    ``find_base``: how a base's name becomes a folder; nothing is fetched unless it does that.

    Raises:
        YamlError, ConfigurationError: recipe, corpus version, trainer or earlier adapter is not right, or a
            run's name means something else.
        MissingPrerequisiteError: the base is not on this machine, or the earlier adapter is not what it was.
    """
    path, written = read_recipe(recipe_name, workspace)
    family = cells(narrowed(written, corpus=corpus, seed=seed), path)
    bases: dict[str, Base] = {}
    known = registered(store)
    made: list[Order] = []
    for cell in family:
        recipe = cell.recipe
        wanted = parse_corpus(recipe.corpus)
        trainer = find_trainer(recipe, path, workspace)
        read_manifest(wanted.name, wanted.version, workspace)
        if recipe.base not in bases:
            bases[recipe.base] = _usable(find_base(recipe.base, workspace), recipe, path)
            check_base_name(bases[recipe.base], known)
        earlier = earlier_variant(recipe, bases[recipe.base], path, store, workspace)
        fewer = steps if steps != recipe.steps else None
        limits = [f"{fewer} training steps" if fewer else "", _inherited(earlier)]
        for one in recipe.seeds:
            name = variant_name(path.stem, written, cell, one, fewer)
            check_name(name, workspace, "rename the recipe")
            if any(name == other.name for other in made):
                raise _placed(path, "matrix", f"two runs would be called {name}")
            if earlier is not None and _overwrites(name, earlier, workspace):
                message = f"{name} would overwrite {earlier.name}, which it goes on from; rename the recipe"
                raise _placed(path, "continue_from", message)
            made.append(
                Order(
                    name=name,
                    recipe_name=path.stem,
                    recipe=recipe,
                    corpus=wanted,
                    base=bases[recipe.base],
                    seed=one,
                    steps=steps or recipe.steps,
                    trainer=trainer,
                    limited="; ".join(filter(None, limits)),
                    earlier=earlier,
                )
            )
    return made


def variant_name(stem: str, written: Recipe, cell: Cell, seed: int, steps: int | None) -> str:
    """``recipe@N`` and what the matrix varies; another corpus, seed or number of steps is spelled out."""
    corpus = parse_corpus(cell.recipe.corpus)
    own = parse_corpus(written.corpus).name == corpus.name
    name = f"{stem}@{corpus.version}" if own else f"{stem}~{corpus}"
    name += cell.label
    name += "" if seed == written.seeds[0] or "seeds" in written.matrix else f"+seed{seed}"
    name += "" if steps is None else f"+{steps}steps"
    return shelves.safe_name(name, "variant")


def earlier_variant(recipe: Recipe, base: Base, path: Path, store: Store, workspace: Path) -> Variant | None:
    """The registered adapter that ``continue_from`` names, or None where the recipe begins afresh.

    Raises:
        YamlError: it is not registered, no adapter, of another base, of another rank than the recipe's, or
            scaled as no recipe scales it.
        MissingPrerequisiteError: its weights are not those that were registered.
    """
    name = recipe.continue_from
    if name is None:
        return None
    known = registered(store)
    if name not in known:
        raise _placed(path, "continue_from", f"variant {name!r} does not exist{nearest(name, known)}")
    earlier = known[name]
    if earlier.kind != "adapter":
        raise _placed(
            path, "continue_from", f"{name} is {earlier.kind}, and only an adapter can be continued"
        )
    if earlier.base != base.name:
        raise _placed(path, "continue_from", f"{name} is an adapter of {earlier.base}, not of {base.name}")
    check_adapter(earlier, base, workspace)
    config = read_adapter(workspace / earlier.adapter).config
    if odd := [key for key in SCALED_OTHERWISE if config.get(key)]:
        message = f"{name} was trained with {odd[0]}, which no recipe can go on with"
        raise _placed(path, "continue_from", message)
    r, alpha = config["r"], config["lora_alpha"]
    if (r, alpha) != (recipe.lora.r, recipe.lora.alpha):
        raise _placed(path, "continue_from", f"{name} keeps its rank; write lora: {{r: {r}, alpha: {alpha}}}")
    return earlier


def lineage(earlier: Variant) -> list[dict[str, Any]]:
    """The adapters trained before, oldest first, as a record keeps them."""
    return [
        *earlier.record.get("lineage", []),
        {
            "variant": earlier.name,
            "digest": earlier.digest,
            "corpus": earlier.corpus,
            "version": earlier.version,
            "trained_on": earlier.trained_on,
        },
    ]


def _overwrites(name: str, earlier: Variant, workspace: Path) -> bool:
    """Whether a run of this name would write over the weights that it reads."""
    out = workspace / "results" / "adapters" / name
    return name == earlier.name or (workspace / earlier.adapter).resolve().is_relative_to(out.resolve())


def _inherited(earlier: Variant | None) -> str:
    limited = earlier.record.get("limited") if earlier else ""
    return f"{earlier.name} was limited: {limited}" if earlier and limited else ""


def _usable(base: Base, recipe: Recipe, path: Path) -> Base:
    if not base.chat_template_digest and recipe.template.file is None:
        raise ConfigurationError(
            f"{path.name}: base {base.name} has no chat template; name an instruct model, "
            "or give it one with template: {file: NAME}"
        )
    return base


def _placed(path: Path, key: str, message: str) -> YamlError:
    place = yamlfile.position(yamlfile.load(path), (key,))
    return YamlError([f"{path.name}:{place}  {key}: {message}"])
