"""Who asks the questions of a question-and-answer corpus, as its version line says.

    writer: template              no model, no cost
    writer: local:NAME            a base on this machine; falls back to the template and says so
    writer: claude-...-20251001   Anthropic, by batches; needs max_usd and price

Pairs from an older project (``pairs: FILE``) go first. What was asked once is kept by passage text, writer
and prompt, so a new version pays for new passages only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.corpus.imports import conversations, read_rows
from harness.corpus.paid_pairs import IMPORTED, Aligned, QaPair, align_pairs, pairs_of
from harness.corpus.questions import (
    QA_PROMPT,
    QA_TEMPLATES,
    SCENE_PROMPT,
    SCENE_TEMPLATES,
    Question,
    QuestionWriter,
    TemplateWriter,
)
from harness.corpusfile import Version
from harness.errors import ConfigurationError
from harness.models import Model
from harness.models.bases import Base, resolve_base
from harness.reference import Reference
from harness.shelves import at_home
from harness.text import count_words, digest
from harness.types import Passage

if TYPE_CHECKING:
    from harness.corpus.purchase import Estimate, Terms

LOCAL, PAID = "local:", "claude-"


@dataclass(frozen=True)
class Asked:
    """The passages with questions, and whose they are.

    ``questions`` are for these passages. ``left_out`` counts passages not asked about on purpose,
    ``imported`` questions that came with the version's pairs, ``leaked`` pairs dropped for held-out text.
    """

    passages: tuple[Passage, ...]
    questions: tuple[Question, ...]
    writer: str
    left_out: int = 0
    imported: int = 0
    leaked: int = 0
    note: str = ""
    usd: float = 0.0


def ask(
    passages: Sequence[Passage],
    version: Version,
    reference: Reference,
    workspace: Path,
    account: str,
    load: Callable[[Base], Model] | None = None,
) -> Asked:
    """Questions for the passages of a version: all of them, or the first ``ask`` by digest.

    Pairs that are there already go first: their questions with the passages they belong to, and those
    whose answer is in none of these books as examples of their own. The writer is asked for the rest.

    Args:
        account: ``NAME@N``, whose spending cap is charged.
        load: how a local writer's base is loaded; by default in a child process.

    Raises:
        IncompleteError: some passages have no question yet; the same command goes on from there.
        ConfigurationError: a paid writer without a cap or a price, or pairs that cannot be read.
    """
    chosen = chosen_of(passages, version)
    pairs = align(version.pairs, chosen, reference.heldout, workspace) if version.pairs else Aligned((), ())
    own: dict[str, list[Question]] = {}
    for question in pairs.questions():
        own.setdefault(question.passage, []).append(question)
    imported = [question for asked in own.values() for question in asked[: version.per_passage]]
    extra = [_as_passage(pair, place) for place, pair in enumerate(pairs.on_their_own())]
    imported += [
        Question(passage.digest, pair.question, IMPORTED)
        for passage, pair in zip(extra, pairs.on_their_own(), strict=True)
    ]
    opened = open_writer(version, reference, workspace, account, load)
    try:
        written = opened.writer.write([p for p in chosen if p.digest not in own], version.per_passage)
    finally:
        opened.close()
    written.check()
    return Asked(
        passages=(*chosen, *extra),
        questions=(*imported, *written.questions),
        writer=opened.writer.identity,
        left_out=len(passages) - len(chosen),
        imported=len(imported),
        leaked=len(pairs.dropped),
        note=written.note,
        usd=written.usd,
    )


def check(version: Version, workspace: Path, account: str) -> None:
    """Whatever a version's questions need besides its passages, looked for before anything is frozen.

    Raises:
        ConfigurationError: a paid writer without a cap, a price or a date, or pairs that cannot be read.
        MissingPrerequisiteError: a local writer's base is not on this machine.
    """
    if version.style == "completion":
        return
    if version.pairs:
        read_pairs(version.pairs, workspace)
    if version.writer.startswith(LOCAL):
        resolve_base(version.writer.removeprefix(LOCAL), workspace)
    elif is_paid(version):
        terms_of(version, account)


def is_paid(version: Version) -> bool:
    """True where questions are bought."""
    return version.style != "completion" and version.writer.startswith(PAID)


def estimate(
    passages: Sequence[Passage],
    version: Version,
    heldout: Sequence[Passage],
    workspace: Path,
    account: str,
) -> Estimate:
    """What a paid writer would be asked now, and for how much; nothing is sent, nothing written."""
    from harness.corpus.anthropic_questions import AnthropicWriter

    chosen = chosen_of(passages, version)
    pairs = align(version.pairs, chosen, heldout, workspace) if version.pairs else Aligned((), ())
    own = {question.passage for question in pairs.questions()}
    writer = AnthropicWriter(terms_of(version, account), _folder(workspace), account)
    return writer.estimate([p for p in chosen if p.digest not in own], version.per_passage)


def chosen_of(passages: Sequence[Passage], version: Version) -> list[Passage]:
    """The passages that are asked about: all, or the first ``ask`` by digest."""
    if not version.ask:
        return list(passages)
    return sorted(passages, key=lambda passage: passage.digest)[: version.ask]


def align(file: str, passages: Sequence[Passage], heldout: Sequence[Passage], workspace: Path) -> Aligned:
    """The pairs of a file (ShareGPT, Alpaca, prompt/response or messages rows) against these passages."""
    return align_pairs(read_pairs(file, workspace), passages, heldout)


def read_pairs(file: str, workspace: Path) -> list[QaPair]:
    """The question-answer pairs of a file.

    Raises:
        ConfigurationError: it does not exist in this workspace, or cannot be read.
    """
    path = workspace / at_home(file)
    if not path.is_file():
        raise ConfigurationError(f"pairs: {file} does not exist in this workspace")
    return pairs_of(conversations(read_rows(path)).conversations)


def _as_passage(pair: QaPair, place: int) -> Passage:
    """A pair whose answer is in none of the books, as a train passage of its own."""
    name = digest(["pair", pair.question, pair.answer], 16)
    return Passage(IMPORTED, place, IMPORTED, pair.answer, count_words(pair.answer), name)


@dataclass(frozen=True)
class Opened:
    """A writer and how to give back what it holds."""

    writer: QuestionWriter
    close: Callable[[], None] = field(default=lambda: None)


def open_writer(
    version: Version,
    reference: Reference,
    workspace: Path,
    account: str,
    load: Callable[[Base], Model] | None = None,
) -> Opened:
    """The writer a version names, ready to write."""
    scene = version.style == "scene"
    templates = SCENE_TEMPLATES if scene else QA_TEMPLATES
    fallback = TemplateWriter.fit((p.text for p in reference.train), templates)
    if version.writer == "template":
        return Opened(fallback)
    if version.writer.startswith(LOCAL):
        return _local(version, fallback, _folder(workspace), workspace, load)
    from harness.corpus.anthropic_questions import AnthropicWriter

    return Opened(AnthropicWriter(terms_of(version, account), _folder(workspace), account))


def terms_of(version: Version, account: str) -> Terms:
    """What a paid version says of model, price and cap.

    Raises:
        ConfigurationError: cap or price are missing, or the model is not a dated one.
    """
    from harness.corpus.purchase import Terms
    from harness.corpus.spending import Price

    if version.max_usd is None or version.price is None:
        raise ConfigurationError(
            f"{account}: writer {version.writer} needs max_usd and price {{input, output}}"
        )
    return Terms(
        model=version.writer,
        price=Price(version.price.input, version.price.output),
        max_usd=version.max_usd,
        prompt=SCENE_PROMPT if version.style == "scene" else QA_PROMPT,
        live=version.live,
    )


def _folder(workspace: Path) -> Path:
    return workspace / "results" / "questions"


def _local(
    version: Version,
    fallback: QuestionWriter,
    folder: Path,
    workspace: Path,
    load: Callable[[Base], Model] | None,
) -> Opened:
    from harness.corpus.local_questions import LocalWriter, first_instruction, first_question
    from harness.corpus.question_examples import QUESTION_GUIDE, SCENE_GUIDE
    from harness.engines import load_in_child, renderer

    base = resolve_base(version.writer.removeprefix(LOCAL), workspace)
    render = renderer(base, wished={"enable_thinking": False})
    model = load(base) if load else load_in_child(workspace)(base, "bfloat16")
    scene = version.style == "scene"
    writer = LocalWriter(
        model,
        render,
        f"{base.name}:{base.digest[:12]}",
        fallback,
        _folder(workspace),
        guide=SCENE_GUIDE if scene else QUESTION_GUIDE,
        read=first_instruction if scene else first_question,
    )
    return Opened(writer, model.close)
