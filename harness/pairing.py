"""Which variants answer one question about the data, what else differs, and what a seed is worth.

author@2 x author@3 --same recipe but for the corpus line, same training seed--> pairs
seeds of one recipe on one corpus --> the spread that a difference has to exceed
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness import summaries
from harness.errors import ConfigurationError
from harness.models import few_shot
from harness.plan import Ask
from harness.recipe import completed
from harness.summaries import Table
from harness.types import Variant


@dataclass(frozen=True)
class Pair:
    """Two variants that answer one question about the data, and what else differs between them."""

    baseline: Variant
    candidate: Variant
    also_changed: tuple[str, ...] = ()

    @property
    def data_changed(self) -> bool:
        """Whether both were trained, and on different data."""
        one, other = self.baseline, self.candidate
        return one.kind == other.kind == "adapter" and one.trained_on != other.trained_on

    @property
    def seeds_only(self) -> bool:
        """Whether both are one recipe on one corpus, trained twice: what differs is chance."""
        sides = [self.baseline, self.candidate]
        return self.baseline.digest != self.candidate.digest and len(families(sides)) == 1


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
    settings = {k: v for k, v in _settings(variant).items() if k not in ("corpus", "seeds")}
    return (repr(sorted(_flat(settings).items())), str(variant.record.get("seed")))


def _settings(variant: Variant) -> dict[str, Any]:
    """The recipe's settings; keys that came after it was trained have their defaults."""
    settings = variant.record.get("settings", {})
    return completed(settings) if settings else {}


def _differences(baseline: Variant, candidate: Variant) -> tuple[str, ...]:
    """What differs besides the corpus (then the comparison is not about the data): settings, base, training
    seed, what was given up to fit into memory, and examples that one side only is shown.
    """
    one, other = (_flat(_settings(v)) for v in (baseline, candidate))
    changed = list(changes(one, other, leave_out=("corpus",))) if one and other else []
    if baseline.base != candidate.base and baseline.base and candidate.base:
        changed = [c for c in changed if not c.startswith("base ")]
        changed.insert(0, f"base {baseline.base} -> {candidate.base}")
    if one and other and baseline.record.get("seed") != candidate.record.get("seed"):
        changed.append(f"training seed {baseline.record.get('seed')} -> {candidate.record.get('seed')}")
    given_up = ["; ".join(v.record.get("degraded") or ()) or "nothing" for v in (baseline, candidate)]
    if given_up[0] != given_up[1]:
        changed.append(f"given up to fit: {given_up[0]} -> {given_up[1]}")
    shown = [v.name for v in (baseline, candidate) if few_shot.shown_to(v)]
    if len(shown) == 1:
        changed.append(f"two examples shown to {shown[0]}")
    return tuple(changed)


def settings_changed(one: Ask, other: Ask) -> tuple[str, ...]:
    """What shapes answers or likelihoods and differs between two suites: ``decoding.seed 0 -> 1``."""
    shaping = ("decoding", "max_tokens", "samples", "template", "likelihood", "dtype")
    told = []
    for asked in (one, other):
        dumped = {key: value for key, value in asked.suite.model_dump().items() if key in shaping}
        told.append(_flat(dumped))
    changed = changes(told[0], told[1], leave_out=("likelihood.max_documents",))
    return (*changed, *(["the system prompt"] if one.system != other.system else []))


def changes(
    one: Mapping[str, Any], other: Mapping[str, Any], leave_out: Sequence[str] = ()
) -> tuple[str, ...]:
    """``key old -> new`` for each key whose values differ, sorted."""
    keys = sorted((set(one) | set(other)) - set(leave_out))
    different = [key for key in keys if one.get(key) != other.get(key)]
    return tuple(f"{key} {one.get(key)} -> {other.get(key)}" for key in different)


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        elif key != "seeds":
            flat[f"{prefix}{key}"] = value
    return flat


@dataclass(frozen=True)
class Family:
    """Variants that differ by training seed only: one recipe on one corpus. ``name`` is what they share."""

    name: str
    variants: tuple[Variant, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The training seeds, in the order of the variants; without those whose record names none."""
        return tuple(int(v.record["seed"]) for v in self.variants if v.record.get("seed") is not None)


def families(variants: Sequence[Variant]) -> list[Family]:
    """The variants with siblings by seed brought together, in the order of each family's first member.

    What was not trained here, and what has no sibling, is a family of one under its own name.
    """
    groups: dict[tuple[str, ...], list[Variant]] = {}
    for v in variants:
        trained = v.kind == "adapter" and "seed" in v.record
        corpus, limited = f"{v.corpus}@{v.version}", str(v.record.get("limited", ""))
        key = (v.base, corpus, limited, _recipe(v)[0]) if trained else (v.name,)
        groups.setdefault(key, []).append(v)
    return [Family(_shared_name(group), tuple(group)) for group in groups.values()]


def siblings(sides: Sequence[Variant], known: Sequence[Variant]) -> list[Variant]:
    """Those of ``known`` that differ from one of the sides by training seed only, the sides left out."""
    names = {v.name for v in sides}
    others = [v for v in known if v.name not in names]
    found = [f for f in families([*sides, *others]) if any(v.name in names for v in f.variants)]
    return [v for family in found for v in family.variants if v.name not in names]


def _shared_name(group: Sequence[Variant]) -> str:
    """``small@2`` for ``small@2`` and ``small@2+seed2``; the first name where they share none."""
    if len(group) == 1:
        return group[0].name
    plain = {re.sub(r"\+seed-?\d+(?=\+|$)", "", v.name) for v in group}
    return plain.pop() if len(plain) == 1 else group[0].name


def seed_spreads(table: Table, variants: Sequence[Variant], asked: Ask) -> dict[str, float]:
    """Metric -> largest difference between training seeds of one recipe on one corpus, where known."""
    spreads: dict[str, float] = {}
    for family in families(variants):
        names = [v.name for v in family.variants]
        for metric in asked.suite.primaries:
            means = [
                s.value
                for name in names
                if not math.isnan((s := summaries.summarise(table, name, metric)).value)
            ]
            if len(means) > 1:
                spreads[metric] = max(spreads.get(metric, 0.0), max(means) - min(means))
    return spreads
