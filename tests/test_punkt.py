from __future__ import annotations

import json

from harness import punkt
from harness.text import sentences

PROSE = [
    f"Mr. {name} spoke at length. The House heard Mr. {name} with patience, and Mr. {name} sat down. "
    "It was late. The vote was taken at noon."
    for name in (
        "Root",
        "Hay",
        "Taft",
        "Knox",
        "Shaw",
        "Cortelyou",
        "Straus",
        "Bonaparte",
        "Wright",
        "Garfield",
    )
]


def test_the_author_s_abbreviations_do_not_end_sentences() -> None:
    learnt = punkt.learn(PROSE * 3)
    assert "mr" in learnt["abbreviations"]
    text = "Mr. Moody agreed. The bill was passed."
    assert sentences(text, punkt.tokenizer(learnt)) == ["Mr. Moody agreed.", "The bill was passed."]


def test_parameters_survive_json() -> None:
    learnt = punkt.learn(PROSE)
    again = json.loads(json.dumps(learnt))
    text = " ".join(PROSE)
    assert punkt.tokenizer(again).tokenize(text) == punkt.tokenizer(learnt).tokenize(text)
