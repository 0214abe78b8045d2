"""Strict YAML: every fault is placed in its file, and an unknown key names the nearest valid one.

YAML 1.2 through ruamel.yaml (``no`` is a string, ``2e-4`` a number), duplicate keys refused. A file is
read into a pydantic model; what pydantic rejects is translated into ``file:line:column  key: problem``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq, TaggedScalar
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from harness.errors import ConfigurationError, YamlError, nearest

MOST_VALUES = 100_000
"""Values of a file with its aliases written out: a few lines of aliases can stand for billions."""


class Strict(BaseModel):
    """The base of every model a YAML file is read into: frozen, and unknown keys are faults."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


Model = TypeVar("Model", bound=Strict)


def read(path: Path, model: type[Model]) -> Model:
    """One YAML file as an instance of ``model``.

    Raises:
        YamlError: every fault found, each as ``file:line:column  key: problem``.
        ConfigurationError: the file cannot be read at all.
    """
    tree = load(path)
    if not isinstance(tree, CommentedMap):
        raise YamlError([f"{path.name}:1:1  a mapping of keys was expected"])
    try:
        return model.model_validate(_Plain()(tree))
    except RecursionError:
        raise YamlError([f"{path.name}  nested too deeply, or an alias stands for itself"]) from None
    except OverflowError:
        raise YamlError([f"{path.name}  its aliases stand for more than {MOST_VALUES:,} values"]) from None
    except ValidationError as error:
        # A default that follows from a faulty key is no fault of its own.
        items = [item for item in error.errors() if item["type"] != "default_factory_not_called"]
        raise YamlError([_fault(path, tree, model, item) for item in items]) from None


def load(path: Path) -> Any:
    """The parsed tree with line numbers; syntax errors and duplicate keys are placed."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path.name}: cannot be read as UTF-8 text ({error})") from None
    parser = YAML(typ="rt")
    parser.allow_duplicate_keys = False
    try:
        return parser.load(text)
    except RecursionError:
        raise YamlError([f"{path.name}  nested too deeply"]) from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path.name}:{mark.line + 1}:{mark.column + 1}" if mark else path.name
        raise YamlError([f"{place}  {(error.problem or 'not valid YAML').strip().splitlines()[0]}"]) from None
    except (YAMLError, ValueError) as error:
        # ValueError: a number of thousands of digits, a date that does not exist.
        raise YamlError([f"{path.name}  {str(error).splitlines()[0]}"]) from None


def position(tree: Any, keys: tuple[int | str, ...]) -> str:
    """``line:column`` (from 1) of the deepest part of a key path that the tree really has."""
    line, column, node = 0, 0, tree
    for key in keys:
        if isinstance(node, CommentedMap) and key in node:
            line, column = node.lc.key(key)
        elif isinstance(node, CommentedSeq) and isinstance(key, int) and key < len(node):
            line, column = node.lc.item(key)
        else:
            break
        node = node[key]
    return f"{line + 1}:{column + 1}"


class _Plain:
    """ruamel's tree as plain Python; a ``!function a.b`` scalar becomes the string ``!function a.b``."""

    def __init__(self) -> None:
        self._seen = 0

    def __call__(self, node: Any) -> Any:
        self._seen += 1
        if self._seen > MOST_VALUES:
            raise OverflowError
        if isinstance(node, TaggedScalar):
            return f"{node.tag.value} {node.value}"
        if isinstance(node, dict):
            return {key: self(value) for key, value in node.items()}
        if isinstance(node, list):
            return [self(value) for value in node]
        if isinstance(node, bool) or node is None:
            return node
        for kind in (int, float, str):
            if isinstance(node, kind):
                return kind(node)
        return node


def _fault(path: Path, tree: Any, model: type[BaseModel], item: Any) -> str:
    keys = tuple(item["loc"])
    dotted = ".".join(str(key) for key in keys)
    place = f"{path.name}:{position(tree, keys)}"
    if item["type"] == "extra_forbidden":
        return f"{place}  {dotted}: unknown key{nearest(str(keys[-1]), _valid_keys(model, keys[:-1]))}"
    if item["type"] == "missing":
        return f"{place}  {dotted}: missing"
    message = item["msg"].removeprefix("Value error, ").replace("valid tuple", "valid list")
    message = message.replace("Tuple should", "List should")
    named = ".".join(str(key) for key in keys if not _is_type_name(key))
    subject = f"{named}: " if named else ""
    return f"{place}  {subject}{message[0].lower()}{message[1:]}"


def _is_type_name(key: int | str) -> bool:
    """True for what pydantic adds to a path to say which type of a union, or that a key, was at fault."""
    return isinstance(key, str) and (key in ("str", "int", "float", "bool") or "[" in key)


def _valid_keys(model: type[BaseModel], parents: tuple[int | str, ...]) -> list[str]:
    """The keys valid at a place, found by walking the model's annotations down the key path."""
    for key in parents:
        field = next((f for n, f in model.model_fields.items() if key in (n, f.alias)), None)
        inner = _inner_model(field.annotation) if field else None
        model = inner or model
    return [field.alias or name for name, field in model.model_fields.items()]


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _inner_model(part))), None)
