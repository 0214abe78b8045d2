"""What is fitted on human prose, and how it is kept: JSON plus one ``.npz`` of plain arrays, no pickle.

train prose                  --> Punkt, TF-IDF
train prose + other authors  --> keywords, Delta, word pairs, what is honest, authorship classifiers
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import ConfigurationError
from harness.metrics.attribution import AuthorshipClassifier
from harness.metrics.delta import DeltaReference
from harness.metrics.honesty import Honest
from harness.metrics.order import OrderReference
from harness.metrics.similarity import TfidfReference
from harness.shelves import read_json


@dataclass(frozen=True)
class Fitted:
    """Everything fitted on train prose and other authors, never on held-out text."""

    keywords: tuple[str, ...]
    keyness: Mapping[str, float]
    tfidf: TfidfReference
    delta: DeltaReference
    orders: Mapping[str, OrderReference]
    """Known word pairs: of everybody under ``all``, and ``without:NAME`` for scoring that other author."""
    honest: Honest
    """What passages of the author and of the others reach, scored by word pairs they have no part in."""
    punkt: Mapping[str, Any]
    """Parameters of the sentence tokenizer, learnt from the author's train prose."""
    classifiers: Mapping[str, AuthorshipClassifier]
    """``plain`` and ``masked``, each also as ``plain-without:NAME`` for scoring that other author."""

    def save(self, folder: Path, reference: str = "") -> None:
        """Write both files; ``reference`` is the digest of the set they belong to."""
        state: dict[str, Any] = {"keywords": list(self.keywords), "keyness": dict(self.keyness)}
        state["reference"] = reference
        state["punkt"] = dict(self.punkt)
        state["honest"] = asdict(self.honest)
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
    def load(cls, folder: Path, reference: str = "") -> Fitted:
        """The inverse of ``save``.

        Raises:
            ConfigurationError: a file is missing or damaged, or belongs to another set than ``reference``:
                scores by its fits would stand under the wrong digest.
        """
        state = read_json(folder / "fitted.json", remedy(folder.name))
        try:
            with np.load(folder / "fitted.npz", allow_pickle=False) as archive:
                for full in archive.files:
                    part, _, key = full.rpartition("/")
                    state[part][key] = archive[full]
            found = cls._from_state(state)
        except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile):
            problem = f"{folder.name}: fitted.json or fitted.npz is missing or damaged"
            raise ConfigurationError(f"reference set {problem}; {remedy(folder.name)}") from None
        if reference and state.get("reference") != reference:
            raise ConfigurationError(
                f"reference set {folder.name} was refitted meanwhile; run the same command again"
            )
        return found

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
            honest=Honest(**state["honest"]),
            punkt=state["punkt"],
            classifiers={
                part.removeprefix("classifier/"): AuthorshipClassifier.from_state(values)
                for part, values in state.items()
                if part.startswith("classifier/")
            },
        )


def remedy(name: str) -> str:
    """What to do about a damaged reference set."""
    return f"put results/references/{name} back, or move it away and run `stylobench prepare {name}`"
