from __future__ import annotations

import hashlib
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.text import (
    complete,
    count_words,
    cut_at_sentence,
    digest,
    normalise,
    sentence_ends,
    sentences,
    words,
)

PROSE = st.lists(
    st.sampled_from(
        ["The", "ship", "Mr.", "sank", "end.", "No!", "why?", "(so.)", "3.5", "U.", "\n\n", "it's"]
    )
).map(" ".join)


def test_words_keep_inner_apostrophes_and_drop_figures() -> None:
    assert words("The Nation’s 3 ships—don't_sink, 'tis 2nd Été!") == [
        "the", "nation's", "ships", "don't", "sink", "tis", "nd", "été",
    ]  # fmt: skip


@given(st.text())
def test_counting_words_is_the_length_of_the_list(text: str) -> None:
    assert count_words(text) == len(words(text))


def test_normalise_straightens_what_printers_bend() -> None:
    printed = "“It’s” a ﬁne co-\noperation — the eﬀort’s end\u00ad\ning, a well‐\nknown one"
    assert normalise(printed) == "\"It's\" a fine cooperation—the effort's ending, a wellknown one"


def test_normalise_joins_only_words_cut_at_the_end_of_a_line() -> None:
    assert normalise("Anglo-\nSaxon") == "Anglo-\nSaxon"
    assert normalise("well-known\nfact") == "well-known\nfact"
    assert normalise("1901-\nto") == "1901-\nto"


BENT = "aéS1 .,“”‘’–—―−‐‑‒ﬁﬀ\u00ad\u200b\n\t-½Å…|<>!\u0301\u00a0"
DASHED = st.lists(
    st.sampled_from(
        [
            *("law", "All", "18", "it's", "he said,", '"No!"', ".", " ", "  ", "\n"),
            *("--", "---", "----", " - ", " -- ", " – ", " — ", *"-–—―‐‑‒−"),
        ]
    )
).map("".join)


@given(st.text(alphabet=st.sampled_from(BENT)))
def test_nothing_bent_is_left(text: str) -> None:
    plain = normalise(text)
    assert not set(plain) & set("“”‘’‚‛„«»‐‑‒–―−\u00ad\u200bﬀﬁﬂﬃﬄﬅﬆ")
    assert unicodedata.is_normalized("NFKC", plain)


@given(st.one_of(st.text(), st.text(alphabet=st.sampled_from(BENT)), DASHED))
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(DASHED)
def test_dashes_never_change_the_words(text: str) -> None:
    unbroken = re.sub(r"(?<=\w)[-‐‑‒−]\s*\n", "- ", text)
    assert words(normalise(unbroken)) == words(unbroken)
    assert normalise(unbroken).count("\n") == unbroken.count("\n")


@pytest.mark.parametrize(
    ("printed", "plain"),
    [
        *((f"the law{dash}all these", "the law—all these") for dash in ("—", "―", "--", "---")),
        *((f"the law {dash} all", "the law—all") for dash in ("—", "―", "–", "--", "---")),
        ("the law, -- all", "the law,—all"),
        ("the law—\nall these", "the law—\nall these"),
        ("he said --\nand", "he said—\nand"),
        ('"Well--" he said--', '"Well—" he said—'),
        ("No!--And", "No!—And"),
        ("— Bonjour. — Oui, dit-il — non.", "— Bonjour. — Oui, dit-il—non."),
        ("– Guten Tag", "— Guten Tag"),
        ("Stop.\n-- Shakespeare", "Stop.\n— Shakespeare"),
        ("the Anglo–American, well‑known", "the Anglo-American, well-known"),
        ("1914--18, 1914–18, 1914‒18", "1914-18, 1914-18, 1914-18"),
        ("at −5 or –5 degrees", "at -5 or -5 degrees"),
    ],
)
def test_one_dash_and_one_hyphen(printed: str, plain: str) -> None:
    assert normalise(printed) == plain


@pytest.mark.parametrize(
    "text",
    [
        *("-----", "one ---- two", "Mr. ——— said", "- item\n- item", "a - b", "---\ntitle: x\n---"),
        *("| a | b |\n| --- | --- |", "<!-- note -->", "a --> b", "—", "--", "+--+--+"),
    ],
)
def test_rules_lists_and_tables_are_left_alone(text: str) -> None:
    assert normalise(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Mr. Taft met Gen. Wood. They spoke.", ["Mr. Taft met Gen. Wood.", "They spoke."]),
        ("It cost 3.5 dollars. No. 7 was dear.", ["It cost 3.5 dollars.", "No. 7 was dear."]),
        ('He said "Go." Then he went', ['He said "Go."', "Then he went"]),
        ("", []),
    ],
)
def test_sentences_by_rule(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_a_punkt_decides_where_one_is_given() -> None:
    class Halves:
        def tokenize(self, text: str) -> list[str]:
            return [text[:5], " ", text[5:]]

    assert sentences("One. Two.", Halves()) == ["One.", "Two."]


@given(PROSE)
def test_cutting_into_sentences_loses_no_word(text: str) -> None:
    assert [word for sentence in sentences(text) for word in words(sentence)] == words(text)


@given(PROSE)
def test_complete_is_idempotent_and_a_beginning(text: str) -> None:
    whole = complete(text)
    assert complete(whole) == whole
    assert text.strip().startswith(whole)
    assert not sentence_ends(text) or sentence_ends(whole)[-1] == len(whole)


def test_complete_drops_the_unfinished_end_only() -> None:
    assert complete("It was done. And then Mr.") == "It was done."
    assert complete("  no sentence ends here ") == "no sentence ends here"


def test_cut_at_sentence_keeps_whole_sentences_and_at_least_one() -> None:
    text = "One two three. Four five. Six seven eight nine."
    assert cut_at_sentence(text, 5) == "One two three. Four five."
    assert cut_at_sentence(text, 8) == "One two three. Four five."
    assert cut_at_sentence(text, 9) == text
    assert cut_at_sentence(text, 1) == "One two three."
    assert cut_at_sentence("", 5) == ""


@given(PROSE, st.integers(1, 30))
def test_cut_at_sentence_never_exceeds_its_size_but_for_one_sentence(text: str, size: int) -> None:
    cut = cut_at_sentence(text, size)
    whole = sentences(text)
    assert count_words(cut) <= size or cut == whole[0]
    assert words(text)[: count_words(cut)] == words(cut)


def test_digest_is_sha256_of_text_and_of_canonical_json() -> None:
    assert digest("abc") == hashlib.sha256(b"abc").hexdigest()
    assert digest({"b": 1, "a": [1, None]}) == hashlib.sha256(b'{"a":[1,null],"b":1}').hexdigest()
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest("abc", 8) == hashlib.sha256(b"abc").hexdigest()[:8]
    assert digest("\ud800")  # a lone surrogate, as broken model output can hold
