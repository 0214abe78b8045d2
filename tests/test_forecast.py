"""What a training will take, on cards this machine does not have."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from published_shapes import SHAPES
from scripted_bench import copy_workspace

from harness.bench import warehouse
from harness.errors import ConfigurationError, MissingPrerequisiteError
from harness.forecast import (
    Forecast,
    benchmark_remark,
    check_disk,
    disk_needed,
    forecast,
    packed_lengths,
    probed,
)
from harness.orders import Order, orders
from harness.train import specify
from harness.training.devices import Device
from harness.training.memory import PROCESS_BYTES
from harness.training.packing import pack
from harness.training.reading import load_splits
from harness.training.spec import TrainingSpec

RECIPE = "base: tiny\ncorpus: marlow@2\nlora: {r: 4}\nepochs: 2\nbatch: 8\nseq_len: 400\n"
GB = 10**9
CARDS = (
    Device(0, "NVIDIA GeForce RTX 3060", 12 * GB, 7 * GB),
    Device(1, "NVIDIA GeForce RTX 4090", 24 * GB, 23 * GB),
)
FULL = (Device(0, "NVIDIA GeForce RTX 3060", 12 * GB, GB // 10),)
CPU = (Device(-1, "the CPU", 8 * GB, 6 * GB),)


@pytest.fixture(scope="module")
def asked(
    small_author: Path, tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Order, TrainingSpec]:
    workspace = copy_workspace(small_author, tmp_path_factory.mktemp("forecast") / "w", tiny_llama)
    recipe = workspace / "trainers" / "recipes" / "x.yaml"
    recipe.parent.mkdir(parents=True, exist_ok=True)
    recipe.write_text(RECIPE)
    (order,) = orders("x", workspace, warehouse(workspace))
    return order, specify(order, warehouse(workspace), workspace)


def foresee(asked: tuple[Order, TrainingSpec], *devices: Device, wanted: tuple[int, ...] = ()) -> Forecast:
    return forecast(*asked, devices, wanted)


def test_the_emptiest_card_or_the_wanted_one_is_taken(asked: tuple[Order, TrainingSpec]) -> None:
    found = foresee(asked, *CARDS)
    assert (found.device, found.spec.devices, found.fits) == (CARDS[1], (1,), True)
    assert (found.spec.batch, found.spec.accumulation) == (8, 1)
    assert foresee(asked, *CARDS, wanted=(0,)).spec.devices == (0,)
    with pytest.raises(MissingPrerequisiteError, match="there is no device 2; have device 0"):
        foresee(asked, *CARDS, wanted=(2,))


def test_two_cards_share_a_step_and_the_run_is_the_same(asked: tuple[Order, TrainingSpec]) -> None:
    found = foresee(asked, *CARDS, wanted=(0, 1))
    assert found.spec.devices == (0, 1)
    assert found.spec.batch * found.spec.accumulation == 8
    assert found.spec.share(2).batch == 4
    assert found.spec.resumable() == asked[1].resumable()
    with pytest.raises(ConfigurationError, match="a step takes 8 examples, which 3 devices cannot share"):
        forecast(*asked, [*CARDS, replace(CARDS[0], index=2)], (0, 1, 2))


def test_steps_examples_and_time_are_counted(asked: tuple[Order, TrainingSpec]) -> None:
    found = foresee(asked, *CPU)
    facts = json.loads((Path(asked[1].examples) / "examples.json").read_text())
    assert found.examples == facts["train"]
    assert found.time.steps == 2 * math.ceil(facts["train"] / 8)
    assert found.spec.devices == ()
    assert found.time.seconds > 0
    assert (found.source, found.fault) == ("estimated", "")
    assert math.isnan(foresee(asked, replace(CARDS[0], name="Abacus 1")).time.seconds)


def test_what_does_not_fit_says_so_with_remedies(asked: tuple[Order, TrainingSpec]) -> None:
    found = foresee(asked, *FULL)
    assert not found.fits
    assert found.fault.startswith("tiny does not fit device 0 (NVIDIA GeForce RTX 3060): ")
    assert found.memory > FULL[0].free
    assert (found.spec.batch, found.spec.accumulation) == (1, 8)


def test_a_base_trained_in_4_bits_is_not_benchmarked_in_16_unsaid(
    asked: tuple[Order, TrainingSpec], tmp_path: Path
) -> None:
    order, spec = asked
    found = forecast(order, replace(spec, load_in_4bit=True), CARDS)
    assert benchmark_remark(found, "bfloat16") == (
        "trained in 4 bits, benchmarked in bfloat16: 0.0 GB of weights; "
        "`dtype: nf4` in the suite needs 0.0 GB"
    )
    assert benchmark_remark(found, "nf4") == ""
    assert benchmark_remark(foresee(asked, *CARDS), "bfloat16") == ""
    stored = shutil.copytree(order.base.path, tmp_path / "tiny-bnb-4bit")
    config = json.loads((stored / "config.json").read_text())
    packed = {"quantization_config": {"quant_method": "bitsandbytes", "bnb_4bit_quant_type": "nf4"}}
    (stored / "config.json").write_text(json.dumps(config | packed))
    there = replace(found, order=replace(order, base=replace(order.base, path=stored)))
    assert benchmark_remark(there, "bfloat16") == ""


def test_four_bits_need_cuda_whatever_the_model(asked: tuple[Order, TrainingSpec], tmp_path: Path) -> None:
    order, spec = asked
    packed = replace(spec, load_in_4bit=True)
    assert forecast(order, packed, CARDS).fits
    with pytest.raises(MissingPrerequisiteError, match="a 4-bit base needs a CUDA device"):
        forecast(order, packed, CPU)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "abacus"}))
    strange = replace(order, base=replace(order.base, path=tmp_path))
    with pytest.raises(MissingPrerequisiteError, match="a 4-bit base needs a CUDA device"):
        forecast(strange, packed, CPU)
    found = forecast(strange, spec, CARDS)
    assert found.fits
    assert math.isnan(found.memory)
    assert "does not know model type 'abacus'" in found.note
    assert found.spec.devices == (1,)


def test_the_faster_trainer_is_named_on_one_gpu_and_for_a_large_model_only(
    asked: tuple[Order, TrainingSpec], tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(SHAPES["Llama-3.2-3B"]))
    large = (replace(asked[0], base=replace(asked[0].base, path=tmp_path)), asked[1])
    assert foresee(large, *CARDS).note.startswith("trainer: unsloth_lora would take ")
    assert foresee(large, *CPU).note == ""
    assert foresee(large, *CARDS, wanted=(0, 1)).note == ""
    already = (large[0], replace(large[1], trainer="unsloth_lora"))
    assert foresee(already, *CARDS).note == ""
    assert foresee(asked, *CARDS).note == ""  # starting kernels takes all the time


def test_a_probe_replaces_estimates(asked: tuple[Order, TrainingSpec]) -> None:
    found = foresee(asked, *CARDS)
    measured = probed(found, {"seconds_per_step": 4.5, "steps": 3, "peak_memory_gb": 15.3})
    assert measured.time.seconds == pytest.approx(4.5 * found.time.steps)
    assert (measured.memory, measured.source) == (15.3e9, "probed 3 steps")
    record = {"seconds_per_step": 4.5, "steps": 3, "peak_memory_gb": 15.3, "reserved_memory_gb": 17.0}
    assert probed(found, record).memory == pytest.approx(17.0e9 + PROCESS_BYTES["cuda"])
    on_cpu = foresee(asked, *CPU)
    assert probed(on_cpu, record | {"reserved_memory_gb": None}).memory == 15.3e9


def test_packed_examples_are_counted_by_the_row(asked: tuple[Order, TrainingSpec]) -> None:
    order, spec = asked[0], replace(asked[1], seq_len=1600)
    rows = pack(load_splits(spec).train, spec.seq_len)
    lengths = [len(row["input_ids"]) for row in load_splits(spec).train]
    assert packed_lengths(lengths, spec.seq_len) == [len(row.input_ids) for row in rows]
    assert packed_lengths([3, 5, 1, 8, 2, 6, 9], 8) == [8, 1, 8, 8, 9]
    assert len(rows) < len(lengths)
    plain, packed = forecast(order, spec, CPU), forecast(order, replace(spec, packing=True), CPU)
    assert packed.examples == plain.examples == len(lengths)
    assert packed.time.steps == 2 * math.ceil(len(rows) / 8)


def test_disk_holds_every_adapter_and_one_trainings_checkpoints(asked: tuple[Order, TrainingSpec]) -> None:
    found = foresee(asked, *CARDS)
    assert disk_needed([found] * 3) == pytest.approx(3 * found.adapter + found.checkpoints)
    kept_on_the_way = replace(found, spec=replace(found.spec, milestones=(1, 2)))
    assert disk_needed([kept_on_the_way]) == pytest.approx(3 * found.adapter + found.checkpoints)
    check_disk([found], math.ceil(disk_needed([found])))
    with pytest.raises(MissingPrerequisiteError, match=r"^disk: .* would be written and 0\.0 GB are free"):
        check_disk([found] * 2, int(disk_needed([found])))
