"""Which answers meet before the judge, and whether the judge can be believed.

    anchors   the author against other authors    must be won: the interval above .5
              the author against himself          must tie, every time
    pairs     baseline against candidate, prompt by prompt --> rows of ``scores``, metric ``judge_preference``

Anchors come first: a judge that fails one is void, and nothing more is bought from him. Invalid, copied
and very short answers meet nobody: the judge has seen train prose, and a copy of it would win.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import ConfigurationError, IncompleteError
from harness.judging import (
    AGREED,
    DISAGREED,
    METRIC,
    METRIC_VERSION,
    Duel,
    Judge,
    Judged,
    Judgement,
    Tally,
    duel,
    tally,
)
from harness.measures import Answer, out_of_place
from harness.metrics.memorisation import is_copied
from harness.metrics.validity import check_validity
from harness.models import controls
from harness.plan import Ask
from harness.reference import Reference
from harness.score import answers_of
from harness.store import Run, Store
from harness.summaries import chosen_engine
from harness.text import complete, cut_at_sentence, digest, words
from harness.types import Prompt, Variant

FEWEST_ANCHORS = 4
"""Three wins of three are no proof: Wilson's interval begins at .44."""
FEWEST_WORDS = 15
"""Of the shorter side; a sentence of ten words is anybody's."""

N_SAMPLES, SAMPLE_WORDS = 5, 80
AGAINST_OTHERS, AGAINST_HIMSELF = "the author against other authors", "the author against himself"


@dataclass(frozen=True)
class Anchors:
    """Duels whose outcome is known beforehand."""

    others: tuple[Duel, ...]
    himself: tuple[Duel, ...]

    @property
    def all(self) -> list[Duel]:
        return [*self.others, *self.himself]


@dataclass(frozen=True)
class Pairing:
    """Duels of two variants; ``left_out``: item -> why its answers do not meet; ``keys``: item -> the
    candidate's response key; ``engine`` is the candidate's, ``setting`` says against what it was judged.
    """

    baseline: Variant
    candidate: Variant
    duels: tuple[Duel, ...]
    left_out: Mapping[str, str]
    keys: Mapping[str, str]
    engine: str
    setting: str


def samples_of(reference: Reference, n: int = N_SAMPLES, max_words: int = SAMPLE_WORDS) -> list[str]:
    """The beginnings of ``n`` train passages, chosen by digest: the same for every prompt and every run.

    Prompts come from held-out prose, so none is a prompt's own passage; that is checked all the same.

    Raises:
        ConfigurationError: fewer than two passages to choose from.
    """
    own = {prompt.passage for prompt in reference.prompts}
    ranked = sorted(reference.train, key=lambda passage: digest(["judge", passage.digest]))
    texts = (cut_at_sentence(complete(p.text), max_words) for p in ranked if p.digest not in own)
    samples = list(dict.fromkeys(text for text in texts if text))[:n]
    if len(samples) < 2:
        raise ConfigurationError(f"{reference.name}: too little train prose to show a judge")
    return samples


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
        found = duel(f"{prompt.id} others", other, own)
        if found.n_words >= FEWEST_WORDS:
            others.append(found)
            himself.append(duel(f"{prompt.id} himself", own, own, always=True))
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


def pairing(asked: Ask, baseline: Variant, candidate: Variant, store: Store, judge: str) -> Pairing:
    """Both variants' first answers to every prompt of the suite; ``judge`` is the judge's identity.

    Raises:
        IncompleteError: an answer is not stored yet.
    """
    sides = [_answers(asked, variant, store) for variant in (baseline, candidate)]
    duels: list[Duel] = []
    left_out: dict[str, str] = {}
    for prompt in asked.prompts:
        one, other = (side[prompt.id] for side in sides)
        why = [
            f"{variant.name}: {fault}"
            for variant, row in ((baseline, one), (candidate, other))
            if (fault := _fault(asked, prompt, row))
        ]
        met = duel(prompt.id, str(one["text"]), str(other["text"]))
        if not why and met.n_words < FEWEST_WORDS:
            why = [f"{met.n_words} words in common length"]
        if why:
            left_out[prompt.id] = "not judged: " + "; ".join(why)
        else:
            duels.append(met)
    keys = {item: str(row["key"]) for item, row in sides[1].items()}
    engines = [next((str(row["engine"]) for row in side.values()), "") for side in sides]
    setting = f"{judge}, {_against(baseline)}{engines[0]}, {_answers_of(asked)}"
    return Pairing(baseline, candidate, tuple(duels), left_out, keys, engines[1], setting)


def keep(asked: Ask, paired: Pairing, judgement: Judgement, run: Run) -> int:
    """Store a row of ``scores`` for each verdict and each answer left out; how many were not there yet.

    The setting is the judge's and not the suite's, so that nothing averages one baseline with another.
    """
    there = run.store.existing(
        "scores", metric=METRIC, setting=paired.setting, reference=asked.reference.digest
    )
    found = [(each.item, each.value, each.note) for each in judgement.judged]
    found += [(item, math.nan, why) for item, why in paired.left_out.items()]
    rows = [
        {
            "key": paired.keys[item], "variant": paired.candidate.name,
            "variant_digest": paired.candidate.digest, "task": "judge", "item": item, "metric": METRIC,
            "metric_version": METRIC_VERSION, "value": value, "note": note,
            "reference": asked.reference.digest, "setting": paired.setting, "engine": paired.engine,
        }
        for item, value, note in found
        if paired.keys[item] not in there
    ]  # fmt: skip
    run.append("scores", rows)
    return len(rows)


def stored(asked: Ask, baseline: Variant, candidate: Variant, store: Store) -> dict[str, Tally]:
    """What was judged of this pair before: the judge's identity -> the tally of his verdicts.

    Only those on this suite's prompts; empty where nobody judged the pair.
    """
    frame = store.read(
        "scores", metric=METRIC, variant_digest=candidate.digest, reference=asked.reference.digest
    )
    items = {prompt.id for prompt in asked.prompts}
    found: dict[str, list[Judged]] = {}
    for row in frame.to_dict("records"):
        judge, against, rest = row["setting"].partition(f", {_against(baseline)}")
        if against and rest.endswith(f", {_answers_of(asked)}") and row["item"] in items:
            note = str(row["note"])
            agreed = note.startswith(AGREED) if note.startswith((AGREED, DISAGREED)) else None
            found.setdefault(judge, []).append(Judged(row["item"], float(row["value"]), agreed, note))
    return {judge: tally(judged) for judge, judged in found.items()}


def buy(judge: Judge, duels: Sequence[Duel], what: str) -> Judgement:
    """The judgement of duels that are worth nothing unless all of them are judged.

    Raises:
        IncompleteError: some could not be had; the same command goes on from there.
    """
    judgement = judge.judge(duels)
    if judgement.missing:
        raise IncompleteError(lacking(judgement, what))
    return judgement


def lacking(judgement: Judgement, what: str) -> str:
    """How many verdicts are missing and the most frequent reasons, as finished lines."""
    reasons: dict[str, int] = {}
    for why in judgement.missing.values():
        reasons[why] = reasons.get(why, 0) + 1
    worst = sorted(reasons.items(), key=lambda pair: -pair[1])[:5]
    listed = "\n".join(f"  {n:,} x {why}" for why, n in worst)
    return f"{what}: {len(judgement.missing):,} verdicts are missing; run the same command again:\n{listed}"


def _against(baseline: Variant) -> str:
    return f"against {baseline.name} {baseline.digest[:16]} "


def _answers_of(asked: Ask) -> str:
    return f"answers {digest(asked.setting, 8)}"


def _answers(asked: Ask, variant: Variant, store: Store) -> dict[str, dict[str, Any]]:
    """Prompt id -> the first sample's row, of the engine that stands for the variant."""
    frame = answers_of(asked, [variant], store)
    if len(frame):
        frame = frame[(frame["sample"] == 0) & (frame["engine"] == chosen_engine(frame, asked.suite.dtype))]
    rows = {str(row["item"]): row for row in frame.to_dict("records")}
    missing = sum(prompt.id not in rows for prompt in asked.prompts)
    if missing:
        raise IncompleteError(
            f"{variant.name}: {missing:,} of {len(asked.prompts):,} prompts have no answer yet: "
            "`stylobench run` draws them"
        )
    return rows


def _fault(asked: Ask, prompt: Prompt, row: Mapping[str, Any]) -> str:
    """Why an answer may not be judged on style; empty where it may."""
    text = str(row["text"])
    validity = check_validity(
        text,
        kind=prompt.kind,
        prompt=prompt.text,
        system_prompt=asked.system,
        finish=row["finish"],
        n_tokens=int(row["n_tokens"]),
        max_tokens=asked.suite.max_tokens,
        language=asked.reference.language,
        also=out_of_place(_answer(asked, prompt, row), asked.reference),
    )
    if validity.invalid:
        return f"invalid ({', '.join(validity.reasons)})"
    copies, tokens, asking = asked.reference.train_copies, words(text), words(prompt.text)
    copied = is_copied(copies.longest_run(tokens, asking), copies.coverage(tokens, 8, asking))
    return "copied from the train prose" if copied else ""


def _answer(asked: Ask, prompt: Prompt, row: Mapping[str, Any]) -> Answer:
    """The answer as ``score`` sees it: a control of another author is judged without his own word pairs."""
    name = str(row["variant"])
    other = row["engine"] == controls.ENGINE and name.startswith("other:")
    author = name.removeprefix("other:") if other else ""
    cap = asked.suite.max_tokens
    return Answer(prompt, str(row["text"]), row["finish"], int(row["n_tokens"]), cap, author)
