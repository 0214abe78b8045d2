"""The launcher when a child runs out of memory, against a small program that needs no model."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from harness.errors import StylobenchError
from harness.training.launch import Lora, TrainingSpec, train

HUNGRY = """
import json, os, pathlib, sys
from harness.training.program import start
def run(spec, events):
    out = pathlib.Path(spec.out)
    (out / "seen").open("a").write(f"{spec.batch}x{spec.accumulation}{'o' if spec.offload else ''} ")
    if spec.batch * spec.seq_len > LIMIT or NEEDS_OFFLOAD and not spec.offload:
        raise MemoryError("CUDA out of memory")
    (out / "adapter").mkdir(exist_ok=True)
    record = {"spec_digest": spec.digest(), "degraded": list(spec.degraded)}
    (out / "record.json").write_text(json.dumps(record))
sys.exit(start(sys.argv[1:], run))
"""


def hungry(folder: Path, limit: int, needs_offload: bool = False) -> Path:
    path = folder / "hungry.py"
    path.write_text(HUNGRY.replace("LIMIT", str(limit)).replace("NEEDS_OFFLOAD", str(needs_offload)))
    return path


def make_spec(out: Path, **changed: Any) -> TrainingSpec:
    spec = TrainingSpec(
        base_path="base", base_name="tiny", base_digest="b", examples="examples/0123", out=str(out),
        corpus="roosevelt", version=2, lora=Lora(), steps=3, batch=4, accumulation=2,
    )  # fmt: skip
    return dataclasses.replace(spec, **changed)


def test_batches_are_halved_in_fresh_processes_until_they_fit(tmp_path: Path) -> None:
    spec = make_spec(tmp_path / "out")
    heard: list[dict[str, Any]] = []
    record = train(spec, trainer=hungry(tmp_path, 256), on_event=heard.append)
    assert (tmp_path / "out" / "seen").read_text() == "4x2 2x4 1x8 "
    assert record["degraded"] == ["batch 4 x 2 -> 2 x 4", "batch 2 x 4 -> 1 x 8"]
    assert [event["event"] for event in heard] == ["out_of_memory", "retry", "out_of_memory", "retry"]
    assert heard[1]["changed"] == "batch 4 x 2 -> 2 x 4"
    # The run is found again under what was asked for.
    assert record["spec_digest"] == spec.digest()
    assert train(spec, trainer=tmp_path / "gone.py") == record


def test_offloading_comes_after_the_smallest_batch(tmp_path: Path) -> None:
    record = train(make_spec(tmp_path / "out", batch=1), trainer=hungry(tmp_path, 256, needs_offload=True))
    assert (tmp_path / "out" / "seen").read_text() == "1x2 1x2o "
    assert len(record["degraded"]) == 1


def test_examples_are_cut_only_where_that_is_allowed(tmp_path: Path) -> None:
    spec = make_spec(tmp_path / "out", batch=1)
    with pytest.raises(StylobenchError, match=r"ran out of memory at the smallest batch.*--allow-degrade"):
        train(spec, trainer=hungry(tmp_path, 128))
    record = train(spec, trainer=hungry(tmp_path, 128), allow_degrade=True)
    assert record["degraded"][-1] == "seq_len 256 -> 128"


def test_other_failures_are_not_tried_again(tmp_path: Path) -> None:
    failing = tmp_path / "failing.py"
    failing.write_text(
        HUNGRY.replace("LIMIT", "0").replace("NEEDS_OFFLOAD", "0").replace("MemoryError", "OSError")
    )
    with pytest.raises(StylobenchError, match="exit code 1"):
        train(make_spec(tmp_path / "out"), trainer=failing)
    assert (tmp_path / "out" / "seen").read_text() == "4x2 "
