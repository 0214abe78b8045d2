from __future__ import annotations

import json
import math
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness import cutting
from harness import reference as references
from harness.errors import ConfigurationError, MissingPrerequisiteError
from harness.metrics.attribution import AuthorshipClassifier
from harness.reference import Reference
from harness.text import count_words, words
from harness.types import Passage

TEXT = "The harbour was calm and the harbour was wide. A lantern burned upon the jetty. Nobody sailed."


@pytest.fixture(scope="module")
def reference(small_author: Path) -> Reference:
    return references.load("marlow", small_author)


def _passage(text: str, ordinal: int = 0, digest: str = "d") -> Passage:
    return Passage("book", ordinal, "body", text, count_words(text), digest, "heldout")


# ── what is cut ───────────────────────────────────────────────────────────────────────────────────


def test_half_the_prompts_continue_and_half_ask_and_each_has_its_own_answer(reference: Reference) -> None:
    assert Counter(prompt.kind for prompt in reference.prompts) == {"continue": 10, "question": 10}
    heldout = {passage.digest: passage for passage in reference.heldout}
    assert len({prompt.id for prompt in reference.prompts}) == 20
    assert len({prompt.passage for prompt in reference.prompts}) == 20
    for prompt in reference.prompts:
        text = heldout[prompt.passage].text
        if prompt.kind == "question":
            assert prompt.reference == text
        else:
            first = prompt.text.removeprefix("Continue this passage:\n\n")
            assert text.startswith(first)
            assert text.endswith(prompt.reference)
            assert words(first) + words(prompt.reference) == words(text)


def test_prompts_are_spread_over_the_whole_book(reference: Reference) -> None:
    place = {passage.digest: passage.ordinal for passage in reference.heldout}
    for kind in ("continue", "question"):
        places = [place[prompt.passage] for prompt in reference.prompts if prompt.kind == kind]
        assert min(places) < len(place) / 5
        assert max(places) > len(place) * 3 / 4


def test_too_few_passages_for_the_prompts_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="prompts: 3 wanted, but the held-out book yields 0"):
        cutting.cut_prompts([_passage(TEXT)], continuations=1, questions=2)


def test_a_question_asks_for_the_most_telling_words_in_their_order() -> None:
    """Weights tf * ln(3 / df): harbour 2 ln 3, lantern and jetty ln 3, calm ln 1.5, burned and others 0."""
    seen = {
        "harbour": 1,
        "calm": 2,
        "wide": 3,
        "lantern": 1,
        "burned": 3,
        "jetty": 1,
        "nobody": 3,
        "sailed": 3,
    }
    asked = cutting.question_about(TEXT, seen, 3)
    assert asked == "What do you hold on the matter of harbour, lantern and jetty?"


def test_documents_come_in_pairs_and_none_is_of_two_sets(reference: Reference) -> None:
    heldout, others = reference.documents_of("heldout"), reference.documents_of("other")
    assert [d.pair for d in heldout] == [d.pair for d in others] == list(range(len(reference.heldout)))
    assert {d.text for d in heldout} == {passage.text for passage in reference.heldout}
    assert {d.set for d in others} == {"other:flint", "other:thorne"}
    assert {d.text for d in reference.documents_of("train")} <= {p.text for p in reference.train}
    assert len({d.id for d in reference.documents}) == len(reference.documents)
    assert len(reference.documents_of("other:flint")) < len(others)
    assert len(reference.documents_of("heldout", 3)) == 3


def test_nothing_held_out_was_fitted_on(reference: Reference) -> None:
    heldout = {passage.text for passage in reference.heldout}
    fitted_on = {passage.text for passage in reference.train}
    fitted_on |= {passage.text for texts in reference.others.values() for passage in texts}
    assert not heldout & fitted_on
    assert {passage.book for passage in reference.heldout} == {"harbours"} == {reference.heldout_book}
    assert {passage.book for passage in reference.train} == {"channels", "tides", "wrecks"}
    assert {passage.role for passage in (*reference.train, *reference.heldout)} == {"body"}


def test_keywords_are_the_authors_and_no_others(reference: Reference) -> None:
    keywords = reference.fitted.keywords
    assert {"whilst", "harbour", "tide"} & set(keywords)
    assert not {"garden", "engine", "the", "upon"} & set(keywords)
    keyness = reference.fitted.keyness
    assert list(keywords) == sorted(keywords, key=lambda word: (-keyness[word], word))


def test_each_other_author_is_left_out_of_the_fit_that_scores_him(reference: Reference) -> None:
    """The same fit made by hand without him gives the same logits, and the fit with him does not."""
    fits = reference.fitted.classifiers
    assert set(fits) == {
        f"{twin}{rest}" for twin in ("plain", "masked") for rest in ("", "-without:flint", "-without:thorne")
    }
    thorne = reference.others["thorne"]
    by_hand = AuthorshipClassifier.fit(
        [passage.text for passage in reference.train],
        [passage.text for passage in thorne],
        author_groups=[passage.book for passage in reference.train],
        other_groups=[f"thorne/{passage.book}" for passage in thorne],
    )
    flint = [passage.text for passage in reference.others["flint"][:5]]
    assert np.allclose(fits["plain-without:flint"].logits(flint), by_hand.logits(flint))
    assert not np.allclose(fits["plain"].logits(flint), by_hand.logits(flint))


def test_the_authors_answer_is_cut_to_the_models_length(reference: Reference) -> None:
    for prompt in reference.prompts:
        answer = references.author_answer(prompt, 50)
        assert 0 < count_words(answer) <= 50
        assert words(prompt.reference)[: count_words(answer)] == words(answer)


# ── on disk ───────────────────────────────────────────────────────────────────────────────────────


def test_a_reference_is_its_content(reference: Reference) -> None:
    """Order is nothing; a word, a document, a train passage or whose a passage is, is another reference."""
    asked, train, others = (reference.prompts, reference.documents), reference.train, reference.others
    swapped = {"flint": others["thorne"], "thorne": others["flint"]}
    backwards = {name: others[name][::-1] for name in sorted(others, reverse=True)}
    assert references.content_digest(*asked, train[::-1], backwards) == reference.digest
    reworded = replace(reference.prompts[0], text="What now?")
    changed = [
        references.content_digest((reworded, *asked[0][1:]), asked[1], train, others),
        references.content_digest(asked[0], asked[1][1:], train, others),
        references.content_digest(*asked, train[1:], others),
        references.content_digest(*asked, train, {"flint": others["flint"]}),
        references.content_digest(*asked, train, swapped),
    ]
    assert len({reference.digest, *changed}) == 6


def test_a_former_set_is_no_author_but_can_be_loaded(small_author: Path, tmp_path: Path) -> None:
    found = references.load("marlow", small_author)
    folder = references.folder_of("marlow", tmp_path)
    shutil.copytree(found.folder, folder)
    shutil.copytree(found.folder, references.former_folder(replace(found, folder=folder)))
    shutil.copytree(found.folder, references.folder_of("marlow.2", tmp_path))
    assert references.prepared_authors(tmp_path) == ["marlow", "marlow.2"]
    assert references.load(f"marlow.{found.digest}", tmp_path).digest == found.digest


def test_what_stands_beside_a_number_against_presidents(reference: Reference) -> None:
    assert reference.caveat == ""
    assert replace(reference, background=True).caveat == "easy negatives: optimistic"


def test_loading_what_was_never_prepared_offers_the_nearest(small_author: Path, tmp_path: Path) -> None:
    with pytest.raises(
        MissingPrerequisiteError, match=r"'marlowe', did you mean 'marlow'\?: run `stylobench prep"
    ):
        references.load("marlowe", small_author)
    with pytest.raises(
        MissingPrerequisiteError, match="no reference set 'marlow': run `stylobench prepare mar"
    ):
        references.load("marlow", tmp_path)


@pytest.mark.parametrize(("auc", "twin"), [(0.8, "masked"), (0.79, "plain"), (math.nan, "plain")])
def test_the_masked_twin_is_primary_where_it_tells_the_author(
    reference: Reference, auc: float, twin: str
) -> None:
    assert replace(reference, audit={"authorship_masked_auc": auc}).primary_classifier == twin
    assert replace(reference, audit={}).primary_classifier == "plain"


@pytest.mark.parametrize("text", ["", "[]", '{"format": 3}', '{"format": 4}', '{"name": "mar'])
def test_a_damaged_reference_is_refused(small_author: Path, tmp_path: Path, text: str) -> None:
    shutil.copytree(references.folder_of("marlow", small_author), references.folder_of("marlow", tmp_path))
    (references.folder_of("marlow", tmp_path) / "reference.json").write_text(text)
    with pytest.raises(ConfigurationError, match="run `stylobench prepare marlow`"):
        references.load("marlow", tmp_path)


def test_a_reference_edited_after_it_was_cut_is_refused(small_author: Path, tmp_path: Path) -> None:
    folder = references.folder_of("marlow", tmp_path)
    shutil.copytree(references.folder_of("marlow", small_author), folder)
    plain = json.loads((folder / "reference.json").read_text())
    plain["prompts"][0]["text"] += " Please."
    (folder / "reference.json").write_text(json.dumps(plain))
    with pytest.raises(ConfigurationError, match="was edited after it was cut"):
        references.load("marlow", tmp_path)


def test_a_name_that_leaves_the_folder_is_no_author(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="use letters"):
        references.load("../marlow", tmp_path)


def test_too_little_to_fit_on_is_a_fault_of_the_books(reference: Reference) -> None:
    with pytest.raises(ConfigurationError, match="books: the author has 0 passages to fit on"):
        cutting.fit([], reference.others)
    with pytest.raises(ConfigurationError, match="others: thorne has 4 passages"):
        cutting.fit(reference.train, {**reference.others, "thorne": reference.others["thorne"][:4]})
