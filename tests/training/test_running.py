"""Parts of the training loop that need no training: packing, choosing, counting, sharing a step."""

from __future__ import annotations

import dataclasses
import errno
import json
import math
from pathlib import Path
from typing import Any

import pytest
from tiny_llama import build_tokenizer

from harness.errors import ConfigurationError, StylobenchError
from harness.training.evaluation import CopyWatch, Look, best, prompt_ids, target_text
from harness.training.loop import common_settings, tokens_between
from harness.training.packing import Collate, pack
from harness.training.program import is_disk_full, is_out_of_memory
from harness.training.progress import Clock
from harness.training.spec import Lora, Share, TrainingSpec


def make_spec(**changed: Any) -> TrainingSpec:
    spec = TrainingSpec(
        base_path="base", base_name="tiny", base_digest="b", examples="examples/0123", out="out",
        corpus="roosevelt", version=2, lora=Lora(), steps=3,
    )  # fmt: skip
    return dataclasses.replace(spec, **changed)


def example(*ids: int) -> dict[str, list[int]]:
    return {"input_ids": list(ids), "labels": [-100, *ids[1:]]}


def test_packing_keeps_the_order_and_fills_rows() -> None:
    rows = pack([example(1, 2, 3), example(4, 5), example(6, 7, 8), example(9, 10, 11, 12)], 6)
    assert [row.input_ids for row in rows] == [[1, 2, 3, 4, 5], [6, 7, 8], [9, 10, 11, 12]]
    assert [row.lengths for row in rows] == [[3, 2], [3], [4]]
    assert rows[0].labels == [-100, 2, 3, -100, 5]


def test_packing_masks_a_first_token_that_the_example_before_would_predict() -> None:
    unmasked = {"input_ids": [4, 5], "labels": [4, 5]}
    assert pack([example(1, 2), unmasked], 8)[0].labels == [-100, 2, -100, 5]


def test_packed_examples_do_not_see_each_other(tiny_llama: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_llama, dtype=torch.float32).eval()
    model.config.use_cache = False  # as in training: with a cache transformers does not look at the positions
    examples = [example(*range(20, 27)), example(*range(40, 49)), example(*range(60, 65))]
    batch = Collate(0)([vars(row) for row in pack(examples, 17)])
    assert batch["input_ids"].shape == (2, 16)
    with torch.inference_mode():
        packed = model(input_ids=batch["input_ids"], position_ids=batch["position_ids"]).logits
        alone = [model(input_ids=torch.tensor([each["input_ids"]])).logits[0] for each in examples]
        unaware = model(input_ids=batch["input_ids"]).logits
    places = [packed[0, :7], packed[0, 7:16], packed[1, :5]]
    for here, there in zip(places, alone, strict=True):
        assert torch.allclose(here, there, atol=1e-5)
    # Without positions the second example does see the first: what is compared above can fail.
    assert not torch.allclose(unaware[0, 7:16], alone[1], atol=1e-3)


def test_padding_carries_no_loss() -> None:
    batch = Collate(0)([vars(row) for row in pack([example(1, 2, 3, 4), example(5, 6)], 4)])
    assert batch["labels"].tolist() == [[-100, 2, 3, 4], [-100, 6, -100, -100]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 3], [0, 1, 0, 1]]


LOOKS = [
    Look(10, 2.0, 1.0, 0.0),
    Look(20, 1.5, 0.8, 0.25),
    Look(30, 1.7, 0.9, 0.125),
    Look(40, 1.5, 0.8, 0.5),
]


@pytest.mark.parametrize(
    ("ceiling", "step"), [(None, 20), (0.5, 20), (0.2, 30), (0.0, 10)], ids=["none", "high", "low", "nothing"]
)
def test_best_is_the_lowest_loss_under_the_ceiling(ceiling: float | None, step: int) -> None:
    assert best(LOOKS, ceiling).step == step


def test_best_copies_least_where_none_is_under_the_ceiling() -> None:
    assert best(LOOKS[1:], 0.1).step == 30


class Reciter:
    """A model that answers every prompt with the given tokens."""

    device = "cpu"

    def __init__(self, said: list[int]) -> None:
        self.said = said

    def generate(self, input_ids: Any, **_: Any) -> Any:
        import torch

        return torch.cat([input_ids, torch.tensor([self.said] * len(input_ids))], dim=1)


def test_copy_watch_finds_a_recited_train_example_and_no_other() -> None:
    tokenizer = build_tokenizer()
    tokenizer.padding_side = "left"

    def row(asked: str, said: str) -> dict[str, list[int]]:
        before, after = (tokenizer(each, add_special_tokens=False)["input_ids"] for each in (asked, said))
        return {"input_ids": before + after, "labels": [-100] * len(before) + after}

    recited = (
        "the navy must be kept ready at all times because a nation that is not strong will not keep its word"
    )
    other = "we ask of every man that he should do his own work well and leave the work of others quite alone"
    train, validation = [row("Why?", recited)], [row("What?", "nobody knows"), row("Who?", "somebody")]
    assert target_text(tokenizer, train[0]) == recited
    assert tokenizer.decode(prompt_ids(train[0])) == "Why?"
    watch = CopyWatch(tokenizer, train, validation, seed=0)
    tokens = [tokenizer(each, add_special_tokens=False)["input_ids"] for each in (recited, other)]
    assert watch.copied(Reciter(tokens[0])) == (1.0, 21)
    share, longest = watch.copied(Reciter(tokens[1]))
    assert share == 0.0
    assert longest <= 3


def test_tokens_are_counted_over_epochs_with_a_short_last_step() -> None:
    lengths = [1, 10, 100, 1000, 10000]
    assert tokens_between(lengths, 2, 0, 3) == 11111
    assert tokens_between(lengths, 2, 2, 4) == 10011
    assert tokens_between(lengths, 2, 1, 1) == 0


@pytest.mark.parametrize(
    ("batch", "accumulation", "processes", "share"),
    [(4, 2, 1, Share(4, 2)), (4, 2, 2, Share(4, 1)), (8, 1, 2, Share(4, 1)), (2, 4, 4, Share(2, 1)),
     (6, 2, 3, Share(4, 1)), (4, 3, 2, Share(3, 2))],
)  # fmt: skip
def test_a_step_keeps_its_examples_on_several_devices(
    batch: int, accumulation: int, processes: int, share: Share
) -> None:
    assert make_spec(batch=batch, accumulation=accumulation).share(processes) == share
    assert share.batch * share.accumulation * processes == batch * accumulation


def test_a_step_that_cannot_be_shared_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="a step takes 4 examples, which 3 devices"):
        make_spec(batch=4).share(3)


def test_a_smaller_batch_goes_on_from_the_same_checkpoints() -> None:
    whole, halved = make_spec(batch=4, accumulation=1), make_spec(batch=2, accumulation=2)
    assert whole.resumable() == halved.resumable()
    assert whole.digest() != halved.digest()
    assert whole.resumable() != make_spec(batch=2).resumable()


def test_keys_that_came_later_count_only_off_their_default() -> None:
    spec = make_spec()
    same = [{"trainer": "peft_lora"}, {"devices": (0, 1)}, {"offload": True}, {"save_total_limit": 5}]
    assert {make_spec(**change).digest() for change in same} == {spec.digest()}
    different: list[dict[str, Any]] = [
        {"trainer": "unsloth_lora"}, {"load_in_4bit": True}, {"packing": True}, {"eval_steps": 5},
        {"optimizer": "adamw_8bit"}, {"keep": "best_validation"}, {"lora": Lora(bias="all")},
        {"lora": Lora(modules_to_save=("lm_head",))}, {"template": {"options": {"enable_thinking": False}}},
        {"keep": "best_validation", "max_copied": 0.1}, {"gradient_checkpointing": True},
    ]  # fmt: skip
    digests = {make_spec(**change).digest() for change in different}
    assert len(digests | {spec.digest()}) == len(different) + 1


def test_a_program_of_the_users_own_counts() -> None:
    own, changed = make_spec(trainer="mine", program="a1"), make_spec(trainer="mine", program="b2")
    assert len({own.digest(), changed.digest(), make_spec(trainer="mine").digest()}) == 3
    assert own.resumable() != changed.resumable()
    assert make_spec(program="").digest() == make_spec().digest()


def test_digest_of_a_spec_from_before_these_keys_has_not_moved() -> None:
    assert make_spec().digest().startswith("3d75331f0fa1bbef")


def test_save_steps_count_where_they_say_when_the_model_is_looked_at() -> None:
    assert make_spec(save_steps=5).digest() == make_spec(save_steps=50).digest()
    often, seldom = (make_spec(keep="best_validation", save_steps=steps) for steps in (5, 50))
    assert often.digest() != seldom.digest()
    assert often.resumable() != seldom.resumable()
    stated = make_spec(keep="best_validation", save_steps=50, eval_steps=5)
    assert stated.digest() == often.digest()


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
@pytest.mark.parametrize("warmup", [0, 4])
def test_every_schedule_warms_up(schedule: str, warmup: int) -> None:
    import torch
    from transformers import get_scheduler

    settings = common_settings(make_spec(schedule=schedule, warmup_steps=warmup), Path("checkpoints"))
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    rates = get_scheduler(
        settings["lr_scheduler_type"],
        optimiser,
        num_warmup_steps=settings["warmup_steps"],
        num_training_steps=20,
    )
    seen = []
    for _ in range(warmup + 1):
        seen.append(rates.get_last_lr()[0])
        optimiser.step()
        rates.step()
    assert seen == ([0.0, 0.25, 0.5, 0.75, 1.0] if warmup else [1.0])
    if schedule == "constant":
        assert rates.get_last_lr() == [1.0]


def test_digest_tells_a_constant_rate_that_warms_up_from_one_of_before_it_did() -> None:
    assert make_spec(schedule="constant", warmup_steps=0).digest().startswith("8c95fbab836e2fd0")
    assert not make_spec(schedule="constant", warmup_steps=5).digest().startswith("f6dd3d4fd4327f3c")


def test_two_checkpoints_are_kept_at_least() -> None:
    kept = [
        common_settings(make_spec(save_total_limit=limit), Path("checkpoints"))["save_total_limit"]
        for limit in (1, 2, 3)
    ]
    assert kept == [2, 2, 3]


def test_continuing_counts_the_adapter_and_not_its_place(tmp_path: Path) -> None:
    for name, weights in (("one", b"a"), ("two", b"a"), ("three", b"b")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "adapter_config.json").write_text("{}")
        (tmp_path / name / "adapter_model.safetensors").write_bytes(weights)
    one, two, three = (
        make_spec(continue_from=str(tmp_path / name)).digest() for name in ("one", "two", "three")
    )
    assert one == two
    assert len({one, three, make_spec().digest()}) == 3
    with pytest.raises(ConfigurationError, match=r"it has no adapter_config\.json"):
        make_spec(continue_from=str(tmp_path)).digest()


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"optimizer": "adamw_8bits"}, "did you mean 'adamw_8bit'"),
        ({"keep": "best"}, "did you mean 'best_validation'|have best_validation"),
        ({"lora": Lora(bias="some")}, r"lora\.bias 'some' is unknown"),
        ({"max_copied": 0.1}, "needs keep: best_validation"),
        ({"max_copied": 2.0, "keep": "best_validation"}, "a share from 0 to 1"),
        ({"save_total_limit": 0}, "save_total_limit must be at least 1"),
        ({"eval_steps": 0}, "eval_steps must be at least 1"),
        ({"devices": (0, 0)}, "names one twice"),
    ],
)
def test_values_no_trainer_could_use(changed: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        make_spec(**changed)


def test_every_key_survives_json() -> None:
    spec = make_spec(
        lora=Lora(modules_to_save=("lm_head",)), devices=(1, 0), degraded=("a",), trainer="unsloth_lora",
        keep="best_validation", max_copied=0.1, template={"options": {"enable_thinking": False}},
    )  # fmt: skip
    assert TrainingSpec.from_json(json.loads(json.dumps(dataclasses.asdict(spec)))) == spec


def test_out_of_memory_is_told_from_other_errors() -> None:
    import torch

    caused = StylobenchError("training failed")
    caused.__cause__ = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
    host = RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory")
    for error in (caused, caused.__cause__, host, MemoryError()):
        assert is_out_of_memory(error)
    for error in (RuntimeError("shapes do not match"), ValueError("out of memory"), KeyError("x")):
        assert not is_out_of_memory(error)


def test_a_full_disk_is_told_by_whoever_wrote_to_it() -> None:
    caused = RuntimeError("saving failed")
    caused.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    foreign = Exception("Error while serializing: I/O error: No space left on device (os error 28)")
    for error in (caused, foreign, OSError(errno.EDQUOT, "quota")):
        assert is_disk_full(error)
        assert not is_out_of_memory(error)
    for error in (OSError(errno.EACCES, "Permission denied"), RuntimeError("shapes do not match")):
        assert not is_disk_full(error)


def test_clock_tells_time_that_led_somewhere_from_time_lost(tmp_path: Path) -> None:
    first = Clock.begin(tmp_path, None)
    assert (first.earlier, first.lost) == (0.0, 0.0)
    first.began -= 30
    first.tick()
    checkpoint = tmp_path / "checkpoint-4"
    checkpoint.mkdir()
    (checkpoint / "elapsed.json").write_text(json.dumps({"seconds": 20.0}))
    second = Clock.begin(tmp_path, checkpoint)
    assert second.earlier == 20.0
    assert second.lost == pytest.approx(10.0, abs=1)
    second.began -= 5
    second.tick()
    assert Clock.begin(tmp_path, None).lost == pytest.approx(35.0, abs=1)
    assert not math.isnan(second.seconds)
