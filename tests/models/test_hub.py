"""Hub ids without a hub: its client's three calls are replaced, cache and network told apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import MissingPrerequisiteError
from harness.models import hub
from harness.models.bases import base_size, fetch_base, resolve_base

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {"config.json": 700, "model.safetensors": 2_000_000_000, "tokenizer.json": 9_000_000,
         "pytorch_model.bin": 2_000_000_000, "original/consolidated.safetensors": 5, "modeling_x.py": 9,
         "README.md": 3}  # fmt: skip


def write_snapshot(folder: Path) -> Path:
    """A model folder as far as resolving looks: names and bytes, no real weights."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "tokenizer.json").write_text("{}")
    return folder


class Hub:
    """A cache by revision, and a network that knows one commit; ``calls`` are those to the network."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cache: Path, files: dict[str, int] | None) -> None:
        self.cache, self.files = cache, files
        self.calls: list[tuple[Any, ...]] = []
        monkeypatch.setattr("huggingface_hub.snapshot_download", self.snapshot)
        monkeypatch.setattr("huggingface_hub.HfApi", lambda: self)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))

    def model_info(self, repository: str, *, revision: str | None, files_metadata: bool) -> Any:
        self.calls.append(("info", repository, revision))
        assert files_metadata
        if self.files is None:
            raise OSError("no route to the hub\nand more lines")
        siblings = [SimpleNamespace(rfilename=name, size=size) for name, size in self.files.items()]
        return SimpleNamespace(sha=COMMIT, siblings=siblings)

    def snapshot(
        self, repository: str, *, revision: str | None, allow_patterns: Sequence[str],
        ignore_patterns: Sequence[str], local_files_only: bool = False,
    ) -> str:  # fmt: skip
        assert not any(pattern.endswith((".bin", ".pt", ".py", "/*")) for pattern in allow_patterns)
        folder = self.cache / (revision or "main")
        if local_files_only:
            if not folder.is_dir():
                raise OSError("not cached")
        else:
            self.calls.append(("fetch", repository, revision))
            if not folder.is_dir():
                write_snapshot(folder)
        return str(folder)


def test_what_is_cached_is_taken_and_the_network_never_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = Hub(monkeypatch, tmp_path / "cache", None)
    write_snapshot(tmp_path / "cache" / "abc123")
    base = resolve_base("org/tiny@abc123", tmp_path)
    assert (base.path, base.revision) == (tmp_path / "cache" / "abc123", "abc123")
    assert fetch_base("org/tiny@abc123", None, tmp_path, print) == base
    assert fetch_base("org/tiny", "abc123", tmp_path, print) == base
    assert fake.calls == []


def test_nothing_is_fetched_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Hub(monkeypatch, tmp_path / "cache", FILES)
    with pytest.raises(MissingPrerequisiteError, match="not on this machine; --download fetches it"):
        resolve_base("org/tiny", tmp_path)
    (tmp_path / "cache" / "main").mkdir(parents=True)  # half a cache is none
    with pytest.raises(MissingPrerequisiteError, match="not on this machine"):
        resolve_base("org/tiny", tmp_path)
    assert fake.calls == []


def test_sizes_are_read_first_and_the_commit_is_pinned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = Hub(monkeypatch, tmp_path / "cache", FILES)
    size = base_size("org/tiny")
    assert dict(size.files) == {name: FILES[name] for name in list(FILES)[:3]}
    assert size.n_bytes == 2_009_000_700
    said: list[str] = []

    def say(line: str) -> None:
        assert [call[0] for call in fake.calls] == ["info", "info"], "said before anything is fetched"
        said.append(line)

    base = fetch_base("org/tiny", None, tmp_path, say)
    assert said == [f"fetching org/tiny@{COMMIT[:12]}: 3 files, 2.01 GB"]
    assert fake.calls[-1] == ("fetch", "org/tiny", COMMIT)
    assert (base.name, base.revision) == ("org/tiny", COMMIT)
    # The branch may move: on this machine the name goes on meaning what was fetched.
    write_snapshot(tmp_path / "cache" / "main")
    assert resolve_base("org/tiny", tmp_path) == base
    n_calls = len(fake.calls)
    assert fetch_base("org/tiny", None, tmp_path, print) == base
    assert len(fake.calls) == n_calls


def test_pickled_weights_are_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Hub(monkeypatch, tmp_path / "cache", {"config.json": 1, "pytorch_model.bin": 2})
    with pytest.raises(MissingPrerequisiteError, match="no safetensors on the hub"):
        fetch_base("org/tiny", None, tmp_path, print)
    assert [call[0] for call in fake.calls] == ["info"]


def test_a_full_disk_is_noticed_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Hub(monkeypatch, tmp_path / "cache", FILES | {"model.safetensors": 10**18})
    with pytest.raises(MissingPrerequisiteError, match=r"1,000,000,000\.01 GB do not fit .* HF_HUB_CACHE"):
        fetch_base("org/tiny", None, tmp_path, print)
    assert [call[0] for call in fake.calls] == ["info"]


def test_no_network_is_one_line_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Hub(monkeypatch, tmp_path / "cache", None)
    with pytest.raises(MissingPrerequisiteError, match="no route to the hub") as caught:
        fetch_base("org/tiny", None, tmp_path, print)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["tiny", "./tiny", "a/b/c", "org/tiny@", "org/ti ny"])
def test_what_is_no_hub_id(name: str, tmp_path: Path) -> None:
    assert hub.parse_name(name) is None
    with pytest.raises(MissingPrerequisiteError):
        base_size(name)
