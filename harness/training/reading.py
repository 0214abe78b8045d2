"""What a trainer reads: examples in one order for every backend, and the adapter it goes on from.

Both are checked: the examples against their digest, the adapter against the LoRA it is put into.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ConfigurationError
from harness.training.evaluation import Row
from harness.training.examples import load_examples
from harness.training.spec import TrainingSpec

SCALED_OTHERWISE = ("use_rslora", "use_dora", "alpha_pattern", "rank_pattern")
"""Settings of an adapter by which its weights would mean something else in a LoRA that is made without."""


@dataclass(frozen=True)
class Splits:
    """Rows of ``input_ids`` and ``labels``: train in the file's order, validation by passage, then tokens.

    The file's order depends on the seed; validation losses of two seeds must be of one text, and a passage
    that is asked for several times has several rows.
    """

    train: list[Row]
    validation: list[Row]


def load_splits(spec: TrainingSpec) -> Splits:
    """The examples, checked against their digest.

    Raises StylobenchError where the file is damaged, and ConfigurationError where an example is longer than
    ``seq_len``; one degraded to shorter examples is cut.
    """
    found = load_examples(Path(spec.examples)).examples
    train = [{"input_ids": each.input_ids, "labels": each.labels} for each in found if each.split == "train"]
    kept = [each for each in found if each.split == "validation"]
    kept.sort(key=lambda each: (each.passage, each.input_ids))
    validation = [{"input_ids": each.input_ids, "labels": each.labels} for each in kept]
    longest = max((len(row["input_ids"]) for row in train), default=0)
    if longest == 0:
        raise ConfigurationError("there is no train example")
    if longest > spec.seq_len and not spec.degraded:
        raise ConfigurationError(f"the longest train example has {longest} tokens; seq_len is {spec.seq_len}")
    cut = [{name: row[name][: spec.seq_len] for name in row} for row in train]
    return Splits([row for row in cut if any(label >= 0 for label in row["labels"])], list(validation))


def begin_from(model: Any, spec: TrainingSpec) -> Any:
    """The model with a fresh LoRA on it, or with the weights of ``continue_from`` in it; the same object.

    Raises ConfigurationError where that adapter has another rank, scale or shape than the spec's.
    """
    if spec.continue_from:
        folder = Path(spec.continue_from)
        settings = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        for ours, theirs in ((spec.lora.r, "r"), (spec.lora.alpha, "lora_alpha")):
            if settings.get(theirs) != ours:
                raise ConfigurationError(
                    f"continue_from {folder.name}: its {theirs} is {settings.get(theirs)}, "
                    f"and the recipe's {ours}; use the same"
                )
        if odd := [key for key in SCALED_OTHERWISE if settings.get(key)]:
            raise ConfigurationError(
                f"continue_from {folder.name}: it was trained with {odd[0]}, and a recipe's LoRA is without"
            )
        wear(model, folder)
    return model


def wear(model: Any, adapter: Path) -> None:
    """Put an adapter's weights into the LoRA that the model has.

    Raises ConfigurationError where they are not exactly the weights of that LoRA.
    """
    from peft import get_peft_model_state_dict, set_peft_model_state_dict
    from safetensors.torch import load_file

    weights = load_file(adapter / "adapter_model.safetensors")
    expected = {name: tuple(weight.shape) for name, weight in get_peft_model_state_dict(model).items()}
    found = {name: tuple(weight.shape) for name, weight in weights.items()}
    odd = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if odd:
        raise ConfigurationError(f"adapter {adapter.name} has other lora.targets or shapes: {odd[0]} differs")
    set_peft_model_state_dict(model, weights)
