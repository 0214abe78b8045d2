"""Adapters kept on the way of a training, each a variant of its own: ``NAME+step20``.

recipe --check_milestone_names--> a training, which keeps them --milestone_variants--> the registry
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.errors import ConfigurationError
from harness.orders import Order
from harness.store import Store
from harness.training.templates import Template
from harness.types import Variant
from harness.variants import adapter_digest, check_name, registered


def check_milestone_names(order: Order, store: Store, workspace: Path) -> None:
    """Raises ConfigurationError where a milestone's name is that of something else."""
    known = registered(store)
    for step in order.recipe.milestones:
        name = milestone_name(order.name, step)
        check_name(name, workspace, "rename the recipe")
        if name in known and known[name].record.get("milestone_of") != order.name:
            raise ConfigurationError(
                f"milestone {step} of {order.name} would be called {name}, which is registered already "
                "and is something else; rename the recipe"
            )


def milestone_name(name: str, step: int) -> str:
    """What the adapter of a run on its way is registered as."""
    return f"{name}+step{step}"


_OF_ALL_STEPS = (
    *("trainer", "base", "base_digest", "examples_digest", "train_examples", "seed", "device", "degraded"),
    *("versions", "recipe", "limited", "template", "lineage"),
)
"""What a record says that holds for milestones too; times, losses and answers are the last step's."""


def milestone_variants(variant: Variant, order: Order, template: Template, workspace: Path) -> list[Variant]:
    """The adapters that a run kept on its way, each a variant ``NAME+stepN`` with N steps in its settings.

    The run's own length stays beside them (``of_steps`` or ``of_epochs``): the learning rate followed it, so
    that a run of N steps is another training, and no sibling by seed.
    """
    folder = (workspace / variant.adapter).parent.relative_to(workspace)
    found = []
    for kept in variant.record.get("milestones", []):
        told = {key: variant.record[key] for key in _OF_ALL_STEPS if key in variant.record}
        whole = variant.record["settings"]
        length = "epochs" if whole["steps"] is None else "steps"
        settings = whole | {"steps": kept["step"], "epochs": None, f"of_{length}": whole[length]}
        found.append(
            replace(
                variant,
                name=milestone_name(variant.name, kept["step"]),
                digest=adapter_digest(order.base, kept["adapter_digest"], template.digest),
                adapter=str(folder / kept["folder"]),
                record=told | {"settings": settings, "steps": kept["step"], "milestone_of": variant.name},
            )
        )
    return found
