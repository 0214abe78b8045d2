"""The audit: passages dealt to length, AUCs known exactly, marks, and a small author told from his rivals."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from harness import reference as references
from harness.audit import Auc, Trial, audit, mark, mean_auc, measure_fitness
from harness.cli import invoke
from harness.cli.audit import answer_lengths, parse_lengths
from harness.errors import ConfigurationError
from harness.judges import FEWEST_PASSAGES, METRICS, deal, own_judges, spread
from harness.reference import Reference
from harness.text import count_words, words
from harness.types import Interval, Passage


@pytest.fixture(scope="module")
def workspace(small_author: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(small_author, tmp_path_factory.mktemp("audit") / "w"))


@pytest.fixture(scope="module")
def reference(workspace: Path) -> Reference:
    return references.load("marlow", workspace)


def passage(book: str, ordinal: int, text: str) -> Passage:
    return Passage(book, ordinal, "body", text, count_words(text), f"{book}{ordinal}")


def trial(mine: list[float], theirs: list[float]) -> Trial:
    return Trial(np.array(mine), np.array(theirs))


# ── passages of a length ──────────────────────────────────────────────────────────────────────────


def test_texts_are_dealt_in_order_within_one_book_and_half_a_sentence_of_the_length() -> None:
    ten = "One two three four five six seven eight nine ten."
    passages = [
        passage("b", 1, f"{ten} {ten}"),
        passage("a", 0, f"{ten} {ten} {ten}"),
        passage("b", 0, "First."),
    ]
    pieces = deal(passages, 20)
    assert [(piece.book, count_words(piece.text)) for piece in pieces] == [("b", 21), ("a", 20)]
    assert pieces[0].text == f"First. {ten} {ten}"


def test_a_short_end_is_left_out_and_a_nearly_full_one_kept() -> None:
    sentence = "One two three four five."
    assert len(deal([passage("a", 0, " ".join([sentence] * 7))], 20)) == 1
    assert len(deal([passage("a", 0, " ".join([sentence] * 8))], 20)) == 2


def test_dealing_loses_no_word_but_the_ends(reference: Reference) -> None:
    pieces = deal(reference.heldout, 60)
    dealt = [word for piece in pieces for word in words(piece.text)]
    whole = [word for p in reference.heldout for word in words(p.text)]
    assert dealt == whole[: len(dealt)]
    assert len(whole) - len(dealt) < 60


def test_spreading_keeps_few_passages_and_few_words(reference: Reference) -> None:
    pieces = deal(reference.train, 60)
    assert len(spread(pieces, 20)) == 20
    assert abs(sum(count_words(piece.text) for piece in spread(pieces, 300, 1_000)) - 1_000) < 60
    assert len(spread(pieces, 300, 10)) == FEWEST_PASSAGES
    assert spread(pieces, 10**6) == pieces


# ── AUC and marks ─────────────────────────────────────────────────────────────────────────────────


def test_auc_is_the_share_of_pairs_with_ties_as_halves() -> None:
    assert mean_auc([trial([3, 2], [1, 2, 3, 4])]).value == pytest.approx((2.5 + 1.5) / 8)


def test_the_interval_is_delongs() -> None:
    """By hand: placements of the author's 1, .5, 1, of the others' 1, 2/3: variances 1/12 / 3 + 1/18 / 2."""
    found = mean_auc([trial([3, 2, 5], [1, 2.5])])
    assert found.value == pytest.approx(5 / 6)
    reach = 1.959964 * math.sqrt((1 / 12) / 3 + (1 / 18) / 2)
    assert found.interval.low == pytest.approx(5 / 6 - reach)
    assert found.interval.high == 1.0


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Normal scores one SD apart against two others: true AUC Phi(1 / sqrt 2) = .7602."""
    draw = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        mine = draw.normal(1, 1, 60)
        found = mean_auc([Trial(mine, draw.normal(0, 1, 40)), Trial(mine, draw.normal(0, 1, 80))])
        hits += found.interval.low <= 0.7602499 <= found.interval.high
    assert 0.92 <= hits / 400 <= 0.98


def test_perfect_separation_still_has_an_interval() -> None:
    best = mean_auc([trial([3, 4, 5], [0, 1, 2, 2])])
    assert best.value == best.interval.high == 1.0
    assert best.interval.low == pytest.approx(0.025 ** (1 / 3))
    worst = mean_auc([trial([0, 0], [1, 2])])
    assert worst.value == worst.interval.low == 0.0
    assert worst.interval.high == pytest.approx(1 - 0.025**0.5)


@pytest.mark.parametrize(
    ("mean", "worst", "expected"),
    [
        ((0.9, 0.85), (0.8, 0.7), "fit"),
        ((0.8, 0.7), (0.7, 0.51), "fit"),
        ((0.79, 0.7), (0.7, 0.6), "weak"),
        ((0.9, 0.85), (0.6, 0.5), "weak"),
        ((0.6, 0.5), (0.6, 0.5), "unfit"),
        ((0.2, 0.1), (0.1, 0.0), "unfit"),
        ((math.nan, math.nan), (math.nan, math.nan), "unknown"),
    ],
)
def test_marks(mean: tuple[float, float], worst: tuple[float, float], expected: str) -> None:
    sides = [Auc(value, Interval(low, 1.0)) for value, low in (mean, worst)]
    assert mark(*sides) == expected


# ── judges ────────────────────────────────────────────────────────────────────────────────────────


def test_too_much_is_as_wrong_as_too_little() -> None:
    """The author's mean is 2/3 distinct words; .5 and .8333 lie equally far from it."""
    judge = own_judges(["one one two", "two two three"])["type_token_ratio"]
    low, high, right = judge(["one one two two", "one two three four five five", "six six seven"])
    assert low == pytest.approx(high)
    assert (low, right) == (pytest.approx(-1 / 6), pytest.approx(0))


# ── a whole author ────────────────────────────────────────────────────────────────────────────────


def test_a_small_author_is_told_from_his_rivals(reference: Reference) -> None:
    rows = {row.metric: row for row in audit(reference, [60]).rows}
    assert set(rows) == set(METRICS)
    plain = rows["authorship_plain"]
    assert plain.mark == "fit"
    assert plain.mean.value > 0.95
    assert set(plain.by_author) == {"flint", "thorne"}
    assert plain.worst.value == min(plain.by_author.values()) == plain.by_author[plain.worst_author]
    assert plain.mean.value == pytest.approx(sum(plain.by_author.values()) / 2)
    assert plain.n_author == len(deal(reference.heldout, 60))
    assert plain.needed > 0
    assert rows["cosine_delta"].needed == 0
    assert (rows["words"].mark, rows["words"].note) == ("unfit", "the audit sets the length")


def test_an_author_is_not_told_from_himself(reference: Reference) -> None:
    """His train books as two others: whatever an AUC is then, no metric may be called fit."""
    books: dict[str, list[Passage]] = {}
    for p in reference.train:
        books.setdefault(p.book, []).append(p)
    first, second, third = books.values()
    rows = measure_fitness(first, third, {"same": second, "again": first}, [60])
    by_metric = {row.metric: row for row in rows}
    assert by_metric["authorship_plain"].by_author["same"] < 0.75
    assert by_metric["cosine_delta"].mark != "fit"


def test_each_other_author_is_left_out_of_what_scores_him(reference: Reference) -> None:
    """With one other author nobody is left to fit on, and that is said instead of a flattering number."""
    only = {"flint": reference.others["flint"]}
    rows = {row.metric: row for row in measure_fitness(reference.train, reference.heldout, only, [60])}
    for metric in ("authorship_plain", "authorship_masked", "cosine_delta", "keyword_density"):
        assert rows[metric].mark == "unknown"
        assert math.isnan(rows[metric].mean.value)
        assert rows[metric].note == "too little text, or nobody left to compare with"
    assert rows["type_token_ratio"].mean.value >= 0


def test_too_little_text_is_unknown_and_not_zero(reference: Reference) -> None:
    rows = measure_fitness(reference.train, reference.heldout, reference.others, [1000])
    assert {(row.mark, math.isnan(row.mean.value)) for row in rows} == {("unknown", True)}


def test_metrics_that_need_more_words_have_no_value(reference: Reference) -> None:
    rows = {r.metric: r for r in measure_fitness(reference.train, reference.heldout, reference.others, [30])}
    assert (rows["mattr"].mark, rows["mattr"].note) == ("unknown", "no value at this length")


def test_what_is_stored_is_json_and_leaves_the_reference_as_it_was(workspace: Path) -> None:
    before = references.load("marlow", workspace)
    found = audit(before, [60, 1000])
    stored = json.loads((before.folder / "audit.json").read_text(encoding="utf-8"))
    assert (stored["reference"], len(stored["rows"])) == (before.digest, 2 * len(METRICS))
    assert stored["rows"][0]["mean"]["value"] == found.rows[0].mean.value
    assert stored["rows"][-1]["mean"]["value"] is None
    assert references.load("marlow", workspace).digest == before.digest


def test_a_length_of_a_few_words_is_refused(reference: Reference) -> None:
    with pytest.raises(ConfigurationError, match="at least 20 words"):
        measure_fitness(reference.train, reference.heldout, reference.others, [19])


# ── the verb ──────────────────────────────────────────────────────────────────────────────────────


def test_the_verb_prints_a_table(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        invoke(["--workspace", str(workspace), "audit", "marlow", "--words", "60", "--format", "json"]) == 0
    )
    rows = json.loads(capsys.readouterr().out)
    assert {row["metric"] for row in rows} == set(METRICS)
    assert {row["mark"] for row in rows} <= {"fit", "weak", "unfit", "unknown"}
    assert any("prompts decide a margin" in row["remark"] for row in rows)


def test_lengths_are_whole_numbers(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert parse_lengths("150,350") == [150, 350]
    assert invoke(["--workspace", str(workspace), "audit", "marlow", "--words", "150;350"]) == 2
    assert "--words 150;350: whole numbers" in capsys.readouterr().err


def test_a_suites_answer_length_is_audited_unless_a_known_one_is_near(workspace: Path) -> None:
    suites = workspace / "tasks" / "suites"
    suites.mkdir(parents=True, exist_ok=True)
    for name, author, tokens in (("long", "marlow", 800), ("near", "marlow", 160), ("else", "flint", 2000)):
        line = f"author: {author}\ntasks: [validity]\nmax_tokens: {tokens}\n"
        (suites / f"{name}.yaml").write_text(line, encoding="utf-8")
    assert answer_lengths("marlow", workspace, (150, 350)) == [700]
