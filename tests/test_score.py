"""Answers and likelihoods become scores: once, by metric version, and only what may count."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pandas as pd
import pytest
from scripted_bench import BASE, ONE, TWO, compute, control_variants, copy_workspace, open_ask, scripted
from small_author import CORPUS, NAME, PILOT, prose

from harness import measures
from harness.bench import warehouse
from harness.corpora import passages_of
from harness.corpusfile import read_author
from harness.plan import Ask
from harness.prepare import prepare
from harness.score import Scored, score
from harness.store import Run, Store
from harness.types import Variant


@pytest.fixture(scope="module")
def workspace(small_author: Path, tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_workspace(small_author, tmp_path_factory.mktemp("score") / "w", tiny_llama)


@pytest.fixture(scope="module")
def asked(workspace: Path) -> Ask:
    return open_ask(workspace)


@pytest.fixture
def store(workspace: Path, asked: Ask, tmp_path: Path) -> Store:
    """Answers and likelihoods of the base and two adapters, and the controls' answers."""
    store = Store(tmp_path / "warehouse")
    variants = [BASE, ONE, TWO, *control_variants(asked.reference)]
    compute(asked, variants, workspace, scripted(workspace), store)
    return store


def scored(asked: Ask, variants: list[Variant], store: Store) -> Scored:
    with Run(store, "score") as run:
        return score(asked, variants, run)


def values(store: Store, metric: str, variant: str) -> pd.Series:
    return store.read("scores", metric=metric, variant=variant).set_index("item")["value"].sort_index()


def test_scoring_again_costs_nothing(asked: Ask, store: Store) -> None:
    variants = [BASE, ONE, TWO, *control_variants(asked.reference)]
    first = scored(asked, variants, store)
    frame, version = store.read("scores"), store.version("scores")
    assert first == Scored(reused=0, computed=len(frame))
    assert not frame.duplicated(["key", "metric", "metric_version"]).any()
    assert scored(asked, variants, store) == Scored(reused=first.computed, computed=0)
    assert store.version("scores") == version
    assert (frame[frame["value"].isna()]["note"] != "").all()


def test_a_new_metric_version_is_scored_beside_the_old_one(
    asked: Ask, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored(asked, [ONE], store)
    monkeypatch.setitem(measures.VERSIONS, "words", "99")
    assert scored(asked, [ONE], store).computed == 20
    versions = store.read("scores", metric="words")["metric_version"].value_counts().to_dict()
    assert versions == {"3": 20, "99": 20}
    assert scored(asked, [ONE], store).computed == 0


def test_bits_per_byte_comes_from_the_stored_likelihoods(asked: Ask, store: Store) -> None:
    scored(asked, [BASE, ONE], store)
    # The script: one nat a byte for the base, the adapter saves two tenths of it on the author's prose.
    for variant, nats in (("tiny", 1.0), ("small@1", 0.8)):
        found = values(store, "bits_per_byte", variant)
        assert found.to_numpy() == pytest.approx([nats / math.log(2)] * 16)
    assert set(values(store, "bits_per_byte", "small@1").index) == {
        d.id for d in asked.documents if d.set == "heldout"
    }
    assert len(values(store, "bits_per_byte_others", "small@1")) == 16
    assert len(values(store, "bits_per_byte_in_template", "small@1")) == 16


def test_gains_wait_for_the_base(asked: Ask, store: Store) -> None:
    scored(asked, [ONE], store)
    assert values(store, "author_specific_gain", "small@1").empty
    scored(asked, [BASE, ONE], store)
    gains = values(store, "author_specific_gain", "small@1")
    assert len(gains) == 16
    # .2 saved on the author, .1 on the others, in bits.
    assert gains.to_numpy() == pytest.approx([0.1 / math.log(2)] * 16)
    assert values(store, "author_specific_gain", "tiny").to_numpy() == pytest.approx([0.0] * 16)


def test_gains_need_the_pair_document_too(workspace: Path, asked: Ask, tmp_path: Path) -> None:
    store = Store(tmp_path)
    compute(open_ask(workspace, limit=3), [BASE], workspace, scripted(workspace), store)
    compute(asked, [ONE], workspace, scripted(workspace), store)
    scored(asked, [BASE, ONE], store)
    assert len(values(store, "author_specific_gain", "small@1")) == 3


def test_likelihoods_of_one_that_saw_the_text_are_void(asked: Ask, store: Store) -> None:
    """Even where they were computed before anybody knew."""
    seen = dataclasses.replace(ONE, trained_on="all")
    scored(asked, [BASE, seen], store)
    assert values(store, "bits_per_byte", "small@1").empty
    assert values(store, "author_specific_gain", "small@1").empty
    assert len(values(store, "authorship_logit", "small@1")) == 20


def test_unknown_training_data_is_marked(asked: Ask, store: Store) -> None:
    unknown = dataclasses.replace(ONE, trained_on="unknown")
    scored(asked, [BASE, unknown, TWO], store)
    notes = store.read("scores", metric="bits_per_byte").groupby("variant")["note"].unique()
    assert notes["small@1"].tolist() == ["training data unknown"]
    assert notes["small@2"].tolist() == [""]


def test_style_is_scored_on_valid_answers_only(workspace: Path, asked: Ask, tmp_path: Path) -> None:
    store = Store(tmp_path)
    compute(asked, [ONE], workspace, scripted(workspace, lambda rendered, adapter: "ship " * 40), store)
    scored(asked, [ONE], store)
    assert values(store, "invalid", "small@1").tolist() == [1.0] * 20
    frame = store.read("scores", metric=["authorship_logit", "words"])
    assert frame["value"].isna().all()
    assert set(frame["note"]) == {"invalid: loop, wrong_language"}
    # Copying is known all the same, and relevance was never asked of a continuation.
    assert values(store, "copied", "small@1").tolist() == [0.0] * 20
    notes = store.read("scores", metric="question_reciprocal_rank")["note"].str.split(":").str[0]
    assert notes.value_counts().to_dict() == {"invalid": 10, "not applicable": 10}


def test_controls_are_what_they_claim(asked: Ask, store: Store) -> None:
    scored(asked, control_variants(asked.reference), store)
    logit = {name: values(store, "authorship_logit", name).mean() for name in ("author", "other:flint")}
    assert logit["author"] > logit["other:flint"] + 1
    assert values(store, "copied", "copyist").mean() == 1.0
    assert values(store, "copied", "author").mean() == 0.0
    assert values(store, "truncated", "author").mean() == 0.0


def test_a_book_added_later_is_known_by_those_who_were_trained_on_it(
    small_author: Path, tiny_llama: Path, tmp_path: Path
) -> None:
    """The reference set is of the first build, and has never heard of that book."""
    workspace = copy_workspace(small_author, tmp_path / "w", tiny_llama)
    later = "\n\n".join(prose(PILOT, 1500, 50))
    (workspace / "books" / NAME / "later.txt").write_text(later + "\n", encoding="utf-8")
    file = workspace / "trainers" / "corpora" / f"{NAME}.yaml"
    file.write_text(CORPUS + "  3: {from: 2}\n", encoding="utf-8")
    store = warehouse(workspace)
    with Run(store, "prepare") as note:
        prepare(NAME, read_author(NAME, workspace), workspace, note)
    asked = open_ask(workspace)
    passages = [p for p in passages_of(NAME, 3, store, workspace) if p.split == "train" and p.book == "later"]

    three = dataclasses.replace(ONE, name="small@3", digest="digest of small@3", version=3)
    record = {"lineage": [{"corpus": NAME, "version": 3}]}
    heir = dataclasses.replace(TWO, name="heir", digest="digest of heir", record=record)
    variants = [BASE, TWO, three, heir]
    compute(asked, variants, workspace, scripted(workspace, lambda *asked: passages[3].text), store)
    scored(asked, variants, store)
    copied = {v.name: values(store, "copied", v.name).mean() for v in variants}
    assert copied == {"tiny": 0.0, "small@2": 0.0, "small@3": 1.0, "heir": 1.0}
    style = store.read("scores", metric="authorship_logit")
    assert set(style[style["note"] == "copied"]["variant"]) == {"small@3", "heir"}


def test_another_setting_does_not_mix_in(workspace: Path, asked: Ask, store: Store) -> None:
    hotter = open_ask(workspace, decoding={"temperature": 1.1})
    scored(hotter, [ONE], store)
    assert values(store, "words", "small@1").empty
    assert len(values(store, "bits_per_byte", "small@1")) == 16


def test_the_gain_over_the_base_needs_no_other_author_and_the_gap_a_train_passage(
    workspace: Path, store: Store
) -> None:
    wide = open_ask(workspace, tasks=("domain_gain", "generalisation", "token_perplexity"))
    scored(wide, [BASE, ONE], store)
    # The script: a fifth of a nat saved on the author's prose, unseen or not.
    assert values(store, "domain_gain", "small@1").to_numpy() == pytest.approx([0.2 / math.log(2)] * 16)
    assert values(store, "domain_gain", "tiny").to_numpy() == pytest.approx([0.0] * 16)
    gaps = values(store, "generalisation_gap", "small@1")
    train = values(store, "bits_per_byte_train", "small@1")
    heldout = [d.id for d in wide.documents if d.set == "heldout"]
    assert list(gaps.index) == sorted(heldout)[:8]
    assert gaps.to_numpy() == pytest.approx(0.8 / math.log(2) - train.to_numpy())
    assert (values(store, "token_perplexity", "small@1") > 1).all()
