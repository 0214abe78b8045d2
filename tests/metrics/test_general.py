from __future__ import annotations

import pytest

from harness.metrics.general import (
    Check,
    Met,
    has_analogy,
    has_items,
    has_length,
    has_line_in,
    has_list,
    has_list_of,
    in_language,
    is_letter,
    is_no_loop,
    is_one_paragraph,
    language_of,
    mentions,
    no_system_text,
    share_passed,
)

SWEDISH = "Boken ligger på bordet, och jag ska läsa den när jag kommer hem."
NORWEGIAN = "Boken ligger på bordet, og jeg skal lese den når jeg kommer hjem."
DANISH = "Bogen ligger på bordet, og jeg skal læse den, når jeg kommer hjem."
PERSONA = "You write as Ellis Marlow, in the first person, plainly."


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The book is on the table, and I will read it when I come home.", "en"),
        ("- 200 g of pasta\n- a clove of garlic\n- some oil", "en"),
        (SWEDISH, "sv"),
        (NORWEGIAN, "no"),
        (DANISH, "no"),
        ("Han var inte där, men hon ville vänta på honom till kvällen.", "sv"),
        ("Le livre est sur la table, et je le lirai quand je rentrerai chez moi ce soir.", ""),
        ("Das Buch liegt auf dem Tisch, und ich werde es lesen, wenn ich nach Hause komme.", ""),
        ("", ""),
        ("12 34", ""),
    ],
)
def test_a_language_is_known_by_its_function_words(text: str, language: str) -> None:
    assert language_of(text) == language


def test_the_wrong_language_is_named() -> None:
    assert in_language(SWEDISH, "sv") == Check("language", True)
    assert in_language(SWEDISH, "en") == Check("language", False, "sv, not en")
    assert in_language("zzz", "en").reason == "no known language, not en"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (SWEDISH, True),
        (f"Here is the translation of what you wrote:\n\n{SWEDISH}", True),
        (f"This is what it would be in the language you asked for: {SWEDISH}", True),
        (NORWEGIAN, False),
        ("The book is on the table.", False),
        ("den och på", False),
    ],
)
def test_a_translation_may_be_introduced(text: str, found: bool) -> None:
    assert has_line_in(text, "sv").passed is found


def test_lists_are_counted_exactly_and_the_reason_says_what_was_found() -> None:
    recipe = "- a\n- b\n\n1. boil\n2. eat\n3. wash"
    assert has_list_of(recipe, 2).passed
    assert has_list_of(recipe, 3).passed
    assert has_list_of(recipe, 5) == Check("items", False, "lists of 2, 3, not of 5")
    assert has_list_of("none", 2).reason == "no list, not of 2"
    assert has_items("- Pros:\n  - a\n  - b\n- Cons:\n  - c\n  - d", 4).passed
    assert (has_list("- a").passed, has_list("a").reason) == (True, "none")
    assert has_items("- a", 4) == Check("items", False, "1 list items, not 4")


def test_a_paragraph_is_one_and_no_list() -> None:
    assert is_one_paragraph("\nOne line.\nAnd its end.\n").passed
    assert is_one_paragraph("One.\n\nTwo.").reason == "2 paragraphs"
    assert is_one_paragraph("- One.").reason == "a list"
    assert not is_one_paragraph("").passed


def test_length_is_in_words_and_both_ends_count() -> None:
    assert [has_length("a b c", low, high).passed for low, high in ((3, 3), (4, 9), (1, 2))] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Subject: x\n\nHi Anna,\n\nLet us meet.\n\nKind regards,\nSam", ""),
        ("Dear all,\nLet us meet.\nThank you!", ""),
        ("**Hello Anna,**\nLet us meet.\nBest, Sam", ""),
        ("Let us meet.\nBest, Sam", "no greeting"),
        ("Hi Anna, let us meet.", "no closing line"),
        ("Thanks.\nHi Anna, let us meet.", "no closing line"),
        ("History was made.\nBestow it.", "no greeting"),
    ],
)
def test_a_letter_greets_and_takes_leave(text: str, reason: str) -> None:
    assert is_letter(text) == Check("letter", not reason, reason)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It is like a student.", True),
        ("Imagine a map.", True),
        ("It is similar to cramming.", True),
        ("It fails on similar data, and is likely wrong. I like it.", False),
    ],
)
def test_an_analogy_is_opened_by_a_phrase(text: str, found: bool) -> None:
    assert has_analogy(text).passed is found


def test_a_topic_needs_a_stem_of_every_group_at_the_beginning_of_a_word() -> None:
    groups = [("tea",), ("coffee", "espresso")]
    assert mentions("Teas, and an espresso", groups, "topic") == Check("topic", True)
    assert mentions("Instead, coffee", groups, "topic") == Check("topic", False, "nothing like tea")
    assert mentions("", groups, "topic").reason == "nothing like tea, coffee"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("In the first person, plainly.", ""),
        ("I am Ellis Marlow, and I have read of it.", "names Ellis Marlow"),
        ("Marlow, Ellis", ""),
        ("You write as him in short. So: in the first person.", ""),
        ("Write as Ellis, Marlow in the first person", "repeats the persona"),
        ("Fine.<|im_end|>", "special tokens or a role word"),
        ("Assistant: Fine.", "special tokens or a role word"),
    ],
)
def test_what_is_left_of_persona_and_template_shows(text: str, reason: str) -> None:
    author = "" if reason == "repeats the persona" else "Ellis Marlow"
    assert no_system_text(text, PERSONA, author) == Check("system_text", not reason, reason)


def test_a_short_persona_counts_whole_and_a_tiny_one_not_at_all() -> None:
    assert not no_system_text("Well: you write as Marlow writes", "You write as Marlow").passed
    assert no_system_text("Be brief is good advice", "Be brief").passed
    assert no_system_text("Marlow", "", "Marlow").passed


def test_a_loop_is_no_answer() -> None:
    assert not is_no_loop("the tide and the tide and " * 20).passed
    assert is_no_loop("The tide turned.").passed


def test_the_share_counts_the_topic_and_is_nothing_off_it() -> None:
    good, bad = Check("a", True), Check("b", False, "too long")
    topic = Check("topic", True)
    assert share_passed(topic, [good, bad, bad]) == Met(0.5, "failed: b (too long); b (too long)")
    assert share_passed(topic, [good]) == Met(1.0, "")
    assert share_passed(Check("topic", False, "nothing like tea"), [good]) == Met(
        0.0, "off topic: nothing like tea"
    )
