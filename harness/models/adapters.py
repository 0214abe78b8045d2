"""An adapter's folder, read and checked without loading it: only safetensors, and only on a base it fits.

    adapter_config.json         what kind of adapter, its scale, and the base it says it was trained on
    adapter_model.safetensors   a header of names and shapes, then the weights

The name of the base in the config is a path or a re-upload as often as not, so shapes decide: every
adapted weight must be in the base, with the size the adapter was made for.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ConfigurationError
from harness.models.bases import Base
from harness.text import digest

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"

_REWRITES_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")
"""Initialisations that change the base's own weights when the adapter is loaded."""
_SCALE = ("use_rslora", "use_dora", "rank_pattern", "alpha_pattern", "fan_in_fan_out")
_LORA_KEY = re.compile(r"(?P<module>.+)\.lora_(?:embedding_)?(?P<side>[AB])(?:\.weight)?")
_LAYER = re.compile(r"(?:^|\.)((?:layers|h|blocks?)\.\d+\..+)$")

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Adapter:
    """``shapes``: tensor name -> shape. ``digest``: the weights and the scale they are applied with."""

    folder: Path
    config: Mapping[str, Any]
    shapes: Mapping[str, Shape]
    digest: str
    megabytes: float

    @property
    def says_base(self) -> str:
        """The base it says it was trained on; of a folder only the name, for its path helps nobody else."""
        said = str(self.config.get("base_model_name_or_path") or "")
        return (
            said if said.count("/") == 1 and said[0].isalnum() else re.split(r"[/\\]", said.rstrip("/"))[-1]
        )


def read_adapter(folder: Path) -> Adapter:
    """The adapter in a folder.

    Raises:
        ConfigurationError: a file is missing, the weights are pickled or cut short, or it is no plain LoRA.
    """
    config_path, weights = folder / CONFIG, folder / WEIGHTS
    if not config_path.is_file():
        raise ConfigurationError(f"adapter {folder.name}: it has no {CONFIG}")
    if not weights.is_file():
        pickled = any(folder.glob("*.bin")) or any(folder.glob("*.pt"))
        fault = "the weights are pickled; save them as safetensors" if pickled else f"it has no {WEIGHTS}"
        raise ConfigurationError(f"adapter {folder.name}: {fault}")
    try:
        config = json.loads(config_path.read_text(encoding="utf-8"))
        kind, r, alpha = config["peft_type"], config["r"], config["lora_alpha"]
    except (ValueError, KeyError, TypeError):
        raise ConfigurationError(f"adapter {folder.name}: {CONFIG} is not that of a LoRA") from None
    if kind != "LORA":
        raise ConfigurationError(f"adapter {folder.name}: it is {kind}, and only LORA can be worn")
    begun = str(config.get("init_lora_weights", True)).lower()
    if begun.startswith(_REWRITES_BASE):
        raise ConfigurationError(
            f"adapter {folder.name}: init_lora_weights {begun!r} would change the base; "
            "convert it to a plain LoRA first"
        )
    with weights.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    scale = {key: config[key] for key in _SCALE if config.get(key)}
    return Adapter(
        folder=folder,
        config=config,
        shapes=safetensors_shapes(weights),
        # The trainer's own formula where nothing unusual is set: the same weights are the same adapter.
        digest=digest({"weights": sha256, "r": r, "alpha": alpha} | scale),
        megabytes=weights.stat().st_size / 1e6,
    )


def check_fit(adapter: Adapter, base: Base) -> None:
    """Nothing, if the adapter's weights fit the base's.

    Raises:
        ConfigurationError: a weight that the base does not have, or has in another size.
    """
    have = _weights_of(base.path)
    quantised = "quantization_config" in json.loads((base.path / "config.json").read_text(encoding="utf-8"))
    wanted = _adapted(adapter)
    if not wanted:
        raise ConfigurationError(f"adapter {adapter.folder.name}: no LoRA weights in {WEIGHTS}")
    faults = []
    for module, shape in wanted.items():
        found = have.get(_tail(module), [])
        if found and not quantised and shape not in found:
            faults.append(f"{module} is {_size(shape)} in the adapter and {_size(found[0])} in the base")
        # A tied head is not stored apart, and experts are stored as one.
        elif not found and _tail(module) != "lm_head" and "expert" not in module:
            faults.append(f"{module} is not in the base")
    if faults:
        said = f" ({CONFIG} names {adapter.says_base})" if adapter.says_base else ""
        more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        raise ConfigurationError(
            f"adapter {adapter.folder.name} does not fit {base.name}{said}: {faults[0]}{more}"
        )


def keep(adapter: Adapter, name: str, workspace: Path) -> str:
    """The adapter's folder relative to the workspace; copied to ``results/adapters/NAME`` if it is outside.

    Raises:
        ConfigurationError: that folder holds something else.
    """
    here, root = adapter.folder.resolve(), workspace.resolve()
    if here.is_relative_to(root):
        return here.relative_to(root).as_posix()
    target = workspace / "results" / "adapters" / name
    if target.exists():
        if not (target / CONFIG).is_file() or read_adapter(target).digest != adapter.digest:
            raise ConfigurationError(f"results/adapters/{name} holds something else; choose another name")
    else:
        building = target.with_name(f".{name}.{os.getpid()}.part")
        building.mkdir(parents=True)
        try:
            for file in (CONFIG, WEIGHTS):
                shutil.copyfile(adapter.folder / file, building / file)
            building.rename(target)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    return target.relative_to(workspace).as_posix()


def safetensors_shapes(path: Path) -> dict[str, Shape]:
    """Tensor name -> shape, from the header alone: its length in 8 bytes, then JSON (format of safetensors).

    Raises:
        ConfigurationError: the file is no safetensors, or shorter than its header says.
    """
    with path.open("rb") as file:
        try:
            length = int.from_bytes(file.read(8), "little")
            if length > 100_000_000:
                raise ValueError
            header = json.loads(file.read(length))
            tensors = {name: one for name, one in header.items() if name != "__metadata__"}
            shapes = {name: tuple(int(n) for n in one["shape"]) for name, one in tensors.items()}
            end = 8 + length + max((one["data_offsets"][1] for one in tensors.values()), default=0)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ConfigurationError(f"{path.parent.name}/{path.name} is no safetensors file") from None
    if path.stat().st_size < end:
        raise ConfigurationError(f"{path.parent.name}/{path.name} is cut short; fetch it again")
    return shapes


def _adapted(adapter: Adapter) -> dict[str, Shape]:
    """Module -> the shape its weight must have in the base: out x in, rows x columns of an embedding."""
    factors: dict[str, dict[str, Shape]] = {}
    wanted: dict[str, Shape] = {}
    turned: set[str] = set()
    for key, shape in adapter.shapes.items():
        name = key.removeprefix("base_model.model.")
        match = _LORA_KEY.fullmatch(name)
        if match:
            factors.setdefault(match["module"], {})[match["side"]] = shape
            if ".lora_embedding_" in name or adapter.config.get("fan_in_fan_out"):
                turned.add(match["module"])
        elif name.endswith(".weight") and ".lora_" not in name:
            wanted[name.removesuffix(".weight")] = shape
    for module, sides in factors.items():
        if len(sides) == 2 and all(len(shape) == 2 for shape in sides.values()):
            out, into = sides["B"][0], sides["A"][1]
            wanted[module] = (into, out) if module in turned else (out, into)
    return wanted if factors else {}


def _weights_of(folder: Path) -> dict[str, list[Shape]]:
    """Tail of a module's name -> shapes of its weight (a model with two towers may have two)."""
    found: dict[str, list[Shape]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        for name, shape in safetensors_shapes(path).items():
            found.setdefault(_tail(name.rpartition(".")[0]), []).append(shape)
    return found


def _tail(module: str) -> str:
    """``layers.3.self_attn.q_proj``: what stays the same whatever the model is wrapped in."""
    match = _LAYER.search(module)
    return match.group(1) if match else module.rpartition(".")[2]


def _size(shape: Shape) -> str:
    return " x ".join(map(str, shape))
