from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence

import pytest

from harness.corpus.leakage import shared_ngrams
from harness.corpus.near_duplicates import near_duplicates
from harness.types import Passage

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def _tokens(n: int, seed: int, types: int = 3000) -> list[str]:
    """Words drawn with Zipf's frequencies, so that common words stand everywhere."""
    drawn = random.Random(seed)
    ranks = drawn.choices(range(1, types), [1 / rank for rank in range(1, types)], k=n)
    return [f"w{LETTERS[r // 676 % 26]}{LETTERS[r // 26 % 26]}{LETTERS[r % 26]}" for r in ranks]


def _passage(tokens: Sequence[str], ordinal: int, book: str = "train") -> Passage:
    return Passage(book, ordinal, "body", " ".join(tokens), len(tokens), f"{book}-{ordinal}")


def _passages(n: int, seed: int, book: str = "train") -> list[Passage]:
    return [_passage(_tokens(150, seed * 10_000 + at), at, book) for at in range(n)]


def _changed(tokens: Sequence[str], every: int) -> list[str]:
    return [f"{word}zz" if at % every == every - 1 else word for at, word in enumerate(tokens)]


HELDOUT = _passages(12, 1, "heldout")
TRAIN = _passages(60, 2)


def test_a_quotation_that_no_thirteen_words_show_is_found_and_dropped_from_train() -> None:
    quoted = _changed(HELDOUT[4].text.split()[30:110], every=12)
    tokens = TRAIN[7].text.split()
    spoilt = _passage([*tokens[:35], *quoted, *tokens[35:70]], 7)
    train = [*TRAIN[:7], spoilt, *TRAIN[8:]]
    assert shared_ngrams(train, HELDOUT).shared == 0
    report = near_duplicates(train, HELDOUT)
    assert report.dropped == (spoilt,)
    assert report.kept == (*TRAIN[:7], *TRAIN[8:])
    (pair,) = report.pairs
    assert (pair.train, pair.heldout, pair.kind) == (spoilt, HELDOUT[4], "quotation")
    assert 0.5 <= pair.similarity < 1
    assert pair.excerpt in spoilt.text


def test_a_reprinted_chapter_is_found_passage_by_passage_with_its_exact_jaccard() -> None:
    reprint = [_passage(_changed(p.text.split(), every=30), 100 + n) for n, p in enumerate(HELDOUT)]
    report = near_duplicates([*TRAIN, *reprint], HELDOUT)
    assert report.dropped == tuple(reprint)
    assert report.kept == tuple(TRAIN)
    found = {(pair.train.ordinal - 100, pair.heldout.ordinal) for pair in report.pairs}
    assert {(n, n) for n in range(12)} <= found
    assert len(report.examples) == 3
    assert len({pair.train.digest for pair in report.examples}) == 3
    facts = json.loads(json.dumps(report.facts()))
    assert (facts["dropped"], facts["pairs"], len(facts["examples"])) == (12, len(report.pairs), 3)
    assert facts["examples"][0]["heldout"] == "heldout"
    one = near_duplicates([_passage(_changed(HELDOUT[0].text.split(), every=150), 1)], HELDOUT[:1]).pairs[0]
    assert one.similarity == 1.0
    whole = near_duplicates([reprint[0]], [_passage(HELDOUT[0].text.split()[::-1], 3), HELDOUT[0]], 0.7).pairs
    assert [pair.heldout for pair in whole] == [HELDOUT[0]]


def test_jaccard_and_containment_are_verified_on_the_words() -> None:
    """20 words, the last one changed: 15 of 16 shingles shared, 17 in all; the window's share is 15 / 16."""
    text = [f"only{LETTERS[n]}" for n in range(20)]
    report = near_duplicates([_passage([*text[:-1], "other"], 0)], [_passage(text, 0, "heldout")])
    (pair,) = report.pairs
    assert pair.similarity == pytest.approx(15 / 16)
    assert (
        near_duplicates([_passage([*text[:-1], "other"], 0)], [_passage(text, 0, "heldout")], 0.95).pairs
        == ()
    )


def test_common_words_and_short_texts_are_no_evidence() -> None:
    short = Passage("train", 99, "body", "To be, or not to be: that is the question.", 10, "short")
    report = near_duplicates([*TRAIN, short], [*HELDOUT, _passage(short.text.split(), 99, "heldout")])
    assert report.pairs == ()
    assert report.kept == (*TRAIN, short)


def test_a_quotation_over_the_cut_of_two_heldout_passages_is_found() -> None:
    quoted = [*HELDOUT[2].text.split()[-30:], *HELDOUT[3].text.split()[:30]]
    spoilt = _passage(_changed([*quoted], every=12), 7)
    assert near_duplicates([spoilt], HELDOUT).dropped == (spoilt,)
    assert near_duplicates([spoilt], [HELDOUT[2], HELDOUT[5]]).pairs == ()


@pytest.mark.parametrize("offset", range(0, 20, 3))
def test_wherever_it_stands_a_quotation_of_sixty_words_with_every_eleventh_changed_is_found(
    offset: int,
) -> None:
    quoted = _changed(HELDOUT[1].text.split()[offset : offset + 60], every=11)
    spoilt = _passage([*TRAIN[0].text.split()[: 40 + offset], *quoted, *TRAIN[0].text.split()[90:]], 0)
    assert near_duplicates([spoilt, *TRAIN[1:]], HELDOUT).dropped == (spoilt,)


def test_a_train_window_is_verified_against_the_text_around_its_match() -> None:
    """The train window stands five words off every held-out window, and yet all of it is held-out text."""
    quoted = HELDOUT[0].text.split()[5:65]
    spoilt = _passage([*TRAIN[0].text.split()[:40], *quoted, *TRAIN[0].text.split()[40:80]], 0)
    assert max(pair.similarity for pair in near_duplicates([spoilt], HELDOUT).pairs) == 1.0


def test_nothing_to_compare_is_nothing_found() -> None:
    assert near_duplicates([], HELDOUT).kept == ()
    assert near_duplicates(TRAIN, []).kept == tuple(TRAIN)
    with pytest.raises(ValueError, match="threshold"):
        near_duplicates(TRAIN, HELDOUT, 0)


def test_a_hundred_thousand_words_take_seconds() -> None:
    train = _passages(667, 3)
    started = time.perf_counter()
    near_duplicates(train, HELDOUT)
    assert time.perf_counter() - started < 15
