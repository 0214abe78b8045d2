from __future__ import annotations

from pathlib import Path

import pytest

from harness import shelves
from harness.corpusfile import AuthorFile, Dose, Version, read_author
from harness.errors import ConfigurationError, YamlError

HEAD = "author: Ellis Marlow\nbooks: b/*.pdf\nothers: [o/*/*.txt]\nversions:\n"
FIRST = "  1: {words: 150, overlap: 20, keep: everything}\n"


def _read(workspace: Path, versions: str, head: str = HEAD) -> AuthorFile:
    path = workspace / "trainers" / "corpora" / "marlow.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(head + versions)
    return read_author("marlow", workspace)


def test_one_pattern_or_many_and_the_defaults(tmp_path: Path) -> None:
    author = _read(tmp_path, FIRST)
    assert (author.books, author.others) == (("b/*.pdf",), ("o/*/*.txt",))
    assert (author.hold_out, author.passage_words, author.language) == (None, 150, "en")
    assert (author.prompts.from_held_out, author.prompts.continuations) == (40, 40)
    assert author.system_prompt() == "You write as Ellis Marlow."


def test_a_persona_with_other_braces_is_left_alone(tmp_path: Path) -> None:
    author = _read(tmp_path, FIRST, "persona: '{author} {writes}'\n" + HEAD)
    assert author.system_prompt() == "Ellis Marlow {writes}"


def test_a_version_inherits_what_it_leaves_out(tmp_path: Path) -> None:
    author = _read(
        tmp_path,
        FIRST + "  2: {from: 1, keep: body}\n  3: {from: 2, words: 90, dose: {role: index, share: 0.7}}\n"
        "  4: {from: 3, dose: null}\n  5: {}\n",
    )
    assert author.resolve(1) == Version(words=150, overlap=20, keep="everything")
    assert author.resolve(2) == Version(words=150, overlap=20, keep="body")
    dosed = Version(words=90, overlap=20, keep="body", dose=Dose(role="index", share=0.7))
    assert author.resolve(3) == dosed
    assert author.resolve(4) == dosed.model_copy(update={"dose": None})
    assert author.resolve(5) == Version()


def test_a_version_that_does_not_exist_lists_those_that_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="version 3 does not exist; have @1, @2"):
        _read(tmp_path, FIRST + "  2: {from: 1}\n").resolve(3)


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        (FIRST + "  3: {from: 1}\n", "marlow.yaml:4:1  versions: versions are numbered 1, 2, 3 ..."),
        ("  {}\n", "marlow.yaml:4:1  versions: at least version 1 is needed"),
        ("  1: {from: 1}\n", "marlow.yaml:4:1  versions: version 1: from 1 is not an earlier version"),
        (
            FIRST + "  2: {from: 0}\n",
            "marlow.yaml:4:1  versions: version 2: from 0 is not an earlier version",
        ),
        (
            "  1: {words: 90, overlap: 46}\n",
            "marlow.yaml:4:1  versions: version 1: overlap 46 is more than half",
        ),
        (
            "  1: {words: 150, overlap: 70}\n  2: {from: 1, words: 100}\n",
            "marlow.yaml:4:1  versions: version 2: overlap 70 is more than half of words 100",
        ),
        (
            FIRST + "  2: {from: 1, kep: body}\n",
            "marlow.yaml:6:16  versions.2.kep: unknown key, did you mean",
        ),
        (
            FIRST + "  2: {from_: 1}\n",
            "marlow.yaml:6:7  versions.2.from_: unknown key, did you mean 'from'?",
        ),
        ("  1: {style: verse}\n", "marlow.yaml:5:7  versions.1.style: input should be 'completion'"),
        (
            "  1: {dose: {role: index, share: 1}}\n",
            "marlow.yaml:5:27  versions.1.dose.share: input should be",
        ),
    ],
)
def test_a_faulty_version_is_placed(tmp_path: Path, versions: str, expected: str) -> None:
    with pytest.raises(YamlError) as caught:
        _read(tmp_path, versions)
    assert [fault[: len(expected)] for fault in caught.value.faults] == [expected]


def test_other_authors_may_be_left_out(tmp_path: Path) -> None:
    assert _read(tmp_path, FIRST, HEAD.replace("[o/*/*.txt]", "[]")).others == ()
    assert _read(tmp_path, FIRST, HEAD.replace("others: [o/*/*.txt]\n", "")).others == ()


def test_the_shipped_corpora_are_valid(tmp_path: Path) -> None:
    paths = shelves.list_yaml("trainers/corpora", tmp_path)
    assert paths
    for path in paths:
        author = read_author(path.stem, tmp_path)
        assert [author.resolve(number) for number in author.versions]


def test_an_author_without_a_file_offers_the_nearest(tmp_path: Path) -> None:
    _read(tmp_path, FIRST)
    with pytest.raises(ConfigurationError, match="did you mean 'marlow'"):
        read_author("marlowe", tmp_path)
    with pytest.raises(ConfigurationError, match=r"corpus '\.\./marlow': use letters"):
        read_author("../marlow", tmp_path)
