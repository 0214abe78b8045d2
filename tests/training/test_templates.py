from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from field_models import BY_NAME, build_field_tokenizer
from tiny_llama import CHAT_TEMPLATE, build_tokenizer

from harness.errors import ConfigurationError
from harness.training.chat import conversation, render
from harness.training.templates import (
    OWN,
    Template,
    check_options,
    known_options,
    read_template,
    source_of,
    template_of,
)


def test_the_bases_own_template_has_no_digest_and_no_record() -> None:
    assert (OWN.digest, OWN.record()) == ("", {})
    assert Template.from_record({}) == OWN


def test_digest_follows_options_and_source() -> None:
    made = [
        Template({"enable_thinking": False}),
        Template({"enable_thinking": True}),
        Template({"reasoning_effort": "low"}),
        Template(source="{{ messages }}"),
        Template({"enable_thinking": False}, "{{ messages }}"),
    ]
    assert len({each.digest for each in made}) == len(made)
    assert all(Template.from_record(each.record()) == each for each in made)
    assert made[0].record() == {"options": {"enable_thinking": False}}


def test_a_recipe_names_options_a_file_or_a_name_on_the_shelf(tmp_path: Path) -> None:
    unset = {"enable_thinking": None, "reasoning_effort": None, "file": None}
    assert read_template(unset, tmp_path) == OWN
    assert read_template(unset | {"enable_thinking": False}, tmp_path) == Template({"enable_thinking": False})
    (tmp_path / "my.jinja").write_text("{{ 1 }}")
    shelf = tmp_path / "trainers" / "templates"
    shelf.mkdir(parents=True)
    (shelf / "chatml.jinja").write_text("{{ 2 }}")
    assert read_template({"file": "my.jinja"}, tmp_path).source == "{{ 1 }}"
    assert read_template({"file": "trainers/templates/chatml.jinja"}, tmp_path).source == "{{ 2 }}"
    assert read_template({"file": "chatml", "x": 1}, tmp_path) == Template({"x": 1}, "{{ 2 }}")


@pytest.mark.parametrize(
    ("file", "fault"),
    [
        ("chatm", "not in trainers/templates, did you mean 'chatml'"),
        ("other.jinja", "no such file"),
        ("../chatml", "no such file"),
        ("empty.jinja", "is empty"),
        ("latin.jinja", "cannot be read"),
    ],
)
def test_a_template_that_is_not_there(tmp_path: Path, file: str, fault: str) -> None:
    shelf = tmp_path / "trainers" / "templates"
    shelf.mkdir(parents=True)
    (shelf / "chatml.jinja").write_text("{{ 2 }}")
    (tmp_path / "empty.jinja").write_text("\n")
    (tmp_path / "latin.jinja").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ConfigurationError, match=fault):
        read_template({"file": file}, tmp_path)


def test_a_variant_is_asked_as_it_was_trained() -> None:
    kept = Template({"enable_thinking": False}, "{{ enable_thinking }}")
    assert template_of({"template": kept.record()}) == kept
    settings = {"template": {"enable_thinking": False, "reasoning_effort": None, "file": None}}
    assert template_of({"settings": settings}) == Template({"enable_thinking": False})
    assert template_of({"template": kept.record(), "settings": settings}) == kept
    assert template_of({"settings": {"lr": 1}}) == template_of({}) == OWN
    with pytest.raises(ConfigurationError, match=r"names template my\.jinja"):
        template_of({"settings": {"template": {"file": "my.jinja"}}})


def test_options_a_template_does_not_know_are_named_or_left_out() -> None:
    check_options("{{ enable_thinking }}", Template({"enable_thinking": True}))
    with pytest.raises(ConfigurationError, match=r"template\.reasoning_effort: .*; have enable_thinking"):
        check_options("{{ enable_thinking }}", Template({"reasoning_effort": "low"}))
    wished = {"enable_thinking": False, "reasoning_effort": "low"}
    assert known_options("{{ enable_thinking }}", wished) == Template({"enable_thinking": False})
    assert known_options("{{ messages }}", wished) == OWN


def test_a_template_in_the_place_of_the_bases_own() -> None:
    tokenizer: Any = build_tokenizer()
    messages = conversation("", "Go on.")
    override = Template(source="{% for m in messages %}<{{ m['content'] }}>{% endfor %}")
    assert render(tokenizer, messages, add_generation_prompt=True, template=override) == "<Go on.>"
    assert source_of(tokenizer, OWN) == CHAT_TEMPLATE
    tokenizer.chat_template = None
    assert render(tokenizer, messages, add_generation_prompt=True, template=override) == "<Go on.>"
    tokenizer.chat_template = {"default": "{{ 1 }}", "tool_use": "{{ 2 }}"}
    assert source_of(tokenizer, OWN) == "{{ 1 }}"
    assert render(tokenizer, messages, add_generation_prompt=True) == "1"


def test_a_base_is_asked_with_the_suites_options_where_its_template_knows_them(tmp_path: Path) -> None:
    from harness.engines import renderer
    from harness.models.bases import Base

    wished = {"enable_thinking": False, "reasoning_effort": "low"}
    rendered, dialects, leads = {}, {}, {}
    for name in ("qwen3", "gpt-oss", "llama-3.2"):
        build_field_tokenizer(BY_NAME[name]).save_pretrained(tmp_path / name)
        (tmp_path / name / "config.json").write_text("{}")
        base = Base(name, tmp_path / name, "local", name, name)
        asked = renderer(base, wished=wished)
        rendered[name], dialects[name], leads[name] = (
            asked(conversation("", "Why?")),
            asked.dialect,
            asked.lead,
        )
        # What a variant was trained with goes before what a suite wishes.
        if name == "qwen3":
            thinks = renderer(base, Template({"enable_thinking": True}), wished)
            assert thinks(conversation("", "Why?")).endswith("assistant\n")
            assert thinks.lead == "<think>\n\n</think>\n\n"
    assert rendered["qwen3"].endswith("</think>\n\n")
    assert "Reasoning: low\n" in rendered["gpt-oss"]
    assert dialects == {"qwen3": "think", "gpt-oss": "harmony", "llama-3.2": "plain"}
    assert leads == {"qwen3": "", "gpt-oss": "<|channel|>final<|message|>", "llama-3.2": ""}
