"""What every key of a recipe means, read from the recipe's own schema.

Recipe --described--> {"lora.alpha": Key("lora.alpha", "= lora.r", ..., "The change is ...", "r to 2 r")}
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from harness.errors import ConfigurationError, nearest
from harness.recipe import Recipe

_COMPUTED = {"lora.alpha": "= lora.r"}
_NUMBERS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


@dataclass(frozen=True)
class Key:
    """One key. ``default`` is empty for one that must be given; ``allowed`` and ``usual`` are in words."""

    name: str
    default: str
    allowed: str
    why: str
    usual: str


@cache
def described() -> dict[str, Key]:
    """Every key of a recipe by its dotted name, in the order of the file."""
    return {key.name: key for key in _keys(Recipe)}


def explained(name: str) -> list[Key]:
    """A key, and below a section its keys; a last part that is unique will do (``alpha``).

    Raises:
        ConfigurationError: there is none of that name; the nearest is offered.
    """
    every = described()
    full = name if name in every else next(iter(_ending_in(name)), name)
    found = [key for key in every.values() if key.name == full or key.name.startswith(f"{full}.")]
    if not found:
        leaves = {key.rpartition(".")[2] for key in every}
        raise ConfigurationError(f"explain {name}: unknown key{nearest(name, set(every) | leaves)}")
    return found


def _ending_in(name: str) -> list[str]:
    ends = [key for key in described() if key.endswith(f".{name}")]
    return ends if len(ends) == 1 else []


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[Key]:
    for name, field in model.model_fields.items():
        text = " ".join((field.description or "").split())
        why, _, usual = text.partition(" Usual: ")
        dotted = prefix + name
        yield Key(dotted, _default(dotted, field), _allowed(field), why, usual.rstrip("."))
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _keys(field.annotation, f"{dotted}.")


def _default(name: str, field: FieldInfo) -> str:
    if name in _COMPUTED:
        return _COMPUTED[name]
    if field.is_required():
        return "must be given"
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, BaseModel):
        return "see its keys"
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return "left out" if value is None or value in ("", {}) else str(value)


def _allowed(field: FieldInfo) -> str:
    annotation = field.annotation
    kinds = [kind for kind in get_args(annotation) if kind is not NoneType] if _is_union(annotation) else []
    if len(kinds) == 1:
        annotation = kinds[0]
    if get_origin(annotation) is Literal:
        return ", ".join(map(str, get_args(annotation)))
    if get_origin(annotation) is tuple or kinds[1:]:
        return "a list" if get_origin(annotation) is tuple else "text or a list"
    if annotation not in _NUMBERS:
        return "a section"
    return " ".join([_NUMBERS[annotation], *_limits(field)])


def _is_union(annotation: Any) -> bool:
    return bool(get_args(annotation)) and get_origin(annotation) not in (tuple, dict, Literal)


def _limits(field: FieldInfo) -> Iterator[str]:
    """``from 1``, ``above 0``, ``to 1024``, ``below 1``."""
    words = (("ge", "from"), ("gt", "above"), ("le", "to"), ("lt", "below"))
    for limit in field.metadata:
        for attribute, word in words:
            if (bound := getattr(limit, attribute, None)) is not None:
                yield f"{word} {bound}"
