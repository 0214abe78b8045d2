from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import ConfigurationError, MissingPrerequisiteError
from harness.models.adapters import read_adapter
from harness.models.bases import Base
from harness.store import Store
from harness.types import Variant
from harness.variants import (
    adapter_digest,
    as_row,
    base_variant,
    check_adapter,
    corpora_seen,
    match,
    registered,
    select,
    trained_on_both,
)

BASE = Base("tiny", Path("tiny"), "local", "weights1", "template1")
FIRST = Variant("tuned-1", "adapter", "d1", "tiny", "a/1", "marlow", 1, "marlow@1", {"steps": 4, "é": None})
SECOND = Variant("tuned-2", "adapter", "d2", "tiny", "a/2", "marlow", 2, "marlow@2")
LIMITED = Variant("short-2", "adapter", "d3", "tiny", "a/3", "marlow", 2, "marlow@2", {"limited": "2 steps"})
KNOWN = {v.name: v for v in (base_variant(BASE), FIRST, SECOND, LIMITED)}


def test_variants_come_back_from_the_table_as_they_went_in(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert registered(store) == {}
    for run, variant in enumerate((base_variant(BASE), FIRST, SECOND)):
        store.append("variants", [as_row(variant) | {"run": f"20260101T00000{run}-x"}])
    assert registered(store) == {"tiny": base_variant(BASE), "tuned-1": FIRST, "tuned-2": SECOND}
    assert list(registered(store)) == ["tiny", "tuned-1", "tuned-2"]


def test_the_newest_row_of_a_name_wins_in_its_first_place(tmp_path: Path) -> None:
    store = Store(tmp_path)
    again = Variant("tuned-1", "adapter", "d9", "tiny", "a/9", "marlow", 1, "marlow@1")
    for run, variant in ((3, again), (2, SECOND), (1, FIRST)):
        store.append("variants", [as_row(variant) | {"run": f"20260101T00000{run}-x"}])
    assert registered(store) == {"tuned-1": again, "tuned-2": SECOND}
    assert list(registered(store)) == ["tuned-1", "tuned-2"]


def test_digests_change_with_everything_under_an_answer() -> None:
    others = [
        Base("tiny", Path("tiny"), "local", "weights2", "template1"),
        Base("tiny", Path("tiny"), "local", "weights1", "template2"),
    ]
    assert len({base_variant(base).digest for base in (BASE, *others)}) == 3
    assert len({adapter_digest(base, "a1") for base in (BASE, *others)} | {adapter_digest(BASE, "a2")}) == 4
    elsewhere = Base("renamed", Path("elsewhere"), "local", "weights1", "template1")
    assert base_variant(elsewhere).digest == base_variant(BASE).digest


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ("tuned-1", ["tuned-1"]),
        ("*", ["tiny", "tuned-1", "tuned-2"]),
        ("marlow@2", ["tuned-2"]),
        (("marlow@2", "tiny", "tuned-2"), ["tuned-2", "tiny"]),
        (("short-2",), ["short-2"]),
    ],
)
def test_select_by_name_by_star_and_by_corpus(wanted: str | tuple[str, ...], names: list[str]) -> None:
    assert [variant.name for variant in select(wanted, KNOWN)] == names


def test_a_name_that_matches_nothing_is_an_error() -> None:
    assert match("marlow@3", KNOWN) == []
    assert match("@0", KNOWN) == []
    with pytest.raises(ConfigurationError, match="variant 'tuned-3' does not exist, did you mean 'tuned-"):
        select(["tiny", "tuned-3"], KNOWN)


def test_an_adapter_that_is_gone_or_changed_is_not_run_under_the_old_name(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "1"
    with pytest.raises(MissingPrerequisiteError, match=r"variant tuned-1: .*train or register it again"):
        check_adapter(FIRST, BASE, tmp_path)
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA", "r": 4, "lora_alpha": 4}')
    weights = folder / "adapter_model.safetensors"
    weights.write_bytes((2).to_bytes(8, "little") + b"{}")
    whole = replace(FIRST, digest=adapter_digest(BASE, read_adapter(folder).digest))
    check_adapter(whole, BASE, tmp_path)
    weights.write_bytes((2).to_bytes(8, "little") + b"{}!")
    with pytest.raises(MissingPrerequisiteError, match="is not what was registered"):
        check_adapter(whole, BASE, tmp_path)


def test_a_corpus_whose_variants_are_all_limited_says_which_they_are() -> None:
    short = Variant(
        "r@1+8steps", "adapter", "d", corpus="c", version=1, record={"limited": "8 training steps"}
    )
    with pytest.raises(
        ConfigurationError, match=r"c@1: trained on it are only LIMITED variants: r@1\+8steps"
    ):
        select("c@1", {short.name: short})
    assert select("r@1+8steps", {short.name: short}) == [short]


def test_the_template_it_was_trained_with_is_part_of_an_adapter() -> None:
    plain = adapter_digest(BASE, "a1")
    assert adapter_digest(BASE, "a1", "") == plain
    assert len({plain, adapter_digest(BASE, "a1", "t1"), adapter_digest(BASE, "a1", "t2")}) == 3


@pytest.mark.parametrize(
    ("earlier", "now", "both"),
    [
        ("a@1", "a@2", "a@1, a@2"),
        ("a@1", "a@1", "a@1"),
        ("a@1, b@1", "b@1", "a@1, b@1"),
        ("nothing", "a@1", "a@1"),
        ("unknown", "a@1", "unknown"),
        ("all", "a@1", "all"),
        ("unknown", "all", "all"),
    ],
)
def test_what_was_seen_before_stays_seen(earlier: str, now: str, both: str) -> None:
    assert trained_on_both(earlier, now) == both


def test_every_corpus_of_a_lineage_counts_once() -> None:
    lineage = [{"corpus": "a", "version": 1}, {"corpus": "", "version": 0}, {"corpus": "a", "version": 1}]
    heir = replace(FIRST, corpus="b", version=3, record={"lineage": lineage})
    assert [str(corpus) for corpus in corpora_seen(heir)] == ["a@1", "b@3"]
    assert corpora_seen(replace(FIRST, corpus="", version=0, record={})) == []
