"""Which short pieces of a token list occur in a sequence: the cheap first question about every position.

Nearly every longest piece of honest prose that was written before has under four words. These are found by
looking all places up at once; only where four match is the exact search worth its price.

    ids of a text --pairs--> known? --triples--> known? --fours--> known?      0, 1, 2, 3, or 4 and more
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

LONGEST = 4
"""Lengths are counted up to here: three tables of eight bytes a token, and 3 % of honest words go on."""


class ShortPieces:
    """The distinct runs of two, three and four numbers in a sequence of numbers above 0."""

    def __init__(self, sequence: np.ndarray) -> None:
        self._base = int(sequence.max(initial=0)) + 1
        self._tables: list[np.ndarray] = []
        # A run of n numbers is the rank of its first n - 1 among all such runs, and its last number.
        ranks = sequence.astype(np.int64)
        for length in range(2, LONGEST + 1):
            codes = ranks[: max(0, sequence.size - length + 1)] * self._base + sequence[length - 1 :]
            table, ranks = np.unique(codes, return_inverse=True)
            self._tables.append(table)

    def lengths(self, ids: np.ndarray) -> np.ndarray:
        """For each place the longest known run that starts there, 4 at most; shape (len(ids),).

        0 and numbers that the sequence lacks are known to nobody, and must be 0 here.
        """
        found = (ids > 0).astype(np.int64)
        places = np.flatnonzero(found)
        ranks = ids[places].astype(np.int64)
        for table in self._tables:
            inside = places + found[places] < ids.size
            places, ranks = places[inside], ranks[inside]
            codes = ranks * self._base + ids[places + found[places]]
            ranks = np.searchsorted(table, codes)
            known = ranks < table.size
            known[known] = table[ranks[known]] == codes[known]
            places, ranks = places[known], ranks[known]
            found[places] += 1
        return found


def fill_between(places: np.ndarray, longest_from: Callable[[int], int]) -> dict[int, int]:
    """``longest_from`` of every place of a rising list, asked as seldom as can be.

    Where a match starts at i and ends at e, the one from i + 1 ends at e or later: ends only rise. So if two
    places have the same end, all between them have it too, and a pasted text costs two questions.
    """
    lengths: dict[int, int] = {}
    spans = [(0, len(places) - 1)] if len(places) else []
    for place in {int(places[0]), int(places[-1])} if len(places) else set():
        lengths[place] = longest_from(place)
    while spans:
        left, right = spans.pop()
        first, last = int(places[left]), int(places[right])
        if first + lengths[first] == last + lengths[last]:
            end = first + lengths[first]
            lengths |= {int(place): end - int(place) for place in places[left : right + 1]}
        elif right - left > 1:
            middle = (left + right) // 2
            lengths[int(places[middle])] = longest_from(int(places[middle]))
            spans += [(left, middle), (middle, right)]
    return lengths
