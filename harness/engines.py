"""What runs a base on this machine: in which process, on which device, and how messages become a prompt."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ConfigurationError
from harness.models import Model
from harness.models.bases import Base
from harness.models.parsers import Dialect, dialect_of
from harness.shelves import interpreter
from harness.training.chat import Message, detect_turn, render
from harness.training.templates import OWN, Template, check_options, known_options, source_of

Loader = Callable[[Base, str], Model]
"""(base, dtype) -> a model, loaded."""


def load_in_child(workspace: Path) -> Loader:
    """The default loader: transformers, in a child process with the interpreter this machine names."""

    def load(base: Base, dtype: str) -> Model:
        from harness.models.child import ChildModel

        return ChildModel(base.path, dtype, interpreter("hf", workspace))

    return load


def engine_name(dtype: str, workspace: Path) -> str:
    """The engine the default loader will have on a base that is not stored quantised, known without loading
    a model; ``models.precision.engine_of`` says what it is called on one that is."""
    device = "cpu"
    if any(Path("/dev").glob("nvidia[0-9]*")):
        code = "import torch; print('cuda' if torch.cuda.is_available() else 'cpu')"
        python = str(interpreter("hf", workspace) or sys.executable)
        found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
        device = found.stdout.strip() or "cpu"
    return f"transformers/{dtype}/{device}"


@dataclass(frozen=True)
class Renderer:
    """Messages -> prompt string by a base's chat template, or by the one given in its place.

    ``dialect``: how what comes back is taken apart. ``lead``: what the model has to write itself before an
    answer, an empty block of reasoning or the name of a channel; most templates have none.
    """

    tokenizer: Any
    template: Template
    dialect: Dialect
    lead: str

    def __call__(self, messages: list[Message]) -> str:
        return render(self.tokenizer, messages, add_generation_prompt=True, template=self.template)


def renderer(base: Base, template: Template = OWN, wished: Mapping[str, Any] | None = None) -> Renderer:
    """The renderer of a base.

    ``wished``: options for where ``template`` states nothing; those that the base's template does not know
    are left out.

    Raises:
        ConfigurationError: the template does not know one of the options.
        MissingPrerequisiteError: the tokenizer cannot be read.
    """
    from harness.models.hf import load_tokenizer

    tokenizer = load_tokenizer(base.path)
    if not template.digest:
        template = known_options(source_of(tokenizer, template), wished or {})
    source = source_of(tokenizer, template)
    check_options(source, template)
    try:
        lead = detect_turn(tokenizer, template).lead
    except ConfigurationError:  # it cannot be trained on, and may be asked all the same
        lead = ""
    return Renderer(tokenizer, template, dialect_of(source), lead)
