"""Determinants at regular and at singular matrices, beside SymPy's polynomial and beside elimination."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
from flint import arb, fmpq

from oracles.exact import linear
from oracles.exact.objects import objects
from oracles.exact.scalars import Truth
from oracles.truth import Enclosed, enclose

from ..building import case, step  # noqa: TID252

SINGULAR: dict[str, Any] = {
    "one": [[0.0]],
    "rank one": [[1.0, 2.0], [2.0, 4.0]],
    "zeros": np.zeros((2, 2)),
    "rank two": [[1.0, 0.5, -0.5], [0.5, 2.0, 1.0], [1.0, 0.5, -0.5]],
    "a column of zeros": [[1.0, 0.0, -0.5], [0.5, 0.0, 1.0], [2.0, 0.0, 4.0]],
    "rank one of three": [[1.0, 2.0, 4.0], [2.0, 4.0, 8.0], [0.5, 1.0, 2.0]],
    "zeros of three": np.zeros((3, 3)),
    "rank two of four": [[1.0, 2, 0, 0], [2, 4, 0, 0], [0, 0, 1, 0.5], [0, 0, 2, 1]],
}


def by_sympy(A: Any, weights: Any) -> tuple[Any, list[Any], list[Any]]:
    """The determinant, its gradient, and the gradient of the weighted gradient, as fractions."""
    n = len(A)
    x = sympy.Matrix(n, n, sympy.symbols(f"x:{n * n}"))
    whole = x.det(method="berkowitz")
    at = {s: sympy.Rational(*float(v).as_integer_ratio()) for s, v in zip(x, np.ravel(A), strict=True)}
    slopes = [sympy.diff(whole, s) for s in x]
    weighted = sum(int(w) * s for w, s in zip(np.ravel(weights), slopes, strict=True))
    return whole.subs(at), [s.subs(at) for s in slopes], [sympy.diff(weighted, s).subs(at) for s in x]


def contains(ball: arb, number: Any) -> bool:
    """Whether a ball contains a fraction."""
    exact = Fraction(int(number.p), int(number.q))
    return bool(ball.contains(arb(fmpq(exact.numerator, exact.denominator))))


@pytest.mark.parametrize("name", SINGULAR)
def test_truth_at_singular_matrices(name: str) -> None:
    """Value, gradient and second order are those of the polynomial, in narrow balls."""
    A = np.asarray(SINGULAR[name])
    weights = np.arange(1.0, A.size + 1).reshape(A.shape)
    found = enclose(case({"x": A}, [step("linalg.det", 0)], [1.0], order=2, seconds=[weights]))
    assert isinstance(found, Enclosed)
    value, slopes, bends = by_sympy(A, weights)
    expected = {"output 0": [value], "gradient of x": slopes, "second-order gradient of x": bends}
    for part, numbers in expected.items():
        for ball, number in zip(found.arrays[part].truth, numbers, strict=True):
            assert contains(ball, number), (part, ball, number)
            assert ball.rad() < 1e-30


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_expansion_and_elimination_agree(n: int) -> None:
    """At regular matrices both give the same value and the same derivatives to second order."""
    rng = np.random.default_rng(n)
    for _ in range(5):
        numbers, tangents = rng.normal(size=(2, n * n))
        results = []
        for one in (linear._expanded, linear._determinant):
            algebra = Truth(2)
            leaves = [algebra.leaf(v, t) for v, t in zip(numbers, tangents, strict=True)]
            out = one(algebra, objects(leaves, (n, n)))
            algebra.sweep([out], [1.0])
            results.append([out.value, out.tangent, *(x.adjoint for x in leaves)])
            results[-1] += [x.adjoint_tangent for x in leaves]
        for left, right in zip(*results, strict=True):
            assert left.overlaps(right)
            assert abs(left - right) < 1e-8


def test_larger_matrices_are_eliminated() -> None:
    """Beyond the size that is expanded, the pivots are multiplied, and the sign counts the exchanges."""
    n = linear.EXPANDED + 1
    algebra = Truth(1)
    numbers = np.roll(np.eye(n), 1, axis=0) * 2
    (out,) = linear.det(algebra, objects((algebra.leaf(float(v)) for v in numbers.flat), (n, n)))
    assert out[()].value == round(float(np.linalg.det(numbers)))
