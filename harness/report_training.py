"""Training records -> the rows of a report: what each run cost, what it reached, which state was kept.

Records of different ages hold different things: what a record does not say is NaN or empty, never 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from harness.pairing import families
from harness.report_context import Look, TrainingRow
from harness.types import Variant


def training_rows(variants: Sequence[Variant]) -> tuple[TrainingRow, ...]:
    """A row for every adapter that was trained here; runs that differ by seed only stand together."""
    trained = [v for v in variants if v.kind == "adapter" and not v.record.get("registered")]
    return tuple(
        training_row(variant, family.name) for family in families(trained) for variant in family.variants
    )


def training_row(variant: Variant, family: str) -> TrainingRow:
    """What one variant's record says."""
    record = variant.record
    validation = record.get("validation_loss", {})
    return TrainingRow(
        variant=variant.name,
        data=variant.trained_on,
        examples=_known(record.get("train_examples")),
        epochs=_known(record.get("epochs")),
        steps=int(record.get("steps", 0)),
        minutes=_known(record.get("minutes")),
        loss_mean=_known(record.get("mean_loss")),
        loss_final=_known(record.get("final_loss")),
        validation_before=_known(validation.get("before")),
        validation_after=_known(validation.get("after")),
        memory_gb=_known(record.get("peak_memory_gb")),
        adapter_mb=_known(record.get("adapter_mb")),
        loss_curve=tuple((float(step), float(loss)) for step, loss in record.get("loss_curve", [])),
        note=record.get("limited", ""),
        family=family,
        looks=_looks(record),
        kept=_kept(record),
        tokens_per_second=_known(record.get("tokens_per_second")),
        training_gb=_known(record.get("training_memory_gb")),
        card_percent=_known(record.get("card_percent")),
        gpu_hours=_known(record.get("gpu_hours")),
        minutes_lost=_known(record.get("minutes_lost")) or math.nan,  # mostly none: then it is no news
        degraded=tuple(record.get("degraded") or ()),
    )


def _looks(record: Mapping[str, Any]) -> tuple[Look, ...]:
    kept = (record.get("kept") or {}).get("step")
    return tuple(
        Look(
            step=int(look["step"]),
            loss=_known(look.get("loss")),
            bits_per_byte=_known(look.get("bits_per_byte")),
            copied=_known(look.get("copied")),
            longest_run=_known(look.get("longest_run")),
            kept=look["step"] == kept,
        )
        for look in record.get("validation_curve") or []
    )


def _kept(record: Mapping[str, Any]) -> str:
    """Which state became the adapter, and whether it was under the ceiling on copying."""
    if "validation_curve" not in record:
        return ""
    kept, steps = record.get("kept"), record.get("steps", 0)
    if not kept:
        return "the last state was kept"
    ceiling = record.get("settings", {}).get("max_copied")
    named = "the ceiling on copying" if ceiling is None else f"the ceiling of {100 * ceiling:g} % copied"
    under = record.get("under_ceiling")
    told = ""
    if under is not None:
        told = f", under {named}" if under else f", over {named}: no look was under it, this one copied least"
    return f"step {kept['step']} of {steps} was kept{told}"


def _known(value: Any) -> float:
    return math.nan if value is None else float(value)
