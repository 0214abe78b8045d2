"""How well ``label_pages`` tells the body from the rest, on real books labelled by looking at their pages.

    python tests/benchmarks/page_roles.py [FOLDER ...]     default: /usr/share

The labels (tests/corpus/page_labels) hold page numbers and roles, never text; a book is looked for under
the folders by its path and taken only if its sha256 is the labelled one. Absent books are skipped and named.

    recall    labelled non-body pages that were taken out, of all labelled non-body pages (blank ones too)
    dropped   labelled body pages that were taken out, of all labelled body pages

Pages labelled ``either`` (a figure with a line or two of text, a page half this and half that) count for
nothing; a mixed page counts under the role of most of its words. The rules have no fitted weights, so that
leaving one book out changes no other numbers. What honesty asks for instead is the first sight of books
labelled before the labeller was run: README.md has those figures, batch by batch. ``new`` in the column after
the numbers marks books on which no rule was mended but the two faults of the first batch.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from harness.corpus.mixed_pages import page_roles
from harness.corpus.pdf import read_pdf
from harness.corpus.role_names import ROLES
from harness.corpus.roles import label_pages
from harness.library import file_digest

LABELS = Path(__file__).parents[1] / "corpus" / "page_labels"


@dataclass(frozen=True)
class Tally:
    """One book's pages: how many of either kind, and the numbers of those that went wrong."""

    name: str
    new: bool
    other: int
    body: int
    kept: tuple[int, ...]
    dropped: tuple[int, ...]

    def line(self, most: int = 12) -> str:
        recall = 1 - len(self.kept) / self.other if self.other else float("nan")
        wrong = len(self.dropped) / self.body if self.body else float("nan")
        pages = f"kept {list(self.kept[:most])} dropped {list(self.dropped[:most])}"
        counts = f"{self.other:5d} {recall:7.1%} {self.body:6d} {wrong:8.2%}"
        return f"{self.name:34s} {counts}  {'new ' if self.new else 'seen'} {pages}"


def read_labels(path: Path) -> dict[str, Any]:
    """One file of labels, with every page's role as ``by_page``; unnamed pages are body."""
    labels: dict[str, Any] = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    by_page = dict.fromkeys(range(1, labels["pages"] + 1), "body")
    for role, ranges in labels["roles"].items():
        if role not in (*ROLES, "either"):
            raise ValueError(f"{path.name}: no role {role!r}")
        for given in ranges:
            first, _, last = given.partition("-")
            for number in range(int(first), int(last or first) + 1):
                if by_page[number] != "body":
                    raise ValueError(f"{path.name}: page {number} is labelled twice")
                by_page[number] = role
    return labels | {"by_page": by_page}


def find(labels: dict[str, Any], folders: Iterable[Path]) -> Path | None:
    """The labelled book's file under one of the folders, by path or by name, with the right sha256."""
    wanted = Path(labels["file"])
    for folder in folders:
        for path in (folder / wanted, folder / wanted.name):
            if path.is_file() and file_digest(path) == labels["sha256"]:
                return path
    return None


def tally(name: str, labels: dict[str, Any], path: Path) -> Tally:
    """Label the book's pages and count what went wrong."""
    found = page_roles(label_pages(read_pdf(path, allow_repaired=True)))
    other = [n for n, role in labels["by_page"].items() if role not in ("body", "either")]
    body = [n for n, role in labels["by_page"].items() if role == "body"]
    return Tally(
        name,
        not labels["seen_while_writing_the_rules"],
        len(other),
        len(body),
        tuple(n for n in other if found[n] == "body"),
        tuple(n for n in body if found[n] != "body"),
    )


def pooled(name: str, tallies: Sequence[Tally]) -> str:
    """All books as one, without the lists of pages."""
    whole = Tally(
        name,
        all(t.new for t in tallies),
        sum(t.other for t in tallies),
        sum(t.body for t in tallies),
        tuple(n for t in tallies for n in t.kept),
        tuple(n for t in tallies for n in t.dropped),
    )
    return whole.line(most=0)


def main(folders: list[Path]) -> int:
    tallies, absent = [], []
    print(f"{'book':34s} other  recall   body  dropped")
    for path in sorted(LABELS.glob("*.yaml")):
        labels = read_labels(path)
        book = find(labels, folders)
        if book is None:
            absent.append(f"{path.stem} ({labels['source']})")
            continue
        tallies.append(tally(path.stem, labels, book))
        print(tallies[-1].line(), flush=True)
    for name, group in (
        ("all seen", [t for t in tallies if not t.new]),
        ("all new", [t for t in tallies if t.new]),
        ("all", tallies),
    ):
        if group:
            print(pooled(name, group))
    print(f"absent: {', '.join(absent) or 'none'}")
    return 0


if __name__ == "__main__":
    sys.exit(main([Path(folder) for folder in sys.argv[1:]] or [Path("/usr/share")]))
