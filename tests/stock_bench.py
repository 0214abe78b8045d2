"""Stock tasks on tiny bases: a suite that asks nothing else, and a run in this process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from scripted_bench import open_ask

from harness.models import Model
from harness.models.bases import Base
from harness.models.hf import HFModel
from harness.plan import Ask
from harness.run import Outcome, run
from harness.store import Run, Store
from harness.types import Variant

ENGINE = "transformers/float32/cpu"


def just_stock(workspace: Path, names: tuple[str, ...], documents: int = 40, **suite: Any) -> Ask:
    """A suite that asks nothing but stock tasks; ``tasks`` may not be empty, so its prompts are taken out."""
    asked = open_ask(workspace, tasks=("copying",), retention=names, retention_documents=documents, **suite)
    return replace(asked, prompts=())


def in_process(base: Base, dtype: str) -> Model:
    return HFModel(base.path, "float32", "cpu")


def run_real(
    asked: Ask, variants: list[Variant], workspace: Path, store: Store, load: Any = in_process
) -> Outcome:
    with Run(store, "run") as note:
        return run(asked, variants, note, workspace, load=load, engine=ENGINE)
