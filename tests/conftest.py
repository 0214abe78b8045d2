"""What every test may use, and the seams that keep them offline."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

# Before anything imports torch or transformers: no spinning threads, no hub, no telemetry.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random two-layer Llama with a real tokenizer and chat template, saved as safetensors."""
    from tiny_llama import build_tiny_llama

    return build_tiny_llama(tmp_path_factory.mktemp("models") / "tiny-llama")


@pytest.fixture(scope="session")
def small_author(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a prepared synthetic author; shared, so copy it (shutil.copytree) before writing."""
    from small_author import build_small_author

    return build_small_author(tmp_path_factory.mktemp("authors") / "small")
