"""A suite opened on a workspace: its prompts and documents, and the variants that answer them.

What ``run``, ``score``, ``compare`` and ``report`` all start from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness import reference as references
from harness import shelves, summaries, yamlfile
from harness.compare import Comparison, compare
from harness.corpora import find_manifest, passages_of
from harness.corpus.leakage import shared_ngrams
from harness.errors import ConfigurationError, MissingPrerequisiteError, nearest
from harness.models import controls, few_shot
from harness.models.bases import known_bases, resolve_base
from harness.pairing import Pair, pair, seed_spreads, siblings
from harness.plan import Ask, ask
from harness.reference import Reference
from harness.store import Store
from harness.suite import Suite, read_suite
from harness.taskfile import read_tasks, with_metrics
from harness.types import Variant
from harness.variants import base_variant, corpora_seen, match, registered, select


@dataclass(frozen=True)
class Bench:
    """A suite with everything it names found: variants with a model first, then the controls."""

    suite_name: str
    workspace: Path
    store: Store
    asked: Ask
    variants: tuple[Variant, ...]

    def table(self) -> summaries.Table:
        """All stored scores of these variants under this suite."""
        return summaries.read_table(self.asked, self.variants, self.store)

    def compare(self, baseline: str, candidate: str, table: summaries.Table | None = None) -> Comparison:
        """Verdicts of candidate against baseline, each a variant or a ``corpus@N``."""
        by_recipe = not {baseline, candidate} <= {variant.name for variant in self.variants}
        pairs = pair(self.side(baseline), self.side(candidate), by_recipe=by_recipe)
        table = table or self.table()
        return compare(self.asked, pairs, table, self.spreads(pairs, table))

    def spreads(self, pairs: Sequence[Pair], table: summaries.Table) -> dict[str, float]:
        """What a training seed is worth: over the suite's own variants, both sides, and every registered
        sibling of theirs, so that how a comparison was asked for does not move the bar.
        """
        known = registered(self.store)
        listed = self.asked.suite.variants
        own = [v for name in ([listed] if isinstance(listed, str) else listed) for v in match(name, known)]
        sides = [v for p in pairs for v in (p.baseline, p.candidate)]
        held = {v.name for v in self.variants}
        counted = {
            v.name: v for v in [*own, *sides, *siblings(sides, list(known.values()))] if v.kind == "adapter"
        }
        more = [v for name, v in counted.items() if name not in held]
        added = [what_it_saw(v, self.asked.reference, self.store, self.workspace) for v in more]
        wide = replace(self, variants=(*self.variants, *added))
        chosen = [v for v in wide.variants if v.name in counted]
        return seed_spreads(wide.table() if more else table, chosen, self.asked)

    def side(self, name: str) -> list[Variant]:
        """The variants that one side of a comparison means.

        Raises:
            ConfigurationError: neither a variant nor a corpus of this suite.
        """
        known = {variant.name: variant for variant in self.variants}
        found = match(name, known)
        if not found:
            raise ConfigurationError(
                f"{name!r} is neither a variant nor a corpus of this suite{nearest(name, known)}"
            )
        return found


def warehouse(workspace: Path, as_of: str | None = None) -> Store:
    """The workspace's results."""
    return Store(workspace / "results" / "warehouse", as_of)


def find_suite(workspace: Path, name: str | None, author: str | None = None) -> str:
    """The suite asked for, or the only one there is (for an author).

    Raises:
        ConfigurationError: several would do, or none does.
    """
    if name is not None:
        return name
    found = {}
    for path in shelves.list_yaml("tasks/suites", workspace):
        found[path.stem] = yamlfile.read(path, Suite).author
    fitting = [stem for stem, whose in found.items() if author in (None, whose)]
    if len(fitting) == 1:
        return fitting[0]
    problem = "several suites" if fitting else "no suite"
    raise ConfigurationError(
        f"{problem} for {author or 'this workspace'}: name one of {', '.join(sorted(found))}"
    )


def open_bench(
    suite_name: str,
    workspace: Path,
    *,
    variants: Sequence[str] = (),
    limit: int | None = None,
    as_of: str | None = None,
    metrics: Sequence[str] = (),
) -> Bench:
    """Read a suite and find everything it names.

    Args:
        variants: names instead of the suite's own list.
        limit: only so many prompts and documents; the results are marked LIMITED.
        as_of: read every table as this run (or moment) left it.
        metrics: what is to be reported besides, by tasks that the suite need not list.

    Raises:
        ConfigurationError: an unknown suite, task, metric, control or variant.
        MissingPrerequisiteError: the author was never prepared, or nothing was trained yet.
    """
    suite = read_suite(suite_name, workspace)
    tasks = with_metrics(read_tasks(suite.tasks, workspace), metrics, workspace)
    store = warehouse(workspace, as_of)
    reference = references.load(suite.author, workspace)
    if as_of is not None:
        reference = as_it_stood(reference, store, workspace)
    known = registered(store)
    bases = known_bases(workspace)
    wanted = list(variants) or ([suite.variants] if isinstance(suite.variants, str) else list(suite.variants))
    for name in wanted:
        for base in filter(None, (name, few_shot.base_of(name))):
            if base in bases and base not in known:
                known[base] = base_variant(resolve_base(base, workspace))
        bare = known.get(few_shot.base_of(name))
        if name not in known and bare is not None and can_be_shown(bare):
            known[name] = few_shot.as_variant(bare, reference)
    if not known:
        raise MissingPrerequisiteError(
            "no variant is registered yet: `stylobench train RECIPE` makes the first"
        )
    models = select(wanted, known)
    # Gains are taken against the base, so it comes along whenever one of its adapters does.
    for base in dict.fromkeys(v.base for v in models):
        if base in known and base not in {v.name for v in models}:
            models.insert(0, known[base])
    if few_shot.FEW_SHOT in suite.controls:
        models += with_examples(models, reference)
    models = [what_it_saw(variant, reference, store, workspace) for variant in models]
    names = controls.expand(suite.controls, reference)
    controlled = [controls.as_variant(name, reference) for name in names]
    asked = ask(suite, tasks, reference, limit)
    return Bench(suite_name, workspace, store, asked, (*models, *controlled))


def with_examples(models: Sequence[Variant], reference: Reference) -> list[Variant]:
    """Every base among the models with two examples in its prompt, but for those that are there already."""
    there = {variant.name for variant in models}
    bare = [v for v in models if can_be_shown(v)]
    return [few_shot.as_variant(v, reference) for v in bare if few_shot.name_of(v.name) not in there]


def can_be_shown(variant: Variant) -> bool:
    """Whether there is such a variant with examples: of a base there is, unless it is shown some already."""
    return variant.kind == "base" and not few_shot.shown_to(variant)


def as_it_stood(reference: Reference, store: Store, workspace: Path) -> Reference:
    """The set that the newest scores of a pinned store were made against: this one, or a former one of it."""
    frame = store.read("scores", ["reference", "run"])
    sets = [reference.digest, *references.former_digests(reference.name, workspace)]
    known = frame[frame["reference"].isin(sets)] if len(frame) else frame
    newest = str(known.sort_values("run")["reference"].iloc[-1]) if len(known) else reference.digest
    if newest == reference.digest:
        return reference
    return references.load(f"{reference.name}.{newest}", workspace)


def what_it_saw(variant: Variant, reference: Reference, store: Store, workspace: Path) -> Variant:
    """The variant, marked as having seen ``all`` where a corpus of its holds this reference's held-out text.

    A corpus version never holds what the reference set it was built against holds out; one of another name,
    or built before the set was cut anew, may well.
    """
    if variant.trained_on in ("all", "unknown"):
        return variant
    for corpus in corpora_seen(variant):
        if corpus.name == reference.name:
            manifest = find_manifest(corpus.name, corpus.version, workspace)
            if manifest is None or manifest.get("reference") == reference.digest:
                continue
        passages = passages_of(corpus.name, corpus.version, store, workspace)
        trained = [passage for passage in passages if passage.split in ("train", "validation")]
        if shared_ngrams(trained, reference.heldout).shared > 0:
            return replace(variant, trained_on="all")
    return variant
