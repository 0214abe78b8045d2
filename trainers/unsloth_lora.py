"""LoRA with Unsloth: the faster trainer on one CUDA device; it runs on a CPU too.

    python trainers/unsloth_lora.py SPEC.json

Reads the same spec and the same examples in the same order as peft_lora, and leaves the same files. What
differs is underneath: Unsloth's kernels, its gradient checkpointing (hidden states wait in the host's memory)
and its loss, which never holds all logits at once. It takes one GPU; for several use peft_lora.
"""

from __future__ import annotations

import os
import tempfile

# Read when the libraries load: quiet threads, no hub, no statistics sent, and a place for generated code
# that is neither the current folder nor shared between runs.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("UNSLOTH_DISABLE_STATISTICS", "1")

import contextlib
import importlib
import importlib.util
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.errors import ConfigurationError, MissingPrerequisiteError
from harness.training.evaluation import appraise, undisturbed
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
from harness.training.trainable import adapted_outside

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""What ``all-linear`` is to Unsloth: the linear layers of attention and MLP, as peft finds them by itself."""


def run(spec: TrainingSpec, events: Events) -> None:
    """Train what the spec says and leave adapter and record in its ``out`` folder."""
    check(spec)
    with tempfile.TemporaryDirectory(prefix="unsloth-") as compiled:
        os.environ["UNSLOTH_COMPILE_LOCATION"] = compiled
        fast_language_model()  # before transformers, which it patches
        train(spec, events)


def fast_language_model() -> Any:
    """Unsloth's entrance. By name, so that checkers and tools do without a library that few have."""
    return importlib.import_module("unsloth").FastLanguageModel


def train(spec: TrainingSpec, events: Events) -> None:
    """``run``, once Unsloth has patched what it patches."""
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    transformers.set_seed(spec.seed)
    splits = load_splits(spec)
    model, tokenizer = load_base(spec)
    base_gb = memory_held_gb()
    model = add_lora(model, spec)

    checkpoints = Path(spec.out) / "checkpoints" / spec.resumable()[:16]
    before = base_ahead(model, tokenizer, splits, spec, checkpoints, events, answering)
    model = begin_from(model, spec)
    history = fit(model, tokenizer, splits, spec, checkpoints, events, settings(spec), looking=answering)
    memory = measure_memory(base_gb)
    check_loss(history)

    with undisturbed(model), answering(model):
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
        sum(weight.numel() for weight in model.parameters() if weight.requires_grad),
    )
    shutil.rmtree(checkpoints.parent, ignore_errors=True)  # optimiser states are three times the adapter
    events.say("done", adapter=str(adapter), minutes=record["minutes"], final_loss=record["final_loss"])


def check(spec: TrainingSpec) -> None:
    """Raises ConfigurationError or MissingPrerequisiteError for what cannot be trained so, or here."""
    if importlib.util.find_spec("unsloth") is None:
        raise MissingPrerequisiteError(
            "trainer unsloth_lora needs unsloth; pip install 'stylobench[unsloth]'"
        )
    if place().processes > 1:
        raise ConfigurationError("unsloth_lora trains on one GPU; for several use trainer: peft_lora")
    if spec.packing:
        raise ConfigurationError("unsloth_lora does not keep packed examples apart; use trainer: peft_lora")
    if outside := adapted_outside(spec.lora):
        names = ", ".join(outside)
        raise ConfigurationError(
            f"unsloth_lora trains {names} whole, not by a LoRA; use lora.modules_to_save: [{names}]"
        )
    import torch

    needs_gpu = {"load_in_4bit": spec.load_in_4bit, spec.optimizer: spec.optimizer != "adamw_torch"}
    needed = [name for name, wanted in needs_gpu.items() if wanted]
    if needed and not torch.cuda.is_available():
        raise MissingPrerequisiteError(
            f"{needed[0]} needs a CUDA device, and there is none here; "
            "use load_in_4bit: false and optimizer: adamw_torch, or another machine"
        )


def load_base(spec: TrainingSpec) -> tuple[Any, Any]:
    """Base and tokenizer: 4-bit NF4 with quantised constants where the spec says so, else 16-bit."""
    import torch

    model, tokenizer = fast_language_model().from_pretrained(
        model_name=spec.base_path,
        max_seq_length=spec.seq_len,
        dtype=getattr(torch, precision(spec)),
        load_in_4bit=spec.load_in_4bit,
        local_files_only=True,
        use_gradient_checkpointing=checkpointing(spec),
        fix_tokenizer=False,
    )
    tokenizer.padding_side = "left"
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model, tokenizer


def add_lora(model: Any, spec: TrainingSpec) -> Any:
    """A fresh LoRA on the base."""
    targets = spec.lora.targets
    try:
        return fast_language_model().get_peft_model(
            model,
            r=spec.lora.r,
            lora_alpha=spec.lora.alpha,
            lora_dropout=spec.lora.dropout,
            target_modules=list(PROJECTIONS if targets == "all-linear" else targets),
            bias=spec.lora.bias,
            modules_to_save=list(spec.lora.modules_to_save) or None,
            use_gradient_checkpointing=checkpointing(spec),
            random_state=spec.seed,
            max_seq_length=spec.seq_len,
        )
    except ValueError as error:
        raise ConfigurationError(f"lora.targets do not fit {spec.base_name}: {error}") from error


def checkpointing(spec: TrainingSpec) -> str | bool:
    """Unsloth's own gradient checkpointing on a GPU; on a CPU there is no other memory to wait in."""
    import torch

    if spec.gradient_checkpointing is False or not torch.cuda.is_available():
        return bool(spec.gradient_checkpointing)
    return "unsloth"


def settings(spec: TrainingSpec) -> dict[str, Any]:
    """What this backend adds to trl's configuration: none of trl's memory savers, it has its own."""
    return {"gradient_checkpointing": bool(checkpointing(spec)), "loss_type": "nll"}


@contextlib.contextmanager
def answering(model: Any) -> Iterator[None]:
    """Unsloth's inference mode, logits included; its training mode afterwards."""
    os.environ["UNSLOTH_RETURN_LOGITS"] = "1"
    fast_language_model().for_inference(model)
    try:
        yield
    finally:
        os.environ.pop("UNSLOTH_RETURN_LOGITS", None)
        fast_language_model().for_training(model)


if __name__ == "__main__":
    sys.exit(start(sys.argv[1:], run))
