"""Which variants answer one question about the data, what else differs, and what a seed is worth.

author@2 x author@3 --same recipe but for the corpus line, same training seed--> pairs
seeds of one recipe on one corpus --> the spread that a difference has to exceed
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness import summaries
from harness.errors import ConfigurationError
from harness.plan import Ask
from harness.summaries import Table
from harness.types import Variant


@dataclass(frozen=True)
class Pair:
    """Two variants that answer one question about the data, and what else differs between them."""

    baseline: Variant
    candidate: Variant
    also_changed: tuple[str, ...] = ()


def pair(baselines: Sequence[Variant], candidates: Sequence[Variant], *, by_recipe: bool) -> list[Pair]:
    """Pairs to compare: one with one by name, or variants whose recipes agree but for the corpus line.

    Raises:
        ConfigurationError: nothing pairs; both sides are listed.
    """
    if not by_recipe and len(baselines) == len(candidates) == 1:
        return [Pair(baselines[0], candidates[0], _differences(baselines[0], candidates[0]))]
    found = [
        Pair(b, c, _differences(b, c))
        for b in baselines
        for c in candidates
        if b.kind == c.kind == "adapter" and _recipe(b) == _recipe(c)
    ]
    if not found and len(baselines) == len(candidates) == 1:
        return [Pair(baselines[0], candidates[0], _differences(baselines[0], candidates[0]))]
    if not found:
        left, right = (", ".join(v.name for v in side) or "nothing" for side in (baselines, candidates))
        raise ConfigurationError(f"nothing pairs: no recipe and seed is on both sides ({left} | {right})")
    return found


def _recipe(variant: Variant) -> tuple[str, str]:
    """What pairs by: the recipe's settings without its corpus line, and the training seed."""
    settings = {k: v for k, v in variant.record.get("settings", {}).items() if k not in ("corpus", "seeds")}
    return (repr(sorted(settings.items(), key=lambda kv: kv[0])), str(variant.record.get("seed")))


def _differences(baseline: Variant, candidate: Variant) -> tuple[str, ...]:
    """Settings that differ besides the corpus: then the comparison is not about the data."""
    one, other = (_flat(v.record.get("settings", {})) for v in (baseline, candidate))
    keys = sorted((set(one) | set(other)) - {"corpus"}) if one and other else []
    changed = [f"{key} {one.get(key)} -> {other.get(key)}" for key in keys if one.get(key) != other.get(key)]
    if one and other and baseline.record.get("seed") != candidate.record.get("seed"):
        changed.append(f"training seed {baseline.record.get('seed')} -> {candidate.record.get('seed')}")
    return tuple(changed)


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        elif key != "seeds":
            flat[f"{prefix}{key}"] = value
    return flat


def seed_spreads(table: Table, variants: Sequence[Variant], asked: Ask) -> dict[str, float]:
    """Metric -> largest difference between training seeds of one recipe on one corpus, where known."""
    groups: dict[tuple[str, str], list[str]] = {}
    for v in variants:
        if v.kind == "adapter":
            groups.setdefault((f"{v.corpus}@{v.version}", _recipe(v)[0]), []).append(v.name)
    spreads: dict[str, float] = {}
    for names in groups.values():
        for metric in asked.suite.primaries:
            means = [
                s.value
                for name in names
                if not math.isnan((s := summaries.summarise(table, name, metric)).value)
            ]
            if len(means) > 1:
                spreads[metric] = max(spreads.get(metric, 0.0), max(means) - min(means))
    return spreads
