"""``train --probe``: three real steps, timed.

order, spec --probe--> record of a short run, in a folder that is gone afterwards
"""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import shelves
from harness.orders import Order
from harness.training.launch import train
from harness.training.spec import TrainingSpec

WARM_UP, PROBED_STEPS = 1, 3
"""Kernels are compiled in the first step: on a card it took longer than sixty others."""


def probe(order: Order, spec: TrainingSpec, workspace: Path) -> dict[str, Any]:
    """The record of three real steps of a run; nothing is registered.

    ``seconds_per_step`` is of the steps after the warm-up, where the trainer says when each ended.

    Raises:
        StylobenchError: the trainer failed, for example for want of memory.
    """
    scratch = workspace / "results" / "probes" / order.name
    shutil.rmtree(scratch, ignore_errors=True)
    short = replace(
        spec,
        out=str(scratch),
        steps=WARM_UP + PROBED_STEPS,
        epochs=None,
        save_steps=WARM_UP + PROBED_STEPS + 1,
        keep="last",
        max_copied=None,
        eval_steps=None,
        sample_prompts=(),
        tensorboard=False,
        milestones=(),
    )
    ended: dict[int, float] = {}

    def hear(event: dict[str, Any]) -> None:
        if event["event"] == "step" and {"step", "seconds"} <= event.keys():
            ended[int(event["step"])] = float(event["seconds"])

    try:
        interpreter = shelves.interpreter(order.recipe.trainer, workspace)
        record = train(short, trainer=order.trainer, interpreter=interpreter, on_event=hear)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        with contextlib.suppress(OSError):  # another probe may be under way beside this one
            scratch.parent.rmdir()
    if {WARM_UP, WARM_UP + PROBED_STEPS} <= ended.keys():
        seconds = ended[WARM_UP + PROBED_STEPS] - ended[WARM_UP]
        return record | {"steps": PROBED_STEPS, "seconds_per_step": seconds / PROBED_STEPS}
    return record
