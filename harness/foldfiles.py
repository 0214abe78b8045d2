"""Several folds of one author: corpus files that differ in ``hold_out`` alone.

    roosevelt.yaml --> roosevelt-fold1.yaml, roosevelt-fold2.yaml, ...     never over a file that is there

Each fold is a corpus like any other, with a reference set of its own: it is prepared, trained on and run by
its name. Scores of two folds have different references and are not comparable one by one; how far a verdict
depends on what was held out shows when the same comparison is made in each.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from harness import shelves
from harness.corpus.choices import Choice
from harness.errors import ConfigurationError
from harness.prospect import Prospect


@dataclass(frozen=True)
class Fold:
    """One fold: the corpus's name, what it holds out as ``hold_out:`` says it, and what that costs."""

    name: str
    hold_out: str
    choice: Choice


def fold_choices(name: str, found: Prospect, n: int) -> tuple[Fold, ...]:
    """``n`` of the choices, spread evenly over the books (or over the blocks, in reading order).

    Raises:
        ConfigurationError: under two, or more than there are books or blocks.
    """
    options = found.choices
    if not 2 <= n <= len(options):
        what = "books" if options[0].kind == "book" else "blocks"
        raise ConfigurationError(f"--folds {n}: there are {len(options)} {what}; give 2 to {len(options)}")
    chosen = [options[place * len(options) // n] for place in range(n)]
    return tuple(
        Fold(f"{name}-fold{number}", found.hold_out(choice), choice)
        for number, choice in enumerate(chosen, start=1)
    )


def write_folds(name: str, folds: Sequence[Fold], workspace: Path) -> tuple[Path, ...]:
    """The corpus file of each fold, on the workspace's own shelf; all of them or none.

    Raises:
        ConfigurationError: one of them is there already.
    """
    source = shelves.find_yaml("trainers/corpora", name, workspace)
    shelf = workspace / "trainers" / "corpora"
    paths = tuple(shelf / f"{fold.name}.yaml" for fold in folds)
    for path in paths:
        if path.exists():
            raise ConfigurationError(f"trainers/corpora/{path.name} is there already; nothing was written")
    text = source.read_text(encoding="utf-8")
    written = [_with_hold_out(text, fold.hold_out) for fold in folds]
    shelf.mkdir(parents=True, exist_ok=True)
    for number, (path, body) in enumerate(zip(paths, written, strict=True), start=1):
        head = f"# Fold {number} of {len(folds)} of {name}: the same but for hold_out.\n"
        # "x": a file that another process made meanwhile is not overwritten either.
        with path.open("x", encoding="utf-8") as file:
            file.write(head + body)
    return paths


def _with_hold_out(text: str, hold_out: str) -> str:
    """The corpus file with another ``hold_out``, comments kept."""
    parser = YAML(typ="rt")
    parser.width = 4096
    parser.preserve_quotes = True
    tree = parser.load(text)
    if "hold_out" in tree:
        tree["hold_out"] = hold_out
    else:
        tree.insert(list(tree).index("books") + 1, "hold_out", hold_out)
    out = io.StringIO()
    parser.dump(tree, out)
    return out.getvalue()
