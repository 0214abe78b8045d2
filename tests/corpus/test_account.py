from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.corpus.account import Tokenizer, account
from harness.types import Passage, Split

QUOTED = "one two three four five six seven eight nine ten eleven twelve thirteen"


def _passage(ordinal: int, split: Split, text: str = "", role: str = "body", book: str = "tides") -> Passage:
    said = text or " ".join(["word"] * (ordinal + 1))
    return Passage(book, ordinal, role, said, len(said.split()), f"{book}{ordinal}", split)


def _manifest(version: int, keep: str, parent: int | None) -> dict[str, Any]:
    return {
        "name": "marlow",
        "version": version,
        "digest": "d",
        "style": "completion",
        "settings": {"keep": keep, "words": 100},
        "parent": parent,
        "books": {"tides": "a" * 64, "harbours": "b" * 64},
        "heldout_book": "harbours",
        "pages": {"tides": {"body": 10, "index": 3, "title": 1}, "bars": {"body": 2, "index": 1}},
        "leakage": {"shared_13grams": 17, "dropped": 1, "examples": ["no lantern hung"], "left": 0},
        "reference": "r",
        "run": "run-1",
    }


PASSAGES = [
    *(_passage(n, "train") for n in range(4)),
    _passage(4, "train", role="index"),
    _passage(9, "validation"),
    _passage(7, "guard"),
    _passage(0, "heldout", f"{QUOTED}.", book="harbours"),
]


def _values(section: str, *given: Any, **named: Any) -> dict[str, str]:
    return {line.what: line.value for line in account(*given, **named) if line.section == section}


def test_books_pages_and_passages() -> None:
    body = _manifest(2, "body", 1)
    assert _values("books", body, PASSAGES) == {
        "harbours": f"held out; sha256 {'b' * 12}",
        "tides": f"6 passages, 25 words; sha256 {'a' * 12}",
    }
    assert _values("pages", body, PASSAGES) == {
        "bars": "kept 2 body; dropped 1 index",
        "tides": "kept 10 body; dropped 4 (3 index, 1 title)",
        "all": "kept 12 body; dropped 5 (4 index, 1 title)",
    }
    everything = _values("pages", _manifest(1, "everything", None), PASSAGES)
    assert everything["bars"] == "kept 3 (2 body, 1 index); dropped 0"
    assert _values("passages", body, PASSAGES) == {
        "train": "5 (4 body, 1 index), 15 words",
        "validation": "1 body, 10 words",
        "guard": "1 body, 8 words",
        "heldout": "1 body, 13 words",
    }


def test_the_leakage_proof_is_of_the_table_and_not_of_the_manifest() -> None:
    clean = _values("leakage", _manifest(1, "body", None), PASSAGES)
    assert clean["when built"] == "shared 13-grams 17, passages dropped for them 1, left 0"
    assert clean["example"] == '"no lantern hung"'
    assert clean["checked now"].startswith("shared 13-grams 0, of 6 passages with 1 held-out")
    spoilt = [*PASSAGES, _passage(20, "train", f"He said: {QUOTED.upper()}!")]
    now = _values("leakage", _manifest(1, "body", None), spoilt)["checked now"]
    assert now.startswith("shared 13-grams 1, of 7")


def test_near_duplicates_are_shown_where_the_manifest_has_them() -> None:
    pair = {"kind": "quotation", "similarity": 0.62, "train": "tides", "heldout": "h", "excerpt": "no lamp"}
    found = {"threshold": 0.5, "pairs": 4, "dropped": 3, "examples": [pair]}
    shown = _values("leakage", _manifest(1, "body", None) | {"near_duplicates": found}, PASSAGES)
    assert shown["near-duplicates"] == "pairs 4, passages dropped 3"
    assert shown["quotation"] == '0.62 tides: "no lamp"'
    assert "near-duplicates" not in _values("leakage", _manifest(1, "body", None), PASSAGES)


def test_tokens_are_counted_only_with_a_tokenizer() -> None:
    def two_a_word(texts: Sequence[str]) -> list[int]:
        return [2 * len(text.split()) for text in texts]

    assert _values("tokens", _manifest(1, "body", None), PASSAGES) == {}
    counted = _values("tokens", _manifest(1, "body", None), PASSAGES, tokenizer=Tokenizer("toy", two_a_word))
    assert counted["toy"] == "50 in all; a passage 2 to 20, median 7, 95 % at most 18"
    assert counted["a word"] == "2.00 tokens"


def test_lineage_says_what_each_step_changed_and_settings_are_whole() -> None:
    first, second = _manifest(1, "everything", None), _manifest(2, "body", 1)
    third = _manifest(3, "body", 2) | {"settings": {"keep": "body", "words": 90}}
    assert _values("lineage", third, PASSAGES, [second, first]) == {
        "from marlow@2": "words: 100 -> 90",
        "from marlow@1": "keep: everything -> body",
    }
    assert _values("lineage", first, PASSAGES) == {"from": "the books"}
    assert _values("settings", third, PASSAGES) == {"keep": "body", "words": "90"}


def test_a_held_out_block_and_a_background_are_told() -> None:
    manifest = _manifest(1, "body", None) | {"heldout_book": "tides", "heldout_block": 3, "background": True}
    lines = account(manifest, [_passage(n, "train") for n in range(3)])
    value = {(line.section, line.what): line.value for line in lines}
    assert value["books", "tides"].startswith("block 3 held out; 3 passages, 6 words")
    assert value["corpus", "other authors"].endswith("easy negatives: optimistic")
    assert ("corpus", "other authors") not in {
        (line.section, line.what) for line in account(_manifest(1, "body", None), [])
    }


def test_questions_say_who_asked_and_how_well() -> None:
    facts = {
        "questions": 280, "asked": 140, "writer": "local:tiny", "imported": 3, "leaked": 1, "note": "79%",
    }  # fmt: skip
    assert _values("questions", _manifest(2, "body", 1) | {"questions": facts}, PASSAGES) == {
        "asked": "280 on 140 passages",
        "writer": "local:tiny",
        "imported": "3; 1 dropped as held out",
        "note": "79%",
    }
    assert _values("questions", _manifest(2, "body", 1), PASSAGES) == {}
