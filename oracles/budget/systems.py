"""Systems of linear equations as libraries solve them, and how they pull back: by a solve of the transpose.

A system M X = B is solved with the factors of M or with those of its transpose. PyTorch factors the transpose of a
contiguous matrix (its columns are LAPACK's) and lets `getrs` solve with that one's transpose; for `left=False`, and on
the way back, it is the other way round. NumPy's `gesv` factors the matrix itself. The pivots, the growth and the order
of the roundings are others then: of a 2 by 2 matrix the budget of one way alone was 1.1 times too narrow for the other.

Elimination adds what it takes from an element in any order, as blocked, recursive and row by row variants do (Higham,
Accuracy and Stability of Numerical Algorithms, 2nd edition, section 9.3), and multiplies by the reciprocals of pivots,
as LAPACK does; a quotient lies within those two roundings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from oracles.budget.rounded import Rounded, Rounding
from oracles.exact.linear import matmul
from oracles.exact.linear import solve as solved
from oracles.exact.objects import Objects, objects

Cotangents = Sequence[Rounded | None]


@dataclass(frozen=True)
class Factors:
    """What elimination leaves of a matrix: row i of it is row `order[i]` of the matrix.

    `packed` has the multipliers below the diagonal and the rest from it on; `inverses` are the pivots' reciprocals.
    """

    packed: Objects
    inverses: list[Rounded]
    order: list[int]

    @property
    def pivots(self) -> list[Rounded]:
        """The diagonal."""
        return list(self.packed.diagonal())

    @property
    def odd(self) -> bool:
        """Whether an odd number of rows was exchanged."""
        return bool(sum(a > b for n, b in enumerate(self.order) for a in self.order[:n]) % 2)


def factors(arena: Rounding, A: Objects) -> Factors:
    """Elimination with the largest pivot of each column."""
    n, rows, order = len(A), A.copy(), list(range(len(A)))
    inverses: list[Rounded] = []
    for k in range(n):
        for i in range(k, n):
            rows[i, k] = _less(arena, rows[i, k], rows[i, :k], rows[:k, k])
        pivot = k + int(np.argmax([abs(arena.nominal(x)) for x in rows[k:, k]]))
        rows[[k, pivot]] = rows[[pivot, k]]
        order[k], order[pivot] = order[pivot], order[k]
        inverses.append(arena.div(arena.constant(1), rows[k, k]))
        for i in range(k + 1, n):
            rows[i, k] = arena.mul(rows[i, k], inverses[k])
        for j in range(k + 1, n):
            rows[k, j] = _less(arena, rows[k, j], rows[k, :k], rows[:k, j])
    return Factors(rows, inverses, order)


def _less(arena: Rounding, x: Rounded, a: Objects, b: Objects) -> Rounded:
    """x less the inner product of a and b, all terms in any order."""
    made: Rounded = arena.add([x, *(-(p * q) for p, q in zip(a, b, strict=True))])
    return made


def by_factors(arena: Rounding, found: Factors, B: Objects) -> Objects:
    """X with A X = B, from the factors of A."""
    n, T, X = len(B), found.packed, B[found.order]
    for j in range(X.shape[1]):
        for i in range(n):
            X[i, j] = _less(arena, X[i, j], T[i, :i], X[:i, j])
        for i in reversed(range(n)):
            X[i, j] = _less(arena, X[i, j], T[i, i + 1 :], X[i + 1 :, j]) * found.inverses[i]
    return X


def by_transposed(arena: Rounding, found: Factors, B: Objects) -> Objects:
    """X with A^T X = B, from the factors of A."""
    n, T, X = len(B), found.packed, B.copy()
    for j in range(X.shape[1]):
        for i in range(n):
            X[i, j] = _less(arena, X[i, j], T[:i, i], X[:i, j]) * found.inverses[i]
        for i in reversed(range(n)):
            X[i, j] = _less(arena, X[i, j], T[i + 1 :, i], X[i + 1 :, j])
    made = X.copy()
    made[found.order] = X
    return made


def values(arena: Rounding, A: Objects, B: Objects) -> Objects:
    """X with A X = B, each element within the balls of both ways, which a library may choose between every time."""
    with arena.silent():
        one = by_factors(arena, factors(arena, A), B)
        other = by_transposed(arena, factors(arena, A.T), B)
    return union(arena, one, other)


def union(arena: Rounding, one: Objects, other: Objects) -> Objects:
    """Element by element, a ball around both."""
    pairs = zip(one.flat, other.flat, strict=True)
    return objects((Rounded(arena, a.ball.union(b.ball), a.needs or b.needs) for a, b in pairs), one.shape)


def system(arena: Rounding, A: Objects, B: Objects) -> Objects:
    """X with A X = B; back: A^T Y = G for the cotangent of B, and -Y X^T, from the rounded X and Y, for that of A."""

    def pull(gs: Cotangents, ys: Sequence[Rounded], xs: Sequence[Rounded]) -> list[Rounded | None]:
        zero = arena.constant(0)
        G = objects((zero if g is None else g for g in gs), B.shape)
        X = objects(ys, B.shape)
        Y = system(arena, objects(xs[: A.size], A.shape).T, G)
        (product,) = matmul(arena, Y, X.T)
        return [*(-p for p in product.flat), *Y.flat]

    made = arena.attach(list(values(arena, A, B).flat), (*A.flat, *B.flat), pull)
    return objects(made, B.shape)


def solve(arena: Rounding, A: Objects, B: Objects, *, left: bool = True) -> list[Objects]:
    """The solution of every system of a batch."""
    return solved(arena, A, B, left=left, one=system)


def inv(arena: Rounding, A: Objects) -> list[Objects]:
    """The inverse, as a solution beside the identity; back: -Y^T G Y^T, from the rounded Y."""
    n = A.shape[-1]
    identity = objects((arena.constant(i == j) for i in range(n) for j in range(n)), (n, n))
    out = np.empty(A.shape, dtype=object)
    for place in np.ndindex(A.shape[:-2]):
        made = values(arena, A[place], identity)
        out[place] = objects(arena.attach(list(made.flat), tuple(A[place].flat), _pull_inv), made.shape)
    return [out]


def _pull_inv(gs: Cotangents, ys: Sequence[Rounded], xs: Sequence[Rounded]) -> list[Rounded | None]:
    arena, n = ys[0].arena, math.isqrt(len(ys))
    G = objects((arena.constant(0) if g is None else g for g in gs), (n, n))
    turned = objects(ys, (n, n)).T
    (left,) = matmul(arena, turned, G)
    (whole,) = matmul(arena, left, turned)
    return [-g for g in whole.flat]


SYSTEMS: dict[str, Callable[..., list[Any]]] = {"linalg.inv": inv, "linalg.solve": solve}
"""By op, its evaluation in the rounded algebra."""
