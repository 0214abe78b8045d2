"""At which sizes a suite may be looked at, declared before the first: ``prompts: 40, max_prompts: 160``.

    40 -> 80 -> 160     doubled until the maximum: three looks, so every p value is taken times three

Whoever stops when the answer pleases finds something too often. With the sizes fixed beforehand, k looks
at level alpha / k find something false with probability alpha at most, whatever made one stop (Bonferroni;
Pocock 1977 on repeated significance tests). Prompts come in one fixed order: a larger set holds a smaller.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from harness.errors import ConfigurationError
from harness.text import digest
from harness.types import Prompt

Unit = Literal["prompts", "blocks"]
"""What there can be more of: prompts, or held-out documents (blocks) whose likelihood is taken."""


def looks(first: int, most: int | None) -> tuple[int, ...]:
    """The sizes that may be looked at, ascending; only ``first`` where no larger maximum was declared.

    >>> looks(40, 150), looks(40, None)
    ((40, 80, 150), (40,))
    """
    sizes = [first]
    while most is not None and sizes[-1] < most:
        sizes.append(min(2 * sizes[-1], most))
    return tuple(sizes)


def grown(sizes: Sequence[int], more: int, key: str, have: str) -> int:
    """The smallest declared size with at least ``more`` beyond the first.

    Raises:
        ConfigurationError: no maximum was declared, or it is below what is asked for.
    """
    if len(sizes) == 1:
        raise ConfigurationError(
            f"--grow {more}: the suite declares no {key} above its {sizes[0]} {have}; "
            "a maximum is declared before the first look"
        )
    fitting = [size for size in sizes[1:] if size >= sizes[0] + more]
    if not fitting:
        raise ConfigurationError(
            f"--grow {more}: {key} is {sizes[-1]}, so at most {sizes[-1] - sizes[0]} more {have}"
        )
    return fitting[0]


def first_of(prompts: Sequence[Prompt], size: int) -> tuple[Prompt, ...]:
    """``size`` prompts, in the order given, its kinds in their shares; a larger size holds every smaller one.

    Within a kind the order is that of the ids' digests, fixed and unrelated to the book's course.
    """
    place: dict[str, float] = {}
    for kind in sorted({prompt.kind for prompt in prompts}):
        ids = sorted((prompt.id for prompt in prompts if prompt.kind == kind), key=digest)
        place |= {item: (rank + 0.5) / len(ids) for rank, item in enumerate(ids)}
    chosen = set(sorted(place, key=lambda item: (place[item], item))[:size])
    return tuple(prompt for prompt in prompts if prompt.id in chosen)
