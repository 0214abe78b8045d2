"""LoRA with transformers, peft and trl: the trainer that runs everywhere, a laptop's CPU included.

    python trainers/peft_lora.py SPEC.json

Reads a spec (the keys of harness.training.spec.TrainingSpec) and examples already tokenised, masked and
ordered; trains; writes into the spec's ``out`` folder

    adapter/       adapter_model.safetensors, adapter_config.json
    milestones/    the same after the steps the spec names
    record.json    written last: its presence says that the run is finished

and says what it does as JSON lines on stdout. Started again after a kill, it goes on from its newest
complete checkpoint, optimiser, schedule and random state included. Under ``accelerate launch`` each
process takes its share of every step.
"""

from __future__ import annotations

import os

# Read when torch loads its thread pool: threads that spin while waiting slow a shared machine 15-fold.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import contextlib
import importlib.util
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.errors import ConfigurationError, MissingPrerequisiteError
from harness.training.evaluation import appraise, undisturbed
from harness.training.habits import fuses_head
from harness.training.loop import fit, precision
from harness.training.outcome import (
    Sample,
    Sides,
    check_loss,
    measure_memory,
    memory_held_gb,
    write_record,
)
from harness.training.program import Events, place, start
from harness.training.progress import base_ahead
from harness.training.reading import begin_from, load_splits
from harness.training.saving import save_adapter
from harness.training.spec import TrainingSpec
from harness.training.trainable import adapted_outside, trains_head


def run(spec: TrainingSpec, events: Events) -> None:
    """Train what the spec says and leave adapter and record in its ``out`` folder."""
    import torch
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    check(spec)
    if torch.cuda.is_available():
        torch.cuda.set_device(place().local)
    transformers.set_seed(spec.seed)
    splits = load_splits(spec)
    tokenizer = load_tokenizer(spec)
    base = load_base(spec)
    base_gb = memory_held_gb()
    model = add_lora(base, spec)

    # Checkpoints of another spec must not be resumed from: each spec has a folder of its own.
    checkpoints = Path(spec.out) / "checkpoints" / spec.resumable()[:16]
    before = base_ahead(model, tokenizer, splits, spec, checkpoints, events)
    model = begin_from(model, spec)
    with without_casts(model, torch.cuda.is_available()):
        history = fit(
            model,
            tokenizer,
            splits,
            spec,
            checkpoints,
            events,
            settings(spec),
            in_float32,
            lambda seen: looked_at(seen, spec),
        )
    memory = measure_memory(base_gb)
    check_loss(history)
    if not place().first:
        return

    with undisturbed(model), as_answered(model, spec):
        if before is None:
            with model.disable_adapter():
                events.say("evaluate", model="before")
                before = appraise(model, tokenizer, splits.validation, spec)
        events.say("evaluate", model="after")
        after = appraise(model, tokenizer, splits.validation, spec)
    adapter = save_adapter(model, spec)
    record = write_record(
        Path(__file__).stem,
        spec,
        splits,
        history,
        memory,
        Sides(before.loss, after.loss),
        [Sample(*each) for each in zip(spec.sample_prompts, before.answers, after.answers, strict=True)],
        model.get_nb_trainable_parameters()[0],
    )
    shutil.rmtree(checkpoints.parent, ignore_errors=True)  # optimiser states are three times the adapter
    events.say("done", adapter=str(adapter), minutes=record["minutes"], final_loss=record["final_loss"])


def check(spec: TrainingSpec) -> None:
    """Raises ConfigurationError or MissingPrerequisiteError for what this machine cannot train."""
    import torch

    stored = stored_as(spec)
    if stored == "mxfp4" and spec.load_in_4bit:
        raise ConfigurationError(
            f"{spec.base_name} is stored as MXFP4, which has no 4-bit training; "
            "use load_in_4bit: false, or a -bnb-4bit base"
        )
    needs_gpu = {
        "load_in_4bit": spec.load_in_4bit,
        f"the quantised base {spec.base_name}": stored not in ("", "mxfp4"),
        spec.optimizer: spec.optimizer != "adamw_torch",
    }
    needed = [name for name, wanted in needs_gpu.items() if wanted]
    if needed and not torch.cuda.is_available():
        raise MissingPrerequisiteError(
            f"{needed[0]} needs a CUDA device, and there is none here; "
            "use load_in_4bit: false and optimizer: adamw_torch, or another machine"
        )
    if needed and importlib.util.find_spec("bitsandbytes") is None:
        raise MissingPrerequisiteError(f"{needed[0]} needs bitsandbytes; pip install bitsandbytes")
    if fuses_head() and not torch.cuda.is_available():
        raise MissingPrerequisiteError("trl 1.15 and later train on a GPU only; pip install 'trl<1.15'")
    if fuses_head() and "lm_head" in adapted_outside(spec.lora):
        raise ConfigurationError(
            "lora.targets reaches lm_head, whose LoRA trl 1.15 and later do not train; "
            "use lora.modules_to_save: [lm_head], or trl 1.14"
        )


def stored_as(spec: TrainingSpec) -> str:
    """How the base's weights are quantised on the disk (``bitsandbytes``, ``mxfp4``), or nothing."""
    config = json.loads((Path(spec.base_path) / "config.json").read_text(encoding="utf-8"))
    return str((config.get("quantization_config") or {}).get("quant_method", ""))


def load_tokenizer(spec: TrainingSpec) -> Any:
    """The base's tokenizer, padding on the left: a batch is padded before its prompts, never after."""
    from transformers import AutoTokenizer

    # The side does not survive saving, so it is passed on every load.
    tokenizer = AutoTokenizer.from_pretrained(spec.base_path, local_files_only=True, padding_side="left")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_base(spec: TrainingSpec) -> Any:
    """The base alone, on its device: 4-bit NF4 where the spec says so or it is stored so, else in 16 bits."""
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig, Mxfp4Config

    dtype = getattr(torch, precision(spec))
    asked: dict[str, Any] = {}
    stored = stored_as(spec)
    if stored == "mxfp4":
        asked["quantization_config"] = Mxfp4Config(dequantize=True)  # its kernels have no backward pass
    elif spec.load_in_4bit and not stored:
        # NF4 with quantised constants: QLoRA, Dettmers and others (2023).
        asked["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    if torch.cuda.is_available():
        asked["device_map"] = {"": torch.cuda.current_device()}
    return AutoModelForCausalLM.from_pretrained(
        spec.base_path, dtype=dtype, local_files_only=True, use_safetensors=True, **asked
    )


def add_lora(base: Any, spec: TrainingSpec) -> Any:
    """A fresh LoRA on the base, its weights in float32."""
    from peft import LoraConfig, get_peft_model

    targets = spec.lora.targets
    config = LoraConfig(
        r=spec.lora.r,
        lora_alpha=spec.lora.alpha,
        lora_dropout=spec.lora.dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
        bias=spec.lora.bias,
        modules_to_save=list(spec.lora.modules_to_save) or None,
        task_type="CAUSAL_LM",
    )
    try:
        return get_peft_model(base, config)
    except ValueError as error:
        raise ConfigurationError(f"lora.targets do not fit {spec.base_name}: {error}") from error


def settings(spec: TrainingSpec) -> dict[str, Any]:
    """What this backend adds to trl's configuration."""
    import torch

    cuda = torch.cuda.is_available()
    asked = spec.gradient_checkpointing
    # Biases and whole modules in float32 stand in the base's 16-bit layers, which autocast alone lets meet.
    mixed = spec.dtype == "bfloat16" and (spec.lora.bias != "none" or bool(spec.lora.modules_to_save))
    return {
        **({"bf16": True} if mixed and not cuda else {}),
        "gradient_checkpointing": cuda if asked is None else asked,
        "gradient_checkpointing_kwargs": {"use_reentrant": False},
        "activation_offloading": spec.offload and cuda,
        # trl's loss in chunks reads the head's weights past what is trained of it.
        "loss_type": "nll" if trains_head(spec.lora) else "chunked_nll",
    }


def in_float32(trainer: Any) -> None:
    """trl makes the adapter of a 4-bit base bfloat16, in which small updates are lost; back to float32."""
    for weight in trainer.model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()


@contextlib.contextmanager
def without_casts(model: Any, wanted: bool = True) -> Iterator[None]:
    """peft turns each input into the adapter's float32 and autocast back into 16 bits; twice for nothing."""
    layers = [layer for layer in model.modules() if hasattr(layer, "cast_input_dtype_enabled")]
    before = [layer.cast_input_dtype_enabled for layer in layers]
    for layer in layers:
        layer.cast_input_dtype_enabled = not wanted
    try:
        yield
    finally:
        for layer, enabled in zip(layers, before, strict=True):
            layer.cast_input_dtype_enabled = enabled


@contextlib.contextmanager
def as_answered(model: Any, spec: TrainingSpec) -> Iterator[None]:
    """Trained biases and whole modules in the base's dtype, as they will answer; their float32 afterwards.

    Answers are not written under autocast, and a 16-bit layer takes no float32 bias. LoRA's own matrices
    stay: peft casts around them.
    """
    import torch

    dtype = getattr(torch, precision(spec))
    whole = [
        weight for name, weight in model.named_parameters() if weight.requires_grad and "lora_" not in name
    ]
    trained = [weight.data for weight in whole]
    for weight in whole:
        weight.data = weight.data.to(dtype)
    try:
        yield
    finally:
        for weight, before in zip(whole, trained, strict=True):
            weight.data = before


@contextlib.contextmanager
def looked_at(model: Any, spec: TrainingSpec) -> Iterator[None]:
    """For looks at the model, which are not under autocast."""
    with without_casts(model, wanted=False), as_answered(model, spec):
        yield


if __name__ == "__main__":
    sys.exit(start(sys.argv[1:], run))
