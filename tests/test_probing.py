"""A probe's time is that of the steps after the first."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from scripted_bench import copy_workspace

from harness.bench import warehouse
from harness.orders import orders
from harness.probing import probe
from harness.train import specify

RECIPE = """\
base: tiny
trainer: slow_start
corpus: marlow@2
system: persona
lora: {r: 2, alpha: 2}
epochs: 1
batch: 4
"""

SLOW_START = textwrap.dedent(
    """
    import json, pathlib, sys
    spec = json.loads(pathlib.Path(sys.argv[1]).read_text())
    out = pathlib.Path(spec["out"])
    (out / "adapter").mkdir(parents=True)
    for step, seconds in enumerate(SECONDS, start=1):
        print(json.dumps({"event": "step", "step": step, **seconds}), flush=True)
    from harness.training.spec import TrainingSpec
    digest = TrainingSpec.from_json(spec).digest()
    record = {"spec_digest": digest, "steps": 4, "seconds_per_step": 26.0}
    (out / "record.json").write_text(json.dumps(record))
    """
)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([{"seconds": at} for at in (100.0, 101.0, 102.0, 103.0)], 1.0),
        ([{} for _ in range(4)], 26.0),
        ([], 26.0),
    ],
)
def test_the_first_step_does_not_count_where_steps_are_timed(
    small_author: Path, tiny_llama: Path, tmp_path: Path, seconds: list[dict[str, float]], expected: float
) -> None:
    workspace = copy_workspace(small_author, tmp_path / "w", tiny_llama)
    for name, text in (
        ("recipes/x.yaml", RECIPE),
        ("slow_start.py", SLOW_START.replace("SECONDS", repr(seconds))),
    ):
        path = workspace / "trainers" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    store = warehouse(workspace)
    (order,) = orders("x", workspace, store)
    record = probe(order, specify(order, store, workspace), workspace)
    assert record["seconds_per_step"] == pytest.approx(expected)
    assert not (workspace / "results" / "probes").exists()
