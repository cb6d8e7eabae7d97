"""Who may import whom: refgrad <- oracles <- reports, read from the source of every module."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = {"refgrad", "oracles", "reports", "tests", "benchmarks"}
ENGINE = {"numpy", "scipy", "ml_dtypes", "refgrad"}
RECORDS = {"oracles.records", "oracles.program", "oracles.arrays"}
STARTERS = {"reports.cli", "reports.live", "reports.interrupts", "reports.catalogue"}
"""Modules of reports that start a campaign, show its progress, or print the catalogue; the rest are pages."""
MODULES = sorted(p for package in ("refgrad", "oracles", "reports") for p in (ROOT / package).rglob("*.py"))


def imports(source: str, module: str, is_package: bool = False) -> Iterator[tuple[str, bool]]:
    """Every module that the source imports, and whether only a type checker does."""
    tree = ast.parse(source)
    checked = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    home = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node in checked
        elif isinstance(node, ast.ImportFrom):
            base = home[: len(home) - node.level + 1] if node.level else []
            stem = ".".join([*base, *filter(None, [node.module])])
            yield stem, node in checked
            for alias in node.names:
                if stem in OURS:  # `from oracles import records` imports oracles.records
                    yield f"{stem}.{alias.name}", node in checked


def forbidden(module: str, imported: str) -> str:
    """Why this module must not import that one; nothing if it may."""
    top, package = imported.partition(".")[0], module.partition(".")[0]
    if top in ("tests", "benchmarks"):
        return "nothing imports the tests"
    if top in sys.stdlib_module_names:
        return ""
    if package == "refgrad":
        return "" if top in ENGINE else "the engine imports NumPy, SciPy, ml_dtypes and itself alone"
    if package == "oracles":
        return "judges know nothing of reports" if top == "reports" else ""
    if top == "oracles" and module not in STARTERS and imported not in RECORDS | {"oracles"}:
        return "a page imports the record types alone"
    if top == "refgrad" and module not in STARTERS:
        return "a page is a function of records and needs no engine"
    return ""


def wrong_imports(source: str, module: str, is_package: bool = False) -> list[str]:
    """What is wrong with the imports of a module, a sentence each."""
    return [
        f"{module} imports {name}: {why}"
        for name, checked in imports(source, module, is_package)
        if not checked and (why := forbidden(module, name)) and not _is_a_name(name)
    ]


def _is_a_name(imported: str) -> bool:
    """Whether this is no module but a name in a package, such as `refgrad.tensor` beside `import refgrad`."""
    parts = imported.split(".")
    return parts[0] in OURS and len(parts) > 1 and not _exists(parts) and _exists(parts[:-1])


def _exists(parts: list[str]) -> bool:
    path = ROOT.joinpath(*parts)
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def name_of(path: Path) -> str:
    """The module's dotted name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("path", MODULES, ids=[name_of(p) for p in MODULES])
def test_imports_go_one_way(path: Path) -> None:
    """Each module of the three packages imports only what its layer may."""
    assert wrong_imports(path.read_text(), name_of(path), path.name == "__init__.py") == []


def test_all_modules_are_read() -> None:
    """The three packages are there to be read."""
    assert len(MODULES) > 60
    assert {name_of(p).partition(".")[0] for p in MODULES} == {"refgrad", "oracles", "reports"}


@pytest.mark.parametrize(
    ("module", "source", "said"),
    [
        ("refgrad.walk", "import torch", "refgrad.walk imports torch: the engine"),
        ("refgrad.walk", "from oracles import judge", "refgrad.walk imports oracles: the engine"),
        ("refgrad.ops.linear", "def f():\n    from sympy import diff", "refgrad.ops.linear imports sympy"),
        ("oracles.judge", "import reports.html", "oracles.judge imports reports.html: judges"),
        ("oracles.judge", "from tests.oracles import building", "nothing imports the tests"),
        ("reports.html", "from oracles.truth import enclose", "reports.html imports oracles.truth: a page"),
        ("reports.html", "from oracles import campaign", "reports.html imports oracles.campaign: a page"),
        ("reports.html", "import refgrad", "needs no engine"),
        ("reports.cli", "from ..benchmarks import speed", "nothing imports the tests"),
        ("oracles.exact.scalars", "from ...reports import html", "imports reports"),
    ],
)
def test_a_wrong_import_is_caught(module: str, source: str, said: str) -> None:
    """An import the wrong way is found wherever it stands, and named with its reason."""
    assert any(said in w for w in wrong_imports(source, module))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (
            "refgrad.walk",
            "import numpy as np\nimport os\nfrom scipy import special\nfrom refgrad.op import op",
        ),
        ("oracles.judge", "import sympy, torch, hypothesis\nimport refgrad"),
        ("reports.html", "from oracles.records import Finding\nfrom oracles import arrays\nimport jinja2"),
        ("reports.cli", "from oracles.campaign import plan_check"),
        ("refgrad.walk", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch"),
    ],
)
def test_a_right_import_passes(module: str, source: str) -> None:
    """What a layer may import is not complained about."""
    assert wrong_imports(source, module) == []
