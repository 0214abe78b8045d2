"""The nouns that flow between rooms: frozen records, no behaviour, no I/O.

Page -> Passage -> Prompt, Document -> Generation, Likelihood -> Score -> Summary, Verdict
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Split = Literal["train", "validation", "heldout", "guard"]
PromptKind = Literal["continue", "question", "general"]
Finish = Literal["stop", "length"]
Direction = Literal["higher", "lower", "toward_author"]
Outcome = Literal[
    "better",
    "WORSE",
    "decline",
    "slight gain",
    "same",
    "not worse",
    "inconclusive",
    "descriptive",
    "not comparable",
]


class Interval(NamedTuple):
    """A confidence interval; both ends NaN where it cannot be computed."""

    low: float
    high: float


# ── corpus ────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Page:
    """One page of a book as read: ``number`` counts from 1; ``lines`` are top to bottom, unrepaired."""

    book: str
    number: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@dataclass(frozen=True)
class Book:
    """A book as read from disk: its name is the file's stem, its digest that of the file's bytes."""

    name: str
    sha256: str
    pages: tuple[Page, ...]
    chapters: tuple[tuple[int, str], ...] = ()
    """(first page number, title) from the outline, in order; empty where there is none."""


@dataclass(frozen=True)
class LabelledPage:
    """A page with its role (``body``, ``index``, ``contents``, ...) and the reason in a few words."""

    page: Page
    role: str
    reason: str


@dataclass(frozen=True)
class Passage:
    """A run of whole sentences inside one book; ``role`` is that of the page it starts on."""

    book: str
    ordinal: int
    role: str
    text: str
    n_words: int
    digest: str
    split: Split = "train"


@dataclass(frozen=True)
class Prompt:
    """What every variant is asked, paired with the held-out passage that is the author's own answer."""

    id: str
    kind: PromptKind
    text: str
    reference: str
    passage: str


@dataclass(frozen=True)
class Document:
    """A text whose likelihood is measured; ``pair`` joins the n-th held-out with the n-th other one."""

    id: str
    set: str
    pair: int
    text: str


# ── models ────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Decoding:
    """How answers are drawn; ``temperature=0`` is greedy. Part of every response key."""

    temperature: float = 0.8
    top_p: float = 0.95
    max_tokens: int = 160
    seed: int = 0


@dataclass(frozen=True)
class GenerationRequest:
    """One fully rendered prompt (special tokens included); ``noise`` seeds this item's own randomness."""

    item: str
    rendered: str
    noise: str


@dataclass(frozen=True)
class Generation:
    """What a model wrote after the prompt, special tokens kept, before any parsing."""

    text: str
    finish: Finish
    n_tokens: int
    seconds: float


@dataclass(frozen=True)
class LikelihoodRequest:
    """Total log-likelihood wanted of ``text`` after ``prefix`` (empty: the beginning of a document)."""

    item: str
    text: str
    prefix: str = ""


@dataclass(frozen=True)
class Likelihood:
    """Natural-log likelihood summed over the ``n_tokens`` of the text (prefix not counted)."""

    loglik: float
    n_tokens: int


# ── variants and scores ───────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Variant:
    """A named thing that answers. ``trained_on`` is ``corpus@N``, ``all``, ``unknown`` or ``nothing``."""

    name: str
    kind: Literal["base", "adapter", "merged", "recorded", "api", "control"]
    digest: str
    base: str = ""
    adapter: str = ""
    corpus: str = ""
    version: int = 0
    trained_on: str = "nothing"
    record: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Score:
    """One metric of one response; NaN with a reason in ``note`` where it could not be computed."""

    metric: str
    version: str
    value: float
    note: str = ""


@dataclass(frozen=True)
class Summary:
    """One metric of one variant over its prompts or blocks, with a 95 % interval."""

    variant: str
    task: str
    metric: str
    value: float
    interval: Interval
    n: int
    note: str = ""


@dataclass(frozen=True)
class Verdict:
    """One metric of a comparison: ``difference`` is candidate minus baseline, turned so that higher is
    better; ``baseline`` and ``candidate`` are the two means as measured; ``detectable`` and ``needed``
    (prompts) answer "what would decide" where the outcome is inconclusive; ``curable``: not comparable for
    want of what a further run or score may bring.
    """

    metric: str
    task: str
    outcome: Outcome
    primary: bool
    baseline: float
    candidate: float
    difference: float
    interval: Interval
    p_holm: float
    n: int
    unit: Literal["prompts", "blocks"]
    margin: float
    detectable: float
    needed: int
    note: str = ""
    curable: bool = False


@dataclass(frozen=True)
class Gate:
    """A ceiling on a rate: FAIL if the interval's low end is above it, pass if its high end is below."""

    variant: str
    name: str
    rate: float
    interval: Interval
    ceiling: float
    n: int
    outcome: Literal["pass", "FAIL", "needs n"]
