"""The results warehouse: the only file that knows Delta Lake.

    results/warehouse/
      passages/  questions/  variants/  responses/  likelihoods/  retention/  scores/  runs/
                                                                             one Delta table each

Tables only ever grow. A stage asks ``existing`` which keys are there, appends what is missing in one
atomic commit, and notes the versions of every table in ``runs`` when it ends, so that ``as_of`` can
read all of them as that run left them.
"""

from __future__ import annotations

import datetime as dt
import json
import platform
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from harness.errors import ConfigurationError, MissingPrerequisiteError, nearest

if TYPE_CHECKING:
    import pandas as pd

_TEXT, _INT, _REAL = "string", "int64", "float64"
_CREATORS = 50
"""How many writers may try to create one table at once; deltalake itself retries appends only."""

TABLES: dict[str, dict[str, str]] = {
    "passages": {
        "corpus": _TEXT, "version": _INT, "split": _TEXT, "book": _TEXT, "ordinal": _INT, "role": _TEXT,
        "n_words": _INT, "text": _TEXT, "digest": _TEXT, "corpus_digest": _TEXT, "run": _TEXT,
    },
    "questions": {
        "corpus": _TEXT, "version": _INT, "passage": _TEXT, "text": _TEXT, "writer": _TEXT, "run": _TEXT,
    },
    "variants": {
        "name": _TEXT, "kind": _TEXT, "base": _TEXT, "adapter": _TEXT, "corpus": _TEXT, "version": _INT,
        "trained_on": _TEXT, "digest": _TEXT, "record": _TEXT, "run": _TEXT,
    },
    "responses": {
        "key": _TEXT, "variant": _TEXT, "variant_digest": _TEXT, "task": _TEXT, "item": _TEXT,
        "sample": _INT, "kind": _TEXT, "prompt": _TEXT, "text": _TEXT, "reasoning": _TEXT,
        "finish": _TEXT, "n_tokens": _INT, "seconds": _REAL, "engine": _TEXT, "setting": _TEXT, "run": _TEXT,
    },
    "likelihoods": {
        "key": _TEXT, "variant": _TEXT, "variant_digest": _TEXT, "task": _TEXT, "item": _TEXT, "set": _TEXT,
        "context": _TEXT, "loglik": _REAL, "n_tokens": _INT, "n_words": _INT, "n_bytes": _INT,
        "engine": _TEXT, "protocol": _TEXT, "reference": _TEXT, "run": _TEXT,
    },
    "retention": {
        "key": _TEXT, "variant": _TEXT, "variant_digest": _TEXT, "task": _TEXT, "item": _TEXT,
        "metric": _TEXT, "value": _REAL, "task_version": _TEXT, "direction": _TEXT, "engine": _TEXT,
        "run": _TEXT,
    },
    "scores": {
        "key": _TEXT, "variant": _TEXT, "variant_digest": _TEXT, "task": _TEXT, "item": _TEXT,
        "metric": _TEXT, "metric_version": _TEXT, "value": _REAL, "note": _TEXT, "reference": _TEXT,
        "setting": _TEXT, "engine": _TEXT, "run": _TEXT,
    },
    "runs": {
        "run": _TEXT, "command": _TEXT, "started": _TEXT, "ended": _TEXT, "status": _TEXT, "limited": _TEXT,
        "versions": _TEXT, "environment": _TEXT,
    },
}  # fmt: skip


class Store:
    """Append to and read from the tables under one folder (or an object-store URL).

    Concurrent writers are safe: Delta commits are atomic, and appends retry when another writer wins.
    """

    def __init__(self, root: Path, as_of: str | None = None) -> None:
        self.root = root
        self._pinned = self._resolve_as_of(as_of) if as_of is not None else None

    def append(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """One atomic commit; columns missing from a row are empty (text) or null (numbers)."""
        if not rows:
            return
        import pyarrow as pa
        from deltalake import CommitProperties, write_deltalake
        from deltalake.exceptions import CommitFailedError, DeltaError

        columns = TABLES[table]
        kinds = {_TEXT: pa.string(), _INT: pa.int64(), _REAL: pa.float64()}
        schema = pa.schema([(name, kinds[kind]) for name, kind in columns.items()])
        unknown = set(rows[0]) - set(columns)
        if unknown:
            raise KeyError(f"{table} has no column {sorted(unknown)[0]!r}")
        data = pa.Table.from_pylist(
            [{name: row.get(name) for name in columns} for row in rows], schema=schema
        )
        self.root.mkdir(parents=True, exist_ok=True)
        properties = CommitProperties(max_commit_retries=200)
        for attempt in range(_CREATORS):
            try:
                write_deltalake(str(self.root / table), data, mode="append", commit_properties=properties)
                return
            except CommitFailedError:
                # Another writer created the table in the same moment, so that nothing of ours was written.
                if attempt + 1 == _CREATORS:
                    raise
            except (DeltaError, OSError) as error:
                reason = re.sub(r"\x1b\[\d*m", "", (str(error).strip().splitlines() or [""])[-1]).strip(" ↳")
                raise MissingPrerequisiteError(
                    f"results/warehouse/{table} cannot be written ({reason}); nothing of this batch is in it"
                ) from None

    def read(
        self,
        table: str,
        columns: Sequence[str] | None = None,
        **equal: str | int | Iterable[str],
    ) -> pd.DataFrame:
        """The table as pandas, optionally only some columns and only rows where columns equal values.

        A keyword with a list matches any of its members. A table never written is empty.
        """
        import pandas as pd

        wanted = list(columns or TABLES[table])
        delta = self._open(table)
        if delta is None:
            return pd.DataFrame({name: pd.Series(dtype="object") for name in wanted})
        filters = [
            (name, "=", value) if isinstance(value, str | int) else (name, "in", list(value))
            for name, value in equal.items()
        ]
        if any(operator == "in" and not value for _, operator, value in filters):
            return pd.DataFrame({name: pd.Series(dtype="object") for name in wanted})
        with self._readable(table):
            arrow = delta.to_pyarrow_table(columns=wanted, filters=filters or None)
        frame: pd.DataFrame = arrow.to_pandas()
        return frame

    def existing(self, table: str, column: str = "key", **equal: str | int | Iterable[str]) -> set[str]:
        """The distinct values of a key column: what need not be computed again."""
        return set(self.read(table, [column], **equal)[column])

    def version(self, table: str) -> int | None:
        """The table's current Delta version, or None where it was never written."""
        delta = self._open(table)
        return None if delta is None else int(delta.version())

    def versions(self) -> dict[str, int]:
        """Every written table's current version."""
        return {table: v for table in TABLES if (v := self.version(table)) is not None}

    def _open(self, table: str) -> Any:
        from deltalake import DeltaTable

        if not (self.root / table / "_delta_log").is_dir():
            return None
        if self._pinned is not None and table not in self._pinned:
            return None
        with self._readable(table):
            version = None if self._pinned is None else self._pinned[table]
            return DeltaTable(str(self.root / table), version=version)

    @contextmanager
    def _readable(self, table: str) -> Iterator[None]:
        """Turns what Delta Lake and Arrow say of a damaged table into one line."""
        from deltalake.exceptions import DeltaError
        from pyarrow.lib import ArrowInvalid

        try:
            yield
        except (DeltaError, ArrowInvalid, FileNotFoundError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise MissingPrerequisiteError(
                f"results/warehouse/{table} is damaged ({reason}); put its files back from a copy, "
                "or move the folder away and let the commands that fill it run again"
            ) from None

    def _resolve_as_of(self, as_of: str) -> dict[str, int]:
        """A run's name, or the newest run that had ended by a timestamp, as table versions."""
        self._pinned = None
        runs = self.read("runs")
        runs = runs[runs["status"] != "running"] if len(runs) else runs
        if not len(runs):
            raise MissingPrerequisiteError(f"--as-of {as_of}: this workspace has no finished run")
        match = runs[runs["run"] == as_of]
        if not len(match):
            try:
                moment = dt.datetime.fromisoformat(as_of)
                stamp = (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
            except (ValueError, OverflowError):
                raise ConfigurationError(
                    f"--as-of {as_of}: no such run{nearest(as_of, runs['run'])}"
                ) from None
            match = runs[runs["ended"] <= stamp.isoformat(timespec="microseconds")].sort_values("ended")
            if not len(match):
                raise ConfigurationError(f"--as-of {as_of}: no run had ended by then")
        versions: dict[str, int] = json.loads(match.iloc[-1]["versions"])
        return versions


class Run:
    """What one command wrote: a row in ``runs`` when it starts writing, and one when it ends.

    A command that writes nothing leaves no row. Use as a context manager; ``append`` stamps each row
    with the run's name.
    """

    def __init__(self, store: Store, command: str, limited: str = "") -> None:
        self.store, self.command, self.limited = store, command, limited
        self.name = f"{_now():%Y%m%dT%H%M%S.%f}-{uuid.uuid4().hex[:4]}"
        self._started: str | None = None

    def append(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append rows in one commit, each stamped with this run."""
        if not rows:
            return
        if self._started is None:
            self._started = _now().isoformat(timespec="microseconds")
            self._note("running")
        self.store.append(table, [{**row, "run": self.name} for row in rows])

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._started is not None:
            interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
            self._note("interrupted" if interrupted else "failed" if kind else "done")

    def _note(self, status: str) -> None:
        row = {
            "run": self.name,
            "command": self.command,
            "started": self._started,
            "ended": "" if status == "running" else _now().isoformat(timespec="microseconds"),
            "status": status,
            "limited": self.limited,
            "versions": json.dumps(self.store.versions()),
            "environment": json.dumps(environment()),
        }
        self.store.append("runs", [row])


def environment() -> dict[str, str]:
    """Python, platform and the versions of the libraries results depend on; nothing that names a machine."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version(), "system": platform.system()}
    names = ("torch", "transformers", "peft", "trl", "scikit-learn", "scipy", "nltk", "deltalake", "pymupdf")
    for name in ("stylobench", *names):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
