"""What a suite can decide, told from its n before anything is computed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from handmade import make_adapter, make_ask, make_table

from harness.models import few_shot
from harness.plan import Ask
from harness.power import rate_detectable
from harness.reach import Reach, cannot, one_line, reaches
from harness.statistics import minimal_detectable_effect, sample_size
from harness.types import Variant

BASE = Variant("tiny", "base", "digest of tiny", base="tiny")
VARIANTS = (BASE, make_adapter("old", 1), make_adapter("new", 2))


def of(found: list[Reach], metric: str) -> list[Reach]:
    return [each for each in found if each.metric == metric]


def unknown(asked: Ask) -> list[Reach]:
    """With nothing stored."""
    return reaches(asked, (), make_table(asked, {}))


def with_margins(asked: Ask, **margins: float) -> Ask:
    known = {**asked.reference.margins, **margins}
    return replace(asked, reference=replace(asked.reference, margins=known))


def test_without_results_bits_rest_on_the_demo_and_say_so() -> None:
    asked = make_ask(60, likelihood={"documents": 60})
    near, far = of(unknown(asked), "bits_per_byte")
    assert (near.can, far.can) == (True, False)
    assert near.detectable == pytest.approx(minimal_detectable_effect(0.006, 60, alpha=0.05 / 4))
    assert far.needed == sample_size(0.028, 0.01, alpha=0.05 / 4) == 88
    assert (near.n, near.unit, near.primary) == (60, "blocks", True)
    assert near.source == "two adapters of one base: assumed, as in the demo"
    assert far.source == "an adapter against its base: assumed, as in the demo"


def test_stored_pairs_go_before_assumptions() -> None:
    asked = make_ask(40)
    wave = [(-1) ** i * 0.05 for i in range(40)]
    table = make_table(
        asked,
        {
            "tiny": {"bits_per_byte": [1.0] * 40},
            "old": {"bits_per_byte": [1 + 3 * w for w in wave]},
            "new": {"bits_per_byte": [1 + w for w in wave]},
        },
    )
    near, far = of(reaches(asked, VARIANTS, table), "bits_per_byte")
    sd = 0.05 * math.sqrt(40 / 39)
    assert (near.source, far.source) == (
        "two adapters of one base, stored",
        "an adapter against its base, stored",
    )
    assert near.detectable == pytest.approx(minimal_detectable_effect(2 * sd, 40, alpha=0.05 / 4))
    assert far.detectable == pytest.approx(minimal_detectable_effect(3 * sd, 40, alpha=0.05 / 4))


def test_an_adapter_is_held_against_the_bare_base_and_not_the_one_with_examples() -> None:
    asked = make_ask(40)
    wave = [(-1) ** i * 0.05 for i in range(40)]
    shown = replace(
        BASE, name="tiny+few-shot", digest="shown", record={few_shot.FEW_SHOT: [{"role": "user"}]}
    )
    table = make_table(
        asked,
        {
            "tiny": {"authorship_logit": [0.0] * 40},
            "tiny+few-shot": {"authorship_logit": [9 * w for w in wave]},
            "new": {"authorship_logit": wave},
        },
    )
    sides = (BASE, VARIANTS[2])
    assert of(reaches(asked, (*sides, shown), table), "authorship_logit") == of(
        reaches(asked, sides, table), "authorship_logit"
    )


def test_a_rate_goes_by_the_exact_test() -> None:
    (rate,) = of(unknown(make_ask(80)), "copied")
    assert (rate.detectable, rate.needed, rate.can) == (rate_detectable(8, 80), 511, False)
    assert rate.source == "8 prompts that differ, all one way; same from 189 if still none"
    (alone,) = unknown(make_ask(80, primaries=("copied",), tasks=("copying",)))
    assert alone.detectable == rate_detectable(6, 80), "alone in its family, six do"


def test_looks_take_their_share_of_alpha() -> None:
    once, thrice = (make_ask(160, **more) for more in ({"prompts": 40}, {"prompts": 40, "max_prompts": 160}))
    (one,), (three,) = (of(unknown(asked), "authorship_logit") for asked in (once, thrice))
    assert one.n == three.n == 40
    assert three.needed > one.needed


def test_authorship_goes_by_the_audit_as_an_upper_figure(tmp_path: Path) -> None:
    asked = make_ask(150)
    rows = [{"metric": "authorship_masked", "words": words, "needed": needed, "mark": "fit",
             "mean": {"value": 0.9, "interval": [0.8, 1.0]}, "worst_author": "x", "worst": {"value": 0.8}}
            for words, needed in ((100, 139), (1000, 20))]  # fmt: skip
    (tmp_path / "audit.json").write_text(json.dumps({"reference": "reference", "rows": rows}))
    audited = replace(asked, reference=replace(asked.reference, folder=tmp_path))
    (found,) = of(unknown(audited), "authorship_logit")
    assert (found.needed, found.can, found.source) == (139, True, "at most: the audit at 100 words")
    (bare,) = of(unknown(asked), "authorship_logit")
    assert bare.source == "at most: five margins"
    assert bare.needed == sample_size(math.sqrt(2) * 5, 1.0, alpha=0.05 / 4)


def test_the_authors_own_answers_say_how_style_varies() -> None:
    asked = make_ask(40)
    table = make_table(asked, {"author": {"words": [90.0 + (-1) ** i * 10 for i in range(40)]}})
    (words,) = of(reaches(asked, (), table), "words")
    sd = 10 * math.sqrt(40 / 39)
    assert (words.primary, words.source) == (False, "at most: the author's own answers")
    assert words.needed == sample_size(math.sqrt(2) * sd, 4.0, alpha=0.05)


def test_the_unfit_are_out_of_reach_whatever_n_is() -> None:
    asked = make_ask(1000)
    aucs: Mapping[str, float] = {"authorship_logit_auc": 0.5, "authorship_masked_auc": 0.9}
    blind = replace(asked, reference=replace(asked.reference, audit=dict(aucs)))
    (fit,), (unfit,) = (of(unknown(each), "authorship_logit") for each in (asked, blind))
    assert (fit.can, unfit.can) == (True, False)
    assert unfit.unfit.startswith("unfit on this author (AUC 0.50 ")
    (rate, *_) = of(unknown(blind), "copied")
    assert rate.detectable == rate_detectable(7, 1000), "of three that decide: 2 / 2^7 < .05 / 3"


def test_one_line_names_who_can_and_who_cannot() -> None:
    asked = with_margins(make_ask(200, likelihood={"documents": 60}), mattr=0.01)
    line = one_line(unknown(asked))
    assert line.startswith(
        "can decide (200 prompts, 60 blocks): bits per byte on unseen prose, author-specific gain"
    )
    assert "     cannot: authorship (needs " in line
    assert "copied answers (needs 511)" in line
    assert cannot([]) == ""
