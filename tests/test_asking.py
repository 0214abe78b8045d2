from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from small_author import NAME

from harness import reference as references
from harness.asking import ask
from harness.corpus.question_examples import QUESTION_GUIDE
from harness.corpusfile import Price, Version
from harness.errors import ConfigurationError
from harness.metrics.function_words import FUNCTION_WORD_SET
from harness.models.scripted import ScriptedModel
from harness.reference import Reference
from harness.text import words
from harness.types import Passage


@pytest.fixture(scope="module")
def reference(small_author: Path) -> Reference:
    return references.load(NAME, small_author)


@pytest.fixture
def passages(reference: Reference) -> list[Passage]:
    return list(reference.train[:8])


def test_the_template_asks_every_passage_as_often_as_wanted(
    reference: Reference, passages: list[Passage], tmp_path: Path
) -> None:
    found = ask(passages, Version(style="qa", per_passage=2), reference, tmp_path, "a@1")
    asked = Counter(q.passage for q in set(found.questions))
    assert asked == {p.digest: 2 for p in passages}
    assert (found.left_out, found.usd) == (0, 0.0)


def test_a_limit_takes_passages_by_digest_and_says_how_many_were_left_out(
    reference: Reference, passages: list[Passage], tmp_path: Path
) -> None:
    found = ask(passages, Version(style="qa", ask=3), reference, tmp_path, "a@1")
    first = sorted(p.digest for p in passages)[:3]
    assert sorted(p.digest for p in found.passages) == first
    assert found.left_out == 5
    backwards = ask(passages[::-1], Version(style="qa", ask=3), reference, tmp_path, "a@1")
    assert {p.digest for p in backwards.passages} == set(first)


def _telling(rendered: str) -> str:
    """An on-topic question: the rarest-looking words of the passage in hand, behind the examples."""
    lasts = [asked[-1] for asked in QUESTION_GUIDE.asked.values()]
    in_hand = min((rendered.rsplit(last, 1)[-1] for last in lasts), key=len)
    shown = [w for w in words(in_hand) if len(w) > 4 and w not in FUNCTION_WORD_SET]
    return f" of {' and '.join(sorted(set(shown), key=lambda w: (shown.count(w), -len(w)))[:8])}?"


def test_a_local_model_writes_and_an_off_topic_one_is_replaced_by_the_template(
    reference: Reference, passages: list[Passage], tmp_path: Path, tiny_llama: Path
) -> None:
    version = Version(style="qa", per_passage=1, writer=f"local:{tiny_llama}")
    good = ask(
        passages,
        version,
        reference,
        tmp_path / "a",
        "a@1",
        load=lambda base: ScriptedModel(lambda r, a: _telling(r)),
    )
    assert all(q.writer.startswith("local:") for q in good.questions)
    assert "template" not in good.note
    off = ScriptedModel(lambda rendered, adapter: "What is the weather like today?")
    bad = ask(passages, version, reference, tmp_path / "b", "a@1", load=lambda base: off)
    assert all(q.writer.startswith("template") for q in bad.questions)
    assert "template" in bad.note


def test_a_paid_writer_needs_a_cap_and_a_price(
    reference: Reference, passages: list[Passage], tmp_path: Path
) -> None:
    paid = Version(style="qa", writer="claude-haiku-4-5-20251001")
    with pytest.raises(
        ConfigurationError, match="a@1: writer claude-haiku-4-5-20251001 needs max_usd and price"
    ):
        ask(passages, paid, reference, tmp_path, "a@1")
    undated = paid.model_copy(
        update={"writer": "claude-haiku", "max_usd": 1.0, "price": Price(input=1.0, output=5.0)}
    )
    with pytest.raises(ConfigurationError, match="dated model"):
        ask(passages, undated, reference, tmp_path, "a@1")
    assert not list(tmp_path.iterdir())


def test_pairs_that_are_there_already_are_not_asked_for_again(
    reference: Reference, passages: list[Passage], tmp_path: Path
) -> None:
    rows = [
        {"prompt": "What of the tide?", "response": passages[0].text},
        {
            "prompt": "What of nothing here?",
            "response": "An answer that no book of this author holds at all, by me.",
        },
        {"prompt": "What of the held-out book?", "response": reference.heldout[0].text},
    ]
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    version = Version(style="qa", per_passage=2, pairs="pairs.jsonl")
    found = ask(passages, version, reference, tmp_path, "a@1")
    of_first = [q for q in found.questions if q.passage == passages[0].digest]
    assert [(q.text, q.writer) for q in of_first] == [("What of the tide?", "imported")]
    assert (found.imported, found.leaked) == (2, 1)
    alone = [p for p in found.passages if p.role == "imported"]
    assert [p.text for p in alone] == [rows[1]["response"]]
    assert len(found.questions) == 2 + 2 * (len(passages) - 1)
    with pytest.raises(ConfigurationError, match=r"pairs: gone.jsonl does not exist"):
        ask(passages, version.model_copy(update={"pairs": "gone.jsonl"}), reference, tmp_path, "a@1")
