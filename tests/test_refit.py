"""Another author comes to the small author's rivals and goes again: what is asked stays as it was."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scripted_bench import compute, finished_workspace, scripted
from small_author import ENGINEER, GARDENER, NAME, prose

from harness import reference as references
from harness.bench import Bench, open_bench, warehouse
from harness.cli import invoke
from harness.corpusfile import read_author
from harness.errors import ConfigurationError, MissingPrerequisiteError
from harness.refit import Refitted, refit, unseen
from harness.run import plan
from harness.score import score
from harness.store import Run

SIDES = ("small@1", "small@2")
KEPT = ("heldout", "train", "prompts", "documents", "heldout_book", "heldout_block", "persona")


@pytest.fixture(scope="module")
def finished(small_author: Path, tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished_workspace(small_author, tmp_path_factory.mktemp("refit") / "w", tiny_llama)


@pytest.fixture(scope="module")
def refitted(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of it with a third rival; the scores are still those of before."""
    workspace = Path(shutil.copytree(finished, tmp_path_factory.mktemp("refitted") / "w"))
    add_author(workspace)
    again(workspace)
    return workspace


@pytest.fixture
def workspace(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "w"))


def add_author(workspace: Path, name: str = "hume") -> Path:
    """A clerk who speaks of engines as the gardener speaks of flowers: two books."""
    clerk = replace(ENGINEER, frames=GARDENER.frames)
    shelf = workspace / "books" / "others" / name
    shelf.mkdir()
    for volume in (1, 2):
        text = "\n\n".join(prose(clerk, 1500, 300 + volume))
        (shelf / f"volume_{volume}.txt").write_text(text + "\n", encoding="utf-8")
    return shelf


def again(workspace: Path) -> Refitted:
    return refit(NAME, read_author(NAME, workspace), workspace)


def told(workspace: Path) -> str:
    return unseen(NAME, read_author(NAME, workspace), workspace)


def scored(bench: Bench) -> tuple[int, int]:
    with Run(warehouse(bench.workspace), "score") as run:
        found = score(bench.asked, bench.variants, run)
    return found.reused, found.computed


# ── what stays and what is new ────────────────────────────────────────────────────────────────────


def test_what_is_asked_stays_and_what_is_fitted_is_new(finished: Path, refitted: Path) -> None:
    before, after = references.load(NAME, finished), references.load(NAME, refitted)
    for field in KEPT:
        assert getattr(after, field) == getattr(before, field)
    assert set(after.others) == {"flint", "hume", "thorne"}
    assert {name: after.others[name] for name in before.others} == before.others
    assert after.digest != before.digest
    assert after.margins != before.margins
    assert {name for name in after.fitted.classifiers if name.endswith("hume")} == {
        "plain-without:hume", "masked-without:hume",
    }  # fmt: skip
    text = [after.heldout[0].text]
    logits = [of.fitted.classifiers["plain"].logits(text) for of in (before, after)]
    assert not np.allclose(*logits)
    without = after.fitted.classifiers["plain-without:hume"].logits(text)
    assert np.allclose(without, before.fitted.classifiers["plain"].logits(text))


def test_the_former_set_can_still_be_read(finished: Path, refitted: Path) -> None:
    before = references.load(NAME, finished)
    former = references.load(f"{NAME}.{before.digest}", refitted)
    assert replace(former, folder=before.folder) == before
    assert former.fitted.keywords == before.fitted.keywords
    assert references.prepared_authors(refitted) == [NAME]


def test_no_model_is_asked_again_and_only_the_new_author_answers(refitted: Path, tmp_path: Path) -> None:
    workspace = Path(shutil.copytree(refitted, tmp_path / "w"))
    bench = open_bench("small", workspace)
    model = scripted(workspace)
    models = [variant for variant in bench.variants if variant.kind != "control"]
    plans = plan(bench.asked, models, bench.store, workspace, model.engine)
    assert [p.n_missing for p in plans] == [0, 0, 0, 0]
    stored = len(bench.store.read("responses"))
    outcome = compute(bench.asked, bench.variants, workspace, model)
    assert (outcome.computed, model.generated, model.scored) == (0, 0, 0)
    responses = bench.store.read("responses")
    assert len(responses) - stored == len(bench.asked.prompts)
    assert (responses["variant"] == "other:hume").sum() == len(bench.asked.prompts)

    verdicts = bench.compare(*SIDES).verdicts
    assert {v.outcome for v in verdicts} == {"not comparable"}
    reused, computed = scored(bench)
    assert reused == 0
    assert computed > 0
    assert {v.outcome for v in bench.compare(*SIDES).verdicts if v.primary} & {"not comparable"} == set()
    assert scored(bench)[1] == 0


def test_as_of_a_run_before_the_refit_reads_the_former_set(
    finished: Path, refitted: Path, tmp_path: Path
) -> None:
    workspace = Path(shutil.copytree(refitted, tmp_path / "w"))
    runs = warehouse(workspace).read("runs").query("status == 'done'").set_index("command")["run"]
    bench = open_bench("small", workspace)
    compute(bench.asked, bench.variants, workspace, scripted(workspace))
    scored(bench)
    then = open_bench("small", workspace, as_of=runs["score small"])
    assert then.asked.reference.digest == references.load(NAME, finished).digest
    assert repr(then.table()) == repr(open_bench("small", finished).table())
    now = str(warehouse(workspace).read("runs").sort_values("ended")["run"].iloc[-1])
    assert open_bench("small", workspace, as_of=now).asked.reference.digest == bench.asked.reference.digest


def test_the_former_set_and_its_scores_come_back_with_its_authors(refitted: Path, tmp_path: Path) -> None:
    workspace = Path(shutil.copytree(refitted, tmp_path / "w"))
    shutil.rmtree(workspace / "books" / "others" / "hume")
    stood = references.load(NAME, workspace)
    done = again(workspace)
    assert done.brought_back
    assert done.difference.removed == ("hume",)
    assert done.former == stood
    assert scored(open_bench("small", workspace))[1] == 0
    assert sorted(path.name for path in (workspace / "results" / "references").iterdir()) == [
        NAME, f"{NAME}.{stood.digest}",
    ]  # fmt: skip


# ── what is noticed ───────────────────────────────────────────────────────────────────────────────


def test_nothing_new_writes_nothing(workspace: Path) -> None:
    folder = references.folder_of(NAME, workspace)
    before = {path: path.stat().st_mtime_ns for path in folder.parent.rglob("*")}
    done = again(workspace)
    assert done.nothing_new
    assert not done.difference
    assert told(workspace) == ""
    assert {path: path.stat().st_mtime_ns for path in folder.parent.rglob("*")} == before


def test_other_files_with_the_same_passages_change_no_digest_and_are_told_once(workspace: Path) -> None:
    before = references.load(NAME, workspace)
    book = workspace / "books" / "others" / "flint" / "volume_1.txt"
    book.write_text(book.read_text() + "\n\n\n")
    assert told(workspace) == (
        "others: flint changed; the reference set does not see that: stylobench reference marlow --refit"
    )
    assert again(workspace).nothing_new
    assert references.load(NAME, workspace).digest == before.digest
    assert told(workspace) == ""


def test_the_reference_sets_own_settings_are_kept(workspace: Path) -> None:
    """Another size or persona in the corpus file is for a new reference set, not for this one."""
    corpus = workspace / "trainers" / "corpora" / f"{NAME}.yaml"
    text = corpus.read_text().replace("passage_words: 100", "passage_words: 60")
    corpus.write_text(text.replace("pilot of", "lord of"))
    add_author(workspace)
    found = again(workspace).reference
    assert (found.passage_words, found.persona) == (100, "You write as Ellis Marlow, pilot of the estuary.")
    assert max(passage.n_words for passage in found.others["hume"]) > 75


def test_too_little_text_of_a_new_author_leaves_everything_as_it_was(workspace: Path) -> None:
    shelf = add_author(workspace)
    for book in shelf.iterdir():
        book.write_text("\n\n".join(prose(GARDENER, 60, 7)))
    before = references.load(NAME, workspace)
    with pytest.raises(ConfigurationError, match=r"others: hume has [0-4] passages to fit on"):
        again(workspace)
    assert references.load(NAME, workspace) == before
    assert [path.name for path in (workspace / "results" / "references").iterdir()] == [NAME]


def test_what_was_never_prepared_cannot_be_refitted(workspace: Path) -> None:
    shutil.rmtree(workspace / "results" / "references")
    with pytest.raises(MissingPrerequisiteError, match="run `stylobench prepare marlow` first"):
        again(workspace)


# ── the command ───────────────────────────────────────────────────────────────────────────────────


def test_golden_refit(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def said(*command: str) -> tuple[str, str]:
        capsys.readouterr()
        assert invoke(["-C", str(workspace), *command]) == 0
        found = capsys.readouterr()
        return found.out, found.err

    add_author(workspace)
    shutil.rmtree(workspace / "books" / "others" / "thorne")
    before = references.load(NAME, workspace)
    assert said("prepare", NAME)[1].splitlines()[-1] == (
        "others: hume added; thorne removed; the reference set does not see that: "
        "stylobench reference marlow --refit"
    )
    out, _ = said("reference", NAME, "--refit")
    after = references.load(NAME, workspace)
    lines = [line.rstrip() for line in out.splitlines()]
    counts = {name: len(found) for of in (before, after) for name, found in of.others.items()}
    assert [line.split() for line in lines[:4]] == [
        ["other", "author", "passages", "before", "state"],
        ["flint", str(counts["flint"]), str(counts["flint"]), "as", "before"],
        ["hume", str(counts["hume"]), "0", "added"],
        ["thorne", "0", str(counts["thorne"]), "removed"],
    ]
    assert lines[4:] == [
        "",
        f"reference {before.digest} -> {after.digest}",
        "prompts, documents and held-out text are as they were: "
        "stored answers and likelihoods are used again",
        "the other authors' texts that models read (author_gain) still hold some by thorne",
        f"the former set is results/references/marlow.{before.digest}; "
        "scores against it are not comparable with new ones",
        "next: stylobench run SUITE (new authors' own answers; no model is asked again), "
        "then stylobench score SUITE",
    ]
    assert "others:" not in said("prepare", NAME)[1]
    out, _ = said("reference", NAME, "--refit")
    assert out.splitlines()[-1] == (
        f"nothing to do: reference {after.digest} was fitted on these very passages"
    )
