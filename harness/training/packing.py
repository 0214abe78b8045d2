"""Short examples laid end to end in one row, none of which sees another.

    rows of seq_len 8     A A A B B B B B | C C C C C C
    position_ids          0 1 2 0 1 2 3 4   0 1 2 3 4 5

Positions that start again at 0 tell transformers where a document begins: its attention masks, and its
flash attention, then keep each to itself. Examples stay in their order, so that two runs read the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.training.chat import IGNORED


@dataclass(frozen=True)
class Row:
    """Examples end to end: ``lengths`` in tokens add up to that of ``input_ids`` and of ``labels``."""

    input_ids: list[int]
    labels: list[int]
    lengths: list[int]


def pack(examples: Sequence[Mapping[str, Sequence[int]]], seq_len: int) -> list[Row]:
    """Rows of at most ``seq_len`` tokens: each example joins the open row, or opens the next.

    Looking only at the open row wastes more room than sorting by size would (Krell and others, 2021), and
    keeps the order. The first label of each example must be masked, or it would be predicted from the
    last token of the one before; chat examples begin with their prompt, which is.
    """
    rows: list[Row] = []
    for example in examples:
        ids, labels = list(example["input_ids"]), list(example["labels"])
        if rows and len(rows[-1].input_ids) + len(ids) <= seq_len:
            last = rows.pop()
            rows.append(Row(last.input_ids + ids, last.labels + labels, [*last.lengths, len(ids)]))
        else:
            rows.append(Row(ids, labels, [len(ids)]))
        rows[-1].labels[-len(ids)] = IGNORED
    return rows


class Collate:
    """Rows to one batch of tensors, shape (rows, longest row): ``input_ids``, ``labels``, ``position_ids``.

    The padding behind a short row counts from 0 too, and so is a document of its own that nobody sees.
    There is no attention mask: given one, transformers would not look at the positions.
    """

    def __init__(self, pad: int) -> None:
        self.pad = pad

    def __call__(self, rows: Sequence[Mapping[str, Sequence[int]]]) -> dict[str, Any]:
        import torch

        longest = max(len(row["input_ids"]) for row in rows)
        columns: dict[str, list[list[int]]] = {"input_ids": [], "labels": [], "position_ids": []}
        for row in rows:
            short = longest - len(row["input_ids"])
            columns["input_ids"].append([*row["input_ids"], *[self.pad] * short])
            columns["labels"].append([*row["labels"], *[IGNORED] * short])
            lengths = [*row["lengths"], short]
            columns["position_ids"].append([place for length in lengths for place in range(length)])
        return {name: torch.tensor(values) for name, values in columns.items()}
