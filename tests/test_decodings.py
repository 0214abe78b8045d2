from __future__ import annotations

from pathlib import Path

import pytest

from harness.batches import answer_key
from harness.decodings import TopKDecoding, top_k_of
from harness.errors import YamlError
from harness.suite import Suite, read_suite
from harness.types import Decoding

YAML = "author: marlow\ntasks: [validity]\nmax_tokens: 99\n"


def suite(tmp_path: Path, lines: str) -> Suite:
    folder = tmp_path / "tasks" / "suites"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "s.yaml").write_text(YAML + lines)
    return read_suite("s", tmp_path)


def test_a_name_stands_for_what_it_says(tmp_path: Path) -> None:
    chat, thinking = suite(tmp_path, "decoding: chat\n"), suite(tmp_path, "decoding: thinking\n")
    assert chat.decode() == TopKDecoding(0.7, 0.8, 99, 0, 20)
    assert thinking.decode() == TopKDecoding(0.6, 0.95, 99, 0, 20)
    spelled = suite(tmp_path, "decoding: {temperature: 0.7, top_p: 0.8, top_k: 20}\n")
    assert spelled.setting("") == chat.setting("") != thinking.setting("")


def test_an_unknown_name_is_placed(tmp_path: Path) -> None:
    with pytest.raises(YamlError, match=r"s\.yaml:4:1 .*unknown decoding 'caht', did you mean 'chat'"):
        suite(tmp_path, "decoding: caht\n")


def test_without_top_k_all_is_as_it_was(tmp_path: Path) -> None:
    plain = suite(tmp_path, "decoding: {temperature: 0.8, top_p: 0.95}\n")
    assert type(plain.decode()) is Decoding
    # The setting of every answer stored before there was a top_k.
    assert plain.setting("") == "98d4d96bb43b4e8c"
    drawn = TopKDecoding(0.8, 0.95, 99, 0, 0)
    assert answer_key("v", "p", drawn, 0, "e") == answer_key("v", "p", plain.decode(), 0, "e")
    drawn = TopKDecoding(0.8, 0.95, 99, 0, 20)
    assert answer_key("v", "p", drawn, 0, "e") != answer_key("v", "p", plain.decode(), 0, "e")
    assert (top_k_of(drawn), top_k_of(plain.decode())) == (20, 0)


def test_template_options_are_part_of_the_setting(tmp_path: Path) -> None:
    plain, silent = suite(tmp_path, ""), suite(tmp_path, "template: {enable_thinking: false}\n")
    assert silent.template.options() == {"enable_thinking": False}
    assert plain.template.options() == {}
    assert silent.setting("") != plain.setting("")
    with pytest.raises(YamlError, match="reasoning_effort"):
        suite(tmp_path, "template: {reasoning_effort: much}\n")
