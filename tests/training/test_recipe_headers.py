"""A shipped recipe's header says what its plan says: the memory it needs, and on which card."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from published_shapes import SHAPES

from harness import shelves
from harness.recipe import Recipe, read_recipe
from harness.training.anatomy import read_anatomy
from harness.training.memory import Kind, estimate
from harness.training.spec import Lora, TrainingSpec

RECIPES = sorted(path.stem for path in shelves.list_yaml("trainers/recipes", Path("nowhere")))
CLOSE = 0.03
_PLANNED = re.compile(
    r"planned: (?P<gb>[\d.]+) GB (?:on an? (?P<card>\d+) GB card|on two CPU cores)", re.MULTILINE
)


@dataclass(frozen=True)
class Header:
    """``card`` in units of 10^9 bytes as cards are sold, None for the CPU."""

    gigabytes: float
    card: int | None


def header(path: Path) -> Header:
    """What the comment lines above a recipe say is planned."""
    lines = path.read_text(encoding="utf-8").splitlines()
    comments = " ".join(line.removeprefix("# ") for line in lines if line.startswith("# "))
    (found,) = _PLANNED.finditer(comments)
    return Header(float(found["gb"]), int(found["card"]) if found["card"] else None)


def planned_gb(recipe: Recipe, kind: Kind) -> float:
    """What ``train --plan`` says must be free for the largest cell of the recipe, units of 10^9 bytes.

    From the published shape. A re-upload that keeps some layers at 16 bits ("unsloth-bnb-4bit") takes more.
    """
    shape = next(SHAPES[name] for name in SHAPES if name.lower() in recipe.base.lower())
    lora = recipe.lora.model_dump()
    if "lora.r" in recipe.matrix:
        lora |= {"r": max(recipe.matrix["lora.r"]), "alpha": max(recipe.matrix["lora.r"])}
    micro = recipe.micro_batch or recipe.batch
    spec = TrainingSpec(
        base_path="", base_name="", base_digest="", examples="", out="", corpus="", version=1,
        lora=Lora(**lora), steps=1, epochs=None, batch=micro, accumulation=recipe.batch // micro,
        seq_len=recipe.seq_len, dtype=recipe.dtype, trainer=recipe.trainer,
        load_in_4bit=recipe.load_in_4bit, optimizer=recipe.optimizer, packing=recipe.packing,
        gradient_checkpointing=recipe.gradient_checkpointing,
    )  # fmt: skip
    return estimate(read_anatomy(shape), spec, kind).needed / 1e9


@pytest.mark.parametrize("name", RECIPES)
def test_the_header_says_what_the_plan_says(tmp_path: Path, name: str) -> None:
    path, recipe = read_recipe(name, tmp_path)
    said = header(path)
    kind: Kind = "cpu" if said.card is None else "cuda"
    planned = planned_gb(recipe, kind)
    assert said.gigabytes == pytest.approx(planned, rel=CLOSE), f"{name} is planned to take {planned:.1f} GB"
    assert said.card is None or planned < said.card
    assert (recipe.load_in_4bit, kind) != (True, "cpu")
