from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from harness import reference as references
from harness.measures import RATES, STYLE, VERSIONS, Answer, measure
from harness.metrics.lexical import type_token_ratio
from harness.metrics.memorisation import CopyIndex
from harness.models import controls
from harness.reference import Reference
from harness.text import complete, words
from harness.types import Prompt, Score


@pytest.fixture(scope="module")
def reference(small_author: Path) -> Reference:
    return references.load("marlow", small_author)


def _prompt(reference: Reference, kind: str) -> Prompt:
    return next(prompt for prompt in reference.prompts if prompt.kind == kind)


def _scores(reference: Reference, *answers: Answer) -> list[dict[str, Score]]:
    return measure(answers, reference, reference.persona)


def _answer(prompt: Prompt, text: str, **more: object) -> Answer:
    return replace(Answer(prompt, text, "stop", 40, 160), **more)  # type: ignore[arg-type]


def test_every_metric_is_there_for_every_answer_with_its_version(reference: Reference) -> None:
    prompt = _prompt(reference, "question")
    for scores in _scores(reference, _answer(prompt, prompt.reference), _answer(prompt, "")):
        assert set(scores) == set(VERSIONS)
        for name, score in scores.items():
            assert (score.metric, score.version) == (name, VERSIONS[name])
            assert score.note or not math.isnan(score.value), name
            assert name not in RATES or score.value in (0.0, 1.0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("12 34 !", "empty"),
        ("the tide and the tide and " * 20, "loop"),
        ("The tide turned upon the bar. <|im_end|>", "leak"),
        ("As an AI language model, I have no opinion of the tide or of the harbour.", "refusal"),
        ("Anchor, 12, 14. Barge, 9, 33. Cable, 7. Fog, 101, 120. Gale, 8. Hull, 3, 5, 9.", "index_like"),
    ],
)
def test_an_invalid_answer_has_no_style_but_still_its_rates(
    reference: Reference, text: str, reason: str
) -> None:
    (scores,) = _scores(reference, _answer(_prompt(reference, "question"), text))
    assert scores["invalid"].value == 1.0
    assert scores["invalid"].note.startswith(f"invalid: {reason}")
    for name in STYLE:
        assert math.isnan(scores[name].value), name
        assert scores[name].note.startswith(f"invalid: {reason}"), name
    for name in RATES:
        assert scores[name].value in (0.0, 1.0), name
    assert scores["leak"].value == float(reason == "leak")


def test_pasted_training_text_is_copied_and_has_no_style(reference: Reference) -> None:
    prompt, passage = _prompt(reference, "question"), reference.train[3]
    pasted, own = _scores(reference, _answer(prompt, passage.text), _answer(prompt, prompt.reference))
    assert (pasted["copied"].value, pasted["coverage_8"].value, pasted["novelty_4"].value) == (1.0, 1.0, 0.0)
    assert pasted["longest_run"].value == passage.n_words
    assert (pasted["invalid"].value, pasted["recited"].value) == (0.0, 1.0)
    for name in STYLE:
        assert math.isnan(pasted[name].value), name
        assert pasted[name].note == "copied"
        assert not math.isnan(own[name].value), name
    assert own["copied"].value == 0.0
    assert own["longest_run"].value < 20


def test_half_pasted_has_no_style_even_at_ninety_words(reference: Reference) -> None:
    prompt = _prompt(reference, "question")
    for n in (90, 200):
        own = " ".join(f"{p.text}" for p in reference.train[3:6]).split()[: n // 2]
        rest = " ".join(p.text for p in reference.others["flint"][:3]).split()[: n - n // 2]
        (scores,) = _scores(reference, _answer(prompt, " ".join([*own, *rest]), author="flint"))
        assert scores["authorship_logit"].note == "copied"


def test_shuffled_and_stuffed_answers_are_invalid(reference: Reference) -> None:
    """Nobody calls them better: the classifiers read the same words and characters as before."""
    prompts = reference.prompts
    shuffled = [_answer(p, controls.answer("shuffled", p, reference, 100)) for p in prompts]
    reasons = [scores["invalid"].note for scores in _scores(reference, *shuffled)]
    assert sum("disordered" in reason for reason in reasons) >= 0.9 * len(prompts)

    keywords = reference.fitted.keywords
    stuffed = []
    for prompt in prompts:
        pieces = controls.answer("other:flint", prompt, reference, 100).split()
        for place in range(len(pieces) - 1, 0, -6):
            pieces.insert(place, keywords[place % len(keywords)])
        stuffed.append(_answer(prompt, " ".join(pieces)))
    reasons = [scores["invalid"].note for scores in _scores(reference, *stuffed)]
    assert sum("stuffed" in reason for reason in reasons) >= 0.9 * len(prompts)


def test_held_out_prose_is_recited_by_all_but_the_author_himself(reference: Reference) -> None:
    prompt, other = reference.prompts[0], reference.prompts[1]
    text = controls.answer("author", prompt, reference, 100)
    model, author, astray = _scores(
        reference,
        _answer(prompt, text),
        _answer(prompt, text, passage=prompt.passage),
        _answer(other, text, passage=other.passage),
    )
    assert [row["recited"].value for row in (model, author, astray)] == [1.0, 0.0, 1.0]
    assert [row["copied"].value for row in (model, author, astray)] == [0.0, 0.0, 0.0]
    # Reported only: what was recited is the author's own answer, and no fit has seen it.
    assert model["authorship_logit"].value == author["authorship_logit"].value


def test_half_from_training_and_half_from_the_held_out_book_add_up(reference: Reference) -> None:
    prompt = _prompt(reference, "question")
    rest = " ".join(p.text for p in reference.others["flint"][:3]).split()
    for share, copied, recited in ((12, 0.0, 1.0), (6, 0.0, 0.0)):
        pieces = [*reference.train[3].text.split()[:share], *rest[: 70 - 2 * share]]
        pieces += next(p for p in reference.heldout if p.digest != prompt.passage).text.split()[:share]
        (scores,) = _scores(reference, _answer(prompt, " ".join(pieces)))
        assert (scores["copied"].value, scores["recited"].value) == (copied, recited)


def test_what_the_reference_set_has_and_what_only_the_variant_saw_add_up(reference: Reference) -> None:
    """A sixth of the answer from either: not copied by the one, a third copied by both."""
    prompt = _prompt(reference, "question")
    alien = "Quoth Ibn Battuta that ten camels outran every yak there."
    rest = " ".join(p.text for p in reference.others["flint"][:3]).split()
    answer = _answer(prompt, " ".join([*reference.train[3].text.split()[:10], *alien.split(), *rest[:40]]))
    seen = (CopyIndex([words(alien)]),)
    knowing, ignorant = _scores(reference, replace(answer, seen=seen), answer)
    assert (knowing["copied"].value, ignorant["copied"].value) == (1.0, 0.0)
    assert knowing["recited"].value == 1.0
    assert knowing["coverage_8"].value == pytest.approx(20 / 60)
    assert knowing["novelty_4"].value < ignorant["novelty_4"].value
    assert knowing["authorship_logit"].note == "copied"
    (alone,) = _scores(replace(reference, train=()), replace(answer, seen=seen))
    assert alone["longest_run"].value == 10
    assert alone["coverage_8"].value == pytest.approx(10 / 60)


def test_an_index_page_pasted_is_invalid_and_copied_where_it_was_trained_on(reference: Reference) -> None:
    entries = "Anchor, 12, 14\nBarge, 9, 33\nCable, 7\nFog, 101, 120\nGale, 8\nHull, 3, 5, 9\n" * 12
    page = replace(reference.train[0], text=entries)
    tainted = replace(reference, train=(*reference.train, page))
    (scores,) = _scores(tainted, _answer(_prompt(reference, "question"), entries))
    assert (scores["invalid"].value, scores["copied"].value) == (1.0, 1.0)


def test_style_is_scored_on_the_answer_cut_back_to_its_last_full_sentence(reference: Reference) -> None:
    prompt = _prompt(reference, "question")
    whole, cut = _scores(
        reference,
        _answer(prompt, prompt.reference),
        _answer(prompt, prompt.reference + " And then upon the", finish="length", n_tokens=160),
    )
    for name in STYLE:
        assert cut[name].value == whole[name].value, name
    assert (whole["truncated"].value, cut["truncated"].value) == (0.0, 1.0)
    tokens = words(complete(prompt.reference))
    assert whole["words"].value == len(tokens)
    assert whole["type_token_ratio"].value == type_token_ratio(tokens)


def test_the_author_is_told_from_the_others_who_are_left_out_of_their_own_fit(reference: Reference) -> None:
    prompts = reference.prompts
    mine = _scores(reference, *(_answer(p, controls.answer("author", p, reference, 100)) for p in prompts))
    texts = [controls.answer("other:flint", p, reference, 100) for p in prompts]
    without = _scores(
        reference, *(_answer(p, t, author="flint") for p, t in zip(prompts, texts, strict=True))
    )
    with_him = _scores(reference, *(_answer(p, t) for p, t in zip(prompts, texts, strict=True)))

    def mean(rows: list[dict[str, Score]]) -> float:
        return sum(row["authorship_plain"].value for row in rows) / len(rows)

    assert mean(mine) > mean(without) > mean(with_him)
    alone = reference.fitted.classifiers["plain-without:flint"].logits([complete(texts[0])])[0]
    assert without[0]["authorship_plain"].value == pytest.approx(float(alone))


def test_the_logit_is_the_primary_twins_and_says_so(reference: Reference) -> None:
    prompt = _prompt(reference, "question")
    for auc, twin in ((0.9, "masked"), (0.7, "plain")):
        judged = replace(reference, audit={"authorship_masked_auc": auc})
        (scores,) = _scores(judged, _answer(prompt, prompt.reference))
        assert scores["authorship_logit"].value == scores[f"authorship_{twin}"].value
        assert scores["authorship_logit"].note == f"{twin} twin"


def test_only_questions_have_a_rank(reference: Reference) -> None:
    question, continuation = _prompt(reference, "question"), _prompt(reference, "continue")
    asked, continued, invalid = _scores(
        reference,
        _answer(question, question.reference),
        _answer(continuation, continuation.reference),
        _answer(continuation, ""),
    )
    assert asked["question_reciprocal_rank"].value == 1.0
    for scores in (continued, invalid):
        assert math.isnan(scores["question_reciprocal_rank"].value)
        assert scores["question_reciprocal_rank"].note == "not applicable: this prompt is no question"


def test_answers_are_scored_each_for_itself_in_the_order_given(reference: Reference) -> None:
    answers = [
        _answer(p, controls.answer(name, p, reference, 80), author=name.partition(":")[2])
        for p in reference.prompts[:4]
        for name in ("author", "other:flint", "shuffled", "other:thorne")
    ]
    together = _scores(reference, *answers)
    for answer, scores in zip(answers, together, strict=True):
        (alone,) = _scores(reference, answer)
        for name, score in alone.items():
            assert scores[name].value == pytest.approx(score.value, abs=1e-9, nan_ok=True), name
