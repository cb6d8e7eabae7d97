"""What SymPy has derived is kept in files: read as data, and as good as none where anything is wrong with them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flint import arb

from oracles.exact import derivation, kept
from oracles.exact.lowering import Derived, lowered

HEAVY = "x*exp(-x*x)"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache directory of this test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The meanings that SymPy is asked to derive."""
    meanings: list[str] = []
    derive = derivation.derivatives

    def noticed(meaning: str, *rest: Any) -> dict[str, Any]:
        meanings.append(meaning)
        return derive(meaning, *rest)

    monkeypatch.setattr(derivation, "derivatives", noticed)
    return meanings


def slope(meaning: str = HEAVY) -> arb:
    """The slope of a freshly derived function at 1/2."""
    found: arb = Derived(meaning, ("x",), ()).partials[0](arb(0.5))
    return found


def only_file() -> Path:
    """The one file that is kept."""
    (path,) = kept.folder().iterdir()
    return path


def test_a_derivation_is_made_once(asked: list[str]) -> None:
    """The second time the answer comes from the file, and is the same ball."""
    first = slope()
    assert str(slope()) == str(first)
    assert asked == [HEAVY]
    assert first.overlaps((-arb(0.25)).exp() / 2)


def test_questions_are_told_apart(asked: list[str]) -> None:
    """Another meaning, or other fixed numbers, are another file."""
    slope()
    slope("2*x")
    for a in (2, 3, 2):
        assert Derived("a*x", ("x",), (("a", a),)).partials[0](arb(1)) == a
    assert asked == [HEAVY, "2*x", "a*x", "a*x"]


def test_forms_are_kept_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """So are the forms in which libraries write a slope."""
    f = Derived("exp(x)", ("x",), ())
    first = f.forms({"x": "y"})[0](arb(3), arb(1))
    monkeypatch.setattr(derivation, "slopes", None)
    assert f.forms({"x": "y"})[0](arb(3), arb(1)) == first == 3


def altered(change: Any) -> bytes:
    """That file with something else in it."""
    held = json.loads(only_file().read_bytes())
    return json.dumps(change(held)).encode()


DAMAGE = {
    "cut off": lambda: only_file().read_bytes()[:-9],
    "empty": lambda: b"",
    "no text": lambda: b"\xff\x00\xfe",
    "no object": lambda: b"[]",
    "another operation": lambda: only_file().read_bytes().replace(b"neg", b"sin"),
    "another question": lambda: altered(lambda held: held | {"question": ["derivatives", "x", ["x"], []]}),
    "nothing in it": lambda: altered(lambda held: held | {"answer": {}, "checksum": kept._digest({})}),
    "too deep": lambda: b"[" * 100_000,
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_seen_and_mended(kind: str, asked: list[str]) -> None:
    """A file that is not whole is derived anew and written again."""
    right = slope()
    whole = only_file().read_bytes()
    only_file().write_bytes(DAMAGE[kind]())
    assert str(slope()) == str(right)
    assert asked == [HEAVY, HEAVY]
    assert only_file().read_bytes() == whole


@pytest.mark.parametrize(
    "formula",
    [
        *("x", "__import__('os')", None, True, float("nan"), float("inf"), [], {}, ["input"], ["input", 1]),
        *(["input", -1], ["input", True, 1], ["eval", "1"], ["exp", "1"], [["input", 0]], ["__class__", 1]),
    ],
)
def test_what_is_no_formula_is_refused(formula: Any) -> None:
    """Names outside the tables, numbers that are none, and inputs that do not exist: refused, and never run."""
    with pytest.raises(ValueError, match=r"no formula|no number"):
        lowered(["+", 1, formula], 1)


def test_a_place_that_cannot_be_written_does_no_harm(home: Path, asked: list[str]) -> None:
    """Where the directory cannot be made, SymPy is asked every time."""
    (home / "refgrad").write_text("in the way")
    assert str(slope()) == str(slope())
    assert asked == [HEAVY, HEAVY]


def test_another_version_derives_anew(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What another SymPy, or another state of the code that derives, has left is not read."""
    slope()
    kept._makers.cache_clear()
    monkeypatch.setattr(kept, "version", lambda name: "0.0")
    try:
        slope()
    finally:
        kept._makers.cache_clear()
    assert asked == [HEAVY, HEAVY]


def test_a_relative_home_does_not_count(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """The XDG specification says so; the user's own ~/.cache is taken."""
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    monkeypatch.setenv("HOME", str(home))
    assert kept.folder().is_relative_to(home / ".cache" / "refgrad")


def test_sympy_is_not_loaded_for_what_is_kept() -> None:
    """Another process takes in a kept derivation without importing SymPy."""
    slope()
    code = f"""if True:
        import sys
        from oracles.exact.lowering import derive
        derive({HEAVY!r}, ("x",))
        assert "sympy" not in sys.modules
        derive("3*x", ("x",))
        assert "sympy" in sys.modules
    """
    subprocess.run([sys.executable, "-c", code], check=True)
