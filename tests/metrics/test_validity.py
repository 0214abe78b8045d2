import math

import pytest

from harness.metrics import validity

PROSE = (
    "In the fiscal year ended June 30, 1907, the receipts were $663,140,334, and the expenditures, "
    "$578,903,748; in 1906, 1905, and 1904 they had been smaller. On December 3, 1907, the Congress met. "
    "There were 1,200 ships of 100 tons, 340 of 200, and 12 of 1,000, and no nation has more. We should, "
    "therefore, at the end of 1908, have 29 battleships, 12 cruisers, and 48 destroyers in the fleet."
)
INDEX = (
    "Railroads, 12, 14, 33-35\n  regulation of, 40, 122 ff.\nRebates, 40\nRoosevelt, Theodore, 1, 5-9\n"
    "Russia, 77. See also Portsmouth, treaty of\nSenate, 3, 19, 101-4\nTrusts, 8, 61; control of, 64, 70"
)
CONTENTS = (
    "CONTENTS\nI. The Strenuous Life 1\nII. Expansion and Peace 23\nIII. Latitude and Longitude 41\n"
    "IV. Fellow-Feeling as a Political Factor 71\nV. Civic Helpfulness 91\nVI. Character and Success 113"
)
LEADERS = "The Strenuous Life . . . . . 1 Expansion . . . . . . 23 Latitude ........ 41 Feeling . . . . . 71"


def check(text: str, **changes: object) -> validity.Validity:
    settings: dict[str, object] = {
        "kind": "question",
        "prompt": "What did the President say about the navy?",
        "system_prompt": "You are a statesman who answers every question at length and in plain words.",
        "finish": "stop",
        "n_tokens": 90,
        "max_tokens": 160,
    }
    return validity.check_validity(text, **(settings | changes))  # type: ignore[arg-type]


def test_honest_prose_is_valid() -> None:
    verdict = check(PROSE)
    assert verdict == validity.Validity(
        invalid=False, reasons=(), truncated=False, mid_sentence_start=False, short=False
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (" \n 12. --", "empty"),
        ("We must build ships and more ships. " * 12, "loop"),
        (PROSE + "<|im_start|>user", "leak"),
        ("assistant\n" + PROSE, "leak"),
        ("**User:** " + PROSE, "leak"),
        ("Let me plan.</think>" + PROSE, "leak"),
        ("Cutting Knowledge Date: December 2023. " + PROSE, "leak"),
        ("You are a statesman who answers every question at length! " + PROSE, "echo"),
        ("What did the President say about the navy? " + PROSE, "echo"),
        ("I'm sorry, but I can’t do that for you at the present time.", "refusal"),
        ("As an AI language model, I have no opinions on the navy.", "refusal"),
        (INDEX, "index_like"),
        ("Il faut construire des navires et encore des navires car la mer est grande et belle pour "
         "les nations qui savent la tenir avec honneur.", "wrong_language"),
    ],
)  # fmt: skip
def test_each_fault_is_named(text: str, reason: str) -> None:
    verdict = check(text)
    assert verdict.invalid
    assert reason in verdict.reasons
    assert reason == "index_like" or verdict.reasons == (reason,)


def test_rates_do_not_invalidate() -> None:
    verdict = check("and so we build.", finish="length")
    assert not verdict.invalid
    assert (verdict.truncated, verdict.mid_sentence_start, verdict.short) == (True, True, True)
    assert not check("and so we build.", kind="continue").mid_sentence_start
    assert check("So we build.", n_tokens=160).truncated


def test_other_languages_are_not_judged() -> None:
    french = "Il faut construire des navires et encore des navires car la mer est grande et belle. " * 2
    assert validity.is_wrong_language(french)
    assert not check(french, language="fr").reasons.count("wrong_language")
    assert not validity.is_wrong_language("Il faut construire des navires.")


def test_repetition_and_compression() -> None:
    assert validity.seq_rep(["a", "b", "a", "b", "a", "b"], 2) == pytest.approx(0.6)
    assert math.isnan(validity.seq_rep(["a"], 2))
    assert validity.compression_ratio("the ship " * 100) > 5 > validity.compression_ratio(PROSE) > 1
    assert math.isnan(validity.compression_ratio(""))


def test_a_few_entries_are_a_contents_page_where_dots_lead_to_the_numbers() -> None:
    assert validity.index_like("Bibliography . . . . . . . . . 61\nIndex . . . . . . . . . 62")
    assert validity.index_like("The Tariff and the Trusts of our Time . . . . . . 7")
    assert not validity.index_like(
        "He counted the men . . . . 14 of them had come home, and nobody asked for more."
    )


def test_reasons_that_a_reference_set_tells_come_last() -> None:
    assert check(PROSE, also=("disordered",)).reasons == ("disordered",)
    assert check(PROSE, also=("disordered",)).invalid
    assert check("<|im_end|> " + PROSE, also=("stuffed",)).reasons == ("leak", "stuffed")
    assert check("", also=("stuffed",)).reasons == ("empty",)


@pytest.mark.parametrize("text", [INDEX, CONTENTS, LEADERS])
def test_index_and_contents_with_and_without_line_breaks(text: str) -> None:
    assert validity.index_like(text)
    assert validity.index_like(" ".join(text.split()))


@pytest.mark.parametrize(
    "text",
    [
        PROSE,
        "",
        "Railroads, 12, 14.",
        "He waited . . . and in 1905 . . . he went; 12 years . . . 14 years . . . all in vain.",
        "Chapter 12\nIn which we are told of a voyage\nthat began in 1901\nand did not end until 1905\n"
        "when the ship was at last found again\nby those who had sought it for 4 years\nand had lost hope.",
    ],
)
def test_prose_with_numbers_is_not_an_index(text: str) -> None:
    assert not validity.index_like(text)
    assert not validity.index_like(" ".join(text.split()))


def test_phrases_of_older_prose_are_no_refusal() -> None:
    for text in ("I cannot help thinking so.", "I am afraid that I was wrong.", "I am a model of patience."):
        assert not validity.is_refusal(text)
    assert not validity.is_leak("The system of the user is human; a < b > c.")
    assert validity.is_echo("a b c d e f g h", "x A, b c d e f g h.")
    assert not validity.is_echo("a b c d e f g", "a b c d e f g")
