"""Siblings by seed, and variants trained before a recipe had all its keys."""

from __future__ import annotations

from dataclasses import replace

import pytest
from handmade import make_adapter

from harness.errors import ConfigurationError
from harness.models import few_shot
from harness.pairing import Pair, families, pair, siblings
from harness.recipe import Recipe, settings_of
from harness.types import Variant


def trained(name: str, version: int, seed: int = 1, **settings: object) -> Variant:
    """With every setting of today's recipe."""
    recipe = Recipe.model_validate({"base": "tiny", "corpus": f"marlow@{version}", "steps": 60} | settings)
    return replace(make_adapter(name, version, seed), record={"settings": settings_of(recipe), "seed": seed})


def older(variant: Variant, *gone: str) -> Variant:
    """As it would stand in the registry of a time before some keys."""
    settings = {key: value for key, value in variant.record["settings"].items() if key not in gone}
    settings["lora"] = {k: v for k, v in settings["lora"].items() if k not in ("bias", "modules_to_save")}
    return replace(variant, record=variant.record | {"settings": settings})


def test_an_older_variant_pairs_with_one_whose_new_keys_have_their_defaults() -> None:
    old = older(trained("x@1", 1), "packing", "template", "keep", "optimizer")
    (found,) = pair([old], [trained("x@2", 2)], by_recipe=True)
    assert found.also_changed == ()
    (found,) = pair([old], [trained("x@2", 2, packing=True)], by_recipe=False)
    assert found.also_changed == ("packing False -> True",)
    with pytest.raises(ConfigurationError, match="nothing pairs"):
        pair([old], [trained("y@2", 2, packing=True), trained("z@2", 2, lr=0.5)], by_recipe=True)


def test_a_family_is_one_recipe_on_one_corpus_under_several_seeds() -> None:
    one, two = trained("x@1+r16+seed1", 1), trained("x@1+r16+seed2", 1, seed=2)
    other_rank, other_data = trained("x@1+r8+seed1", 1, lora={"r": 8}), trained("x@2+r16+seed1", 2)
    stopped = replace(two, name="x@1+r16+seed2+5steps", record=two.record | {"limited": "5 training steps"})
    foreign = Variant("theirs", "adapter", "d", record={"settings": {"trained elsewhere": "theirs"}})
    found = families([one, other_rank, two, other_data, stopped, foreign])
    assert [(family.name, family.seeds) for family in found] == [
        ("x@1+r16", (1, 2)),
        ("x@1+r8+seed1", (1,)),
        ("x@2+r16+seed1", (1,)),
        ("x@1+r16+seed2+5steps", (2,)),
        ("theirs", ()),
    ]


def test_siblings_with_names_of_their_own_go_by_the_first() -> None:
    (found,) = families([trained("plain@1", 1), trained("again@1", 1, seed=2)])
    assert found.name == "plain@1"


def test_what_differs_by_the_seed_only_is_chance() -> None:
    one, two, other_data = trained("x@1", 1), trained("x@1+seed2", 1, seed=2), trained("x@2", 2)
    assert Pair(one, two).seeds_only
    assert not Pair(one, one).seeds_only, "a thing is no sibling of itself"
    assert not Pair(one, other_data).seeds_only
    assert not Pair(one, trained("r8@1", 1, seed=2, lora={"r": 8})).seeds_only


def test_siblings_are_those_of_the_sides_and_not_the_sides() -> None:
    one, two, three = (trained(f"x@1+seed{seed}", 1, seed=seed) for seed in (1, 2, 3))
    later, other = trained("x@2", 2), trained("y@1", 1, lr=0.5)
    assert siblings([one, later], [other, three, later, two, one]) == [three, two]


def test_what_was_given_up_to_fit_is_told() -> None:
    whole, cut = trained("x@1", 1), trained("x@2", 2)
    cut = replace(cut, record=cut.record | {"degraded": ["batch 4 x 1", "seq_len 512 -> 256"]})
    (found,) = pair([whole], [cut], by_recipe=True)
    assert found.also_changed == ("given up to fit: nothing -> batch 4 x 1; seq_len 512 -> 256",)
    (same,) = pair([cut], [replace(cut, name="y@2")], by_recipe=False)
    assert same.also_changed == ()


def test_examples_that_one_side_only_is_shown_are_told() -> None:
    bare = Variant("tiny", "base", "digest of tiny", base="tiny")
    shown = replace(bare, name="tiny+few-shot", digest="s", record={few_shot.FEW_SHOT: [{"role": "user"}]})
    for sides in ((bare, shown), (shown, bare)):
        (found,) = pair(sides[:1], sides[1:], by_recipe=False)
        assert found.also_changed == ("two examples shown to tiny+few-shot",)
    other = replace(shown, name="other+few-shot", base="other")
    (both,) = pair([shown], [other], by_recipe=False)
    assert both.also_changed == ("base tiny -> other",)
