"""How often does `compare` call a difference that is not there, and does it see one that is?

    differences per prompt or document between two variants of a real workspace, their mean taken out
      --whole rows drawn anew, or their signs turned at random--> worlds in which nothing differs
      --the rules of harness.deciding--> share of worlds with `better` or `WORSE` on any primary

    power    the same with one margin taken from one primary, or added, at the n that `compare` prints as
             sufficient for it: what is skewed is harder to see in one of the two directions

A row holds the primaries of one prompt, or of one document, so that what hangs together stays together.
Nothing is approximated: the sign flips are compare's own 10,000, applied to many worlds at once. Intervals
are not computed, since `better` and `WORSE` depend on p, mean and margin alone; a spread between training
seeds would raise the bar, and is left out.

python tests/benchmarks/null_simulation.py WORKSPACE [SUITE] [REPEATS]     exit 1 if a target is missed
"""

from __future__ import annotations

import itertools
import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness import deciding as rules
from harness import statistics
from harness.bench import Bench, find_suite, open_bench
from harness.compare import FEWEST_UNITS
from harness.statistics import holm, paired_test, wilson
from harness.summaries import Table, weight
from harness.telling import ALPHA
from harness.types import Interval, Verdict

REPEATS, POWER_REPEATS, MOST_FALSE, LEAST_POWER = 5_000, 5_000, 0.05, 0.8
WORLDS_AT_ONCE, CHECKED = 500, 20
UNKNOWN = Interval(math.nan, math.nan)


@dataclass(frozen=True)
class Differences:
    """Centred differences, higher better: ``rows[metric]`` has one a unit, in one order for each group."""

    rows: Mapping[str, np.ndarray]
    group: Mapping[str, str]
    margins: Mapping[str, float]


def main(workspace: Path, suite: str | None, repeats: int) -> int:
    """Print the error rates and powers of every pair of variants that are no controls."""
    bench = open_bench(find_suite(workspace, suite), workspace)
    table = bench.table()
    names = [v.name for v in bench.variants if v.kind != "control"]
    missed: list[str] = []
    print("| pair | null | false calls [95 %] | Holm p < .05 alone | by metric |\n|---|---|---|---|---|")
    power_lines: list[str] = []
    for baseline, candidate in itertools.combinations(names, 2):
        found = differences(bench, table, baseline, candidate)
        rng = np.random.default_rng(0)
        for null in ("redrawn", "signs"):
            worlds = draw(found, repeats, rng, signs=null == "signs")
            p = {metric: p_values(own) for metric, own in worlds.items()}
            if null == "redrawn":
                check(worlds, p)
                power_lines += powers(found, p, f"{baseline} -> {candidate}", rng, missed)
            calls = [judge(found.margins, worlds, p, world) for world in range(repeats)]
            bare = [judge(dict.fromkeys(found.margins, 0.0), worlds, p, world) for world in range(repeats)]
            rate, (low, high) = share(calls), wilson(sum(map(bool, calls)), repeats)
            each = {metric: share([metric in called for called in bare]) for metric in worlds}
            listed = ", ".join(f"{metric} {value:.2%}" for metric, value in each.items())
            cells = [f"{baseline} -> {candidate}", null, f"{rate:.2%} [{low:.2%}, {high:.2%}]"]
            print(f"| {' | '.join([*cells, f'{share(bare):.2%}', listed])} |", flush=True)
            missed += [f"{baseline} -> {candidate} ({null}) {rate:.2%}"] if rate > MOST_FALSE else []
    print("\n| pair | metric | SD | margin | n | loss found | called WORSE | gain found | called better |")
    print("|" + "---|" * 9)
    print("\n".join(power_lines))
    print(f"\nmissed: {'; '.join(missed) or 'none'}")
    return 1 if missed else 0


def differences(bench: Bench, table: Table, baseline: str, candidate: str) -> Differences:
    """What ``compare`` would test, on units where every primary of the group has a value in both."""
    directions = {metric: way for task in bench.asked.tasks for metric, way in task.directions.items()}
    groups = {
        "documents": [d.id for d in bench.asked.documents],
        "prompts": [p.id for p in bench.asked.prompts],
    }
    rows: dict[str, np.ndarray] = {}
    group_of: dict[str, str] = {}
    for group, items in groups.items():
        metrics = [m for m in bench.asked.suite.primaries if table.of(candidate, m).keys() & set(items)]
        sides = {m: (table.of(baseline, m), table.of(candidate, m)) for m in metrics}
        # The base has no gain over itself: nothing to test there.
        sides = {m: both for m, both in sides.items() if both[0] and both[1]}
        valid = [
            i for i in items if all(math.isfinite(s.get(i, math.nan)) for b in sides.values() for s in b)
        ]
        for metric, (base, new) in sides.items():
            turn = 1.0 if directions[metric] == "higher" else -1.0
            d = np.array([turn * (new[i] - base[i]) * weight(table, candidate, metric, i) for i in valid])
            rows[metric], group_of[metric] = d - d.mean(), group
    margins = bench.asked.reference.margins
    return Differences(rows, group_of, {metric: margins[metric] for metric in rows})


def draw(
    found: Differences, worlds: int, rng: np.random.Generator, *, signs: bool = False, n: int = 0
) -> dict[str, np.ndarray]:
    """Metric -> differences, shape (worlds, units); ``n`` units instead of as many as there are."""
    drawn: dict[str, np.ndarray] = {}
    for group in dict.fromkeys(found.group.values()):
        metrics = [metric for metric in found.rows if found.group[metric] == group]
        have = len(found.rows[metrics[0]])
        chosen = rng.integers(0, have, size=(worlds, n or have))
        turned = rng.choice([-1.0, 1.0], size=(worlds, have))
        for metric in metrics:
            drawn[metric] = found.rows[metric] * turned if signs else found.rows[metric][chosen]
    return drawn


def p_values(worlds: np.ndarray) -> np.ndarray:
    """``paired_test(world, 0).p`` of every world at once: the same patterns, ties and formula."""
    n = worlds.shape[1]
    exact = n <= statistics.MAX_EXACT_PAIRS
    found = np.empty(len(worlds))
    patterns = list(statistics._sign_patterns(n, np.random.default_rng(0)))
    for start in range(0, len(worlds), WORLDS_AT_ONCE):
        own = worlds[start : start + WORLDS_AT_ONCE].T
        bar = np.abs(own.sum(axis=0)) - 1e-9 * np.abs(own).sum(axis=0)
        extreme = np.sum([(np.abs(signs @ own) >= bar).sum(axis=0) for signs in patterns], axis=0)
        p = extreme / 2**n if exact else (extreme + 1) / (statistics.SIGN_FLIPS + 1)
        found[start : start + WORLDS_AT_ONCE] = p
    return found


def check(worlds: Mapping[str, np.ndarray], p: Mapping[str, np.ndarray]) -> None:
    """Raises AssertionError where the fast test is not compare's own."""
    for metric, own in worlds.items():
        for world in range(CHECKED):
            slow = paired_test(own[world], np.zeros(own.shape[1])).p
            assert abs(slow - p[metric][world]) < 1e-12, (metric, world, slow, p[metric][world])


def judge(
    margins: Mapping[str, float], worlds: Mapping[str, np.ndarray], p: Mapping[str, np.ndarray], world: int
) -> list[str]:
    """The primaries that compare's rules call ``better`` or ``WORSE`` in one world."""
    adjusted = holm([p[metric][world] for metric in worlds])
    called = []
    for metric, p_holm in zip(worlds, adjusted, strict=True):
        outcome = outcome_of(metric, worlds[metric][world], p_holm, margins[metric], len(worlds))
        called += [metric] if outcome in ("better", "WORSE") else []
    return called


def outcome_of(metric: str, d: np.ndarray, p_holm: float, margin: float, family: int) -> str:
    """The outcome by ``harness.deciding``, on a verdict without an interval."""
    draft = rules.Draft(_undecided(metric, d, margin), math.nan, margin, float(d.std(ddof=1)))
    return rules.decide(draft, p_holm, family).outcome


def _undecided(metric: str, d: np.ndarray, margin: float) -> Verdict:
    return Verdict(
        metric=metric, task="", outcome="inconclusive", primary=True, baseline=0.0, candidate=0.0,
        difference=float(d.mean()), interval=UNKNOWN, p_holm=math.nan, n=len(d), unit="prompts",
        margin=margin, detectable=math.nan, needed=0,
    )  # fmt: skip


def powers(
    found: Differences,
    null_p: Mapping[str, np.ndarray],
    pair: str,
    rng: np.random.Generator,
    missed: list[str],
) -> list[str]:
    """A row a primary: how often a loss and a gain of one margin are found (Holm p < .05, in the right
    direction), and how often they are called by their names, which also asks that the mean reach the margin,
    so that half is what can be had.
    """
    lines = []
    for metric, rows in found.rows.items():
        margin, n = found.margins[metric], sufficient(found, metric)
        cells = [pair, metric, f"{rows.std(ddof=1):.4g}", f"{margin:.4g}", str(n)]
        if not rows.any():
            lines.append(f"| {' | '.join([*cells, 'nothing varies'])} | – | – | – |")
            continue
        centred = draw(found, POWER_REPEATS, rng, n=n)[metric]
        for sign, name in ((-1, "WORSE"), (1, "better")):
            worlds = centred + sign * margin
            p = p_values(worlds)
            seen, called = [], []
            for world in range(POWER_REPEATS):
                rest = [null_p[other][world % len(null_p[other])] for other in found.rows if other != metric]
                p_holm = holm([p[world], *rest])[0]
                seen.append(p_holm < ALPHA and sign * worlds[world].mean() > 0)
                called.append(outcome_of(metric, worlds[world], p_holm, margin, len(found.rows)) == name)
            cells += [f"{share(seen):.1%}", f"{share(called):.1%}"]
            if share(seen) < LEAST_POWER:
                missed.append(f"{pair} {metric} {sign:+} margin found {share(seen):.1%} at n = {n}")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def sufficient(found: Differences, metric: str) -> int:
    """The n that ``compare`` prints beside *cannot tell*. Of a rate that never varied, it is where none seen
    would be `same`, and no power.
    """
    d = found.rows[metric]
    draft = rules.Draft(
        _undecided(metric, d, found.margins[metric]), math.nan, found.margins[metric], float(d.std(ddof=1)),
        discordant=None if d.any() else 0, d=d,
    )  # fmt: skip
    return max(FEWEST_UNITS, rules.units_to_decide(draft, found.margins[metric], ALPHA / len(found.rows)))


def share(flags: Sequence[object]) -> float:
    """The share that is true."""
    return sum(map(bool, flags)) / len(flags)


if __name__ == "__main__":
    started = time.perf_counter()
    code = main(
        Path(sys.argv[1]),
        sys.argv[2] if len(sys.argv) > 2 else None,
        int(sys.argv[3]) if len(sys.argv) > 3 else REPEATS,
    )
    print(f"{time.perf_counter() - started:.0f} s")
    sys.exit(code)
