"""English closed-class words: what keyword lists leave out and what function-word profiles count.

Compiled for this project from the word classes below; lower case, straight apostrophes, as
``harness.text.words`` returns them. Ordered and fixed: profiles are indexed by this order.
"""

from __future__ import annotations

_ARTICLES_AND_DETERMINERS = """
a an the this that these those each every either neither some any no all both half such another other
much many more most few fewer less least several enough own same
"""
_PRONOUNS = """
i me my mine myself we us our ours ourselves you your yours yourself yourselves thou thee thy thine
he him his himself she her hers herself it its itself they them their theirs themselves one oneself
who whom whose which what whoever whatever whichever none nobody nothing anybody anyone anything
everybody everyone everything somebody someone something
"""
_AUXILIARIES = """
am is are was were be been being have has had having do does did doing done
can could shall should will would may might must ought cannot
isn't aren't wasn't weren't don't doesn't didn't won't wouldn't can't couldn't shouldn't haven't hasn't hadn't
"""
_PREPOSITIONS = """
of in to for with on at by from about into over after under above across against along among amongst around
before behind below beneath beside besides between beyond down during except inside near off onto out outside
past since through throughout till toward towards until unto up upon within without
"""
_CONJUNCTIONS = """
and but or nor so yet if because as than though although unless while whereas whether lest
"""
_ADVERBS_AND_PARTICLES = """
not never ever always often sometimes here there where when why how again also too very only just even still
then now thus therefore hence however moreover indeed perhaps rather quite almost already else once away
"""

FUNCTION_WORDS: tuple[str, ...] = tuple(
    dict.fromkeys(
        " ".join(
            (
                _ARTICLES_AND_DETERMINERS,
                _PRONOUNS,
                _AUXILIARIES,
                _PREPOSITIONS,
                _CONJUNCTIONS,
                _ADVERBS_AND_PARTICLES,
            )
        ).split()
    )
)
FUNCTION_WORD_SET = frozenset(FUNCTION_WORDS)
AUXILIARIES = frozenset(_AUXILIARIES.split())
