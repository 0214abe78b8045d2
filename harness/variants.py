"""The registry: which variants there are, read from the ``variants`` table; the newest row of a name wins."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from harness import shelves
from harness.corpora import find_manifest
from harness.errors import ConfigurationError, MissingPrerequisiteError, nearest
from harness.models import few_shot
from harness.models.adapters import read_adapter
from harness.models.bases import Base, known_bases
from harness.models.controls import RESERVED
from harness.recipe import CorpusName
from harness.store import Store
from harness.text import digest
from harness.training.templates import template_of
from harness.types import Variant


def registered(store: Store) -> dict[str, Variant]:
    """Every registered variant by name, in the order first registered."""
    frame = store.read("variants")
    found: dict[str, Variant] = {}
    for row in frame.sort_values("run", kind="stable").to_dict("records") if len(frame) else []:
        found[str(row["name"])] = Variant(
            name=row["name"],
            kind=row["kind"],
            digest=row["digest"],
            base=row["base"],
            adapter=row["adapter"],
            corpus=row["corpus"],
            version=int(row["version"]),
            trained_on=row["trained_on"],
            record=json.loads(row["record"] or "{}"),
        )
    return found


def check_name(name: str, workspace: Path, remedy: str = "choose another") -> None:
    """Nothing, if a variant may be called this.

    Raises:
        ConfigurationError: it is no safe name, or means something else already.
    """
    shelves.safe_name(name, "variant")
    author, at, number = name.partition("@")
    if name in RESERVED or name.startswith("other:") or few_shot.base_of(name):
        taken = "a control"
    elif name in known_bases(workspace):
        taken = "a base"
    elif at and number.isdigit() and find_manifest(author, int(number), workspace) is not None:
        taken = "a corpus version"
    else:
        return
    raise ConfigurationError(f"variant {name!r} is the name of {taken}; {remedy}")


def as_row(variant: Variant) -> dict[str, object]:
    """A variant as a row of the ``variants`` table."""
    return {
        "name": variant.name,
        "kind": variant.kind,
        "base": variant.base,
        "adapter": variant.adapter,
        "corpus": variant.corpus,
        "version": variant.version,
        "trained_on": variant.trained_on,
        "digest": variant.digest,
        "record": json.dumps(variant.record, ensure_ascii=False),
    }


def base_variant(base: Base) -> Variant:
    """The bare base model as a variant."""
    return Variant(
        name=base.name,
        kind="base",
        digest=digest(["base", base.digest, base.chat_template_digest], 32),
        base=base.name,
        record={"revision": base.revision},
    )


def check_base_name(base: Base, known: Mapping[str, Variant]) -> None:
    """Raises ConfigurationError where a base would replace a variant of another kind in the registry."""
    taken = known.get(base.name)
    if taken is not None and taken.kind != "base":
        raise ConfigurationError(
            f"base {base.name!r} has the name of a variant ({taken.kind}); rename its folder"
        )


def adapter_digest(base: Base, adapter_sha256: str, template: str = "") -> str:
    """What identifies an adapter variant: its weights, everything under them, and how it is spoken to.

    ``template``: digest of the template options that it was trained with; empty for the base's own.
    """
    parts = ["adapter", base.digest, base.chat_template_digest, adapter_sha256]
    return digest([*parts, template] if template else parts, 32)


def trained_on_both(earlier: str, now: str) -> str:
    """What a variant has seen that was trained on from another: ``all`` and ``unknown`` stay what they are.

    >>> trained_on_both("roosevelt@1", "roosevelt@2"), trained_on_both("all", "roosevelt@2")
    ('roosevelt@1, roosevelt@2', 'all')
    """
    if "all" in (earlier, now):
        return "all"
    if "unknown" in (earlier, now):
        return "unknown"
    seen = [each for text in (earlier, now) for each in text.split(", ") if each != "nothing"]
    return ", ".join(dict.fromkeys(seen)) or "nothing"


def corpora_seen(variant: Variant) -> list[CorpusName]:
    """Every corpus version it was trained on: its own, and those of the adapters it went on from."""
    each = [(one["corpus"], one["version"]) for one in variant.record.get("lineage", [])]
    named = dict.fromkeys([*each, (variant.corpus, variant.version)])
    return [CorpusName(name=name, version=version) for name, version in named if name]


def check_adapter(variant: Variant, base: Base, workspace: Path) -> None:
    """Nothing, if the adapter on disk, on this base, is the one that was registered.

    Raises:
        MissingPrerequisiteError: its folder is gone, it cannot be worn, or it or the base has changed since,
            so that its answers would be taken for those of the one before.
    """
    try:
        found = read_adapter(workspace / variant.adapter)
    except ConfigurationError as error:
        raise MissingPrerequisiteError(
            f"variant {variant.name}: {error}; train or register it again"
        ) from None
    if adapter_digest(base, found.digest, template_of(variant.record).digest) != variant.digest:
        raise MissingPrerequisiteError(
            f"variant {variant.name}: {variant.adapter} or its base {base.name} is not what was registered; "
            "put it back, or train or register it again under another name"
        )


def select(wanted: str | Iterable[str], known: dict[str, Variant]) -> list[Variant]:
    """Variants by name, by ``*`` (all), or by ``corpus@N`` (all trained on it).

    Raises:
        ConfigurationError: a name that matches nothing.
    """
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    chosen: dict[str, Variant] = {}
    for name in names:
        matches = match(name, known)
        if not matches:
            limited = [v.name for v in known.values() if f"{v.corpus}@{v.version}" == name]
            if limited:
                raise ConfigurationError(
                    f"{name}: trained on it are only LIMITED variants: {', '.join(limited)}"
                )
            raise ConfigurationError(f"variant {name!r} does not exist{nearest(name, known)}")
        chosen |= {variant.name: variant for variant in matches}
    return list(chosen.values())


def match(name: str, known: dict[str, Variant]) -> list[Variant]:
    """The variants a name stands for: itself, all of them for ``*``, or those of a ``corpus@N``.

    Variants trained for fewer steps than their recipe says, and milestones on the way to another, are only
    ever meant by their own name.
    """
    if name in known:
        return [known[name]]
    whole = [v for v in known.values() if not (v.record.get("limited") or v.record.get("milestone_of"))]
    return [v for v in whole if name == "*" or (v.corpus and f"{v.corpus}@{v.version}" == name)]
