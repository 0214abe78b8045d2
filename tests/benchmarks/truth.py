"""Does the benchmark tell the truth? Trains pairs whose answer is known, and prints what ``compare`` says.

    A/A    one recipe, two training seeds, same data     no `better`, no `WORSE` on any primary
    base   the base against @3                           `better` on bits per byte
    A/B    a corpus with 70 % index pages against @3     `WORSE` or FAIL, exit code 3
    demo   @2 (every page) against @3 (body only)        whatever it is
    gates  the copyist must fail; the author must rank first

python tests/benchmarks/truth.py [FOLDER]     about 30 minutes on two CPU cores; exit 1 if an answer is wrong
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import summaries
from harness.bench import Bench, open_bench
from harness.cli import invoke
from harness.compare import Comparison, compare
from harness.demo.story import make_books
from harness.pairing import pair
from harness.shelves import shipped
from harness.summaries import Table

BASE, RECIPE, SEED_B = "smollm2-135m-instruct", "smollm2-135m", 7
PLAIN, TWIN = f"{RECIPE}@3", f"{RECIPE}@3+seed{SEED_B}"
FIRST, EVERYTHING, INDEXED = f"{RECIPE}@1", f"{RECIPE}@2", f"{RECIPE}@4"
METRICS = ("bits_per_byte", "author_specific_gain", "authorship_logit", "copied")
INDEX_VERSION = "  4: {from: 2, dose: {role: index, share: 0.7}}\n"


@dataclass(frozen=True)
class Question:
    """One comparison with the answer that is known beforehand."""

    name: str
    baseline: str
    candidate: str
    expected: str


QUESTIONS = (
    Question("A/A, two seeds", PLAIN, TWIN, "nothing better, nothing WORSE"),
    Question("base -> @3", BASE, PLAIN, "better bits per byte"),
    Question("A/B, 70 % index", PLAIN, INDEXED, "WORSE or FAIL, exit 3"),
    Question("@2 -> @3", EVERYTHING, PLAIN, "as it comes out"),
)


def main(folder: Path) -> int:
    """Prepare, train five variants, run, score; then ask."""
    folder.mkdir(parents=True, exist_ok=True)
    write_workspace(folder)
    make_books(folder / "results" / "demo" / "books")
    here = ["--workspace", str(folder)]
    commands = [
        ["prepare", "roosevelt"],
        *(["train", RECIPE, "--corpus", f"roosevelt@{version}"] for version in (1, 2, 3, 4)),
        ["train", RECIPE, "--corpus", "roosevelt@3", "--seed", str(SEED_B)],
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
    """Print the table and say whether every known answer came out."""
    table = bench.table()
    wrong = []
    heads = ("question", "expected", *METRICS, "failed gates", "exit", "as expected")
    print(f"\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for question in QUESTIONS:
        found = ask(bench, question, table)
        code = found.exit_code
        right = holds(question, found, code)
        wrong += [] if right else [question.name]
        failed = ", ".join(g.name for g in found.gates if g.outcome == "FAIL") or "none failed"
        cells = [
            question.name,
            question.expected,
            *verdicts(found),
            failed,
            str(code),
            "yes" if right else "NO",
        ]
        print(f"| {' | '.join(cells)} |")
    names = [v.name for v in bench.variants]
    failing = [n for n in names if any(g.outcome == "FAIL" for g in summaries.gates(table, bench.asked, n))]
    ranked = summaries.ranking(summaries.positions(table, names), failing)
    copyist_fails = any(
        g.name == "copied" and g.outcome == "FAIL" for g in summaries.gates(table, bench.asked, "copyist")
    )
    print(f"\ncopyist fails the copying gate: {'yes' if copyist_fails else 'NO'}")
    print(f"ranking: {', '.join(f'{p.variant} {p.value:.2f}' for p in ranked)}")
    if not copyist_fails:
        wrong.append("copyist")
    if ranked[0].variant != "author":
        wrong.append("ranking")
    print(f"wrong: {', '.join(wrong) or 'none'}")
    return 1 if wrong else 0


def ask(bench: Bench, question: Question, table: Table) -> Comparison:
    """What ``stylobench compare`` says; two seeds of one recipe without the spread between seeds.

    That spread would be the very difference in question, and no A/A could ever come out wrong.
    """
    if not question.name.startswith("A/A"):
        return bench.compare(question.baseline, question.candidate, table)
    known = {variant.name: variant for variant in bench.variants}
    sides = pair([known[question.baseline]], [known[question.candidate]], by_recipe=False)
    return compare(bench.asked, sides, table)


def holds(question: Question, found: Comparison, code: int) -> bool:
    """Whether a comparison came out as its question expects."""
    outcomes = {v.metric: v.outcome for v in found.verdicts if v.primary}
    if question.name.startswith("A/A"):
        return not {"better", "WORSE"} & set(outcomes.values())
    if question.name.startswith("base"):
        return outcomes["bits_per_byte"] == "better"
    if question.name.startswith("A/B"):
        return code == 3
    return True


def verdicts(found: Comparison) -> Sequence[str]:
    """The primaries' outcomes with the gain and its interval."""
    by_metric = {v.metric: v for v in found.verdicts}
    cells = []
    for metric in METRICS:
        v = by_metric[metric]
        cells.append(f"{v.outcome} {v.difference:+.3f} [{v.interval.low:.3f}, {v.interval.high:.3f}]")
    return cells


def write_workspace(folder: Path) -> None:
    """The demo's corpus with a fourth version, and the demo's suite over five variants."""
    corpora, suites = folder / "trainers" / "corpora", folder / "tasks" / "suites"
    corpora.mkdir(parents=True, exist_ok=True)
    suites.mkdir(parents=True, exist_ok=True)
    corpus = (shipped() / "trainers" / "corpora" / "roosevelt.yaml").read_text(encoding="utf-8")
    (corpora / "roosevelt.yaml").write_text(corpus + INDEX_VERSION, encoding="utf-8")
    suite = (shipped() / "tasks" / "suites" / "demo.yaml").read_text(encoding="utf-8")
    line = f'variants: [{BASE}, {FIRST}, {EVERYTHING}, {PLAIN}, "{TWIN}", {INDEXED}]'
    lines = [line if old.startswith("variants:") else old for old in suite.splitlines()]
    (suites / "truth.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("results/truth")))
