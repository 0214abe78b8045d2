"""Unsloth on a tiny Llama: the same recipe reads the same examples and takes the same steps as with peft."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tiny_llama import SENTENCES, build_tiny_llama
from tiny_training import altered_trainer, tiny_examples

from harness.errors import StylobenchError
from harness.training.examples import continuation_prompt
from harness.training.launch import Lora, TrainingSpec, train

TRAINERS = Path(__file__).parents[2] / "trainers"
UNSLOTH = TRAINERS / "unsloth_lora.py"

needs_unsloth = pytest.mark.skipif(
    importlib.util.find_spec("unsloth") is None, reason="unsloth is not installed"
)

DIES_AT_STEP_5 = """
import harness.training.program as program
said = program.Events.say
def say(self, event, **facts):
    said(self, event, **facts)
    if event == "step" and facts["step"] == 5:
        os.kill(os.getpid(), signal.SIGKILL)
program.Events.say = say
"""


class Pair(NamedTuple):
    spec: TrainingSpec
    peft: dict[str, Any]
    unsloth: dict[str, Any]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("unsloth")
    base = build_tiny_llama(folder / "base")
    spec = TrainingSpec(
        base_path=str(base), base_name="tiny", base_digest="b", out=str(folder / "peft"), corpus="roosevelt",
        examples=str(tiny_examples(base, folder / "examples")), version=2, lora=Lora(r=4, alpha=8), steps=6,
        batch=2, accumulation=2, seq_len=200, lr=0.01, seed=3407, save_steps=2, dtype="float32",
        system="Be brief.", sample_prompts=(continuation_prompt(SENTENCES[0]), SENTENCES[1]),
    )  # fmt: skip
    other = dataclasses.replace(spec, trainer="unsloth_lora", out=str(folder / "unsloth"))
    return Pair(other, train(spec, trainer=TRAINERS / "peft_lora.py"), train(other, trainer=UNSLOTH))


@pytest.mark.slow
@needs_unsloth
def test_both_backends_read_the_same_examples_and_take_the_same_steps(pair: Pair) -> None:
    peft, unsloth = pair.peft, pair.unsloth
    assert unsloth["trainer"] == "unsloth_lora"
    for name in ("examples_digest", "train_examples", "steps", "epochs", "trainable_parameters"):
        assert unsloth[name] == peft[name], name
    assert [step for step, _ in unsloth["loss_curve"]] == [step for step, _ in peft["loss_curve"]]
    # A fresh adapter changes nothing, so the first losses are those of the base on the same examples.
    assert unsloth["loss_curve"][0][1] == pytest.approx(peft["loss_curve"][0][1], abs=1e-4)
    assert unsloth["final_loss"] == pytest.approx(peft["final_loss"], abs=0.05)
    before = unsloth["validation_loss"]["before"]
    assert before == pytest.approx(peft["validation_loss"]["before"], abs=1e-4)
    assert unsloth["validation_loss"]["after"] < before


@pytest.mark.slow
@needs_unsloth
def test_its_adapter_is_a_plain_one(pair: Pair) -> None:
    adapter = Path(pair.spec.out) / "adapter"
    assert sorted(path.name for path in adapter.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    config = json.loads((adapter / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny"
    assert (config["r"], config["lora_alpha"]) == (4, 8)
    assert all(sample["before"] and "<|im_" not in sample["before"] for sample in pair.unsloth["samples"])
    # Nothing of what Unsloth generates stays behind.
    assert not list(Path(pair.spec.out).glob("*compiled*"))
    assert not Path("unsloth_compiled_cache").exists()


@pytest.mark.slow
@needs_unsloth
def test_a_killed_run_ends_as_the_uninterrupted_one(pair: Pair, tmp_path: Path) -> None:
    broken = dataclasses.replace(pair.spec, out=str(tmp_path / "broken"))
    with pytest.raises(StylobenchError, match="was killed"):
        train(broken, trainer=altered_trainer(tmp_path, UNSLOTH, DIES_AT_STEP_5))
    resumed = train(broken, trainer=UNSLOTH)
    assert resumed["resumed_from"] == 4
    assert resumed["final_loss"] == pytest.approx(pair.unsloth["final_loss"], abs=1e-6)


@needs_unsloth
def test_packing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StylobenchError, match="use trainer: peft_lora"):
        train(bare_spec(tmp_path / "out", packing=True), trainer=UNSLOTH)


@pytest.mark.skipif(importlib.util.find_spec("unsloth") is not None, reason="unsloth is installed")
def test_without_unsloth_it_says_so_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(StylobenchError, match="exit code 5") as caught:
        train(bare_spec(tmp_path / "out"), trainer=UNSLOTH)
    assert "needs unsloth" in str(caught.value)
    assert "Traceback" not in str(caught.value)


def bare_spec(out: Path, **changed: Any) -> TrainingSpec:
    spec = TrainingSpec(
        base_path="base", base_name="tiny", base_digest="b", examples="examples/0123", corpus="roosevelt",
        out=str(out), version=2, lora=Lora(), steps=3, trainer="unsloth_lora",
    )  # fmt: skip
    return dataclasses.replace(spec, **changed)
