"""Whether a judge can be believed: duels whose outcome is known, asked before any other and kept.

    the author against other authors    must be won: the interval above .5
    the author against himself          must tie, every time

    Anchors --judge--> rows of ``scores``, metric ``judge_anchor`` --> tried --> what his verdicts are worth

A judge that fails one is void: nothing more is bought from him, and what he said before decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.duels import FEWEST_WORDS, answers_setting
from harness.errors import ConfigurationError
from harness.judging import METRIC_VERSION, Duel, Judged, duel, recalled, tally
from harness.models import controls
from harness.plan import Ask
from harness.store import Run, Store
from harness.text import digest
from harness.types import Prompt

METRIC = "judge_anchor"
FEWEST_ANCHORS = 4
"""Three wins of three are no proof: Wilson's interval begins at .44."""

AGAINST_OTHERS, AGAINST_HIMSELF = "the author against other authors", "the author against himself"
_OTHERS, _HIMSELF = " others", " himself"
"""How the item of an anchor ends, behind its prompt's id."""


@dataclass(frozen=True)
class Anchors:
    """Duels whose outcome is known beforehand."""

    others: tuple[Duel, ...]
    himself: tuple[Duel, ...]

    @property
    def all(self) -> list[Duel]:
        return [*self.others, *self.himself]


@dataclass(frozen=True)
class Tried:
    """What a judge said of his anchors, and so whether he is ``void`` here."""

    others: tuple[Judged, ...]
    himself: tuple[Judged, ...]

    @property
    def faults(self) -> list[str]:
        """Why he is not to be believed; empty where both kinds hold."""
        return failures(self.others, self.himself)

    @property
    def told(self) -> str:
        """In a few words: ``anchors: won 12 of 12, tied 12 of 12``, or that he is void and why."""
        if self.faults:
            return f"VOID, it decides nothing: {'; '.join(self.faults)}"
        against, same = tally(self.others), tally(self.himself)
        return f"anchors: won {against.won} of {against.n}, tied {same.tied} of {same.n}"


def anchors(asked: Ask, n: int) -> Anchors:
    """``n`` prompts chosen by digest; other authors take turns, each with what his control answers.

    Raises:
        ConfigurationError: no other author, or too few prompts for the anchor to be won.
    """
    reference, names = asked.reference, sorted(asked.reference.others)

    def of(name: str, prompt: Prompt) -> str:
        return controls.answer(name, prompt, reference, asked.max_words)

    others: list[Duel] = []
    himself: list[Duel] = []
    for prompt in sorted(reference.prompts, key=lambda prompt: digest(["anchor", prompt.id])):
        if not names or len(others) == n:
            break
        other = of(f"other:{names[len(others) % len(names)]}", prompt)
        own = of("author", prompt)
        found = duel(prompt.id + _OTHERS, other, own)
        if found.n_words >= FEWEST_WORDS:
            others.append(found)
            himself.append(duel(prompt.id + _HIMSELF, own, own, always=True))
    if len(others) < FEWEST_ANCHORS:
        raise ConfigurationError(
            f"{reference.name}: a judge is tried on {FEWEST_ANCHORS} prompts with answers of {FEWEST_WORDS} "
            "words and one other author at least"
        )
    return Anchors(tuple(others), tuple(himself))


def failures(others: Sequence[Judged], himself: Sequence[Judged]) -> list[str]:
    """Why the judge is not to be believed; empty where both anchors hold."""
    found = []
    against = tally(others)
    if not against.interval.low > 0.5:
        found.append(
            f"{AGAINST_OTHERS}: won {against.won} of {against.n}, "
            f"preference {against.value:.2f} [{against.interval.low:.2f}, {against.interval.high:.2f}]"
        )
    tied = sum(each.value == 0.5 for each in himself)
    if tied < len(himself) or not himself:
        found.append(f"{AGAINST_HIMSELF}: tied {tied} of {len(himself)}")
    return found


def keep_anchors(asked: Ask, judge: str, judged: Sequence[Judged], run: Run) -> int:
    """Store a row of ``scores`` for each anchor that was judged; how many were not there yet.

    They belong to the control ``author``. The setting is the judge's, so that no table of metrics has them.
    """
    author = controls.as_variant("author", asked.reference)
    setting = _setting(judge, asked)
    there = run.store.existing("scores", metric=METRIC, setting=setting, reference=asked.reference.digest)
    rows = [
        {
            "key": key, "variant": author.name, "variant_digest": author.digest, "task": "judge",
            "item": each.item, "metric": METRIC, "metric_version": METRIC_VERSION, "value": each.value,
            "note": each.note, "reference": asked.reference.digest, "setting": setting,
            "engine": controls.ENGINE,
        }
        for each in judged
        if (key := digest([METRIC, setting, each.item, asked.reference.digest])) not in there
    ]  # fmt: skip
    run.append("scores", rows)
    return len(rows)


def tried(asked: Ask, store: Store) -> dict[str, Tried]:
    """The judge's identity -> his anchors under this suite; only judges whose anchors are stored."""
    frame = store.read("scores", metric=METRIC, reference=asked.reference.digest)
    found: dict[str, list[Judged]] = {}
    for row in frame.to_dict("records"):
        judge, there, _ = str(row["setting"]).partition(_setting("", asked))
        if there:
            found.setdefault(judge, []).append(recalled(row))
    return {
        judge: Tried(
            tuple(each for each in judged if each.item.endswith(_OTHERS)),
            tuple(each for each in judged if each.item.endswith(_HIMSELF)),
        )
        for judge, judged in found.items()
    }


def _setting(judge: str, asked: Ask) -> str:
    return f"{judge}, anchors, {answers_setting(asked)}"
