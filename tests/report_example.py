"""A realistic report context, invented but shaped like a demo run: for the tests, and to look at.

python tests/report_example.py FOLDER      writes FOLDER/report.html, light or dark as the browser is
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.figures import NAN, Distribution, Dot, Dots, Kind, Rates, Series
from harness.report_context import (
    Answer,
    AnswerRow,
    Column,
    Line,
    Look,
    Measure,
    PositionRow,
    Provenance,
    ReportContext,
    Table,
    TaskPanel,
    TrainingRow,
    Trust,
    WordCloud,
)
from harness.types import Gate, Interval, Verdict

TEMPLATES = Path(__file__).parents[1] / "reports" / "templates"
VARIANTS: tuple[tuple[str, Kind, float], ...] = (
    ("author", "author", 1.00),
    ("roosevelt@2", "adapter", 0.71),
    ("roosevelt@1", "adapter", 0.64),
    ("other-base@2 · 3 seeds", "adapter", 0.69),
    ("base", "base", 0.12),
    ("other:taft", "control", 0.06),
    ("copyist", "control", 1.04),
    ("shuffled", "control", NAN),
)
SEEDS = (("other-base@2", -0.06), ("other-base@2+seed2", 0.01), ("other-base@2+seed3", 0.05))
"""Training seeds, and how far from their family's share each is."""
NO_ANSWERS = Measure(NAN, note="no valid answer to score")
BITS = Column("bits per byte", digits=3, direction="lower", help="held-out prose, raw text, float32")
GAIN = Column("author-specific gain", digits=3, direction="higher")
FIT = Trust(0.93, Interval(0.9, 0.96), 150, "fit", "worst against taft: 0.88")
WEAK = Trust(0.67, Interval(0.58, 0.75), 150, "weak", "worst against taft: 0.55")
UNFIT = Trust(0.58, Interval(0.49, 0.66), 150, "unfit", "worst against taft: 0.51")
LOGIT = Column("authorship logit", digits=2, direction="higher", trust=FIT)
NEAREST = Column("nearest passage", digits=3, direction="higher", trust=UNFIT)
COPIED = Column("copied answers", digits=1, percent=True, direction="lower")
TTR = Column("type-token ratio", digits=3, direction="toward_author", trust=WEAK)
KEYWORDS = [
    "nation",
    "interstate",
    "commerce",
    "people",
    "forests",
    "republic",
    "canal",
    "navy",
    "labor",
    "corporation",
    "justice",
    "duty",
    "law",
    "great",
    "work",
    "public",
    "men",
    "wage",
    "worker",
    "railroad",
    "rate",
    "senate",
    "treaty",
    "isthmus",
    "army",
    "islands",
    "trust",
]
PASSAGE = (
    "It is a mistake, and it betrays a spirit of foolish cynicism, to maintain that all international "
    "governmental action is, and must ever be, based upon mere selfishness, and that to advance ethical "
    "reasons for such action is always a sign of hypocrisy. This is no more necessarily true of the "
    "action of governments than of the action of individuals."
)
TUNED = (
    "The Nation must see to it that its duties to its own citizens and to the peoples of the world are "
    "performed with justice. No government can afford to neglect the interests of the wage-worker, and "
    "the law must be so framed that the honest man of means shall have exactly the same protection as the"
    " honest man without."
)
PLAIN = (
    "There are several reasons why governments act. First, they want to protect their own interests. "
    "Second, they may want to help other countries. Overall, it depends on the situation and on many factors."
)


def measure(value: float, half: float, n: int = 80, position: float = NAN) -> Measure:
    """A measure with a symmetric interval; no valid answers where the value is NaN."""
    if not math.isfinite(value):
        return NO_ANSWERS
    return Measure(value, Interval(value - half, value + half), n, position=position)


def rate(value: float) -> Measure:
    return Measure(value, Interval(max(0.0, value - 0.03), min(1.0, value + 0.05)), 80)


def seeds(cells: Callable[[float], tuple[Measure, ...]], share: float) -> tuple[Line, ...]:
    return tuple(Line(name, "adapter", cells(share + off)) for name, off in SEEDS)


def line(name: str, kind: Kind, share: float, cells: Callable[[float], tuple[Measure, ...]]) -> Line:
    """A row of a table; several training seeds have their spread in each cell, and stand below."""
    if "seeds" not in name:
        return Line(name, kind, cells(share))
    members = seeds(cells, share)
    spread = tuple(
        replace(cell, spread=Interval(min(values), max(values)))
        for index, cell in enumerate(cells(share))
        for values in [[member.cells[index].value for member in members]]
    )
    return Line(name, kind, spread, members=members)


def example_context(seed: int = 0) -> ReportContext:
    """Eight variants, eight panels; ``seed`` changes every drawn value."""
    draw = np.random.default_rng(seed)

    def series(centre: float, spread: float, toward: float) -> tuple[Series, ...]:
        return tuple(
            Series(
                name,
                kind,
                tuple(draw.normal(centre + toward * share, spread, 80)) if math.isfinite(share) else (),
            )
            for name, kind, share in VARIANTS
        )

    def dots(floor: float, ceiling: float, half: float) -> tuple[Dot, ...]:
        return tuple(
            Dot(
                name,
                kind,
                value,
                Interval(value - half, value + half),
                tuple(value + off * (ceiling - floor) for _, off in SEEDS) if "seeds" in name else (),
            )
            for name, kind, share in VARIANTS
            for value in [floor + (ceiling - floor) * share + draw.normal(0, half / 4)]
        )

    def lines(*scales: tuple[float, float, float]) -> tuple[Line, ...]:
        def cells(share: float) -> tuple[Measure, ...]:
            return tuple(
                measure(low + (high - low) * share, half, position=share) for low, high, half in scales
            )

        return tuple(line(name, kind, share, cells) for name, kind, share in VARIANTS)

    panels = (
        TaskPanel(
            "stylo_heldout_bpb",
            "Held-out perplexity",
            "How well does it predict a book of his it has not read?",
            "Lower; the base is where everybody starts.",
            "Knows nothing of the answers themselves.",
            Table((BITS, GAIN), lines((1.12, 0.94, 0.008), (0.0, 0.06, 0.006))),
            Dots(dots(1.12, 0.94, 0.008), "bits per byte of held-out prose", floor=1.12),
        ),
        TaskPanel(
            "stylo_authorship",
            "Authorship",
            "Would a classifier of his prose take it for his?",
            "The author’s own unseen passages.",
            "Fooled by pasted text: read it beside the copied rate.",
            Table((LOGIT,), lines((-3.1, 2.4, 0.35))),
            Dots(dots(-3.1, 2.4, 0.35), "logit, masked classifier", floor=-3.1, ceiling=2.4),
        ),
        TaskPanel(
            "stylo_ttr",
            "Vocabulary",
            "Is his vocabulary as rich as in the author’s passages of equal length?",
            "The author’s distribution; neither up nor down.",
            "Shuffled words leave it unchanged; AUC .67 here.",
            Table(
                (TTR, Column("MATTR", digits=3, direction="toward_author")),
                lines((0.52, 0.63, 0.01), (0.7, 0.81, 0.01)),
            ),
            Distribution(series(0.52, 0.04, 0.11), "type-token ratio of an answer"),
        ),
        TaskPanel(
            "stylo_length",
            "Answer length",
            "Does it say as much as he would?",
            "The author’s distribution.",
            "A cap on tokens cuts the right tail.",
            Table((Column("words", digits=0),), lines((70, 118, 5))),
            Distribution(series(70, 18, 48), "words in an answer"),
        ),
        TaskPanel(
            "stylo_keywords",
            "Keyword density",
            "Does it use the words that are characteristic of him?",
            "The author’s density, with many different words.",
            "Stuffed keywords beat the author.",
            Table(
                (Column("per 1,000 words", digits=1), Column("coverage", 0, True)),
                lines((4, 21, 2.4), (0.1, 0.8, 0.07)),
            ),
            Distribution(series(8, 6, 14), "keywords per 1,000 words"),
        ),
        TaskPanel(
            "stylo_tfidf",
            "TF-IDF similarity",
            "How close is its nearest training passage?",
            "The author’s own.",
            "Pasted text scores 1.0; decides nothing here (AUC .58 [.49, .66]).",
            Table((NEAREST,), lines((0.11, 0.24, 0.01))),
            Dots(dots(0.11, 0.24, 0.012), "cosine to the nearest passage", 0.11, 0.24),
            (
                "nearest passage: unfit on this author, AUC 0.58 [0.49, 0.66] at 150 words; that reaches .5, "
                "which is guessing. It decides nothing.",
            ),
        ),
        TaskPanel(
            "stylo_validity",
            "Validity",
            "Is it an answer at all?",
            "At least 90 % valid.",
            "Says nothing about style.",
            Table(
                (Column("invalid", 1, True, "lower"),),
                tuple(Line(n, k, (rate(0.02),)) for n, k, _ in VARIANTS),
            ),
            Rates(
                tuple(Dot(n, k, rate(0.02).value, rate(0.02).interval) for n, k, _ in VARIANTS),
                "invalid answers",
                0.10,
            ),
        ),
        TaskPanel(
            "stylo_copying",
            "Copying",
            "Is it his prose, or his very sentences?",
            "The author’s own rate.",
            "Paraphrase goes unseen.",
            Table(
                (COPIED,),
                tuple(Line(n, k, (rate(0.97 if n == "copyist" else 0.01),)) for n, k, _ in VARIANTS),
            ),
            Rates(
                tuple(
                    Dot(n, k, r.value, r.interval)
                    for n, k, _ in VARIANTS
                    for r in [rate(0.97 if n == "copyist" else 0.01)]
                ),
                "copied answers",
                0.05,
            ),
        ),
    )
    return ReportContext(
        title="Theodore Roosevelt: eight variants side by side",
        author="Theodore Roosevelt",
        sentence=(
            "Nothing that decides got worse from roosevelt@1 to roosevelt@2; whether it writes more like the "
            "author, 80 prompts cannot tell."
        ),
        generated="2026-11-20T04:10:00+00:00",
        limited=True,
        position_note="The masked classifier tells his unseen prose from others’ with AUC .93 [.90, .96].",
        positions=tuple(
            PositionRow(
                name,
                kind,
                replace(
                    measure(share, 0.0 if kind == "author" else 0.09),
                    spread=Interval(share - 0.06, share + 0.05) if "seeds" in name else Interval(NAN, NAN),
                )
                if math.isfinite(share)
                else Measure(NAN, note="no valid answers"),
                rate(0.96),
                rate(0.97 if name == "copyist" else 0.01),
                members=tuple(
                    PositionRow(seed, kind, measure(share + off, 0.1), rate(0.96), rate(0.01))
                    for seed, off in SEEDS
                    if "seeds" in name
                ),
            )
            for name, kind, share in (*VARIANTS, ("too-keen", "adapter", 1.16))
        ),
        leaderboard=Table(
            (Column("position", 2, help="0 other authors, 1 the author"), BITS, LOGIT, COPIED),
            tuple(
                replace(
                    line(
                        name,
                        kind,
                        share,
                        lambda share, name=name, kind=kind: (  # type: ignore[misc]
                            measure(share, 0.09),
                            measure(1.12 - 0.18 * share, 0.008)
                            if kind in ("base", "adapter")
                            else Measure(NAN, note="a control has no likelihood"),
                            measure(-3.1 + 5.5 * share, 0.35, position=share),
                            rate(0.97 if name == "copyist" else 0.01),
                        ),
                    ),
                    note="fails its gate: no rank" if name == "copyist" else "",
                )
                for name, kind, share in VARIANTS
            ),
        ),
        baseline="roosevelt@1",
        candidate="roosevelt@2",
        caveat="No other authors were named and presidents stand in for them: easy negatives: optimistic.",
        metrics={
            "tfidf_nearest": NEAREST,
            "bits_per_byte": BITS,
            "copied": COPIED,
            "authorship_logit": LOGIT,
            "author_gain": GAIN,
        },
        verdicts=(
            Verdict(
                "bits_per_byte",
                "bpb",
                "better",
                True,
                0.981,
                0.962,
                0.019,
                Interval(0.014, 0.024),
                0.004,
                40,
                "blocks",
                0.01,
                0.006,
                0,
            ),
            Verdict(
                "author_gain",
                "bpb",
                "WORSE",
                True,
                0.05,
                0.03,
                -0.02,
                Interval(-0.027, -0.013),
                0.011,
                40,
                "blocks",
                0.01,
                0.006,
                0,
            ),
            Verdict(
                "authorship_logit",
                "style",
                "inconclusive",
                True,
                0.42,
                0.8,
                0.38,
                Interval(-0.41, 1.17),
                0.51,
                76,
                "prompts",
                0.6,
                1.1,
                412,
            ),
            Verdict(
                "copied",
                "copying",
                "same",
                True,
                0.012,
                0.0,
                0.012,
                Interval(-0.01, 0.04),
                1.0,
                80,
                "prompts",
                0.05,
                0.03,
                0,
            ),
            Verdict(
                "type_token_ratio",
                "ttr",
                "decline",
                False,
                0.59,
                0.57,
                -0.02,
                Interval(-0.03, -0.01),
                NAN,
                76,
                "prompts",
                NAN,
                0.02,
                0,
            ),
            Verdict(
                "keyword_density",
                "keywords",
                "slight gain",
                False,
                14.1,
                17.9,
                3.8,
                Interval(0.6, 7.0),
                NAN,
                76,
                "prompts",
                4.0,
                3.0,
                0,
            ),
            Verdict(
                "tfidf_nearest",
                "tfidf",
                "descriptive",
                False,
                0.2,
                0.21,
                0.01,
                Interval(-0.01, 0.03),
                NAN,
                76,
                "prompts",
                0.02,
                0.03,
                0,
                "unfit on this author (AUC 0.58 [0.49, 0.66] at 150 words): it decides nothing",
            ),
            Verdict(
                "relevance",
                "relevance",
                "not worse",
                False,
                0.4,
                0.5,
                0.1,
                Interval(-0.2, 0.4),
                NAN,
                9,
                "prompts",
                NAN,
                NAN,
                0,
            ),
            Verdict(
                "delta",
                "delta",
                "not comparable",
                False,
                NAN,
                NAN,
                NAN,
                Interval(NAN, NAN),
                NAN,
                0,
                "prompts",
                NAN,
                NAN,
                0,
                "61 % of prompts valid in both",
            ),
        ),
        gates=(
            Gate("roosevelt@2", "invalid", 0.0125, Interval(0.002, 0.067), 0.10, 80, "pass"),
            Gate("roosevelt@2", "leak", 0.025, Interval(0.007, 0.087), 0.05, 80, "needs n"),
            Gate("copyist", "copied", 0.975, Interval(0.913, 0.993), 0.05, 80, "FAIL"),
        ),
        panels=panels,
        training=tuple(
            TrainingRow(
                name,
                data,
                examples,
                1.3,
                60,
                minutes,
                3.21,
                2.98,
                3.62,
                after,
                2.94,
                9.8,
                tuple(
                    (float(step), 3.7 - 0.7 * (1 - math.exp(-step / 18)) + draw.normal(0, 0.03))
                    for step in range(1, 61)
                ),
                family=name.partition("+")[0],
                looks=tuple(
                    Look(step, loss, loss / 2.9, (step - 15) / 300, 12 + step // 4, kept=step == 45)
                    for step, loss in ((15, 3.3), (30, after + 0.06), (45, after), (60, after + 0.02))
                )
                if name.startswith("other")
                else (),
                kept="step 45 of 60 was kept, over the ceiling of 5 % copied: no look was under it, "
                "this one copied least"
                if name.startswith("other")
                else "",
                tokens_per_second=11250.0 if name.startswith("other") else NAN,
                training_gb=1.4 if name.startswith("other") else NAN,
                card_percent=41.0 if name.startswith("other") else NAN,
                gpu_hours=0.04 if name.startswith("other") else NAN,
                minutes_lost=0.7 if name.endswith("seed2") else NAN,
                degraded=("micro_batch 8 -> 4",) if name.endswith("seed2") else (),
            )
            for name, data, examples, minutes, after in (
                ("roosevelt@1", "roosevelt@1", 1063, 2.6, 3.07),
                ("roosevelt@2", "roosevelt@2", 968, 2.5, 3.02),
                ("other-base@2", "roosevelt@2", 968, NAN, 3.03),
                ("other-base@2+seed2", "roosevelt@2", 968, 2.5, 2.97),
                ("other-base@2+seed3", "roosevelt@2", 968, 2.4, 3.08),
            )
        ),
        wordclouds=tuple(
            WordCloud(
                name,
                kind,
                {
                    word: 120 / (rank + 1 + shift)
                    for rank, word in enumerate(np.roll(KEYWORDS, shift).tolist())
                },
                note,
            )
            for name, kind, shift, note in (
                ("author", "author", 0, "held-out passages"),
                ("roosevelt@2", "adapter", 3, "76 valid answers"),
                ("base", "base", 9, "78 valid answers"),
            )
        ),
        answers=tuple(
            AnswerRow(
                f"q{index:03d}",
                "question" if index % 2 else "continue",
                "Is the action of governments always selfish?"
                if index % 2
                else "It is a mistake, and it betrays a spirit of",
                PASSAGE,
                (
                    Answer("base", "base", PLAIN, ("short",)),
                    Answer(
                        "roosevelt@1",
                        "adapter",
                        "" if index == 2 else TUNED,
                        ("empty",) if index == 2 else (),
                    ),
                    Answer("roosevelt@2", "adapter", TUNED),
                ),
            )
            for index in range(1, 9)
        ),
        provenance=Provenance(
            run="2026-11-20-0410-7c1e",
            suite="roosevelt (version 1)",
            decoding="temperature 0.8, top-p 0.95, at most 160 tokens, seed 0",
            reference="b1946ac92492d2347c6235b4d2611184",
            leakage="0 of 61,402 held-out 13-grams occur in any training passage; 94 were dropped for it.",
            tables={
                "passages": 12,
                "variants": 5,
                "responses": 31,
                "likelihoods": 18,
                "scores": 44,
                "runs": 7,
            },
            libraries={"torch": "2.13.0", "transformers": "5.17.0", "peft": "0.21.2", "seaborn": "0.13.2"},
            counts={"answers": "640", "tokens generated": "61,233", "answers reused": "0"},
            commands=(
                "stylobench prepare roosevelt",
                "stylobench train roosevelt-lora --corpus roosevelt@2",
                "stylobench report",
            ),
            settings={"system prompt": "You write as Theodore Roosevelt."},
        ),
        notes=("One training run a side: this is about these adapters, not yet about the data.",),
    )


if __name__ == "__main__":
    from harness.report import render_report

    folder = Path(sys.argv[1])
    print(
        render_report(
            example_context(), folder / "report.html", figure_cache=folder / "figures", templates=TEMPLATES
        )
    )
