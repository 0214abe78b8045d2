"""The registry: which variants there are, read from the ``variants`` table; the newest row of a name wins."""

from __future__ import annotations

import json
from collections.abc import Iterable

from harness.errors import ConfigurationError, nearest
from harness.models.bases import Base
from harness.store import Store
from harness.text import digest
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


def adapter_digest(base: Base, adapter_sha256: str) -> str:
    """What identifies an adapter variant: its weights and everything under them."""
    return digest(["adapter", base.digest, base.chat_template_digest, adapter_sha256], 32)


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
            raise ConfigurationError(f"variant {name!r} does not exist{nearest(name, known)}")
        chosen |= {variant.name: variant for variant in matches}
    return list(chosen.values())


def match(name: str, known: dict[str, Variant]) -> list[Variant]:
    """The variants a name stands for: itself, all of them for ``*``, or those of a ``corpus@N``.

    Variants trained for fewer steps than their recipe says are only ever meant by their own name.
    """
    if name in known:
        return [known[name]]
    whole = [v for v in known.values() if not v.record.get("limited")]
    return [v for v in whole if name == "*" or (v.corpus and f"{v.corpus}@{v.version}" == name)]
