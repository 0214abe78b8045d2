from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from harness import freezing
from harness import reference as references
from harness.errors import ConfigurationError, MissingPrerequisiteError
from harness.reference import Margins, Reference


@pytest.fixture(scope="module")
def reference(small_author: Path) -> Reference:
    return references.load("marlow", small_author)


@pytest.fixture
def own(small_author: Path, tmp_path: Path) -> Reference:
    """The same in a folder that may be written to."""
    shutil.copytree(references.folder_of("marlow", small_author), references.folder_of("marlow", tmp_path))
    return references.load("marlow", tmp_path)


def folders(of: Reference) -> list[str]:
    return sorted(path.name for path in of.folder.parent.iterdir())


def fewer(of: Reference) -> Reference:
    """A draft with one other author less."""
    others = {"flint": of.others["flint"]}
    digest = references.content_digest(of.prompts, of.documents, of.train, others)
    return replace(of, others=others, digest=digest)


def no_margins(_: Reference) -> Margins:
    return Margins({}, {})


def test_a_reference_whose_margins_fail_is_not_frozen(reference: Reference, tmp_path: Path) -> None:
    """All or nothing: a crash while measuring leaves no folder that could be taken for a reference set."""

    def broken(draft: Reference) -> Margins:
        assert draft.fitted.keywords == reference.fitted.keywords
        raise RuntimeError("out of memory")

    draft = replace(reference, folder=references.folder_of("marlow", tmp_path), margins={}, audit={})
    with pytest.raises(RuntimeError, match="out of memory"):
        freezing.freeze(draft, reference.fitted, broken)
    with pytest.raises(MissingPrerequisiteError):
        references.load("marlow", tmp_path)
    frozen = freezing.freeze(draft, reference.fitted, lambda _: Margins({"words": 2.0}, {"words_auc": 0.6}))
    assert references.load("marlow", tmp_path) == frozen
    assert json.loads((frozen.folder / "reference.json").read_text())["margins"] == {"words": 2.0}


def test_two_that_cut_at_once_leave_one_whole_reference(reference: Reference, tmp_path: Path) -> None:
    draft = replace(reference, folder=references.folder_of("marlow", tmp_path))

    def faster(_: Reference) -> Margins:
        shutil.copytree(reference.folder, draft.folder)
        return Margins({}, {})

    with pytest.raises(ConfigurationError, match="cut by another process meanwhile"):
        freezing.freeze(draft, reference.fitted, faster)
    assert references.load("marlow", tmp_path).digest == reference.digest
    assert [path.name for path in draft.folder.parent.iterdir()] == ["marlow"]


def test_a_folder_left_behind_by_a_killed_one_is_in_nobodys_way(reference: Reference, tmp_path: Path) -> None:
    """Process numbers come again, in containers at once."""
    draft = replace(reference, folder=references.folder_of("marlow", tmp_path))
    stale = draft.folder.with_name(f"marlow.{os.getpid()}.part")
    stale.mkdir(parents=True)
    frozen = freezing.freeze(draft, reference.fitted, no_margins)
    assert references.load("marlow", tmp_path) == frozen
    assert folders(frozen) == ["marlow", stale.name]
    assert frozen.folder.stat().st_mode == stale.stat().st_mode, "others may read it"


def test_a_refitted_set_takes_the_place_and_the_former_stays_whole(own: Reference, tmp_path: Path) -> None:
    found = freezing.refreeze(fewer(own), own.fitted, no_margins, own)
    assert references.load("marlow", tmp_path) == found
    assert found.fitted.keywords == own.fitted.keywords
    former = references.load(f"marlow.{own.digest}", tmp_path)
    assert replace(former, folder=own.folder) == own
    assert former.fitted.keywords == own.fitted.keywords
    assert folders(own) == ["marlow", f"marlow.{own.digest}"]


def test_a_refit_that_fails_leaves_everything_as_it_was(own: Reference, tmp_path: Path) -> None:
    def broken(_: Reference) -> Margins:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        freezing.refreeze(fewer(own), own.fitted, broken, own)
    assert references.load("marlow", tmp_path) == own
    assert folders(own) == ["marlow"]


def test_of_two_that_refit_at_once_the_second_is_told(own: Reference, tmp_path: Path) -> None:
    def slower(_: Reference) -> Margins:
        shutil.copytree(own.folder, references.former_folder(own))
        return Margins({}, {})

    with pytest.raises(ConfigurationError, match="by another process meanwhile; run the same command again"):
        freezing.refreeze(fewer(own), own.fitted, slower, own)
    assert references.load("marlow", tmp_path) == own


def test_two_sets_change_places(own: Reference, tmp_path: Path) -> None:
    found = freezing.refreeze(fewer(own), own.fitted, no_margins, own)
    freezing.bring_back(references.load(f"marlow.{own.digest}", tmp_path), found)
    assert references.load("marlow", tmp_path) == own
    assert folders(own) == ["marlow", f"marlow.{found.digest}"]


def test_other_files_of_the_same_passages_are_noted(own: Reference, tmp_path: Path) -> None:
    changed = replace(own, other_files={"flint": ("a", "b")})
    freezing.note_files(changed)
    assert references.load("marlow", tmp_path) == changed
    assert folders(own) == ["marlow"]
    assert not list(own.folder.glob("*.part"))


def test_nothing_is_cut_where_a_refit_was_stopped_between_its_renames(own: Reference, tmp_path: Path) -> None:
    freezing.check_absent("marlow", tmp_path)
    own.folder.rename(references.former_folder(own))
    with pytest.raises(ConfigurationError, match=rf"but marlow\.{own.digest} is: rename one to marlow"):
        freezing.check_absent("marlow", tmp_path)
    freezing.check_absent("mar", tmp_path)
