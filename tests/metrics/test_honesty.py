import random
from dataclasses import replace

import pytest

from harness.metrics.honesty import FORCED_ALLOWANCE, Honest, is_disordered, is_stuffed
from harness.metrics.order import OrderReference
from harness.text import words

DRAW = random.Random(7)
SUBJECTS = ["the old pilot", "a grey ferry", "the harbour master", "every patient gull", "the last lantern"]
VERBS = ["crossed", "watched over", "remembered", "came back to", "lay beside"]
PLACES = ["the bar", "a windward shore", "the narrow sound", "some distant quay", "the ruined wharf"]
KEYWORDS = ("tariff", "railways")


def _prose(n: int, draw: random.Random = DRAW) -> str:
    return " ".join(
        f"{draw.choice(SUBJECTS).capitalize()} {draw.choice(VERBS)} {draw.choice(PLACES)}." for _ in range(n)
    )


def _stuffed(text: str, every: int) -> list[str]:
    tokens = words(text)
    for place in range(len(tokens) - 1, 0, -every):
        tokens.insert(place, KEYWORDS[place % 2])
    return tokens


@pytest.fixture(scope="module")
def order() -> OrderReference:
    # Keywords are known words that stand where they belong: before and after words of their own.
    return OrderReference.fit([*(_prose(12) for _ in range(40)), "on tariff matters of railways policy"])


@pytest.fixture(scope="module")
def honest(order: OrderReference) -> Honest:
    return Honest.fit([([_prose(12) for _ in range(150)], order)], KEYWORDS)


def test_honest_prose_is_neither_at_any_length(order: OrderReference, honest: Honest) -> None:
    for n in (3, 6, 12, 40):
        for _ in range(50):
            tokens = words(_prose(n))
            assert not is_disordered(tokens, order, honest)
            assert not is_stuffed(tokens, KEYWORDS, order, honest)


def test_shuffled_words_are_disordered(order: OrderReference, honest: Honest) -> None:
    texts = [random.Random(seed).sample(tokens := words(_prose(15)), len(tokens)) for seed in range(100)]
    assert sum(is_disordered(tokens, order, honest) for tokens in texts) >= 95


def test_strange_words_in_their_own_order_are_not_disordered(order: OrderReference, honest: Honest) -> None:
    """Words nobody used say nothing; and what falls short must be no better than chance too."""
    draw = random.Random(3)
    tokens = [token if draw.random() < 0.7 else f"new{draw.randrange(99)}" for token in words(_prose(15))]
    assert order.attested_bigrams(tokens) < 0.6
    assert not is_disordered(tokens, order, honest)
    scrambled = words(_prose(15))
    mixed = [*words(_prose(15)), *draw.sample(scrambled, len(scrambled))]
    found = order.order(mixed)
    assert found.excess < honest.floor(found.n_pairs)
    assert found.z > 2
    assert not is_disordered(mixed, order, honest)


def test_keywords_pushed_between_words_are_seen(order: OrderReference, honest: Honest) -> None:
    tokens = _stuffed(_prose(20), 8)
    assert order.forced(tokens, KEYWORDS) == sum(token in KEYWORDS for token in tokens)
    assert is_stuffed(tokens, KEYWORDS, order, honest)
    assert not is_stuffed(tokens, (), order, honest)


def test_the_ceiling_grows_with_the_text_and_never_shrinks(order: OrderReference, honest: Honest) -> None:
    tokens = _stuffed(_prose(20), 8)
    forced = order.forced(tokens, KEYWORDS)
    per_text = replace(honest, forced=forced * 0.9, n_words=len(tokens))
    assert is_stuffed(tokens, KEYWORDS, order, per_text)
    assert not is_stuffed(tokens, KEYWORDS, order, replace(per_text, n_words=len(tokens) // 2))
    assert is_stuffed(tokens, KEYWORDS, order, replace(per_text, n_words=len(tokens) * 9))


def test_short_texts_are_not_judged(order: OrderReference, honest: Honest) -> None:
    tokens = random.Random(0).sample(words(_prose(6)), 19)
    assert not is_disordered(tokens, order, replace(honest, excess=9.0))
    assert not is_stuffed(["tariff"] * 19, KEYWORDS, order, replace(honest, forced=-99.0))
    assert not is_disordered([], order, honest)


def test_what_is_frozen_is_the_mean_a_floor_below_it_and_a_ceiling(order: OrderReference) -> None:
    passages = [_prose(12) for _ in range(80)]
    found = Honest.fit([(passages, order)], KEYWORDS)
    tokens = [words(passage) for passage in passages]
    below = sum(order.order(one).excess < found.floor(len(one) - 1) for one in tokens)
    assert below <= 2
    assert 0.2 < found.floor(70) < found.floor(700) < found.excess
    assert found.forced == FORCED_ALLOWANCE  # not one keyword in them
    assert found.n_words == sorted(map(len, tokens))[len(tokens) // 2]


def test_nobody_is_flagged_where_nothing_could_be_learnt(order: OrderReference) -> None:
    nothing = Honest.fit([(["Too short."], order), ([], order)], KEYWORDS)
    tokens = random.Random(0).sample(words(_prose(20)), 100)
    assert not is_disordered(tokens, order, nothing)
    assert not is_stuffed(_stuffed(_prose(20), 8), KEYWORDS, order, nothing)
