"""Which chat template speaks for a base, and with which switches; part of what a variant is.

    template: {enable_thinking: false}          the base's own template, one switch set
    template: {reasoning_effort: low}
    template: {file: my.jinja}                  another template: a file of the workspace
    template: {file: chatml}                    or one on the shelf, trainers/templates/chatml.jinja

A template that prints today's date would give another prompt every day, so that no stored answer would
ever be found again: the date is always ``PINNED_DATE``.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import shelves, text
from harness.errors import ConfigurationError, MissingPrerequisiteError, nearest

SHELF = "trainers/templates"

PINNED_DATE = dt.date(2024, 7, 26)
"""What templates take for today: the date that Llama 3's falls back to where it is told none."""

_FILE = "file"


@dataclass(frozen=True)
class Template:
    """``options`` are passed to the chat template; ``source`` (Jinja) replaces the base's where not empty."""

    options: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""

    @property
    def digest(self) -> str:
        """sha256 of options and source; empty for the base's own template without options."""
        if not self.options and not self.source:
            return ""
        return text.digest({"options": dict(self.options), "source": self.source})

    def record(self) -> dict[str, Any]:
        """What a variant's record and a trainer's spec carry: JSON, empty for the base's own template."""
        return {
            name: value for name, value in (("options", dict(self.options)), ("source", self.source)) if value
        }

    @classmethod
    def from_record(cls, kept: Mapping[str, Any]) -> Template:
        """The template that ``record`` was taken of."""
        return cls(dict(kept.get("options") or {}), str(kept.get("source") or ""))


OWN = Template()
"""The base's own template, no option set."""


def read_template(written: Mapping[str, Any], workspace: Path) -> Template:
    """A recipe's ``template:`` with its file read; options that are None count as not given.

    ``file`` is a path (from the workspace) or the bare name of a template on the shelf.
    Raises ConfigurationError where there is no such file, or it is empty.
    """
    options = {name: value for name, value in written.items() if value is not None and name != _FILE}
    named = written.get(_FILE)
    if named is None:
        return Template(options)
    path = _find(str(named), workspace)
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"template {named}: cannot be read ({error})") from None
    if not source.strip():
        raise ConfigurationError(f"template {named}: the file is empty")
    return Template(options, source)


def template_of(record: Mapping[str, Any]) -> Template:
    """The template a variant was trained with, from its record: ``template``, else ``settings.template``.

    Raises ConfigurationError where the record names a file and does not hold its text.
    """
    kept = record.get("template")
    if isinstance(kept, Mapping):
        return Template.from_record(kept)
    settings = record.get("settings")
    written = settings.get("template") if isinstance(settings, Mapping) else None
    if not isinstance(written, Mapping):
        return OWN
    if written.get(_FILE) is not None:
        raise ConfigurationError(
            f"the record names template {written[_FILE]} and does not hold its text; train again"
        )
    return Template({name: value for name, value in written.items() if value is not None})


def stored_source(folder: Path) -> str:
    """The Jinja text that a model's or an adapter's folder holds for its chats; empty where it holds none.

    ``chat_template.jinja`` goes before ``chat_template.json`` and ``tokenizer_config.json``, as transformers
    has it. Of several named templates the default one is meant. Raises ConfigurationError where a file cannot
    be read.
    """
    try:
        if (folder / "chat_template.jinja").is_file():
            return (folder / "chat_template.jinja").read_text(encoding="utf-8")
        for name in ("chat_template.json", "tokenizer_config.json"):
            if (folder / name).is_file():
                kept = json.loads((folder / name).read_text(encoding="utf-8"))
                if found := _default(kept.get("chat_template")):
                    return found
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigurationError(f"{folder.name}: its chat template cannot be read ({error})") from None
    return ""


def _default(kept: Any) -> str:
    """One template, or the default of several, which older files list as pairs of name and template."""
    if isinstance(kept, list):
        kept = {each.get("name"): each.get("template") for each in kept if isinstance(each, Mapping)}
    if isinstance(kept, Mapping):
        kept = kept.get("default")
    return str(kept or "")


def source_of(tokenizer: Any, template: Template) -> str:
    """The Jinja text that will be rendered; empty where the base has none and none is given.

    A base with several templates has a default one, which is meant.
    """
    own = getattr(tokenizer, "chat_template", None) or ""
    if isinstance(own, Mapping):
        own = own.get("default", "")
    return template.source or str(own)


def check_options(source: str, template: Template) -> None:
    """Raises ConfigurationError for an option the template never reads: it would change nothing."""
    for option in template.options:
        if not _knows(source, option):
            have = {name for name in ("enable_thinking", "reasoning_effort") if name in source}
            raise ConfigurationError(
                f"template.{option}: the chat template does not know it{nearest(option, have)}; leave it out"
            )


def known_options(source: str, wished: Mapping[str, Any]) -> Template:
    """The base's own template with those of the wished options that it knows."""
    return Template({option: value for option, value in wished.items() if _knows(source, option)})


def _knows(source: str, option: str) -> bool:
    return re.search(rf"\b{re.escape(option)}\b", source) is not None


def _find(name: str, workspace: Path) -> Path:
    path = shelves.at_home(name)
    if path.suffix == ".jinja" or len(path.parts) > 1:
        if (workspace / path).is_file():
            return workspace / path
        raise ConfigurationError(f"template {name}: no such file in this workspace")
    try:
        return shelves.find(f"{SHELF}/{shelves.safe_name(name, 'template')}.jinja", workspace)
    except MissingPrerequisiteError:
        roots = (workspace, shelves.shipped())
        known = {found.stem for root in roots for found in (root / SHELF).glob("*.jinja")}
        raise ConfigurationError(
            f"template {name!r} is not in {SHELF}{nearest(name, known)}; give a path ending in .jinja"
        ) from None
