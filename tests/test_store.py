from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness import store as stores
from harness.errors import ConfigurationError, MissingPrerequisiteError
from harness.store import TABLES, Run, Store

WRITER = """
import sys
from pathlib import Path
from harness.store import Run, Store
with Run(Store(Path(sys.argv[1])), f"writer {sys.argv[2]}") as run:
    for commit in range(int(sys.argv[3])):
        run.append("scores", [{"key": f"{sys.argv[2]}-{commit}-{row}", "value": 1.0} for row in range(3)])
"""


def _score(key: str, **more: Any) -> dict[str, Any]:
    return {"key": key, "variant": "base", "metric": "words", "value": 1.5, **more}


def _rows(store: Store, table: str, column: str = "key") -> list[Any]:
    return sorted(store.read(table, [column])[column])


def _stopped(store: Store, rows: list[dict[str, Any]], error: BaseException) -> None:
    """A run that writes its rows and then is stopped by the error."""
    with Run(store, "run demo") as run:
        run.append("scores", rows)
        raise error


# ── tables ────────────────────────────────────────────────────────────────────────────────────────


def test_a_table_never_written_is_empty_and_has_its_columns(tmp_path: Path) -> None:
    store = Store(tmp_path / "warehouse")
    frame = store.read("responses")
    assert len(frame) == 0
    assert list(frame.columns) == list(TABLES["responses"])
    assert store.existing("responses") == set()
    assert store.version("responses") is None
    assert store.versions() == {}
    assert not (tmp_path / "warehouse").exists()


def test_rows_come_back_as_they_went_in(tmp_path: Path) -> None:
    store = Store(tmp_path)
    text = '«Ünïcode»\n\nwith lines, "quotes" and \u2028 odd spaces'
    store.append("passages", [{"corpus": "a", "version": 2, "text": text, "n_words": 7}])
    store.append("scores", [_score("k", value=float("nan"), note="empty")])
    (row,) = store.read("passages").to_dict("records")
    assert (row["corpus"], row["version"], row["text"], row["n_words"]) == ("a", 2, text, 7)
    (score,) = store.read("scores").to_dict("records")
    assert score["value"] != score["value"]
    assert score["note"] == "empty"


def test_reading_takes_columns_and_filters(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append("scores", [_score("a"), _score("b", variant="tuned"), _score("c", metric="mattr")])
    assert list(store.read("scores", ["value", "key"]).columns) == ["value", "key"]
    assert set(store.read("scores", variant="base")["key"]) == {"a", "c"}
    assert set(store.read("scores", variant="base", metric="mattr")["key"]) == {"c"}
    assert set(store.read("scores", variant=("base", "tuned"), metric=iter(["words"]))["key"]) == {"a", "b"}
    assert len(store.read("scores", variant=[])) == 0
    assert store.existing("scores", variant="tuned") == {"b"}
    assert store.existing("scores", "variant") == {"base", "tuned"}
    store.append("passages", [{"corpus": "a", "version": n} for n in (1, 2, 2)])
    assert len(store.read("passages", corpus="a", version=2)) == 2


def test_an_append_is_one_commit_and_nothing_is_none(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append("scores", [])
    assert store.version("scores") is None
    store.append("scores", [_score("a"), _score("b")])
    assert store.versions() == {"scores": 0}
    store.append("scores", [_score("c")])
    assert store.versions() == {"scores": 1}
    assert _rows(store, "scores") == ["a", "b", "c"]


def test_a_column_that_does_not_exist_is_an_error_and_writes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(KeyError, match="scores has no column 'vlaue'"):
        store.append("scores", [{"key": "a", "vlaue": 1.0}])
    assert store.version("scores") is None


# ── runs ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_that_writes_nothing_leaves_no_row(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with Run(store, "score demo") as run:
        run.append("scores", [])
    assert store.versions() == {}


def test_a_run_notes_itself_when_it_starts_writing_and_when_it_ends(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with Run(store, "score demo", limited="first 4") as run:
        run.append("scores", [_score("a")])
        assert _rows(store, "runs", "status") == ["running"]
        run.append("scores", [_score("b")])
    assert set(store.read("scores")["run"]) == {run.name}
    rows = {row["status"]: row for row in store.read("runs").to_dict("records")}
    assert set(rows) == {"running", "done"}
    done = rows["done"]
    assert (done["run"], done["command"], done["limited"]) == (run.name, "score demo", "first 4")
    assert done["started"] == rows["running"]["started"] <= done["ended"]
    assert json.loads(done["versions"]) == {"scores": 1, "runs": 0}
    assert json.loads(done["environment"]).keys() >= {"python", "system", "deltalake"}


@pytest.mark.parametrize(
    ("error", "status"),
    [(KeyboardInterrupt(), "interrupted"), (ValueError("broken"), "failed"), (SystemExit(2), "failed")],
)
def test_a_run_that_is_stopped_says_how(tmp_path: Path, error: BaseException, status: str) -> None:
    store = Store(tmp_path)
    with pytest.raises(type(error)):
        _stopped(store, [_score("a")], error)
    assert _rows(store, "runs", "status") == sorted(["running", status])
    assert _rows(store, "scores") == ["a"]
    with pytest.raises(type(error)):
        _stopped(store, [], error)
    assert len(store.read("runs")) == 2


def test_the_environment_names_no_machine() -> None:
    import getpass
    import platform

    told = " ".join(stores.environment().values())
    assert platform.node() not in told
    assert getpass.getuser() not in told.split()


# ── as of ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Three runs an hour apart: a; then b (and a passage); then c, which failed. Their names, in order."""
    clock = [dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)]
    monkeypatch.setattr(stores, "_now", lambda: clock[0])
    store, names = Store(tmp_path), []
    for key in ("a", "b"):
        with Run(store, f"score {key}") as run:
            run.append("scores", [_score(key)])
            if key == "b":
                run.append("passages", [{"corpus": "x"}])
        names.append(run.name)
        clock[0] += dt.timedelta(hours=1)
    with pytest.raises(ValueError, match="stop"):
        _stopped(store, [_score("c")], ValueError("stop"))
    return [*names, str(store.read("scores", ["run"], key="c")["run"].iloc[0])]


def test_as_of_a_run_reads_every_table_as_it_left_them(tmp_path: Path, history: list[str]) -> None:
    assert _rows(Store(tmp_path), "scores") == ["a", "b", "c"]
    assert _rows(Store(tmp_path, as_of=history[0]), "scores") == ["a"]
    assert len(Store(tmp_path, as_of=history[0]).read("passages")) == 0
    assert Store(tmp_path, as_of=history[0]).version("passages") is None
    assert _rows(Store(tmp_path, as_of=history[1]), "scores") == ["a", "b"]
    assert len(Store(tmp_path, as_of=history[1]).read("passages")) == 1
    assert _rows(Store(tmp_path, as_of=history[2]), "scores") == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("moment", "keys"),
    [
        ("2026-01-01T12:00:00+00:00", ["a"]),
        ("2026-01-01T12:59:59", ["a"]),
        ("2026-01-01T14:00:00+01:00", ["a", "b"]),
        ("2026-01-01T13:30", ["a", "b"]),
        ("2026-01-02", ["a", "b", "c"]),
    ],
)
@pytest.mark.usefixtures("history")
def test_as_of_a_moment_means_the_newest_run_that_had_ended(
    tmp_path: Path, moment: str, keys: list[str]
) -> None:
    assert _rows(Store(tmp_path, as_of=moment), "scores") == keys


def test_as_of_what_never_was_is_an_error(tmp_path: Path, history: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="no run had ended by then"):
        Store(tmp_path, as_of="2025-12-31")
    with pytest.raises(ConfigurationError, match=f"no such run, did you mean '{history[2]}'"):
        Store(tmp_path, as_of=history[2] + "x")
    with pytest.raises(MissingPrerequisiteError, match="has no finished run"):
        Store(tmp_path / "empty", as_of="2026-01-01")


# ── many writers ──────────────────────────────────────────────────────────────────────────────────


def _together(arguments: list[list[str]]) -> None:
    """Run ``WRITER`` once for each list of arguments, all at once, and see each of them succeed."""
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, *each], stderr=subprocess.PIPE) for each in arguments
    ]
    errors = [writer.communicate(timeout=60)[1].decode() for writer in writers]
    assert errors == [""] * len(writers)
    assert [writer.returncode for writer in writers] == [0] * len(writers)


def test_concurrent_writers_lose_nothing(tmp_path: Path) -> None:
    """Three processes, ten commits each, one table: every row is there once, and every run ended."""
    _together([[str(tmp_path), str(n), "10"] for n in range(3)])
    store = Store(tmp_path)
    keys = _rows(store, "scores")
    assert keys == sorted(f"{n}-{commit}-{row}" for n in range(3) for commit in range(10) for row in range(3))
    assert store.version("scores") == 29
    assert _rows(store, "runs", "status") == ["done"] * 3 + ["running"] * 3


def test_two_writers_that_find_no_table_both_write(tmp_path: Path) -> None:
    """Both try to create it; deltalake lets one win and refuses the other, whose rows must not be lost."""
    store, late = Store(tmp_path), Store(tmp_path)
    store.append("scores", [_score("first")])
    with pytest.MonkeyPatch.context() as patch:
        calls = _refusing_once(patch)
        late.append("scores", [_score("second")])
    assert len(calls) == 2
    assert _rows(store, "scores") == ["first", "second"]


def _refusing_once(patch: pytest.MonkeyPatch) -> list[str]:
    """Let the first write fail as deltalake fails when another writer has just created the table."""
    import deltalake
    from deltalake.exceptions import CommitFailedError

    write, calls = deltalake.write_deltalake, list[str]()

    def refusing(path: str, *arguments: Any, **options: Any) -> None:
        calls.append(path)
        if len(calls) == 1:
            raise CommitFailedError("Failed to commit transaction: Metadata changed since last commit.")
        write(path, *arguments, **options)

    patch.setattr(deltalake, "write_deltalake", refusing)
    return calls


def test_a_damaged_table_is_one_line_and_a_remedy(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append("scores", [_score("a")])
    (file,) = (tmp_path / "scores").glob("*.parquet")
    for damage in (lambda: file.write_bytes(b"junk"), file.unlink):
        damage()
        with pytest.raises(MissingPrerequisiteError, match="results/warehouse/scores is damaged") as caught:
            store.read("scores")
        assert "\n" not in str(caught.value)
    (log,) = (tmp_path / "scores" / "_delta_log").glob("*.json")
    log.write_bytes(b"junk")
    with pytest.raises(MissingPrerequisiteError, match="results/warehouse/scores is damaged"):
        store.version("scores")


def test_a_disk_that_is_full_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import deltalake

    def full(*arguments: Any, **options: Any) -> None:
        raise OSError("Generic error\n  \x1b[31m\u21b3\x1b[0m No space left on device (os error 28)\n")

    monkeypatch.setattr(deltalake, "write_deltalake", full)
    with pytest.raises(MissingPrerequisiteError, match=r"written \(No space left on device \(os error 28"):
        Store(tmp_path).append("scores", [_score("a")])


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("moment", ["", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_as_of_no_moment_at_all_is_an_error(tmp_path: Path, moment: str) -> None:
    with pytest.raises(ConfigurationError, match="no such run"):
        Store(tmp_path, as_of=moment)
