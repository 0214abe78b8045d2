"""The trainer as a program, on a tiny Llama: the record it leaves, and going on after a kill.

A child process costs some ten seconds of imports, so five runs are shared by all tests: one whole, one
killed between two checkpoints, one killed while it wrote one, and their continuations.
"""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tiny_llama import SENTENCES, build_tiny_llama
from tiny_training import altered_trainer, tiny_examples

from harness.errors import StylobenchError
from harness.training.checkpoints import newest_complete
from harness.training.examples import continuation_prompt
from harness.training.launch import Lora, TrainingSpec, train

TRAINER = Path(__file__).parents[2] / "trainers" / "peft_lora.py"

# The trainer, made to die without warning: in the middle of step 5, past the checkpoint of step 4 ...
DIES_AT_STEP_5 = """
import harness.training.program as program
said = program.Events.say
def say(self, event, **facts):
    said(self, event, **facts)
    if event == "step" and facts["step"] == 5:
        os.kill(os.getpid(), signal.SIGKILL)
program.Events.say = say
"""
# ... or with half of the optimiser's state of step 4 on the disk.
DIES_WRITING_CHECKPOINT_4 = """
import torch
saved = torch.save
def save(value, path, *rest, **named):
    saved(value, path, *rest, **named)
    if "checkpoint-4" in str(path) and str(path).endswith("optimizer.pt"):
        os.truncate(path, os.path.getsize(path) // 2)
        os.kill(os.getpid(), signal.SIGKILL)
torch.save = save
"""

# ... or past the last checkpoint, before there is an adapter or a record.
DIES_BEFORE_THE_RECORD = """
import harness.training.program as program
said = program.Events.say
def say(self, event, **facts):
    said(self, event, **facts)
    if event == "evaluate":
        os.kill(os.getpid(), signal.SIGKILL)
program.Events.say = say
"""
# ... or once step 4 was written and an older checkpoint has made room for it, before it is marked.
DIES_MARKING_CHECKPOINT_4 = """
import harness.training.loop as loop
marked = loop.mark_complete
def mark(folder):
    if folder.name == "checkpoint-4":
        os.kill(os.getpid(), signal.SIGKILL)
    return marked(folder)
loop.mark_complete = mark
"""


class Runs(NamedTuple):
    spec: TrainingSpec
    whole: dict[str, Any]
    events: list[dict[str, Any]]
    killed: str
    resumed: dict[str, Any]
    resumed_events: list[dict[str, Any]]
    resumed_spec: TrainingSpec
    rewritten: dict[str, Any]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("peft_lora")
    base = build_tiny_llama(folder / "base")
    examples = tiny_examples(base, folder / "examples")
    spec = TrainingSpec(
        base_path=str(base),
        base_name="tiny",
        base_digest="b",
        examples=str(examples),
        out=str(folder / "whole"),
        corpus="roosevelt",
        version=2,
        lora=Lora(r=4, alpha=8, dropout=0.2),  # dropout, so that resuming needs the random state too
        steps=7,
        batch=2,
        accumulation=2,
        seq_len=200,
        lr=0.01,
        schedule="cosine",
        warmup_steps=2,
        seed=3,
        save_steps=2,
        dtype="float32",
        system="Be brief.",
        sample_prompts=tuple(continuation_prompt(sentence) for sentence in SENTENCES[:3]),
    )
    events: list[dict[str, Any]] = []
    whole = train(spec, trainer=TRAINER, on_event=events.append)

    broken = dataclasses.replace(spec, out=str(folder / "broken"))
    with pytest.raises(StylobenchError) as killed:
        train(broken, trainer=altered_trainer(folder, TRAINER, DIES_AT_STEP_5))
    # A newer folder without its marker is never gone on from, whatever is in it.
    half = folder / "broken" / "checkpoints" / spec.resumable()[:16] / "checkpoint-6"
    half.mkdir()
    (half / "trainer_state.json").write_text("{")
    resumed_events: list[dict[str, Any]] = []
    resumed = train(broken, trainer=TRAINER, on_event=resumed_events.append)

    halved = dataclasses.replace(spec, out=str(folder / "halved"))
    with pytest.raises(StylobenchError, match="was killed"):
        train(halved, trainer=altered_trainer(folder, TRAINER, DIES_WRITING_CHECKPOINT_4))
    assert (folder / "halved" / "checkpoints" / spec.resumable()[:16] / "checkpoint-4").is_dir()
    rewritten = train(halved, trainer=TRAINER)
    return Runs(spec, whole, events, str(killed.value), resumed, resumed_events, broken, rewritten)


def test_record_says_what_was_done(runs: Runs) -> None:
    record = runs.whole
    assert (record["base"], record["base_digest"]) == ("tiny", "b")
    assert (record["corpus"], record["version"], record["seed"]) == ("roosevelt", 2, 3)
    assert record["examples_digest"] == Path(runs.spec.examples).name
    assert (record["steps"], record["train_examples"], record["validation_examples"]) == (7, 13, 3)
    assert record["epochs"] == pytest.approx(28 / 13)
    # q, k, v, o are 32x32, gate and up 32x64, down 64x32: r (in + out) parameters each, in two layers.
    assert record["trainable_parameters"] == 2 * 4 * (4 * 64 + 3 * 96)
    assert record["minutes"] > 0
    assert record["peak_memory_gb"] > 0.05
    assert {"torch", "transformers", "peft", "trl"} <= record["versions"].keys()
    assert record["versions"]["trl"] == "1.14.2"


def test_losses_are_under_honest_names(runs: Runs) -> None:
    record = runs.whole
    curve = [loss for _, loss in record["loss_curve"]]
    assert [step for step, _ in record["loss_curve"]] == [1, 2, 3, 4, 5, 6, 7]
    assert record["mean_loss"] == pytest.approx(sum(curve) / 7)
    assert record["final_loss"] == curve[-1]
    assert curve[-1] < curve[0]
    before, after = record["validation_loss"]["before"], record["validation_loss"]["after"]
    assert before == pytest.approx(math.log(400), abs=0.5)  # a random model knows nothing but the vocabulary
    assert after < before


def test_samples_are_before_and_after(runs: Runs) -> None:
    samples = runs.whole["samples"]
    assert [sample["prompt"] for sample in samples] == list(runs.spec.sample_prompts)
    assert any(sample["before"] != sample["after"] for sample in samples)
    assert all(sample["before"] and "<|im_" not in sample["before"] for sample in samples)


def test_adapter_is_safetensors_with_no_path_of_this_machine(runs: Runs) -> None:
    adapter = Path(runs.spec.out) / "adapter"
    assert sorted(path.name for path in adapter.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    config = json.loads((adapter / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny"
    assert config["target_modules"] == sorted(config["target_modules"])
    size = (adapter / "adapter_model.safetensors").stat().st_size
    assert runs.whole["adapter_mb"] == pytest.approx(size / 1e6)


def test_saved_adapter_gives_the_recorded_validation_loss(runs: Runs) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from harness.training.examples import load_examples

    base = AutoModelForCausalLM.from_pretrained(runs.spec.base_path, dtype=torch.float32)
    model = PeftModel.from_pretrained(base, Path(runs.spec.out) / "adapter").eval()
    total, n_tokens = 0.0, 0
    for example in load_examples(Path(runs.spec.examples)).examples:
        if example.split == "validation":
            ids, labels = torch.tensor([example.input_ids]), torch.tensor([example.labels])
            with torch.inference_mode():
                mean = float(model(input_ids=ids, labels=labels).loss)
            here = sum(label != -100 for label in example.labels)
            total, n_tokens = total + mean * here, n_tokens + here
    assert runs.whole["validation_loss"]["after"] == pytest.approx(total / n_tokens, abs=1e-5)


def test_events_tell_the_run(runs: Runs) -> None:
    assert runs.events[0] == {"event": "start", "steps": 7, "step": 0, "resumed": False}
    steps = [event for event in runs.events if event["event"] == "step"]
    assert [event["step"] for event in steps] == [1, 2, 3, 4, 5, 6, 7]
    assert all(event["steps"] == 7 and event["seconds"] > 0 for event in steps)
    assert runs.events[-1]["event"] == "done"


def test_stderr_is_quiet(runs: Runs) -> None:
    assert (Path(runs.spec.out) / "trainer.log").read_text() == ""


def test_checkpoints_are_gone_once_the_record_is_there(runs: Runs) -> None:
    assert not (Path(runs.spec.out) / "checkpoints").exists()


def test_killed_run_says_it_was_killed(runs: Runs) -> None:
    assert "was killed" in runs.killed


def test_resumed_run_ends_as_the_uninterrupted_one(runs: Runs) -> None:
    assert runs.resumed["resumed_from"] == 4
    assert runs.resumed_events[0] == {"event": "start", "steps": 7, "step": 4, "resumed": True}
    assert [event["step"] for event in runs.resumed_events if event["event"] == "step"] == [5, 6, 7]
    assert runs.resumed["loss_curve"][:4] == runs.whole["loss_curve"][:4]
    assert runs.resumed["final_loss"] == pytest.approx(runs.whole["final_loss"], abs=1e-6)
    assert runs.resumed["mean_loss"] == pytest.approx(runs.whole["mean_loss"], abs=1e-6)
    assert runs.resumed["validation_loss"]["after"] == pytest.approx(
        runs.whole["validation_loss"]["after"], abs=1e-6
    )


def test_resumed_run_tells_lost_time_apart(runs: Runs) -> None:
    assert runs.whole["minutes_lost"] == 0
    assert 0 < runs.resumed["minutes_lost"] < 1
    assert runs.resumed["minutes"] > 0


def test_run_killed_while_it_wrote_a_checkpoint_goes_on_from_the_one_before(runs: Runs) -> None:
    assert runs.rewritten["resumed_from"] == 2
    assert runs.rewritten["final_loss"] == pytest.approx(runs.whole["final_loss"], abs=1e-6)
    assert runs.rewritten["mean_loss"] == pytest.approx(runs.whole["mean_loss"], abs=1e-6)


def test_run_killed_after_its_last_step_takes_no_further_one(runs: Runs, tmp_path: Path) -> None:
    ended = dataclasses.replace(runs.spec, out=str(tmp_path / "ended"))
    with pytest.raises(StylobenchError, match="was killed"):
        train(ended, trainer=altered_trainer(tmp_path, TRAINER, DIES_BEFORE_THE_RECORD))
    events: list[dict[str, Any]] = []
    record = train(ended, trainer=TRAINER, on_event=events.append)
    assert (record["steps"], record["resumed_from"]) == (7, 7)
    assert record["loss_curve"] == runs.whole["loss_curve"]
    assert record["adapter_digest"] == runs.whole["adapter_digest"]
    assert record["validation_loss"] == runs.whole["validation_loss"]
    assert record["samples"] == runs.whole["samples"]
    assert record["minutes"] > 0
    assert record["tokens_per_second"] is None  # this process read none
    assert [event["event"] for event in events] == ["start", "evaluate", "evaluate", "done"]
    assert events[0] == {"event": "start", "steps": 7, "step": 7, "resumed": True}


def test_a_limit_of_one_leaves_a_whole_checkpoint_at_any_moment(runs: Runs, tmp_path: Path) -> None:
    limited = dataclasses.replace(runs.spec, out=str(tmp_path / "limited"), save_total_limit=1)
    with pytest.raises(StylobenchError, match="was killed"):
        train(limited, trainer=altered_trainer(tmp_path, TRAINER, DIES_MARKING_CHECKPOINT_4))
    checkpoints = tmp_path / "limited" / "checkpoints" / limited.resumable()[:16]
    assert newest_complete(checkpoints) == checkpoints / "checkpoint-2"


def test_record_says_what_it_took(runs: Runs) -> None:
    record = runs.whole
    assert record["trainer"] == "peft_lora"
    assert record["tokens_per_second"] > 0
    assert record["training_memory_gb"] == pytest.approx(record["peak_memory_gb"] - record["base_memory_gb"])
    assert 0 <= record["training_memory_gb"] < record["peak_memory_gb"]
    for absent in ("driver", "gpu_hours", "card_percent", "kept", "under_ceiling"):  # no GPU, nothing chosen
        assert record[absent] is None
    assert record["validation_curve"] == record["degraded"] == []


def test_same_spec_is_not_trained_again(runs: Runs) -> None:
    def refuse(event: dict[str, Any]) -> None:
        raise AssertionError(f"the trainer was started: {event}")

    assert train(runs.resumed_spec, trainer=TRAINER, on_event=refuse) == runs.resumed
