"""lm-evaluation-harness, given the very same task files, reports the very same numbers.

Greedy, float32, batch 1 there and 4 here: likelihood metrics agree to 1e-6 of their value (float32 log p
of some 200 tokens, in another padding), answers token for token, and so the style metrics to 1e-9.
"""

from __future__ import annotations

import math
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from scripted_bench import copy_workspace
from tiny_llama import build_tiny_llama

from harness import lmeval, summaries
from harness import reference as references
from harness.batches import IN_TEMPLATE_REQUEST
from harness.bench import Bench, open_bench
from harness.cli import invoke
from harness.models.hf import HFModel
from harness.reference import Reference
from harness.training.chat import conversation, render
from harness.types import LikelihoodRequest

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

TASKS = ("heldout_perplexity", "heldout_in_template", "author_gain", "authorship", "copying", "validity",
         "relevance", "tfidf_similarity", "keyword_density", "type_token_ratio", "response_length",
         "word_cloud", "mtld", "punctuation", "dialogue", "readability", "generalisation",
         "token_perplexity")  # fmt: skip
SUITE = f"""\
author: marlow
variants: [fluent]
controls: [author]
tasks: [{", ".join(TASKS)}]
max_tokens: 80
decoding: {{temperature: 0.0}}
likelihood: {{documents: 16, window: 512, context: 1}}
batch: 4
dtype: float32
"""
UNKNOWN = {"author_specific_gain", "truncated", "token_perplexity", "generalisation_gap"}
"""No base to take a gain against, no count of tokens, and no two tasks in one metric."""


def teach(base: Path, reference: Reference, steps: int = 400) -> None:
    """Full fine-tuning until greedy answers are prose of a sort: loops would make every style metric NaN."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig

    tokenizer = AutoTokenizer.from_pretrained(base)
    draw = random.Random(1)
    conversations = []
    for passage in reference.train:
        asked = conversation(reference.persona, draw.choice(reference.prompts).text)
        before = render(tokenizer, asked, add_generation_prompt=True)
        conversations.append(tokenizer(before + passage.text).input_ids[:256])
    conversations = [ids for ids in conversations if len(ids) == 256]
    old = AutoModelForCausalLM.from_pretrained(base).config
    settings = old.to_dict() | {"hidden_size": 96, "intermediate_size": 192, "num_attention_heads": 4,
                                "num_key_value_heads": 4, "head_dim": 24, "dtype": "float32"}  # fmt: skip
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(LlamaConfig(**settings))
    optimiser = torch.optim.AdamW(model.parameters(), lr=4e-3)
    for _ in range(steps):
        batch = torch.tensor(draw.sample(conversations, 6))
        model(input_ids=batch, labels=batch).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    model.save_pretrained(base)


@pytest.fixture(scope="module")
def workspace(small_author: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our own run and scores of the fluent model, and the shipped tasks with answers of 80 tokens."""
    workspace = copy_workspace(small_author, tmp_path_factory.mktemp("agreement") / "w")
    base = build_tiny_llama(workspace / "results" / "bases" / "fluent")
    teach(base, references.load("marlow", workspace))
    shipped = Path(__file__).parents[1] / "tasks" / "stylo"
    shutil.copytree(shipped, workspace / "tasks" / "stylo")
    for path in (workspace / "tasks" / "stylo").glob("*.yaml"):
        path.write_text(path.read_text().replace("max_gen_toks: 160", "max_gen_toks: 80"))
    (workspace / "tasks" / "suites").mkdir()
    (workspace / "tasks" / "suites" / "agreement.yaml").write_text(SUITE)
    for verb in ("run", "score"):
        assert invoke(["--workspace", str(workspace), verb, "agreement"]) == 0
    return workspace


@pytest.fixture(scope="module")
def bench(workspace: Path) -> Bench:
    return open_bench("agreement", workspace)


@pytest.fixture(scope="module")
def theirs(workspace: Path, bench: Bench) -> dict[str, float]:
    """lm-eval's numbers by metric."""
    import lm_eval
    from lm_eval.tasks import TaskManager

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workspace)
        patch.setenv("STYLOBENCH_DOCUMENTS", "16")
        patch.delenv("STYLOBENCH_AUTHOR", raising=False)
        lmeval.reference.cache_clear()
        found: Any = lm_eval.simple_evaluate(
            model="hf",
            model_args={
                "pretrained": str(workspace / "results" / "bases" / "fluent"),
                "dtype": "float32",
                "softmax_dtype": "float32",
            },
            tasks=[f"stylo_{name}" for name in TASKS],
            batch_size=1,
            device="cpu",
            use_cache=None,
            cache_requests=False,
            bootstrap_iters=0,
            apply_chat_template=True,
            system_instruction=bench.asked.system,
            task_manager=TaskManager(include_path=str(workspace / "tasks" / "stylo"), include_defaults=False),
        )
        lmeval.reference.cache_clear()
    return {
        key.removesuffix(",none"): value
        for metrics in found["results"].values()
        for key, value in metrics.items()
        if key.endswith(",none") and "stderr" not in key
    }


def test_lm_eval_ran_every_task(theirs: dict[str, float], bench: Bench) -> None:
    wanted = {metric for task in bench.asked.tasks for metric in task.metrics}
    assert set(theirs) - {"alias"} >= wanted - UNKNOWN
    assert math.isnan(theirs["truncated"])


@pytest.mark.parametrize(
    "metric",
    ["bits_per_byte", "byte_perplexity", "word_perplexity", "bits_per_byte_others", "bits_per_byte_train"],
)
def test_likelihoods_agree(metric: str, theirs: dict[str, float], bench: Bench) -> None:
    ours = summaries.summarise(bench.table(), "fluent", metric)
    assert ours.n == (8 if metric == "bits_per_byte_train" else 16)
    assert ours.value == pytest.approx(theirs[metric], rel=1e-6)


def test_in_the_template_lm_eval_counts_the_last_line_break_as_text(
    theirs: dict[str, float], bench: Bench, workspace: Path
) -> None:
    """It moves white space that ends a context into the target. Scored the same way, the numbers agree."""
    model = HFModel(workspace / "results" / "bases" / "fluent", dtype="float32", device="cpu")
    prefix = render(
        model.tokenizer, conversation(bench.asked.system, IN_TEMPLATE_REQUEST), add_generation_prompt=True
    )
    assert prefix.endswith("assistant\n")
    documents = [d for d in bench.asked.documents if d.set == "heldout"]
    size = sum(len(d.text.encode()) for d in documents)

    def pooled(before: str, first: str) -> float:
        requests = [LikelihoodRequest(d.id, first + d.text, before) for d in documents]
        return -sum(found.loglik for found in model.loglikelihood(requests, 512, 1)) / (size * math.log(2))

    ours = summaries.summarise(bench.table(), "fluent", "bits_per_byte_in_template").value
    assert pooled(prefix, "") == pytest.approx(ours, rel=1e-6)
    assert pooled(prefix.rstrip(), "\n") == pytest.approx(theirs["bits_per_byte_in_template"], rel=1e-6)


def test_answers_agree_and_so_does_everything_measured_on_them(
    theirs: dict[str, float], bench: Bench
) -> None:
    table = bench.table()
    invalid = summaries.summarise(table, "fluent", "invalid")
    assert invalid.value < 0.5, "too few valid answers to compare anything on"
    answered = [task for task in bench.asked.tasks if task.metadata.needs == "responses"]
    metrics = [metric for task in answered for metric in task.metrics if metric not in UNKNOWN]
    assert len(metrics) > 15
    ours = {metric: summaries.summarise(table, "fluent", metric).value for metric in metrics}
    # Thirty words are too few for a moving window of fifty; both sides say so.
    assert {metric for metric, value in ours.items() if math.isnan(value)} == {"mattr"}
    expected = {metric: theirs[metric] for metric in metrics}
    assert ours == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True)
