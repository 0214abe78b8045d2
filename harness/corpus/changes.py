"""What changed between two versions of a corpus, book by book.

-162 passages (2,024 -> 1,862): -103 (88 index, 15 contents) in heretics, -59 index in orthodoxy

A passage is the same in both if its text is (by digest, in the same book), wherever it stands now. Only what
is trained on or validated with is counted; held-out text does not change between versions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.types import Passage

N_EXAMPLES = 3
_USED = ("train", "validation")


@dataclass(frozen=True)
class BookChange:
    """One book; counts are of passages. ``moved`` stand in both versions, but on another side of
    train and validation. Examples: up to three passages of each, the first of the commonest roles.
    """

    book: str
    before: int
    after: int
    removed: int
    added: int
    moved: int
    removed_roles: Mapping[str, int]
    added_roles: Mapping[str, int]
    removed_examples: tuple[Passage, ...]
    added_examples: tuple[Passage, ...]

    @property
    def net(self) -> int:
        """Passages more (or, below zero, fewer) than before."""
        return self.added - self.removed


@dataclass(frozen=True)
class CorpusChanges:
    """``books``: every book of either version, those that lost most first, unchanged ones last."""

    books: tuple[BookChange, ...]

    @property
    def before(self) -> int:
        """Passages of the old version."""
        return sum(book.before for book in self.books)

    @property
    def after(self) -> int:
        """Passages of the new version."""
        return sum(book.after for book in self.books)

    @property
    def net(self) -> int:
        """Passages more (or, below zero, fewer) than before."""
        return self.after - self.before

    def sentence(self, noun: str = "passages") -> str:
        """One sentence: the difference, the totals, and each book that changed; ``noun``: ``pairs``, say."""
        changed = [book for book in self.books if book.removed or book.added or book.moved]
        totals = f"{self.before:,} -> {self.after:,}"
        if not changed:
            return f"no {noun} changed ({totals})"
        return f"{self.net:+,} {noun} ({totals}): {', '.join(map(_of_book, changed))}"


def compare_corpora(old: Iterable[Passage], new: Iterable[Passage]) -> CorpusChanges:
    """What the new version has that the old one has not, and the other way round.

    A passage that stands twice in one version and once in the other counts as one removed or added.
    """
    before, after = _by_book(old), _by_book(new)
    books = [_book_change(name, before.get(name, []), after.get(name, [])) for name in before | after]
    books.sort(key=lambda book: (not (book.removed or book.added or book.moved), book.net, book.book))
    return CorpusChanges(tuple(books))


def _book_change(name: str, old: Sequence[Passage], new: Sequence[Passage]) -> BookChange:
    removed, added = _missing(old, new), _missing(new, old)
    sides = Counter((p.digest, p.split) for p in old) - Counter((p.digest, p.split) for p in new)
    return BookChange(
        book=name,
        before=len(old),
        after=len(new),
        removed=len(removed),
        added=len(added),
        # What is gone from its side is gone altogether, or has moved to the other.
        moved=sides.total() - len(removed),
        removed_roles=dict(Counter(p.role for p in removed).most_common()),
        added_roles=dict(Counter(p.role for p in added).most_common()),
        removed_examples=_examples(removed),
        added_examples=_examples(added),
    )


def _missing(here: Sequence[Passage], there: Sequence[Passage]) -> list[Passage]:
    """The passages of the first that the second has not, in order."""
    left = Counter(passage.digest for passage in there)
    missing = []
    for passage in here:
        if left[passage.digest]:
            left[passage.digest] -= 1
        else:
            missing.append(passage)
    return missing


def _examples(passages: Sequence[Passage]) -> tuple[Passage, ...]:
    """The first passage of each role, commonest role first, then others in order."""
    roles = Counter(passage.role for passage in passages)
    first = [next(p for p in passages if p.role == role) for role, _ in roles.most_common(N_EXAMPLES)]
    rest = [passage for passage in passages if passage not in first]
    return tuple([*first, *rest][:N_EXAMPLES])


def _by_book(passages: Iterable[Passage]) -> dict[str, list[Passage]]:
    books: dict[str, list[Passage]] = {}
    for passage in passages:
        if passage.split in _USED:
            books.setdefault(passage.book, []).append(passage)
    return books


def _of_book(book: BookChange) -> str:
    parts = [_with_roles(-book.removed, book.removed_roles), _with_roles(book.added, book.added_roles)]
    said = " ".join(part for part in parts if part)
    moved = f"{book.moved:,} changed sides" if book.moved else ""
    return f"{' and '.join(part for part in (said, moved) if part)} in {book.book}"


def _with_roles(count: int, roles: Mapping[str, int]) -> str:
    """``-103 (88 index, 15 contents)``, ``-59 index``, ``-7`` where all is body; nothing for none."""
    if not count or list(roles) == ["body"]:
        return f"{count:+,}" if count else ""
    if len(roles) == 1:
        return f"{count:+,} {next(iter(roles))}"
    return f"{count:+,} ({', '.join(f'{n:,} {role}' for role, n in roles.items())})"
