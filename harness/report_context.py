"""What a report says, as frozen records: filled from the tables elsewhere, rendered by ``report``.

    tables    Table of Columns and Lines of Measures
    page      ReportContext: positions, verdicts, gates, leaderboard, panels, training, word clouds,
              answers, provenance; what figures show is described in ``figures``

NaN means "could not be measured"; the note beside it says why and is shown as the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.figures import NAN, NO_INTERVAL, FigureSpec, Kind
from harness.trust import Trust as Trust
from harness.types import Direction, Gate, Interval, Variant, Verdict


def kind_of(variant: Variant) -> Kind:
    """The variant's kind, with the control that is the author himself told apart from the others."""
    return "author" if variant.kind == "control" and variant.name == "author" else variant.kind


# ── tables ────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Column:
    """How one metric is headed and printed.

    ``percent`` multiplies by 100; ``digits`` are those after the point (-1: two or three significant ones).
    ``trust`` is None for what does not claim to know an author: likelihoods, rates, copying, relevance.
    """

    title: str
    digits: int = -1
    percent: bool = False
    direction: Direction | None = None
    help: str = ""
    trust: Trust | None = None

    @property
    def unfit(self) -> bool:
        """True where the metric does not know the author: no direction is then shown, and no colour."""
        return self.trust is not None and self.trust.mark == "unfit"


@dataclass(frozen=True)
class Measure:
    """One number with its 95 % interval, the ``n`` prompts or blocks behind it, and a note.

    ``spread``: lowest and highest of the training seeds, where the number is their mean. ``position``: where
    it stands between other authors (0) and the author (1); NaN where this metric does not tell them apart.
    ``distance``: how far from the author as a distribution (see ``distances``), for what is to be as his,
    with its interval (of training seeds: none) and a note: how many prompts, or why there is no distance.
    """

    value: float
    interval: Interval = NO_INTERVAL
    n: int = 0
    note: str = ""
    spread: Interval = NO_INTERVAL
    position: float = NAN
    distance: float = NAN
    distance_interval: Interval = NO_INTERVAL
    distance_note: str = ""


@dataclass(frozen=True)
class Line:
    """One row of a table: a variant and one measure a column; ``note`` stands under its name.

    ``members``: the training seeds one by one, where the row is several of them together.
    """

    variant: str
    kind: Kind
    cells: tuple[Measure, ...]
    note: str = ""
    members: tuple[Line, ...] = ()


@dataclass(frozen=True)
class Table:
    """Columns and rows in the order shown; every line has as many cells as there are columns."""

    columns: tuple[Column, ...]
    lines: tuple[Line, ...]

    def __post_init__(self) -> None:
        for line in (line for row in self.lines for line in (row, *row.members)):
            if len(line.cells) != len(self.columns):
                raise ValueError(f"{line.variant}: {len(line.cells)} cells for {len(self.columns)} columns")

    @property
    def seeds(self) -> Table:
        """The same table of the training seeds, one by one; without lines where no row is several."""
        return Table(self.columns, tuple(member for line in self.lines for member in line.members))


# ── the parts of the page ─────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class PositionRow:
    """Where a variant stands: 0 = other authors, 1 = the author.

    A NaN position is shown as "cannot tell" with ``note`` as the reason. Rates are from 0 to 1. ``members``:
    the training seeds one by one, where the row is several of them together.
    """

    variant: str
    kind: Kind
    position: Measure
    valid: Measure
    copied: Measure
    note: str = ""
    members: tuple[PositionRow, ...] = ()


@dataclass(frozen=True)
class TaskPanel:
    """One task: what it asks, what a good answer looks like, what it cannot see, its numbers, a figure.

    ``remarks`` are lines that its numbers cannot be read without.
    """

    task: str
    title: str
    question: str
    target: str
    weakness: str
    table: Table
    figure: FigureSpec | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Look:
    """The model on validation text after ``step`` steps: nats per target token and bits per byte.

    ``copied`` is the share of its answers taken from the training text, from 0 to 1; NaN where nobody asked.
    """

    step: int
    loss: float
    bits_per_byte: float
    copied: float = NAN
    longest_run: float = NAN
    kept: bool = False


@dataclass(frozen=True)
class TrainingRow:
    """What one training run cost and reached. Losses are nats per target token; NaN where unknown.

    ``loss_curve`` holds (step, loss); ``loss_mean`` is over the run, ``loss_final`` its last logged step.
    ``family`` is shared by runs that differ by training seed only. ``kept`` says which state became the
    adapter. ``training_gb`` is the memory that training took beyond the loaded base; ``card_percent`` of the
    card was held at the peak; ``minutes_lost`` were computed twice; ``degraded`` is what was given up to fit.
    """

    variant: str
    data: str
    examples: float
    epochs: float
    steps: int
    minutes: float
    loss_mean: float
    loss_final: float
    validation_before: float
    validation_after: float
    memory_gb: float
    adapter_mb: float
    loss_curve: tuple[tuple[float, float], ...] = ()
    note: str = ""
    family: str = ""
    looks: tuple[Look, ...] = ()
    kept: str = ""
    tokens_per_second: float = NAN
    training_gb: float = NAN
    card_percent: float = NAN
    gpu_hours: float = NAN
    minutes_lost: float = NAN
    degraded: tuple[str, ...] = ()


@dataclass(frozen=True)
class WordCloud:
    """Keywords of a variant's valid answers by keyness; ``note`` says against which background."""

    variant: str
    kind: Kind
    weights: Mapping[str, float]
    note: str = ""


@dataclass(frozen=True)
class Answer:
    """What one variant wrote; ``flags`` are the validity and copying faults found in it."""

    variant: str
    kind: Kind
    text: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class AnswerRow:
    """One prompt, the author's own passage, and the answers beside it; ``kind`` is the prompt's."""

    item: str
    kind: str
    prompt: str
    author: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class Provenance:
    """How the report was made, enough to make it again.

    ``leakage`` is one sentence with the number of 13-grams shared by train and held-out passages;
    ``counts`` are answers, tokens and the like; ``settings`` whatever else is worth a line.
    """

    run: str
    suite: str
    decoding: str
    reference: str
    leakage: str
    tables: Mapping[str, int]
    libraries: Mapping[str, str]
    counts: Mapping[str, str]
    commands: tuple[str, ...]
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ReportContext:
    """Everything one report says. ``generated`` is an ISO time; ``metrics`` says how the metrics named
    by verdicts are headed and printed (one that is missing is printed under its own name). ``caveat`` has to
    be said beside every number that other authors have a part in.
    """

    title: str
    author: str
    sentence: str
    generated: str
    leaderboard: Table
    provenance: Provenance
    limited: bool = False
    positions: tuple[PositionRow, ...] = ()
    position_note: str = ""
    baseline: str = ""
    candidate: str = ""
    verdicts: tuple[Verdict, ...] = ()
    gates: tuple[Gate, ...] = ()
    metrics: Mapping[str, Column] = field(default_factory=dict)
    panels: tuple[TaskPanel, ...] = ()
    training: tuple[TrainingRow, ...] = ()
    wordclouds: tuple[WordCloud, ...] = ()
    answers: tuple[AnswerRow, ...] = ()
    notes: tuple[str, ...] = ()
    caveat: str = ""

    @property
    def has_distances(self) -> bool:
        """Whether any cell says how far it is from the author, or why it does not."""
        tables = (self.leaderboard, *(panel.table for panel in self.panels))
        return any(cell.distance_note for table in tables for line in table.lines for cell in line.cells)
