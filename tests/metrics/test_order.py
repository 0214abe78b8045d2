import itertools
import math
import random

from harness.metrics.order import OrderReference

TEXTS = ["the navy of the nation is strong", "is the canal of use"]


def test_share_of_bigrams_attested() -> None:
    reference = OrderReference.fit(TEXTS)
    assert reference.attested_bigrams(["the", "navy", "of", "use"]) == 1
    assert reference.attested_bigrams(["navy", "the", "nation", "sinks"]) == 1 / 3
    # Not attested: the last word of one text before the first of the next.
    assert reference.attested_bigrams(["strong", "is"]) == 0


def test_shuffling_is_seen() -> None:
    reference = OrderReference.fit(TEXTS)
    tokens = TEXTS[0].split()
    shuffled = random.Random(0).sample(tokens, k=len(tokens))
    assert reference.attested_bigrams(tokens) == 1 > reference.attested_bigrams(shuffled)


def test_too_short_and_empty_background() -> None:
    assert math.isnan(OrderReference.fit(TEXTS).attested_bigrams(["the"]))
    assert OrderReference.fit([]).attested_bigrams(["the", "navy"]) == 0


def test_round_trip_through_state() -> None:
    reference = OrderReference.fit(TEXTS)
    again = OrderReference.from_state(reference.state())
    tokens = ["the", "canal", "of", "the", "strong", "navy"]
    assert again.attested_bigrams(tokens) == reference.attested_bigrams(tokens) > 0


PROSE = [
    f"the {a} ship sailed from the {b} port in the {a} wind" for a in ("old", "new", "far") for b in "ab"
]


def test_chance_is_what_the_same_words_reach_in_any_order() -> None:
    reference = OrderReference.fit(PROSE)
    tokens = [word for text in PROSE for word in text.split()]
    honest = reference.order(tokens)
    assert honest.n_pairs == len(tokens) - 1
    assert honest.known == reference.attested_bigrams(tokens) > 0.9
    assert honest.excess == honest.known - honest.chance > 0.5
    assert honest.z > 6
    shuffled = [reference.order(random.Random(seed).sample(tokens, len(tokens))) for seed in range(60)]
    assert abs(sum(one.excess for one in shuffled) / 60) < 0.04
    assert sum(one.z < 2.5 for one in shuffled) >= 57


def test_order_of_too_few_words_and_of_unknown_ones() -> None:
    reference = OrderReference.fit(PROSE)
    short = reference.order(["the", "old", "ship"])
    assert math.isnan(short.known)
    assert math.isnan(short.chance)
    unknown = reference.order([f"w{i}" for i in range(30)])
    assert math.isnan(unknown.known)
    assert (short.n_pairs, unknown.n_pairs) == (0, 0)


def test_words_that_the_background_does_not_have_do_not_count() -> None:
    reference = OrderReference.fit(PROSE)
    tokens = [word for text in PROSE for word in text.split()]
    strange = reference.order([*tokens, *(f"w{i}" for i in range(60))])
    assert strange.known == reference.order(tokens).known
    assert strange.n_pairs == len(tokens) - 1


def test_forced_keywords_by_hand() -> None:
    reference = OrderReference.fit(["the navy of the nation is strong", "a canal of use"])
    # Taken out, "canal" leaves "the navy": known(the, navy) 1 - (known(the, canal) + known(canal, navy)) / 2.
    assert reference.forced(["the", "canal", "navy", "of"], {"canal"}) == 1
    # "a canal of" is as it should be, and "a of" nothing anybody wrote.
    assert reference.forced(["a", "canal", "of", "use"], {"canal"}) == -1
    assert reference.forced(["the", "canal", "of", "use"], {"canal"}) == -0.5
    # At either end there is nothing to be broken.
    assert reference.forced(["canal", "the", "navy", "canal"], {"canal"}) == 0
    assert reference.forced([], {"canal"}) == reference.forced(["canal"], {"canal"}) == 0


def test_no_pair_is_taken_for_another() -> None:
    draw = random.Random(5)
    documents = [" ".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=12)) for _ in range(20)]
    reference = OrderReference.fit(documents)
    known = {pair for text in documents for pair in itertools.pairwise(text.split())}
    for first, second in itertools.product("abcdefghijklmnopqrstuvwxyz", repeat=2):
        assert reference.attested_bigrams([first, second]) == ((first, second) in known)
