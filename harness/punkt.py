"""Where sentences end, learnt from the author's own prose (Kiss and Strunk, 2006), with nothing downloaded.

train prose --nltk's PunktTrainer--> parameters (JSON, in the reference set) --> tokenizer
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness.text import Punkt


def learn(texts: Iterable[str]) -> dict[str, Any]:
    """Punkt's parameters as JSON-able lists: abbreviations, collocations, sentence starters, contexts."""
    from nltk.tokenize.punkt import PunktTrainer

    trainer = PunktTrainer()
    trainer.INCLUDE_ALL_COLLOCS = True
    trainer.train("\n".join(texts), finalize=True)
    found = trainer.get_params()
    return {
        "abbreviations": sorted(found.abbrev_types),
        "collocations": sorted([first, second] for first, second in found.collocations),
        "starters": sorted(found.sent_starters),
        "contexts": dict(sorted(found.ortho_context.items())),
    }


def tokenizer(parameters: dict[str, Any]) -> Punkt:
    """A sentence tokenizer with these parameters."""
    from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer

    known = PunktParameters()
    known.abbrev_types = set(parameters["abbreviations"])
    known.collocations = {(first, second) for first, second in parameters["collocations"]}
    known.sent_starters = set(parameters["starters"])
    known.ortho_context.update(parameters["contexts"])
    made: Punkt = PunktSentenceTokenizer(known)
    return made
