"""Short pieces and few questions, against the definition: try every length."""

from __future__ import annotations

import random

import numpy as np

from harness.metrics.matching import LONGEST, ShortPieces, fill_between


def longest(sequence: list[int], ids: list[int], start: int) -> int:
    """Length of the longest run of ``ids`` from ``start`` that occurs in the sequence."""
    runs = {tuple(sequence[i:j]) for i in range(len(sequence)) for j in range(i + 1, len(sequence) + 1)}
    lengths = [n for n in range(1, len(ids) - start + 1) if tuple(ids[start : start + n]) in runs]
    return max(lengths, default=0)


def draw(rng: random.Random, types: int, most: int) -> list[int]:
    return [rng.randint(1, types) for _ in range(rng.randrange(most))]


def test_lengths_up_to_four() -> None:
    rng = random.Random(0)
    seen = set()
    for _ in range(150):
        sequence = draw(rng, 4, 30)
        ids = [number if number in sequence else 0 for number in draw(rng, 6, 20)]
        expected = [min(LONGEST, longest(sequence, ids, start)) for start in range(len(ids))]
        found = ShortPieces(np.array(sequence, dtype=np.int64)).lengths(np.array(ids, dtype=np.int64))
        assert found.tolist() == expected
        seen |= set(expected)
    assert seen == {0, 1, 2, 3, 4}


def test_every_place_between_is_filled() -> None:
    rng = random.Random(1)
    for _ in range(100):
        sequence, ids = draw(rng, 3, 30), draw(rng, 3, 25)
        places = [start for start in range(len(ids)) if rng.random() < 0.7]
        found = fill_between(np.array(places, dtype=np.int64), lambda at: longest(sequence, ids, at))  # noqa: B023
        assert found == {place: longest(sequence, ids, place) for place in places}


def test_a_pasted_text_costs_two_questions() -> None:
    asked: list[int] = []

    def to_the_end(place: int) -> int:
        asked.append(place)
        return 1000 - place

    found = fill_between(np.arange(1000), to_the_end)
    assert [found[0], found[500], found[999]] == [1000, 500, 1]
    assert sorted(asked) == [0, 999]
