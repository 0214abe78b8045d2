"""stylobench: benchmarks for language models fine-tuned to write like one author.

>>> import harness as sb
>>> results = sb.open_results()           # doctest: +SKIP
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"
__all__ = ["Results", "__version__", "open_results"]


def __getattr__(name: str) -> Any:
    """The public names, imported when first used: ``import harness`` itself costs nothing."""
    if name in __all__:
        from harness import results

        return getattr(results, name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
