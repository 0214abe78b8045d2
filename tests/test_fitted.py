from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from harness import reference as references
from harness.errors import ConfigurationError
from harness.fitted import Fitted
from harness.reference import Reference


@pytest.fixture(scope="module")
def reference(small_author: Path) -> Reference:
    return references.load("marlow", small_author)


def test_what_was_fitted_survives_the_disk(reference: Reference, tmp_path: Path) -> None:
    reference.fitted.save(tmp_path)
    again = Fitted.load(tmp_path)
    texts = [reference.heldout[0].text, reference.others["flint"][0].text]
    assert again.keywords == reference.fitted.keywords
    assert again.keyness == reference.fitted.keyness
    assert again.honest == reference.fitted.honest
    assert again.honest.excess > 0
    for text in texts:
        assert again.tfidf.nearest(text) == reference.fitted.tfidf.nearest(text)
        assert again.delta.burrows(text) == reference.fitted.delta.burrows(text)
    for name, classifier in reference.fitted.classifiers.items():
        assert np.array_equal(again.classifiers[name].logits(texts), classifier.logits(texts))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fitted.json", "fitted.npz"]


def test_the_files_hold_no_pickle_and_no_path(reference: Reference, small_author: Path) -> None:
    with np.load(reference.folder / "fitted.npz", allow_pickle=False) as archive:
        assert all(archive[name].dtype.kind in "fiuUb" for name in archive.files)
    for name in ("reference.json", "fitted.json"):
        assert str(small_author) not in (reference.folder / name).read_text()


@pytest.mark.parametrize("file", ["fitted.json", "fitted.npz"])
@pytest.mark.parametrize("content", [b"", b"{}", b"PK junk", b"\x80\x04K\x01."])
def test_damaged_fits_are_refused(small_author: Path, tmp_path: Path, file: str, content: bytes) -> None:
    folder = references.folder_of("marlow", tmp_path)
    shutil.copytree(references.folder_of("marlow", small_author), folder)
    (folder / file).write_bytes(content)
    with pytest.raises(ConfigurationError, match="damaged; put results/references/marlow back"):
        _ = references.load("marlow", tmp_path).fitted


def test_fits_of_another_set_are_refused(reference: Reference, tmp_path: Path) -> None:
    """A process that read the set before it was refitted must not score by the new fits."""
    reference.fitted.save(tmp_path, "another")
    assert Fitted.load(tmp_path, "another").keywords == reference.fitted.keywords
    with pytest.raises(ConfigurationError, match="was refitted meanwhile; run the same command again"):
        Fitted.load(tmp_path, reference.digest)
