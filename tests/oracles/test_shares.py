"""Where a budget comes from."""

from __future__ import annotations

import numpy as np
import pytest

from oracles import shares as module
from oracles.budget.forms import variants
from oracles.shares import shares
from oracles.truth import Enclosed, enclose

from .building import case, step

X = np.array([0.3, 2.0, 5.0])
PROGRAM = [step("tanh", 0), step("mul", 1, 0), step("sum", 2)]


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_parts_make_the_whole(order: int, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All parts of a budget are fractions that add up to 1, and their radii to the budget, to first order."""
    monkeypatch.setattr(module, "SHOWN", 100)
    given = case({"x": X}, PROGRAM, [1.7], dtype=dtype, order=order, seconds=[X][: order - 1])
    truth = enclose(given)
    assert isinstance(truth, Enclosed)
    for name, array in truth.arrays.items():
        for element, budget in enumerate(array.budget):
            found = shares(given, name, element)
            assert [float(s.part) for s in found] == sorted((float(s.part) for s in found), reverse=True)
            if not found:
                assert not budget
                continue
            assert sum(float(s.part) for s in found) == pytest.approx(1, abs=0.02)
            radii = [
                sum(module._radius(given, (s.step, s.phase), name, element, form) for s in found)
                for form in range(variants(s.op for s in PROGRAM))
            ]
            assert max(radii) == pytest.approx(budget, rel=0.2, abs=0)


def test_what_cancels_is_named() -> None:
    """(x + 1e6) - 1e6 loses its digits in the addition, whose rounding the gradient of the square then shows."""
    steps = [step("add", 0, 1e6), step("sub", 1, 1e6), step("mul", 2, 2)]
    (first, *_) = shares(case({"x": [0.3]}, steps, [[1.0]]), "gradient of x", 0)
    assert (first.step, first.phase) == (0, 0)
    assert float(first.part) > 0.99


def test_what_has_no_budget_has_no_parts() -> None:
    """An exact answer, an overflow, and a long program."""
    assert shares(case({"x": [0.5]}, [step("neg", 0)], [[1.0]]), "gradient of x", 0) == ()
    assert shares(case({"x": [1000.0]}, [step("exp", 0)], [[1.0]]), "gradient of x", 0) == ()
    long = [step("sin", n) for n in range(module.MOST_STEPS + 1)]
    assert shares(case({"x": [0.5]}, long, [[1.0]]), "gradient of x", 0) == ()
