"""Systems of equations: every way that libraries solve them and pull back is within the budget, and no way alone is."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy.linalg import lu_factor, lu_solve

from oracles.budget import systems
from oracles.budget.accuracy import precision
from oracles.budget.rounded import Rounding
from oracles.exact.objects import objects
from oracles.truth import Enclosed, enclose

from ..building import case, step  # noqa: TID252

Array = np.ndarray[Any, Any]
ACCUSED = np.array([[0.5, 4.0], [4.5, -0.5]]), np.array([[0.9, 2.0]])
"""Of these, with `left=False`, PyTorch was 1.106 budgets off while the model had one of two factorizations alone."""
WAYS = list(product((False, True), repeat=2))
"""Whether the transpose is factored, going forward and going back."""


def by_lapack(A: Array, B: Array, transpose: bool) -> Array:
    """X with A X = B by `getrf` and `getrs`, from the factors of A or of its transpose."""
    found: Array = lu_solve(lu_factor(A.T if transpose else A), B, trans=int(transpose))
    return found


def answer(A: Array, B: Array, G: Array, left: bool, way: tuple[bool, bool]) -> dict[str, Array]:
    """The solution and the gradients, each solve in its way."""
    M, rhs, g = (A, B, G) if left else (A.T, B.T, G.T)
    X = by_lapack(M, rhs, way[0])
    by_b = by_lapack(M.T, g, way[1])
    by_a = -(by_b @ X.T)
    parts = (X, by_a, by_b) if left else (X.T, by_a.T, by_b.T)
    return dict(zip(("output 0", "gradient of A", "gradient of B"), parts, strict=True))


def worst(A: Array, B: Array, G: Array, left: bool, way: tuple[bool, bool]) -> float:
    """The largest error of an answer in budgets."""
    given = case({"A": A, "B": B}, [step("linalg.solve", 0, 1, left=left)], [G], dtype=A.dtype.name)
    truth = enclose(given)
    assert isinstance(truth, Enclosed)
    found = 0.0
    for name, got in answer(A, B, G, left, way).items():
        enclosed = truth.arrays[name]
        for number, exact, budget in zip(got.flat, enclosed.truth, enclosed.budget, strict=True):
            error = abs(float(number.item() - exact))
            found = max(found, error / budget if error else 0.0)
    return found


def drawn(dtype: str, count: int) -> Iterator[tuple[Array, Array, Array, bool]]:
    """Systems of 1 to 4 unknowns whose elements are short numbers, as drawn programs have them, or long ones."""
    draw = np.random.default_rng(7)
    short = np.array([0.5, 1.0, 2.0, 4.0, 4.5, -0.5, -1.0, 0.9, -0.7, 3.0, 0.3])
    while count:
        n, m, left = int(draw.integers(1, 5)), int(draw.integers(1, 3)), bool(draw.integers(2))
        A = draw.choice(short, (n, n)) if draw.integers(2) else draw.normal(size=(n, n))
        B = draw.normal(size=(n, m) if left else (m, n))
        if abs(np.linalg.det(A)) > 1e-3:
            count -= 1
            yield A.astype(dtype), B.astype(dtype), draw.normal(size=B.shape).astype(dtype), left


@pytest.mark.parametrize("way", WAYS)
def test_the_case_that_was_accused_is_within_the_budget(way: tuple[bool, bool]) -> None:
    """PyTorch takes one of the ways; the others are as sound."""
    for g in product((-0.7, 0.3, 1.0, 2.0), repeat=2):
        assert worst(*ACCUSED, np.array([g]), False, way) <= 1


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_is_within_the_budget(dtype: str, way: tuple[bool, bool]) -> None:
    """LAPACK's own solutions, in each dtype that it has."""
    for A, B, G, left in drawn(dtype, 40):
        assert worst(A, B, G, left, way) <= 1, (A, B, G, left)


def test_one_way_alone_would_accuse_the_other(monkeypatch: Any) -> None:
    """Without the union, the budget from the matrix's own factors is too narrow for its transpose's."""

    def alone(arena: Rounding, A: Any, B: Any) -> Any:
        with arena.silent():
            return systems.by_factors(arena, systems.factors(arena, A), B)

    A, G = np.array([[4.0, 4.0], [4.5, 0.3]]), np.array([[0.1], [1.9]])
    draw = np.random.default_rng(1)
    systems_of = [(A, draw.normal(size=(2, 1)), G, True) for _ in range(20)]
    assert max(worst(*given, (True, True)) for given in systems_of) <= 1
    monkeypatch.setattr(systems, "values", alone)
    assert max(worst(*given, (False, False)) for given in systems_of) <= 1
    assert max(worst(*given, (True, True)) for given in systems_of) > 1


def test_one_part_in_a_billion_is_noticed() -> None:
    """The budgets of a well-conditioned system are a few hundred roundings at most."""
    A, B = ACCUSED
    given = case({"A": A, "B": B}, [step("linalg.solve", 0, 1, left=False)], [np.array([[1.0, 2.0]])])
    truth = enclose(given)
    assert isinstance(truth, Enclosed)
    for array in truth.arrays.values():
        for exact, budget in zip(array.truth, array.budget, strict=True):
            assert budget < 1e-13 * abs(float(exact.mid()))


def test_factors_are_those_of_the_matrix_with_its_rows_exchanged() -> None:
    """L U is the matrix in the order of its pivots, and their product its determinant."""
    arena = Rounding(precision("float64"), {})
    for A, _, _, _ in drawn("float64", 20):
        n = len(A)
        found = systems.factors(arena, objects((arena.constant(float(x)) for x in A.flat), A.shape))
        packed = np.array([[float(x.ball.mid()) for x in row] for row in found.packed])
        lower, upper = np.tril(packed, -1) + np.eye(n), np.triu(packed)
        assert np.allclose(lower @ upper, A[found.order], rtol=1e-12, atol=1e-12)
        assert np.prod(np.diag(upper)) * (-1 if found.odd else 1) == pytest.approx(np.linalg.det(A))
