"""Python code in an answer, read as a syntax tree: never compiled, never executed.

Whether a function gives the right result is not known here: that would take running what a model wrote.
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass

LONGEST_CODE = 5_000
"""Characters of code that are parsed at all: the parser's own stack is nothing to put to the test."""

_FENCE = re.compile(r"^[ \t]*```[^\n`]*\n(.*?)(?:^[ \t]*```|\Z)", re.S | re.M)
_DEFINITION = re.compile(r"^(?:async )?def ", re.M)


@dataclass(frozen=True)
class ReversingFunction:
    """What code shows of a function that reverses its argument; each fact needs those before it."""

    present: bool
    parses: bool
    one_parameter: bool
    returns: bool
    has_a_way: bool
    """A step of -1, ``reversed()``, ``.reverse()`` or a loop."""


def code_of(text: str) -> str:
    """The first fenced block with a definition (or the first block); without fences, from the first ``def``.

    Unfenced code ends before the first line at the margin that is no code: the prose after it.
    """
    blocks = [str(block) for block in _FENCE.findall(text) if block.strip()]
    if blocks:
        return next((block for block in blocks if _DEFINITION.search(block)), blocks[0])
    start = _DEFINITION.search(text)
    if start is None:
        return ""
    first, *rest = text[start.start() :].splitlines()
    body = [first]
    for line in rest:
        if line.strip() and not line[0].isspace():
            break
        body.append(line)
    return "\n".join(body)


def parsed(code: str) -> ast.Module | None:
    """The syntax tree of Python code; None where it is empty, over 5,000 characters, or no Python."""
    if not code.strip() or len(code) > LONGEST_CODE:
        return None
    try:
        with warnings.catch_warnings():
            # An odd escape sequence in a model's string is no concern of whoever scores it.
            warnings.simplefilter("ignore")
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def reversing_function(text: str) -> ReversingFunction:
    """What an answer's code shows of a function that reverses its one argument."""
    code = code_of(text)
    tree = parsed(code)
    if tree is None:
        return ReversingFunction(bool(code.strip()), False, False, False, False)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    inside = [node for f in functions if _n_parameters(f.args) == 1 for node in ast.walk(f)]
    return ReversingFunction(
        present=True,
        parses=True,
        one_parameter=bool(inside),
        returns=any(isinstance(node, ast.Return) and node.value is not None for node in inside),
        has_a_way=any(map(_can_reverse, inside)),
    )


def _n_parameters(arguments: ast.arguments) -> int:
    """Parameters that a caller has to give, or all where none has to."""
    named = [*arguments.posonlyargs, *arguments.args]
    return len(named) - len(arguments.defaults) or len(named)


def _is_minus_one(node: ast.expr) -> bool:
    """Looked at and not unparsed: that recurses, and a thousand minus signs parse."""
    return (
        isinstance(node, ast.UnaryOp)
        and isinstance(node.op, ast.USub)
        and isinstance(node.operand, ast.Constant)
        and type(node.operand.value) is int
        and node.operand.value == 1
    )


def _can_reverse(node: ast.AST) -> bool:
    if isinstance(node, ast.For | ast.While | ast.ListComp | ast.GeneratorExp):
        return True
    if isinstance(node, ast.Slice) and node.step is not None:
        return _is_minus_one(node.step)
    called = node.func if isinstance(node, ast.Call) else None
    return (isinstance(called, ast.Name) and called.id == "reversed") or (
        isinstance(called, ast.Attribute) and called.attr == "reverse"
    )
