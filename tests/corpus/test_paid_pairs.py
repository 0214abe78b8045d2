from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from harness.corpus.imports import conversations
from harness.corpus.leakage import shared_ngrams
from harness.corpus.paid_pairs import IMPORTED, AlignedPair, QaPair, align_pairs, pairs_of
from harness.text import digest
from harness.types import Passage

DRAW = random.Random(0)
WORDS = ["".join(DRAW.choices("abcdefghijklmnop", k=5)) for _ in range(600)]


def book(name: str, seed: int, n: int) -> list[Passage]:
    draw = random.Random(seed)
    texts = [" ".join(draw.choices(WORDS, k=60)) for _ in range(n)]
    return [Passage(name, place, "body", text, 60, digest(text, 16)) for place, text in enumerate(texts)]


TRAIN, HELDOUT = book("train", 1, 20), book("heldout", 2, 5)


def cut(text: str, start: int, end: int) -> str:
    return " ".join(text.split()[start:end])


def test_an_old_chunk_goes_with_the_passage_it_overlaps_most() -> None:
    across = f"{cut(TRAIN[3].text, 40, 60)} {cut(TRAIN[4].text, 0, 45)}"
    found = align_pairs([QaPair("Why?", across)], TRAIN, HELDOUT)
    (aligned,) = found.kept
    assert (aligned.passage, aligned.paid) == (TRAIN[4].digest, True)
    assert 38 / 58 <= aligned.share <= 38 / 53
    (question,) = found.questions()
    assert (question.passage, question.text, question.writer) == (TRAIN[4].digest, "Why?", IMPORTED)


def test_case_and_punctuation_do_not_hide_the_passage() -> None:
    shouted = TRAIN[7].text.upper().replace(" ", ", ") + "!"
    assert align_pairs([QaPair("Why?", shouted)], TRAIN, HELDOUT).kept[0].passage == TRAIN[7].digest


def test_what_holds_held_out_text_is_dropped_on_either_side() -> None:
    thirteen, twelve = cut(HELDOUT[1].text, 5, 18), cut(HELDOUT[1].text, 5, 17)
    seam = f"{cut(HELDOUT[1].text, 54, 60)} {cut(HELDOUT[2].text, 0, 7)}"
    guilty = [
        QaPair("Why?", f"{cut(TRAIN[0].text, 0, 50)} {thirteen}"),
        QaPair(f"Why is it that {thirteen}?", TRAIN[1].text),
        QaPair("How?", seam),
    ]
    fine = [QaPair("Why?", f"{TRAIN[2].text} {twelve}"), QaPair("Who?", TRAIN[0].text)]
    found = align_pairs([*guilty, *fine], TRAIN, HELDOUT)
    assert found.dropped == tuple(guilty)
    assert [each.pair for each in found.kept] == fine
    assert thirteen in found.examples


def test_held_out_text_with_words_changed_is_dropped_on_either_side() -> None:
    changed = " ".join("other" if n % 11 == 10 else w for n, w in enumerate(HELDOUT[3].text.split()))
    half = [Passage("x", 0, "body", changed, 60, "")]
    assert shared_ngrams(half, HELDOUT).shared == 0
    guilty = [QaPair("Why?", changed), QaPair(f"Why is it that {changed}?", TRAIN[1].text)]
    fine = QaPair("Who?", TRAIN[0].text)
    found = align_pairs([*guilty, fine], TRAIN, HELDOUT)
    assert found.dropped == tuple(guilty)
    assert [each.pair for each in found.kept] == [fine]


def test_words_that_only_question_and_answer_together_make_are_no_quotation() -> None:
    pair = QaPair(cut(HELDOUT[0].text, 0, 8), cut(HELDOUT[0].text, 8, 16))
    assert align_pairs([pair], TRAIN, HELDOUT).dropped == ()


def test_an_answer_from_elsewhere_is_kept_on_its_own() -> None:
    strange = book("other", 3, 1)[0].text
    found = align_pairs([QaPair("Why?", strange), QaPair("Why?", "Because.")], TRAIN, HELDOUT)
    assert [each.passage for each in found.kept] == ["", ""]
    assert (found.questions(), [pair.answer for pair in found.on_their_own()]) == ([], [strange, "Because."])


def test_pairs_are_the_first_exchange_of_a_conversation() -> None:
    row = {
        "conversations": [{"from": who, "value": f"{who} {n}"} for n in (1, 2) for who in ("human", "gpt")]
    }
    row["conversations"].insert(0, {"from": "system", "value": "Be brief."})
    assert pairs_of(conversations([row]).conversations) == [QaPair("human 1", "gpt 1")]


PIECES = st.tuples(st.sampled_from([*TRAIN, *HELDOUT]), st.integers(0, 50), st.integers(1, 60))


@given(st.lists(st.lists(PIECES, min_size=1, max_size=3), max_size=6))
def test_pairs_are_partitioned_and_no_held_out_text_is_left(
    drawn: list[list[tuple[Passage, int, int]]],
) -> None:
    answers = [" ".join(cut(each.text, start, start + n) for each, start, n in pieces) for pieces in drawn]
    pairs = [QaPair(f"Question {n}?", answer) for n, answer in enumerate(answers)]
    found = align_pairs(pairs, TRAIN, HELDOUT)
    kept = {each.pair for each in found.kept}
    assert kept | set(found.dropped) == set(pairs)
    assert len(found.kept) + len(found.dropped) == len(pairs)
    left = [Passage("x", 0, "body", pair.answer, 1, "") for pair in kept]
    assert shared_ngrams(left, HELDOUT).shared == 0
    assert all(isinstance(each, AlignedPair) and each.paid for each in found.kept)
