"""The frozen reference set of an author: what everything is measured against.

    held-out book --> passages --> prompts (half continue, half question), documents for likelihoods
    train books   --> keywords, TF-IDF, Delta background, authorship classifiers (other:X left out of its own)
    both          --> margins: how large a difference has to be before it matters

It is cut once, by the first ``prepare``, from cleaned body text, and is known by its digest. Corpus
versions only ever subtract from it; a different reference makes scores incomparable.

    results/references/NAME/reference.json     texts, prompts, documents, margins, audit
    results/references/NAME/fitted.json, .npz  the state of each fitted reference (no pickle)
    results/references/NAME.DIGEST/            the same as it was before ``reference NAME --refit``
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import punkt
from harness.errors import ConfigurationError, MissingPrerequisiteError, nearest
from harness.fitted import Fitted, remedy
from harness.metrics.memorisation import CopyIndex
from harness.shelves import read_json, safe_name
from harness.text import Punkt, cut_at_sentence, digest, words
from harness.types import Document, Passage, Prompt

FORMAT = 5
"""Raised when what is stored changes; a reference set of another format is refused, not guessed at."""

EASY_NEGATIVES = "easy negatives: optimistic"
"""Said of every AUC and position against presidents of other times: whoever is compared, they are far off."""

_FORMER = re.compile(r"(?P<name>.+)\.(?P<digest>[0-9a-f]{16})")


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
    heldout_block: int | None = None
    """Which block of the held-out book is held out, from 1; None for the whole book."""
    background: bool = False
    """True where no other authors were given, and presidents stand in for them."""
    other_files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """sha256 of each file behind ``others``, sorted: whether they changed is seen without reading them."""

    @functools.cached_property
    def fitted(self) -> Fitted:
        """The fitted references, loaded from disk on first use."""
        return Fitted.load(self.folder, self.digest)

    @functools.cached_property
    def sentence_tokenizer(self) -> Punkt:
        """Punkt with the author's parameters."""
        return punkt.tokenizer(dict(self.fitted.punkt))

    @functools.cached_property
    def train_copies(self) -> CopyIndex:
        """Index of the training text, where pasting shows."""
        return CopyIndex([words(passage.text) for passage in self.train])

    @functools.cached_property
    def heldout_copies(self) -> CopyIndex:
        """Index of the held-out book, which only a model that had read it elsewhere could recite."""
        return CopyIndex([words(passage.text) for passage in self.heldout])

    @property
    def primary_classifier(self) -> str:
        """``masked`` where it tells the author from others well enough (AUC .8), else ``plain``."""
        return "masked" if self.audit.get("authorship_masked_auc", 0.0) >= 0.8 else "plain"

    @property
    def caveat(self) -> str:
        """What has to be said beside every number that other authors have a part in; mostly nothing."""
        return EASY_NEGATIVES if self.background else ""

    def prompt(self, item: str) -> Prompt:
        """The prompt with an id."""
        return self._by_id[item]

    def heldout_passage(self, digest: str) -> str:
        """The text of a held-out passage; nothing where there is none of this digest."""
        return self._heldout_texts.get(digest, "")

    @functools.cached_property
    def _heldout_texts(self) -> dict[str, str]:
        return {passage.digest: passage.text for passage in self.heldout}

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


def author_answer(prompt: Prompt, max_words: int) -> str:
    """The author's own answer, cut to the length the models are given, at a sentence end."""
    return cut_at_sentence(prompt.reference, max_words)


def content_digest(
    prompts: Sequence[Prompt],
    documents: Sequence[Document],
    train: Sequence[Passage],
    others: Mapping[str, Sequence[Passage]],
) -> str:
    """What a reference set is known by: its prompts, documents and what its fits saw, of whom."""
    return digest(
        [
            FORMAT,
            [[p.id, p.kind, p.text, p.reference] for p in prompts],
            [[d.id, d.set, d.text] for d in documents],
            sorted(passage.digest for passage in train),
            {name: sorted(passage.digest for passage in passages) for name, passages in others.items()},
        ],
        16,
    )


# ── on disk ───────────────────────────────────────────────────────────────────────────────────────


def folder_of(name: str, workspace: Path) -> Path:
    """Where an author's reference set lives."""
    return workspace / "results" / "references" / name


def former_folder(found: Reference) -> Path:
    """Where a reference set goes when it is refitted; its name can be loaded like any other."""
    return found.folder.with_name(f"{found.name}.{found.digest}")


def prepared_authors(workspace: Path) -> list[str]:
    """Names of the authors that have a reference set, sorted; those that were refitted count once."""
    return [name for name in _sets(workspace) if not _FORMER.fullmatch(name)]


def former_digests(name: str, workspace: Path) -> list[str]:
    """Digests of the sets that stood where an author's stands now."""
    found = filter(None, map(_FORMER.fullmatch, _sets(workspace)))
    return [match["digest"] for match in found if match["name"] == name]


def _sets(workspace: Path) -> list[str]:
    found = (path.parent for path in folder_of("", workspace).glob("*/reference.json"))
    return sorted(folder.name for folder in found if folder.suffix != ".part")


def load(name: str, workspace: Path) -> Reference:
    """The frozen reference set of an author.

    Raises:
        MissingPrerequisiteError: ``prepare`` has not cut it yet.
        ConfigurationError: another version of the harness cut it, or it is damaged or edited.
    """
    folder = folder_of(safe_name(name, "author"), workspace)
    path = folder / "reference.json"
    if not path.is_file():
        have = prepared_authors(workspace)
        hint = nearest(name, have) if have else ""
        raise MissingPrerequisiteError(
            f"no reference set {name!r}{hint}: run `stylobench prepare {name}` first"
        )
    plain = read_json(path, remedy(name))
    if plain.pop("format", 1) != FORMAT:
        raise ConfigurationError(
            f"reference set {name!r} was cut by another version of stylobench; "
            f"move results/references/{name} away and run `stylobench prepare {name}`"
        )
    try:
        found = _from_plain(plain, folder)
    except (KeyError, TypeError, AttributeError):
        raise ConfigurationError(f"reference set {name!r} is damaged; {remedy(name)}") from None
    if found.digest != content_digest(found.prompts, found.documents, found.train, found.others):
        raise ConfigurationError(f"reference set {name!r} was edited after it was cut; {remedy(name)}")
    return found


def _from_plain(plain: Mapping[str, Any], folder: Path) -> Reference:
    passages = {key: tuple(Passage(**p) for p in plain[key]) for key in ("heldout", "train")}
    others = {other: tuple(Passage(**p) for p in texts) for other, texts in plain["others"].items()}
    prompts = tuple(Prompt(**p) for p in plain["prompts"])
    documents = tuple(Document(**d) for d in plain["documents"])
    files = {other: tuple(found) for other, found in plain["other_files"].items()}
    read = passages | {"others": others, "prompts": prompts, "documents": documents, "folder": folder}
    return Reference(**{**plain, **read, "other_files": files})
