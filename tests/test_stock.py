"""Stock tasks run through the real lm-eval on a real (tiny, random) model, and agree with lm-eval's own."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest
from local_tasks import WORDS, write_tasks
from scripted_bench import ONE, control_variants, copy_workspace, open_ask, scripted
from scripted_bench import compute as run_scripted
from small_author import NAME
from stock_bench import ENGINE, just_stock, run_real

from harness import stock, summaries
from harness.bench import warehouse
from harness.cli import invoke
from harness.compare import compare
from harness.errors import ConfigurationError, YamlError
from harness.models import Model, child
from harness.models.bases import Base, resolve_base
from harness.models.hf import HFModel, load_tokenizer
from harness.models.lm import as_lm, window_of
from harness.models.tokens import TokenPair
from harness.pairing import Pair
from harness.plan import Ask
from harness.run import plan
from harness.score import score
from harness.stock_run import load_stock
from harness.store import Run, Store
from harness.suite import Suite, read_suite
from harness.types import Variant
from harness.variants import base_variant

pytestmark = pytest.mark.filterwarnings("default")

OWN = ("towns", "last_word", "prose", "answers")
NAMES = tuple(f"lm_eval:{name}" for name in OWN)


@pytest.fixture(scope="module")
def workspace(small_author: Path, tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two bases: the tiny one, and the same with its weights drawn anew."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    workspace = copy_workspace(small_author, tmp_path_factory.mktemp("stock") / "w", tiny_llama)
    other = workspace / "results" / "bases" / "other"
    AutoTokenizer.from_pretrained(tiny_llama).save_pretrained(other)
    torch.manual_seed(3)
    config = AutoModelForCausalLM.from_pretrained(tiny_llama).config
    AutoModelForCausalLM.from_config(config).save_pretrained(other)
    write_tasks(workspace)
    return workspace


@pytest.fixture(scope="module")
def asked(workspace: Path) -> Ask:
    return just_stock(workspace, NAMES)


@pytest.fixture(scope="module")
def variants(workspace: Path) -> list[Variant]:
    return [base_variant(resolve_base(name, workspace)) for name in ("tiny", "other")]


@pytest.fixture(scope="module")
def loaded(asked: Ask, workspace: Path) -> stock.Stock:
    return load_stock(asked, workspace)


# ── agreement with lm-eval ────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def theirs(workspace: Path) -> dict[str, list[dict[str, Any]]]:
    """Task -> lm-eval's own samples, by its own model class."""
    import lm_eval
    from lm_eval.tasks import TaskManager

    found: Any = lm_eval.simple_evaluate(
        model="hf",
        model_args={"pretrained": str(workspace / "results" / "bases" / "tiny"), "dtype": "float32"},
        tasks=list(OWN),
        limit=20,
        batch_size=1,
        device="cpu",
        bootstrap_iters=0,
        log_samples=True,
        task_manager=TaskManager(include_path=[workspace / "tasks"], include_defaults=False),
    )
    samples: dict[str, list[dict[str, Any]]] = found["samples"]
    return samples


@pytest.mark.slow
@pytest.mark.parametrize("name", OWN)
def test_it_agrees_with_lm_eval_request_by_request(
    name: str, workspace: Path, loaded: stock.Stock, theirs: dict[str, list[dict[str, Any]]]
) -> None:
    base = workspace / "results" / "bases" / "tiny"
    (task,) = [task for task in loaded.tasks if task.name == name]
    lm = as_lm(HFModel(base, "float32", "cpu"), load_tokenizer(base), window_of(base))
    ours = stock.evaluate(task, range(20), lm)
    mine = {(r.doc_id, r.idx): (r.args, r.resps[0]) for r in task.loaded.instances}
    samples = [one for one in theirs[name] if one["filter"] == theirs[name][0]["filter"]]
    assert len(samples) == 20
    for sample in samples:
        for index, (arguments, answers) in enumerate(zip(sample["arguments"], sample["resps"], strict=True)):
            said, answer = mine[sample["doc_id"], index]
            assert said[0] == arguments[0]
            if isinstance(answer, str):
                assert answer == answers[0]
            elif isinstance(answer, tuple):
                assert answer[0] == pytest.approx(answers[0][0], rel=1e-6)
                assert answer[1] == answers[0][1]
            else:
                assert answer == pytest.approx(answers[0], rel=1e-6)
    for sample in theirs[name]:
        suffix = "" if sample["filter"] == "none" else f":{sample['filter']}"
        for metric in task.metrics:
            wanted = (sample["doc_id"], f"{name}:{metric}{suffix}")
            (value,) = [r.value for r in ours if (r.document, r.metric) == wanted]
            if metric == "bits_per_byte":
                loglik, n_bytes = sample[metric]
                assert value == pytest.approx(-loglik / n_bytes / math.log(2), rel=1e-6)
            else:
                assert value == sample[metric]


def test_metrics_that_say_nothing_of_one_document_are_left_out(loaded: stock.Stock) -> None:
    assert {task.name: dict(task.metrics) for task in loaded.tasks} == {
        "towns": {"acc": "higher", "acc_norm": "higher"},
        "last_word": {"acc": "higher"},
        "prose": {"bits_per_byte": "lower"},
        "answers": {"long": "higher", "length": "lower"},
    }


def test_greedy_is_told_and_tokens_travel_to_the_child_and_back(tiny_llama: Path) -> None:
    model = HFModel(tiny_llama, "float32", "cpu")
    answer = model._model.generate(
        input_ids=__import__("torch").tensor([[5, 6, 7]]), max_new_tokens=3, min_new_tokens=3, do_sample=False
    )[0, 3:].tolist()
    pairs = [
        TokenPair((5, 6, 7), tuple(answer)),
        TokenPair((5, 6, 7), (answer[0], answer[1], 9 + answer[2] % 50)),
    ]
    here = model.continuations(pairs)
    assert [one.greedy for one in here] == [True, False]
    told = [{"context": list(p.context), "continuation": list(p.continuation)} for p in pairs]
    asked = {"call": "continuations", "pairs": told}
    assert [row["loglik"] for row in child._carry_out(model, asked)] == [one.loglik for one in here]


def test_a_window_is_what_the_base_states_and_at_most_4096(tiny_llama: Path, tmp_path: Path) -> None:
    assert window_of(tiny_llama) == 512
    assert window_of(tmp_path) == 2048
    (tmp_path / "config.json").write_text('{"text_config": {"max_position_embeddings": 131072}}')
    assert window_of(tmp_path) == 4096


# ── through the rooms ─────────────────────────────────────────────────────────────────────────────


class KilledError(Exception):
    pass


class Dying(HFModel):
    """Ends in the middle of its work, as a killed process does."""

    left = 5

    def continuations(self, pairs: Any) -> Any:
        Dying.left -= 1
        if Dying.left < 0:
            raise KilledError
        return super().continuations(pairs)


@pytest.fixture(scope="module")
def store(
    asked: Ask, variants: list[Variant], workspace: Path, tmp_path_factory: pytest.TempPathFactory
) -> Store:
    store = Store(tmp_path_factory.mktemp("results") / "warehouse")
    run_real(asked, variants, workspace, store)
    return store


def values(store: Store) -> dict[tuple[str, str, str], float]:
    frame = store.read("retention")
    found = {(r["key"], r["item"], r["metric"]): r["value"] for r in frame.to_dict("records")}
    assert len(found) == len(frame), "a result is stored twice"
    return found


def test_every_document_is_stored_once_and_nothing_is_computed_again(
    asked: Ask, variants: list[Variant], workspace: Path, store: Store
) -> None:
    frame = store.read("retention")
    # towns: 2 metrics; last_word, prose: 1; answers: 2 by 2 filters. 40 documents, 2 variants.
    assert len(frame) == (2 + 1 + 1 + 4) * 40 * 2
    assert frame["key"].nunique() == 4 * 40 * 2
    assert set(frame["engine"]) == {ENGINE}
    assert all(re.fullmatch(r"[12]\.0/[0-9a-f]{8}", version) for version in frame["task_version"])
    commits = store.version("retention")
    assert commits == 4 * 3 * 2 - 1, "one commit a batch of 16, counted from 0"

    def never(base: Base, dtype: str) -> Model:
        raise AssertionError("nothing is missing")

    again = run_real(asked, variants, workspace, store, never)
    assert (again.reused, again.computed, again.refused) == (320, 0, {})


def test_a_killed_run_goes_on_where_it_was(
    asked: Ask, variants: list[Variant], workspace: Path, store: Store, tmp_path: Path
) -> None:
    second = Store(tmp_path / "warehouse")
    with pytest.raises(KilledError):
        run_real(
            asked, variants[:1], workspace, second, lambda base, dtype: Dying(base.path, "float32", "cpu")
        )
    before = second.read("retention")["key"].nunique()
    assert before == 40 + 32, "three batches of towns and two of last_word"
    outcome = run_real(asked, variants[:1], workspace, second)
    assert (outcome.reused, outcome.computed) == (before, 160 - before)
    whole = {key: v for key, v in values(store).items() if key in values(second)}
    assert values(second) == pytest.approx(whole, rel=1e-6, nan_ok=True)


def test_fewer_documents_are_the_first_ones_and_are_stored_already(
    variants: list[Variant], workspace: Path, store: Store
) -> None:
    fewer = just_stock(workspace, NAMES, 5)
    plans = plan(fewer, variants, store, workspace, ENGINE)
    assert [(p.n_jobs, p.n_missing) for p in plans] == [(20, 0), (20, 0)]
    other_engine = plan(fewer, variants, store, workspace, "transformers/bfloat16/cpu")
    assert [p.n_missing for p in other_engine] == [20, 20]


def test_scores_carry_the_task_and_are_paired_document_by_document(
    asked: Ask, variants: list[Variant], store: Store
) -> None:
    with Run(store, "score") as note:
        first = score(asked, [*variants, *control_variants(asked.reference)], note)
        assert first.computed == 640
    with Run(store, "score") as note:
        assert score(asked, variants, note).computed == 0
    table = summaries.read_table(asked, variants, store)
    assert set(table.of("tiny", "towns:acc")) == {f"towns/{n}" for n in range(40)}
    assert {"towns:acc", "towns:acc_norm", "last_word:acc"} <= table.shares
    assert "prose:bits_per_byte" not in table.shares
    told = summaries.summarise(table, "tiny", "towns:acc")
    assert told.n == 40
    assert told.task == "lm_eval:towns"
    assert 0 < told.interval.low < told.value < told.interval.high < 1

    verdicts = {v.metric: v for v in compare(asked, [Pair(variants[0], variants[1])], table).verdicts}
    acc, bits = verdicts["towns:acc"], verdicts["prose:bits_per_byte"]
    own = [table.of(v.name, "towns:acc") for v in variants]
    expected = sum(own[1][item] - own[0][item] for item in own[0]) / 40
    assert (acc.n, acc.primary, acc.margin) == (40, False, 0.02)
    assert acc.difference == pytest.approx(expected)
    assert math.isnan(bits.margin)
    assert bits.difference == pytest.approx(bits.baseline - bits.candidate), "fewer bits are better"
    lengths = verdicts["answers:length:whole"]
    assert lengths.difference == pytest.approx(lengths.baseline - lengths.candidate)
    assert {v.outcome for v in verdicts.values()}.isdisjoint({"better", "WORSE"})


def test_a_side_without_them_is_not_comparable_and_controls_have_none(
    asked: Ask, variants: list[Variant], store: Store
) -> None:
    with Run(store, "score") as note:
        score(asked, variants, note)
    table = summaries.read_table(asked, [*variants, ONE], store)
    verdicts = {v.metric: v for v in compare(asked, [Pair(variants[0], ONE)], table).verdicts}
    assert verdicts["towns:acc"].outcome == "not comparable"
    assert verdicts["towns:acc"].note.startswith("small@1 has no towns:acc")
    assert not {"author", "copyist"} & set(store.read("retention")["variant"])


def test_what_was_changed_in_a_task_is_asked_anew_and_stands_for_it(
    variants: list[Variant], small_author: Path, workspace: Path, tmp_path: Path
) -> None:
    own = copy_workspace(small_author, tmp_path / "w", workspace / "results" / "bases" / "tiny")
    write_tasks(own)
    store, tiny = Store(tmp_path / "warehouse"), variants[:1]
    asked = just_stock(own, ("lm_eval:last_word",), 6)
    run_real(asked, tiny, own, store)
    (own / "tasks" / "own" / "last_word.yaml").write_text(WORDS.replace("together", "together."))
    assert run_real(asked, tiny, own, store).computed == 6
    with Run(store, "score") as note:
        score(asked, tiny, note)
    newest = store.read("retention").sort_values("run").iloc[-1]["task_version"]
    table = summaries.read_table(asked, tiny, store)
    assert table.metric_versions["tiny", "last_word:acc"] == newest
    assert len(table.of("tiny", "last_word:acc")) == 6


# ── faults ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("hellaswagg", "lm-eval has no task 'hellaswagg', did you mean 'hellaswag'?"),
        (
            "mmlu",
            "lm_eval:mmlu is a group of lm-eval's: name its tasks, such as mmlu_abstract_algebra, mmlu_",
        ),
        ("stylo_copying", "lm_eval:stylo_copying is stylobench's own: name it under tasks"),
    ],
)
def test_an_unknown_task_is_told_before_a_model_is_loaded(
    name: str, said: str, workspace: Path, variants: list[Variant], tmp_path: Path
) -> None:
    asked = just_stock(workspace, (f"lm_eval:{name}",))

    def never(base: Base, dtype: str) -> Model:
        raise AssertionError("a model was loaded")

    with pytest.raises(ConfigurationError, match=re.escape(said)):
        run_real(asked, variants, workspace, Store(tmp_path / "warehouse"), never)


@pytest.mark.slow
def test_tasks_that_cannot_run_are_one_line_each_and_cost_no_other(
    workspace: Path, variants: list[Variant], tmp_path: Path
) -> None:
    names = ("from_the_hub", "broken", "runs_code", "humaneval", "last_word")
    asked = just_stock(workspace, tuple(f"lm_eval:{name}" for name in names), 3)
    store = Store(tmp_path / "warehouse")
    outcome = run_real(asked, variants[:1], workspace, store)
    assert set(store.read("retention")["task"]) == {"lm_eval:last_word"}
    assert outcome.computed == 3
    assert set(outcome.refused) == {"from_the_hub", "broken on tiny", "runs_code", "humaneval"}
    assert not any("\n" in line for line in outcome.refused.values())
    assert outcome.refused["from_the_hub"].startswith("lm_eval:from_the_hub: cannot be read (")
    assert "HF_HUB_OFFLINE" in outcome.refused["from_the_hub"]
    told = outcome.refused["broken on tiny"]
    assert told == "lm_eval:broken on tiny: its results cannot be judged (no such word list)"
    for name in ("runs_code", "humaneval"):
        assert outcome.refused[name].endswith("code that a model wrote, which stylobench never does")


def test_an_engine_that_scores_no_tokens_loses_only_these(
    workspace: Path, variants: list[Variant], tmp_path: Path
) -> None:
    store = Store(tmp_path / "warehouse")
    asked = open_ask(workspace, tasks=("copying",), retention=("lm_eval:towns",), limit=3)
    assert asked.retention_documents == 3
    outcome = run_scripted(asked, variants[:1], workspace, scripted(workspace), store)
    assert outcome.refused == {
        "towns on tiny": "lm_eval:towns on tiny: scripted cannot score tokens, which lm-eval's tasks need"
    }
    assert len(store.read("responses")) == 3


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("[hellaswag]", "'hellaswag' is no stock task: write lm_eval:NAME"),
        ("['lm_eval:']", "is no stock task"),
        ("[lm_eval:a, lm_eval:a]", "a stock task is named twice"),
        ("[lm_eval:a]\nretention_documents: 0", "retention_documents"),
    ],
)
def test_faults_in_a_suite(written: str, said: str, tmp_path: Path) -> None:
    folder = tmp_path / "tasks" / "suites"
    folder.mkdir(parents=True)
    (folder / "s.yaml").write_text(f"author: {NAME}\ntasks: [copying]\nretention: {written}\n")
    with pytest.raises(YamlError, match=re.escape(said)):
        read_suite("s", tmp_path)


def test_they_change_no_setting_that_answers_are_stored_under() -> None:
    plain = Suite(author=NAME, tasks=("copying",))
    assert plain.setting("x") == plain.model_copy(update={"retention": NAMES}).setting("x")


@pytest.fixture
def cli_workspace(small_author: Path, workspace: Path, tmp_path: Path) -> Path:
    own = copy_workspace(small_author, tmp_path / "w", workspace / "results" / "bases" / "tiny")
    write_tasks(own)
    (own / "tasks" / "suites").mkdir()
    (own / "tasks" / "suites" / "s.yaml").write_text(
        f"author: {NAME}\nvariants: [tiny]\ncontrols: [author]\ntasks: [copying]\nmax_tokens: 8\nprompts: 4\n"
        "dtype: float32\nretention: [lm_eval:towns, lm_eval:from_the_hub]\nretention_documents: 4\n"
    )
    return own


@pytest.mark.slow
def test_from_the_command_line_to_the_report(cli_workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a child process, as users have it."""
    here = ["--workspace", str(cli_workspace)]
    assert invoke([*here, "run", "s", "--plan"]) == 0
    told = capsys.readouterr().out
    assert "stock documents" in told
    assert "lm_eval:from_the_hub: cannot be read" in told
    assert not (cli_workspace / "results" / "warehouse" / "retention").exists()
    assert invoke([*here, "run", "s"]) == 5, "all was done but the one that is not on this machine"
    told = capsys.readouterr().out
    assert "0 reused, 8 computed" in told
    assert "lm_eval:from_the_hub: cannot be read" in told
    assert len(warehouse(cli_workspace).read("retention")) == 8
    assert invoke([*here, "score", "s"]) == 0
    assert invoke([*here, "report", "s"]) == 0
    page = next((cli_workspace / "reports" / "out").glob("*.html")).read_text()
    assert "Stock task towns" in page
    assert "towns:acc norm" in page
