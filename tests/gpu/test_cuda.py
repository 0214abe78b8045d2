"""The engine and the trainer on a CUDA device; skipped with a reason where there is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_llama import build_tiny_llama

from harness.models.hf import HFModel
from harness.training.examples import build_examples, load_tokenizer, write_examples
from harness.training.launch import Lora, TrainingSpec, train
from harness.types import Decoding, GenerationRequest, LikelihoodRequest, Passage

pytestmark = pytest.mark.gpu

TRAINER = Path(__file__).parents[2] / "trainers" / "peft_lora.py"
TEXT = "The Nation must keep its word, and it must be strong enough to keep it. No man is above the law. "


@pytest.fixture(scope="module", autouse=True)
def cuda() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device on this machine")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_llama(tmp_path_factory.mktemp("models") / "tiny")


def test_likelihoods_agree_with_the_cpu(base: Path) -> None:
    asked = [LikelihoodRequest("a", TEXT * 3), LikelihoodRequest("b", TEXT)]
    here, there = HFModel(base, "float32", "cuda"), HFModel(base, "float32", "cpu")
    on_gpu, on_cpu = here.loglikelihood(asked, 64, None), there.loglikelihood(asked, 64, None)
    assert here.engine == "transformers/float32/cuda"
    for gpu, cpu in zip(on_gpu, on_cpu, strict=True):
        assert gpu.n_tokens == cpu.n_tokens
        assert gpu.loglik == pytest.approx(cpu.loglik, rel=1e-4)


def test_an_answer_does_not_depend_on_its_batch(base: Path) -> None:
    asked = [GenerationRequest(str(n), TEXT[: 20 + 5 * n], f"0/0/{n}") for n in range(6)]
    decoding = Decoding(temperature=0.8, top_p=0.95, max_tokens=12)
    model = HFModel(base, "float32", "cuda")
    together = [g.text for g in model.generate(asked, decoding)]
    alone = [model.generate([request], decoding)[0].text for request in asked]
    assert together == alone


def test_training_runs_and_records_the_card(base: Path, tmp_path: Path) -> None:
    passages = [Passage("b", n, "body", f"{TEXT} It was {n} years ago.", 25, f"d{n}", split)
                for n, split in enumerate(["train"] * 10 + ["validation"] * 2)]  # fmt: skip
    examples = build_examples(
        passages, tokenizer=load_tokenizer(base), system="", style="completion", max_length=256, seed=1
    )
    kept = write_examples(examples, tmp_path)
    spec = TrainingSpec(
        base_path=str(base), base_name="tiny", base_digest="d", examples=str(kept),
        out=str(tmp_path / "out"), corpus="c", version=1, lora=Lora(r=4, alpha=4), steps=4, batch=2,
        lr=0.01, save_steps=2, sample_prompts=("Continue this passage:\n\nThe Nation",),
    )  # fmt: skip
    record = train(spec, trainer=TRAINER)
    assert record["device"] != "cpu"
    assert record["steps"] == 4
    assert record["peak_memory_gb"] > 0
    assert json.loads((tmp_path / "out" / "record.json").read_text())["adapter_digest"]
