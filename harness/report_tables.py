"""Tables -> ReportContext: everything one report says, gathered from stored scores; nothing is computed here
that ``score`` or ``compare`` would not also say.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import summaries
from harness.compare import WITHOUT_ENGINE, Comparison, name_of
from harness.corpora import read_manifest
from harness.figures import Distribution, Dot, Dots, FigureSpec, Kind, Rates, Series
from harness.measures import RATES
from harness.metrics.function_words import FUNCTION_WORD_SET
from harness.metrics.keyness import log_likelihood_g2, log_ratio
from harness.plan import Ask
from harness.report_context import (
    Answer,
    AnswerRow,
    Column,
    Line,
    Measure,
    PositionRow,
    Provenance,
    ReportContext,
    TaskPanel,
    TrainingRow,
    WordCloud,
    kind_of,
)
from harness.report_context import Table as PageTable
from harness.store import Store, environment
from harness.summaries import Table
from harness.taskfile import Task
from harness.text import complete, words
from harness.types import Direction, Summary, Variant

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
_ANSWERS_SHOWN = 4
_CLOUD_WORDS = 40


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
    kinds = {variant.name: kind_of(variant) for variant in material.variants if variant.name in table.values}
    gated = {name: summaries.gates(table, asked, name) for name in kinds}
    failed = [name for name, gates in gated.items() if any(gate.outcome == "FAIL" for gate in gates)]
    ceilings = {gate.name: gate.ceiling for gates in gated.values() for gate in gates}
    ranked = summaries.ranking(summaries.positions(table, list(kinds)), failed)
    order = [position.variant for position in ranked]
    return ReportContext(
        title=title,
        author=asked.reference.author,
        sentence=comparison.sentence if comparison else "No comparison was asked for.",
        generated=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        limited=bool(asked.limited) or any(v.record.get("limited") for v in material.variants),
        positions=tuple(_position(table, p, kinds[p.variant], p.variant in failed) for p in ranked),
        position_note=_position_note(asked),
        baseline=_side(comparison, "baseline"),
        candidate=_side(comparison, "candidate"),
        verdicts=comparison.verdicts if comparison else (),
        gates=tuple(
            gate
            for name in order
            for gate in gated[name]
            if variant_has_model(kinds[name]) or gate.outcome == "FAIL"
        ),
        metrics={m: column(m, way) for task in asked.tasks for m, way in task.directions.items()},
        leaderboard=_leaderboard(table, asked, order, kinds),
        panels=tuple(_panel(task, table, order, kinds, ceilings) for task in asked.tasks),
        training=tuple(
            _training(v) for v in material.variants if v.kind == "adapter" and not v.record.get("registered")
        ),
        wordclouds=tuple(_clouds(material, order, kinds)),
        answers=tuple(_answers(material, order, kinds)),
        provenance=_provenance(material, commands),
        notes=(f"LIMITED: {asked.limited}.",) if asked.limited else (),
    )


def variant_has_model(kind: Kind) -> bool:
    """Whether answers came from a model: controls stand beside, and only their failures are news."""
    return kind not in ("author", "control")


# ── numbers ───────────────────────────────────────────────────────────────────────────────────────


def column(metric: str, direction: Direction | None = None) -> Column:
    """How a metric is headed and printed."""
    title = name_of(metric)
    if metric in RATES:
        return Column(title, digits=0, percent=True, direction=direction, help=_HELP.get(metric, ""))
    return Column(title, digits=_DIGITS.get(metric, -1), direction=direction, help=_HELP.get(metric, ""))


def measure_of(summary: Summary) -> Measure:
    """A summary as a cell."""
    return Measure(summary.value, summary.interval, summary.n, summary.note)


def _cell(table: Table, variant: str, metric: str) -> Measure:
    return measure_of(summaries.summarise(table, variant, metric))


def _valid(table: Table, variant: str) -> Measure:
    bad = _cell(table, variant, "invalid")
    low, high = bad.interval
    return Measure(1 - bad.value, type(bad.interval)(1 - high, 1 - low), bad.n, bad.note)


def _position(table: Table, position: summaries.Position, kind: Kind, failed: bool) -> PositionRow:
    return PositionRow(
        variant=position.variant,
        kind=kind,
        position=Measure(position.value, position.interval, note=position.note),
        valid=_valid(table, position.variant),
        copied=_cell(table, position.variant, "copied"),
        note="fails a gate: ranked below all that pass" if failed else position.note,
    )


def _position_note(asked: Ask) -> str:
    reference = asked.reference
    twin = reference.primary_classifier
    auc = reference.audit.get(f"authorship_{twin}_auc", math.nan)
    text = f"Measured by the {twin} authorship classifier, AUC {auc:.2f} on human text of this length"
    others = ", ".join(sorted(reference.others))
    warning = "" if twin == "masked" else "; it reads topic as well as style"
    caveat = f"; {reference.caveat}" if reference.caveat else ""
    return f"{text}; other authors: {others}{caveat}{warning}."


def _side(comparison: Comparison | None, side: str) -> str:
    return ", ".join(getattr(pair, side).name for pair in comparison.pairs) if comparison else ""


def _leaderboard(table: Table, asked: Ask, order: Sequence[str], kinds: Mapping[str, Kind]) -> PageTable:
    directions = {m: way for task in asked.tasks for m, way in task.directions.items()}
    metrics = [m for m in (*asked.suite.primaries, "invalid", "mattr", "words") if m in directions]
    return PageTable(
        columns=tuple(column(metric, directions[metric]) for metric in metrics),
        lines=tuple(
            Line(name, kinds[name], tuple(_cell(table, name, metric) for metric in metrics)) for name in order
        ),
    )


# ── panels ────────────────────────────────────────────────────────────────────────────────────────


def _panel(
    task: Task, table: Table, order: Sequence[str], kinds: Mapping[str, Kind], ceilings: Mapping[str, float]
) -> TaskPanel:
    named = [name for name in order if any(table.of(name, metric) for metric in task.metrics)]
    lines = [Line(name, kinds[name], tuple(_cell(table, name, m) for m in task.metrics)) for name in named]
    return TaskPanel(
        task=task.name,
        title=task.metadata.title,
        question=task.metadata.question,
        target={"toward_author": "as the author's own passages", "higher": "higher", "lower": "lower"}[
            task.metadata.target
        ],
        weakness=task.metadata.weakness,
        table=PageTable(tuple(column(m, way) for m, way in task.directions.items()), tuple(lines)),
        figure=_figure(task, table, named, kinds, ceilings.get(task.metrics[0], math.nan)),
    )


def _figure(
    task: Task, table: Table, named: Sequence[str], kinds: Mapping[str, Kind], ceiling_of_gate: float
) -> FigureSpec:
    metric = task.metrics[0]
    axis = name_of(metric)
    if task.metadata.figure == "distribution":
        series = [Series(name, kinds[name], tuple(table.of(name, metric).values())) for name in named]
        return Distribution(tuple(series), axis)
    found = {name: _cell(table, name, metric) for name in named}
    dots = tuple(
        Dot(name, kinds[name], m.value, m.interval) for name, m in found.items() if not math.isnan(m.value)
    )
    if task.metadata.figure == "rates":
        return Rates(dots, axis, ceiling_of_gate)
    floors = [m.value for name, m in found.items() if name.startswith("other:")]
    ceiling = found["author"].value if "author" in found else math.nan
    return Dots(dots, axis, sum(floors) / len(floors) if floors else math.nan, ceiling)


def _clouds(material: Material, order: Sequence[str], kinds: Mapping[str, Kind]) -> list[WordCloud]:
    """Words a variant over-uses against other authors' prose (G2, log ratio >= 1), the author's own first."""
    if not any(task.metadata.figure == "wordcloud" for task in material.asked.tasks):
        return []
    background = Counter(
        word
        for passages in material.asked.reference.others.values()
        for p in passages
        for word in words(p.text)
    )
    shown = [name for name in order if kinds[name] in ("author", "base", "adapter", "merged", "recorded")]
    clouds = []
    for name in shown:
        valid = material.table.of(name, "invalid")
        said = Counter(
            word
            for row in material.responses
            if row["variant"] == name and valid.get(row["item"]) == 0
            for word in words(complete(row["text"]))
        )
        weights = keyness(said, background)
        if weights:
            clouds.append(WordCloud(name, kinds[name], weights, "against other authors' prose, by G2"))
    return clouds


def keyness(target: Counter[str], background: Counter[str], n: int = _CLOUD_WORDS) -> dict[str, float]:
    """Word -> G2 of the ``n`` most over-used words (four letters or more, at least three times)."""
    size, other_size = target.total(), background.total()
    weights = {
        word: log_likelihood_g2(count, background[word], size, other_size)
        for word, count in target.items()
        if count >= 3
        and len(word) > 3
        and word not in FUNCTION_WORD_SET
        and log_ratio(count, background[word], size, other_size) >= 1
    }
    best = sorted(weights, key=lambda word: (-weights[word], word))[:n]
    return {word: weights[word] for word in best}


# ── rows ──────────────────────────────────────────────────────────────────────────────────────────


def _training(variant: Variant) -> TrainingRow:
    record = variant.record
    validation = record.get("validation_loss", {})
    return TrainingRow(
        variant=variant.name,
        data=variant.trained_on,
        examples=int(record.get("train_examples", 0)),
        epochs=float(record.get("epochs", math.nan)),
        steps=int(record.get("steps", 0)),
        minutes=float(record.get("minutes", math.nan)),
        loss_mean=float(record.get("mean_loss", math.nan)),
        loss_final=float(record.get("final_loss", math.nan)),
        validation_before=_known(validation.get("before")),
        validation_after=_known(validation.get("after")),
        memory_gb=float(record.get("peak_memory_gb", math.nan)),
        adapter_mb=float(record.get("adapter_mb", math.nan)),
        loss_curve=tuple((float(step), float(loss)) for step, loss in record.get("loss_curve", [])),
        note=record.get("limited", ""),
    )


def _known(value: Any) -> float:
    return math.nan if value is None else float(value)


def _answers(material: Material, order: Sequence[str], kinds: Mapping[str, Kind]) -> list[AnswerRow]:
    """A few prompts of each kind, spread over the book, with what every variant with a model said."""
    spoken = [name for name in order if variant_has_model(kinds[name])]
    by_item = {(row["variant"], row["item"]): row for row in material.responses}
    rows = []
    for kind in ("continue", "question"):
        prompts = [p for p in material.asked.prompts if p.kind == kind]
        for prompt in prompts[:: max(1, len(prompts) // _ANSWERS_SHOWN)][:_ANSWERS_SHOWN]:
            answers = []
            for name in spoken:
                row = by_item.get((name, prompt.id))
                if row is not None:
                    answers.append(
                        Answer(name, kinds[name], row["text"], _flags(material.table, name, prompt.id))
                    )
            rows.append(AnswerRow(prompt.id, kind, prompt.text, prompt.reference, tuple(answers)))
    return rows


def _flags(table: Table, variant: str, item: str) -> tuple[str, ...]:
    flags = []
    if table.of(variant, "invalid").get(item) == 1:
        flags.append(table.notes.get(variant, {}).get("invalid", {}).get(item, "invalid"))
    flags += [flag for flag in ("copied", "truncated") if table.of(variant, flag).get(item) == 1]
    return tuple(flags)


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
