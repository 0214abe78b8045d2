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

LOCAL = "local:"


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
    chosen = list(passages)
    if version.ask:
        chosen = sorted(passages, key=lambda passage: passage.digest)[: version.ask]
    pairs = align(version.pairs, chosen, reference, workspace) if version.pairs else Aligned((), ())
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


def align(file: str, passages: Sequence[Passage], reference: Reference, workspace: Path) -> Aligned:
    """The pairs of a file (ShareGPT, Alpaca, prompt/response or messages rows) against these passages."""
    path = workspace / at_home(file)
    if not path.is_file():
        raise ConfigurationError(f"pairs: {file} does not exist in this workspace")
    return align_pairs(pairs_of(conversations(read_rows(path)).conversations), passages, reference.heldout)


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
    folder = workspace / "results" / "questions"
    if version.writer.startswith(LOCAL):
        return _local(version, fallback, folder, workspace, load)
    from harness.corpus.anthropic_questions import AnthropicWriter
    from harness.corpus.purchase import Terms
    from harness.corpus.spending import Price

    if version.max_usd is None or version.price is None:
        raise ConfigurationError(
            f"{account}: writer {version.writer} needs max_usd and price {{input, output}}"
        )
    terms = Terms(
        model=version.writer,
        price=Price(version.price.input, version.price.output),
        max_usd=version.max_usd,
        prompt=SCENE_PROMPT if scene else QA_PROMPT,
        live=version.live,
    )
    return Opened(AnthropicWriter(terms, folder, account))


def _local(
    version: Version,
    fallback: QuestionWriter,
    folder: Path,
    workspace: Path,
    load: Callable[[Base], Model] | None,
) -> Opened:
    from harness.corpus.local_questions import (
        LOCAL_PROMPT,
        LOCAL_SCENE_PROMPT,
        LocalWriter,
        first_instruction,
        first_question,
    )
    from harness.engines import load_in_child, renderer
    from harness.training.chat import conversation

    base = resolve_base(version.writer.removeprefix(LOCAL), workspace)
    render = renderer(base)
    model = load(base) if load else load_in_child(workspace)(base, "bfloat16")
    scene = version.style == "scene"
    writer = LocalWriter(
        model,
        lambda text: render(conversation("", text)),
        f"{base.name}:{base.digest[:12]}",
        fallback,
        folder,
        prompt=LOCAL_SCENE_PROMPT if scene else LOCAL_PROMPT,
        read=first_instruction if scene else first_question,
    )
    return Opened(writer, model.close)
