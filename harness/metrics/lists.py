"""The lists in a text: how many items each has, however they are marked, nested or headed.

Read from the marks at the beginning of lines (``-``, ``*``, ``1.``), as Markdown writes them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ITEM = re.compile(r"(?P<indent>[ \t]*)(?:[-*+•–]|[*_]{0,2}\(?(?P<number>\d{1,2})[.):])[*_]{0,2}[ \t]+(?=\S)")


@dataclass
class _Open:
    """A list still growing: its indentation, whether numbered, its items and those with a list inside.

    ``interrupted``: a plain line stands since its last item, so what follows at its margin is not inside it.
    """

    indent: int
    numbered: bool
    items: int = 0
    parents: int = 0
    interrupted: bool = False


@dataclass(frozen=True)
class Listed:
    """``lengths``: items of each list, in the order they opened. ``leaves``: items with no list inside."""

    lengths: tuple[int, ...]
    leaves: int


def lists_of(text: str) -> Listed:
    """All lists of a text.

    A list ends where a line announces another one (it ends in a colon), where an outer list goes on, or where
    numbers start at 1 again. Other lines end none: an item may run over several.

    >>> lists_of("Pros:\\n- cheap\\n- near\\nCons:\\n- loud")
    Listed(lengths=(2, 1), leaves=3)
    >>> lists_of("1. Pros:\\n   - cheap\\n   - near\\n2. Cons:\\n   - loud")
    Listed(lengths=(2, 2, 1), leaves=3)
    """
    found: list[_Open] = []
    open_: list[_Open] = []
    for line in text.splitlines():
        mark = _ITEM.match(line)
        if mark is None and line.strip():
            margin = len(line) - len(line.lstrip())
            if line.rstrip(" \t*_").endswith(":"):
                open_ = [one for one in open_ if one.indent < margin]
            for one in open_:
                one.interrupted |= margin <= one.indent
        if mark is None:
            continue
        indent, numbered = len(mark["indent"].expandtabs(4)), mark["number"] is not None
        own = next((one for one in reversed(open_) if (one.indent, one.numbered) == (indent, numbered)), None)
        if own is None or (numbered and int(mark["number"]) == 1):
            kept = [one for one in open_ if one.indent < indent + (not one.interrupted) and one is not own]
            own = _Open(indent, numbered)
            if kept:
                kept[-1].parents = min(kept[-1].items, kept[-1].parents + 1)
            open_ = [*kept, own]
            found.append(own)
        else:
            open_ = open_[: open_.index(own) + 1]
        own.items, own.interrupted = own.items + 1, False
    return Listed(tuple(one.items for one in found), sum(one.items - one.parents for one in found))
