"""Recipes become variants: matrix, reuse, training on, plans and refusals, on a random two-layer Llama."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from scripted_bench import copy_workspace

from harness import reference as references
from harness.bench import warehouse, what_it_saw
from harness.cli import invoke
from harness.errors import ConfigurationError
from harness.forecast import forecast, machine
from harness.models.bases import Base, resolve_base
from harness.orders import orders
from harness.pairing import families
from harness.store import Run
from harness.train import Material, first_examples, is_finished, is_news, specify, split_as_finished
from harness.training.reading import begin_from
from harness.types import Passage, Variant
from harness.variants import adapter_digest, as_row, check_adapter, match, registered

RECIPE = """\
base: tiny
corpus: marlow@2
lora: {r: 4}
steps: 2
batch: 4
seq_len: 400
lr: 0.01
warmup_steps: 0
dtype: float32
seeds: [1]
"""


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


class Shell:
    """``stylobench -C W train NAME ...`` in this process."""

    def __init__(self, workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.workspace, self._capsys = workspace, capsys

    def __call__(self, *arguments: str) -> Said:
        self._capsys.readouterr()
        code = invoke(["-C", str(self.workspace), *arguments])
        said = self._capsys.readouterr()
        return Said(code, said.out, said.err)

    def recipe(self, name: str, text: str) -> None:
        path = self.workspace / "trainers" / "recipes" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def known(self) -> dict[str, Variant]:
        return registered(warehouse(self.workspace))


@pytest.fixture(scope="module")
def trained(small_author: Path, tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``first@1`` and the two seeds of ``sweep@2+r4``; copy it before writing."""
    workspace = copy_workspace(small_author, tmp_path_factory.mktemp("train") / "w", tiny_llama)
    recipes = workspace / "trainers" / "recipes"
    recipes.mkdir(parents=True, exist_ok=True)
    (recipes / "first.yaml").write_text(RECIPE.replace("marlow@2", "marlow@1"))
    matrix = "matrix: {lora.r: [4], seeds: [1, 2], max_examples: [12]}\nnote: a sweep\n"
    (recipes / "sweep.yaml").write_text(RECIPE + matrix)
    assert invoke(["-C", str(workspace), "train", "first"]) == 0
    assert invoke(["-C", str(workspace), "train", "sweep"]) == 0
    return workspace


@pytest.fixture
def own(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    shutil.copytree(trained, tmp_path / "w")
    return Shell(tmp_path / "w", capsys)


SWEPT = ("sweep@2+r4+12examples+seed1", "sweep@2+r4+12examples+seed2")


def test_a_matrix_is_trained_one_by_one_and_reused(own: Shell) -> None:
    assert list(own.known()) == ["tiny", "first@1", *SWEPT]
    for name in SWEPT:
        record = own.known()[name].record
        assert (record["train_examples"], record["note"], record["limited"]) == (12, "a sweep", "")
        assert record["settings"]["lora"]["alpha"] == 4
        assert record["settings"]["max_examples"] == 12
        assert "matrix" not in record["settings"]
    before = warehouse(own.workspace).versions()
    again = own("train", "sweep")
    assert again.code == 0
    assert [line.split(":")[0] for line in again.out.splitlines()] == [f"{n}  reused" for n in SWEPT]
    assert warehouse(own.workspace).versions() == before


def test_one_seed_of_a_matrix_has_the_name_it_has_among_the_others(own: Shell) -> None:
    chosen = orders("sweep", own.workspace, warehouse(own.workspace), seed=2)
    assert [order.name for order in chosen] == [SWEPT[1]]
    assert is_finished(specify(chosen[0], warehouse(own.workspace), own.workspace))


def test_siblings_by_seed_are_one_family(own: Shell) -> None:
    found = families(list(own.known().values()))
    assert [(family.name, len(family.variants), family.seeds) for family in found] == [
        ("tiny", 1, ()),
        ("first@1", 1, (1,)),
        ("sweep@2+r4+12examples", 2, (1, 2)),
    ]


def test_however_a_step_is_cut_a_finished_run_is_found(own: Shell) -> None:
    store = warehouse(own.workspace)
    (order,) = orders("first", own.workspace, store)
    spec = specify(order, store, own.workspace)
    cut = replace(spec, batch=1, accumulation=4)
    assert is_finished(spec)
    assert not is_finished(cut)
    assert split_as_finished(cut) == spec
    other = replace(cut, lr=0.5)
    assert split_as_finished(other) == other


def test_a_milestone_is_a_variant_of_its_own_and_is_what_fewer_steps_give(own: Shell) -> None:
    own.recipe("long", RECIPE.replace("steps: 2", "steps: 3") + "schedule: constant\nmilestones: [1, 2]\n")
    said = own("train", "long")
    assert said.code == 0
    assert said.out.splitlines()[1:] == ["long@2+step1, long@2+step2  kept on the way"]
    known = own.known()
    whole, second = known["long@2"], known["long@2+step2"]
    assert len({known[name].digest for name in ("long@2", "long@2+step1", "long@2+step2")}) == 3
    assert (second.corpus, second.version, second.trained_on) == ("marlow", 2, "marlow@2")
    assert (second.record["settings"]["steps"], second.record["milestone_of"]) == (2, "long@2")
    assert "final_loss" not in second.record
    check_adapter(second, resolve_base("tiny", own.workspace), own.workspace)
    own.recipe("short", RECIPE + "schedule: constant\n")
    assert own("train", "short").code == 0
    assert own.known()["short@2"].digest == second.digest
    # Neither a corpus nor its seeds mean what lies on the way to another variant.
    assert [v.name for v in match("marlow@2", {"long@2": whole, second.name: second})] == ["long@2"]
    assert own("train", "long").out.startswith("long@2  reused")
    # A run of so many steps is another training, no sibling; the same milestone of another seed is one.
    seeded = replace(second, name="long@2+seed2+step2", record=second.record | {"seed": 2})
    assert len(families([second, own.known()["short@2"]])) == 2
    assert len(families([second, seeded])) == 1
    assert second.record["train_examples"] == whole.record["train_examples"]


def test_a_milestone_added_later_leaves_the_others_where_they_are_registered(own: Shell) -> None:
    text = RECIPE.replace("steps: 2", "steps: 4")
    own.recipe("long", text + "milestones: [1]\n")
    assert own("train", "long").code == 0
    before = own.known()
    own.recipe("long", text + "milestones: [1, 3]\n")
    plan = own("train", "long", "--plan").out
    assert plan.splitlines()[-1] == "long@2 is to be trained again: milestone 3 was not kept"
    assert own("train", "long").out.startswith("long@2  trained")
    after = own.known()
    base = resolve_base("tiny", own.workspace)
    for name in ("long@2+step1", "long@2+step3"):
        check_adapter(after[name], base, own.workspace)
    assert after["long@2+step1"] == before["long@2+step1"]
    for fewer in ("milestones: [3]\n", ""):
        own.recipe("long", text + fewer)
        assert own("train", "long").out.startswith("long@2  reused")
    check_adapter(own.known()["long@2+step1"], base, own.workspace)


def test_an_adapter_in_another_place_is_news(own: Shell) -> None:
    known = own.known()
    first = known["first@1"]
    assert not is_news(first, known)
    assert is_news(replace(first, adapter="results/elsewhere"), known)
    assert is_news(replace(first, digest="other"), known)


@pytest.mark.parametrize("length", ["steps", "epochs"])
def test_milestones_at_the_end_and_beyond_it_are_none_and_that_is_said(own: Shell, length: str) -> None:
    text = RECIPE.replace("steps: 2", "epochs: 1" if length == "epochs" else "steps: 9")
    own.recipe("x", text)
    store = warehouse(own.workspace)
    options = () if length == "epochs" else ("--steps", "3")
    (order,) = orders("x", own.workspace, store, steps=None if length == "epochs" else 3)
    spec = specify(order, store, own.workspace)
    end = forecast(order, spec, machine(order, own.workspace)).time.steps
    late = f"[1, {end}, {end + 1}]"
    own.recipe("x", text + f"milestones: {late}\n")
    said = own("train", "x", "--plan", *options).out.splitlines()
    assert f"milestone {end} is the last step of {order.name}, and no variant besides" in said
    assert f"milestone {end + 1} is not kept: {order.name} ends after {end} steps" in said
    trained = own("train", "x", *options)
    assert trained.code == 0, trained.err
    assert f"milestone {end + 1} is not kept" in trained.err
    assert [name for name in own.known() if "+step" in name] == [f"{order.name}+step1"]
    assert own("train", "x", *options).out.startswith(f"{order.name}  reused")


def test_a_milestone_whose_name_is_taken_is_refused_before_training(own: Shell) -> None:
    foreign = replace(own.known()["first@1"], name="x@2+step1", record={"registered": "adapter"})
    with Run(warehouse(own.workspace), "register") as run:
        run.append("variants", [as_row(foreign)])
    own.recipe("x", RECIPE + "milestones: [1]\n")
    refused(own, "x", 2, "milestone 1 of x@2 would be called x@2+step1, which is registered already")
    assert own.known()["x@2+step1"] == foreign


def test_milestones_are_benchmarked_with_the_run_they_lie_in(
    own: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr("harness.cli.run.run_suite", lambda where, suite, names, limit: asked.append(names))
    monkeypatch.setattr("harness.cli.score.score_suite", lambda where, suite, names, limit: None)
    suite = own.workspace / "tasks" / "suites" / "only.yaml"
    suite.parent.mkdir(parents=True, exist_ok=True)
    suite.write_text("author: marlow\ntasks: [heldout_perplexity]\nlikelihood: {documents: 16}\n")
    own.recipe("x", RECIPE + "milestones: [1]\n")
    plan = own("train", "x", "--plan", "--then-run")
    assert "(CPU) each, 2 new variants" in plan.out, plan.err
    assert own("train", "x", "--then-run").code == 0
    assert asked == [["x@2", "x@2+step1"]]


# ── training on ───────────────────────────────────────────────────────────────────────────────────


def test_training_on_keeps_the_lineage_and_covers_both_corpora(own: Shell) -> None:
    own.recipe("second", RECIPE + "continue_from: first@1\n")
    said = own("train", "second")
    assert said.code == 0, said.err
    earlier, later = own.known()["first@1"], own.known()["second@2"]
    assert later.trained_on == "marlow@1, marlow@2"
    assert later.record["settings"]["continue_from"] == "first@1"
    (step,) = later.record["lineage"]
    assert (step["variant"], step["digest"]) == ("first@1", earlier.digest)
    before = json.loads((own.workspace / "results" / "adapters" / "first@1" / "record.json").read_text())
    after = later.record
    assert after["validation_loss"]["after"] < before["validation_loss"]["after"]
    own.recipe("third", RECIPE + "continue_from: second@2\n")
    store = warehouse(own.workspace)
    (order,) = orders("third", own.workspace, store)
    fresh = specify(order, store, own.workspace)
    assert fresh.digest() != replace(fresh, continue_from="").digest()
    assert order.earlier is not None
    assert order.earlier.record["lineage"] == [step]


def test_who_went_on_from_an_adapter_that_saw_everything_saw_everything(own: Shell) -> None:
    store = warehouse(own.workspace)
    frame = store.read("variants", name="first@1")
    store.append("variants", frame.assign(trained_on="all", run="z").to_dict("records"))
    own.recipe("second", RECIPE + "continue_from: first@1\n")
    assert own("train", "second").code == 0
    assert own.known()["second@2"].trained_on == "all"


def test_the_corpora_of_earlier_adapters_are_searched_for_held_out_text(own: Shell) -> None:
    store, reference = warehouse(own.workspace), references.load("marlow", own.workspace)
    foreign = replace(reference, name="other", heldout=reference.train[:2])
    plain = replace(own.known()["first@1"], corpus="", version=0)
    lineage = [{"variant": "x", "digest": "", "corpus": "marlow", "version": 1, "trained_on": "marlow@1"}]
    heir = replace(plain, record=plain.record | {"lineage": lineage})
    assert what_it_saw(plain, foreign, store, own.workspace).trained_on != "all"
    assert what_it_saw(heir, foreign, store, own.workspace).trained_on == "all"
    assert what_it_saw(heir, reference, store, own.workspace).trained_on == heir.trained_on


@pytest.mark.parametrize(
    ("more", "code", "fault"),
    [
        (
            "continue_from: fist@1\n",
            2,
            "x.yaml:11:1  continue_from: variant 'fist@1' does not exist, did you me",
        ),
        (
            "continue_from: tiny\n",
            2,
            "x.yaml:11:1  continue_from: tiny is base, and only an adapter can be co",
        ),
    ],
)
def test_an_adapter_that_cannot_be_continued(own: Shell, more: str, code: int, fault: str) -> None:
    own.recipe("x", RECIPE + more)
    refused(own, "x", code, fault)


def test_an_adapter_of_another_rank_or_changed_since_cannot_be_continued(own: Shell) -> None:
    own.recipe("x", RECIPE.replace("r: 4", "r: 8") + "continue_from: first@1\n")
    refused(own, "x", 2, "x.yaml:11:1  continue_from: first@1 keeps its rank; write lora: {r: 4, alpha: 4}")
    own.recipe("x", RECIPE + "continue_from: first@1\n")
    adapters = own.workspace / "results" / "adapters"
    weights = "adapter/adapter_model.safetensors"
    shutil.copyfile(adapters / SWEPT[0] / weights, adapters / "first@1" / weights)
    refused(own, "x", 5, "variant first@1: results/adapters/first@1/adapter or its base tiny is not what was")


@pytest.mark.parametrize(
    ("key", "value"),
    [("use_rslora", True), ("use_dora", True), ("alpha_pattern", {"q_proj": 8}), ("rank_pattern", {"v": 8})],
)
def test_an_adapter_scaled_otherwise_cannot_be_continued(own: Shell, key: str, value: object) -> None:
    """Its weights would be taken with the recipe's scale, and mean something else."""
    folder = own.workspace / "results" / "elsewhere"
    shutil.copytree(own.workspace / "results" / "adapters" / "first@1" / "adapter", folder)
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(config | {key: value}))
    registered_there = own(
        "register", "theirs", "--adapter", str(folder), "--base", "tiny", "--trained-on", "unknown"
    )
    assert registered_there.code == 0, registered_there.err
    own.recipe("x", RECIPE + "continue_from: theirs\n")
    refused(own, "x", 2, f"x.yaml:11:1  continue_from: theirs was trained with {key}, which no recipe can go")
    store = warehouse(own.workspace)
    own.recipe("x", RECIPE)
    (order,) = orders("x", own.workspace, store)
    spec = replace(specify(order, store, own.workspace), continue_from=str(folder))
    with pytest.raises(ConfigurationError, match=f"it was trained with {key}"):
        begin_from(None, spec)


def test_a_variant_cannot_be_trained_over_itself(own: Shell) -> None:
    own.recipe("first", RECIPE.replace("marlow@2", "marlow@1") + "continue_from: first@1\n")
    refused(own, "first", 2, "first.yaml:11:1  continue_from: first@1 would overwrite first@1, which it goes")
    check_adapter(own.known()["first@1"], resolve_base("tiny", own.workspace), own.workspace)


def test_a_variant_cannot_be_trained_over_the_one_it_goes_on_from_by_another_name(own: Shell) -> None:
    adapter = own.workspace / "results" / "adapters" / "x@2" / "adapter"
    shutil.copytree(own.workspace / "results" / "adapters" / SWEPT[0] / "adapter", adapter)
    store = warehouse(own.workspace)
    frame = store.read("variants", name=SWEPT[0]).assign(name="old", run="z")
    store.append("variants", frame.assign(adapter="results/adapters/x@2/adapter").to_dict("records"))
    own.recipe("x", RECIPE + "continue_from: old\n")
    refused(own, "x", 2, "x.yaml:11:1  continue_from: x@2 would overwrite old, which it goes on from; rename")


def test_what_an_ancestor_is_said_to_have_seen_later_reaches_its_heirs(own: Shell) -> None:
    own.recipe("second", RECIPE + "continue_from: first@1\n")
    assert own("train", "second").code == 0
    store = warehouse(own.workspace)
    frame = store.read("variants", name="first@1")
    store.append("variants", frame.assign(trained_on="all", run="z").to_dict("records"))
    again = own("train", "second")
    assert (again.code, "reused" in again.out) == (0, True), again.err
    heir = own.known()["second@2"]
    assert heir.trained_on == "all"
    assert heir.record["lineage"][0]["trained_on"] == "all"
    before = warehouse(own.workspace).versions()
    assert own("train", "second").code == 0
    assert warehouse(own.workspace).versions() == before


# ── refusals ──────────────────────────────────────────────────────────────────────────────────────


def refused(shell: Shell, name: str, code: int, fault: str, *options: str) -> None:
    """One line, the exit code, and nothing registered or written."""
    before = shell.known()
    adapters = sorted((shell.workspace / "results" / "adapters").iterdir())
    said = shell("train", name, *options)
    assert said.err.startswith(fault), said.err
    assert (said.code, said.out, said.err.count("\n")) == (code, "", 1)
    assert shell.known() == before
    assert sorted((shell.workspace / "results" / "adapters").iterdir()) == adapters


def test_bad_input_is_one_line_and_registers_nothing(own: Shell) -> None:
    for text, code, fault in (
        (RECIPE + "lern: 1\n", 2, "x.yaml:11:1  lern: unknown key"),
        (RECIPE.replace("r: 4", "r: 0"), 2, "x.yaml:3:8  lora.r: input should be greater than or equal to 1"),
        (RECIPE + "load_in_4bit: true\n", 5, "a 4-bit base needs a CUDA device; set load_in_4bit: false"),
        (RECIPE + "max_examples: 9999\n", 2, "max_examples 9,999: marlow@2 has "),
        (RECIPE + "keep: last\nmax_copied: 0.1\n", 2, "x.yaml:1:1  max_copied is a ceiling for keep"),
        (RECIPE.replace("@2", "@9"), 2, "corpus: marlow@9 does not exist"),
        (RECIPE + "template: {file: nowhere}\n", 2, "template 'nowhere' is not in trainers/templates"),
    ):
        own.recipe("x", text)
        refused(own, "x", code, fault)
    own.recipe("x", RECIPE)
    refused(own, "x", 5, "there is no device 3; have the CPU", "--device", "3")


def test_a_base_without_a_template_is_refused_unless_it_is_given_one(own: Shell, tiny_llama: Path) -> None:
    bare = own.workspace / "results" / "bases" / "bare"
    shutil.copytree(tiny_llama, bare)
    template = (bare / "chat_template.jinja").read_text()
    (bare / "chat_template.jinja").unlink()
    own.recipe("x", RECIPE.replace("base: tiny", "base: bare"))
    refused(
        own, "x", 2, "x.yaml: base bare has no chat template; name an instruct model, or give it one with"
    )
    own.recipe("x", RECIPE.replace("base: tiny", "base: bare") + "template: {file: own.jinja}\n")
    (own.workspace / "own.jinja").write_text(template)
    said = own("train", "x")
    assert said.code == 0, said.err
    found = own.known()["x@2"]
    assert found.record["template"] == {"source": template}
    base = resolve_base("bare", own.workspace)
    check_adapter(found, base, own.workspace)
    assert found.digest != adapter_digest(base, found.record["adapter_digest"])


def test_a_base_is_fetched_only_where_that_was_asked(own: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fetch(name: str, revision: str | None, workspace: Path, say: object) -> Base:
        asked.append(name)
        return resolve_base("tiny", workspace)

    monkeypatch.setattr("harness.models.bases.fetch_base", fetch)
    own.recipe("x", RECIPE.replace("base: tiny", "base: org/far"))
    refused(own, "x", 5, "base 'org/far' is not on this machine; --download fetches it from the hub")
    assert asked == []
    assert own("train", "x", "--download", "--plan").code == 0
    assert asked == ["org/far"]


def test_a_full_disk_is_noticed_before_anything_starts(own: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    own.recipe("x", RECIPE)
    monkeypatch.setattr("harness.cli.train.free_disk", lambda workspace: 1000)
    refused(own, "x", 5, "disk: 0.0 GB would be written and 0.0 GB are free; make room in results, or write")


def test_a_corpus_without_examples_is_refused(own: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    own.recipe("x", RECIPE)
    monkeypatch.setattr("harness.train.passages_of", lambda *where: [])
    refused(own, "x", 2, "the corpus has no train passages, so there is nothing to train on")


@pytest.mark.parametrize(("stem", "taken"), [("marlow", "marlow@2"), ("other:x", "other:x@2")])
def test_a_recipe_whose_variants_would_mean_something_else(own: Shell, stem: str, taken: str) -> None:
    own.recipe(stem, RECIPE)
    kind = "a corpus version" if stem == "marlow" else "a control"
    refused(own, stem, 2, f"variant '{taken}' is the name of {kind}; rename the recipe")


def test_a_trainer_of_the_users_own_is_part_of_the_run(own: Shell) -> None:
    def asked() -> tuple[str, str]:
        store = warehouse(own.workspace)
        (order,) = orders("x", own.workspace, store)
        spec = specify(order, store, own.workspace)
        return spec.program, spec.digest()

    own.recipe("x", RECIPE)
    assert asked()[0] == ""
    mine = own.workspace / "trainers" / "mine.py"
    mine.write_text("print('one')\n")
    own.recipe("x", RECIPE + "trainer: mine\n")
    program, before = asked()
    assert program == hashlib.sha256(b"print('one')\n").hexdigest()
    mine.write_text("print('two')\n")
    assert asked()[1] != before


# ── plans ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_plan_says_whether_it_fits_how_long_and_on_what(own: Shell) -> None:
    own.recipe("x", RECIPE)
    before = own.known()
    lines = own("train", "x", "--plan").out.splitlines()
    assert lines[0] == "x@2  to train: 2 steps, batches of 4 x 1, 400 tokens"
    assert lines[1].startswith("fits      ")
    assert lines[1].endswith("the CPU, estimated")
    assert lines[2].startswith("time      train ")
    assert " (2 steps)   disk +" in lines[2]
    assert lines[3].startswith("trains on marlow@2: 3 books, ")
    assert lines[3].endswith("harbours held out (0 shared 13-grams)")
    assert own.known() == before
    assert own("train", "first", "--plan").out == "first@1  reused: nothing is trained\n"


def test_the_plan_of_a_training_with_its_benchmark_says_what_that_can_decide(own: Shell) -> None:
    own.recipe("x", RECIPE)
    suite = own.workspace / "tasks" / "suites" / "only.yaml"
    suite.parent.mkdir(parents=True, exist_ok=True)
    suite.write_text(
        "author: marlow\ntasks: [heldout_perplexity, copying]\nmax_tokens: 40\nlikelihood: {documents: 16}\n"
    )
    before = own.known()
    said = own("train", "x", "--plan", "--then-run")
    assert said.code == 0, said.err
    time, verdicts = said.out.splitlines()[-2:]
    assert time.startswith("then run  only: ")
    assert time.endswith(" (CPU)")
    assert verdicts.startswith(
        "can decide (20 prompts, 16 blocks): bits per byte on unseen prose     cannot: "
    )
    assert "copied answers (needs 453)" in verdicts
    assert own.known() == before
    assert "can decide" not in own("train", "x", "--plan").out


def test_a_probe_takes_three_real_steps_and_leaves_nothing(own: Shell) -> None:
    own.recipe("x", RECIPE.replace("steps: 2", "epochs: 2"))
    before, folders = own.known(), sorted((own.workspace / "results").iterdir())
    said = own("train", "x", "--probe")
    assert said.code == 0, said.err
    assert said.out.splitlines()[1].endswith("the CPU, probed 3 steps")
    assert own.known() == before
    left = {path.name for path in (own.workspace / "results").iterdir()} - {path.name for path in folders}
    assert left <= {"examples"}
    assert not (own.workspace / "results" / "adapters" / "x@2").exists()


def test_the_plan_of_a_matrix_is_a_table_and_a_sum(own: Shell) -> None:
    own.recipe("sweep", RECIPE + "matrix: {lora.r: [4, 8], seeds: [1, 2], max_examples: [12]}\n")
    lines = own("train", "sweep", "--plan").out.splitlines()
    assert lines[0].split() == ["variant", "corpus", "examples", "steps", "state", "memory", "time", "disk"]
    states = {line.split()[0]: line.split()[4] for line in lines[1:5]}
    assert states == dict.fromkeys(SWEPT, "reused") | {name.replace("r4", "r8"): "to" for name in SWEPT}
    assert lines[5].startswith("2 to train, 2 reused, ")
    assert lines[6].startswith("trains on marlow@2: ")


# ── the first examples ────────────────────────────────────────────────────────────────────────────


def _passages(n: int) -> tuple[Passage, ...]:
    return tuple(
        Passage("b", i, "body", f"Text {i} here.", 3, f"d{i}", "validation" if i % 5 == 0 else "train")
        for i in range(n)
    )


def test_a_smaller_set_is_part_of_a_larger_one_and_validation_stays() -> None:
    whole = Material(_passages(50), {}, "completion")
    sets = {}
    for n in (5, 20, 40):
        kept = first_examples(whole, n, "c@1").passages
        sets[n] = {p.digest for p in kept if p.split == "train"}
        assert len(sets[n]) == n
        assert sum(p.split == "validation" for p in kept) == 10
    assert sets[5] < sets[20] < sets[40]
    with pytest.raises(ConfigurationError, match="max_examples 41: c@1 has 40 training examples"):
        first_examples(whole, 41, "c@1")


def test_questions_are_counted_one_by_one() -> None:
    passages = _passages(20)
    questions = {p.digest: ["What?", "Why?", "What? "] for p in passages}
    material = first_examples(Material(passages, questions, "qa"), 7, "c@1")
    asked = [material.questions[p.digest] for p in material.passages if p.split == "train"]
    assert sum(len({q.strip() for q in each}) for each in asked) == 7
    assert len(asked) == 4
