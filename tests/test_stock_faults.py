"""Stock tasks that change, shuffle, spoil or end: found, said in one line, never paired as if equal."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from local_tasks import ANSWERS, CHOICE, MORE, WORDS, write_tasks
from scripted_bench import copy_workspace
from small_author import NAME
from stock_bench import in_process, just_stock, run_real
from tiny_llama import SENTENCES, build_tiny_llama

from harness import summaries
from harness.compare import compare
from harness.models import child
from harness.models.bases import Base, resolve_base
from harness.models.hf import HFModel, load_tokenizer
from harness.models.lm import as_lm, generation_fault
from harness.models.tokens import TokenPrompt, TokenScore
from harness.pairing import Pair
from harness.plan import Ask
from harness.score import score
from harness.stock_run import load_stock
from harness.store import Run, Store
from harness.suite import Suite
from harness.types import Decoding, Generation, GenerationRequest, Variant
from harness.variants import base_variant

pytestmark = pytest.mark.filterwarnings("default")

GREEDY = Decoding(0.0, 1.0, 6, 0)


@pytest.fixture(scope="module")
def bases(small_author: Path, tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with two bases: the tiny one, and one that reads 64 tokens at most."""
    workspace = copy_workspace(small_author, tmp_path_factory.mktemp("faults") / "w", tiny_llama)
    build_tiny_llama(workspace / "results" / "bases" / "short", max_positions=64)
    return workspace


@pytest.fixture
def workspace(bases: Path, tmp_path: Path) -> Path:
    """The same with tasks of this test's own."""
    own = shutil.copytree(bases, tmp_path / "w")
    write_tasks(own)
    (own / "tasks" / "own" / "more.py").write_text(MORE)
    return own


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "warehouse")


def base(name: str, workspace: Path) -> Variant:
    return base_variant(resolve_base(name, workspace))


def write(workspace: Path, name: str, text: str) -> None:
    (workspace / "tasks" / "own" / name).write_text(text)


def scored(asked: Ask, variants: Sequence[Variant], store: Store) -> summaries.Table:
    with Run(store, "score") as note:
        score(asked, variants, note)
    return summaries.read_table(asked, variants, store)


def answers_with(name: str, judge: str, **replaced: str) -> str:
    """``ANSWERS`` as a task of another name, judged by a function of ``more.py``."""
    text = ANSWERS.replace("task: answers", f"task: {name}").replace("data.judge", f"more.{judge}")
    return text.replace(
        '{until: [" t", "e"], max_gen_toks: 12, do_sample: false}', replaced.get("kwargs", "")
    )


# ── a task that changes ───────────────────────────────────────────────────────────────────────────


READ = WORDS.replace("task: last_word", "task: read").replace("data.towns", "more.read")


def test_variants_that_read_different_documents_are_not_paired(workspace: Path, store: Store) -> None:
    tiny, short = base("tiny", workspace), base("short", workspace)
    write(workspace, "read.yaml", READ)
    write(workspace, "lands.json", json.dumps(["Norrland", "Skane", "Gotland"]))
    asked = just_stock(workspace, ("lm_eval:read",), 3)
    run_real(asked, [tiny], workspace, store)
    write(workspace, "lands.json", json.dumps(["Norrland", "Halland", "Uppland"]))
    run_real(asked, [short], workspace, store)
    assert store.read("retention")["task_version"].nunique() == 1, "only the data changed"
    table = scored(asked, [tiny, short], store)
    assert set(table.of("short", "read:acc")) == {"read/0", "read/1", "read/2"}
    assert set(table.of("tiny", "read:acc")) == {"read/0"}, "the others it read are other documents"

    write(workspace, "lands.json", json.dumps(["Bohuslan", "Dalarna", "Blekinge"]))
    run_real(asked, [short], workspace, store)
    table = scored(asked, [tiny, short], store)
    verdicts = {v.metric: v for v in compare(asked, [Pair(tiny, short)], table).verdicts}
    assert verdicts["read:acc"].outcome == "not comparable"


def test_a_task_that_is_changed_back_counts_as_it_stands(workspace: Path, store: Store) -> None:
    tiny = base("tiny", workspace)
    asked = just_stock(workspace, ("lm_eval:last_word",), 4)
    run_real(asked, [tiny], workspace, store)
    first = load_stock(asked, workspace).tasks[0].version
    write(workspace, "last_word.yaml", WORDS.replace("together", "alone"))
    assert run_real(asked, [tiny], workspace, store).computed == 4
    write(workspace, "last_word.yaml", WORDS)
    assert run_real(asked, [tiny], workspace, store).computed == 0
    table = scored(asked, [tiny], store)
    assert table.metric_versions["tiny", "last_word:acc"] == first
    assert len(table.of("tiny", "last_word:acc")) == 4
    rows = store.version("retention")
    run_real(asked, [tiny], workspace, store)
    assert store.version("retention") == rows, "said once"


@pytest.mark.parametrize("word", ["one", "two", "three"])
def test_documents_of_a_former_version_do_not_fill_up_a_smaller_run(
    word: str, workspace: Path, store: Store
) -> None:
    """By whichever digest comes later in the alphabet, so several words."""
    tiny = base("tiny", workspace)
    asked = just_stock(workspace, ("lm_eval:last_word",), 6)
    run_real(asked, [tiny], workspace, store)
    write(workspace, "last_word.yaml", WORDS.replace("together", word))
    fewer = just_stock(workspace, ("lm_eval:last_word",), 2)
    run_real(fewer, [tiny], workspace, store)
    table = scored(asked, [tiny], store)
    assert table.metric_versions["tiny", "last_word:acc"] == load_stock(fewer, workspace).tasks[0].version
    assert set(table.of("tiny", "last_word:acc")) == {"last_word/0", "last_word/1"}


def test_a_helper_that_changes_makes_another_version(workspace: Path) -> None:
    write(workspace, "helped.yaml", answers_with("helped", "by_helper", kwargs="{until: [e]}"))
    asked = just_stock(workspace, ("lm_eval:helped",), 1)
    before = load_stock(asked, workspace).tasks[0]
    write(workspace, "more.py", MORE.replace("len(text) > 5", "len(text) > 1"))
    after = load_stock(asked, workspace).tasks[0]
    assert before.digests == after.digests
    assert before.version != after.version


def test_a_task_that_shuffles_is_the_same_in_every_load(workspace: Path) -> None:
    text = CHOICE.replace("task: towns", "task: shuffled").replace("data.towns", "more.shuffled")
    write(workspace, "shuffled.yaml", text)
    asked = just_stock(workspace, ("lm_eval:shuffled",), 8)
    random.seed(7)
    np.random.seed(7)
    first = load_stock(asked, workspace).tasks[0]
    untouched = random.Random(7).random(), np.random.RandomState(7).random_sample()
    assert (random.random(), np.random.random_sample()) == untouched
    assert load_stock(asked, workspace).tasks[0].digests == first.digests


# ── what one variant does to the next ─────────────────────────────────────────────────────────────


def test_a_document_that_is_changed_while_it_is_judged_is_whole_for_the_next(
    workspace: Path, store: Store
) -> None:
    text = answers_with("mutated", "mutate", kwargs="{until: [e], max_gen_toks: 4}")
    write(workspace, "mutated.yaml", text.replace("metric: long", "metric: left"))
    asked = just_stock(workspace, ("lm_eval:mutated",), 3)
    tiny, short = base("tiny", workspace), base("short", workspace)
    assert not run_real(asked, [tiny, short], workspace, store).refused
    frame = store.read("retention")
    left = frame[frame["metric"].str.startswith("mutated:left")]
    assert set(left["variant"]) == {"tiny", "short"}
    assert set(left["value"]) == {2.0}, "three towns, one taken out"


@pytest.mark.parametrize("order", [("short", "tiny"), ("tiny", "short")])
def test_a_base_that_cannot_be_asked_costs_no_other_its_results(
    order: tuple[str, str], workspace: Path, store: Store
) -> None:
    write(workspace, "longer.yaml", answers_with("longer", "plain", kwargs="{until: [e], max_gen_toks: 80}"))
    asked = just_stock(workspace, ("lm_eval:longer",), 2)
    outcome = run_real(asked, [base(name, workspace) for name in order], workspace, store)
    assert set(outcome.refused) == {"longer on short"}
    assert outcome.refused["longer on short"] == (
        "lm_eval:longer on short: the task wants longer answers than a window of 64 tokens holds"
    )
    assert set(store.read("retention")["variant"]) == {"tiny"}


# ── faults, each one line ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kwargs", "said"),
    [
        ("{until: 5}", "until: 5 is no text and no list of texts"),
        ("{until: [e, 5]}", "until: ['e', 5] is no text and no list of texts"),
        ("{until: [e], max_gen_toks: many}", "max_gen_toks: 'many' is no number of tokens"),
        ("{until: [e], max_gen_toks: 0}", "max_gen_toks: 0 is no number of tokens"),
        ("{until: [e], max_gen_toks: -3}", "max_gen_toks: -3 is no number of tokens"),
        ("{until: [e], top_p: hot}", "top_p: 'hot' is no number that it could be"),
        ("{until: [e], num_beams: 4}", "num_beams: 4 would not be applied"),
        ("{until: [e], repetition_penalty: 3.0}", "repetition_penalty: 3.0 would not be applied"),
    ],
)
def test_generation_settings_that_are_wrong_or_not_applied_are_one_line(
    kwargs: str, said: str, workspace: Path
) -> None:
    write(workspace, "odd.yaml", answers_with("odd", "plain", kwargs=kwargs))
    loaded = load_stock(just_stock(workspace, ("lm_eval:odd", "lm_eval:towns"), 2), workspace)
    assert loaded.refused == {"odd": f"lm_eval:odd: generation_kwargs: {said}"}
    assert [task.name for task in loaded.tasks] == ["towns"]


def test_settings_that_change_nothing_are_no_fault() -> None:
    assert generation_fault({"until": "x", "num_beams": 1, "do_sample": True, "temperature": 0.7}) == ""
    assert generation_fault({"max_new_tokens": 9, "top_p": 0.9, "repetition_penalty": 1.0}) == ""


def test_a_task_that_ends_the_program_loses_only_itself(workspace: Path, store: Store) -> None:
    write(workspace, "quits.yaml", answers_with("quits", "quit_", kwargs="{until: [e], max_gen_toks: 4}"))
    write(workspace, "gone.yaml", WORDS.replace("last_word", "gone").replace("data.towns", "more.quit_"))
    asked = just_stock(workspace, ("lm_eval:quits", "lm_eval:gone", "lm_eval:last_word"), 2)
    outcome = run_real(asked, [base("tiny", workspace)], workspace, store)
    assert set(outcome.refused) == {"quits on tiny", "gone"}
    assert outcome.refused["quits on tiny"].endswith("(it asked to end the program)")
    assert set(store.read("retention")["task"]) == {"lm_eval:last_word"}


def test_a_file_whose_task_has_no_name_is_in_nobodys_way(workspace: Path) -> None:
    write(workspace, "five.yaml", WORDS.replace("task: last_word", "task: 5"))
    loaded = load_stock(just_stock(workspace, ("lm_eval:towns",), 2), workspace)
    assert [task.name for task in loaded.tasks] == ["towns"]


def test_an_aggregation_of_the_tasks_own_is_no_mean(workspace: Path) -> None:
    own = "  - {metric: f1, aggregation: !function more.aggregate, higher_is_better: true}\n"
    write(
        workspace,
        "both.yaml",
        CHOICE.replace("task: towns", "task: both").replace("metadata:", f"{own}metadata:"),
    )
    loaded = load_stock(just_stock(workspace, ("lm_eval:both",), 2), workspace)
    assert dict(loaded.tasks[0].metrics) == {"acc": "higher", "acc_norm": "higher"}


def test_documents_have_an_upper_bound() -> None:
    assert Suite(author=NAME, tasks=("copying",), retention_documents=100_000).retention_documents == 100_000
    with pytest.raises(ValueError, match="retention_documents"):
        Suite(author=NAME, tasks=("copying",), retention_documents=100_001)


# ── answers, by tokens ────────────────────────────────────────────────────────────────────────────


class Noting:
    """A model that notes the prompts of every batch and says nothing."""

    engine = "noting"

    def __init__(self) -> None:
        self.batches: list[list[tuple[int, ...]]] = []

    def continuations(self, pairs: Any) -> list[TokenScore]:
        return []

    def answers(self, prompts: Sequence[TokenPrompt], decoding: Decoding) -> list[Generation]:
        self.batches.append([prompt.ids for prompt in prompts])
        return [Generation("", "stop", 0, 0.0) for _ in prompts]


def ask_for(lm: Any, text: str, repeats: int = 1) -> None:
    from lm_eval.api.instance import Instance

    settings = {"until": ["e"], "max_gen_toks": 4}
    lm.generate_until([Instance("generate_until", {}, (text, settings), 0, ("t", 0, 1))] * repeats)


def first_marked() -> Any:
    """A tokenizer that marks the first word, as Llama's: after a written ``<s>`` a word is not the first."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE(unk_token="<unk>"))
    bpe.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    bpe.decoder = decoders.Metaspace(prepend_scheme="first")
    special = ["<unk>", "<s>", "</s>"]
    bpe.train_from_iterator(
        SENTENCES * 3, trainers.BpeTrainer(vocab_size=300, special_tokens=special, show_progress=False)
    )
    bpe.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="</s>"
    )


def test_a_prompt_is_read_in_the_tokens_that_lm_eval_reads() -> None:
    tokenizer, text = first_marked(), "The Nation must keep its word."
    ids = tokenizer.encode(text)
    assert tokenizer.encode("<s>" + text, add_special_tokens=False) != ids, "as text it would be others"
    model = Noting()
    ask_for(as_lm(model, tokenizer, 512), text)  # type: ignore[arg-type]
    assert model.batches == [[tuple(ids)]]
    ask_for(as_lm(model, tokenizer, 8), text)  # type: ignore[arg-type]
    assert model.batches[1] == [tuple(ids[-4:])], "cut on the left to leave room for four tokens"


def test_answers_are_drawn_in_batches_of_the_suites_size(workspace: Path, store: Store) -> None:
    model = Noting()
    ask_for(as_lm(model, first_marked(), 512, 3), "The Nation", repeats=8)  # type: ignore[arg-type]
    assert [len(batch) for batch in model.batches] == [3, 3, 2]

    sizes = []

    class Counting(HFModel):
        def answers(self, prompts: Sequence[TokenPrompt], decoding: Decoding) -> list[Generation]:
            sizes.append(len(prompts))
            return super().answers(prompts, decoding)

    def load(base: Base, dtype: str) -> HFModel:
        return Counting(base.path, "float32", "cpu")

    asked = just_stock(workspace, ("lm_eval:answers",), 3, batch=2)
    run_real(asked, [base("tiny", workspace)], workspace, store, load)
    assert sizes == [2, 1]


def test_tokens_draw_what_their_text_draws_in_a_child_too(tiny_llama: Path) -> None:
    model, tokenizer = in_process(Base("tiny", tiny_llama, "", "", ""), "float32"), load_tokenizer(tiny_llama)
    texts = ["The Nation must keep", "Our coal and our iron are not the"]
    for decoding in (GREEDY, Decoding(0.8, 0.9, 6, 0)):
        wanted = model.generate([GenerationRequest(t, t, t) for t in texts], decoding)
        ids = [tokenizer.encode(t, add_special_tokens=False) for t in texts]
        told = {"temperature": decoding.temperature, "top_p": decoding.top_p, "max_tokens": 6, "seed": 0}
        rows = [{"ids": one, "noise": t} for one, t in zip(ids, texts, strict=True)]
        found = child._carry_out(model, {"call": "answers", "prompts": rows, "decoding": told})
        assert [row["text"] for row in found] == [one.text for one in wanted]
