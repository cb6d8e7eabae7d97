"""Ball arithmetic on arrays beside exact fractions: no result outside its ball, and exact ones exact."""

from __future__ import annotations

import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from oracles.arrayed import balls as module
from oracles.arrayed.balls import Balls, product
from oracles.arrayed.errorfree import LONG


def fraction(x: Any) -> Fraction:
    """An extended number, exactly."""
    high = float(x)
    return Fraction(high) + Fraction(float(x - LONG(high)))


def misses(made: Balls, right: list[Fraction]) -> int:
    """How many balls do not hold the right number."""
    rads = np.zeros(made.shape) if made.rad is None else made.rad
    rows = zip(np.ravel(made.mid), np.ravel(rads), right, strict=True)
    return sum(abs(fraction(mid) - exact) > Fraction(float(rad)) for mid, rad, exact in rows)


def drawn(seed: int, shape: tuple[int, ...] = (300,)) -> Balls:
    """Exact numbers of all magnitudes, some of which have few bits."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape) * 10.0 ** rng.integers(-8, 9, shape)
    return Balls(np.where(rng.random(shape) < 0.3, np.round(x * 8) / 8 + 0.0625, x).astype(LONG))


OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations(name: str) -> None:
    """On exact numbers, and on results of the same operation, whose ends are taken in all combinations."""
    operation, a, b = OPERATIONS[name], drawn(1), drawn(2)
    right = [operation(fraction(x), fraction(y)) for x, y in zip(a.mid, b.mid, strict=True)]
    made = operation(a, b)
    assert misses(made, right) == 0
    exact = sum(fraction(m) == r for m, r in zip(made.mid, right, strict=True))
    assert exact == (made.rad == 0).sum() > 0
    c = drawn(3)
    for x, y in ((made, c), (c, made), (made, made + c)):
        again = operation(x, y)
        for s in (-1, 0, 1):
            for t in (-1, 0, 1):
                ends = zip(_ends(x, s), _ends(y, t), strict=True)
                assert misses(again, [operation(p, q) for p, q in ends]) == 0


def _ends(x: Balls, side: int) -> list[Fraction]:
    rads = np.zeros(x.shape) if x.rad is None else x.rad
    return [fraction(m) + side * Fraction(float(r)) for m, r in zip(x.mid, rads, strict=True)]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 16, 50])
def test_sums(count: int) -> None:
    """Sums, running sums and matrix products, of exact numbers and of balls."""
    for x in (drawn(4, (count, 2)), drawn(5, (count, 2)) * drawn(6, (count, 2))):
        rows = [[fraction(v) for v in column] for column in x.mid.T]
        assert misses(x.total(0), [sum(row, Fraction(0)) for row in rows]) == 0
        running = [[sum(row[: n + 1], Fraction(0)) for row in rows] for n in range(count)]
        assert misses(x.running(0), [f for pair in running for f in pair]) == 0
    a, b = drawn(7, (2, count, 1)), drawn(8, (count, 3, 1))
    right = [
        sum((fraction(a.mid[i, n, 0]) * fraction(b.mid[n, j, 0]) for n in range(count)), Fraction(0))
        for i in range(2)
        for j in range(3)
    ]
    assert misses(product(a, b), right) == 0


def test_a_radius_too_small_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With half the roundings left out of the radii, results of chance are outside theirs."""
    monkeypatch.setattr(module, "EPS", module.EPS / 4)
    a, b = drawn(1), drawn(2)
    right = [fraction(x) * fraction(y) for x, y in zip(a.mid, b.mid, strict=True)]
    assert misses(a * b, right) > 0
