"""Every request of a variant: under which keys, in which batches, and who gets no likelihood."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import pytest
from handmade import make_adapter, make_ask

from harness.batches import IN_TEMPLATE_REQUEST, VariantPlan, answer_key, plan_variant
from harness.plan import void_likelihoods
from harness.training.chat import conversation
from harness.types import Decoding, Variant

VARIANT = make_adapter("small@1", 1)


def render(messages: list[dict[str, str]]) -> str:
    return "".join(f"[{m['role']}]{m['content']}" for m in messages) + "[assistant]"


def planned(stored: set[str] | frozenset[str] = frozenset(), n: int = 10, **suite: Any) -> VariantPlan:
    return plan_variant(make_ask(n, **({"batch": 4} | suite)), VARIANT, "engine", render, stored)


def keys_of(plan: VariantPlan) -> list[str]:
    answers = [job.key for batch in plan.answers for job in batch]
    return answers + [job.key for batch in plan.likelihoods for job in batch]


KEY: dict[str, Any] = {
    "variant": "v", "rendered": "Why?", "decoding": Decoding(0.8, 0.95, 160, 0), "sample": 0,
    "engine": "hf/float32",
}  # fmt: skip


@pytest.mark.parametrize(
    "changed",
    [
        {"variant": "w"},
        {"rendered": "Why? "},
        {"sample": 1},
        {"engine": "hf/bfloat16"},
        *({"decoding": dataclasses.replace(KEY["decoding"], **{name: value})}
          for name, value in {"temperature": 0.7, "top_p": 0.9, "max_tokens": 161, "seed": 1}.items()),
    ],
    ids=str,
)  # fmt: skip
def test_whatever_may_change_an_answer_changes_its_key(changed: dict[str, Any]) -> None:
    assert answer_key(**(KEY | changed)) != answer_key(**KEY)
    assert answer_key(**KEY) == answer_key(**KEY)


def test_every_prompt_sample_and_document_has_a_key_of_its_own() -> None:
    plan = planned(samples=3)
    answers = [job for batch in plan.answers for job in batch]
    likelihoods = [job for batch in plan.likelihoods for job in batch]
    assert len(answers) == 10 * 3
    # Held-out documents are read twice, raw and inside the template; others raw only.
    assert len(likelihoods) == 10 * 2 + 10
    keys = keys_of(plan)
    assert len(set(keys)) == len(keys)
    assert len({job.request.noise for job in answers}) == len(answers)
    other = plan_variant(make_ask(10), dataclasses.replace(VARIANT, digest="w"), "engine", render, ())
    assert not set(keys) & set(keys_of(other))


def test_likelihoods_are_keyed_by_protocol_and_engine_too() -> None:
    def keys(engine: str = "engine", **likelihood: Any) -> set[str]:
        asked = make_ask(4, likelihood=likelihood)
        return {
            job.key for batch in plan_variant(asked, VARIANT, engine, render, ()).likelihoods for job in batch
        }

    same = keys(window=512)
    assert keys(window=512) == same
    for changed in (keys(window=1024), keys(window=512, context=1), keys("other", window=512)):
        assert not same & changed


def test_noise_belongs_to_seed_sample_and_item_and_not_to_the_variant() -> None:
    def noises(**suite: Any) -> set[str]:
        return {job.request.noise for batch in planned(**suite).answers for job in batch}

    assert noises() == noises(max_tokens=99)
    assert not noises() & noises(decoding={"seed": 1})
    assert "0/0/p003" in noises()


def test_batches_are_cut_once_and_never_again() -> None:
    whole = planned()
    assert [len(batch) for batch in whole.answers] == [4, 4, 2]
    lengths = [len(job.request.rendered) for batch in whole.answers for job in batch]
    assert lengths == sorted(lengths, reverse=True)
    done = {job.key for job in (*whole.answers[0], *whole.answers[1][1:3])}
    resumed = planned(done)
    assert resumed.answers == whole.answers
    assert resumed.missing_answers == [
        [whole.answers[1][0], whole.answers[1][3]],
        list(whole.answers[2]),
    ]
    assert resumed.n_missing == whole.n_missing - 6
    assert planned(set(keys_of(whole))).n_missing == 0


@pytest.mark.parametrize(
    ("variant", "reason"),
    [
        (Variant("a", "adapter", "d", trained_on="all"), "void: it was trained on the held-out passages"),
        (Variant("author", "control", "d"), "a control has no likelihoods"),
        (Variant("a", "adapter", "d", trained_on="unknown"), ""),
        (Variant("a", "adapter", "d", trained_on="marlow@1"), ""),
        (Variant("a", "base", "d"), ""),
    ],
)
def test_who_has_seen_the_held_out_text_gets_no_likelihood(variant: Variant, reason: str) -> None:
    assert void_likelihoods(variant) == reason
    plan = plan_variant(make_ask(4), variant, "engine", render, ())
    assert bool(plan.likelihoods) == (not reason)
    assert len(list(itertools.chain(*plan.answers))) == 4


def test_the_in_template_prefix_is_the_persona_and_the_request() -> None:
    plan = planned()
    prefixes = {job.context: job.request.prefix for batch in plan.likelihoods for job in batch}
    asked = conversation("You write as Ellis Marlow.", IN_TEMPLATE_REQUEST)
    assert prefixes == {"raw": "", "in_template": render(asked)}
    assert [m["role"] for m in asked] == ["system", "user"]
    assert [m["role"] for m in conversation("", "Why?")] == ["user"]
