"""What a training will take, known before it starts: device, memory, time, disk.

orders, specs, devices --forecast--> fits or not, and why --total--> what all of them take together

From config, examples and the machine alone: nothing is loaded. ``--probe`` puts measured figures in place of
the estimates.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from harness import shelves
from harness.errors import MissingPrerequisiteError
from harness.models import precision
from harness.orders import Order
from harness.train import is_finished, milestones_lacking, split_as_finished
from harness.training.anatomy import Anatomy, UnknownArchitectureError, read_anatomy
from harness.training.costs import Duration, count_steps, disk, duration
from harness.training.devices import Device, host, list_devices
from harness.training.fitting import DoesNotFitError, Fit, choose_device, fit
from harness.training.memory import PROCESS_BYTES, estimate
from harness.training.spec import TrainingSpec

FASTER = 0.8
"""Another trainer is worth a line where it would take less than this share of the time."""


@dataclass(frozen=True)
class Forecast:
    """One training before it starts. Bytes and seconds; NaN where nothing is known, ``note`` says why.

    ``spec`` has its device and the split of its batch; ``fault``: why it cannot be trained here.
    """

    order: Order
    spec: TrainingSpec
    device: Device
    finished: bool
    examples: int
    memory: float
    time: Duration
    adapter: float
    checkpoints: float
    source: str = "estimated"
    fault: str = ""
    note: str = ""
    milestones: tuple[str, ...] = ()
    """What is to be said of the recipe's milestones: not reached, no milestone, or trained again for."""

    @property
    def stays(self) -> float:
        """Bytes of adapters that stay: the run's own and one for each milestone."""
        return self.adapter * (1 + len(self.spec.milestones))

    @property
    def fits(self) -> bool:
        return not self.fault


@dataclass(frozen=True)
class Examples:
    """How many examples are trained on, in how many rows (fewer where they are packed), and the rows' mean
    length in tokens as a batch pads them.
    """

    count: int
    rows: int
    tokens: float


def machine(order: Order, workspace: Path) -> tuple[Device, ...]:
    """What there is to train on: the CUDA devices its trainer would see, else this computer."""
    return _devices(shelves.interpreter(order.recipe.trainer, workspace)) or (host(),)


@cache
def _devices(python: Path | None) -> tuple[Device, ...]:
    return list_devices(python)


def forecast(
    order: Order, spec: TrainingSpec, devices: Sequence[Device], wanted: Sequence[int] = ()
) -> Forecast:
    """What one training takes on these devices, or the wanted ones, and how its batch is cut to fit.

    Raises:
        MissingPrerequisiteError: there is no such device, or no CUDA device for a base in 4 bits.
        ConfigurationError: lora.targets name nothing, or a step cannot be shared by the wanted devices.
    """
    found = _forecast(order, spec, devices, wanted)
    end = found.time.steps
    told = [
        f"milestone {step} is not kept: {order.name} ends after {end:,} steps"
        if step > end
        else f"milestone {step} is the last step of {order.name}, and no variant besides"
        for step in spec.milestones
        if step >= end
    ]
    reached = replace(found.spec, milestones=tuple(step for step in spec.milestones if step < end))
    if not found.finished and (lacking := milestones_lacking(reached)):
        steps = ", ".join(map(str, lacking))
        several = "milestones {} were" if len(lacking) > 1 else "milestone {} was"
        told.append(f"{order.name} is to be trained again: {several.format(steps)} not kept")
    return replace(found, spec=reached, milestones=tuple(told))


def _forecast(order: Order, spec: TrainingSpec, devices: Sequence[Device], wanted: Sequence[int]) -> Forecast:
    finished = split_as_finished(spec)
    examples = _examples(spec, order.recipe.micro_batch or 1)
    if is_finished(finished):
        device = choose_device(devices)
        done = Duration(0.0, count_steps(examples.rows, finished))
        return Forecast(order, finished, device, True, examples.count, 0.0, done, 0.0, 0.0, "reused")
    config = json.loads((order.base.path / "config.json").read_text(encoding="utf-8"))
    try:
        anatomy = read_anatomy(config)
    except UnknownArchitectureError as error:
        return _unknown(order, spec, _chosen(devices, wanted), config, examples, str(error))
    fault = ""
    try:
        found = _fit(anatomy, spec, devices, wanted, fixed=order.recipe.micro_batch is not None)
    except DoesNotFitError as error:
        fault = str(error)
        device = _chosen(devices, wanted)[0]
        cuda = tuple(each.index for each in _chosen(devices, wanted) if each.kind == "cuda")
        spec = replace(spec, devices=cuda)
        if order.recipe.micro_batch is None:
            spec = replace(spec, batch=1, accumulation=spec.batch * spec.accumulation)
        found = Fit(device, spec, estimate(anatomy, spec, device.kind, fused_head=device.fuses_head))
    needed = disk(found.memory, found.spec)
    return Forecast(
        order=order,
        spec=found.spec,
        device=found.device,
        finished=False,
        examples=examples.count,
        memory=found.memory.needed,
        time=_duration(anatomy, found.spec, examples, found.device),
        adapter=needed.adapter,
        checkpoints=needed.checkpoints,
        fault=fault,
        note=_faster(anatomy, found, examples),
    )


def probed(found: Forecast, record: Mapping[str, Any]) -> Forecast:
    """The forecast with what three real steps took in place of the estimates."""
    each, steps = float(record["seconds_per_step"]), int(record["steps"])
    reserved = record.get("reserved_memory_gb")
    # What must be free on a card is what its allocator took, and the process beside it.
    if found.device.kind == "cuda" and reserved is not None:
        memory = float(reserved) * 1e9 + PROCESS_BYTES["cuda"]
    else:
        memory = float(record["peak_memory_gb"]) * 1e9
    return replace(
        found,
        memory=memory,
        time=Duration(each, found.time.steps),
        source=f"probed {steps} steps",
    )


def check_disk(forecasts: Sequence[Forecast], free: int) -> None:
    """Nothing, if the adapters, and the checkpoints of one training at a time, find room.

    Raises:
        MissingPrerequisiteError: they do not; how much is missing, and what to do about it.
    """
    needed = disk_needed(forecasts)
    if needed > free:
        raise MissingPrerequisiteError(
            f"disk: {needed / 1e9:.1f} GB would be written and {free / 1e9:.1f} GB are free; make room in "
            "results, or write a smaller lora.r or save_total_limit, which is 2 at least"
        )


def benchmark_remark(found: Forecast, dtype: str) -> str:
    """A line where a base that is trained in 4 bits would answer a suite of this dtype in more; else empty.

    A base that is stored in 4 bits answers in those.
    """
    folder = found.order.base.path
    if not found.spec.load_in_4bit or dtype == precision.NF4 or precision.stored_as(folder):
        return ""
    whole, packed = (precision.weight_bytes(folder, each) / 1e9 for each in (dtype, precision.NF4))
    return (
        f"trained in 4 bits, benchmarked in {dtype}: {whole:.1f} GB of weights; "
        f"`dtype: nf4` in the suite needs {packed:.1f} GB"
    )


def disk_needed(forecasts: Sequence[Forecast]) -> float:
    """Bytes written at most: every adapter stays, checkpoints go when their training is done."""
    known = [each for each in forecasts if not math.isnan(each.adapter)]
    return sum(each.stays for each in known) + max((each.checkpoints for each in known), default=0.0)


def _chosen(devices: Sequence[Device], wanted: Sequence[int]) -> list[Device]:
    return [choose_device(devices, index) for index in wanted] or [choose_device(devices)]


def _fit(
    anatomy: Anatomy, spec: TrainingSpec, devices: Sequence[Device], wanted: Sequence[int], *, fixed: bool
) -> Fit:
    """As ``fitting.fit``; several devices share a step, and the fullest of them decides."""
    if len(wanted) < 2:
        return fit(anatomy, spec, devices, wanted=wanted[0] if wanted else None, split_is_fixed=fixed)
    fullest = min(_chosen(devices, wanted), key=lambda device: device.free)
    share = spec.share(len(wanted))
    part = replace(spec, batch=share.batch, accumulation=share.accumulation)
    found = fit(anatomy, part, [fullest], split_is_fixed=fixed)
    whole = spec.batch * spec.accumulation
    batch = found.spec.batch
    together = replace(spec, batch=batch, accumulation=whole // batch, devices=tuple(wanted))
    return Fit(found.device, together, found.memory)


def _unknown(
    order: Order,
    spec: TrainingSpec,
    chosen: Sequence[Device],
    config: Mapping[str, Any],
    examples: Examples,
    note: str,
) -> Forecast:
    """A model the planner does not know: device and steps are all that can be said, and 4 bits need CUDA."""
    stored = (config.get("quantization_config") or {}).get("quant_method", "")
    if chosen[0].kind == "cpu" and (spec.load_in_4bit or stored == "bitsandbytes"):
        raise MissingPrerequisiteError(
            "a 4-bit base needs a CUDA device; set load_in_4bit: false and name a 16-bit base"
        )
    cuda = tuple(device.index for device in chosen if device.kind == "cuda")
    spec = replace(spec, devices=cuda)
    nothing, time = math.nan, Duration(math.nan, count_steps(examples.rows, spec), note)
    return Forecast(
        order, spec, chosen[0], False, examples.count, nothing, time, nothing, nothing, "unknown", note=note
    )


def _duration(anatomy: Anatomy, spec: TrainingSpec, examples: Examples, device: Device) -> Duration:
    return duration(
        anatomy,
        spec,
        examples=examples.rows,
        tokens_an_example=examples.tokens,
        device=device.name,
        kind=device.kind,
        cores=os.cpu_count() or 1,
    )


def _faster(anatomy: Anatomy, found: Fit, examples: Examples) -> str:
    """A line about the trainer that is faster on one GPU, where the recipe names the other."""
    if found.device.kind == "cpu" or found.spec.trainer != "peft_lora" or len(found.spec.devices) > 1:
        return ""
    now = _duration(anatomy, found.spec, examples, found.device).seconds
    then = _duration(anatomy, replace(found.spec, trainer="unsloth_lora"), examples, found.device).seconds
    share = then / now if now else math.nan
    return f"trainer: unsloth_lora would take about {share:.0%} of the time" if share < FASTER else ""


def _examples(spec: TrainingSpec, batch: int) -> Examples:
    """Read off the artefact, in training order: a batch is as long as its longest row."""
    import numpy as np
    import pyarrow.compute
    import pyarrow.parquet

    file = Path(spec.examples) / "examples.parquet"
    table = pyarrow.parquet.read_table(file, columns=["input_ids", "split"])
    train = table.filter(pyarrow.compute.equal(table["split"], "train"))
    lengths = pyarrow.compute.list_value_length(train["input_ids"]).to_numpy()
    rows = np.array(packed_lengths(lengths.tolist(), spec.seq_len)) if spec.packing else lengths
    longest = np.maximum.reduceat(rows, np.arange(0, len(rows), batch))
    return Examples(len(lengths), len(rows), float(longest.mean()))


def packed_lengths(lengths: Sequence[int], seq_len: int) -> list[int]:
    """The lengths of the rows that ``packing.pack`` makes of examples so long.

    >>> packed_lengths([3, 5, 6], 8)
    [8, 6]
    """
    rows: list[int] = []
    for length in lengths:
        if rows and rows[-1] + length <= seq_len:
            rows[-1] += length
        else:
            rows.append(length)
    return rows
