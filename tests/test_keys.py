from __future__ import annotations

import pytest

from harness.errors import ConfigurationError
from harness.keys import described, explained

KEYS = [
    *("base", "trainer", "corpus", "system", "load_in_4bit", "packing", "epochs", "steps", "batch"),
    *("template", "template.enable_thinking", "template.reasoning_effort", "template.file"),
    *("lora", "lora.r", "lora.alpha", "lora.dropout", "lora.bias", "lora.targets", "lora.modules_to_save"),
    *("micro_batch", "seq_len", "max_examples", "lr", "schedule", "warmup_steps", "weight_decay"),
    *("optimizer", "gradient_checkpointing", "seeds", "save_steps", "save_total_limit", "eval_steps", "keep"),
    *("max_copied", "milestones", "continue_from", "dtype", "matrix", "tensorboard", "note"),
]


def test_every_key_has_one_sentence_of_why_and_a_usual_range() -> None:
    assert sorted(described()) == sorted(KEYS)
    for key in described().values():
        assert key.why.endswith(".")
        assert key.why.count(". ") == 0, key
        assert 20 < len(key.why) < 200, key
        assert key.usual, key


def test_defaults_and_limits_are_those_of_the_schema() -> None:
    key = described()
    assert (key["lora.r"].default, key["lora.r"].allowed) == ("16", "a whole number from 1 to 1024")
    assert (key["lora.alpha"].default, key["base"].default) == ("= lora.r", "must be given")
    assert (key["lr"].default, key["lr"].allowed) == ("0.0002", "a number above 0")
    assert (key["keep"].allowed, key["lora.dropout"].allowed) == (
        "last, best_validation",
        "a number from 0 below 1",
    )
    assert (key["template.reasoning_effort"].allowed, key["seeds"].default) == ("low, medium, high", "[3407]")
    assert (key["gradient_checkpointing"].default, key["packing"].default) == ("left out", "false")
    assert (key["lora.targets"].allowed, key["lora.modules_to_save"].allowed) == ("text or a list", "a list")


def test_a_key_is_found_by_its_name_or_its_unique_end() -> None:
    assert [key.name for key in explained("lora.alpha")] == ["lora.alpha"]
    assert explained("alpha") == explained("lora.alpha")
    assert [key.name for key in explained("template")] == [
        name for name in KEYS if name.startswith("template")
    ]


def test_an_unknown_key_offers_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match=r"^explain aplha: unknown key, did you mean 'alpha'\?$"):
        explained("aplha")
    with pytest.raises(ConfigurationError, match=r"did you mean 'lora.r'\?$"):
        explained("lora.rr")
