"""``stylobench register``: what was made elsewhere becomes a variant, without a run of ours.

    a folder with an adapter --checked against the base--> variant, answered by the base wearing it
    a file of answers        --matched to prompts-------> variant, whose answers enter ``run`` as they are

A name keeps its meaning: only what it was trained on may be said again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import reference as references
from harness import shelves, text
from harness.corpora import read_manifest
from harness.corpus.imports import read_rows
from harness.errors import ConfigurationError, MissingPrerequisiteError
from harness.models import recorded
from harness.models.adapters import Adapter, check_fit, keep, read_adapter
from harness.models.bases import Base, resolve_base
from harness.models.hf import load_tokenizer
from harness.recipe import parse_corpus
from harness.store import Run
from harness.training import templates
from harness.training.chat import conversation, render
from harness.training.templates import Template
from harness.types import Variant
from harness.variants import adapter_digest, as_row, base_variant, check_base_name, check_name, registered

WITHOUT_CORPUS = ("all", "unknown", "nothing")
"""What ``--trained-on`` may say besides a corpus version."""


@dataclass(frozen=True)
class Registered:
    """The variant as it now stands in the registry, and what its owner should know about it."""

    variant: Variant
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class TrainedOn:
    """What a variant has seen; ``corpus`` is empty and ``version`` 0 where it is no corpus version."""

    text: str
    corpus: str = ""
    version: int = 0


def trained_on(written: str, workspace: Path) -> TrainedOn:
    """``corpus@N`` (which must be built), ``all``, ``unknown`` or ``nothing``.

    Raises:
        ConfigurationError: it is none of them.
    """
    if written in WITHOUT_CORPUS:
        return TrainedOn(written)
    if "@" not in written:
        others = f"{', '.join(WITHOUT_CORPUS[:-1])} or {WITHOUT_CORPUS[-1]}"
        raise ConfigurationError(f"--trained-on {written}: write corpus@N, {others}")
    corpus = parse_corpus(written)
    read_manifest(corpus.name, corpus.version, workspace)
    return TrainedOn(str(corpus), corpus.name, corpus.version)


def find_path(written: str, workspace: Path) -> Path:
    """A file or folder as the user wrote it: from where he stands, else in the workspace.

    Raises:
        ConfigurationError: it is in neither.
    """
    path = shelves.at_home(written)
    for candidate in (path, workspace / path):
        if candidate.exists():
            return candidate
    raise ConfigurationError(f"{written} does not exist, neither here nor in the workspace")


# ── adapters ──────────────────────────────────────────────────────────────────────────────────────


def register_adapter(
    name: str, folder: Path, base_name: str, seen: TrainedOn, run: Run, workspace: Path
) -> Registered:
    """Register a LoRA adapter; it stays where it is if that is inside the workspace, else it is copied.

    Raises:
        ConfigurationError: name taken, no safetensors LoRA, or it does not fit the base.
        MissingPrerequisiteError: the base is not here.
    """
    check_name(name, workspace)
    adapter = read_adapter(folder)
    base = resolve_base(base_name, workspace)
    check_base_name(base, registered(run.store))
    template = _brought(folder, base)
    if not (base.chat_template_digest or template.source):
        raise ConfigurationError(
            f"base {base.name} has no chat template, and the adapter brings none; name an instruct model"
        )
    check_fit(adapter, base)
    digest = adapter_digest(base, adapter.digest, template.digest)
    _check_free(name, digest, run)
    variant = Variant(
        name=name,
        kind="adapter",
        digest=digest,
        base=base.name,
        adapter=keep(adapter, name, workspace),
        corpus=seen.corpus,
        version=seen.version,
        trained_on=seen.text,
        record=_record(adapter, name) | ({"template": template.record()} if template.source else {}),
    )
    _append([base_variant(base), variant], run)
    remarks = []
    if adapter.says_base and Path(adapter.says_base).name.lower() != Path(base.name).name.lower():
        remarks.append(
            f"its config names {adapter.says_base}; sizes fit {base.name}, the weights may be others"
        )
    if template.source:
        remarks.append(
            f"it brings a chat template of its own ({text.digest(template.source, 8)}), which it will be "
            "asked with; a suite's template: options are for variants without one"
        )
    return Registered(variant, tuple(remarks))


def _record(adapter: Adapter, name: str) -> dict[str, Any]:
    """What is known of a training that happened elsewhere.

    Settings that nobody knows must not agree with anybody's: the name among them keeps two foreign
    adapters from being paired as one recipe on two corpora.
    """
    kept = ("r", "lora_alpha", "lora_dropout", "target_modules", "use_rslora", "use_dora", "bias")
    lora = {key: sorted(v) if isinstance(v := adapter.config.get(key), list) else v for key in kept}
    return {
        "registered": "adapter",
        "settings": {"trained elsewhere": name, "lora": lora},
        "says_base": adapter.says_base,
        "adapter_digest": adapter.digest,
        "adapter_mb": adapter.megabytes,
    }


def _brought(folder: Path, base: Base) -> Template:
    """The chat template that lies beside an adapter, where it is not the base's; else the base's own.

    Raises:
        ConfigurationError: it cannot be read, or the base's tokenizer cannot write a conversation with it.
    """
    source = templates.stored_source(folder)
    if not source or source.strip() == templates.stored_source(base.path).strip():
        return templates.OWN
    template = Template(source=source)
    try:
        probe = conversation("", "Who are you?")
        tokenizer = load_tokenizer(base.path)
        if not render(tokenizer, probe, add_generation_prompt=True, template=template).strip():
            raise ConfigurationError("its chat template writes nothing")
    except ConfigurationError as error:
        raise ConfigurationError(
            f"adapter {folder.name}: {error}; to have it asked with the base's template, take its own "
            "(chat_template.jinja, or chat_template in tokenizer_config.json) out of the folder"
        ) from None
    return template


# ── recorded answers ──────────────────────────────────────────────────────────────────────────────


def register_recorded(
    name: str, file: Path, author: str | None, seen: TrainedOn, run: Run, workspace: Path
) -> Registered:
    """Register a file of answers; those that match a prompt are copied to ``results/recorded/NAME.jsonl``.

    Raises:
        ConfigurationError: name taken, a row without answer, a prompt answered twice, or no row that matches.
        MissingPrerequisiteError: the author was never prepared.
    """
    check_name(name, workspace)
    reference = references.load(find_author(author or seen.corpus or None, workspace), workspace)
    matched = recorded.match_prompts(recorded.given(read_rows(file), file.name), reference, file.name)
    digest = recorded.answers_digest(matched.answers)
    _check_free(name, digest, run)
    path = recorded.path_of(name, workspace)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.part")
    rows = (
        {"item": item, "prompt": reference.prompt(item).text, "answer": answer}
        for item, answer in matched.answers.items()
    )
    try:
        lines = (f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
        fresh.write_text("".join(lines), encoding="utf-8")
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    variant = Variant(
        name=name,
        kind="recorded",
        digest=digest,
        corpus=seen.corpus,
        version=seen.version,
        trained_on=seen.text,
        record={"registered": "recorded", "author": reference.name, "answers": len(matched.answers),
                "unmatched": matched.unmatched},
    )  # fmt: skip
    _append([variant], run)
    remarks = []
    if matched.unmatched:
        remarks.append(f"{matched.unmatched} rows match no prompt of {reference.name} and were left out")
    if missing := len(reference.prompts) - len(matched.answers):
        remarks.append(
            f"{missing} of {len(reference.prompts)} prompts have no answer: it cannot be compared "
            "with variants that answered them"
        )
    return Registered(variant, tuple(remarks))


def find_author(name: str | None, workspace: Path) -> str:
    """The author named, or the only one that was prepared.

    Raises:
        ConfigurationError: several were.
        MissingPrerequisiteError: none was.
    """
    if name is not None:
        return name
    have = references.prepared_authors(workspace)
    if not have:
        raise MissingPrerequisiteError("no author is prepared yet: run `stylobench prepare NAME` first")
    if len(have) > 1:
        raise ConfigurationError(f"--author: name one of {', '.join(have)}")
    return have[0]


# ── names ─────────────────────────────────────────────────────────────────────────────────────────


def _check_free(name: str, digest: str, run: Run) -> None:
    """A name that stands for other weights or answers is taken, and so are weights with another name."""
    known = registered(run.store)
    if name in known and (known[name].digest != digest or not known[name].record.get("registered")):
        raise ConfigurationError(
            f"variant {name!r} is registered already and is something else; choose another name"
        )
    for other in known.values():
        if other.digest == digest and other.name != name:
            raise ConfigurationError(f"this is variant {other.name!r}, registered already")


def _append(variants: Sequence[Variant], run: Run) -> None:
    known = registered(run.store)
    run.append("variants", [as_row(v) for v in variants if known.get(v.name) != v])
