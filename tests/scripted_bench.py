"""The rooms from plan to report over a scripted model: real tables, a real reference set, no torch."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from small_author import NAME

from harness import reference as references
from harness.bench import open_bench, warehouse
from harness.models import Model, controls
from harness.models.bases import Base, resolve_base
from harness.models.scripted import ScriptedModel
from harness.plan import Ask, ask
from harness.reference import Reference
from harness.run import Outcome, run
from harness.score import score
from harness.store import Run, Store
from harness.suite import Suite
from harness.taskfile import read_tasks
from harness.types import Variant
from harness.variants import as_row, base_variant

TASKS = ("heldout_perplexity", "heldout_in_template", "author_gain", "authorship", "copying", "validity",
         "response_length", "relevance")  # fmt: skip
CONTROLS = ("author", "other:flint", "other:thorne", "copyist", "shuffled")
SHOWN = "tiny+few-shot"
"""The base once more with two examples, which every suite asks unless told otherwise."""
BASE = Variant(name="tiny", kind="base", digest="digest of tiny", base="tiny")
ONE, TWO = (
    Variant(f"small@{n}", "adapter", f"digest of small@{n}", "tiny", f"adapters/small@{n}", NAME, n,
            f"{NAME}@{n}", {"recipe": "small", "settings": {"lr": 0.01, "corpus": f"{NAME}@{n}"}, "seed": 1})
    for n in (1, 2)
)  # fmt: skip

Script = Callable[[str, Path | None], str]


def copy_workspace(prepared: Path, to: Path, tiny_llama: Path | None = None) -> Path:
    """A workspace of one's own, with the tiny model on its shelf of bases."""
    shutil.copytree(prepared, to)
    if tiny_llama is not None:
        shutil.copytree(tiny_llama, to / "results" / "bases" / "tiny")
    return to


def open_ask(workspace: Path, *, tasks: Sequence[str] = TASKS, limit: int | None = None, **suite: Any) -> Ask:
    """A suite on the small author; 40 tokens an answer and 16 documents unless told otherwise."""
    settings: dict[str, Any] = {"max_tokens": 40, "batch": 4, "likelihood": {"documents": 16}} | suite
    chosen = Suite(author=NAME, tasks=tuple(tasks), **settings)
    return ask(chosen, read_tasks(chosen.tasks, workspace), references.load(NAME, workspace), limit)


def control_variants(reference: Reference) -> list[Variant]:
    return [controls.as_variant(name, reference) for name in CONTROLS]


def paste_author(reference: Reference) -> Script:
    """A model that answers with the author's own words, the adapter's version deciding how many."""
    answer_of = {prompt.text: prompt.reference for prompt in reference.prompts}

    def script(rendered: str, adapter: Path | None) -> str:
        words = next(answer for text, answer in answer_of.items() if text in rendered).split(" ")
        return " ".join(words[: 30 if adapter is None else 36])

    return script


def better_with_training(text: str, adapter: Path | None) -> float:
    """One nat a byte; the adapters save a tenth, and more on the pilot's prose (which says ``upon``)."""
    saved = 0.0 if adapter is None else 0.2 if "pon" in text else 0.1
    return -len(text.encode()) * (1 - saved)


def scripted(workspace: Path, script: Script | None = None) -> ScriptedModel:
    reference = references.load(NAME, workspace)
    return ScriptedModel(script or paste_author(reference), better_with_training)


def compute(
    asked: Ask, variants: Sequence[Variant], workspace: Path, model: Model, store: Store | None = None
) -> Outcome:
    """``stylobench run`` with this model in the place of the real one."""

    def load(base: Base, dtype: str) -> Model:
        return model

    with Run(store or warehouse(workspace), "run") as note:
        return run(asked, variants, note, workspace, load=load, engine=model.engine)


SUITE = f"""\
author: {NAME}
variants: [tiny, {NAME}@1, {NAME}@2]
tasks: [{", ".join(TASKS)}]
max_tokens: 40
batch: 4
likelihood: {{documents: 16}}
"""


def finished_workspace(prepared: Path, to: Path, tiny_llama: Path) -> Path:
    """A workspace whose suite ``small`` was run by the scripted model and scored; adapters have no files."""
    workspace = copy_workspace(prepared, to, tiny_llama)
    (workspace / "tasks" / "suites").mkdir(parents=True)
    (workspace / "tasks" / "suites" / "small.yaml").write_text(SUITE)
    with Run(warehouse(workspace), "train small@1") as note:
        note.append(
            "variants", [as_row(v) for v in (base_variant(resolve_base("tiny", workspace)), ONE, TWO)]
        )
    bench = open_bench("small", workspace)
    compute(bench.asked, bench.variants, workspace, scripted(workspace))
    with Run(warehouse(workspace), "score small") as note:
        score(bench.asked, bench.variants, note)
    return workspace
