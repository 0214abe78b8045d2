"""In what precision a base's weights are held while it answers: 16 or 32 bits, NF4, or as they are stored.

    config.json --stored_as--> "" | nf4 | fp4 | int8 | mxfp4 | ...     what a checkpoint already is
    suite's dtype, stored  --engine_of-->  transformers/nf4/cuda       part of every answer's key
                           --loading----> what from_pretrained is told
    safetensors headers    --weight_bytes-> how much room they take, before anything is loaded

A checkpoint that is quantised is never quantised again: it is loaded as it lies there.
"""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import ConfigurationError, MissingPrerequisiteError

NF4 = "nf4"

COMPUTED_IN: Mapping[str, str] = {NF4: "bfloat16"}
"""The 16 bits a dtype computes in, and holds what it leaves unquantised in, where that is not its name."""

NF4_BYTES = 0.5 + (1 + 4 / 256) / 64
"""Bytes a weight in NF4: 4 bits, an 8-bit constant a block of 64, a 32-bit one a 256 of those
(Dettmers and others 2023, double quantisation): .516."""

_BYTES = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0}

Shape = tuple[int, ...]


def stored_as(folder: Path) -> str:
    """How a checkpoint is quantised: bitsandbytes' ``nf4``, ``fp4`` or ``int8``, another method's own name
    (``mxfp4``, ``gptq``), or empty where it is not.

    A config that cannot be read counts as not quantised: loading it says what is wrong with it.
    """
    try:
        kept = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("quantization_config")
    except (OSError, ValueError, AttributeError):
        return ""
    if not isinstance(kept, Mapping):
        return ""
    method = str(kept.get("quant_method") or "bitsandbytes")
    if method != "bitsandbytes":
        return method
    if kept.get("load_in_8bit") or kept.get("_load_in_8bit"):
        return "int8"
    return str(kept.get("bnb_4bit_quant_type") or "fp4")  # the library's own default


def engine_of(engine: str, folder: Path) -> str:
    """The engine's name on this base: bitsandbytes weights, which lie there quantised, are named in it.

    >>> engine_of("transformers/bfloat16/cuda", Path("nowhere"))
    'transformers/bfloat16/cuda'
    """
    stored = stored_as(folder)
    return f"{engine}/stored-{stored}" if stored in (NF4, "fp4", "int8") else engine


def loading(dtype: str, folder: Path, device: str) -> dict[str, Any]:
    """What ``from_pretrained`` is told besides the folder. Imports torch and transformers.

    Raises:
        ConfigurationError: NF4 is asked for and the base is stored in another quantisation.
        MissingPrerequisiteError: bitsandbytes is needed and not installed.
    """
    import torch

    stored = stored_as(folder)
    told: dict[str, Any] = {"dtype": getattr(torch, COMPUTED_IN.get(dtype, dtype))}
    if dtype == NF4 and stored not in ("", NF4, "fp4", "int8"):
        raise ConfigurationError(
            f"base {folder.name} is stored as {stored}, which cannot be quantised again; "
            "leave out `dtype: nf4`, or name a base in 16 bits"
        )
    if dtype != NF4 and stored not in (NF4, "fp4", "int8"):
        return told
    if importlib.util.find_spec("bitsandbytes") is None:
        what = f"base {folder.name}, stored as {stored}," if stored else "`dtype: nf4`"
        raise MissingPrerequisiteError(
            f"{what} needs bitsandbytes: pip install bitsandbytes, or use a 16-bit base and dtype"
        )
    if not stored:
        from transformers import BitsAndBytesConfig

        # NF4 with quantised constants: QLoRA, Dettmers and others (2023).
        told["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=told["dtype"],
        )
    return told | {"device_map": {"": device}}  # quantised while it is loaded, where it will stay


def settle(model: Any) -> Any:
    """The model with one way of computing its 4-bit layers; the same object.

    On CPUs that have bfloat16 instructions bitsandbytes repacks a layer's weights at its first forward pass
    in evaluation, and rounds their constants: a base would answer otherwise after an adapter than before.
    """
    for layer in model.modules():
        if hasattr(layer, "support_avx512bf16_for_cpu"):
            layer.support_avx512bf16_for_cpu = False
    return model


# ── room ──────────────────────────────────────────────────────────────────────────────────────────


def weight_bytes(folder: Path, dtype: str) -> float:
    """Bytes of the base's weights in this dtype, from the headers of its files.

    A quantised checkpoint takes what its files do; NaN for those that may be unpacked (other methods than
    bitsandbytes), and for a base whose files cannot be read.
    """
    from harness.models.adapters import safetensors_shapes

    files = sorted(folder.glob("*.safetensors"))
    stored = stored_as(folder)
    if stored:
        sizes = sum(path.stat().st_size for path in files)
        return float(sizes) if stored in (NF4, "fp4", "int8") else math.nan
    try:
        shapes = {name: shape for path in files for name, shape in safetensors_shapes(path).items()}
    except ConfigurationError:
        return math.nan
    return counted_bytes(shapes, dtype) if shapes else math.nan


def counted_bytes(shapes: Mapping[str, Shape], dtype: str) -> float:
    """Bytes of these tensors in this dtype. In NF4 only matrices of linear layers are; embeddings, head,
    norms and the experts of a mixture, which transformers keeps in one 3-D parameter, stay in 16 bits.
    """
    if dtype != NF4:
        return _BYTES[dtype] * sum(map(math.prod, shapes.values()))
    rest = _BYTES[COMPUTED_IN[NF4]]
    return sum(
        math.prod(shape) * (NF4_BYTES if _is_linear(name, shape) else rest) for name, shape in shapes.items()
    )


def check_room(folder: Path, dtype: str, free: int, device: str) -> None:
    """Nothing, if the weights alone find room in ``free`` bytes; what an answer takes beside them is less.

    Raises:
        MissingPrerequisiteError: they do not; with the dtype that would, if one does.
    """
    needed = weight_bytes(folder, dtype)
    if math.isnan(needed) or needed <= free:
        return
    remedy = "a larger card is needed"
    for other in ("bfloat16", NF4) if not stored_as(folder) else ():
        less = weight_bytes(folder, other)
        if less < needed and less <= free:
            remedy = f"`dtype: {other}` in the suite needs {less / 1e9:.1f} GB"
            break
    raise MissingPrerequisiteError(
        f"base {folder.name}: {needed / 1e9:.1f} GB of weights in {stored_as(folder) or dtype}, and "
        f"{free / 1e9:.1f} GB are free on {device}; {remedy}"
    )


def _is_linear(name: str, shape: Shape) -> bool:
    outside = ("embed", "lm_head", "wte", "wpe", "experts.")
    return len(shape) == 2 and name.endswith(".weight") and not any(part in name for part in outside)
