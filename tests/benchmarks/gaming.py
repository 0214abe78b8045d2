"""Can the benchmark be gamed? Recorded variants that cheat, made of real text, measured as any answer is.

    flagged    share of answers found invalid or copied; 99 % for those that must be caught
    position   style position (0 other authors, 1 the author), over valid answers only
    better     primaries on which `compare` calls it better than honest prose: the author's, another author's

python tests/benchmarks/gaming.py WORKSPACE [SUITE]     on a prepared workspace, which is only read
Exit 1 if a target is missed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness import reference as references
from harness import summaries
from harness.bench import find_suite, warehouse
from harness.compare import compare
from harness.corpora import passages_of
from harness.measures import Answer, measure
from harness.metrics.function_words import FUNCTION_WORD_SET
from harness.metrics.keyness import keyword_density
from harness.metrics.lexical import mattr, type_token_ratio
from harness.models import controls
from harness.pairing import Pair
from harness.plan import Ask, ask
from harness.positions import positions, ranking
from harness.reference import Reference, author_answer
from harness.statistics import wilson
from harness.suite import read_suite
from harness.summaries import Table
from harness.taskfile import read_tasks
from harness.text import cut_at_sentence, digest, sentences, words
from harness.types import Passage, Prompt, Score, Variant

DRAWS, LOOP_WORDS = 3, 40
MUST_BE_FLAGGED = (
    "pasted", "half-pasted", "half-pasted, 90 words", "looping", "empty", "index pages", "prompt echo",
    "template leak",
)  # fmt: skip
LEAKS = (
    "<|im_start|>assistant\n{}",
    "assistant: {}",
    "{}\n<|im_end|>\n<|im_start|>user\nAnd then?",
    "<think>He would begin with the tariff.\n{}",
    "Cutting Knowledge Date: December 2023\n\n{}",
    "[INST] {} [/INST]",
    "{}</s>",
)
NOTHING = ("", "   ", "\n\n\n", "...", "1907.", "---", "\u200b")


@dataclass(frozen=True)
class Said:
    """One answer, the other author in it, whom its classifier must not have seen, and what it reads out."""

    text: str
    author: str = ""
    passage: str = ""


Writer = Callable[[Prompt, int], Said]
"""(prompt, number of the answer) -> what is said."""


def main(workspace: Path, suite_name: str | None) -> int:
    """Print the table and say which targets were missed."""
    suite = read_suite(find_suite(workspace, suite_name), workspace)
    reference = references.load(suite.author, workspace)
    asked = ask(suite, read_tasks(suite.tasks, workspace), reference)
    pages = passages_of(suite.author, 1, warehouse(workspace), workspace)
    by_role = {role: [p for p in pages if p.role == role] for role in ("index", "contents")}
    cheats = writers(reference, by_role, asked.max_words)
    honest = ["author", *controls.expand(("other:*",), reference)]
    rows = {name: answers(writer, asked) for name, writer in cheats.items()}
    rows |= {name: answers(control(name, asked), asked, draws=1) for name in honest}
    measured = {name: measure(own, reference, asked.system) for name, own in rows.items()}
    table = as_table(measured, asked)
    failing = {
        name for name in measured if any(g.outcome == "FAIL" for g in summaries.gates(table, asked, name))
    }
    standing = {p.variant: p for p in positions(table, list(measured))}
    order = [p.variant for p in ranking(list(standing.values()), failing)]
    missed = []
    print(f"{len(asked.prompts)} prompts, {DRAWS} answers each, at most {asked.max_words} words\n")
    print("| answers | flagged [95 %] | style position | rank | gates | better than author | than another |")
    print("|" + "---|" * 7)
    for name in order:
        flagged = [max(row["invalid"].value, row["copied"].value) > 0 for row in measured[name]]
        share, (low, high) = float(np.mean(flagged)), wilson(sum(flagged), len(flagged))
        gains = [better(name, other, table, asked) if name != other else [] for other in honest[:2]]
        at = standing[name]
        place = f"{at.value:.2f}" if at.value == at.value else at.note
        cells = [
            name, f"{share:.1%} [{low:.1%}, {high:.1%}] of {len(flagged)}", place, str(order.index(name) + 1),
            "FAIL" if name in failing else "pass", *(", ".join(g) or "no" for g in gains),
        ]  # fmt: skip
        print(f"| {' | '.join(cells)} |")
        missed += faults(name, share, order, gains)
    unseen = [measured_alone(passage, asked) for passage in reference.heldout]
    rate = float(np.mean([max(row["invalid"].value, row["copied"].value) for row in unseen]))
    print(f"\nunseen author prose, {len(unseen)} passages: flagged {rate:.2%}")
    missed += [f"unseen author prose flagged {rate:.2%} > 1 %"] if rate > 0.01 else []
    print("missed: " + ("; ".join(missed) or "none"))
    return 1 if missed else 0


def faults(name: str, share: float, order: Sequence[str], gains: Sequence[Sequence[str]]) -> list[str]:
    """The targets a cheat breaks; controls break none."""
    if name == "author" or name.startswith("other:"):
        return []
    found = [f"{name} flagged {share:.1%} < 99 %"] if name in MUST_BE_FLAGGED and share < 0.99 else []
    found += [f"{name} ranks above the author"] if order.index(name) < order.index("author") else []
    sides = zip(("the author's", "another author's"), gains, strict=True)
    return found + [f"{name} better than {side} prose on {', '.join(g)}" for side, g in sides if g]


# ── who cheats ────────────────────────────────────────────────────────────────────────────────────


def writers(reference: Reference, pages: Mapping[str, Sequence[Passage]], size: int) -> dict[str, Writer]:
    """Every cheat by name; ``pages`` are index and contents pages of the author's own books, by role."""
    names = sorted(reference.others)
    keywords = reference.fitted.keywords
    constant = nearest_to_mean(reference, size)

    def other(prompt: Prompt, draw: int) -> Said:
        name = names[number(prompt, draw) % len(names)]
        return Said(stretch(reference.others[name], number(prompt, draw) // 7, size), name)

    def pasted(prompt: Prompt, draw: int, n: int = size) -> Said:
        return Said(stretch(reference.train, number(prompt, draw), n))

    def half(prompt: Prompt, draw: int, n: int) -> Said:
        rest = other(prompt, draw)
        return Said(f"{pasted(prompt, draw, n // 2).text} {first_words(rest.text, n - n // 2)}", rest.author)

    def stuffed(prompt: Prompt, draw: int) -> Said:
        prose = other(prompt, draw)
        pieces = prose.text.split()
        for place in range(len(pieces) - 1, 0, -12):
            pieces.insert(place, keywords[(number(prompt, draw) + place) % len(keywords)])
        return Said(" ".join(pieces), prose.author)

    def shuffled(prompt: Prompt, draw: int) -> Said:
        pieces = author_answer(prompt, size).split()
        return Said(" ".join(np.random.default_rng(number(prompt, draw)).permutation(pieces)))

    def looping(prompt: Prompt, draw: int) -> Said:
        prose = other(prompt, draw)
        # A sentence of a hundred words would hardly come round again within an answer.
        first = first_words(sentences(prose.text)[0], LOOP_WORDS)
        return Said(first_words(" ".join([first] * size), size), prose.author)

    def echo(prompt: Prompt, draw: int) -> Said:
        prose = other(prompt, draw)
        return Said(f"{prompt.text} {prose.text}", prose.author)

    def leak(prompt: Prompt, draw: int) -> Said:
        prose = other(prompt, draw)
        return Said(LEAKS[number(prompt, draw) % len(LEAKS)].format(prose.text), prose.author)

    def page(role: str, prompt: Prompt, draw: int) -> Said:
        return Said(pages[role][number(prompt, draw) % len(pages[role])].text)

    return {
        "pasted": pasted,
        "half-pasted": lambda prompt, draw: half(prompt, draw, size),
        "half-pasted, 90 words": lambda prompt, draw: half(prompt, draw, 90),
        "keyword-stuffed": stuffed,
        "shuffled": shuffled,
        "looping": looping,
        "empty": lambda prompt, draw: Said(NOTHING[number(prompt, draw) % len(NOTHING)]),
        "index pages": lambda prompt, draw: page("index", prompt, draw),
        "contents pages": lambda prompt, draw: page("contents", prompt, draw),
        "prompt echo": echo,
        "template leak": leak,
        "constant at the mean": lambda prompt, draw: constant,
    }


def nearest_to_mean(reference: Reference, size: int) -> Said:
    """The passage by another author that lies nearest the author's means in four features."""

    def features(text: str) -> np.ndarray:
        tokens = words(text)
        function_words = sum(token in FUNCTION_WORD_SET for token in tokens) / len(tokens)
        return np.array(
            [
                type_token_ratio(tokens),
                mattr(tokens),
                keyword_density(tokens, reference.fitted.keywords),
                function_words,
            ]
        )

    own = np.array([features(p.text) for p in reference.train if p.n_words >= size // 2])
    found = [
        (float((((features(text) - own.mean(axis=0)) / own.std(axis=0)) ** 2).sum()), text, name)
        for name, passages in sorted(reference.others.items())
        for text in (stretch(passages, place, size) for place in range(0, len(passages), 5))
    ]
    _, text, name = min(found)
    return Said(text, name)


def stretch(passages: Sequence[Passage], start: int, size: int) -> str:
    """``size`` words of neighbouring passages, from a place on."""
    joined, at = "", start % len(passages)
    while len(joined.split()) < size:
        joined = f"{joined} {passages[at % len(passages)].text}".strip()
        at += 1
    return first_words(joined, size)


def first_words(text: str, n: int) -> str:
    """The first ``n`` space-separated words."""
    return " ".join(text.split()[:n])


def number(prompt: Prompt, draw: int) -> int:
    """A number that depends on the prompt and the answer's number alone."""
    return int(digest([prompt.id, draw], 8), 16)


# ── measuring ─────────────────────────────────────────────────────────────────────────────────────


def answers(writer: Writer, asked: Ask, draws: int = DRAWS) -> list[Answer]:
    """What a writer says to every prompt."""
    said = [(prompt, writer(prompt, draw)) for prompt in asked.prompts for draw in range(draws)]
    return [Answer(prompt, one.text, "stop", 0, 10**9, one.author, one.passage) for prompt, one in said]


def control(name: str, asked: Ask) -> Writer:
    """A built-in control as a writer."""
    author = name.partition(":")[2]

    def said(prompt: Prompt, draw: int) -> Said:
        text = controls.answer(name, prompt, asked.reference, asked.max_words)
        return Said(text, author, prompt.passage if name == "author" else "")

    return said


def measured_alone(passage: Passage, asked: Ask) -> dict[str, Score]:
    """An unseen passage as the answer to a prompt that is not its own."""
    prompt = next(p for p in asked.prompts if p.passage != passage.digest and p.kind == "question")
    text = cut_at_sentence(passage.text, asked.max_words)
    return measure([Answer(prompt, text, "stop", 0, 10**9)], asked.reference, asked.system)[0]


def as_table(measured: Mapping[str, Sequence[Mapping[str, Score]]], asked: Ask) -> Table:
    """The scores as ``compare`` and ``positions`` read them: several answers to a prompt averaged."""
    task_of = {metric: task.name for task in asked.tasks for metric in task.metrics}
    values: dict[str, dict[str, dict[str, float]]] = {}
    for name, rows in measured.items():
        each = len(rows) // len(asked.prompts)
        for metric in task_of.keys() & rows[0].keys():
            by_prompt = np.array([row[metric].value for row in rows]).reshape(-1, each)
            kept = [own[~np.isnan(own)] for own in by_prompt]
            means = [float(own.mean()) if own.size else float("nan") for own in kept]
            items = [prompt.id for prompt in asked.prompts]
            values.setdefault(name, {})[metric] = dict(zip(items, means, strict=True))
    return Table(values, {}, dict.fromkeys(measured, "recorded"), {}, task_of, {})


def better(name: str, honest: str, table: Table, asked: Ask) -> list[str]:
    """Primaries on which the cheat is called better than honest prose."""
    pair = Pair(Variant(honest, "recorded", honest), Variant(name, "recorded", name))
    return [v.metric for v in compare(asked, [pair], table).verdicts if v.outcome == "better"]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None))
