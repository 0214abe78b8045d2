from __future__ import annotations

import pytest

from harness.corpus.hyphens import Lexicon, join, lexicon


@pytest.mark.parametrize(
    ("before", "line", "whole"),
    [
        ("the govern-", "ment is", "the government is"),
        ("the gov-", "ernment’s men", "the government’s men"),
        ("in-", "commensurable", "incommensurable"),  # on no list: "commensurable" is no word alone
        ("the quater-", "nions", "the quaternions"),  # on no list, and no two words
        ("they hon-", "oured it", "they honoured it"),  # listed in American spelling
        ("the ﬁnan-", "cial", "the ﬁnancial"),
        ("GOVERN-", "MENT", "GOVERNMENT"),
        ("so much\u00ad", "ness", "so muchness"),
        ("a truth-", "value of", "a truth-value of"),
        ("the Anglo-", "Saxon", "the Anglo-Saxon"),
        ("the x-", "axis", "the x-axis"),
        ("a mother-in-", "law", "a mother-in-law"),
        ("day-to-", "day life", "day-to-day life"),  # though "today" is a word
        ("self-govern-", "ment", "self-government"),
        ("two-", "and threefold", "two- and threefold"),
        ("cat-", "and-mouse", "cat-and-mouse"),
        ("a thous-", "and men", "a thousand men"),
        ("in 1914-", "18 it", "in 1914-18 it"),
        ("the men—", "and women", "the men—and women"),
        ("he said--", "and went", "he said-- and went"),
        ("a plain", "line", "a plain line"),
    ],
)
def test_two_lines_as_one(before: str, line: str, whole: str) -> None:
    assert join(before, line, Lexicon()) == whole


def test_the_books_own_form_is_asked_first() -> None:
    assert Lexicon().mend("to", "day") == "joined"
    assert Lexicon({"to-day": 3, "today": 1}).mend("to", "day") == "kept"
    assert Lexicon({"to-day": 1, "today": 2}).mend("to", "day") == "joined"
    assert Lexicon({"macdonald": 1}).mend("Mac", "Donald") == "joined"


def test_the_book_is_counted_without_its_broken_words() -> None:
    known = lexicon([["The to-day of to-day, a well-", "known govern-", "ment", "law—all law"]])
    assert known.counts["to-day"] == 2
    assert known.counts["law"] == 2
    assert not {"known", "ment", "govern", "well", "well-known"} & {w for w, n in known.counts.items() if n}
    assert lexicon([["The quater-"], ["nions are"]]).counts["nions"] == 1  # a page break is not a line break


def test_a_language_without_a_list_has_the_books_words_only() -> None:
    assert Lexicon({"salt": 1, "vatn": 1}, "sq").mend("salt", "vatn") == "kept"
    assert Lexicon({"salt": 1}, "sq").mend("lýð", "veldi") == "joined"


def test_another_language_has_its_own_words() -> None:
    assert Lexicon({"est": 1, "il": 1}, "fr").mend("est", "il") == "kept"
    assert Lexicon({"hon": 1, "neurs": 1}, "fr").mend("hon", "neurs") == "joined"
    assert Lexicon({"hon": 1, "neurs": 1}, "en").mend("hon", "neurs") == "kept"
    assert Lexicon({}, "de").mend("Haupt", "und") == "hanging"


def test_compounds_are_one_word_where_a_language_writes_them_so() -> None:
    words = {"brunnen": 1, "gasse": 1, "kant": 1, "leser": 1}
    assert lexicon([["Brunnen Gasse"]], "de-AT").mend("Brunnen", "gasse") == "joined"
    assert Lexicon(words, "de").mend("Kant", "Leser") == "kept"
    assert Lexicon(words, "en").mend("brunnen", "gasse") == "kept"
