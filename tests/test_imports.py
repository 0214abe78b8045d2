"""The shape of the package: imports point downward, and nobody pays for a library he does not use."""

from __future__ import annotations

import ast
import resource
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import harness

PACKAGE = Path(harness.__file__).parent

ROOMS: tuple[tuple[str, ...], ...] = (
    ("types", "errors", "text", "shelves", "decodings", "looks"),
    ("yamlfile", "taskfile", "recipe", "keys", "matrix", "suite", "corpusfile"),
    ("metrics", "statistics", "power", "punkt"),
    # Models know nothing of books, and one of those who write questions about a book is a model.
    ("models",),
    ("corpus",),
    ("store",),
    ("training",),
    ("engines",),
    ("fitted",),
    ("reference",),
    ("freezing",),
    ("models.controls", "models.recorded", "measures", "retention", "stock", "stock_names", "distances"),
    ("margins", "judges", "cutting", "yardsticks", "pooled"),
    ("audit", "trust"),
    ("models.few_shot",),
    ("asking", "holdout", "background"),
    ("library",),
    ("corpora",),
    ("prepare",),
    ("prospect",),
    ("foldfiles",),
    ("refit",),
    ("variants",),
    ("plan",),
    ("batches",),
    ("stock_run", "stock_scores"),
    ("run",),
    ("score", "likelihood_scores", "pooled_scores"),
    ("summaries", "positions", "pairing", "differences", "closeness", "telling", "pooled_verdicts"),
    ("comparable", "deciding", "compare", "reach"),
    ("judging",),
    ("duels",),
    ("anchors",),
    ("figures", "plots", "report_context"),
    ("report_numbers", "report_rows", "report_marks", "report_positions", "report_training", "report_words"),
    ("report", "report_tables"),
    ("bench", "validation", "results"),
    ("across", "growing"),
    ("lmeval", "orders", "milestones", "train", "probing", "forecast", "registering"),
    ("measuring", "measuring_pooled"),
    ("demo",),
    # The demo's story types the commands a user would type, so it lives with the commands.
    ("cli", "demo.story"),
)
"""From the ground up. A package stands for its modules; a longer name wins over a shorter one."""

HEAVY = {
    *("torch", "transformers", "peft", "trl", "datasets", "accelerate", "lm_eval", "gguf", "safetensors"),
    *("seaborn", "matplotlib", "wordcloud", "scipy", "sklearn", "pandas", "pyarrow", "deltalake"),
    *("pymupdf", "fitz", "nltk", "anthropic"),
}
"""Libraries that take a noticeable time to import: only ever inside the function that needs them."""


@dataclass(frozen=True)
class Import:
    """``module`` imports ``target`` (absolute, a harness module or a library) on a line of its file."""

    module: str
    line: int
    target: str
    inside: bool
    """True within a function, or where only a type checker looks."""


def _modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = ("harness", *path.relative_to(PACKAGE).with_suffix("").parts)
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


MODULES = _modules()


def _imports(module: str) -> Iterator[Import]:
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    deferred: set[ast.AST] = set()
    for node in ast.walk(tree):
        function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if function or typing_only:
            deferred |= set(ast.walk(node))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: imports are absolute here"
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            targets = [name if name in MODULES else str(node.module) for name in full]
        else:
            continue
        for target in targets:
            yield Import(module, node.lineno, target, node in deferred)


ALL = [found for module in MODULES for found in _imports(module)]


def _floor(module: str) -> int:
    """The room of a module, counted from the ground."""
    name = module.removeprefix("harness.")
    levels = {named: level for level, room in enumerate(ROOMS) for named in room}
    while name not in levels and "." in name:
        name = name.rpartition(".")[0]
    assert name in levels, f"{module} has no room: say in ROOMS where it belongs"
    return levels[name]


def test_every_module_has_a_room_and_every_room_a_module() -> None:
    for module in MODULES:
        if module != "harness":
            assert _floor(module) >= 0
    for named in (named for room in ROOMS for named in room):
        assert f"harness.{named}" in MODULES, f"{named} is no module any more"


@pytest.mark.parametrize("module", [module for module in MODULES if module != "harness"])
def test_imports_point_downward_only(module: str) -> None:
    """Also those inside functions and for type checkers: a room does not know who lives above it."""
    upward = [
        f"{found.module}:{found.line} imports {found.target}"
        for found in ALL
        if found.module == module
        and found.target.startswith("harness.")
        and _floor(found.target) > _floor(module)
    ]
    assert upward == []


def test_the_package_itself_is_imported_for_its_version_alone() -> None:
    importers = {found.module for found in ALL if found.target == "harness"}
    for module in importers:
        tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
        names = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "harness"
            for alias in node.names
            if f"harness.{alias.name}" not in MODULES
        }
        assert names <= {"__version__"}, module


def test_heavy_libraries_are_imported_inside_functions() -> None:
    at_the_top = [
        f"{found.module}:{found.line} imports {found.target}"
        for found in ALL
        if found.target.partition(".")[0] in HEAVY and not found.inside
    ]
    assert at_the_top == []
    assert any(found.target == "torch" for found in ALL), "the guard sees imports inside functions"


def test_nothing_unpickles() -> None:
    forbidden = {"pickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}
    assert [found for found in ALL if found.target.partition(".")[0] in forbidden] == []


def _loaded_by(code: str) -> set[str]:
    script = (
        f"{code}\nimport sys\nprint('LOADED', *sorted({{name.partition('.')[0] for name in sys.modules}}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stdout.rpartition("LOADED")[2].split())


def test_help_imports_no_heavy_library() -> None:
    loaded = _loaded_by("from harness.cli import invoke\nassert invoke(['--help']) == 0")
    assert "typer" in loaded
    assert not loaded & HEAVY
    assert "numpy" not in loaded


def test_importing_the_package_costs_nothing() -> None:
    loaded = _loaded_by("import harness\nassert harness.__version__")
    assert not loaded & (HEAVY | {"numpy", "typer", "pydantic"})


def test_help_answers_at_once() -> None:
    """0.1 s on two quiet cores; the median of five must stay under 0.4 s.

    Counted in CPU time, which is the wall clock's on a quiet machine: others' work beside it is no fault.
    """
    command = [sys.executable, "-c", "from harness.cli import main; main()", "--help"]
    seconds = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, capture_output=True, timeout=60, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert statistics.median(seconds) < 0.4
