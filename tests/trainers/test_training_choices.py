"""What a spec can choose, on a tiny Llama: the best checkpoint, packing, whole modules, two processes."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tiny_llama import build_tiny_llama
from tiny_training import altered_trainer, tiny_examples

from harness.errors import StylobenchError
from harness.training.launch import Lora, TrainingSpec, train

TRAINER = Path(__file__).parents[2] / "trainers" / "peft_lora.py"

# A card that from step 3 on holds two examples at a time.
FULL_FROM_STEP_3 = """
import torch
from trl import SFTTrainer
stepped = SFTTrainer.training_step
def step(self, model, inputs, *rest):
    if self.state.global_step >= 2 and len(inputs["input_ids"]) > 2:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
    return stepped(self, model, inputs, *rest)
SFTTrainer.training_step = step
"""
# The same card twice: the second process has no room for its share of three examples.
SECOND_IS_FULL = FULL_FROM_STEP_3.replace("if self", "if os.environ.get('RANK') == '1' and self")
DIES_AT_STEP_3 = """
import harness.training.program as program
said = program.Events.say
def say(self, event, **facts):
    said(self, event, **facts)
    if event == "step" and facts["step"] == 3:
        os.kill(os.getpid(), signal.SIGKILL)
program.Events.say = say
"""
# Learns until step 4 and then only forgets: the last checkpoint is not the best.
FORGETS_AFTER_STEP_4 = """
import harness.training.progress as progress
seen = progress.validate
def validate(model, *rest):
    found = seen(model, *rest)
    step = len(steps) * 2 + 2
    steps.append(step)
    return type(found)(found.loss + max(0, step - 4), found.bits_per_byte)
steps = []
progress.validate = validate
"""


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> TrainingSpec:
    folder = tmp_path_factory.mktemp("choices")
    base = build_tiny_llama(folder / "base")
    return TrainingSpec(
        base_path=str(base), base_name="tiny", base_digest="b", out=str(folder / "whole"), corpus="roosevelt",
        examples=str(tiny_examples(base, folder / "examples")), version=2, lora=Lora(r=4, alpha=8), steps=6,
        batch=4, accumulation=1, seq_len=200, lr=0.01, seed=3, save_steps=2, dtype="float32",
        system="Be brief.",
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(spec: TrainingSpec) -> dict[str, Any]:
    return train(spec, trainer=TRAINER)


def again(spec: TrainingSpec, name: str, **changed: Any) -> TrainingSpec:
    return dataclasses.replace(spec, out=str(Path(spec.out).with_name(name)), **changed)


def load_trainer() -> Any:
    """The program as a module."""
    module = importlib.util.spec_from_file_location("peft_lora", TRAINER)
    assert module is not None
    assert module.loader is not None
    trainer = importlib.util.module_from_spec(module)
    module.loader.exec_module(trainer)
    return trainer


def losses(record: dict[str, Any]) -> list[float]:
    return [loss for _, loss in record["loss_curve"]]


def test_out_of_memory_goes_on_from_the_checkpoint_with_smaller_batches(
    spec: TrainingSpec, whole: dict[str, Any], tmp_path: Path
) -> None:
    heard: list[dict[str, Any]] = []
    full = again(spec, "full")
    record = train(full, trainer=altered_trainer(tmp_path, TRAINER, FULL_FROM_STEP_3), on_event=heard.append)
    assert record["degraded"] == ["batch 4 x 1 -> 2 x 2"]
    assert record["resumed_from"] == 2
    assert [event["event"] for event in heard].count("retry") == 1
    assert losses(record) == pytest.approx(losses(whole), abs=1e-4)
    assert record["spec_digest"] == full.digest() != record["attempt_digest"]


@pytest.mark.slow
def test_two_processes_take_the_same_steps_as_one(spec: TrainingSpec, whole: dict[str, Any]) -> None:
    heard: list[dict[str, Any]] = []
    record = train(again(spec, "two", devices=(0, 1)), trainer=TRAINER, on_event=heard.append)
    assert record["devices"] == 2
    assert losses(record)[:3] == pytest.approx(losses(whole)[:3], abs=1e-5)
    # The epoch's last step has one example for two processes: accelerate gives the idle one the first again.
    assert losses(record) == pytest.approx(losses(whole), abs=0.02)
    assert [event["step"] for event in heard if event["event"] == "step"] == [
        1,
        2,
        3,
        4,
        5,
        6,
    ]  # rank 0 alone
    assert [event["event"] for event in heard].count("done") == 1


@pytest.mark.slow
def test_one_of_two_processes_out_of_memory_starts_both_again(spec: TrainingSpec, tmp_path: Path) -> None:
    # No checkpoint before it is full: torch cannot read one back onto the "cpu:0" of several CPU processes.
    both = again(spec, "second_full", devices=(0, 1), batch=6, steps=4, save_steps=100)
    record = train(both, trainer=altered_trainer(tmp_path, TRAINER, SECOND_IS_FULL))
    assert record["degraded"] == ["batch 6 x 1 -> 3 x 2", "batch 3 x 2 -> 1 x 6"]
    assert record["steps"] == 4


def test_best_checkpoint_is_kept_and_not_the_last(spec: TrainingSpec, tmp_path: Path) -> None:
    best = again(spec, "best", keep="best_validation", max_copied=0.5)
    record = train(best, trainer=altered_trainer(tmp_path, TRAINER, FORGETS_AFTER_STEP_4))
    assert [look["step"] for look in record["validation_curve"]] == [2, 4, 6]
    assert record["kept"]["step"] == 4
    assert record["under_ceiling"] is True
    assert record["kept"]["longest_run"] < 50
    # What is measured at the end is what was seen at step 4, and not what came after.
    assert record["validation_loss"]["after"] == pytest.approx(record["kept"]["loss"], abs=1e-6)
    assert record["final_loss"] == record["loss_curve"][-1][1]


@pytest.mark.slow
def test_looking_changes_nothing(spec: TrainingSpec, whole: dict[str, Any]) -> None:
    dropping = dataclasses.replace(spec.lora, dropout=0.2)
    plain = train(again(spec, "plain", lora=dropping), trainer=TRAINER)
    watched = train(again(spec, "watched", lora=dropping, eval_steps=2), trainer=TRAINER)
    assert losses(watched) == losses(plain) != losses(whole)
    assert watched["validation_loss"] == plain["validation_loss"]
    assert watched["kept"] is None
    assert watched["validation_curve"][-1]["loss"] == pytest.approx(watched["validation_loss"]["after"])


def test_packing_reads_the_same_text_in_fewer_rows(spec: TrainingSpec) -> None:
    record = train(again(spec, "packed", packing=True, batch=1, seq_len=400, steps=2), trainer=TRAINER)
    assert record["epochs"] > 2 / 13
    assert losses(record)[0] == pytest.approx(6.0, abs=0.1)


@pytest.mark.slow
def test_whole_modules_are_trained_saved_and_gone_on_from(spec: TrainingSpec) -> None:
    lora = Lora(r=4, alpha=8, bias="none", modules_to_save=("embed_tokens",))
    first = again(spec, "first", lora=lora, steps=3)
    record = train(first, trainer=TRAINER)
    adapter = Path(first.out) / "adapter"
    config = json.loads((adapter / "adapter_config.json").read_text())
    assert config["modules_to_save"] == ["embed_tokens"]
    assert record["trainable_parameters"] > 400 * 32
    second = train(again(spec, "second", lora=lora, steps=3, continue_from=str(adapter)), trainer=TRAINER)
    assert losses(second)[0] < losses(record)[0] - 0.01
    assert second["validation_loss"]["after"] < record["validation_loss"]["after"]
    with pytest.raises(StylobenchError, match="its r is 4, and the recipe's 8"):
        train(
            again(spec, "third", lora=dataclasses.replace(lora, r=8), continue_from=str(adapter)),
            trainer=TRAINER,
        )


def test_before_is_the_base_also_where_its_own_biases_are_trained(spec: TrainingSpec, tmp_path: Path) -> None:
    """Taking the adapter off leaves trained biases on: measured afterwards, ``before`` would be better."""
    base = build_tiny_llama(tmp_path / "biased", attention_bias=True)
    asked = dataclasses.replace(
        spec, base_path=str(base), sample_prompts=("Why?",), eval_steps=6, lr=0.05, save_steps=100
    )
    plain = train(again(asked, "unbiased"), trainer=TRAINER)
    lora = dataclasses.replace(spec.lora, bias="all")
    record = train(again(asked, "all_biases", lora=lora), trainer=TRAINER)
    assert record["validation_loss"]["before"] == plain["validation_loss"]["before"]
    assert record["samples"][0]["before"] == plain["samples"][0]["before"]
    assert record["validation_loss"]["after"] < record["validation_loss"]["before"]
    assert record["validation_loss"]["after"] == pytest.approx(record["validation_curve"][-1]["loss"])


def test_a_resumed_run_keeps_what_was_measured_of_the_base(spec: TrainingSpec, tmp_path: Path) -> None:
    lora = dataclasses.replace(spec.lora, bias="all")
    asked = again(spec, "biased_again", lora=lora, sample_prompts=("Why?",))
    heard: list[str] = []
    with pytest.raises(StylobenchError):
        train(
            asked,
            trainer=altered_trainer(tmp_path, TRAINER, DIES_AT_STEP_3),
            on_event=lambda event: heard.append(event.get("model", "")),
        )
    (kept,) = (Path(asked.out) / "checkpoints").glob("*/before.json")
    kept.write_text(json.dumps({"loss": 7.25, "answers": ["as it was"]}))
    record = train(asked, trainer=TRAINER, on_event=lambda event: heard.append(event.get("model", "")))
    assert record["resumed_from"] == 2
    assert [name for name in heard if name] == ["before", "after"]
    assert record["validation_loss"]["before"] == 7.25
    assert record["samples"][0]["before"] == "as it was"
    assert not kept.exists()


@pytest.mark.slow
@pytest.mark.parametrize("targets", [("q_proj", "lm_head"), ".*q_proj|lm_head"])
def test_a_lora_on_the_head_is_trained(spec: TrainingSpec, targets: tuple[str, ...] | str) -> None:
    lora = Lora(r=4, alpha=8, targets=targets)
    record = train(again(spec, f"head_{len(targets)}", lora=lora), trainer=TRAINER)
    assert record["trainable_parameters"] == 4 * (32 + 400) + 2 * 4 * (32 + 32)
    assert losses(record)[-1] < losses(record)[0]
    assert record["validation_loss"]["after"] < record["validation_loss"]["before"]


def test_a_trained_head_takes_the_loss_over_all_logits(spec: TrainingSpec) -> None:
    loss = {
        targets: load_trainer().settings(dataclasses.replace(spec, lora=Lora(targets=targets)))["loss_type"]
        for targets in ("all-linear", ("q_proj",), ("q_proj", "lm_head"), ".*q_proj|lm_head")
    }
    assert list(loss.values()) == ["chunked_nll", "chunked_nll", "nll", "nll"]


def test_leaving_out_casts_changes_nothing_under_autocast(spec: TrainingSpec) -> None:
    import torch

    trainer = load_trainer()
    here = dataclasses.replace(spec, dtype="bfloat16")
    torch.manual_seed(0)
    model = trainer.add_lora(trainer.load_base(here), here).eval()
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    ids = torch.arange(20, 60)[None]

    def gradients(wanted: bool) -> list[Any]:
        model.zero_grad()
        with trainer.without_casts(model, wanted), torch.autocast("cpu", torch.bfloat16):
            model(input_ids=ids, labels=ids).loss.backward()
        return [weight.grad.clone() for weight in model.parameters() if weight.requires_grad]

    with_them, without = gradients(False), gradients(True)
    assert len(without) > 10
    assert all(torch.equal(one, other) for one, other in zip(with_them, without, strict=True))
    # Outside autocast they are needed, and looks have them.
    with torch.inference_mode(), trainer.without_casts(model):
        with pytest.raises(RuntimeError):
            model(input_ids=ids)
        with trainer.looked_at(model, here):
            assert model(input_ids=ids).logits.isfinite().all()


@pytest.mark.parametrize("changed", [{"load_in_4bit": True}, {"optimizer": "paged_adamw_8bit"}])
def test_what_needs_a_gpu_is_refused_in_one_line(spec: TrainingSpec, changed: dict[str, Any]) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(StylobenchError, match="needs a CUDA device, and there is none here"):
        train(again(spec, "gpu", **changed), trainer=TRAINER)


@pytest.mark.parametrize(
    ("method", "changed", "complaint"),
    [
        ("bitsandbytes", {}, "the quantised base tiny needs a CUDA device"),
        ("mxfp4", {"load_in_4bit": True}, "stored as MXFP4, which has no 4-bit training"),
    ],
)
def test_quantised_bases_are_refused_where_they_cannot_train(
    spec: TrainingSpec, tmp_path: Path, method: str, changed: dict[str, Any], complaint: str
) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    base = shutil.copytree(spec.base_path, tmp_path / "base")
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(config | {"quantization_config": {"quant_method": method}}))
    with pytest.raises(StylobenchError, match=complaint):
        train(again(spec, method, base_path=str(base), **changed), trainer=TRAINER)


def test_damaged_examples_are_refused(spec: TrainingSpec, tmp_path: Path) -> None:
    copied = shutil.copytree(spec.examples, tmp_path / Path(spec.examples).name)
    facts = json.loads((copied / "examples.json").read_text())
    (copied / "examples.json").write_text(json.dumps(facts | {"digest": "0" * 64}))
    with pytest.raises(StylobenchError, match="is damaged"):
        train(again(spec, "damaged", examples=str(copied)), trainer=TRAINER)


def test_tensorboard_gets_the_losses_and_changes_none(spec: TrainingSpec, whole: dict[str, Any]) -> None:
    drawn = again(spec, "drawn", tensorboard=True)
    record = train(drawn, trainer=TRAINER)
    assert losses(record) == losses(whole)
    assert record["spec_digest"] == whole["spec_digest"]
    (events,) = (Path(drawn.out) / "tensorboard").glob("events.out.tfevents.*")
    assert b"train/loss" in events.read_bytes()


@pytest.mark.parametrize(("bias", "dtype"), [("none", "float32"), ("all", "bfloat16")])
def test_a_run_that_keeps_its_best_look_goes_on_from_its_own_weights(
    spec: TrainingSpec, tmp_path: Path, bias: str, dtype: str
) -> None:
    """A best look's adapter beside a checkpoint's own must not be loaded in its place."""
    asked = dataclasses.replace(
        spec, keep="best_validation", max_copied=0.5, milestones=(1, 3, 5), dtype=dtype,
        lora=dataclasses.replace(spec.lora, bias=bias), sample_prompts=("Why?",),
    )  # fmt: skip
    uninterrupted = train(again(asked, f"best_{bias}"), trainer=TRAINER)
    killed = again(asked, f"best_{bias}_killed")
    with pytest.raises(StylobenchError, match="was killed"):
        train(killed, trainer=altered_trainer(tmp_path, TRAINER, DIES_AT_STEP_3))
    resumed = train(killed, trainer=TRAINER)
    assert resumed["resumed_from"] == 2
    assert losses(resumed) == losses(uninterrupted)
    assert losses(resumed)[-1] < losses(resumed)[0]
    for told in ("validation_curve", "kept", "milestones", "adapter_digest", "samples"):
        assert resumed[told] == uninterrupted[told], told
    assert [each["step"] for each in resumed["milestones"]] == [1, 3, 5]


def test_whole_modules_train_in_16_bits_without_a_gpu(spec: TrainingSpec) -> None:
    """They are float32 while they learn, in a bfloat16 base, and answer in its bfloat16."""
    lora = Lora(r=4, alpha=8, modules_to_save=("lm_head",))
    asked = again(spec, "whole_16", lora=lora, dtype="bfloat16", eval_steps=6, sample_prompts=("Why?",))
    record = train(asked, trainer=TRAINER)
    assert record["validation_loss"]["after"] < record["validation_loss"]["before"] - 0.1
    assert record["validation_loss"]["after"] == pytest.approx(record["validation_curve"][-1]["loss"])


def test_a_milestone_asked_for_after_a_kill_is_kept_all_the_same(spec: TrainingSpec, tmp_path: Path) -> None:
    asked = again(spec, "asked_later", save_steps=2)
    with pytest.raises(StylobenchError, match="was killed"):
        train(asked, trainer=altered_trainer(tmp_path, TRAINER, DIES_AT_STEP_3))
    record = train(dataclasses.replace(asked, milestones=(1, 6)), trainer=TRAINER)
    assert record["resumed_from"] == 0
    assert [each["step"] for each in record["milestones"]] == [1]  # the sixth step is the run's own adapter
    assert train(dataclasses.replace(asked, milestones=(1, 6, 900)), trainer=TRAINER) == record
