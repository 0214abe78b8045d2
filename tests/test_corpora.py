from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from fake_anthropic import FakeAnthropic
from small_author import CORPUS, NAME, PILOT, _write_pdf, index_lines, prose

from harness.corpora import cut_runs, passages_of, questions_of, read_manifest
from harness.corpus.prose import Paragraph
from harness.corpusfile import read_author
from harness.errors import ConfigurationError
from harness.prepare import prepare
from harness.store import Run, Store
from harness.training.examples import build_examples, load_tokenizer


@pytest.fixture
def workspace(small_author: Path, tmp_path: Path) -> Path:
    return shutil.copytree(small_author, tmp_path / "copy")


def _prepare(workspace: Path, corpus: str) -> Store:
    (workspace / "trainers" / "corpora" / f"{NAME}.yaml").write_text(corpus)
    store = Store(workspace / "results" / "warehouse")
    with Run(store, "prepare") as run:
        prepare(NAME, read_author(NAME, workspace), workspace, run)
    return store


def test_a_question_corpus_answers_every_question_with_the_author_s_own_words(
    workspace: Path, tiny_llama: Path
) -> None:
    store = _prepare(workspace, CORPUS + "  3: {from: 2, style: qa, per_passage: 2}\n")
    manifest = read_manifest(NAME, 3, workspace)
    questions = questions_of(NAME, 3, store, workspace)
    passages = [p for p in passages_of(NAME, 3, store, workspace) if p.split in ("train", "validation")]
    assert {p.digest for p in passages} == set(questions)
    assert manifest["questions"]["questions"] == sum(map(len, questions.values())) == 2 * len(passages)
    assert questions_of(NAME, 2, store, workspace) == {}

    tokenizer = load_tokenizer(tiny_llama)
    some = [p for p in passages if p.split == "train"][:6]
    made = build_examples(
        some, tokenizer=tokenizer, system="", style="qa", max_length=2000, seed=1, questions=questions
    )
    answers = {
        tokenizer.decode([i for i in e.labels if i != -100]).removesuffix("<|im_end|>") for e in made.examples
    }
    assert answers == {p.text for p in some}
    assert len(made.examples) == 12


def test_asking_for_a_few_leaves_the_others_out_and_counts_them(workspace: Path) -> None:
    store = _prepare(workspace, CORPUS + "  3: {from: 2, style: qa, per_passage: 1, ask: 5}\n")
    facts = read_manifest(NAME, 3, workspace)["questions"]
    everything = [p for p in passages_of(NAME, 2, store, workspace) if p.split in ("train", "validation")]
    assert facts["asked"] == 5 == len(questions_of(NAME, 3, store, workspace))
    assert facts["left_out"] == len(everything) - 5


def test_held_out_and_guard_passages_are_never_asked_about(workspace: Path) -> None:
    store = _prepare(workspace, CORPUS + "  3: {from: 2, style: qa}\n")
    asked = set(questions_of(NAME, 3, store, workspace))
    kept_away = {p.digest for p in passages_of(NAME, 3, store, workspace) if p.split in ("heldout", "guard")}
    assert kept_away
    assert not asked & kept_away


def test_roles_set_by_hand_are_followed_and_cannot_change_under_a_built_version(workspace: Path) -> None:
    book = next(iter(read_manifest(NAME, 2, workspace)["pages"]))
    by_hand = f'pages: {{{book}: {{"1": advertisement}}}}\n'
    with pytest.raises(ConfigurationError, match="can no longer change"):
        _prepare(workspace, by_hand + CORPUS)
    shutil.rmtree(workspace / "results" / "corpora")
    _prepare(workspace, by_hand + CORPUS)
    assert read_manifest(NAME, 2, workspace)["pages"][book]["advertisement"] == 1


def test_a_version_may_set_roles_by_hand_and_leaves_the_built_ones_alone(workspace: Path) -> None:
    book = next(iter(read_manifest(NAME, 2, workspace)["pages"]))
    before = read_manifest(NAME, 2, workspace)
    _prepare(workspace, CORPUS + f'  3: {{from: 2, pages: {{{book}: {{"1": advertisement}}}}}}\n')
    assert read_manifest(NAME, 2, workspace) == before
    assert read_manifest(NAME, 3, workspace)["pages"][book]["advertisement"] == 1


def test_what_has_no_two_words_is_no_passage() -> None:
    rows = [Paragraph("b", 1, "body", "I", text) for text in ("* * * * *", "G", "BY", "The tide was out.")]
    assert [(p.text, p.ordinal) for p in cut_runs([[row] for row in rows], 100, 0)] == [
        ("The tide was out.", 0)
    ]


def test_two_questions_on_one_passage_stay_on_one_side(workspace: Path, tiny_llama: Path) -> None:
    store = _prepare(workspace, CORPUS + "  3: {from: 2, style: qa, per_passage: 2}\n")
    passages = [p for p in passages_of(NAME, 3, store, workspace) if p.split in ("train", "validation")]
    made = build_examples(
        passages,
        tokenizer=load_tokenizer(tiny_llama),
        system="",
        style="qa",
        max_length=2000,
        seed=1,
        questions=questions_of(NAME, 3, store, workspace),
    )
    sides: dict[str, list[str]] = {}
    for example in made.examples:
        sides.setdefault(example.passage, []).append(example.split)
    assert {len(found) for found in sides.values()} == {2}
    assert {len(set(found)) for found in sides.values()} == {1}
    assert {found[0] for found in sides.values()} == {"train", "validation"}


def test_an_imported_pair_that_quotes_a_validation_passage_goes_to_its_side(workspace: Path) -> None:
    passages = passages_of(NAME, 2, Store(workspace / "results" / "warehouse"), workspace)
    quoted = {side: next(p for p in passages if p.split == side).text for side in ("train", "validation")}
    rows = [
        {
            "prompt": f"What of the {side} book?",
            "response": " ".join(
                [*text.split()[:20], *("a line of somebody else about " + side).split() * 9]
            ),
        }
        for side, text in quoted.items()
    ]
    (workspace / "pairs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    store = _prepare(workspace, CORPUS + "  3: {from: 2, style: qa, pairs: pairs.jsonl}\n")
    alone = [p for p in passages_of(NAME, 3, store, workspace) if p.role == "imported"]
    assert {p.text.split()[-1]: p.split for p in alone} == {"train": "train", "validation": "validation"}


def test_ten_dropped_pages_are_paid_for_with_one_percent_of_the_questions(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A paid version of a book, then one without its first ten pages: only new passages are sent."""
    import pymupdf

    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-not-a-key")
    path = workspace / "books" / NAME / "channels.pdf"
    path.unlink()
    _write_pdf(path, prose(PILOT, 12_000, 1), index_lines(PILOT, 120, 1))
    paid = "writer: claude-haiku-4-5-20251001, live: true, per_passage: 1, max_usd: 9"
    third = f"  3: {{from: 2, style: qa, {paid}, price: {{input: 1, output: 5}}}}\n"
    with FakeAnthropic() as api:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", api.url)
        store = _prepare(workspace, CORPUS + third)
        before = {
            p.digest for p in passages_of(NAME, 3, store, workspace) if p.split in ("train", "validation")
        }
        first = Counter(api.paid)
        assert (len(first), set(first.values())) == (len(before), {1})
        document = pymupdf.open(path)
        document.delete_pages(list(range(10)))
        document.save(path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)
        _prepare(workspace, CORPUS + third + "  4: {from: 3}\n")
        after = {
            p.digest for p in passages_of(NAME, 4, store, workspace) if p.split in ("train", "validation")
        }
        sent = api.paid - first
    assert len(before - after) >= 25, "ten pages hold that many passages"
    assert sent.total() == len(after - before) <= 0.01 * len(before)
    assert read_manifest(NAME, 4, workspace)["questions"]["asked"] == len(after)
