"""``stylobench compare --grow N``: only the answers that a verdict which cannot tell still needs.

    comparison --primaries that cannot tell--> prompts, documents or both --> the next declared size
      --> the two sides answer (and their base reads: gains are taken against it) --> scores --> comparison

The reference set stays as it is: a suite asks the first so many of its frozen prompts, in a fixed order,
and what is stored is never computed again. Other variants of the suite stay at the suite's own size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.bench import Bench
from harness.compare import Comparison, compare
from harness.engines import Loader
from harness.errors import ConfigurationError
from harness.looks import Unit, grown
from harness.plan import ask
from harness.run import Progress, run
from harness.score import score
from harness.store import Run
from harness.telling import none_seen

_KEYS: dict[Unit, str] = {"prompts": "max_prompts", "blocks": "likelihood.max_documents"}


@dataclass(frozen=True)
class Growth:
    """A bench with more prompts or documents: ``sizes`` by unit, of at most ``most``, at so many looks."""

    bench: Bench
    sizes: dict[Unit, int]
    most: dict[Unit, int]

    def sentence(self) -> str:
        """``grown to 80 prompts (at most 160 were declared: p values allow for 3 looks)``."""
        suite = self.bench.asked.suite
        return "; ".join(
            f"grown to {size} {unit} (at most {self.most[unit]} were declared: "
            f"p values allow for {suite.n_looks(unit)} looks)"
            for unit, size in self.sizes.items()
        )


def open_units(comparison: Comparison) -> list[Unit]:
    """What the primaries that cannot tell are counted in."""
    open_ = [v for v in comparison.verdicts if v.primary and v.outcome in ("inconclusive", "descriptive")]
    return sorted({v.unit for v in open_})


def grow(bench: Bench, comparison: Comparison, more: int) -> Growth | None:
    """The bench at the next declared size with at least ``more``; None where no primary is open.

    Raises:
        ConfigurationError: the bench is limited, the suite declared no maximum, or not so high a one.
    """
    asked = bench.asked
    if asked.limited:
        raise ConfigurationError("--grow and --limit exclude each other")
    units = open_units(comparison)
    if not units:
        return None
    able = [unit for unit in units if asked.suite.n_looks(unit) > 1]
    all_there = {"prompts": len(asked.prompts), "blocks": asked.suite.likelihood.documents}
    declared = {unit: asked.suite.sizes(unit) or (all_there[unit],) for unit in units}
    room = {unit: declared[unit][-1] - declared[unit][0] for unit in able}
    # Where one of two has room for so many, the other goes as far as it was declared to.
    enough = any(room[unit] >= more for unit in able)
    sizes = {
        unit: grown(declared[unit], min(more, room[unit]) if enough else more, _KEYS[unit], unit)
        for unit in able or units
    }
    larger = ask(asked.suite, asked.tasks, asked.reference, sizes=sizes)
    most = {unit: declared[unit][-1] for unit in sizes}
    return Growth(replace(bench, asked=larger), sizes, most)


def compute(
    growth: Growth,
    comparison: Comparison,
    note: Run,
    *,
    load: Loader | None = None,
    engine: str | None = None,
    progress: Progress = lambda name, done, total: None,
) -> int:
    """Let the pairs answer what is not stored, score it, and say how many requests were computed."""
    bench = growth.bench
    sides = {v.name for p in comparison.pairs for v in (p.baseline, p.candidate)}
    bases = {v.base for p in comparison.pairs for v in (p.baseline, p.candidate)} - sides
    takers = [v for v in bench.variants if v.name in sides or v.kind == "control"]
    readers = [v for v in bench.variants if v.name in bases] if "blocks" in growth.sizes else []
    done = 0
    needed = replace(bench.asked, general=(), retention_documents=0)
    for asked, variants in ((needed, takers), (replace(needed, prompts=()), readers)):
        if variants:
            done += run(
                asked, variants, note, bench.workspace, load=load, engine=engine, progress=progress
            ).computed
    score(bench.asked, [*takers, *readers], note)
    return done


def compare_grown(growth: Growth, before: Bench, comparison: Comparison) -> Comparison:
    """The pairs judged at the larger size; the spread between seeds is that of the suite's own size."""
    spreads = before.spreads(comparison.pairs, before.table())
    return compare(growth.bench.asked, comparison.pairs, growth.bench.table(), spreads)


def next_size(bench: Bench, comparison: Comparison) -> int:
    """The N for ``--grow`` that reaches the next declared size, for the primaries that cannot tell; else 0.

    Counted from the suite's own size, as ``--grow`` counts; next is what lies above the size asked now. Not
    for a rate of which none was seen on either side: ``--grow`` takes it along where something else is open,
    but nobody need be sent to ask more only to show that what was not seen is not there.
    """
    asked = bench.asked
    if asked.limited:
        return 0
    seen = tuple(v for v in comparison.verdicts if not none_seen(v))
    now = {"prompts": len(asked.prompts), "blocks": sum(d.set == "heldout" for d in asked.documents)}
    found = [
        size - asked.suite.sizes(unit)[0]
        for unit in open_units(replace(comparison, verdicts=seen))
        for size in asked.suite.sizes(unit)
        if size > now[unit]
    ]
    return min(found, default=0)
