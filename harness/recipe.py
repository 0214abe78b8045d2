"""A recipe: one YAML file that says how to train one variant (``trainers/recipes/NAME.yaml``).

base: smollm2-135m-instruct
trainer: peft_lora
corpus: roosevelt@2
lora: {r: 16, alpha: 16}
steps: 60
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from harness import shelves, yamlfile
from harness.errors import ConfigurationError
from harness.yamlfile import Strict


class Lora(Strict):
    """Low-rank adapter settings (Hu et al. 2021)."""

    r: int = Field(16, ge=1, le=1024)
    alpha: int = Field(16, ge=1)
    dropout: float = Field(0.0, ge=0, lt=1)
    targets: str | tuple[str, ...] = "all-linear"


class Recipe(Strict):
    """How one variant is trained. ``batch`` is the effective batch; ``micro_batch`` what fits at once."""

    base: str
    trainer: str = "peft_lora"
    corpus: str
    system: str = "persona"
    lora: Lora = Lora()
    epochs: float | None = Field(None, gt=0)
    steps: int | None = Field(None, ge=1)
    batch: int = Field(8, ge=1)
    micro_batch: int | None = Field(None, ge=1)
    seq_len: int = Field(2048, ge=16)
    lr: float = Field(0.0002, gt=0)
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup_steps: int = Field(5, ge=0)
    weight_decay: float = Field(0.0, ge=0)
    seeds: tuple[int, ...] = (3407,)
    save_steps: int = Field(20, ge=1)
    dtype: Literal["bfloat16", "float32"] = "bfloat16"

    @model_validator(mode="after")
    def _one_length(self) -> Recipe:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give either epochs or steps")
        if self.micro_batch is not None and self.batch % self.micro_batch:
            raise ValueError(f"batch {self.batch} is not a multiple of micro_batch {self.micro_batch}")
        if not self.seeds:
            raise ValueError("seeds: at least one is needed")
        return self


class CorpusName(Strict):
    """``name@N`` taken apart."""

    name: str
    version: int

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


def parse_corpus(text: str) -> CorpusName:
    """``roosevelt@2`` -> name and version.

    Raises:
        ConfigurationError: it is not of the form ``name@N``.
    """
    name, _, number = text.partition("@")
    if not name or not (number.isascii() and number.isdigit() and len(number) < 10):
        raise ConfigurationError(f"corpus {text!r}: write NAME@N, for example roosevelt@2")
    return CorpusName(name=shelves.safe_name(name, "corpus"), version=int(number))


def read_recipe(name: str, workspace: Path) -> tuple[Path, Recipe]:
    """The recipe's file and its contents; its trainer is checked to be there.

    Raises:
        YamlError: faults in the file, or a trainer that does not exist.
    """
    path = shelves.find_yaml("trainers/recipes", name, workspace)
    recipe = yamlfile.read(path, Recipe)
    parse_corpus(recipe.corpus)
    return path, recipe


def find_trainer(recipe: Recipe, path: Path, workspace: Path) -> Path:
    """The program that carries out a recipe: ``trainers/NAME.py``.

    Raises:
        YamlError: there is none of that name; the nearest is offered.
    """
    from harness.errors import MissingPrerequisiteError, YamlError, nearest

    shelves.safe_name(recipe.trainer, "trainer")
    try:
        return shelves.find(f"trainers/{recipe.trainer}.py", workspace)
    except MissingPrerequisiteError:
        roots = (workspace, shelves.shipped())
        known = {program.stem for root in roots for program in (root / "trainers").glob("*.py")}
        place = yamlfile.position(yamlfile.load(path), ("trainer",))
        message = f"{path.name}:{place}  trainer: {recipe.trainer!r} does not exist"
        raise YamlError([message + nearest(recipe.trainer, known)]) from None
