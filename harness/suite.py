"""A suite: which variants answer which tasks, how they are decoded and what decides.

author: roosevelt
variants: "*"
tasks: [heldout_perplexity, authorship, copying, validity]
decoding: {temperature: 0.8, top_p: 0.95}          or a name: chat, thinking
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from harness import looks, shelves, yamlfile
from harness.decodings import NAMED, make_decoding
from harness.errors import nearest
from harness.text import digest
from harness.types import Decoding
from harness.yamlfile import Strict

PRIMARIES = ("bits_per_byte", "author_specific_gain", "authorship_logit", "copied")
"""The only metrics that can be ``better`` or ``WORSE``; named before the first answer is drawn."""


CONTROLS = ("author", "other:*", "copyist", "shuffled", "few_shot")
"""What ``controls:`` may name, and ``other:NAME`` besides; all of them unless told."""


def _known_control(name: str) -> str:
    if name not in CONTROLS and not re.fullmatch(r"other:\S.*", name):
        raise ValueError(f"control {name!r} does not exist{nearest(name, CONTROLS)}")
    return name


class DecodingSettings(Strict):
    """How answers are drawn. Greedy is ``temperature: 0``, and ``top_k: 0`` keeps all tokens."""

    temperature: float = Field(0.8, ge=0, le=5)
    top_p: float = Field(0.95, gt=0, le=1)
    top_k: int = Field(0, ge=0)
    seed: int = 0


class LikelihoodSettings(Strict):
    """How much text is scored, and the rolling windows' protocol (context None: half a window).

    ``max_documents``: up to how many ``compare --grow`` may go, declared before the first look.
    """

    documents: int = Field(60, ge=1)
    max_documents: int | None = Field(None, ge=1)
    window: int = Field(1024, ge=2)
    context: int | None = Field(None, ge=1)


class TemplateSettings(Strict):
    """Options of the chat template for variants not trained with any: bases, adapters from elsewhere.

    A template that does not know an option is asked without it.
    """

    enable_thinking: bool | None = None
    reasoning_effort: Literal["low", "medium", "high"] | None = None

    def options(self) -> dict[str, Any]:
        """Those that are set."""
        return self.model_dump(exclude_none=True)


class Suite(Strict):
    """One benchmark: the same prompts, system prompt and decoding for everybody."""

    author: str
    variants: str | tuple[str, ...] = "*"
    controls: tuple[Annotated[str, AfterValidator(_known_control)], ...] = CONTROLS
    tasks: tuple[str, ...] = Field(min_length=1)
    system: str = "persona"
    max_tokens: int = Field(350, ge=8)
    samples: int = Field(1, ge=1)
    prompts: int | None = Field(None, ge=1)
    """How many of the reference set's prompts are asked; all of them unless told."""
    max_prompts: int | None = Field(None, ge=1)
    """Up to how many ``compare --grow`` may go, declared before the first look."""
    decoding: DecodingSettings = DecodingSettings()
    template: TemplateSettings = TemplateSettings()
    likelihood: LikelihoodSettings = LikelihoodSettings()
    batch: int = Field(32, ge=1)
    dtype: str = Field("bfloat16", pattern="^(bfloat16|float16|float32|nf4)$")
    gates: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(
        {"invalid": 0.10, "leak": 0.05, "copied": 0.05}
    )
    """Rate -> what a variant may have above the author's own, 0 to 1."""
    primaries: tuple[str, ...] = PRIMARIES
    retention: tuple[str, ...] = ()
    """Stock tasks of lm-eval's or of one's own, as ``lm_eval:hellaswag``; see ``stock``."""
    retention_documents: int = Field(100, ge=1, le=100_000)
    """How many documents of each at most: the first, so that they are the same for all."""

    @field_validator("decoding", mode="before")
    @classmethod
    def _named_decoding(cls, written: Any) -> Any:
        """A name stands for what it says, so that two suites that draw alike compare."""
        if not isinstance(written, str):
            return written
        if written not in NAMED:
            raise ValueError(f"unknown decoding {written!r}{nearest(written, NAMED)}")
        return NAMED[written]

    @field_validator("gates")
    @classmethod
    def _known_gates(cls, gates: dict[str, float]) -> dict[str, float]:
        unknown = set(gates) - {"invalid", "leak", "copied", "recited"}
        if unknown:
            raise ValueError(f"unknown gate {sorted(unknown)[0]!r}; have copied, invalid, leak, recited")
        return gates

    @field_validator("tasks")
    @classmethod
    def _each_task_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        short = [name.removeprefix("stylo_") for name in names]
        twice = [name for place, name in enumerate(short) if name in short[:place]]
        if twice:
            raise ValueError(f"task {twice[0]!r} is named twice")
        return names

    @field_validator("retention")
    @classmethod
    def _named_stock_tasks(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not re.fullmatch(r"lm_eval:[^\s/:]+", name):
                raise ValueError(f"{name!r} is no stock task: write lm_eval:NAME, as in lm_eval:hellaswag")
        if len(set(names)) < len(names):
            raise ValueError("a stock task is named twice")
        return names

    @field_validator("primaries")
    @classmethod
    def _known_primaries(cls, primaries: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in primaries if name not in PRIMARIES]
        if unknown:
            raise ValueError(f"{unknown[0]!r} cannot decide; choose from {', '.join(PRIMARIES)}")
        return primaries

    @model_validator(mode="after")
    def _maxima_above(self) -> Suite:
        if self.max_prompts is not None and self.max_prompts <= (self.prompts or self.max_prompts):
            raise ValueError(f"max_prompts {self.max_prompts}: needs prompts below it, to begin with")
        most = self.likelihood.max_documents
        if most is not None and most <= self.likelihood.documents:
            raise ValueError(f"max_documents {most}: not above documents {self.likelihood.documents}")
        return self

    def sizes(self, unit: looks.Unit) -> tuple[int, ...]:
        """The numbers of prompts or held-out documents that may be looked at; empty for all there are."""
        if unit == "blocks":
            return looks.looks(self.likelihood.documents, self.likelihood.max_documents)
        return () if self.prompts is None else looks.looks(self.prompts, self.max_prompts)

    def n_looks(self, unit: looks.Unit) -> int:
        """How often the suite allows to look; every p value is taken times this."""
        return max(1, len(self.sizes(unit)))

    def decode(self) -> Decoding:
        """The decoding of every answer of this suite."""
        chosen = self.decoding
        return make_decoding(chosen.temperature, chosen.top_p, self.max_tokens, chosen.seed, chosen.top_k)

    def setting(self, system: str) -> str:
        """Digest of all that shapes an answer besides prompt and variant, and must agree to compare.

        Everything in it is also part of an answer's key, so an answer that is reused has the same one.
        """
        parts: dict[str, Any] = {"system": system}
        drawn = self.decoding.model_dump(exclude=set() if self.decoding.top_k else {"top_k"})
        parts |= {"decoding": drawn, "max_tokens": self.max_tokens}
        parts |= {"template": self.template.options()} if self.template.options() else {}
        return digest(parts, 16)


def read_suite(name: str, workspace: Path) -> Suite:
    """The suite ``tasks/suites/NAME.yaml``.

    Raises:
        YamlError: faults in the file.
    """
    return yamlfile.read(shelves.find_yaml("tasks/suites", name, workspace), Suite)
