"""LoRA with transformers, peft and trl: the trainer that runs everywhere, a laptop's CPU included.

    python trainers/peft_lora.py SPEC.json

Reads a spec (the keys of harness.training.launch.TrainingSpec) and examples already tokenised, masked and
ordered; trains; writes into the spec's ``out`` folder

    adapter/       adapter_model.safetensors, adapter_config.json
    record.json    written last: its presence says that the run is finished

and says what it does as JSON lines on stdout. Started again after a kill, it goes on from its newest
complete checkpoint, optimiser, schedule and random state included.
"""

from __future__ import annotations

import os

# Read when torch loads its thread pool: threads that spin while waiting slow a shared machine 15-fold.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import importlib.metadata
import json
import math
import platform
import resource
import shutil
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from harness.errors import EXIT_INTERNAL, ConfigurationError, StylobenchError
from harness.text import digest
from harness.training.chat import IGNORED, conversation, decode, encode, render
from harness.training.checkpoints import mark_complete, newest_complete, sha256_file, write_json
from harness.training.launch import TrainingSpec

VALIDATION_EXAMPLES = 16
SAMPLE_TOKENS = 60
SAMPLE_TEMPERATURE, SAMPLE_TOP_P = 0.8, 0.95  # greedy answers loop at the size of the demo's model
LIBRARIES = ("accelerate", "datasets", "peft", "torch", "transformers", "trl")


def main(arguments: list[str]) -> int:
    """Exit status of the program: 0 done, 2 a spec that cannot be used, 1 anything else."""
    # Libraries print to stdout when they please; what they say goes to stderr, the events keep stdout.
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    stop_with_parent()
    try:
        if len(arguments) != 1:
            raise ConfigurationError("usage: python trainers/peft_lora.py SPEC.json")
        run(TrainingSpec.from_json(json.loads(Path(arguments[0]).read_text(encoding="utf-8"))), events)
    except StylobenchError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except Exception:
        traceback.print_exc()
        return EXIT_INTERNAL
    return 0


def run(spec: TrainingSpec, events: TextIO) -> None:
    """Train what the spec says and leave adapter and record in its ``out`` folder."""
    import torch
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    out = Path(spec.out)
    # Checkpoints of another spec must not be resumed from: each spec has a folder of its own.
    checkpoints = out / "checkpoints" / spec.digest()[:16]
    transformers.set_seed(spec.seed)
    tokenizer = load_tokenizer(spec)
    model = load_model(spec)
    splits = load_splits(spec)

    history = train(model, tokenizer, splits["train"], spec, checkpoints, events)
    if not history.losses or not math.isfinite(history.losses[-1]):
        raise StylobenchError(
            f"the loss is {history.losses[-1:]} after {history.steps} steps; use a lower lr"
        )

    model.eval()
    if torch.cuda.is_available():
        model.gradient_checkpointing_disable()
    with model.disable_adapter():
        say(events, "evaluate", model="before")
        loss_before = validation_loss(model, splits["validation"])
        answers_before = sample_answers(model, tokenizer, spec)
    say(events, "evaluate", model="after")
    loss_after = validation_loss(model, splits["validation"])
    answers_after = sample_answers(model, tokenizer, spec)
    adapter = save_adapter(model, spec, out)
    weights = adapter / "adapter_model.safetensors"
    record = {
        "trainer": Path(__file__).stem,
        "spec_digest": spec.digest(),
        "base": spec.base_name,
        "base_digest": spec.base_digest,
        "corpus": spec.corpus,
        "version": spec.version,
        "examples_digest": Path(spec.examples).name,
        "train_examples": len(splits["train"]),
        "steps": history.steps,
        "epochs": history.epochs,
        "resumed_from": history.resumed_from,
        "minutes": history.seconds / 60,
        "seconds_per_step": history.seconds / history.steps,
        "mean_loss": sum(history.losses) / len(history.losses),
        "final_loss": history.losses[-1],
        "loss_curve": [list(point) for point in zip(history.logged_steps, history.losses, strict=True)],
        "validation_loss": {"before": loss_before, "after": loss_after},
        "validation_examples": min(len(splits["validation"]), VALIDATION_EXAMPLES),
        "peak_memory_gb": peak_memory_gb(),
        "adapter_mb": weights.stat().st_size / 1e6,
        "adapter_digest": adapter_digest(weights, spec),
        "trainable_parameters": model.get_nb_trainable_parameters()[0],
        "samples": [
            {"prompt": prompt, "before": before, "after": after}
            for prompt, before, after in zip(spec.sample_prompts, answers_before, answers_after, strict=True)
        ],
        "seed": spec.seed,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "versions": {name: importlib.metadata.version(name) for name in LIBRARIES}
        | {"python": platform.python_version()},
    }
    write_json(out / "record.json", record)
    shutil.rmtree(out / "checkpoints", ignore_errors=True)  # optimiser states are three times the adapter
    say(events, "done", adapter=str(adapter), minutes=record["minutes"], final_loss=record["final_loss"])


@dataclass(frozen=True)
class History:
    """The run as the training loop saw it; parts done before a resume are included.

    ``losses``: nats per target token, each the mean since the log before. ``seconds`` leaves out loading
    and whatever was computed after the checkpoint that a killed run was resumed from.
    """

    steps: int
    epochs: float
    seconds: float
    resumed_from: int
    losses: list[float]
    logged_steps: list[int]


def load_tokenizer(spec: TrainingSpec) -> Any:
    """The base's tokenizer, padding on the left: a batch is padded before its prompts, never after."""
    from transformers import AutoTokenizer

    # The side does not survive saving, so it is passed on every load.
    tokenizer = AutoTokenizer.from_pretrained(spec.base_path, local_files_only=True, padding_side="left")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(spec: TrainingSpec) -> Any:
    """The base in the spec's dtype with a fresh LoRA on it (its weights in float32)."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(
        spec.base_path, dtype=getattr(torch, spec.dtype), local_files_only=True, use_safetensors=True
    )
    targets = spec.lora.targets
    config = LoraConfig(
        r=spec.lora.r,
        lora_alpha=spec.lora.alpha,
        lora_dropout=spec.lora.dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
        task_type="CAUSAL_LM",
    )
    try:
        model = get_peft_model(base, config)
    except ValueError as error:
        raise ConfigurationError(f"lora.targets do not fit {spec.base_name}: {error}") from error
    return model.to("cuda") if torch.cuda.is_available() else model


def load_splits(spec: TrainingSpec) -> dict[str, Any]:
    """Datasets in memory: train examples in the order of the file, validation ones by passage."""
    import pyarrow.compute
    import pyarrow.parquet
    from datasets import Dataset, disable_progress_bars

    disable_progress_bars()
    table = pyarrow.parquet.read_table(Path(spec.examples) / "examples.parquet")
    splits = {}
    for split in ("train", "validation"):
        rows = table.filter(pyarrow.compute.equal(table["split"], split))
        if split == "validation":
            # The file's order depends on the seed; validation losses of two seeds must be of one text.
            rows = rows.sort_by("passage")
        splits[split] = Dataset(rows.select(["input_ids", "labels"]))
    longest = max((len(row["input_ids"]) for row in splits["train"]), default=0)
    if longest == 0 or longest > spec.seq_len:
        raise ConfigurationError(f"the longest train example has {longest} tokens; seq_len is {spec.seq_len}")
    return splits


def train(
    model: Any, tokenizer: Any, examples: Any, spec: TrainingSpec, checkpoints: Path, events: TextIO
) -> History:
    """Run trl's SFTTrainer over the examples as they lie, from the newest complete checkpoint if any."""
    import torch
    import transformers
    from trl import SFTConfig, SFTTrainer

    cuda = torch.cuda.is_available()
    resume = newest_complete(checkpoints)
    began, earlier = time.monotonic(), 0.0
    if resume is not None:
        earlier = float(json.loads((resume / "elapsed.json").read_text(encoding="utf-8"))["seconds"])

    class Narrator(transformers.TrainerCallback):  # type: ignore[misc]
        """Says each logged step, and marks each checkpoint once it lies whole on the disk."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            say(events, "start", steps=state.max_steps, step=state.global_step, resumed=resume is not None)

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if logs and "loss" in logs:
                seconds = earlier + time.monotonic() - began
                loss = float(logs["loss"])
                say(events, "step", step=state.global_step, steps=state.max_steps, loss=loss, seconds=seconds)

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            write_json(folder / "elapsed.json", {"seconds": earlier + time.monotonic() - began})
            mark_complete(folder)
            say(events, "checkpoint", step=state.global_step)

    settings = SFTConfig(
        output_dir=str(checkpoints),
        max_steps=spec.steps if spec.steps is not None else -1,
        num_train_epochs=spec.epochs if spec.epochs is not None else 1.0,
        per_device_train_batch_size=spec.batch,
        gradient_accumulation_steps=spec.accumulation,
        learning_rate=spec.lr,
        lr_scheduler_type=spec.schedule,
        warmup_steps=spec.warmup_steps,
        weight_decay=spec.weight_decay,
        optim="adamw_torch",
        seed=spec.seed,
        data_seed=spec.seed,
        # The harness has ordered the examples: shuffling again would make two backends see two orders.
        train_sampling_strategy="sequential",
        max_length=spec.seq_len,
        dataset_kwargs={"skip_prepare_dataset": True},
        # The weights already are bfloat16; autocast on top costs time on a CPU and saves nothing.
        bf16=cuda and spec.dtype == "bfloat16",
        use_cpu=not cuda,
        gradient_checkpointing=cuda,
        logging_steps=spec.log_steps,
        save_strategy="steps",
        save_steps=spec.save_steps,
        save_total_limit=2,
        disable_tqdm=True,
        report_to="none",
        dataloader_pin_memory=cuda,
    )
    trainer = SFTTrainer(
        model=model, args=settings, train_dataset=examples, processing_class=tokenizer, callbacks=[Narrator()]
    )
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train(resume_from_checkpoint=str(resume) if resume is not None else None)

    # The summary's own train_loss is wrong after a resume; the log history is carried in the checkpoints.
    logged = [entry for entry in trainer.state.log_history if "loss" in entry]
    steps = int(trainer.state.global_step)
    return History(
        steps=steps,
        epochs=steps * spec.batch * spec.accumulation / len(examples),
        seconds=earlier + time.monotonic() - began,
        resumed_from=int(resume.name.removeprefix("checkpoint-")) if resume is not None else 0,
        losses=[float(entry["loss"]) for entry in logged],
        logged_steps=[int(entry["step"]) for entry in logged],
    )


def validation_loss(model: Any, examples: Any) -> float | None:
    """Mean negative log-likelihood, nats per target token, of up to 16 examples; None where there are none.

    Softmax in float32: in bfloat16 the loss of an example is off by more than training changes it.
    """
    import torch

    total, n_tokens = 0.0, 0
    for row in examples.select(range(min(len(examples), VALIDATION_EXAMPLES))):
        ids = torch.tensor([row["input_ids"]], device=model.device)
        labels = torch.tensor(row["labels"][1:], device=model.device)
        with torch.inference_mode():
            logits = model(input_ids=ids).logits[0, :-1]
            wanted = labels != IGNORED
            total += float(
                torch.nn.functional.cross_entropy(logits[wanted].float(), labels[wanted], reduction="sum")
            )
        n_tokens += int(wanted.sum())
    return total / n_tokens if n_tokens else None


def sample_answers(model: Any, tokenizer: Any, spec: TrainingSpec) -> list[str]:
    """One answer to each sample prompt, drawn in one batch from the spec's seed; special tokens left out."""
    import torch

    if not spec.sample_prompts:
        return []
    prompts = [
        encode(tokenizer, render(tokenizer, conversation(spec.system, prompt), add_generation_prompt=True))
        for prompt in spec.sample_prompts
    ]
    batch = tokenizer.pad({"input_ids": prompts}, padding=True, return_tensors="pt").to(model.device)
    torch.manual_seed(spec.seed)
    with torch.inference_mode():
        written = model.generate(
            **batch,
            max_new_tokens=SAMPLE_TOKENS,
            do_sample=True,
            temperature=SAMPLE_TEMPERATURE,
            top_p=SAMPLE_TOP_P,
            top_k=0,
            pad_token_id=tokenizer.pad_token_id,
            use_cache=True,
        )
    answers = written[:, batch["input_ids"].shape[1] :].tolist()
    silent = set(tokenizer.all_special_ids)
    return [decode(tokenizer, [token for token in answer if token not in silent]) for answer in answers]


def save_adapter(model: Any, spec: TrainingSpec, out: Path) -> Path:
    """``<out>/adapter`` as safetensors, complete or not there at all."""
    building, adapter = out / ".adapter.tmp", out / "adapter"
    for stale in (building, adapter):
        shutil.rmtree(stale, ignore_errors=True)
    model.save_pretrained(building, safe_serialization=True)
    (building / "README.md").unlink(missing_ok=True)  # a model card of empty headings
    config = json.loads((building / "adapter_config.json").read_text(encoding="utf-8"))
    if isinstance(config.get("target_modules"), list):
        config["target_modules"].sort()  # a set upstream: its order changes from run to run
    config["base_model_name_or_path"] = spec.base_name  # a path of this machine helps nobody else
    write_json(building / "adapter_config.json", config)
    for path in building.iterdir():
        path.chmod(0o644)  # safetensors files are made for their owner's eyes only
    return building.rename(adapter)


def adapter_digest(weights: Path, spec: TrainingSpec) -> str:
    """sha256 over the adapter's weights and the scale they are applied with (alpha over r)."""
    return digest({"weights": sha256_file(weights), "r": spec.lora.r, "alpha": spec.lora.alpha})


def peak_memory_gb() -> float:
    """The most memory held at once, in units of 10^9 bytes: the GPU's allocator where used, else resident."""
    import torch

    if torch.cuda.is_available():
        return float(torch.cuda.max_memory_allocated()) / 1e9
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def say(events: TextIO, event: str, **facts: Any) -> None:
    """One JSON line to whoever started this program."""
    events.write(json.dumps({"event": event, **facts}) + "\n")
    events.flush()


def stop_with_parent() -> None:
    """End this process soon after the one named in STYLOBENCH_PARENT is gone, even where it was killed.

    Else a killed harness would leave a trainer behind that writes into the folder of the next.
    """
    parent = os.environ.get("STYLOBENCH_PARENT")
    if parent is None:
        return

    def watch() -> None:
        while os.getppid() == int(parent):
            time.sleep(1)
        os._exit(EXIT_INTERNAL)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
