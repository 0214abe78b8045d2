"""What runs a base on this machine: in which process, on which device, and how messages become a prompt."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from harness.models import Model
from harness.models.bases import Base
from harness.shelves import interpreter
from harness.training.chat import Message

Loader = Callable[[Base, str], Model]
"""(base, dtype) -> a model, loaded."""


def load_in_child(workspace: Path) -> Loader:
    """The default loader: transformers, in a child process with the interpreter this machine names."""

    def load(base: Base, dtype: str) -> Model:
        from harness.models.child import ChildModel

        return ChildModel(base.path, dtype, interpreter("hf", workspace))

    return load


def engine_name(dtype: str, workspace: Path) -> str:
    """The engine the default loader will have, known without loading a model."""
    device = "cpu"
    if any(Path("/dev").glob("nvidia[0-9]*")):
        code = "import torch; print('cuda' if torch.cuda.is_available() else 'cpu')"
        python = str(interpreter("hf", workspace) or sys.executable)
        found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
        device = found.stdout.strip() or "cpu"
    return f"transformers/{dtype}/{device}"


def renderer(base: Base) -> Callable[[list[Message]], str]:
    """Messages -> prompt string by the base's own chat template, remembered per message list."""
    from harness.models.hf import load_tokenizer
    from harness.training.chat import render

    tokenizer = load_tokenizer(base.path)
    return lambda messages: render(tokenizer, messages, add_generation_prompt=True)
