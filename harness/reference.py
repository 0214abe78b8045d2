"""The frozen reference set of an author: what everything is measured against.

    held-out book --> passages --> prompts (half continue, half question), documents for likelihoods
    train books   --> keywords, TF-IDF, Delta background, authorship classifiers (other:X left out of its own)
    both          --> margins: how large a difference has to be before it matters

It is cut once, by the first ``prepare``, from cleaned body text, and is known by its digest. Corpus
versions only ever subtract from it; a different reference makes scores incomparable.

    results/references/NAME/reference.json     texts, prompts, documents, margins, audit
    results/references/NAME/fitted.json, .npz  the state of each fitted reference (no pickle)
"""

from __future__ import annotations

import functools
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness import punkt
from harness.errors import ConfigurationError, MissingPrerequisiteError, nearest
from harness.metrics.attribution import AuthorshipClassifier
from harness.metrics.delta import DeltaReference
from harness.metrics.function_words import FUNCTION_WORD_SET
from harness.metrics.keyness import characteristic_keywords
from harness.metrics.memorisation import CopyIndex
from harness.metrics.order import OrderReference
from harness.metrics.similarity import TfidfReference
from harness.text import Punkt, count_words, cut_at_sentence, digest, words
from harness.training.examples import continuation_prompt, split_first_sentence
from harness.types import Document, Passage, Prompt

FORMAT = 2
"""Raised when what is stored changes; a reference set of another format is refused, not guessed at."""

_CLASSIFIER_PASSAGES = 300
"""Passages per side of a classifier fit: enough for AUC, few enough to fit ten of them in a demo."""


@dataclass(frozen=True)
class Reference:
    """Texts, prompts and fitted state of one author. ``others`` maps a name to passages of the same size."""

    name: str
    author: str
    persona: str
    language: str
    passage_words: int
    heldout_book: str
    heldout: tuple[Passage, ...]
    train: tuple[Passage, ...]
    others: Mapping[str, tuple[Passage, ...]]
    prompts: tuple[Prompt, ...]
    documents: tuple[Document, ...]
    digest: str
    folder: Path
    margins: Mapping[str, float] = field(default_factory=dict)
    audit: Mapping[str, float] = field(default_factory=dict)

    @functools.cached_property
    def fitted(self) -> Fitted:
        """The fitted references, loaded from disk on first use."""
        return Fitted.load(self.folder)

    @functools.cached_property
    def sentence_tokenizer(self) -> Punkt:
        """Punkt with the author's parameters."""
        return punkt.tokenizer(dict(self.fitted.punkt))

    @functools.cached_property
    def train_copies(self) -> CopyIndex:
        """Index of the training text, where pasting shows."""
        return CopyIndex([words(passage.text) for passage in self.train])

    @property
    def primary_classifier(self) -> str:
        """``masked`` where it tells the author from others well enough (AUC .8), else ``plain``."""
        return "masked" if self.audit.get("authorship_masked_auc", 0.0) >= 0.8 else "plain"

    def prompt(self, item: str) -> Prompt:
        """The prompt with an id."""
        return self._by_id[item]

    @functools.cached_property
    def _by_id(self) -> dict[str, Prompt]:
        return {prompt.id: prompt for prompt in self.prompts}

    def documents_of(self, prefix: str, limit: int | None = None) -> list[Document]:
        """Documents whose set is ``prefix`` or starts with ``prefix:``, at most ``limit`` of them."""
        chosen = [d for d in self.documents if d.set == prefix or d.set.startswith(f"{prefix}:")]
        return chosen[:limit]


@dataclass(frozen=True)
class Margins:
    """``margins``: metric -> smallest difference that matters. ``audit``: ``METRIC_auc`` on human text."""

    margins: Mapping[str, float]
    audit: Mapping[str, float]


@dataclass(frozen=True)
class Fitted:
    """Everything fitted on train prose and other authors, never on held-out text."""

    keywords: tuple[str, ...]
    keyness: Mapping[str, float]
    tfidf: TfidfReference
    delta: DeltaReference
    order: OrderReference
    punkt: Mapping[str, Any]
    """Parameters of the sentence tokenizer, learnt from the author's train prose."""
    classifiers: Mapping[str, AuthorshipClassifier]
    """``plain`` and ``masked``, each also as ``plain-without:NAME`` for scoring that other author."""

    def save(self, folder: Path) -> None:
        """Write as JSON plus one ``.npz`` of plain arrays."""
        state: dict[str, Any] = {"keywords": list(self.keywords), "keyness": dict(self.keyness)}
        state["punkt"] = dict(self.punkt)
        parts = {"tfidf": self.tfidf.state(), "delta": self.delta.state(), "order": self.order.state()}
        parts |= {f"classifier/{name}": fit.state() for name, fit in self.classifiers.items()}
        arrays = {}
        for part, values in parts.items():
            plain = {}
            for key, value in values.items():
                if isinstance(value, np.ndarray):
                    arrays[f"{part}/{key}"] = value
                else:
                    plain[key] = value
            state[part] = plain
        (folder / "fitted.json").write_text(json.dumps(state), encoding="utf-8")
        np.savez(folder / "fitted.npz", allow_pickle=False, **arrays)

    @classmethod
    def load(cls, folder: Path) -> Fitted:
        """The inverse of ``save``."""
        state = json.loads((folder / "fitted.json").read_text(encoding="utf-8"))
        with np.load(folder / "fitted.npz", allow_pickle=False) as archive:
            for full in archive.files:
                part, _, key = full.rpartition("/")
                state[part][key] = archive[full]
        return cls(
            keywords=tuple(state["keywords"]),
            keyness=state["keyness"],
            tfidf=TfidfReference.from_state(state["tfidf"]),
            delta=DeltaReference.from_state(state["delta"]),
            order=OrderReference.from_state(state["order"]),
            punkt=state["punkt"],
            classifiers={
                part.removeprefix("classifier/"): AuthorshipClassifier.from_state(values)
                for part, values in state.items()
                if part.startswith("classifier/")
            },
        )


# ── cutting ───────────────────────────────────────────────────────────────────────────────────────


def fit(train: Sequence[Passage], others: Mapping[str, Sequence[Passage]]) -> Fitted:
    """Fit every frozen reference on the author's train passages and the other authors' passages."""
    author_texts = [passage.text for passage in train]
    other_passages = [passage for passages in others.values() for passage in passages]
    other_texts = [passage.text for passage in other_passages]
    keywords = characteristic_keywords(_blocks(author_texts), _blocks(other_texts))
    return Fitted(
        keywords=tuple(item.word for item in keywords),
        keyness={item.word: item.g2 for item in keywords},
        tfidf=TfidfReference.fit(author_texts),
        delta=DeltaReference.fit(_segments(author_texts), _segments(author_texts) + _segments(other_texts)),
        order=OrderReference.fit(author_texts + other_texts),
        punkt=punkt.learn(author_texts),
        classifiers=_fit_classifiers(train, others),
    )


def _fit_classifiers(
    train: Sequence[Passage], others: Mapping[str, Sequence[Passage]]
) -> dict[str, AuthorshipClassifier]:
    fits = {}
    author = _spread(train, _CLASSIFIER_PASSAGES)
    left_out: list[str | None] = [None, *sorted(others)] if len(others) > 1 else [None]
    for without in left_out:
        names = [name for name in sorted(others) if name != without]
        background = [passage.text for name in names for passage in others[name]]
        per_author = max(1, _CLASSIFIER_PASSAGES // len(names))
        negatives = [(name, p) for name in names for p in _spread(others[name], per_author)]
        for twin in ("plain", "masked"):
            label = twin if without is None else f"{twin}-without:{without}"
            fits[label] = AuthorshipClassifier.fit(
                [passage.text for passage in author],
                [passage.text for _, passage in negatives],
                author_groups=[passage.book for passage in author],
                other_groups=[f"{name}/{passage.book}" for name, passage in negatives],
                masked=twin == "masked",
                background=background,
            )
    return fits


def cut_prompts(heldout: Sequence[Passage], continuations: int, questions: int) -> list[Prompt]:
    """Prompts paired with the held-out passages that answer them, spread evenly over the book.

    A *continue* prompt shows a passage's first sentence and its answer is the rest; a *question* asks
    about the passage's most telling words (no model, no cost), and its answer is the whole passage.
    """
    usable = [
        passage for passage in heldout if passage.n_words >= 60 and split_first_sentence(passage.text).rest
    ]
    chosen = _spread(usable, continuations + questions)
    if len(chosen) < continuations + questions:
        raise ConfigurationError(
            f"prompts: {continuations + questions} wanted, but the held-out book yields {len(chosen)}"
        )
    seen_in = Counter(word for passage in heldout for word in set(words(passage.text)))
    prompts: list[Prompt] = []
    for index, passage in enumerate(chosen):
        continues = (index + 1) * continuations // len(chosen) > index * continuations // len(chosen)
        if continues:
            first, rest = split_first_sentence(passage.text)
            text, answer = continuation_prompt(first), rest
        else:
            text, answer = question_about(passage.text, seen_in, len(heldout)), passage.text
        kind = "continue" if continues else "question"
        identity = f"{kind[0]}{len(prompts):03d}-{digest(text, 6)}"
        prompts.append(
            Prompt(identity, "continue" if continues else "question", text, answer, passage.digest)
        )
    return prompts


def question_about(text: str, seen_in: Mapping[str, int], n_passages: int) -> str:
    """A template question on the three most telling words of a passage, in their order of appearance.

    Telling = tf * ln(N / df) over the held-out passages, function words and short words left out.
    """
    counts = Counter(word for word in words(text) if len(word) > 3 and word not in FUNCTION_WORD_SET)
    weight = {word: n * math.log(n_passages / seen_in[word]) for word, n in counts.items()}
    best = sorted(weight, key=lambda word: (-weight[word], word))[:3]
    ordered = sorted(best, key=list(counts).index)
    listed = f"{', '.join(ordered[:-1])} and {ordered[-1]}" if len(ordered) > 1 else "".join(ordered)
    return f"What do you hold on the matter of {listed}?"


def cut_documents(
    heldout: Sequence[Passage], train: Sequence[Passage], others: Mapping[str, Sequence[Passage]]
) -> list[Document]:
    """Texts for likelihoods; the n-th held-out document is paired with the n-th of other authors."""
    mixed = [(name, passage) for name in sorted(others) for passage in others[name]]
    turn = sorted(range(len(mixed)), key=lambda i: digest(mixed[i][1].digest))
    shuffled = sorted(range(len(heldout)), key=lambda i: digest(heldout[i].digest))
    some_train = sorted(train, key=lambda passage: digest(passage.digest))[: len(heldout)]
    documents = []
    for pair, index in enumerate(shuffled):
        documents.append(
            Document(f"h{pair:03d}-{heldout[index].digest[:6]}", "heldout", pair, heldout[index].text)
        )
    for pair, index in enumerate(turn[: len(heldout)]):
        name, passage = mixed[index]
        documents.append(Document(f"o{pair:03d}-{passage.digest[:6]}", f"other:{name}", pair, passage.text))
    for pair, passage in enumerate(some_train):
        documents.append(Document(f"t{pair:03d}-{passage.digest[:6]}", "train", pair, passage.text))
    return documents


def author_answer(prompt: Prompt, max_words: int) -> str:
    """The author's own answer, cut to the length the models are given, at a sentence end."""
    return cut_at_sentence(prompt.reference, max_words)


# ── on disk ───────────────────────────────────────────────────────────────────────────────────────


def folder_of(name: str, workspace: Path) -> Path:
    """Where an author's reference set lives."""
    return workspace / "results" / "references" / name


def freeze(draft: Reference, fitted: Fitted, measured: Callable[[Reference], Margins]) -> Reference:
    """Write a reference set into a temporary folder, measure its margins there, rename it into place."""
    part = draft.folder.with_name(draft.folder.name + ".part")
    part.mkdir(parents=True, exist_ok=True)
    fitted.save(part)
    found = measured(replace(draft, folder=part))
    final = replace(draft, margins=found.margins, audit=found.audit)
    plain = {key: value for key, value in asdict(final).items() if key != "folder"} | {"format": FORMAT}
    (part / "reference.json").write_text(json.dumps(plain, ensure_ascii=False), encoding="utf-8")
    part.rename(final.folder)
    return final


def load(name: str, workspace: Path) -> Reference:
    """The frozen reference set of an author.

    Raises:
        MissingPrerequisiteError: ``prepare`` has not cut it yet.
        ConfigurationError: another version of the harness cut it.
    """
    folder = folder_of(name, workspace)
    path = folder / "reference.json"
    if not path.is_file():
        have = [found.parent.name for found in folder.parent.glob("*/reference.json")]
        hint = nearest(name, have) if have else ""
        raise MissingPrerequisiteError(
            f"no reference set {name!r}{hint}: run `stylobench prepare {name}` first"
        )
    plain = json.loads(path.read_text(encoding="utf-8"))
    if plain.pop("format", 1) != FORMAT:
        raise ConfigurationError(
            f"reference set {name!r} was cut by another version of stylobench; "
            f"move results/references/{name} away and run `stylobench prepare {name}`"
        )
    passages = {key: tuple(Passage(**p) for p in plain[key]) for key in ("heldout", "train")}
    others = {other: tuple(Passage(**p) for p in texts) for other, texts in plain["others"].items()}
    prompts = tuple(Prompt(**p) for p in plain["prompts"])
    documents = tuple(Document(**d) for d in plain["documents"])
    read = passages | {"others": others, "prompts": prompts, "documents": documents, "folder": folder}
    return Reference(**(plain | read))


def content_digest(
    prompts: Sequence[Prompt], documents: Sequence[Document], fitted_on: Sequence[Passage]
) -> str:
    """What a reference set is known by: its prompts, documents and what its fits saw."""
    return digest(
        [
            FORMAT,
            [[p.id, p.kind, p.text, p.reference] for p in prompts],
            [[d.id, d.set, d.text] for d in documents],
            sorted(passage.digest for passage in fitted_on),
        ],
        16,
    )


def _spread(passages: Sequence[Passage], n: int) -> list[Passage]:
    """``n`` passages spread evenly over a sequence (all of them where there are fewer)."""
    if len(passages) <= n:
        return list(passages)
    return [passages[index * len(passages) // n] for index in range(n)]


def _blocks(texts: Sequence[str], size: int = 2000) -> list[list[str]]:
    """The texts' words as blocks of ``size``; a short last block is left out."""
    tokens = [word for text in texts for word in words(text)]
    return [tokens[start : start + size] for start in range(0, len(tokens) - size + 1, size)] or [tokens]


def _segments(texts: Sequence[str], size: int = 1000) -> list[str]:
    """Consecutive passages joined into segments of at least ``size`` words."""
    segments: list[str] = []
    pending: list[str] = []
    total = 0
    for text in texts:
        pending.append(text)
        total += count_words(text)
        if total >= size:
            segments.append(" ".join(pending))
            pending, total = [], 0
    return segments or [" ".join(pending)]
