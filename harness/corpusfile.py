"""An author's corpus: which books, what is held out, and the append-only list of versions.

author: Theodore Roosevelt
books: books/roosevelt/*.pdf
hold_out: message_1906.pdf
others: [books/others/*/]
versions:
  1: {style: completion, words: 150, overlap: 20, keep: everything}
  2: {from: 1, keep: body}
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from harness import shelves, yamlfile
from harness.errors import ConfigurationError
from harness.yamlfile import Strict


class Prompts(Strict):
    """How many prompts are cut from the held-out book, by kind."""

    from_held_out: int = Field(40, ge=0)
    continuations: int = Field(40, ge=0)

    @model_validator(mode="after")
    def _enough(self) -> Prompts:
        if self.from_held_out + self.continuations < 2:
            raise ValueError("two prompts at least are needed to measure how much answers differ")
        return self


class Dose(Strict):
    """For experiments: body passages are left out until this share of the train passages has ``role``."""

    role: str
    share: float = Field(gt=0, lt=1)


class Price(Strict):
    """US dollars per million tokens, as the model's maker lists them."""

    input: float = Field(gt=0)
    output: float = Field(gt=0)


_OF_QUESTIONS = frozenset({"writer", "pairs", "per_passage", "ask", "max_usd", "price", "live"})


class Version(Strict):
    """One version of a corpus, as resolved (``from`` already followed).

    ``writer`` to ``live`` are about the questions of ``qa`` and ``scene``: who writes them (``template``,
    ``local:BASE`` or a dated Anthropic model), a file of pairs there are already, how many a passage, for how
    many passages (``ask``, by digest; all by default), and what may be spent.
    """

    style: Literal["completion", "qa", "scene"] = "completion"
    words: int = Field(350, ge=40)
    overlap: int = Field(50, ge=0)
    keep: Literal["everything", "body"] = "body"
    dose: Dose | None = None
    writer: str = Field("template", pattern=r"^(template|local:[\w./@-]+|claude-[\w.-]+)$")
    pairs: str | None = None
    per_passage: int = Field(2, ge=1, le=4)
    ask: int | None = Field(None, ge=1)
    max_usd: float | None = Field(None, ge=0)
    price: Price | None = None
    live: bool = False
    pages: dict[str, dict[str, str]] = Field({})
    """Roles set by hand in this version and those made from it: book -> {"1-4": title, "210": index}."""

    def settings(self) -> dict[str, Any]:
        """What decides the version's passages and questions, as plain data."""
        left_out = _OF_QUESTIONS if self.style == "completion" else {"max_usd", "price", "live"}
        return self.model_dump(mode="json", exclude={*left_out, *(() if self.pages else ("pages",))})


class VersionLine(Version):
    """One line under ``versions:`` as written; what it leaves out comes from the version it names."""

    model_config = ConfigDict(populate_by_name=False)

    from_: int | None = Field(None, alias="from")


class AuthorFile(Strict):
    """``trainers/corpora/NAME.yaml``."""

    author: str = Field(min_length=1)
    books: tuple[str, ...]
    hold_out: str | None = None
    others: tuple[str, ...] = ()
    """Other authors' books; where there are none, former presidents stand in as the background."""
    prompts: Prompts = Prompts()
    passage_words: int = Field(150, ge=40)
    persona: str = Field("You write as {author}.", min_length=1)
    language: str = "en"
    pages: dict[str, dict[str, str]] = Field({})
    """Roles set by hand: book -> {"1-4": title, "210": index}."""
    versions: dict[int, VersionLine]

    @field_validator("books", "others", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("versions")
    @classmethod
    def _numbered(cls, versions: dict[int, VersionLine]) -> dict[int, VersionLine]:
        if not versions:
            raise ValueError("at least version 1 is needed")
        if sorted(versions) != list(range(1, len(versions) + 1)):
            raise ValueError("versions are numbered 1, 2, 3 ... without a gap")
        for number, line in versions.items():
            if line.from_ is not None and not 0 < line.from_ < number:
                raise ValueError(f"version {number}: from {line.from_} is not an earlier version")
            # Only once inherited values are filled in is it known whether the two fit each other.
            whole = _resolved(versions, number)
            if whole.overlap * 2 > whole.words:
                raise ValueError(
                    f"version {number}: overlap {whole.overlap} is more than half of words {whole.words}"
                )
        return versions

    def system_prompt(self) -> str:
        """The persona every variant is given, base included."""
        return self.persona.replace("{author}", self.author)

    def resolve(self, number: int) -> Version:
        """A version with what it inherits filled in.

        Raises:
            ConfigurationError: there is no such version.
        """
        if number not in self.versions:
            have = ", ".join(f"@{n}" for n in sorted(self.versions))
            raise ConfigurationError(f"version {number} does not exist; have {have}")
        return _resolved(self.versions, number)


def _resolved(versions: Mapping[int, VersionLine], number: int) -> Version:
    line = versions[number]
    own = {key: getattr(line, key) for key in line.model_fields_set if key not in ("from_", "from")}
    parent = {} if line.from_ is None else _resolved(versions, line.from_).model_dump()
    return Version.model_validate(parent | {k: _dump(v) for k, v in own.items()})


def _dump(value: Any) -> Any:
    return value.model_dump() if isinstance(value, Strict) else value


def read_author(name: str, workspace: Path) -> AuthorFile:
    """The corpus file of an author by name.

    Raises:
        ConfigurationError: there is none; the nearest is offered.
        YamlError: faults in the file.
    """
    shelves.safe_name(name, "corpus")
    return yamlfile.read(shelves.find_yaml("trainers/corpora", name, workspace), AuthorFile)
