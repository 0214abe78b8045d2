"""Every error the harness raises on purpose, as one tree.

    StylobenchError                 exit 1   the root: catch this to catch them all
    ├── ConfigurationError          exit 2   what the user wrote cannot be used
    │   ├── YamlError                        ... with file:line:column and the nearest valid name
    │   └── BookError                        ... a book that cannot be read, with page and remedy
    ├── IncompleteError             exit 4   answers or scores are missing, or cannot be compared
    └── MissingPrerequisiteError    exit 5   something this machine lacks: a package, a base model, a table

Exit 3 (a regression or a failed gate) is a result and not an error; exit 130 is an interruption that
can be resumed.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

EXIT_OK, EXIT_INTERNAL, EXIT_CONFIGURATION, EXIT_REGRESSION = 0, 1, 2, 3
EXIT_INCOMPLETE, EXIT_MISSING, EXIT_INTERRUPTED = 4, 5, 130


class StylobenchError(Exception):
    """The root of the tree. Its message is one or more finished lines for the user."""

    exit_code = EXIT_INTERNAL


class ConfigurationError(StylobenchError):
    """What the user wrote cannot be used; nothing was started and nothing written."""

    exit_code = EXIT_CONFIGURATION


class YamlError(ConfigurationError):
    """One or more faults in YAML files, each already placed as ``file:line:column  what is wrong``."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


class BookError(ConfigurationError):
    """A book that cannot be read: names the file, the page where known, and what to do about it."""

    def __init__(self, path: Path, problem: str, remedy: str, page: int | None = None) -> None:
        self.path, self.problem, self.remedy, self.page = path, problem, remedy, page
        place = path.name if page is None else f"{path.name}, page {page}"
        super().__init__(f"{place}: {problem}; {remedy}")


class IncompleteError(StylobenchError):
    """Answers or scores are missing, or the two sides cannot be compared."""

    exit_code = EXIT_INCOMPLETE


class MissingPrerequisiteError(StylobenchError):
    """This machine lacks something: a package, a base model, a corpus that was never prepared."""

    exit_code = EXIT_MISSING


def nearest(name: str, valid: Iterable[str]) -> str:
    """``, did you mean 'alpha'?`` for a name one slip away from a valid one; else a short list of them.

    >>> nearest("aplha", ["r", "alpha"])
    ", did you mean 'alpha'?"
    """
    choices = sorted(valid)
    close = difflib.get_close_matches(name, choices, n=1, cutoff=0.6)
    if close:
        return f", did you mean {close[0]!r}?"
    if not choices:
        return ""
    return f"; have {', '.join(choices[:8])}" + (" ..." if len(choices) > 8 else "")
