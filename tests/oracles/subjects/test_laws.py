"""Linear in the cotangent: what underflows is told from what is bent, also where a narrow dtype overflows soon."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from oracles.answers import Answer
from oracles.arrays import Array
from oracles.program import Case
from oracles.subjects import laws

from ..building import case, step  # noqa: TID252 - tests have no name to import

HALF = np.float16


class Formula:
    """A subject whose gradient is a formula of the cotangent, in float16."""

    name = "formula"

    def __init__(self, formula: Callable[[Any], Any]) -> None:
        self.formula = formula

    def vjp(self, given: Case) -> Answer:
        """The formula's answer."""
        with np.errstate(all="ignore"):
            gradient = self.formula(given.cotangents[0].numpy())
        return Answer((given.inputs[0],), (Array.of(gradient),))


def steep(g: Any) -> Any:
    """110 * g overflows from 600 on, and a 700th part of its millionth has few digits until then."""
    return g * HALF(110) * HALF(1e-6) / HALF(700) * HALF(-3.7)


FORMULAS: dict[str, tuple[Callable[[Any], Any], bool]] = {
    "a multiple": (lambda g: g * HALF(3.7), True),
    "underflows and soon overflows": (steep, True),
    "bent": (lambda g: g + HALF(1e-3) * g * abs(g), False),
    "bent, and soon overflows": (lambda g: g * HALF(300) + HALF(4) * g * abs(g), False),
    "clipped": (lambda g: np.clip(g, HALF(-3), HALF(3)), False),
    "shifted": (lambda g: g + HALF(0.25), False),
    "its magnitude": (abs, False),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_what_is_linear(name: str) -> None:
    """Only what is not linear is said to break the law."""
    formula, linear = FORMULAS[name]
    cotangents = np.array([-3.0, 0.7, 2.5])
    given = case({"x": np.ones(3)}, [step("mul", 0, 0)], [cotangents], dtype="float16")
    laws.forget()
    subject: Any = Formula(formula)
    assert laws.judge(subject, given, True).scaled is linear


def test_it_does_underflow() -> None:
    """The formula that is called linear is not, by a little, for any larger cotangent until it overflows."""
    with np.errstate(over="ignore"):
        pairs = [(steep(HALF(-3.0 * 2**k)), steep(HALF(6.0 * 2**k))) for k in range(0, 15, 2)]
    small, large = np.array(pairs[0], float)
    assert 0 < abs(large / small + 2) < 0.1
    assert all(large != -2 * small for small, large in pairs if np.isfinite(large))
    assert not np.isfinite(pairs[-1]).any()
