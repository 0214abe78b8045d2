"""Nobody wins by cheating: the cheats of tests/benchmarks/gaming.py, recorded and taken all the way through.

    JSONL --register, run, score--> stored scores --> flagged? --> position, ranking --> verdicts of compare

On the small author and in seconds; the benchmark asks the same of real prose, with more answers.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from benchmarks import gaming
from small_author import NAME, PILOT, prose

from harness import reference as references
from harness import summaries
from harness.bench import Bench, open_bench, warehouse
from harness.corpora import passages_of
from harness.measures import Answer, measure
from harness.metrics.lexical import type_token_ratio
from harness.metrics.profile import distance_to_author
from harness.positions import positions, ranking
from harness.registering import TrainedOn, register_recorded
from harness.run import run
from harness.score import score
from harness.store import Run
from harness.summaries import Table
from harness.text import cut_at_sentence, words

WORDS = 140
"""Of the longer answers: below that, half of what was pasted is no longer a run of fifty."""

SUITE = f"""\
author: {NAME}
variants: [VARIANTS]
controls: [author, "other:*"]
tasks: [authorship, copying, validity, tfidf_similarity, keyword_density, type_token_ratio]
max_tokens: 400
"""
HONEST = ("author", "other:flint", "other:thorne")


@dataclass(frozen=True)
class Played:
    """The suite after everybody has answered: ``cheats`` maps what a cheat does to its variant's name."""

    bench: Bench
    table: Table
    cheats: Mapping[str, str]

    def flagged(self, name: str) -> float:
        """Share of answers that were found invalid or copied."""
        invalid, copied = (self.table.of(name, metric) for metric in ("invalid", "copied"))
        return sum(max(invalid[item], copied[item]) for item in invalid) / len(invalid)


@pytest.fixture(scope="module")
def played(small_author: Path, tmp_path_factory: pytest.TempPathFactory) -> Played:
    workspace = tmp_path_factory.mktemp("gaming") / "w"
    shutil.copytree(small_author, workspace)
    bench, cheats = recorded(workspace)
    with Run(bench.store, "run gaming") as note:
        run(bench.asked, bench.variants, note, workspace, engine="none")
    with Run(bench.store, "score gaming") as note:
        score(bench.asked, bench.variants, note)
    return Played(bench, bench.table(), cheats)


def recorded(workspace: Path) -> tuple[Bench, dict[str, str]]:
    """Every cheat registered from a file of its answers, in one suite with the honest controls."""
    reference = references.load(NAME, workspace)
    pages = {"index": [p for p in passages_of(NAME, 1, warehouse(workspace), workspace) if p.role == "index"]}
    cheats = {}
    for does, writer in gaming.writers(reference, pages, WORDS).items():
        if does == "contents pages":  # the small author's books have none
            continue
        name = does.replace(", ", "-").replace(" ", "-") + "-cheat"
        file = workspace / f"{name}.jsonl"
        rows = ({"item": p.id, "answer": writer(p, 0).text} for p in reference.prompts)
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        with Run(warehouse(workspace), f"register {name}") as note:
            register_recorded(name, file, NAME, TrainedOn("nothing"), note, workspace)
        cheats[does] = name
    (workspace / "tasks" / "suites").mkdir(parents=True)
    suite = SUITE.replace("VARIANTS", ", ".join(cheats.values()))
    (workspace / "tasks" / "suites" / "gaming.yaml").write_text(suite, encoding="utf-8")
    return open_bench("gaming", workspace), cheats


@pytest.mark.parametrize("does", gaming.MUST_BE_FLAGGED)
def test_what_is_no_answer_or_not_its_own_is_flagged(played: Played, does: str) -> None:
    assert played.flagged(played.cheats[does]) >= 0.99


@pytest.mark.parametrize("name", HONEST)
def test_honest_prose_is_not_flagged(played: Played, name: str) -> None:
    assert played.flagged(name) <= 0.01


def test_the_authors_unseen_prose_is_flagged_once_in_a_hundred_at_most(played: Played) -> None:
    """His held-out book, and new prose of his that is in no book: each passage as the answer to a prompt."""
    asked = played.bench.asked
    prompt = next(p for p in asked.prompts if p.kind == "question")
    size = asked.reference.passage_words
    written = [" ".join(prose(PILOT, size, 5000 + seed)) for seed in range(120)]
    texts = [p.text for p in asked.reference.heldout if p.digest != prompt.passage] + written
    answers = [Answer(prompt, cut_at_sentence(text, size), "stop", 0, 10**9) for text in texts]
    rows = measure(answers, asked.reference, asked.system)
    flagged = [row["invalid"].note or "copied" for row in rows if row["invalid"].value or row["copied"].value]
    assert len(texts) > 130
    assert len(flagged) <= 0.01 * len(texts), flagged


def test_no_cheat_ranks_above_the_author_nor_one_that_fails_a_gate_above_honest_prose(played: Played) -> None:
    asked, table = played.bench.asked, played.table
    names = [*played.cheats.values(), *HONEST]
    failing = {n for n in names if any(g.outcome == "FAIL" for g in summaries.gates(table, asked, n))}
    order = [p.variant for p in ranking(positions(table, names), failing)]
    assert order[0] == "author"
    assert {played.cheats[does] for does in gaming.MUST_BE_FLAGGED} <= failing
    assert set(order[len(names) - len(failing) :]) == failing


@pytest.mark.parametrize("honest", HONEST)
def test_no_cheat_is_better_than_honest_prose_on_a_primary(played: Played, honest: str) -> None:
    called = [
        (does, v.metric)
        for does, name in played.cheats.items()
        for v in played.bench.compare(honest, name, played.table).verdicts
        if v.primary and v.outcome == "better"
    ]
    assert called == []


def test_a_verdict_that_is_earned_is_given(played: Played) -> None:
    """Were nothing ever `better`, the test above would hold for nothing."""
    found = played.bench.compare("other:flint", "author", played.table).verdicts
    assert ("authorship_logit", "better") in [(v.metric, v.outcome) for v in found if v.primary]


def test_copied_answers_are_worse_and_leave_with_exit_3(played: Played) -> None:
    for does in ("pasted", "half-pasted", "half-pasted, 90 words"):
        found = played.bench.compare("other:flint", played.cheats[does], played.table)
        assert ("copied", "WORSE") in [(v.metric, v.outcome) for v in found.verdicts]
        assert found.exit_code == 3


def test_one_text_at_the_authors_mean_gains_nothing_by_it(played: Played) -> None:
    """Prompt by prompt it is closer to him than a rival's prose is, by MATTR: as a distribution it is not."""
    name, table = played.cheats["constant at the mean"], played.table
    assert len(set(table.of(name, "mattr").values())) == 1
    directions = {metric: way for task in played.bench.asked.tasks for metric, way in task.directions.items()}
    seen = {
        (honest, v.metric): v
        for honest in HONEST
        for v in played.bench.compare(honest, name, table).verdicts
        if directions[v.metric] == "toward_author" and not math.isnan(v.difference)
    }
    assert not [where for where, v in seen.items() if v.outcome in ("better", "slight gain")]
    trap = seen["other:flint", "mattr"]
    assert trap.interval.low > 0
    assert "closer prompt by prompt, not as a distribution" in trap.note


def test_a_constant_at_his_very_mean_is_further_from_him_than_he_is_from_himself(played: Played) -> None:
    """Nobody can be nearer his mean; his own train passages are nearer him."""
    metric, reference = "type_token_ratio", played.bench.asked.reference
    own = list(played.table.of("author", metric).values())
    train = [type_token_ratio(words(p.text)) for p in reference.train]
    assert distance_to_author([sum(own) / len(own)] * len(own), own, train) > 1
