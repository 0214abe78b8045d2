"""What goes into a reference set when it is cut: no train passage that repeats held-out text."""

from __future__ import annotations

from pathlib import Path

from small_author import CORPUS, HELD_OUT, NAME, write_books

from harness import reference as references
from harness.bench import warehouse
from harness.corpus.leakage import shared_ngrams
from harness.corpus.near_duplicates import near_duplicates
from harness.corpusfile import read_author
from harness.prepare import prepare
from harness.store import Run
from harness.types import Passage

FEW_PROMPTS = CORPUS.replace("{from_held_out: 10, continuations: 10}", "{from_held_out: 2, continuations: 2}")


def _prepared(workspace: Path, corpus: str) -> references.Reference:
    path = workspace / "trainers" / "corpora" / f"{NAME}.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(corpus)
    with Run(warehouse(workspace), "prepare") as run:
        prepare(NAME, read_author(NAME, workspace), workspace, run)
    return references.load(NAME, workspace)


def test_held_out_text_said_again_with_changed_words_is_not_fitted_on(tmp_path: Path) -> None:
    """Every thirteenth word is another, so that no 13-gram is shared."""
    write_books(tmp_path)
    mine = tmp_path / "books" / NAME
    original = (mine / HELD_OUT).read_text().split("\n\n")[4].split()
    retold = " ".join("albatross" if at % 13 == 4 else word for at, word in enumerate(original))
    tides = (mine / "tides.txt").read_text().split("\n\n")
    (mine / "tides.txt").write_text("\n\n".join([*tides[:9], retold, *tides[9:]]))
    found = _prepared(tmp_path, CORPUS)
    passage = Passage("tides", 0, "body", retold, len(original), "digest")
    assert shared_ngrams([passage], found.heldout).shared == 0
    assert near_duplicates([passage], found.heldout).dropped == (passage,)
    assert near_duplicates(found.train, found.heldout).dropped == ()
    assert {passage.book for passage in found.train} == {"channels", "tides", "wrecks"}
    assert found.heldout_block is None


def test_a_held_out_block_is_known_by_its_number(tmp_path: Path) -> None:
    write_books(tmp_path)
    found = _prepared(tmp_path, FEW_PROMPTS.replace(HELD_OUT, "wrecks.txt#2"))
    assert (found.heldout_book, found.heldout_block) == ("wrecks", 2)
    assert found.background is False
