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
