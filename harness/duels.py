"""Which answers meet before the judge, and what was judged of a pair before.

    baseline against candidate, prompt by prompt --> rows of ``scores``, metric ``judge_preference``

Whether the judge can be believed is told by his anchors. Invalid, copied and very short answers meet nobody:
the judge has seen train prose, and a copy of it would win.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import ConfigurationError, IncompleteError
from harness.judging import (
    METRIC,
    METRIC_VERSION,
    Duel,
    Judge,
    Judged,
    Judgement,
    Tally,
    duel,
    recalled,
    tally,
)
from harness.measures import Answer, out_of_place
from harness.metrics.memorisation import CopyIndex, is_copied
from harness.metrics.validity import check_validity
from harness.models import controls
from harness.plan import Ask
from harness.reference import Reference
from harness.score import answers_of, trained_on
from harness.store import Run, Store
from harness.summaries import chosen_engine
from harness.text import complete, cut_at_sentence, digest, words
from harness.types import Prompt, Variant

FEWEST_WORDS = 15
"""Of the shorter side; a sentence of ten words is anybody's."""

N_SAMPLES, SAMPLE_WORDS = 5, 80


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


def pairing(asked: Ask, baseline: Variant, candidate: Variant, store: Store, judge: str) -> Pairing:
    """Both variants' first answers to every prompt of the suite; ``judge`` is the judge's identity.

    Raises:
        IncompleteError: an answer is not stored yet.
    """
    both = (baseline, candidate)
    sides = [_answers(asked, variant, store) for variant in both]
    seen = trained_on(asked, both, {variant.digest for variant in both}, store)
    duels: list[Duel] = []
    left_out: dict[str, str] = {}
    for prompt in asked.prompts:
        one, other = (side[prompt.id] for side in sides)
        why = [
            f"{variant.name}: {fault}"
            for variant, row in ((baseline, one), (candidate, other))
            if (fault := _fault(asked, prompt, row, seen.get(variant.digest, ())))
        ]
        met = duel(prompt.id, str(one["text"]), str(other["text"]))
        if not why and met.n_words < FEWEST_WORDS:
            why = [f"{met.n_words} words in common length"]
        if why:
            left_out[prompt.id] = "not judged: " + "; ".join(why)
        else:
            duels.append(met)
    keys = {item: str(row["key"]) for item, row in sides[1].items()}
    engines = [_engine(side) for side in sides]
    setting = f"{judge}, {_against(baseline)}{engines[0]}, {answers_setting(asked)}"
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

    Only those on this suite's prompts, and of the answers that would meet today: those of one engine a side,
    so that no prompt counts twice. Empty where nobody judged these.
    """
    frame = store.read(
        "scores", metric=METRIC, variant_digest=candidate.digest, reference=asked.reference.digest
    )
    if not len(frame):
        return {}
    one, other = (_chosen(asked, variant, store) for variant in (baseline, candidate))
    meant = f"{_engine(one)}, {answers_setting(asked)}"
    keys = {prompt.id: other[prompt.id]["key"] for prompt in asked.prompts if prompt.id in other}
    found: dict[str, dict[str, Judged]] = {}
    for row in frame.to_dict("records"):
        judge, against, rest = row["setting"].partition(f", {_against(baseline)}")
        if against and rest == meant and row["key"] == keys.get(row["item"]):
            found.setdefault(judge, {})[row["item"]] = recalled(row)
    return {judge: tally(list(judged.values())) for judge, judged in found.items()}


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


def answers_setting(asked: Ask) -> str:
    """What the answers that met were drawn under, in few letters: a part of every judge's setting."""
    return f"answers {digest(asked.setting, 8)}"


def _answers(asked: Ask, variant: Variant, store: Store) -> dict[str, dict[str, Any]]:
    """As ``_chosen``, of every prompt."""
    rows = _chosen(asked, variant, store)
    missing = sum(prompt.id not in rows for prompt in asked.prompts)
    if missing:
        raise IncompleteError(
            f"{variant.name}: {missing:,} of {len(asked.prompts):,} prompts have no answer yet: "
            "`stylobench run` draws them"
        )
    return rows


def _chosen(asked: Ask, variant: Variant, store: Store) -> dict[str, dict[str, Any]]:
    """Prompt id -> the first sample's row, of the engine that stands for the variant, as far as stored."""
    frame = answers_of(asked, [variant], store)
    if len(frame):
        frame = frame[(frame["sample"] == 0) & (frame["engine"] == chosen_engine(frame, asked.suite.dtype))]
    return {str(row["item"]): row for row in frame.to_dict("records")}


def _engine(rows: Mapping[str, Mapping[str, Any]]) -> str:
    return next((str(row["engine"]) for row in rows.values()), "")


def _fault(asked: Ask, prompt: Prompt, row: Mapping[str, Any], seen: Sequence[CopyIndex] = ()) -> str:
    """Why an answer may not be judged on style; empty where it may. ``seen``: its training text."""
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
    tokens, asking = words(text), words(prompt.text)
    train = asked.reference.train_copies.matches(tokens, asking)
    for index in seen:
        train = train.together(index.matches(tokens, asking))
    return "copied from the train prose" if is_copied(train.run, train.coverage(8)) else ""


def _answer(asked: Ask, prompt: Prompt, row: Mapping[str, Any]) -> Answer:
    """The answer as ``score`` sees it: a control of another author is judged without his own word pairs."""
    name = str(row["variant"])
    other = row["engine"] == controls.ENGINE and name.startswith("other:")
    author = name.removeprefix("other:") if other else ""
    cap = asked.suite.max_tokens
    return Answer(prompt, str(row["text"]), row["finish"], int(row["n_tokens"]), cap, author)
