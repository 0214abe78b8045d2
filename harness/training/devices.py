"""What there is to train on: CUDA devices and the host, with their memory as it is free now.

python -m harness.training.devices     prints the CUDA devices as JSON, then ends

Asking CUDA for free memory opens a context of half a gigabyte on every device. So a child process asks,
and gives all of it back before anything is loaded.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from harness.shelves import python_path
from harness.training.habits import fuses_head
from harness.training.memory import Kind

_SECONDS_TO_ANSWER = 120


@dataclass(frozen=True)
class Device:
    """``total`` and ``free`` in bytes. ``index`` is CUDA's in the order of the bus, as nvidia-smi counts.

    ``fuses_head``: whether the trl that would train there never writes out logits.
    """

    index: int
    name: str
    total: int
    free: int
    fuses_head: bool = False

    @property
    def kind(self) -> Kind:
        return "cpu" if self.index < 0 else "cuda"

    def __str__(self) -> str:
        return self.name if self.index < 0 else f"device {self.index} ({self.name})"


class Cuda(Protocol):
    """The part of ``torch.cuda`` that is asked; the seam for tests."""

    def is_available(self) -> bool: ...
    def device_count(self) -> int: ...
    def get_device_name(self, device: int) -> str: ...
    def mem_get_info(self, device: int) -> tuple[int, int]: ...


def read_devices(cuda: Cuda) -> tuple[Device, ...]:
    """The devices that ``torch.cuda`` sees, in its order. Opens a context on each."""
    if not cuda.is_available():
        return ()
    found = []
    for index in range(cuda.device_count()):
        free, total = cuda.mem_get_info(index)
        found.append(Device(index, cuda.get_device_name(index), total, free, fuses_head()))
    return tuple(found)


def list_devices(python: Path | None = None, dev: Path = Path("/dev")) -> tuple[Device, ...]:
    """The CUDA devices that a trainer run by ``python`` would see; none where there is no driver.

    A machine without ``/dev/nvidia0`` or the like is answered without starting anything.
    """
    if not any(dev.glob("nvidia[0-9]*")):
        return ()
    environment = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"} | dict(os.environ) | {"PYTHONPATH": python_path()}
    try:
        asked = subprocess.run(
            [python or sys.executable, "-m", __name__],
            capture_output=True,
            text=True,
            check=True,
            timeout=_SECONDS_TO_ANSWER,
            env=environment,
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return parse_devices(asked.stdout)


def parse_devices(answer: str) -> tuple[Device, ...]:
    """The JSON line of this module run as a program."""
    return tuple(Device(**each) for each in json.loads(answer.strip().splitlines()[-1]))


def host(meminfo: Path = Path("/proc/meminfo")) -> Device:
    """This computer's memory as a device, for training on the CPU.

    Free is what Linux calls available; elsewhere all there is, since nothing better is known.
    """
    if meminfo.is_file():
        lines = (line.split() for line in meminfo.read_text(encoding="ascii").splitlines())
        kilobytes = {words[0].rstrip(":"): int(words[1]) for words in lines if len(words) > 1}
        return Device(-1, "the CPU", kilobytes["MemTotal"] * 1024, kilobytes["MemAvailable"] * 1024)
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Device(-1, "the CPU", total, total)


def main() -> None:
    """Print the CUDA devices as one JSON line."""
    import torch

    print(json.dumps([asdict(device) for device in read_devices(torch.cuda)]))


if __name__ == "__main__":
    main()
