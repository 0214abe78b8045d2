"""A recipe's matrix: every combination of the listed values is a training of its own.

matrix: {lora.r: [8, 16], seeds: [1, 2]}     ->     +r8+seed1   +r8+seed2   +r16+seed1   +r16+seed2
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness import yamlfile
from harness.errors import YamlError, nearest
from harness.keys import described
from harness.recipe import Recipe, parse_corpus

MOST_CELLS = 64
"""More trainings than this from one file is a slip of the pen rather than an experiment."""

Value = bool | int | float | str

_UNFIT = {"matrix", "note", "lora", "template", "lora.targets", "lora.modules_to_save"}
"""Keys that hold other keys or lists, or change nothing."""
_SPOKEN = {"lora.r": "r{}", "seeds": "seed{}", "max_examples": "{}examples", "corpus": "", "base": "{}"}
"""How a value is said in a variant's name; the corpus is in it already, after the ``@``."""


@dataclass(frozen=True)
class Cell:
    """One training: the recipe with one value from each list, and what its variant's name says of them."""

    recipe: Recipe
    label: str


def cells(recipe: Recipe, path: Path) -> list[Cell]:
    """The trainings a recipe stands for; without a matrix the recipe itself.

    Raises:
        YamlError: an unknown key, a value that key cannot take, two cells of one name, or more than 64.
    """
    matrix = recipe.matrix
    if not matrix:
        return [Cell(recipe, "")]
    for key, values in matrix.items():
        if key not in described() or key in _UNFIT:
            raise _fault(path, (key,), f"{key} cannot be varied{nearest(key, set(described()) - _UNFIT)}")
        if not values:
            raise _fault(path, (key,), f"{key}: at least one value is needed")
        for at, value in enumerate(values):
            _check(recipe, key, value, at, path)
    n = 1
    for values in matrix.values():
        n *= len(values)
    if n > MOST_CELLS:
        raise _fault(path, (), f"stands for {n:,} trainings; {MOST_CELLS} are the most")

    made = []
    for chosen in itertools.product(*matrix.values()):
        values_of = dict(zip(matrix, chosen, strict=True))
        try:
            made.append(Cell(_with(recipe, values_of), _label(values_of)))
        except ValidationError as error:
            raise _fault(path, (), f"{_spelt(values_of)}: {_said(error)}") from None
    names = [(cell.label, cell.recipe.corpus) for cell in made]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise _fault(path, (), f"two trainings would have one name ({twice[0] or twice[1]})")
    return made


def narrowed(recipe: Recipe, *, corpus: str | None = None, seed: int | None = None) -> Recipe:
    """The recipe with another corpus or one seed, in its matrix too where that varies them."""
    given: dict[str, Value] = {}
    if corpus is not None:
        given["corpus"] = corpus
    if seed is not None:
        given["seeds"] = seed
    matrix = {key: (given[key],) if key in given else values for key, values in recipe.matrix.items()}
    return _with(recipe, given, matrix)


def _with(
    recipe: Recipe, values: Mapping[str, Value], matrix: Mapping[str, tuple[Value, ...]] | None = None
) -> Recipe:
    """The recipe with some keys set anew; what was left out (alpha) follows from the new values."""
    settings: dict[str, Any] = recipe.model_dump(exclude_unset=True, exclude={"matrix"})
    for key, value in values.items():
        section, _, leaf = key.rpartition(".")
        place = settings.setdefault(section, {}) if section else settings
        place[leaf] = [value] if key == "seeds" else value
    return Recipe.model_validate(settings | {"matrix": dict(matrix or {})})


def _check(recipe: Recipe, key: str, value: Value, at: int, path: Path) -> None:
    """One value by itself, so that its fault has its own place in the file."""
    try:
        _with(recipe, {key: value})
    except ValidationError as error:
        # A rule between two keys may be kept once the other axis has its value too: that is tried later.
        if any(item["loc"] for item in error.errors()):
            raise _fault(path, (key, at), f"{key}: {_said(error)}") from None
        return
    if key == "corpus":
        parse_corpus(str(value))


def _label(values: Mapping[str, Value]) -> str:
    """``+r8+seed2``: the seed last, wherever it stands in the matrix."""
    keys = sorted(values, key=lambda key: key == "seeds")
    return "".join(f"+{said}" for key in keys if (said := _said_of(key, values[key])))


def _said_of(key: str, value: Value) -> str:
    leaf = key.rpartition(".")[2]
    if isinstance(value, bool):
        return leaf if value else f"no-{leaf}"
    if key == "base":
        value = str(value).partition("@")[0].rstrip("/").rpartition("/")[2].lower()
    spoken = f"{value:g}".replace("+", "") if isinstance(value, float) else str(value)
    default = f"{leaf}-{{}}" if isinstance(value, str) else f"{leaf}{{}}"
    return re.sub(r"[^A-Za-z0-9._-]+", "-", _SPOKEN.get(key, default).format(spoken)).strip("-.")


def _spelt(values: Mapping[str, Value]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())


def _said(error: ValidationError) -> str:
    message = error.errors()[0]["msg"].removeprefix("Value error, ")
    return message[0].lower() + message[1:]


def _fault(path: Path, keys: tuple[str | int, ...], message: str) -> YamlError:
    place = yamlfile.position(yamlfile.load(path), ("matrix", *keys))
    return YamlError([f"{path.name}:{place}  matrix: {message}"])
