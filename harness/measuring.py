"""``stylobench measure``: every text metric of a file, beside the author and other authors; no model.

    plain text --passages of the reference's size--> texts --measures--> mean, interval | author | others
    rows of answers, matched to prompts where they name one --^    (from 5,000 words on: pooled metrics too)

Author and others stand beside it at about the median length of the file's texts: by what they say to the same
prompts where the file answers prompts, else by passages of the held-out book and of the others' books.
"""

from __future__ import annotations

import itertools
import math
import re
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import measuring_pooled, summaries
from harness import reference as references
from harness.corpus.imports import read_rows
from harness.distances import FEWEST, author_train_values
from harness.errors import ConfigurationError
from harness.measures import NOT_APPLICABLE, Answer, measure
from harness.metrics.memorisation import is_copied
from harness.metrics.profile import distance_to_author
from harness.models import controls, recorded
from harness.reference import Reference
from harness.statistics import wilson
from harness.text import complete, count_words, cut_at_sentence, sentence_ends, words
from harness.types import Interval, Prompt, Score

ROWS = (".jsonl", ".json")
COMPARED = 60
"""Prompts at most that author and others answer; a hundred texts take a second or two."""

AT_ONCE = 200
"""Texts measured together: what a batch needs is forgotten before the next, and a book needs no more."""

NO_CAP = 10**9
UNKNOWN_OF_A_FILE = ("truncated",)
"""Nothing is known of a token limit, so that no text ever reached one and none is said to."""

HELDOUT = "copied_from_heldout"
"""Rate of texts that hold the author's held-out prose word for word: their style numbers are his."""


@dataclass(frozen=True)
class Text:
    """One text to measure; ``prompt`` is the reference's own where the text answers one."""

    prompt: Prompt
    text: str
    lost: bool = False
    """Whether its row names an item or a prompt that is none of the reference's."""


@dataclass(frozen=True)
class Scored:
    """All metrics of one text; the prompt is the unit, and several answers to one count as one."""

    prompt: str
    scores: Mapping[str, Score]


@dataclass(frozen=True)
class Line:
    """One metric: the file's mean with 95 % interval, the author's, the other authors', and what it is worth.

    ``auc``: how well the metric tells this author's unseen prose from other authors' (audit), NaN if unknown.
    """

    metric: str
    value: float
    interval: Interval
    author: float
    others: float
    auc: float
    n: int
    note: str = ""
    distance: float = math.nan
    """How far the texts are from the author's as a distribution, 1 as far as he is from himself."""


@dataclass(frozen=True)
class Measurement:
    """A file measured: how it was read, and one line a metric.

    ``author_words``: median words of the author's texts. Where it is far from the file's, measures that
    depend on length (type-token ratio, coverage, words) say nothing about style. ``unmatched``: rows that
    name a prompt which is none of the reference's. ``left_out``: why there are no pooled metrics, or nothing.
    """

    author: str
    texts: int
    matched: int
    median_words: int
    author_words: int
    lines: tuple[Line, ...]
    unmatched: int = 0
    left_out: str = ""


def measure_file(path: Path, author: str, workspace: Path, *, whole: bool = False) -> Measurement:
    """Every text metric of a plain text (in passages, or as one with ``whole``) or of rows of answers.

    Raises:
        ConfigurationError: the file cannot be read, or has no words.
        MissingPrerequisiteError: the author was never prepared.
    """
    reference = references.load(author, workspace)
    texts = read_texts(path, reference, whole=whole)
    lengths = [count_words(text.text) for text in texts]
    if not any(lengths):
        raise ConfigurationError(f"{path.name}: there are no words in it")
    length = max(1, round(statistics.median(n for n in lengths if n)))
    matched = {text.prompt.id: text.prompt for text in texts if text.prompt.reference}
    beside = _beside(list(matched.values()), reference, length)
    own = _scores(texts, reference)
    floor = [one for name in sorted(reference.others) for one in _scores(beside[name], reference, name)]
    table = _table({"file": own, "author": _scores(beside["author"], reference, own=True), "others": floor})
    reasons = _reasons(own)
    train = author_train_values(reference, length)
    lines = []
    for metric in table.values["file"]:
        of = {side: summaries.summarise(table, side, metric) for side in ("file", "author", "others")}
        value, auc = of["file"], reference.audit.get(f"{metric}_auc", math.nan)
        note = reasons if metric == "invalid" else value.note
        ends = (of["author"].value, of["others"].value)
        far = math.nan
        if metric in train and value.n >= FEWEST:
            sides = [list(table.of(side, metric).values()) for side in ("file", "author")]
            far = distance_to_author(sides[0], sides[1], train[metric])
        lines.append(Line(metric, value.value, value.interval, *ends, auc, value.n, note, far))
    good = _good(texts, own)
    left_out = measuring_pooled.too_short(good)
    for one in [] if left_out else measuring_pooled.pooled_values(good, reference, length):
        had = one.found
        beside_it = (one.author, one.others, math.nan)
        lines.append(Line(one.metric, had.value, had.interval, *beside_it, had.n, had.note))
    lines.append(_heldout(texts, reference))
    return Measurement(
        author=reference.author,
        texts=len(texts),
        matched=sum(text.prompt.id in matched for text in texts),
        median_words=length,
        author_words=round(statistics.median(count_words(text.text) for text in beside["author"])),
        lines=tuple(lines),
        unmatched=sum(text.lost for text in texts),
        left_out=left_out,
    )


# ── texts ─────────────────────────────────────────────────────────────────────────────────────────


def read_texts(path: Path, reference: Reference, *, whole: bool = False) -> list[Text]:
    """The texts of a file: rows of answers for ``.jsonl`` and ``.json``, else plain text."""
    if path.suffix.lower() in ROWS:
        by_id = {prompt.id: prompt for prompt in reference.prompts}
        texts = []
        for row in recorded.given(read_rows(path), path.name):
            own = by_id.get(recorded.item_of(row, reference))
            alone = Prompt(f"row{row.row:05d}", "general", row.prompt, "", "")
            lost = own is None and bool(row.item or row.prompt)
            texts.append(Text(own or alone, row.answer, lost))
        return texts
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path.name}: cannot be read as UTF-8 text ({type(error).__name__}); "
            "books in PDF or EPUB are for `stylobench prepare`"
        ) from None
    size = round(statistics.median(passage.n_words for passage in reference.heldout))
    pieces = [text.strip()] if whole else split(text, size)
    return [Text(Prompt(f"text{n:05d}", "general", "", "", ""), piece) for n, piece in enumerate(pieces)]


def split(text: str, size: int) -> list[str]:
    """Pieces of whole sentences as written, of ``size`` words at most unless one sentence has more.

    A blank line ends a sentence too. The last piece has half the size at least, or goes with the one before.
    """
    breaks = [match.start() for match in re.finditer(r"\n[ \t]*\n", text)]
    cuts = [0]
    done = count = 0
    for end in sorted({*sentence_ends(text), *breaks, len(text)}):
        more = count_words(text[done:end])
        if count and count + more > size:
            cuts.append(done)
            count = 0
        count += more
        done = end
    if len(cuts) > 1 and 2 * count < size:
        cuts.pop()
    pieces = (text[start:end].strip() for start, end in itertools.pairwise([*cuts, len(text)]))
    return [piece for piece in pieces if piece]


def _beside(prompts: Sequence[Prompt], reference: Reference, length: int) -> dict[str, list[Text]]:
    """What author and others say to these prompts, as the controls do; each other to his share of them."""
    if not prompts:
        return _passages_beside(reference, length)
    asked = prompts[:: math.ceil(len(prompts) / COMPARED)]
    found = {"author": [Text(p, controls.answer("author", p, reference, length)) for p in asked]}
    for place, name in enumerate(reference.others):
        share = asked[place :: len(reference.others)]
        found[name] = [Text(p, controls.answer(f"other:{name}", p, reference, length)) for p in share]
    return found


def _passages_beside(reference: Reference, length: int) -> dict[str, list[Text]]:
    """Passages of the author's held-out book and of each other author, at about ``length`` words."""
    found: dict[str, list[Text]] = {}
    for name, passages in {"author": reference.heldout, **reference.others}.items():
        most = COMPARED if name == "author" else math.ceil(COMPARED / len(reference.others))
        for passage in passages[:: math.ceil(len(passages) / most)]:
            # A few words more are nearer to the length than a whole sentence less.
            fits = passage.n_words <= 1.15 * length
            text = passage.text if fits else cut_at_sentence(passage.text, length)
            prompt = Prompt(f"{name}/{passage.digest}", "general", "", "", passage.digest)
            found.setdefault(name, []).append(Text(prompt, text))
    return found


# ── numbers ───────────────────────────────────────────────────────────────────────────────────────


def _scores(
    texts: Sequence[Text], reference: Reference, author: str = "", *, own: bool = False
) -> list[Scored]:
    """``own``: these are the author's passages, each read out for its own prompt."""
    scored: list[Scored] = []
    for start in range(0, len(texts), AT_ONCE):
        batch = texts[start : start + AT_ONCE]
        answers = [
            Answer(
                text.prompt,
                text.text,
                "stop",
                count_words(text.text),
                NO_CAP,
                author,
                text.prompt.passage * own,
            )
            for text in batch
        ]
        measured = measure(answers, reference, reference.persona)
        scored += [Scored(text.prompt.id, scores) for text, scores in zip(batch, measured, strict=True)]
    return scored


def _good(texts: Sequence[Text], own: Sequence[Scored]) -> dict[str, str]:
    """Prompt -> its valid, uncopied texts cut back to full sentences, as ``score`` pools them."""
    found: dict[str, list[str]] = {}
    for text, one in zip(texts, own, strict=True):
        if one.scores["invalid"].value == one.scores["copied"].value == 0:
            found.setdefault(text.prompt.id, []).append(complete(text.text))
    return {item: "\n\n".join(several) for item, several in found.items()}


def _table(sides: Mapping[str, Sequence[Scored]]) -> summaries.Table:
    """Scores as the table that means and intervals are taken from; what does not apply is left out."""
    values: dict[str, dict[str, dict[str, float]]] = {}
    notes: dict[str, dict[str, dict[str, str]]] = {}
    for side, scored in sides.items():
        found: dict[str, dict[str, list[float]]] = {}
        for one in scored:
            for metric, score in one.scores.items():
                if metric in UNKNOWN_OF_A_FILE or score.note.startswith(NOT_APPLICABLE):
                    continue
                several = found.setdefault(metric, {}).setdefault(one.prompt, [])
                several += [] if math.isnan(score.value) else [score.value]
                if score.note:
                    notes.setdefault(side, {}).setdefault(metric, {})[one.prompt] = score.note
        values[side] = {
            metric: {item: statistics.fmean(known) if known else math.nan for item, known in prompts.items()}
            for metric, prompts in found.items()
        }
    return summaries.Table(values, notes, {}, {}, {}, {})


def _reasons(own: Sequence[Scored]) -> str:
    """``loop 2, index_like 1``: why texts are no answers, the most frequent first."""
    notes = [one.scores["invalid"].note.removeprefix("invalid: ") for one in own]
    found = Counter(reason for note in notes if note for reason in note.split(", "))
    return ", ".join(f"{reason} {n}" for reason, n in found.most_common())


def _heldout(texts: Sequence[Text], reference: Reference) -> Line:
    held = 0
    for text in texts:
        found = reference.heldout_copies.matches(words(text.text), words(text.prompt.text))
        held += is_copied(found.run, found.coverage(8))
    note = "this is the author's own prose, not an imitation of it" if held else ""
    rate, n = held / len(texts), len(texts)
    return Line(HELDOUT, rate, wilson(held, n), math.nan, math.nan, math.nan, n, note)
