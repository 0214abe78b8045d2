"""The same prompts under two suites: what does another decoding, token limit or system prompt do?

    suite chat    small@1 --answers--> scores \\
                                               one table --> verdicts, and what differs in words
    suite greedy  small@1 --answers--> scores /

Both suites are of one author and one reference set, so prompts, margins and the author's own answers are
the same. Everything else that differs is said: such a comparison is about the suites, not about the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from harness.bench import Bench
from harness.compare import Comparison, compare
from harness.errors import ConfigurationError
from harness.likelihood_scores import LIKELIHOOD_VERSIONS
from harness.pairing import Pair, pair, settings_changed
from harness.summaries import Table

_T = TypeVar("_T")


def compare_across(bench: Bench, other: Bench, baseline: str, candidate: str) -> Comparison:
    """Verdicts of the candidate under ``other`` against the baseline under ``bench``.

    Margins, primaries, gates and the controls are those of ``bench``. What a
    training seed is worth is told under ``bench`` too.

    Raises:
        ConfigurationError: the two are of different reference sets, or one side names nothing.
    """
    one, two = bench.asked, other.asked
    if one.reference.digest != two.reference.digest:
        raise ConfigurationError(
            f"suites {bench.suite_name} ({one.reference.name}) and {other.suite_name} ({two.reference.name}) "
            "have different reference sets: nothing in them can be set side by side"
        )
    known = {v.name for v in bench.variants} & {v.name for v in other.variants}
    pairs = pair(bench.side(baseline), other.side(candidate), by_recipe=not {baseline, candidate} <= known)
    told = settings_changed(one, two)
    labelled = [
        Pair(
            replace(p.baseline, name=_label(p.baseline.name, bench)),
            replace(p.candidate, name=_label(p.candidate.name, other)),
            (*p.also_changed, *told),
        )
        for p in pairs
    ]
    first = bench.table()
    spreads = bench.spreads(pairs, first)
    return compare(one, labelled, _joined(bench, first, other), spreads)


def _label(variant: str, bench: Bench) -> str:
    return f"{variant} ({bench.suite_name})"


def _joined(bench: Bench, first: Table, other: Bench) -> Table:
    """Both tables in one, each variant under its suite's label; controls stay the first suite's.

    Likelihoods taken by another protocol are left out: their difference would be the protocol's.
    """
    second = other.table()
    left_out = frozenset() if bench.asked.protocol == other.asked.protocol else frozenset(LIKELIHOOD_VERSIONS)
    values = dict(first.values)
    notes = dict(first.notes)
    engines = dict(first.engines)
    versions = dict(first.metric_versions)
    texts = dict(first.texts)
    tokens = dict(first.tokens)
    for found, of, without in ((first, bench, frozenset[str]()), (second, other, left_out)):
        for name in found.values:
            label = _label(name, of)
            values[label] = _without(found.values[name], without)
            notes[label] = _without(found.notes.get(name, {}), without)
            engines[label] = found.engines[name]
            texts[label] = found.texts.get(name, {})
            tokens[label] = found.tokens.get(name, {})
            versions |= {(label, m): v for (whose, m), v in found.metric_versions.items() if whose == name}
    return replace(
        first,
        values=values,
        notes=notes,
        engines=engines,
        metric_versions=versions,
        texts=texts,
        tokens=tokens,
    )


def _without(of_metric: Mapping[str, _T], metrics: frozenset[str]) -> dict[str, _T]:
    return {metric: found for metric, found in of_metric.items() if metric not in metrics}
