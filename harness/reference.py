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

import errno
import functools
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness import punkt
from harness.errors import ConfigurationError, MissingPrerequisiteError, nearest
from harness.metrics.attribution import AuthorshipClassifier
from harness.metrics.delta import DeltaReference
from harness.metrics.memorisation import CopyIndex
from harness.metrics.order import OrderReference
from harness.metrics.similarity import TfidfReference
from harness.shelves import read_json, safe_name
from harness.text import Punkt, cut_at_sentence, digest, words
from harness.types import Document, Passage, Prompt

FORMAT = 3
"""Raised when what is stored changes; a reference set of another format is refused, not guessed at."""


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
    orders: Mapping[str, OrderReference]
    """Known word pairs: of everybody under ``all``, and ``without:NAME`` for scoring that other author."""
    punkt: Mapping[str, Any]
    """Parameters of the sentence tokenizer, learnt from the author's train prose."""
    classifiers: Mapping[str, AuthorshipClassifier]
    """``plain`` and ``masked``, each also as ``plain-without:NAME`` for scoring that other author."""

    def save(self, folder: Path) -> None:
        """Write as JSON plus one ``.npz`` of plain arrays."""
        state: dict[str, Any] = {"keywords": list(self.keywords), "keyness": dict(self.keyness)}
        state["punkt"] = dict(self.punkt)
        parts = {"tfidf": self.tfidf.state(), "delta": self.delta.state()}
        parts |= {f"order/{name}": fit.state() for name, fit in self.orders.items()}
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
        state = read_json(folder / "fitted.json", _remedy(folder.name))
        try:
            with np.load(folder / "fitted.npz", allow_pickle=False) as archive:
                for full in archive.files:
                    part, _, key = full.rpartition("/")
                    state[part][key] = archive[full]
            return cls._from_state(state)
        except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile):
            problem = f"{folder.name}: fitted.json or fitted.npz is missing or damaged"
            raise ConfigurationError(f"reference set {problem}; {_remedy(folder.name)}") from None

    @classmethod
    def _from_state(cls, state: Mapping[str, Any]) -> Fitted:
        return cls(
            keywords=tuple(state["keywords"]),
            keyness=state["keyness"],
            tfidf=TfidfReference.from_state(state["tfidf"]),
            delta=DeltaReference.from_state(state["delta"]),
            orders={
                part.removeprefix("order/"): OrderReference.from_state(values)
                for part, values in state.items()
                if part.startswith("order/")
            },
            punkt=state["punkt"],
            classifiers={
                part.removeprefix("classifier/"): AuthorshipClassifier.from_state(values)
                for part, values in state.items()
                if part.startswith("classifier/")
            },
        )


def author_answer(prompt: Prompt, max_words: int) -> str:
    """The author's own answer, cut to the length the models are given, at a sentence end."""
    return cut_at_sentence(prompt.reference, max_words)


# ── on disk ───────────────────────────────────────────────────────────────────────────────────────


def folder_of(name: str, workspace: Path) -> Path:
    """Where an author's reference set lives."""
    return workspace / "results" / "references" / name


def freeze(draft: Reference, fitted: Fitted, measured: Callable[[Reference], Margins]) -> Reference:
    """Write a reference set into a temporary folder, measure its margins there, rename it into place.

    Raises:
        ConfigurationError: something stands in its place: another ``prepare`` was faster, or it is damaged.
    """
    part = draft.folder.with_name(f"{draft.folder.name}.{os.getpid()}.part")
    try:
        return _write(draft, fitted, measured, part)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write(
    draft: Reference, fitted: Fitted, measured: Callable[[Reference], Margins], part: Path
) -> Reference:
    part.mkdir(parents=True)
    fitted.save(part)
    found = measured(replace(draft, folder=part))
    final = replace(draft, margins=found.margins, audit=found.audit)
    plain = {key: value for key, value in asdict(final).items() if key != "folder"} | {"format": FORMAT}
    (part / "reference.json").write_text(json.dumps(plain, ensure_ascii=False), encoding="utf-8")
    try:
        part.rename(final.folder)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
        place = f"results/references/{final.folder.name}"
        if (final.folder / "reference.json").is_file():
            problem = f"{place} was cut by another process meanwhile; run the same command again"
        else:
            problem = f"{place} is damaged: it has no reference.json; {_remedy(final.folder.name)}"
        raise ConfigurationError(problem) from None
    return final


def load(name: str, workspace: Path) -> Reference:
    """The frozen reference set of an author.

    Raises:
        MissingPrerequisiteError: ``prepare`` has not cut it yet.
        ConfigurationError: another version of the harness cut it, or it is damaged or edited.
    """
    folder = folder_of(safe_name(name, "author"), workspace)
    path = folder / "reference.json"
    if not path.is_file():
        have = [found.parent.name for found in folder.parent.glob("*/reference.json")]
        hint = nearest(name, have) if have else ""
        raise MissingPrerequisiteError(
            f"no reference set {name!r}{hint}: run `stylobench prepare {name}` first"
        )
    plain = read_json(path, _remedy(name))
    if plain.pop("format", 1) != FORMAT:
        raise ConfigurationError(
            f"reference set {name!r} was cut by another version of stylobench; "
            f"move results/references/{name} away and run `stylobench prepare {name}`"
        )
    try:
        found = _from_plain(plain, folder)
    except (KeyError, TypeError, AttributeError):
        raise ConfigurationError(f"reference set {name!r} is damaged; {_remedy(name)}") from None
    seen = [*found.train, *(passage for passages in found.others.values() for passage in passages)]
    if found.digest != content_digest(found.prompts, found.documents, seen):
        raise ConfigurationError(f"reference set {name!r} was edited after it was cut; {_remedy(name)}")
    return found


def _remedy(name: str) -> str:
    return f"put results/references/{name} back, or move it away and run `stylobench prepare {name}`"


def _from_plain(plain: Mapping[str, Any], folder: Path) -> Reference:
    passages = {key: tuple(Passage(**p) for p in plain[key]) for key in ("heldout", "train")}
    others = {other: tuple(Passage(**p) for p in texts) for other, texts in plain["others"].items()}
    prompts = tuple(Prompt(**p) for p in plain["prompts"])
    documents = tuple(Document(**d) for d in plain["documents"])
    read = passages | {"others": others, "prompts": prompts, "documents": documents, "folder": folder}
    return Reference(**{**plain, **read})


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
