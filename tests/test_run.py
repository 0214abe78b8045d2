"""Variants answer: nothing twice, nothing lost, and the same rows however often it was interrupted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scripted_bench import BASE, ONE, TWO, compute, control_variants, copy_workspace, open_ask, scripted

from harness.bench import warehouse
from harness.errors import MissingPrerequisiteError
from harness.models import Model
from harness.models.bases import Base
from harness.plan import Ask
from harness.run import parse, run
from harness.score import answers_of, score
from harness.store import Run, Store
from harness.summaries import read_table
from harness.types import Decoding, Generation, GenerationRequest, Variant

VARIANTS = (BASE, ONE, TWO)


@pytest.fixture(scope="module")
def workspace(small_author: Path, tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_workspace(small_author, tmp_path_factory.mktemp("run") / "w", tiny_llama)


@pytest.fixture(scope="module")
def asked(workspace: Path) -> Ask:
    return open_ask(workspace)


def rows(store: Store, table: str) -> pd.DataFrame:
    """A table without what may differ between two runs of the same thing."""
    frame = store.read(table).drop(columns=["run", "seconds"], errors="ignore")
    return frame.sort_values("key").reset_index(drop=True)


def test_a_second_run_computes_nothing(workspace: Path, asked: Ask, tmp_path: Path) -> None:
    store, model = Store(tmp_path), scripted(workspace)
    variants = [*VARIANTS, *control_variants(asked.reference)]
    first = compute(asked, variants, workspace, model, store)
    # 20 answers, 16 held-out documents read twice, 16 others, 8 train ones; controls are no work.
    assert (first.reused, first.computed) == (0, 3 * (20 + 2 * 16 + 16 + 8))
    assert (model.generated, model.scored) == (3 * 20, 3 * 56)
    assert first.tokens == store.read("responses", engine="scripted")["n_tokens"].sum()
    before = {table: rows(store, table) for table in ("responses", "likelihoods")}
    again = compute(asked, variants, workspace, model, store)
    assert (again.reused, again.computed, again.tokens) == (first.computed, 0, 0)
    assert (model.generated, model.scored) == (3 * 20, 3 * 56)
    for table, frame in before.items():
        pd.testing.assert_frame_equal(rows(store, table), frame)
        assert frame["key"].is_unique
    assert set(store.read("runs")["status"]) == {"running", "done"}
    assert store.read("runs")["run"].nunique() == 1


def test_every_column_of_an_answer_says_what_it_should(workspace: Path, asked: Ask, tmp_path: Path) -> None:
    store = Store(tmp_path)
    script = scripted(workspace, lambda rendered, adapter: "<think>Hm.</think> " + "ship " * 60)
    compute(asked, [ONE], workspace, script, store)
    answers = store.read("responses")
    assert len(answers) == 20
    row = answers.iloc[0]
    assert (row["variant"], row["variant_digest"], row["engine"]) == ("small@1", ONE.digest, "scripted")
    assert (row["reasoning"], row["finish"], row["n_tokens"]) == ("Hm.", "length", 40)
    assert row["text"] == " ".join(["ship"] * 39)
    assert row["setting"] == asked.setting
    assert row["prompt"] == asked.reference.prompt(row["item"]).text
    read = store.read("likelihoods", context="raw", set="heldout").iloc[0]
    text = next(d.text for d in asked.documents if d.id == read["item"])
    assert (read["n_bytes"], read["protocol"]) == (len(text.encode()), "window 1024, context half")


class Dies:
    """The same model, whose process is killed in the middle of its n-th batch."""

    def __init__(self, model: Any, after: int) -> None:
        self.model, self.left, self.engine = model, after, model.engine

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt

    def wear(self, adapter: Path | None) -> None:
        self.model.wear(adapter)

    def generate(self, requests: Sequence[GenerationRequest], decoding: Decoding) -> list[Generation]:
        self._count()
        answers: list[Generation] = self.model.generate(requests, decoding)
        return answers

    def loglikelihood(self, *arguments: Any) -> Any:
        self._count()
        return self.model.loglikelihood(*arguments)

    def close(self) -> None:
        self.model.close()


@pytest.mark.parametrize("batches", [0, 1, 16, 30])
def test_an_interrupted_run_ends_up_like_any_other(
    workspace: Path, asked: Ask, tmp_path: Path, batches: int
) -> None:
    """A variant has 14 batches of likelihoods and 5 of answers: killed in the first, later, in the second."""
    whole, cut = Store(tmp_path / "whole"), Store(tmp_path / "cut")
    compute(asked, [ONE, TWO], workspace, scripted(workspace), whole)
    with pytest.raises(KeyboardInterrupt):
        compute(asked, [ONE, TWO], workspace, Dies(scripted(workspace), batches), cut)
    kept = sum(len(rows(cut, table)) for table in ("responses", "likelihoods"))
    # A batch is one commit: all that was finished is kept, nothing of the one it died in.
    assert kept == (0 if batches == 0 else 4 * batches)
    assert "interrupted" in set(cut.read("runs")["status"]) or not kept
    outcome = compute(asked, [ONE, TWO], workspace, scripted(workspace), cut)
    assert (outcome.reused, outcome.computed) == (kept, 2 * 76 - kept)
    for table in ("responses", "likelihoods"):
        pd.testing.assert_frame_equal(rows(cut, table), rows(whole, table))


def test_a_grown_suite_pays_only_for_what_is_new(workspace: Path, asked: Ask, tmp_path: Path) -> None:
    store, model = Store(tmp_path), scripted(workspace)
    few = open_ask(workspace, limit=4)
    first = compute(few, [ONE], workspace, model, store)
    whole = compute(asked, [ONE], workspace, model, store)
    assert (whole.reused, whole.computed) == (first.computed, 76 - first.computed)
    assert compute(open_ask(workspace, samples=2), [ONE], workspace, model, store).computed == 20
    hotter = open_ask(workspace, decoding={"temperature": 1.1})
    assert compute(hotter, [ONE], workspace, model, store).computed == 20


def test_an_adapter_with_biases_has_a_base_to_itself(workspace: Path, asked: Ask, tmp_path: Path) -> None:
    biased = replace(ONE, record={"settings": {"lora": {"bias": "all"}}})
    foreign = replace(TWO, record={"settings": {"trained elsewhere": "x", "lora": {"bias": None}}})
    worn: list[list[str]] = []

    def load(base: Base, dtype: str) -> Model:
        model = scripted(workspace)
        worn.append([])
        wear = model.wear

        def noted(adapter: Path | None) -> None:
            worn[-1].append(adapter.parent.name if adapter else "bare")
            wear(adapter)

        model.wear = noted  # type: ignore[method-assign]
        return model

    with Run(Store(tmp_path), "run") as note:
        run(asked, [BASE, biased, foreign], note, workspace, load=load, engine="scripted")
    names = [Path(v.adapter).parent.name for v in (foreign, biased)]
    assert worn == [["bare", names[0]], [names[1]]]


def recut(asked: Ask) -> Ask:
    """The same texts, cut once more: their names carry another ordinal."""
    prompts = tuple(replace(p, id=f"new-{p.id}") for p in asked.prompts)
    documents = tuple(replace(d, id=f"new-{d.id}") for d in asked.documents)
    return replace(asked, prompts=prompts, documents=documents)


def test_what_is_stored_under_other_names_is_drawn_again_and_found(
    workspace: Path, asked: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, model, cut = Store(tmp_path), scripted(workspace), recut(asked)
    told = {prompt.id: "Upon the bar." for prompt in (*asked.prompts, *cut.prompts)}
    monkeypatch.setattr("harness.models.recorded.load", lambda variant, workspace: told)
    elsewhere = Variant("elsewhere", "recorded", "digest of elsewhere")
    variants = [ONE, elsewhere, *control_variants(asked.reference)]
    compute(asked, variants, workspace, model, store)
    again = compute(cut, variants, workspace, model, store)
    assert (again.reused, again.computed) == (0, 76)
    found = answers_of(cut, variants, store)
    assert found.groupby("variant").size().to_dict() == dict.fromkeys((v.name for v in variants), 20)
    assert set(store.read("likelihoods")["item"]) >= {document.id for document in cut.documents}
    n_rows = len(store.read("responses"))
    assert compute(cut, variants, workspace, model, store).computed == 0
    assert compute(asked, variants, workspace, model, store).computed == 0
    assert len(store.read("responses")) == n_rows


def test_wishes_that_a_template_ignores_are_drawn_and_scored_for_each_suite(
    workspace: Path, asked: Ask, tmp_path: Path
) -> None:
    """The key is the same and the setting is not, and answers are looked for by setting."""
    store, variants = Store(tmp_path), [BASE, ONE, *control_variants(asked.reference)]
    wishing = open_ask(workspace, template={"enable_thinking": False})
    tables = []
    for each in (asked, wishing):
        compute(each, variants, workspace, scripted(workspace), store)
        with Run(store, "score") as note:
            assert score(each, variants, note).computed > 0
        tables.append(read_table(each, variants, store))
    # The noise is that of the item, and so are the answers.
    assert tables[0].values["small@1"].keys() == tables[1].values["small@1"].keys()
    assert tables[0].of("small@1", "words") == tables[1].of("small@1", "words")
    assert len(tables[1].of("small@1", "bits_per_byte_in_template")) == 16
    assert len(answers_of(wishing, variants, store)) == 7 * 20
    assert compute(wishing, variants, workspace, scripted(workspace), store).computed == 0


def test_controls_answer_without_a_model(workspace: Path, asked: Ask, tmp_path: Path) -> None:
    store, model = Store(tmp_path), scripted(workspace)
    compute(asked, control_variants(asked.reference), workspace, model, store)
    assert (model.generated, model.scored) == (0, 0)
    answers = store.read("responses")
    assert answers.groupby("variant").size().to_dict() == dict.fromkeys(
        ("author", "copyist", "other:flint", "other:thorne", "shuffled"), 20
    )
    said = answers.set_index(["variant", "item"])["text"]
    for prompt in asked.prompts:
        assert prompt.reference.startswith(said["author", prompt.id][:40])
        assert sorted(said["shuffled", prompt.id].split()) == sorted(said["author", prompt.id].split())
        assert any(said["copyist", prompt.id] in p.text for p in asked.reference.train)
        assert any(said["other:thorne", prompt.id] in p.text for p in asked.reference.others["thorne"])


def test_a_variant_that_saw_the_held_out_text_is_only_asked(
    workspace: Path, asked: Ask, tmp_path: Path
) -> None:
    import dataclasses

    seen = dataclasses.replace(ONE, trained_on="all")
    model = scripted(workspace)
    assert compute(asked, [seen], workspace, model, Store(tmp_path)).computed == 20
    assert model.scored == 0


def test_a_base_that_is_not_here(small_author: Path, asked: Ask, tmp_path: Path) -> None:
    with pytest.raises(MissingPrerequisiteError, match="base 'tiny' is not here"):
        compute(asked, [BASE], small_author, scripted(small_author), Store(tmp_path))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("raw", "reasoning", "answer"),
    [
        ("  <think> a </think>\n b ", "a", "b"),
        ("<think>a", "", "<think>a"),
        ("b <think>a</think>", "", "b <think>a</think>"),
        ("<think></think><think>x</think> b", "", "<think>x</think> b"),
        (" plain ", "", "plain"),
    ],
)
def test_one_closed_reasoning_block_is_taken_out(raw: str, reasoning: str, answer: str) -> None:
    assert parse(raw) == (reasoning, answer)


def test_the_registry_is_left_alone(workspace: Path) -> None:
    assert warehouse(workspace).version("variants") is None
