"""A recipe: one YAML file on trainers/recipes that says how to train one variant, or a family of them.

base: smollm2-135m-instruct
trainer: peft_lora
corpus: roosevelt@2
lora: {r: 16}
steps: 60

The text under each key is what ``stylobench explain KEY`` prints: one sentence of why, and the usual range.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from harness import shelves, yamlfile
from harness.errors import ConfigurationError, MissingPrerequisiteError, YamlError, nearest
from harness.yamlfile import Strict

MOST_SEEDS = 64


class Described(Strict):
    """A part of a recipe: the text under a key is the description that its schema carries."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class Lora(Described):
    """Low-rank adapter settings (Hu et al. 2021)."""

    r: int = Field(16, ge=1, le=1024)
    """Rank, in how many directions each weight matrix may change: more takes in more of the data and
    copies more of it.
    Usual: 8 to 64."""
    alpha: int = Field(default_factory=lambda given: given.get("r", 16), ge=1)
    """The change is scaled by alpha / r; left out it is r, so that a rank sweep keeps one scale.
    Usual: r to 2 r."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of the adapter's inputs blanked in each step, against overfitting a small corpus; 0 is
    fastest.
    Usual: 0 to 0.1."""
    bias: Literal["none", "all", "lora_only"] = "none"
    """Which biases are trained too; with any but none, taking the adapter off does not give the base
    back.
    Usual: none."""
    targets: str | tuple[str, ...] = "all-linear"
    """Which layers get an adapter, `all-linear` or a list of module names: all learn style best,
    attention alone is what fits a mixture of experts.
    Usual: all-linear."""
    modules_to_save: tuple[str, ...] = ()
    """Modules trained whole, without low rank (`lm_head`, `embed_tokens`): for new words or a new
    language, at gigabytes of memory.
    Usual: none."""

    @field_validator("targets")
    @classmethod
    def _can_be_matched(cls, targets: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if isinstance(targets, str):
            try:
                re.compile(targets)
            except re.error as error:
                raise ValueError(f"{targets!r} is no regular expression: {error}") from None
        return targets


class ChatTemplate(Described):
    """Options of the base's chat template, or another template in its place."""

    enable_thinking: bool | None = None
    """Whether a reasoning model thinks before it answers: prose holds no reasoning, so a style is trained
    without.
    Usual: false for Qwen3, left out for the others."""
    reasoning_effort: Literal["low", "medium", "high"] | None = None
    """How long a GPT-OSS model is told to reason: the less, the more of an answer is the author's.
    Usual: low."""
    file: str | None = None
    """Another template instead of the base's own: a path, or a name on trainers/templates; for a base
    that has none, or a faulty one.
    Usual: left out."""


class Recipe(Described):
    """How one variant is trained, or with ``matrix`` a family of them."""

    base: str
    """The model that is trained on, a folder of safetensors or a hub name: it needs a chat template.
    Usual: an instruct model, org/name@revision, 1 to 32 billion parameters."""
    trainer: str = "peft_lora"
    """The program trainers/NAME.py that trains: peft_lora runs everywhere, unsloth_lora is faster on one
    GPU.
    Usual: peft_lora or unsloth_lora."""
    corpus: str
    """The author's books as `prepare` cut them, NAME@N: the number pins the data, so that a name means
    one thing.
    Usual: the newest version."""
    system: str = "persona"
    """The system prompt of every example, and the corpus persona where it says persona: a model is
    benchmarked as it was trained.
    Usual: persona."""
    template: ChatTemplate = ChatTemplate()
    """Options of the chat template, which must be the same in training and in the benchmark.
    Usual: left out."""
    load_in_4bit: bool = False
    """Hold the base in 4 bits (NF4, Dettmers and others, 2023), a quarter of the memory and CUDA only.
    Usual: true for 8 billion parameters and more on a 24 GB card."""
    lora: Lora = Lora()
    """The adapter: what of the model may change, and how much.
    Usual: {r: 16}."""
    packing: bool = False
    """Several short examples in one row, kept apart by their positions: saves padding where lengths
    differ much.
    Usual: false."""
    epochs: float | None = Field(None, gt=0, le=1000)
    """How often every example is seen; either this or steps.
    Usual: 1 to 3, and beyond 3 answers begin to be copies."""
    steps: int | None = Field(None, ge=1, le=10_000_000)
    """How many times the weights are changed; either this or epochs.
    Usual: 60 to 2000."""
    batch: int = Field(8, ge=1, le=65_536)
    """Examples behind one step, however many fit at once: larger is smoother, with fewer steps an epoch.
    Usual: 8 to 32."""
    micro_batch: int | None = Field(None, ge=1)
    """Examples on the device at once, a divisor of batch; left out, the most that fit.
    Usual: 1 to 8."""
    seq_len: int = Field(2048, ge=16, le=1_048_576)
    """Longest example in tokens: memory grows with it, and more than 1 % of the target cut off is an
    error.
    Usual: 512 to 4096."""
    max_examples: int | None = Field(None, ge=1)
    """Only so many training examples, the same ones first for every number, so that sizes can be
    compared.
    Usual: left out."""
    lr: float = Field(0.0002, gt=0, allow_inf_nan=False)
    """Highest learning rate: LoRA bears ten times what full training does; too high loops or forgets.
    Usual: 0.00005 to 0.0005."""
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """How the learning rate falls after the warm-up: to nothing in a line or a cosine, or not at all.
    Usual: linear."""
    warmup_steps: int = Field(5, ge=0)
    """Steps in which the learning rate rises from 0, since the optimiser's first estimates are poor.
    Usual: 5, or 3 % of the steps."""
    weight_decay: float = Field(0.0, ge=0, allow_inf_nan=False)
    """How fast weights are pulled towards 0 between steps, a mild brake on overfitting.
    Usual: 0 to 0.01."""
    optimizer: Literal["adamw_torch", "adamw_8bit", "paged_adamw_8bit"] = "adamw_torch"
    """Who keeps the moments: in 8 bits they take a quarter of the memory, paged ones move to main memory
    when the card is full (CUDA only).
    Usual: adamw_torch on a CPU, adamw_8bit on a GPU."""
    gradient_checkpointing: bool | None = None
    """Forget activations and compute them again: much less memory for a fifth more time.
    Usual: left out, which is on with CUDA and off on a CPU."""
    seeds: tuple[int, ...] = (3407,)
    """One variant a training seed: one speaks about an adapter, three speak about the data.
    Usual: 1 to 3."""
    save_steps: int = Field(20, ge=1)
    """Steps between checkpoints, which is what a killed run loses at most.
    Usual: 20 to 200."""
    save_total_limit: int = Field(2, ge=1)
    """Checkpoints kept at once, since each holds the optimiser's state too: three times the adapter; 1
    keeps 2, for the older one counts until the newer lies whole.
    Usual: 2."""
    eval_steps: int | None = Field(None, ge=1)
    """Steps between readings of the validation passages, for the curve in the report and for keep.
    Usual: left out, or a tenth of the steps."""
    keep: Literal["last", "best_validation"] = "last"
    """Which state becomes the adapter: the last, or the one that read validation passages best without
    copying.
    Usual: last for 1 epoch, best_validation for more."""
    max_copied: float | None = Field(None, ge=0, le=1)
    """Ceiling on the share of copied sample answers that best_validation may choose under; left out,
    0.05.
    Usual: 0.02 to 0.1."""
    milestones: tuple[int, ...] = ()
    """Steps after which the adapter becomes a variant of its own too, NAME+stepN: so that checkpoints can
    be compared.
    Usual: left out, or two or three."""
    continue_from: str | None = None
    """A registered adapter of the same base to train on from, instead of a fresh one: for a second stage.
    Usual: left out."""
    dtype: Literal["bfloat16", "float32"] = "bfloat16"
    """Precision of the weights that are not in 4 bits: float32 is for tiny models and exact tests.
    Usual: bfloat16."""
    matrix: dict[str, tuple[bool | int | float | str, ...]] = Field(default_factory=dict)
    """Keys with a list of values each, every combination of which becomes a variant: for sweeps of rank,
    seed, data.
    Usual: left out, or up to a dozen variants, at most 64."""
    tensorboard: bool = False
    """Write the losses for TensorBoard too, beside the adapter, since some like curves; needs its package.
    Usual: false."""
    note: str = ""
    """A line for yourself that is kept with the variant and changes nothing.
    Usual: what you wanted to find out."""

    @field_validator("note", "system")
    @classmethod
    def _can_be_written(cls, text: str) -> str:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError("half a character (a lone surrogate) cannot be written down") from None
        return text

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Recipe:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give either epochs or steps")
        if self.micro_batch is not None and self.batch % self.micro_batch:
            raise ValueError(f"batch {self.batch} is not a multiple of micro_batch {self.micro_batch}")
        if not self.seeds:
            raise ValueError("seeds: at least one is needed")
        if len(self.seeds) > MOST_SEEDS or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds: write at most {MOST_SEEDS}, each once")
        if not all(0 <= seed < 2**32 for seed in self.seeds):
            raise ValueError("seeds: each lies between 0 and 4294967295")
        if self.max_copied is not None and self.keep != "best_validation":
            raise ValueError("max_copied is a ceiling for keep: best_validation; set both or neither")
        beyond = [step for step in self.milestones if step < 1 or step >= (self.steps or math.inf)]
        if beyond or len(set(self.milestones)) < len(self.milestones):
            raise ValueError("milestones: write each once, from 1 on and below steps")
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
    """The recipe's file and its contents, every combination of its matrix tried.

    Raises:
        YamlError: faults in the file.
        ConfigurationError: a corpus that is not ``NAME@N``.
    """
    from harness.matrix import cells

    path = shelves.find_yaml("trainers/recipes", name, workspace)
    recipe = yamlfile.read(path, Recipe)
    parse_corpus(recipe.corpus)
    cells(recipe, path)
    return path, recipe


def find_trainer(recipe: Recipe, path: Path, workspace: Path) -> Path:
    """The program that carries out a recipe: ``trainers/NAME.py``.

    Raises:
        YamlError: there is none of that name; the nearest is offered.
    """
    shelves.safe_name(recipe.trainer, "trainer")
    try:
        return shelves.find(f"trainers/{recipe.trainer}.py", workspace)
    except MissingPrerequisiteError:
        roots = (workspace, shelves.shipped())
        known = {program.stem for root in roots for program in (root / "trainers").glob("*.py")}
        place = yamlfile.position(yamlfile.load(path), ("trainer",))
        message = f"{path.name}:{place}  trainer: {recipe.trainer!r} does not exist"
        raise YamlError([message + nearest(recipe.trainer, known)]) from None


_CHANGES_NOTHING = ("note", "tensorboard", "milestones")


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """What of a recipe decides a training, as a record keeps it: all that changes it."""
    return recipe.model_dump(mode="json", exclude={"matrix", *_CHANGES_NOTHING})


def completed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A record's settings with the defaults of keys that did not exist when it was written.

    Settings of a training elsewhere, which have no recipe's keys, stay as they are.
    """
    if "trained elsewhere" in settings:
        return dict(settings)
    return _filled(settings, Recipe)


def _filled(given: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    whole = dict(given)
    for name, field in model.model_fields.items():
        # What follows from another key (alpha from r) was always written out.
        if name in _CHANGES_NOTHING or field.is_required() or field.default_factory is not None:
            continue
        default = field.default
        if isinstance(default, BaseModel):
            whole[name] = _filled(whole.get(name) or {}, type(default))
        elif name not in whole:
            whole[name] = list(default) if isinstance(default, tuple) else default
    return whole
