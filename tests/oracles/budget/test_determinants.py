"""At singular matrices budgets hold what sound libraries answer, and no more than rounding explains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flint import arb

from oracles.budget.determinants import minor, roundings
from oracles.truth import Enclosed, Unknown, enclose

from ..building import case, step  # noqa: TID252

Array = np.ndarray[Any, Any]
WIDTHS = ("float64", "float32")


def determinant_case(A: Any, dtype: str = "float64", order: int = 1) -> Any:
    """The determinant of A, or of each of a batch; weights of ones to second order."""
    A = np.asarray(A)
    seconds = [np.ones(A.shape)] if order == 2 else []
    ones = np.ones(A.shape[:-2])
    return case({"x": A}, [step("linalg.det", 0)], [ones], dtype=dtype, order=order, seconds=seconds)


def cofactors(A: Array) -> Array:
    """Determinants of minors, by NumPy's elimination."""
    n = len(A)
    rest = lambda i, j: np.delete(np.delete(A, i, 0), j, 1)
    found = [[(-1) ** (i + j) * np.linalg.det(rest(i, j)) for j in range(n)] for i in range(n)]
    return np.array(found, A.dtype)


def by_solution(A: Array) -> Array:
    """det(A) times the solution against the identity; of an exact zero the cofactors."""
    y = np.linalg.det(A)
    return y * np.linalg.inv(A).T if y else cofactors(A)


def by_svd(A: Array) -> Array:
    """PyTorch's way where the gradient is recorded."""
    u, s, vh = np.linalg.svd(A)
    others = np.array([np.prod(np.delete(s, k)) for k in range(len(s))], A.dtype)
    sign = np.linalg.det(u) * np.linalg.det(vh)
    return np.asarray((u * (sign * others)) @ vh)


def drawn(rng: np.random.Generator, n: int, rank: int) -> Array:
    """A matrix of this rank, but for the rounding of its elements."""
    left, right = rng.normal(size=(n, rank)), rng.normal(size=(rank, n))
    return np.asarray(left @ right * 10.0 ** rng.integers(-2, 3))


@pytest.mark.parametrize("dtype", WIDTHS)
@pytest.mark.parametrize("pull", [cofactors, by_solution, by_svd])
def test_sound_gradients_are_within_their_budgets(pull: Callable[[Array], Array], dtype: str) -> None:
    """Value and gradient of matrices of lower rank, nearly or exactly so, by three ways to the gradient."""
    rng = np.random.default_rng(3)
    seen, worst = 0, 0.0
    for n, rank in ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2), (4, 2), (4, 3)) * 6:
        A = drawn(rng, n, rank).astype(dtype)
        found = enclose(determinant_case(A, dtype))
        assert isinstance(found, Enclosed), found
        for part, got in (("output 0", np.linalg.det(A)), ("gradient of x", pull(A))):
            e = found.arrays[part]
            for x, ball, budget in zip(np.ravel(got), e.truth, e.budget, strict=True):
                off = float(abs(arb(float(x)) - ball).mid())
                assert off <= budget, (part, n, rank)
                worst = max(worst, off / budget if budget else 0.0)
                seen += 1
    assert seen > 300
    assert worst > 1e-3  # and they are not out of all proportion


@pytest.mark.parametrize("dtype", WIDTHS)
def test_budgets_are_a_few_roundings(dtype: str) -> None:
    """At a singular matrix a gradient's budget is its backward error, some u of the norm."""
    found = enclose(determinant_case([[1.0, 2.0], [2.0, 4.0]], dtype, order=2))
    assert isinstance(found, Enclosed)
    u = float(np.finfo(dtype).eps) / 2
    for part in ("gradient of x", "second-order gradient of x"):
        assert 0 < max(found.arrays[part].budget) < 2 * roundings(2) * u * 5 + 8 * u


def test_regular_matrices_keep_their_budgets() -> None:
    """Beside no singular one a regular matrix has the budget of its elimination; beside one, a wider one."""
    regular = [[3.0, 1.0], [0.5, 2.0]]
    alone = enclose(determinant_case(regular))
    beside = enclose(determinant_case([regular, [[1.0, 2.0], [2.0, 4.0]]], order=2))
    assert isinstance(alone, Enclosed)
    assert isinstance(beside, Enclosed)
    budgets = [e.arrays["gradient of x"].budget[:4] for e in (alone, beside)]
    assert max(budgets[0]) < 1e-14
    assert all(a < b for a, b in zip(*budgets, strict=True))


def test_second_order_is_told_where_zero_is_exact() -> None:
    """Where elimination may end at a rounding error for a pivot, sound second derivatives have no bound."""
    exact = [[1.0, 0.5, -0.5], [1.0, 0.5, -0.5], [0.25, 2.0, 1.0]]
    rounded = [[0.3, 0.6], [0.1, 0.2]]
    assert isinstance(enclose(determinant_case(exact, order=2)), Enclosed)
    assert isinstance(enclose(determinant_case(rounded)), Enclosed)
    found = enclose(determinant_case(rounded, order=2))
    assert isinstance(found, Enclosed)
    assert set(found.arrays["second-order gradient of x"].budget) == {np.inf}
    assert max(found.arrays["gradient of x"].budget) < 1e-12


def test_a_large_singular_matrix_is_not_judged() -> None:
    """What is not expanded is eliminated, and there is nothing to divide by."""
    assert isinstance(enclose(determinant_case(np.zeros((7, 7)))), Unknown)


def test_minors() -> None:
    """Determinants with rows and columns left out, beside NumPy's."""
    A = np.arange(16.0).reshape(4, 4) ** 2 % 7
    rows = [[arb(v) for v in row] for row in A]
    for i, j in np.ndindex(4, 4):
        rest = np.delete(np.delete(A, i, 0), j, 1)
        assert float(minor(rows, (i,), (j,))) == pytest.approx(np.linalg.det(rest), abs=1e-9)
