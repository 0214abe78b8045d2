"""The notebook's face of a workspace.

>>> import harness as sb
>>> r = sb.open_results()                 # doctest: +SKIP
>>> r.scores()                            # doctest: +SKIP
>>> r.compare("roosevelt@1", "roosevelt@2").sentence      # doctest: +SKIP
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.bench import find_suite, open_bench, warehouse
from harness.compare import Comparison
from harness.shelves import find_workspace
from harness.store import TABLES
from harness.types import Variant
from harness.variants import registered

if TYPE_CHECKING:
    import pandas as pd


class Results:
    """Read-only access to a workspace's tables and verdicts, as pandas frames and plain records."""

    def __init__(self, workspace: Path, as_of: str | None = None) -> None:
        self.workspace, self.as_of = workspace, as_of
        self._store = warehouse(workspace, as_of)

    def table(self, name: str) -> pd.DataFrame:
        """One table whole. Raises KeyError for a name that is none of them."""
        if name not in TABLES:
            raise KeyError(f"no table {name!r}; have {', '.join(TABLES)}")
        return self._store.read(name)

    def scores(self) -> pd.DataFrame:
        """Every score: one row a response and metric."""
        return self.table("scores")

    def variants(self) -> dict[str, Variant]:
        """The registry by name."""
        return registered(self._store)

    def compare(self, baseline: str, candidate: str, suite: str | None = None) -> Comparison:
        """What ``stylobench compare`` says; errors are those of ``open_bench``."""
        bench = open_bench(find_suite(self.workspace, suite), self.workspace, as_of=self.as_of)
        return bench.compare(baseline, candidate)


def open_results(workspace: Path | str | None = None, as_of: str | None = None) -> Results:
    """The results of a workspace, by default the nearest one upwards; ``as_of`` a run or a moment."""
    return Results(Path(workspace).resolve() if workspace else find_workspace(), as_of)
