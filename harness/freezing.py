"""How a reference set comes to disk: whole or not at all.

    draft --> NAME.RANDOM.part/ --measured there--> NAME                freeze: the first and only time
    draft --> NAME.RANDOM.part/ --measured there--> NAME,  NAME -> NAME.DIGEST   refreeze: with other fits

Whoever is killed on the way leaves no folder that could be taken for a reference set.
"""

from __future__ import annotations

import errno
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from harness.errors import ConfigurationError
from harness.fitted import Fitted, remedy
from harness.reference import FORMAT, Margins, Reference, folder_of, former_digests, former_folder

Measured = Callable[[Reference], Margins]
"""A draft, its fits on disk -> margins and AUCs."""


def freeze(draft: Reference, fitted: Fitted, measured: Measured) -> Reference:
    """Write a reference set into a temporary folder, measure its margins there, rename it into place.

    Raises:
        ConfigurationError: something stands in its place: another ``prepare`` was faster, or it is damaged.
    """
    with _beside(draft.folder) as part:
        final = _write(draft, fitted, measured, part)
        _move(part, final.folder)
    return final


def refreeze(draft: Reference, fitted: Fitted, measured: Measured, former: Reference) -> Reference:
    """The same where ``former`` stands: it moves to its own name, and the new one takes its place.

    Raises:
        ConfigurationError: another process refitted it meanwhile.
    """
    with _beside(draft.folder) as part:
        final = _write(draft, fitted, measured, part)
        _move(former.folder, former_folder(former))
        _move(part, final.folder)
    return final


def bring_back(earlier: Reference, former: Reference) -> None:
    """Let an earlier set stand where ``former`` stands, and the other way round."""
    _move(former.folder, former_folder(former))
    _move(earlier.folder, former.folder)


def note_files(found: Reference) -> None:
    """Write down other files for the same passages; the digest stays."""
    part = found.folder / "reference.json.part"
    _write_json(found, part)
    part.replace(found.folder / "reference.json")


def check_absent(name: str, workspace: Path) -> None:
    """Refuse to cut a new set where a refit was stopped between its two renames.

    Raises:
        ConfigurationError: former sets of this author are there, and none in their place.
    """
    former = [f"{name}.{digest}" for digest in former_digests(name, workspace)]
    if former and not folder_of(name, workspace).exists():
        raise ConfigurationError(
            f"results/references/{name} is not there, but {', '.join(former)} is: rename one to {name}, "
            "or move them away to cut a new reference set"
        )


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    outer = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".part", dir=folder.parent))
    # A folder in it: the outer one is closed to all others, what is moved out of it must not be.
    part = outer / folder.name
    try:
        part.mkdir()
        yield part
    finally:
        shutil.rmtree(outer, ignore_errors=True)


def _write(draft: Reference, fitted: Fitted, measured: Measured, part: Path) -> Reference:
    fitted.save(part, draft.digest)
    found = measured(replace(draft, folder=part))
    final = replace(draft, margins=found.margins, audit=found.audit)
    _write_json(final, part / "reference.json")
    return final


def _write_json(found: Reference, path: Path) -> None:
    plain = {key: value for key, value in asdict(found).items() if key != "folder"} | {"format": FORMAT}
    path.write_text(json.dumps(plain, ensure_ascii=False), encoding="utf-8")


def _move(folder: Path, to: Path) -> None:
    """Rename, unless something stands there."""
    try:
        folder.rename(to)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.ENOENT):
            raise
        place = f"results/references/{to.name}"
        if (to / "reference.json").is_file() or error.errno == errno.ENOENT:
            problem = f"{place} was cut by another process meanwhile; run the same command again"
        else:
            problem = f"{place} is damaged: it has no reference.json; {remedy(to.name)}"
        raise ConfigurationError(problem) from None
