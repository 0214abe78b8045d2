from __future__ import annotations

from pathlib import Path

import pytest

from harness.training.checkpoints import MARKER, is_complete, mark_complete, newest_complete


def checkpoint(folder: Path, step: int, *, complete: bool = True) -> Path:
    made = folder / f"checkpoint-{step}"
    (made / "deep").mkdir(parents=True)
    (made / "weights").write_bytes(b"w" * step)
    (made / "deep" / "state").write_text(f"step {step}")
    if complete:
        mark_complete(made)
    return made


def test_newest_is_by_number_not_by_name(tmp_path: Path) -> None:
    for step in (8, 10, 9):
        checkpoint(tmp_path, step)
    assert newest_complete(tmp_path) == tmp_path / "checkpoint-10"


def test_unmarked_checkpoint_is_passed_over(tmp_path: Path) -> None:
    older = checkpoint(tmp_path, 10)
    checkpoint(tmp_path, 20, complete=False)
    assert newest_complete(tmp_path) == older


@pytest.mark.parametrize("damage", ["shortened", "altered", "missing", "half a marker"])
def test_damaged_checkpoint_is_passed_over(tmp_path: Path, damage: str) -> None:
    older, newer = checkpoint(tmp_path, 10), checkpoint(tmp_path, 20)
    assert newest_complete(tmp_path) == newer
    state = newer / "deep" / "state"
    if damage == "shortened":
        state.write_text("step")
    elif damage == "altered":
        state.write_text("step 02")
    elif damage == "missing":
        state.unlink()
    else:
        (newer / MARKER).write_text((newer / MARKER).read_text()[:20])
    assert not is_complete(newer)
    assert newest_complete(tmp_path) == older


def test_nothing_to_resume_from(tmp_path: Path) -> None:
    assert newest_complete(tmp_path / "absent") is None
    (tmp_path / "checkpoint-best").mkdir()
    assert newest_complete(tmp_path) is None


def test_a_marker_that_lists_nothing_proves_nothing(tmp_path: Path) -> None:
    empty = tmp_path / "checkpoint-1"
    empty.mkdir()
    mark_complete(empty)
    assert not is_complete(empty)


def test_a_checkpoint_with_another_adapter_in_it_is_passed_over(tmp_path: Path) -> None:
    """transformers would load that one; two folders down it does not look."""
    older, newer = checkpoint(tmp_path, 10), checkpoint(tmp_path, 20)
    for place in ("of_looks/best", "best"):
        (newer / place).mkdir(parents=True)
        (newer / place / "adapter_model.safetensors").write_bytes(b"w")
        mark_complete(newer)
        assert newest_complete(tmp_path) == (older if place == "best" else newer)


def test_newest_below_a_step(tmp_path: Path) -> None:
    older = checkpoint(tmp_path, 10)
    checkpoint(tmp_path, 20)
    assert newest_complete(tmp_path, before=20) == older
    assert newest_complete(tmp_path, before=10) is None
