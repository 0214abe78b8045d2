"""What a suite asks: prompts, documents and settings."""

from __future__ import annotations

from handmade import make_ask

from harness.plan import ask
from harness.text import digest


def test_options_of_the_template_are_another_protocol_inside_it_only() -> None:
    plain, thinking, silent = (
        make_ask(4, template=options)
        for options in ({}, {"enable_thinking": True}, {"enable_thinking": False})
    )
    assert len({asked.protocol_of("in_template") for asked in (plain, thinking, silent)}) == 3
    assert len({asked.protocol_of("raw") for asked in (plain, thinking, silent)}) == 1
    # What was read before there were options is still found.
    assert plain.template_protocol.endswith(f", system {digest(plain.system, 8)}")


def test_a_limit_keeps_both_kinds_and_says_so() -> None:
    asked = make_ask(40)
    few = ask(asked.suite, asked.tasks, asked.reference, 7)
    assert len(few.prompts) == 7
    assert {prompt.kind for prompt in few.prompts} == {"continue", "question"}
    assert [d.set for d in few.documents].count("heldout") == 7
    assert (few.limited, asked.limited) == ("only 7 prompts and documents", "")
    # Fewer prompts are no other question: what is answered in a trial run is kept for the whole one.
    assert few.setting == asked.setting


def test_tasks_decide_what_is_computed() -> None:
    assert make_ask(4, tasks=("copying",)).documents == ()
    assert make_ask(4, tasks=("author_gain",)).prompts == ()
