"""Which trl fuses its head, and what the trainers then refuse."""

from __future__ import annotations

from importlib import metadata

import pytest
from published_shapes import planned

from harness.errors import ConfigurationError, MissingPrerequisiteError
from harness.training import habits
from harness.training.spec import Lora


@pytest.mark.parametrize(
    ("version", "fuses"),
    [("1.14.2", False), ("1.15.0", True), ("1.15rc1", True), ("2", True), ("0.29.1", False), ("dev", False)],
)
def test_heads_are_fused_since_trl_1_15(monkeypatch: pytest.MonkeyPatch, version: str, fuses: bool) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: version)
    assert habits.fuses_head() is fuses


def test_without_trl_nothing_is_fused(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)
    assert habits.fuses_head() is False


def test_trl_1_15_is_refused_without_a_gpu(tiny_llama: object, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from trainers import peft_lora

    monkeypatch.setattr(peft_lora, "fuses_head", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MissingPrerequisiteError, match=r"pip install 'trl<1\.15'"):
        peft_lora.check(planned(base_path=str(tiny_llama)))


def test_a_lora_on_the_head_is_refused_where_it_would_not_be_trained(
    tiny_llama: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from trainers import peft_lora

    head = planned(base_path=str(tiny_llama), lora=Lora(targets=("q_proj", "lm_head")))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(peft_lora, "fuses_head", lambda: False)
    peft_lora.check(head)
    monkeypatch.setattr(peft_lora, "fuses_head", lambda: True)
    with pytest.raises(ConfigurationError, match=r"use lora.modules_to_save: \[lm_head\]"):
        peft_lora.check(head)


def test_unsloth_trains_head_and_embeddings_whole_only(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    from trainers import unsloth_lora

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    asked = planned(lora=Lora(targets=("q_proj", "embed_tokens", "lm_head")))
    with pytest.raises(ConfigurationError, match=r"modules_to_save: \[embed_tokens, lm_head\]"):
        unsloth_lora.check(asked)
