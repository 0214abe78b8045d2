"""What there is: a fake torch.cuda, a fake /dev, a fake /proc/meminfo."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from harness.training.devices import Device, host, list_devices, parse_devices, read_devices

GB = 10**9


class TwoCards:
    """The part of torch.cuda that is asked: a full 24 GB card and a free 8 GB one."""

    def is_available(self) -> bool:
        return True

    def device_count(self) -> int:
        return 2

    def get_device_name(self, device: int) -> str:
        return ("NVIDIA GeForce RTX 4090", "NVIDIA GeForce RTX 3070")[device]

    def mem_get_info(self, device: int) -> tuple[int, int]:
        return ((3 * GB, 24 * GB), (8 * GB, 8 * GB))[device]


class NoCard(TwoCards):
    def is_available(self) -> bool:
        return False


CARDS = (
    Device(0, "NVIDIA GeForce RTX 4090", total=24 * GB, free=3 * GB),
    Device(1, "NVIDIA GeForce RTX 3070", total=8 * GB, free=8 * GB),
)


def test_devices_are_read_with_total_and_free() -> None:
    assert read_devices(TwoCards()) == CARDS
    assert read_devices(NoCard()) == ()
    assert str(CARDS[0]) == "device 0 (NVIDIA GeForce RTX 4090)"
    assert {card.kind for card in CARDS} == {"cuda"}


def test_answer_of_the_child_is_parsed_past_whatever_else_it_said() -> None:
    said = "a driver's remark\n" + json.dumps([asdict(card) for card in CARDS]) + "\n"
    assert parse_devices(said) == CARDS


def test_machine_without_a_driver_starts_no_child(tmp_path: Path) -> None:
    assert list_devices(tmp_path / "no-such-python", dev=tmp_path) == ()


@pytest.mark.skipif(any(Path("/dev").glob("nvidia[0-9]*")), reason="this machine has a CUDA device")
def test_child_without_cuda_has_no_devices(tmp_path: Path) -> None:
    """The real child: it imports torch, finds nothing, and says so."""
    (tmp_path / "nvidia0").touch()
    assert list_devices(dev=tmp_path) == ()


def test_child_answers_with_its_devices(tmp_path: Path) -> None:
    (tmp_path / "nvidia0").touch()
    child = tmp_path / "python"
    child.write_text(f"#!/bin/sh\necho '{json.dumps([asdict(card) for card in CARDS])}'\n")
    child.chmod(0o755)
    assert list_devices(child, dev=tmp_path) == CARDS


def test_devices_are_counted_as_nvidia_smi_counts_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    (tmp_path / "nvidia0").touch()
    child = tmp_path / "python"
    answer = '[{"index": 0, "name": "\'$CUDA_DEVICE_ORDER\'", "total": 1, "free": 1}]'
    child.write_text(f"#!/bin/sh\necho '{answer}'\n")
    child.chmod(0o755)
    assert list_devices(child, dev=tmp_path)[0].name == "PCI_BUS_ID"


def test_interpreter_that_fails_has_no_devices(tmp_path: Path) -> None:
    (tmp_path / "nvidia0").touch()
    assert list_devices(tmp_path / "no-such-python", dev=tmp_path) == ()


def test_host_is_a_device_too(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  16000 kB\nMemFree:  100 kB\nMemAvailable:  9000 kB\nHugePages_Total:  0\n")
    found = host(meminfo)
    assert (found.total, found.free, found.kind) == (16000 * 1024, 9000 * 1024, "cpu")
    assert str(found) == "the CPU"


def test_host_without_proc_knows_its_total(tmp_path: Path) -> None:
    found = host(tmp_path / "missing")
    assert found.free == found.total > 10**8
