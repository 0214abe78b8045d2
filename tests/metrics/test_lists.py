from __future__ import annotations

import pytest

from harness.metrics.lists import Listed, lists_of


@pytest.mark.parametrize(
    ("text", "lengths", "leaves"),
    [
        ("", (), 0),
        ("No list - not here, nor 1. here.", (), 0),
        ("- a\n- b\n- c", (3,), 3),
        ("1. a\n2) b\n(3) c", (3,), 3),
        ("**1. a**\nmore of a\n\n**2. b**", (2,), 2),
        ("Sure:\n* a\n* b\n\nThe steps:\n1. c\n2. d\n3. e", (2, 3), 5),
        ("Good\n1. a\n2. b\nBad\n1. c\n2. d", (2, 2), 4),
        ("## Ingredients\n- a\n- b\n## Steps\n1. c", (2, 1), 3),
        ("1. a\n   - detail\n   - detail\n2. b\n   - detail", (2, 2, 1), 3),
        ("1. Pros:\n- a\n- b\n2. Cons:\n- c\n- d", (2, 2, 2), 4),
        ("1. a\n   for example:\n   - x\n2. b", (2, 1), 2),
        ("- \n-a\n-- b\n---", (), 0),
        ("2020. was a year\n1066. another", (), 0),
    ],
)
def test_lists_are_counted_however_they_are_written(text: str, lengths: tuple[int, ...], leaves: int) -> None:
    assert lists_of(text) == Listed(lengths, leaves)
