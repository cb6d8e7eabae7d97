"""The exact oracle beside mpmath at 400 bits: the truth lies within its balls, and a wrong partial shows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from oracles.arrayed import lane
from oracles.exact.lowering import Lowered, derive, lowered

ROOT = Path(__file__).parents[1]
POINTS = 20


def slightly_off(name: str) -> Lowered:
    """A slope times 1 + 1e-20: within every budget, so that the error model does not refuse it before mpmath does."""
    right = ["neg", [name, ["input", 0]]] if name in ("sin", "cos") else [name, ["input", 0]]
    return lowered(["+", right, ["*", 1e-20, right]], 1)


@pytest.fixture(scope="module")
def enclosures() -> Iterator[ModuleType]:
    """The script, which is run from the project's folder."""
    sys.path.insert(0, str(ROOT))
    try:
        from benchmarks import enclosures

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lane, "ABLE", False)  # truths of 160 bits and more, by Arb
            yield enclosures
    finally:
        sys.path.remove(str(ROOT))


def test_every_derivative_is_enclosed(enclosures: ModuleType) -> None:
    """Twenty points of each of the ten functions, both orders, and the balls are far narrower than a float64."""
    rows = [row for name in enclosures.FUNCTIONS for row in enclosures.measure(name, POINTS, 1, {})]
    assert [row.order for row in rows] == [1, 2] * 10
    assert all(row.inside == [True] * POINTS for row in rows)
    assert 0 < max(max(row.width) for row in rows) < 1e-30


@pytest.mark.parametrize(("order", "wrong"), [(1, "partials"), (2, "seconds")])
def test_a_wrong_partial_shows(
    enclosures: ModuleType, monkeypatch: pytest.MonkeyPatch, order: int, wrong: str
) -> None:
    """One of cos that is off by 1e-20 leaves no point of `(1 - cos(x))/x**2` enclosed; sin keeps all of its points."""
    cos = derive("cos(x)", ("x",), ())
    off = (slightly_off("sin"),) if wrong == "partials" else ((slightly_off("cos"),),)
    monkeypatch.setattr(cos, wrong, off)
    rows = enclosures.measure("(1 - cos(x))/x**2", POINTS, 1, {})
    assert not any(rows[order - 1].inside)
    if order == 2:
        assert all(rows[0].inside)
    assert all(all(row.inside) for row in enclosures.measure("sin(x)", POINTS, 1, {}))


def test_no_point_is_near_a_pole_and_all_are_the_same_again(enclosures: ModuleType) -> None:
    """The stated rule holds, and the seed decides the points."""
    for name in enclosures.FUNCTIONS:
        xs = enclosures.points(name, 200, 0)
        assert len(set(xs)) == 200
        assert np.all((xs >= enclosures.LEAST) & (xs <= enclosures.MOST))
        np.testing.assert_array_equal(xs, enclosures.points(name, 200, 0))
    assert np.min(np.abs(enclosures.points("tan(x)", 2000, 0) - np.pi / 2)) >= enclosures.POLE


def test_the_exit_code_is_the_answer(
    enclosures: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It prints the count and a row for each way, and fails where a derivative lies outside its ball."""
    asked = ["--points", "5", "--functions", "exp(x);sin(x)"]
    assert enclosures.main(asked) == 0
    printed = capsys.readouterr().out
    assert "encloses the first derivative at 10 of 10 points" in printed
    assert all(way in printed for way in ("central differences", "refgrad"))
    monkeypatch.setattr(derive("exp(x)", ("x",), ()), "partials", (slightly_off("exp"),))
    assert enclosures.main(asked) == 1
    assert "5 of 10 points" in capsys.readouterr().out
