"""Tables -> ReportContext: everything one report says, gathered from stored scores; nothing is computed here
that ``score`` or ``compare`` would not also say.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness import summaries
from harness.comparable import WITHOUT_ENGINE
from harness.compare import Comparison, name_of
from harness.corpora import read_manifest
from harness.distances import author_train_values
from harness.figures import NO_INTERVAL, Distribution, Dot, Dots, FigureSpec, Kind, Rates, Series
from harness.measures import RATES
from harness.plan import Ask
from harness.positions import Position, positions, ranking
from harness.report_context import Column, Provenance, ReportContext, TaskPanel, Trust
from harness.report_context import Table as PageTable
from harness.report_marks import unfit_remarks, usual_length
from harness.report_positions import position_note, position_row
from harness.report_rows import Row, Sheet, not_run, rows_of
from harness.report_training import training_rows
from harness.report_words import answer_rows, clouds
from harness.store import Store, environment
from harness.summaries import Table
from harness.taskfile import Task
from harness.trust import trusts
from harness.types import Direction, Gate, Variant

_DIGITS = {
    "bits_per_byte": 3,
    "author_specific_gain": 3,
    "authorship_logit": 2,
    "mattr": 3,
    "type_token_ratio": 3,
}
_HELP = {
    "bits_per_byte": "held-out prose, raw text, float32 softmax",
    "author_specific_gain": "bits per byte gained on the author minus those gained on others",
    "authorship_logit": "mean classifier logit over valid answers",
    "copied": "a run of 50 words, or 30 % of 8-grams, from the training text",
}
DOES_NOT_KNOW_HIM = "cannot tell: the metric does not know this author"
_TARGETS = {"toward_author": "as the author's own passages", "higher": "higher", "lower": "lower"}


@dataclass(frozen=True)
class Material:
    """What a report is made of, read once."""

    asked: Ask
    variants: tuple[Variant, ...]
    table: Table
    comparison: Comparison | None
    responses: Sequence[Mapping[str, Any]]
    store: Store
    workspace: Path
    suite_name: str


def build(material: Material, commands: Sequence[str], title: str) -> ReportContext:
    """The whole page's content."""
    asked, table, comparison = material.asked, material.table, material.comparison
    sheet = Sheet(table, rows_of(material.variants, table), _author_train(asked, table))
    gated = {name: _gates(row, table, asked) for name, row in sheet.rows.items()}
    failed = {name: [gate for gate in gates if gate.outcome == "FAIL"] for name, gates in gated.items()}
    columns = _columns(asked, sheet)
    placed = positions(sheet.table, sheet.names)
    if "authorship_logit" in columns and columns["authorship_logit"].unfit:
        placed = [Position(p.variant, math.nan, NO_INTERVAL, DOES_NOT_KNOW_HIM) for p in placed]
    standing = {position.variant: position for position in placed}
    barred = [name for name, gates in failed.items() if gates]
    ranked = ranking([standing[name] for name in sheet.rows], barred)
    rows = [sheet.rows[position.variant] for position in ranked]
    ceilings = {gate.name: gate.ceiling for gates in gated.values() for gate in gates}
    return ReportContext(
        title=title,
        author=asked.reference.author,
        sentence=comparison.sentence if comparison else "No comparison was asked for.",
        generated=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        limited=bool(asked.limited) or any(v.record.get("limited") for v in material.variants),
        positions=tuple(position_row(sheet, row, standing, failed[row.name]) for row in rows),
        position_note=position_note(asked, columns),
        baseline=_side(comparison, "baseline"),
        candidate=_side(comparison, "candidate"),
        verdicts=comparison.verdicts if comparison else (),
        gates=tuple(
            gate
            for row in rows
            for gate in gated[row.name]
            if variant_has_model(row.kind) or gate.outcome == "FAIL"
        ),
        metrics=columns,
        leaderboard=_leaderboard(asked, sheet, rows, columns),
        panels=tuple(_panel(task, sheet, rows, columns, ceilings) for task in (*asked.tasks, *table.stock)),
        training=training_rows(material.variants),
        wordclouds=tuple(clouds(asked, table, material.responses, rows)),
        answers=tuple(answer_rows(asked, table, material.responses, rows)),
        provenance=_provenance(material, commands),
        notes=_notes(material),
        caveat=_caveat(asked),
    )


def _notes(material: Material) -> tuple[str, ...]:
    """What a reader has to know of the whole page: that it is limited, and who has no row on it."""
    limited = material.asked.limited
    missing = ", ".join(not_run(material.variants, material.table))
    told = (
        f"LIMITED: {limited}." if limited else "",
        f"Not run, and in no table: {missing}; `stylobench run {material.suite_name}`." if missing else "",
    )
    return tuple(filter(None, told))


def variant_has_model(kind: Kind) -> bool:
    """Whether answers came from a model: controls stand beside, and only their failures are news."""
    return kind not in ("author", "control")


def _author_train(asked: Ask, table: Table) -> dict[str, np.ndarray]:
    """The author's train passages by metric, for what is to be as his; nothing without his answers."""
    toward = {m for task in asked.tasks for m, way in task.directions.items() if way == "toward_author"}
    if not any(table.of("author", metric) for metric in toward):
        return {}
    found = author_train_values(asked.reference, asked.max_words)
    return {metric: values for metric, values in found.items() if metric in toward}


def _gates(row: Row, table: Table, asked: Ask) -> list[Gate]:
    """A row's gates; of training seeds the worst at each gate, as what one of them does may be seen again."""
    severity = ("FAIL", "needs n", "pass")

    def badness(gate: Gate) -> tuple[int, float]:
        return (-severity.index(gate.outcome), gate.rate)

    found: dict[str, Gate] = {}
    for gate in (gate for member in row.members for gate in summaries.gates(table, asked, member)):
        if gate.name not in found or badness(gate) > badness(found[gate.name]):
            found[gate.name] = gate
    aside = f", worst of {len(row.seeds)} seeds" if row.seeds else ""
    return [replace(gate, variant=f"{gate.variant}{aside}") for gate in found.values()]


def _columns(asked: Ask, sheet: Sheet) -> dict[str, Column]:
    """Metric -> how it is headed and printed, with its mark where it claims to know the author."""
    tasks = (*asked.tasks, *sheet.table.stock)
    directions = {metric: way for task in tasks for metric, way in task.directions.items()}
    known = trusts(asked.reference, list(directions), usual_length(sheet, asked.reference))
    return {metric: column(metric, way, known.get(metric)) for metric, way in directions.items()}


def _caveat(asked: Ask) -> str:
    caveat = asked.reference.caveat
    if not caveat:
        return ""
    return f"No other authors were named and presidents of other times stand in for them: {caveat}."


# ── numbers ───────────────────────────────────────────────────────────────────────────────────────


def column(metric: str, direction: Direction | None = None, trust: Trust | None = None) -> Column:
    """How a metric is headed and printed."""
    title, told = name_of(metric), _HELP.get(metric, "")
    if metric in RATES:
        return Column(title, digits=0, percent=True, direction=direction, help=told, trust=trust)
    return Column(title, digits=_DIGITS.get(metric, -1), direction=direction, help=told, trust=trust)


def _side(comparison: Comparison | None, side: str) -> str:
    return ", ".join(getattr(pair, side).name for pair in comparison.pairs) if comparison else ""


def _leaderboard(asked: Ask, sheet: Sheet, rows: Sequence[Row], columns: Mapping[str, Column]) -> PageTable:
    metrics = [m for m in (*asked.suite.primaries, "invalid", "mattr", "words") if m in columns]
    return PageTable(
        columns=tuple(columns[metric] for metric in metrics),
        lines=tuple(sheet.line(row.name, metrics) for row in rows),
    )


# ── panels ────────────────────────────────────────────────────────────────────────────────────────


def _panel(
    task: Task,
    sheet: Sheet,
    rows: Sequence[Row],
    columns: Mapping[str, Column],
    ceilings: Mapping[str, float],
) -> TaskPanel:
    shown = [row for row in rows if any(sheet.table.of(row.name, metric) for metric in task.metrics)]
    headed = tuple(columns[metric] for metric in task.metrics)
    target = _TARGETS[task.metadata.target]
    if headed[0].unfit and task.metadata.target != "toward_author":
        target = "none: the metric is unfit on this author"
    return TaskPanel(
        task=task.name,
        title=task.metadata.title,
        question=task.metadata.question,
        target=target,
        weakness=task.metadata.weakness,
        table=PageTable(headed, tuple(sheet.line(row.name, task.metrics) for row in shown)),
        figure=_figure(task, sheet, shown, ceilings.get(task.metrics[0], math.nan)),
        remarks=unfit_remarks(headed),
    )


def _figure(task: Task, sheet: Sheet, rows: Sequence[Row], ceiling_of_gate: float) -> FigureSpec:
    metric = task.metrics[0]
    axis = name_of(metric)
    if task.metadata.figure == "distribution":
        # All answers of all seeds: their prompt means would spread less than any one model's answers do.
        def answers(row: Row) -> tuple[float, ...]:
            return tuple(value for seed in row.members for value in sheet.table.of(seed, metric).values())

        series = [Series(row.name, row.kind, answers(row)) for row in rows]
        return Distribution(tuple(series), axis)
    found = {row.name: sheet.cell(row.name, metric) for row in rows}
    dots = tuple(
        Dot(row.name, row.kind, cell.value, cell.interval, sheet.seed_values(row.name, metric))
        for row in rows
        for cell in [found[row.name]]
        if not math.isnan(cell.value)
    )
    if task.metadata.figure == "rates":
        return Rates(dots, axis, ceiling_of_gate)
    floors = [m.value for name, m in found.items() if name.startswith("other:")]
    ceiling = found["author"].value if "author" in found else math.nan
    return Dots(dots, axis, sum(floors) / len(floors) if floors else math.nan, ceiling)


# ── how it was made ───────────────────────────────────────────────────────────────────────────────


def _provenance(material: Material, commands: Sequence[str]) -> Provenance:
    asked, store = material.asked, material.store
    frame = store.read("runs")
    ended = frame[frame["status"] == "done"].sort_values("ended") if len(frame) else frame
    drawn = sum(int(row["n_tokens"]) for row in material.responses if row["engine"] not in WITHOUT_ENGINE)
    suite = asked.suite
    answered = sum(row["engine"] not in WITHOUT_ENGINE for row in material.responses)
    return Provenance(
        run=str(ended.iloc[-1]["run"]) if len(ended) else "none",
        suite=material.suite_name,
        decoding=(
            f"temperature {suite.decoding.temperature:g}, top-p {suite.decoding.top_p:g}, "
            f"{suite.max_tokens} tokens, seed {suite.decoding.seed}, one noise a prompt for every variant"
        ),
        reference=asked.reference.digest,
        leakage=_leakage(material),
        tables=store.versions(),
        libraries=environment(),
        counts={
            "answers by models": f"{answered:,}",
            "tokens drawn": f"{drawn:,}",
            "prompts": f"{len(asked.prompts)}",
            "documents read": f"{len(asked.documents)}",
        },
        commands=tuple(commands),
        settings={
            "system prompt": asked.system,
            "likelihoods": asked.protocol,
            "precision": suite.dtype,
            "AUC of each metric on human text": _aucs(asked),
        },
    )


def _leakage(material: Material) -> str:
    parts = []
    for corpus in sorted({f"{v.corpus}@{v.version}" for v in material.variants if v.corpus}):
        name, _, number = corpus.partition("@")
        leakage = read_manifest(name, int(number), material.workspace)["leakage"]
        parts.append(
            f"{corpus}: {leakage['shared_13grams']:,} shared 13-grams, "
            f"{leakage['dropped']} train passages dropped, {leakage['left']} shared after"
        )
    return "; ".join(parts) or "no corpus version was trained on"


def _aucs(asked: Ask) -> str:
    """How well each metric tells this author's unseen prose from other authors', best first."""
    found = {name.removesuffix("_auc"): max(auc, 1 - auc) for name, auc in asked.reference.audit.items()}
    told = sorted((name for name in found if name not in RATES), key=lambda name: -found[name])
    return ", ".join(f"{name_of(name)} {found[name]:.2f}" for name in told)
