"""Settings that make a function another one: its meaning against mpmath, its budget in every width."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

from oracles.program import Ref, Scalar, Step
from oracles.truth import Enclosed, enclose

from ..building import case  # noqa: TID252

X = [0.5, -1.25, 2.0]


def norm(order: float) -> Callable[..., Any]:
    """The norm of any order by its definition."""
    return lambda *xs: mpmath.fsum(abs(x) ** mpmath.mpf(order) for x in xs) ** (1 / mpmath.mpf(order))


def gelu_tanh(x: Any) -> Any:
    """The approximation of gelu by its definition."""
    cubic = x + mpmath.mpf(44715) / 10**6 * x**3
    return x * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * cubic)) / 2


@pytest.mark.parametrize("order", [-2.1, -1, 0.5, 0.9, 1.5, 3, 3.5, 4, 6])
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_norms_of_other_orders(order: float, dtype: Any) -> None:
    """Value, gradient and curvature of the norm of three numbers are enclosed, at a width that says something."""
    step = Step("linalg.vector_norm", (Ref(0),), {"ord": order})
    found = enclose(case({"x": np.array(X)}, [step], [1.0], dtype=dtype, order=2, seconds=[[1.0, 0.0, 0.0]]))
    assert isinstance(found, Enclosed), found
    with mpmath.workdps(60):
        value = norm(order)(*X)
        slopes = [mpmath.diff(norm(order), tuple(X), tuple(int(j == k) for j in range(3))) for k in range(3)]
        bends = [
            mpmath.diff(norm(order), tuple(X), tuple(int(j == k) + int(j == 0) for j in range(3)))
            for k in range(3)
        ]
    near(found, "output 0", [value])
    near(found, "gradient of x", slopes)
    near(found, "second-order gradient of x", bends)
    for name in ("output 0", "gradient of x"):
        budgets = found.arrays[name].budget
        sizes = [abs(float(t.mid())) for t in found.arrays[name].truth]
        assert all(0 < b < 0.5 * s for b, s in zip(budgets, sizes, strict=True)), (budgets, sizes)


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_gelu_by_a_hyperbolic_tangent(dtype: Any) -> None:
    """The approximation is not taken for gelu, and its slope is its own."""
    step = Step("nn.functional.gelu", (Ref(0),), {"approximate": "tanh"})
    found = enclose(case({"x": 0.75}, [step], [1.0], dtype=dtype))
    assert isinstance(found, Enclosed), found
    with mpmath.workdps(60):
        near(found, "output 0", [gelu_tanh(mpmath.mpf(0.75))])
        near(found, "gradient of x", [mpmath.diff(gelu_tanh, 0.75)])


def test_quotients_and_roundings_are_flat() -> None:
    """A quotient made whole and a rounding have their values, and a gradient of nothing."""
    for settings, expected in (({"rounding_mode": "trunc"}, -2), ({"rounding_mode": "floor"}, -3)):
        found = enclose(case({"a": -7.5, "b": 3.0}, [Step("div", (Ref(0), Ref(1)), settings)], [1.0]))
        assert isinstance(found, Enclosed), found
        near(found, "output 0", [expected])
        near(found, "gradient of b", [0])
    for decimals, expected in ((2, 27.13), (-1, 30), (0, 27)):
        found = enclose(case({"x": 27.126}, [Step("round", (Ref(0),), {"decimals": decimals})], [1.0]))
        assert isinstance(found, Enclosed), found
        near(found, "output 0", [expected])
        near(found, "gradient of x", [0])


def test_bounds_that_are_tensors() -> None:
    """A bound takes the gradient of what it holds back; the upper one wins where they cross."""
    arrays = {
        "x": np.array([1.0, 2.0, 3.0]),
        "low": np.array([1.5, 1.5, 5.0]),
        "high": np.array([4.0, 1.75, 4.0]),
    }
    found = enclose(case(arrays, [Step("clamp", (Ref(0), Ref(1), Ref(2)))], [[1.0, 2.0, 3.0]]))
    assert isinstance(found, Enclosed), found
    near(found, "output 0", [1.5, 1.75, 4.0])
    near(found, "gradient of x", [0, 0, 0])
    near(found, "gradient of low", [1, 0, 0])
    near(found, "gradient of high", [0, 2, 3])
    free = Step("clamp", (Ref(0), Scalar.of(-np.inf), Ref(1)))
    found = enclose(case({"x": np.array([1.0, 2.0]), "high": np.array(1.5)}, [free], [[1.0, 2.0]]))
    assert isinstance(found, Enclosed), found
    near(found, "gradient of x", [1, 0])
    near(found, "gradient of high", [2])


def test_an_ellipsis_stands_for_the_dimensions_that_are_left() -> None:
    """Written out from the last dimension, it broadcasts, and stands first in a result that is not named."""
    a, b = np.arange(1.0, 13.0).reshape(2, 1, 3, 2), np.arange(1.0, 9.0).reshape(2, 2, 2)
    for equation in ("...ij,...jk", "...ij,...jk->...ik", "...ij,...jk->k..."):
        expected = np.einsum(equation, a, b)
        given = {"a": a, "b": b}
        step = Step("einsum", (Ref(0), Ref(1)), {"equation": equation})
        found = enclose(case(given, [step], [np.ones(expected.shape)]))
        assert isinstance(found, Enclosed), found
        assert found.arrays["output 0"].shape == expected.shape
        near(found, "output 0", expected.flat)


def near(found: Enclosed, name: str, expected: Any) -> None:
    """Each true element is the number expected, to ten digits."""
    for ball, number in zip(found.arrays[name].truth, expected, strict=True):
        assert float(ball.mid()) == pytest.approx(float(number), rel=1e-10, abs=1e-12), name
