"""A suite opened on a workspace: what comes along, what is chosen, and what is told when one is missing."""

from __future__ import annotations

import math
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from scripted_bench import CONTROLS, ONE, SHOWN, compute, copy_workspace, finished_workspace, paste_author
from small_author import NAME

from harness import across
from harness import reference as references
from harness.bench import find_suite, open_bench, warehouse, what_it_saw
from harness.cli.compare import next_command
from harness.corpusfile import read_author
from harness.errors import EXIT_INCOMPLETE, ConfigurationError, MissingPrerequisiteError, YamlError
from harness.models.scripted import ScriptedModel
from harness.plan import void_likelihoods
from harness.prepare import prepare
from harness.reference import Reference
from harness.results import open_results
from harness.score import score
from harness.store import Run, Store
from harness.types import Variant
from harness.variants import as_row, registered


@pytest.fixture(scope="module")
def workspace(small_author: Path, tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished_workspace(small_author, tmp_path_factory.mktemp("bench") / "w", tiny_llama)


def names(bench: object) -> list[str]:
    return [variant.name for variant in bench.variants]  # type: ignore[attr-defined]


def test_variants_first_then_controls(workspace: Path) -> None:
    bench = open_bench("small", workspace)
    assert names(bench) == ["tiny", "small@1", "small@2", SHOWN, *CONTROLS]
    assert (len(bench.asked.prompts), bench.asked.limited) == (20, "")
    assert bench.asked.system == "You write as Ellis Marlow, pilot of the estuary."


def test_the_base_comes_along_with_its_adapter(workspace: Path) -> None:
    assert names(open_bench("small", workspace, variants=["small@2"]))[:2] == ["tiny", "small@2"]
    assert names(open_bench("small", workspace, variants=["tiny"]))[:3] == ["tiny", SHOWN, "author"]
    assert names(open_bench("small", workspace, variants=["marlow@1", "small@1"]))[:4] == [
        "tiny",
        "small@1",
        SHOWN,
        "author",
    ]


def test_the_base_with_examples_is_asked_for_by_control_or_by_name(workspace: Path) -> None:
    alone = ["tiny", SHOWN, *CONTROLS]
    assert names(open_bench("small", workspace, variants=[SHOWN])) == alone
    assert names(open_bench("small", workspace, variants=["tiny", SHOWN])) == alone
    with pytest.raises(ConfigurationError, match=r"variant 'tinny\+few-shot' does not exist"):
        open_bench("small", workspace, variants=["tiny", "tinny+few-shot"])
    for name in ("small@1+few-shot", f"{SHOWN}+few-shot"):
        with pytest.raises(ConfigurationError, match=f"variant '{re.escape(name)}' does not exist"):
            open_bench("small", workspace, variants=[SHOWN, "small@1", name])
    assert not [v for v in registered(warehouse(workspace)) if v.endswith("few-shot")]
    path = workspace / "tasks" / "suites" / "bare.yaml"
    path.write_text("author: marlow\nvariants: [small@2]\ncontrols: [author]\ntasks: [copying]\n")
    assert names(open_bench("bare", workspace)) == ["tiny", "small@2", "author"]
    assert names(open_bench("bare", workspace, variants=[SHOWN])) == ["tiny", SHOWN, "author"]
    path.unlink()


def test_the_base_with_examples_changes_nothing_for_those_who_do_not_name_it(workspace: Path) -> None:
    bench = open_bench("small", workspace)
    without = replace(bench, variants=tuple(v for v in bench.variants if v.name != SHOWN))
    assert len(without.variants) == len(bench.variants) - 1
    table, other = bench.table(), without.table()
    assert len(table.of("small@2", "author_specific_gain")) == 16  # taken against the bare base
    for side in ("tiny", "small@1"):
        with_it, without_it = bench.compare(side, "small@2", table), without.compare(side, "small@2", other)
        assert repr(with_it) == repr(without_it)


def test_the_base_with_examples_compares_by_name(workspace: Path) -> None:
    bench = open_bench("small", workspace)
    assert bench.table().of(SHOWN, "author_specific_gain") == bench.table().of(SHOWN, "bits_per_byte") == {}
    comparison = bench.compare(SHOWN, "small@2")
    assert [(p.baseline.name, p.candidate.name) for p in comparison.pairs] == [(SHOWN, "small@2")]
    verdicts = {v.metric: v for v in comparison.verdicts}
    assert (verdicts["copied"].n, verdicts["copied"].outcome) == (20, "inconclusive")
    none = f"{SHOWN} has no bits_per_byte: its likelihoods would be the base's"
    assert verdicts["bits_per_byte"].note == none
    assert not any(v.curable for v in comparison.verdicts)
    said = next_command(bench, comparison, SHOWN, "small@2")
    assert not said.startswith("stylobench run")  # which would find everything there
    assert comparison.sentence.endswith(
        f"Only answers are compared: likelihoods of {SHOWN} would be the base's. "
        f"What differs: two examples shown to {SHOWN}."
    )
    assert comparison.exit_code == EXIT_INCOMPLETE
    bare = bench.compare("tiny", "small@2")
    assert "Only answers" not in bare.sentence
    assert "examples" not in bare.sentence


def test_a_limit_marks_the_bench(workspace: Path) -> None:
    bench = open_bench("small", workspace, limit=4)
    assert (len(bench.asked.prompts), bench.asked.limited) == (4, "only 4 prompts and documents")


def test_the_table_holds_every_variant(workspace: Path) -> None:
    table = open_bench("small", workspace).table()
    assert set(table.values) == {"tiny", "small@1", "small@2", SHOWN, *CONTROLS}
    assert table.engines == {
        "tiny": "scripted",
        "small@1": "scripted",
        "small@2": "scripted",
        SHOWN: "scripted",
    } | dict.fromkeys(CONTROLS, "control")
    assert len(table.of("small@1", "authorship_logit")) == 20
    assert len(table.of("small@1", "question_reciprocal_rank")) == 10
    assert table.of("author", "bits_per_byte") == {}


def test_compare_by_name_and_by_corpus_is_the_same_pair(workspace: Path) -> None:
    bench = open_bench("small", workspace)
    by_corpus, by_name = bench.compare("marlow@1", "marlow@2"), bench.compare("small@1", "small@2")
    assert [(p.baseline.name, p.candidate.name) for p in by_corpus.pairs] == [("small@1", "small@2")]
    assert by_corpus.verdicts == by_name.verdicts
    bits = next(v for v in bench.compare("tiny", "small@2").verdicts if v.metric == "bits_per_byte")
    assert (bits.outcome, bits.n, bits.unit) == ("better", 16, "blocks")
    assert bits.difference == pytest.approx(0.2 / math.log(2))


def test_other_authors_cannot_be_taken_for_a_corpus(workspace: Path) -> None:
    bench = open_bench("small", workspace)
    with pytest.raises(ConfigurationError, match=r"'marlow@3' is neither a variant nor a corpus"):
        bench.compare("marlow@1", "marlow@3")
    with pytest.raises(ConfigurationError, match=r"'smal@1' .*did you mean 'small@1'"):
        bench.compare("smal@1", "small@2")


@pytest.mark.parametrize(
    ("suite", "problem"),
    [
        ("variants: [smal@1]", r"variant 'smal@1' does not exist, did you mean 'small@1'"),
        ("tasks: [copyng]", r"task 'copyng' does not exist, did you mean 'copying'"),
        ("controls: [autor]", r"control 'autor' does not exist, did you mean 'author'"),
    ],
)
def test_names_that_do_not_exist(workspace: Path, suite: str, problem: str) -> None:
    lines = {"author": "author: marlow", "tasks": "tasks: [copying]"} | {suite.partition(":")[0]: suite}
    path = workspace / "tasks" / "suites" / "wrong.yaml"
    path.write_text("\n".join(lines.values()))
    with pytest.raises(ConfigurationError, match=problem):
        open_bench("wrong", workspace)
    path.unlink()


def test_what_was_never_made(small_author: Path, workspace: Path, tmp_path: Path) -> None:
    path = workspace / "tasks" / "suites" / "wrong.yaml"
    path.write_text("author: marlowe\ntasks: [copying]\n")
    with pytest.raises(MissingPrerequisiteError, match=r"no reference set 'marlowe', did you mean 'marlow'"):
        open_bench("wrong", workspace)
    path.unlink()
    bare = copy_workspace(small_author, tmp_path / "w")
    (bare / "tasks" / "suites").mkdir(parents=True)
    (bare / "tasks" / "suites" / "small.yaml").write_text("author: marlow\ntasks: [copying]\n")
    with pytest.raises(MissingPrerequisiteError, match="no variant is registered yet"):
        open_bench("small", bare)


def test_the_suite_is_found_where_there_is_one_for_the_author(workspace: Path) -> None:
    # The shelf that ships with the package has one for another author.
    assert find_suite(workspace, None, "marlow") == "small"
    assert find_suite(workspace, "anything") == "anything"
    with pytest.raises(
        ConfigurationError, match="several suites for this workspace: name one of demo, small"
    ):
        find_suite(workspace, None)
    with pytest.raises(ConfigurationError, match="no suite for flint"):
        find_suite(workspace, None, "flint")


def test_a_broken_suite_is_not_skipped(workspace: Path) -> None:
    path = workspace / "tasks" / "suites" / "zwrong.yaml"
    path.write_text("autor: marlow\ntasks: [copying]\n")
    with pytest.raises(YamlError, match=r"zwrong\.yaml:1:1  autor: unknown key, did you mean 'author'"):
        find_suite(workspace, None, "marlow")
    path.unlink()


def test_as_of_reads_what_there_was(workspace: Path) -> None:
    runs = warehouse(workspace).read("runs").query("status == 'done'").set_index("command")["run"]
    earlier = open_bench("small", workspace, as_of=runs["train small@1"])
    assert earlier.table().values == {}
    assert repr(open_bench("small", workspace, as_of=runs["score small"]).table()) == repr(
        open_bench("small", workspace).table()
    )


def scripted_at(nats: float, reference: Reference) -> ScriptedModel:
    """A model that finds every byte so unlikely."""
    return ScriptedModel(paste_author(reference), lambda text, adapter: -len(text.encode()) * nats)


def test_the_bar_between_seeds_is_one_however_the_comparison_is_asked_for(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second seed of one side is registered and scored, and no suite or command names it."""
    shutil.copytree(workspace, tmp_path / "w")
    copy = tmp_path / "w"
    suites = copy / "tasks" / "suites"
    text = (suites / "small.yaml").read_text()
    (suites / "small.yaml").write_text(text.replace(f"{NAME}@1, {NAME}@2", "small@1, small@2"))
    assert open_bench("small", copy).compare("small@1", "small@2").verdicts
    sibling = replace(
        ONE,
        name="small@1+seed2",
        digest="digest of seed 2",
        adapter="adapters/seed2",
        record={**ONE.record, "seed": 2},
    )
    with Run(warehouse(copy), "train") as note:
        note.append("variants", [as_row(sibling)])
    bench = open_bench("small", copy, variants=["small@1+seed2"])
    compute(bench.asked, [sibling], copy, scripted_at(1.2, bench.asked.reference))
    with Run(warehouse(copy), "score") as note:
        score(bench.asked, [sibling], note)
    whole, named = open_bench("small", copy), open_bench("small", copy, variants=["small@1", "small@2"])
    pairs = whole.compare("small@1", "small@2").pairs
    spreads = [b.spreads(pairs, b.table()) for b in (whole, named)]
    assert "small@1+seed2" not in names(whole)
    assert spreads[0] == spreads[1]
    assert spreads[0]["bits_per_byte"] > 0.1
    assert open_results(copy).compare("small@1", "small@2", "small").verdicts == (
        named.compare("small@1", "small@2").verdicts
    )
    # Over two suites the bar is the same.
    passed: list[dict[str, float]] = []

    def kept(asked: object, pairs: object, table: object, spreads: dict[str, float]) -> None:
        passed.append(spreads)

    monkeypatch.setattr(across, "compare", kept)
    across.compare_across(named, named, "small@1", "small@2")
    assert passed == [spreads[0]]
    # Two seeds of another recipe lie further apart, and are nobody's here: naming them moves nothing.
    settings = {**ONE.record.get("settings", {}), "learning_rate": 0.009}
    loud = [
        replace(
            ONE,
            name=f"loud@1+seed{seed}",
            digest=f"digest of loud {seed}",
            adapter=f"adapters/loud{seed}",
            record={**ONE.record, "settings": settings, "seed": seed},
        )
        for seed in (1, 2)
    ]
    with Run(warehouse(copy), "train") as note:
        note.append("variants", [as_row(v) for v in loud])
    for variant, nats in zip(loud, (1.0, 1.6), strict=True):
        likely = scripted_at(nats, bench.asked.reference)
        compute(bench.asked, [variant], copy, likely)
        with Run(warehouse(copy), "score") as note:
            score(bench.asked, [variant], note)
    more = open_bench("small", copy, variants=["small@1", "small@2", *(v.name for v in loud)])
    assert more.spreads(pairs, more.table()) == spreads[0]
    other = more.compare("loud@1+seed1", "loud@1+seed2").pairs
    assert more.spreads(other, more.table())["bits_per_byte"] > spreads[0]["bits_per_byte"]


def test_an_adapter_of_another_corpus_that_holds_the_held_out_text_has_no_likelihoods(
    small_author: Path, tmp_path: Path
) -> None:
    workspace = copy_workspace(small_author, tmp_path / "copy")
    corpora = workspace / "trainers" / "corpora"
    text = (corpora / f"{NAME}.yaml").read_text()
    (corpora / "again.yaml").write_text(text.replace("hold_out: harbours.txt", "hold_out: tides.txt"))
    store = Store(workspace / "results" / "warehouse")
    with Run(store, "prepare again") as run:
        prepare("again", read_author("again", workspace), workspace, run)
    reference = references.load(NAME, workspace)
    own = Variant("own@2", "adapter", "a", base="b", corpus=NAME, version=2, trained_on=f"{NAME}@2")
    other = Variant("other@2", "adapter", "c", base="b", corpus="again", version=2, trained_on="again@2")
    assert what_it_saw(own, reference, store, workspace) == own
    seen = what_it_saw(other, reference, store, workspace)
    assert seen.trained_on == "all"
    assert void_likelihoods(seen)
    # Its own set, moved away and cut anew with another book held out, is another set of the same name.
    anew = replace(references.load("again", workspace), name=NAME)
    assert what_it_saw(own, anew, store, workspace).trained_on == "all"
    # Refitted, the set has another digest, and holds out what it did.
    assert what_it_saw(own, replace(reference, digest="0" * 16), store, workspace) == own
