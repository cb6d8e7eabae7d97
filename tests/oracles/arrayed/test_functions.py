"""Elementary functions of arrays: every ball holds Arb's value, and none is much wider than it must be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flint import arb, ctx

from oracles.arrayed import functions
from oracles.arrayed.balls import EPS, Balls, Undecided, scattered
from oracles.arrayed.errorfree import LONG
from oracles.exact.lowering import FUNCTIONS

COUNT = 1500
DRAWN: dict[str, Callable[[np.random.Generator], np.ndarray[Any, Any]]] = {
    "cos": lambda rng: _either_sign(rng, -9, 3.6),
    "cosh": lambda rng: _either_sign(rng, -9, 2.5),
    "erf": lambda rng: rng.normal(size=COUNT),
    "exp": lambda rng: rng.uniform(-690, 690, COUNT),
    "expm1": lambda rng: _either_sign(rng, -9, 2.5),
    "log": lambda rng: np.concatenate(
        (10.0 ** rng.uniform(-290, 290, COUNT), 1 + _either_sign(rng, -9, -0.5))
    ),
    "sigmoid": lambda rng: _either_sign(rng, -3, 2.5),
    "sin": lambda rng: _either_sign(rng, -9, 3.6),
    "sinh": lambda rng: _either_sign(rng, -9, 2.5),
    "sqrt": lambda rng: 10.0 ** rng.uniform(-290, 290, COUNT),
    "tanh": lambda rng: _either_sign(rng, -9, 2.2),
}
"""By function, where its arguments are drawn."""
WIDEST = 40


def _either_sign(rng: np.random.Generator, low: float, high: float) -> np.ndarray[Any, Any]:
    """Numbers whose decade is drawn."""
    return rng.choice([-1.0, 1.0], COUNT) * 10.0 ** rng.uniform(low, high, COUNT)


def exact(name: str, x: arb) -> arb:
    """Arb's value."""
    if name == "sigmoid":
        return 1 / (1 + (-x).exp())
    return FUNCTIONS[name](x) if name in FUNCTIONS else getattr(x, name)()


def outside(name: str, x: Balls) -> tuple[int, float]:
    """How many of a function's balls miss its value somewhere in x, and the widest radius in units of EPS."""
    made = getattr(x, name)()
    misses = 0
    reach = np.zeros(x.shape) if x.rad is None else x.rad
    for at, d, ball in zip(scattered(Balls(x.mid)), reach.tolist(), scattered(made), strict=True):
        misses += sum(not ball.contains(exact(name, at + end)) for end in (0, d, -d))
    return misses, float(np.max(made.rad / np.maximum(made.size, 1e-15)) / EPS)


@pytest.fixture(autouse=True)
def _many_bits() -> Any:
    before, ctx.prec = ctx.prec, 300
    yield
    ctx.prec = before


@pytest.mark.parametrize("name", DRAWN)
def test_every_ball_holds_the_value(name: str) -> None:
    """Of exact arguments of all 64 bits, and of balls narrow and wide."""
    x = DRAWN[name](np.random.default_rng(1)).astype(LONG) * (1 + LONG(2) ** -60)
    misses, widest = outside(name, Balls(x))
    print(f"{name}: the widest ball is {widest:.1f} EPS of its value")
    assert not misses
    assert widest < WIDEST
    for radius in (1e-15, 1e-3, 0.1):
        near = Balls(
            x[::5],
            abs(x[::5].astype(np.float64)) * radius
            if name in ("log", "sqrt")
            else np.full(x[::5].shape, radius),
        )
        assert outside(name, near)[0] == 0


@pytest.mark.parametrize("name", ["exp", "log", "sin", "tanh"])
def test_a_wrong_value_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is off by twelve units of its own precision is outside its ball somewhere, save where that is wide."""
    right = functions.OWN[name]

    def wrong(x: Balls) -> Balls:
        made = right(x)
        return Balls(made.mid * (1 + 24 * LONG(EPS)), made.rad)

    monkeypatch.setitem(functions.OWN, name, wrong)
    assert outside(name, Balls(DRAWN[name](np.random.default_rng(2)).astype(LONG)))[0] > 0


def test_what_arrays_do_not_decide_is_arbs() -> None:
    """Beyond the bounds of the tables Arb answers, and where there is no number, nobody does."""
    x = Balls(np.array([5000.0, 1e5], dtype=LONG))
    assert outside("sin", x)[0] == 0
    with pytest.raises(Undecided):
        Balls(np.array([-1.0], dtype=LONG)).log()
    with pytest.raises(Undecided):
        1 / Balls(np.array([1.0], dtype=LONG), np.array([2.0]))
