"""Does the benchmark tell the truth? Trains variants whose order is known, and prints what ``compare`` says.

    A/A    one recipe and corpus, three training seeds   no `better`, no `WORSE` on any primary, in all pairs
    dose   questions with 10, 30, 50, 70 % index pages   against none: 70 % `WORSE` or FAIL with exit code 3;
                                                         one that cannot be told says how many prompts would
    base   the base against the clean corpus             `better` on bits per byte
    gates  the copyist must fail; the author must rank first

python tests/benchmarks/truth.py [FOLDER]     about 40 minutes on two CPU cores; exit 1 if an answer is wrong
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from harness import summaries
from harness.bench import Bench, open_bench
from harness.cli import invoke
from harness.compare import Comparison, compare
from harness.demo.story import make_books
from harness.pairing import pair
from harness.positions import positions, ranking
from harness.shelves import shipped
from harness.statistics import wilson
from harness.summaries import Table
from harness.types import Variant

BASE, RECIPE = "smollm2-135m-instruct", "smollm2-135m"
CLEAN = 3
DOSES = {4: 0.10, 5: 0.30, 6: 0.50, 7: 0.70}
"""Corpus version -> share of its train passages that start on an index page."""
SEEDS = (3407, 7, 11)
SEQ_LEN = 288
"""Index pages take more tokens a word: at the recipe's 256 over 1 % of the 70 % corpus would be cut off."""
METRICS = ("bits_per_byte", "author_specific_gain", "authorship_logit", "copied")


def trained(version: int, seed: int = SEEDS[0]) -> str:
    """The name that ``train`` gives a variant."""
    return f"{RECIPE}@{version}" + ("" if seed == SEEDS[0] else f"+seed{seed}")


@dataclass(frozen=True)
class Question:
    """One comparison, and the answer that is known beforehand: ``chance``, ``harm``, ``gain``, ``open``."""

    name: str
    baseline: str
    candidate: str
    expected: str


EXPECTED = {
    "chance": "nothing better, nothing WORSE",
    "gain": "better bits per byte",
    "harm": "WORSE or FAIL, exit 3",
    "open": "WORSE, FAIL, or how many prompts would decide",
}

QUESTIONS = (
    *(
        Question(f"A/A, seeds {one} and {other}", trained(CLEAN, one), trained(CLEAN, other), "chance")
        for one, other in combinations(SEEDS, 2)
    ),
    Question("base -> no index page", BASE, trained(CLEAN), "gain"),
    *(
        Question(
            f"0 -> {share:.0%} index", trained(CLEAN), trained(version), "harm" if share > 0.6 else "open"
        )
        for version, share in DOSES.items()
    ),
)


def main(folder: Path) -> int:
    """Prepare, train seven variants, run, score; then ask."""
    folder.mkdir(parents=True, exist_ok=True)
    write_workspace(folder)
    make_books(folder / "results" / "demo" / "books")
    here = ["--workspace", str(folder)]
    commands = [
        ["prepare", "roosevelt"],
        *(["train", RECIPE, "--corpus", f"roosevelt@{CLEAN}", "--seed", str(seed)] for seed in SEEDS),
        *(["train", RECIPE, "--corpus", f"roosevelt@{version}"] for version in DOSES),
        ["run", "truth"],
        ["score", "truth"],
    ]
    for command in commands:
        print("$ stylobench", *command, flush=True)
        code = invoke([*here, *command])
        if code:
            return code
    bench = open_bench("truth", folder)
    return judge(bench)


def judge(bench: Bench) -> int:
    """Print the tables and say whether every known answer came out."""
    table = bench.table()
    wrong = []
    print_index_pages(bench, table)
    heads = ("question", "expected", *METRICS, "would decide", "failed gates", "exit", "as expected")
    print(f"\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for question in QUESTIONS:
        found = ask(bench, question, table)
        right = holds(question, found)
        wrong += [] if right else [question.name]
        failed = ", ".join(g.name for g in found.gates if g.outcome == "FAIL") or "none failed"
        needed = [f"{v.metric} {v.needed}" for v in found.verdicts if v.primary and v.needed]
        cells = [
            question.name,
            EXPECTED[question.expected],
            *verdicts(found),
            ", ".join(needed) or "nothing open",
            failed,
            str(found.exit_code),
            "yes" if right else "NO",
        ]
        print(f"| {' | '.join(cells)} |")
        print(f"  {question.name}: {found.sentence}", file=sys.stderr)
    wrong += controls_wrong(bench, table)
    print(f"wrong: {', '.join(wrong) or 'none'}")
    return 1 if wrong else 0


def print_index_pages(bench: Bench, table: Table) -> None:
    """How many answers of each variant look like an index page, and how many are invalid at all."""
    print("\n| variant | index pages in its corpus | answers like an index [95 %] | invalid |")
    print("|---|---|---|---|")
    doses = {trained(version): f"{share:.0%}" for version, share in DOSES.items()}
    for variant in (v for v in bench.variants if v.kind in ("base", "adapter")):
        invalid = table.of(variant.name, "invalid")
        notes = table.notes.get(variant.name, {}).get("invalid", {})
        like = sum("index_like" in note for note in notes.values())
        low, high = wilson(like, len(invalid))
        dose = doses.get(variant.name, "none" if variant.kind == "base" else "0%")
        share = sum(invalid.values()) / len(invalid)
        print(f"| {variant.name} | {dose} | {like} of {len(invalid)} [{low:.1%}, {high:.1%}] | {share:.1%} |")


def controls_wrong(bench: Bench, table: Table) -> list[str]:
    """The copyist must fail its gate, and nobody may rank above the author."""
    names = [v.name for v in bench.variants]
    failing = [n for n in names if any(g.outcome == "FAIL" for g in summaries.gates(table, bench.asked, n))]
    ranked = ranking(positions(table, names), failing)
    copyist = summaries.gates(table, bench.asked, "copyist")
    caught = any(g.name == "copied" and g.outcome == "FAIL" for g in copyist)
    print(f"\ncopyist fails the copying gate: {'yes' if caught else 'NO'}")
    print(f"ranking: {', '.join(f'{p.variant} {p.value:.2f}' for p in ranked)}")
    return [*([] if caught else ["copyist"]), *([] if ranked[0].variant == "author" else ["ranking"])]


def ask(bench: Bench, question: Question, table: Table) -> Comparison:
    """What ``stylobench compare`` says; of two seeds what it would say did it not know they are seeds.

    It calls nothing between two seeds of one recipe better or worse, so that no A/A could come out wrong.
    """
    if question.expected != "chance":
        return bench.compare(question.baseline, question.candidate, table)
    known = {variant.name: variant for variant in bench.variants}
    sides = [unseeded(known[name]) for name in (question.baseline, question.candidate)]
    return compare(bench.asked, pair(sides[:1], sides[1:], by_recipe=False), table)


def unseeded(variant: Variant) -> Variant:
    """The variant, with a record that does not say which seed it was trained with."""
    record = {key: value for key, value in variant.record.items() if key != "seed"}
    return replace(variant, record=record)


def holds(question: Question, found: Comparison) -> bool:
    """Whether a comparison came out as its question expects."""
    outcomes = {v.metric: v.outcome for v in found.verdicts if v.primary}
    if question.expected == "chance":
        return not {"better", "WORSE"} & set(outcomes.values())
    if question.expected == "gain":
        return outcomes["bits_per_byte"] == "better"
    if question.expected == "harm":
        return found.exit_code == 3
    settled = all(o not in ("inconclusive", "descriptive") for o in outcomes.values())
    told = all(v.needed > 0 for v in found.verdicts if v.primary and v.outcome == "inconclusive")
    return found.exit_code == 3 or settled or told


def verdicts(found: Comparison) -> Sequence[str]:
    """The primaries' outcomes with the gain and its interval."""
    by_metric = {v.metric: v for v in found.verdicts}
    cells = []
    for metric in METRICS:
        v = by_metric[metric]
        cells.append(f"{v.outcome} {v.difference:+.3f} [{v.interval.low:.3f}, {v.interval.high:.3f}]")
    return cells


def write_workspace(folder: Path) -> None:
    """The demo's corpus with a version for each dose, its recipe, and its suite over these variants."""
    shelves = ("trainers/corpora", "trainers/recipes", "tasks/suites")
    corpora, recipes, suites = (folder / shelf for shelf in shelves)
    for shelf in (corpora, recipes, suites):
        shelf.mkdir(parents=True, exist_ok=True)
    recipe = (shipped() / "trainers" / "recipes" / f"{RECIPE}.yaml").read_text(encoding="utf-8")
    longer = recipe.replace("seq_len: 256", f"seq_len: {SEQ_LEN}")
    (recipes / f"{RECIPE}.yaml").write_text(longer, encoding="utf-8")
    corpus = (shipped() / "trainers" / "corpora" / "roosevelt.yaml").read_text(encoding="utf-8")
    doses = "".join(
        f"  {version}: {{from: 2, dose: {{role: index, share: {share}}}}}\n"
        for version, share in DOSES.items()
    )
    (corpora / "roosevelt.yaml").write_text(corpus + doses, encoding="utf-8")
    suite = (shipped() / "tasks" / "suites" / "demo.yaml").read_text(encoding="utf-8")
    names = [BASE, *(trained(CLEAN, seed) for seed in SEEDS), *map(trained, DOSES)]
    line = f"variants: [{', '.join(repr(name) for name in names)}]"
    lines = [line if old.startswith("variants:") else old for old in suite.splitlines()]
    (suites / "truth.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("results/truth")))
