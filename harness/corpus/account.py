"""A corpus version, accounted for: ``stylobench show corpus NAME@N``, as lines of section, what, value.

    corpus · books · pages · passages · questions · tokens · leakage · lineage · settings

Counts come from the manifest; passages, words and the leakage proof are taken from the table as it is now,
so that the proof is of what would be trained on and not of what was meant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.corpus.leakage import shared_ngrams
from harness.types import Passage

_USED = ("train", "validation")
_ORDER = ("train", "validation", "guard", "heldout")
_BODY_ONLY = "body"


@dataclass(frozen=True)
class Tokenizer:
    """What counts tokens: a base's name, and a function from texts to their lengths."""

    name: str
    count: Callable[[Sequence[str]], Sequence[int]]


@dataclass(frozen=True)
class Line:
    """One line of the account."""

    section: str
    what: str
    value: str


def account(
    manifest: Mapping[str, Any],
    passages: Sequence[Passage],
    ancestors: Sequence[Mapping[str, Any]] = (),
    tokenizer: Tokenizer | None = None,
) -> tuple[Line, ...]:
    """Everything worth knowing of one version; ``ancestors``: manifests of parent, grandparent ...

    ``passages`` are those of the version, of every split.
    """
    return tuple(
        line
        for part in (
            _what(manifest),
            _books(manifest, passages),
            _pages(manifest),
            _passages(passages),
            _questions(manifest),
            _tokens(passages, tokenizer),
            _leakage(manifest, passages),
            _lineage(manifest, ancestors),
            _settings(manifest),
        )
        for line in part
    )


def _what(manifest: Mapping[str, Any]) -> Iterator[Line]:
    yield Line("corpus", "name", f"{manifest['name']}@{manifest['version']}")
    for key in ("style", "digest", "reference", "run"):
        yield Line("corpus", key, str(manifest[key]))
    if manifest.get("background"):
        yield Line("corpus", "other authors", "none named, former presidents: easy negatives: optimistic")


def _books(manifest: Mapping[str, Any], passages: Sequence[Passage]) -> Iterator[Line]:
    used = [passage for passage in passages if passage.split in _USED]
    n_words, count = Counter[str](), Counter[str]()
    for passage in used:
        n_words[passage.book] += passage.n_words
        count[passage.book] += 1
    for book, sha256 in sorted(manifest["books"].items()):
        have = f"{count[book]:,} passages, {n_words[book]:,} words"
        if book == manifest["heldout_book"]:
            block = manifest.get("heldout_block")
            have = "held out" if block is None else f"block {block} held out; {have}"
        yield Line("books", book, f"{have}; sha256 {sha256[:12]}")


def _pages(manifest: Mapping[str, Any]) -> Iterator[Line]:
    """Kept and dropped by role, each book and all together; held-out books are not in the manifest."""
    keeps_all = manifest["settings"].get("keep") == "everything"
    everything = Counter[str]()
    for book, roles in sorted(manifest["pages"].items()):
        everything.update(roles)
        yield Line("pages", book, _kept_and_dropped(roles, keeps_all))
    yield Line("pages", "all", _kept_and_dropped(everything, keeps_all))


def _kept_and_dropped(roles: Mapping[str, int], keeps_all: bool) -> str:
    kept = {role: n for role, n in roles.items() if keeps_all or role == _BODY_ONLY}
    dropped = {role: n for role, n in roles.items() if role not in kept}
    return f"kept {_listed(kept)}; dropped {_listed(dropped)}"


def _listed(roles: Mapping[str, int]) -> str:
    if not roles:
        return "0"
    by_count = sorted(roles.items(), key=lambda item: (-item[1], item[0]))
    parts = ", ".join(f"{n:,} {role}" for role, n in by_count)
    return parts if len(roles) == 1 else f"{sum(roles.values()):,} ({parts})"


def _passages(passages: Sequence[Passage]) -> Iterator[Line]:
    for split in _ORDER:
        own = [passage for passage in passages if passage.split == split]
        if own:
            n_words = sum(passage.n_words for passage in own)
            roles = Counter(passage.role for passage in own)
            yield Line("passages", split, f"{_listed(roles)}, {n_words:,} words")


def _questions(manifest: Mapping[str, Any]) -> Iterator[Line]:
    """How many were asked, by whom, and what was said of them; nothing for completions."""
    facts = manifest.get("questions") or {}
    if not facts:
        return
    yield Line("questions", "asked", f"{facts['questions']:,} on {facts['asked']:,} passages")
    yield Line("questions", "writer", str(facts["writer"]))
    if facts.get("imported"):
        yield Line("questions", "imported", f"{facts['imported']:,}; {facts['leaked']:,} dropped as held out")
    if facts.get("note"):
        yield Line("questions", "note", str(facts["note"]))


def _tokens(passages: Sequence[Passage], tokenizer: Tokenizer | None) -> Iterator[Line]:
    """Lengths of the passages that are trained on or validated with, without a template's tokens."""
    used = [passage for passage in passages if passage.split in _USED]
    if tokenizer is None or not used:
        return
    lengths = np.asarray(tokenizer.count([passage.text for passage in used]))
    middle, high = np.percentile(lengths, [50, 95])
    yield Line(
        "tokens",
        tokenizer.name,
        f"{lengths.sum():,} in all; a passage {lengths.min():,} to {lengths.max():,}, "
        f"median {middle:,.0f}, 95 % at most {high:,.0f}",
    )
    per_word = lengths.sum() / max(1, sum(passage.n_words for passage in used))
    yield Line("tokens", "a word", f"{per_word:.2f} tokens")


def _leakage(manifest: Mapping[str, Any], passages: Sequence[Passage]) -> Iterator[Line]:
    found = manifest["leakage"]
    yield Line(
        "leakage",
        "when built",
        f"shared 13-grams {found['shared_13grams']:,}, passages dropped for them {found['dropped']:,}, "
        f"left {found['left']:,}",
    )
    for example in found["examples"]:
        yield Line("leakage", "example", f'"{example}"')
    if near := manifest.get("near_duplicates"):
        yield Line(
            "leakage", "near-duplicates", f"pairs {near['pairs']:,}, passages dropped {near['dropped']:,}"
        )
        for pair in near["examples"]:
            value = f'{pair["similarity"]:.2f} {pair["train"]}: "{pair["excerpt"]}"'
            yield Line("leakage", pair["kind"], value)
    used = [passage for passage in passages if passage.split in _USED]
    heldout = [passage for passage in passages if passage.split == "heldout"]
    proof = shared_ngrams(used, heldout)
    yield Line(
        "leakage",
        "checked now",
        f"shared 13-grams {proof.shared:,}, of {len(used):,} passages with {len(heldout):,} held-out ones",
    )


def _lineage(manifest: Mapping[str, Any], ancestors: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    """Each ancestor with what its child changed in the settings."""
    child = manifest
    for parent in ancestors:
        changed = [
            f"{key}: {parent['settings'].get(key)} -> {value}"
            for key, value in child["settings"].items()
            if parent["settings"].get(key) != value
        ]
        name = f"{parent['name']}@{parent['version']}"
        yield Line("lineage", f"from {name}", ", ".join(changed) or "nothing changed in the settings")
        child = parent
    if not ancestors:
        yield Line("lineage", "from", "the books" if manifest["parent"] is None else "a version not built")


def _settings(manifest: Mapping[str, Any]) -> Iterator[Line]:
    for key, value in manifest["settings"].items():
        yield Line("settings", key, "" if value is None else str(value))
