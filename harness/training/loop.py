"""The training loop, as every backend runs it: trl's SFTTrainer over the examples as they lie.

    newest complete checkpoint ---\\                        ,--> checkpoint-N/ elapsed.json, looks.json, ...
    model, examples, settings ------> steps, looks, saves -+
                                                            '--> History
A backend brings a model that is ready to train. Order, batches, schedule and resume are the same for all.
"""

from __future__ import annotations

import contextlib
import importlib.util
import math
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ConfigurationError
from harness.training.checkpoints import checkpoints_by_step, mark_complete, newest_complete, write_json
from harness.training.evaluation import Look
from harness.training.packing import Collate, pack
from harness.training.program import Events, place
from harness.training.progress import Clock, Looking, Viewer
from harness.training.reading import Splits
from harness.training.saving import first_not_kept, save_milestone
from harness.training.spec import TrainingSpec


@dataclass(frozen=True)
class History:
    """The run as the training loop saw it; parts done before a resume are included.

    ``losses``: nats per target token, each the mean since the log before. ``seconds`` is the time that led to
    the model, without loading; ``seconds_lost`` was computed after a checkpoint that a kill threw back to.
    ``tokens_per_second``: tokens read, padding left out, since this process began; looks take no time. NaN
    where every step was taken by an earlier process.
    """

    steps: int
    epochs: float
    seconds: float
    seconds_lost: float
    tokens_per_second: float
    resumed_from: int
    losses: list[float]
    logged_steps: list[int]
    looks: list[Look]
    kept: Look | None


def precision(spec: TrainingSpec) -> str:
    """The dtype of the base's weights here: float16 on a card that has no bfloat16, else the spec's."""
    import torch

    if not torch.cuda.is_available() or spec.dtype != "bfloat16":
        return spec.dtype
    return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"


def tokens_between(lengths: Sequence[int], each_step: int, first: int, last: int) -> int:
    """Tokens in the examples of steps ``first`` (included) to ``last`` (not), steps counted from 0.

    An epoch's last step takes what is left of it; the next epoch begins anew.
    """
    per_epoch = math.ceil(len(lengths) / each_step)
    return sum(
        sum(lengths[step % per_epoch * each_step : (step % per_epoch + 1) * each_step])
        for step in range(first, last)
    )


def fit(
    model: Any,
    tokenizer: Any,
    splits: Splits,
    spec: TrainingSpec,
    checkpoints: Path,
    events: Events,
    settings: Mapping[str, Any],
    prepared: Callable[[Any], None] = lambda trainer: None,
    looking: Looking = lambda model: contextlib.nullcontext(),
) -> History:
    """Train ``model`` in place, from the newest complete checkpoint if there is one.

    ``settings``: what this backend adds to trl's configuration. ``prepared`` gets the trainer once it is
    built, before its first step; ``looking`` surrounds each look at the model. With
    ``keep: best_validation`` the model is left as its best look saw it.
    """
    import transformers
    from datasets import Dataset, disable_progress_bars
    from trl import SFTConfig, SFTTrainer

    disable_progress_bars()
    rows: list[Any] = list(splits.train)
    if spec.packing:
        rows = [vars(row) for row in pack(splits.train, spec.seq_len)]
    resume = newest_complete(checkpoints, before=first_not_kept(spec))
    if place().first:
        # Left lying, they would push the new ones out: the Trainer keeps those of the highest steps.
        for step, stale in checkpoints_by_step(checkpoints).items():
            if step >= first_not_kept(spec):
                shutil.rmtree(stale, ignore_errors=True)
    clock = Clock.begin(checkpoints, resume)
    viewer = Viewer.begin(model, tokenizer, splits, spec, checkpoints, resume, looking)

    class Narrator(transformers.TrainerCallback):  # type: ignore[misc]
        """Says each logged step, looks at the model, and marks each checkpoint once it lies whole."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            clock.start()
            events.say("start", steps=state.max_steps, step=state.global_step, resumed=resume is not None)

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if logs and "loss" in logs and place().first:
                clock.tick()
                events.say(
                    "step",
                    step=state.global_step,
                    steps=state.max_steps,
                    loss=float(logs["loss"]),
                    seconds=clock.seconds,
                    tokens_per_second=speed(state.global_step),
                    memory_gb=memory_now_gb(),
                )

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            # The last step's adapter is the run's own, and no milestone.
            is_milestone = state.global_step in spec.milestones and state.global_step < state.max_steps
            if is_milestone and place().first:
                with clock.aside():
                    save_milestone(model, spec, state.global_step)
                events.say("milestone", step=state.global_step)
            every = spec.evaluates_every
            last = state.global_step == state.max_steps
            if every and place().first and (state.global_step % every == 0 or last):
                with clock.aside():
                    look = viewer.look(state.global_step)
                events.say("look", steps=state.max_steps, **look.as_json())

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            wait_for_all()  # each process writes its random state into the folder that is marked here
            if place().first:
                folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
                write_json(folder / "elapsed.json", {"seconds": clock.seconds})
                viewer.save(folder)
                mark_complete(folder)
                events.say("checkpoint", step=state.global_step)

    resumed_from = int(resume.name.removeprefix("checkpoint-")) if resume is not None else 0
    each_step = spec.batch * spec.accumulation
    lengths = [len(row["input_ids"]) for row in rows]

    def speed(step: int) -> float:
        return tokens_between(lengths, each_step, resumed_from, step) / max(clock.stepping, 1e-9)

    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(**{**common_settings(spec, checkpoints), **settings}),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        callbacks=[Narrator()],
        data_collator=Collate(tokenizer.pad_token_id) if spec.packing else None,
    )
    trainer.remove_callback(transformers.PrinterCallback)
    prepared(trainer)
    if resume is not None and (reached := finished_at(resume)) is not None:
        # transformers would take one step more: it asks whether the last was reached only after a step.
        trainer._load_from_checkpoint(str(resume))
        trainer.state = reached
        clock.start()
        events.say("start", steps=reached.max_steps, step=reached.global_step, resumed=True)
    else:
        trainer.train(resume_from_checkpoint=str(resume) if resume is not None else None)

    seconds, steps = clock.seconds, int(trainer.state.global_step)
    tokens_per_second = speed(steps) if steps > resumed_from else math.nan
    kept = viewer.wear_best() if place().first else None
    # The summary's own train_loss is wrong after a resume; the log history is carried in the checkpoints.
    logged = [entry for entry in trainer.state.log_history if "loss" in entry]
    return History(
        steps=steps,
        epochs=steps * each_step / len(rows),
        seconds=seconds,
        seconds_lost=clock.lost,
        tokens_per_second=tokens_per_second,
        resumed_from=resumed_from,
        losses=[float(entry["loss"]) for entry in logged],
        logged_steps=[int(entry["step"]) for entry in logged],
        looks=viewer.looks,
        kept=kept,
    )


def finished_at(checkpoint: Path) -> Any | None:
    """The trainer's state in a checkpoint of the last step, or None where there are steps left to take."""
    from transformers import TrainerState

    state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    return state if state.global_step >= state.max_steps else None


def common_settings(spec: TrainingSpec, checkpoints: Path) -> dict[str, Any]:
    """trl's configuration, as far as it is every backend's: what to train on, how long, and what to keep."""
    import torch

    if spec.tensorboard:
        if not any(map(importlib.util.find_spec, ("tensorboard", "tensorboardX"))):
            raise ConfigurationError("tensorboard: true needs a package: pip install tensorboard")
        # transformers reads the folder from here; the checkpoints' own is removed after the run.
        os.environ["TENSORBOARD_LOGGING_DIR"] = str(Path(spec.out) / "tensorboard")
    cuda = torch.cuda.is_available()
    share = spec.share(place().processes)
    dtype = precision(spec)
    return {
        "output_dir": str(checkpoints),
        "max_steps": spec.steps if spec.steps is not None else -1,
        "num_train_epochs": spec.epochs if spec.epochs is not None else 1.0,
        "per_device_train_batch_size": share.batch,
        "gradient_accumulation_steps": share.accumulation,
        "learning_rate": spec.lr,
        "lr_scheduler_type": spec.scheduler,
        "warmup_steps": spec.warmup_steps,
        "weight_decay": spec.weight_decay,
        "optim": spec.optimizer,
        "seed": spec.seed,
        "data_seed": spec.seed,
        # The harness has ordered the examples: shuffling again would make two backends see two orders.
        "train_sampling_strategy": "sequential",
        "max_length": spec.seq_len,
        "dataset_kwargs": {"skip_prepare_dataset": True},
        "remove_unused_columns": not spec.packing,
        # The weights already are bfloat16; autocast on top costs time on a CPU and saves nothing.
        "bf16": cuda and dtype == "bfloat16",
        "fp16": cuda and dtype == "float16",
        "use_cpu": not cuda,
        "ddp_backend": None if cuda or place().processes == 1 else "gloo",
        "ddp_find_unused_parameters": False if place().processes > 1 else None,
        "logging_steps": spec.log_steps,
        "save_strategy": "steps",
        "save_steps": spec.save_steps,
        "save_total_limit": spec.checkpoints_kept,
        "disable_tqdm": True,
        "report_to": "tensorboard" if spec.tensorboard else "none",
        "dataloader_pin_memory": cuda,
    }


def wait_for_all() -> None:
    """Until every process of this run has come here; at once where there is only one."""
    import torch

    if place().processes > 1 and torch.distributed.is_initialized():
        torch.distributed.barrier()


def memory_now_gb() -> float | None:
    """GPU memory held by this process, in units of 10^9 bytes; None without a GPU."""
    import torch

    return float(torch.cuda.memory_allocated()) / 1e9 if torch.cuda.is_available() else None
