"""Determinants as libraries evaluate them and pull back: by their pivots, and at singular matrices by other means.

Where a pivot may be 0 there is nothing to divide by in a ball, and a backward error stands in for the roundings. The
factors that elimination finds are those of A + E exactly, |E| <= gamma_n |L| |U|; a column solved with them satisfies
(A + E) x = b exactly, |E| <= gamma_3n |L| |U| (Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition,
theorems 9.3 and 9.4), where E keeps the factors triangular and their pivots within gamma_n. So the column j of
y * A^-T is, but for as many roundings, the cofactors of a matrix near A, however small y is: the division cancels. With
partial pivoting |L| |U| is at most 2**n - 1 times the largest of the column, or of the row if the transpose is what is
factored. An SVD is that of a matrix near A as well, in norm. All of them, and any expansion, lie within the polynomial
over the ball around A, which is evaluated here without dividing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from flint import arb

from oracles.budget.rounded import NOT_FINITE, Rounded, Rounding
from oracles.budget.systems import Factors, factors, system
from oracles.exact.linear import EXPANDED
from oracles.exact.lines import product
from oracles.exact.objects import Objects, objects

UNSURE = 1 / 8
"""A pivot whose radius is more than this part of it may be 0, or come to it by a few roundings more."""
SOLUTIONS = 8
"""A second derivative by solutions has two terms of two products of two of them."""

Cotangents = Sequence[Rounded | None]
Both = tuple[Factors, Factors]
"""The factors of a matrix and of its transpose, one of which a library has."""
Rows = Sequence[Sequence[arb]]


def det(arena: Rounding, A: Objects) -> list[Objects]:
    """The product of the pivots; back: the solution X of A^T X = g*y*I, from the rounded y.

    If a matrix of the batch may be singular, a library may go back through the cofactors of all of them.
    """
    out = np.empty(A.shape[:-2], dtype=object)
    places = list(np.ndindex(out.shape))
    n = A.shape[-1]
    if not n:
        return [objects((arena.constant(1) for _ in places), out.shape)]
    with arena.silent():
        found = [_regular(arena, A[place]) for place in places]
    if n <= EXPANDED and any(f is None for f in found):
        for place, regular in zip(places, found, strict=True):
            out[place] = _Near(arena, A[place], regular).attached()
        return [out]
    for place, regular in zip(places, found, strict=True):
        with arena.silent():
            value = _value(arena, regular or _both(arena, A[place]))
        out[place] = arena.attach([value], tuple(A[place].flat), _pull_det)[0]
    return [out]


def _both(arena: Rounding, A: Objects) -> Both:
    return factors(arena, A), factors(arena, A.T)


def _regular(arena: Rounding, A: Objects) -> Both | None:
    """The factors; None where a pivot, also if nothing is exact because it fits, may be 0."""
    with arena.reassociated():
        sure = all(p.ball.rad() < UNSURE * abs(p.ball) for f in _both(arena, A) for p in f.pivots)
    return _both(arena, A) if sure else None


def _value(arena: Rounding, both: Both) -> Rounded:
    """The determinant by either's pivots."""
    one, other = (_product_or_power(arena, f.pivots, f.odd) for f in both)
    return Rounded(arena, one.ball.union(other.ball), one.needs)


def _product_or_power(arena: Rounding, found: Sequence[Rounded], odd: bool) -> Rounded:
    """The product of the pivots, or e to the sum of their logarithms, which is how NumPy has it.

    Without the second, NumPy's determinants are accused: their error grows with the logarithms.
    """
    made: Rounded = product(arena, found)
    sizes = [p if p.ball > 0 else -p for p in found]
    if any(not s.ball > 0 for s in sizes):
        return -made if odd else made
    power = arena.add([s.log() for s in sizes]).exp()
    power = power if made.ball > 0 else -power
    either = Rounded(arena, made.ball.union(power.ball), made.needs)
    return -either if odd else either


def _pull_det(gs: Cotangents, ys: Sequence[Rounded], xs: Sequence[Rounded]) -> list[Rounded | None]:
    (g,), (y,) = gs, ys
    arena, n = y.arena, math.isqrt(len(xs))
    if g is None:
        return [None] * len(xs)
    scale = g * y
    sides = objects((scale if i == j else arena.constant(0) for i in range(n) for j in range(n)), (n, n))
    return list(system(arena, objects(xs, (n, n)).T, sides).flat)


def roundings(n: int) -> int:
    """So many u of its norm is the backward error of a matrix of this size: 3n for the sums, 2**n - 1 for growth."""
    return 3 * n * ((1 << n) - 1)


def _noise(arena: Rounding, n: int) -> float:
    """gamma: the roundings in u, and what they make of each other; no bound where they are as many as 1/u."""
    part = roundings(n) * arena.u
    return part / (1 - part) if part < 0.5 else math.inf


def _nothing(g: Rounded, y: Rounded) -> list[Rounded | None]:
    """What a constant pulls back."""
    return []


def _norm(balls: Sequence[arb]) -> arb:
    """An upper bound of the Frobenius norm."""
    return arb(sum((abs(b).abs_upper() ** 2 for b in balls), arb(0)).sqrt().abs_upper())


def minor(rows: Rows, without: Sequence[int] = (), columns: Sequence[int] = ()) -> arb:
    """The determinant of what is left without some rows and columns, by expansion along its first row."""
    left = [j for j in range(len(rows)) if j not in columns]
    if not left:
        return arb(1)
    i = next(i for i in range(len(rows)) if i not in without)
    total = arb(0)
    for sign, j in enumerate(left):
        if not rows[i][j].is_zero():
            term = rows[i][j] * minor(rows, (*without, i), (*columns, j))
            total += -term if sign % 2 else term
    return total


class _Near:
    """A determinant whose matrix, or another of its batch, may be singular, and the way back through its cofactors.

    `rows` is a ball around the matrix as wide as the backward error; each cofactor over it is off by the noise of all.
    """

    def __init__(self, arena: Rounding, A: Objects, regular: Both | None) -> None:
        self.arena, self.matrix, self.n = arena, A, len(A)
        self.gamma, self.norm = _noise(arena, self.n), _norm([x.ball for x in A.flat])
        wide = arb(0) if self.norm.is_zero() else arb(0, (self.norm * self.gamma + arena.tiny).abs_upper())
        self.rows = [[x.ball + wide for x in row] for row in A]
        with arena.silent():
            if regular is None:
                self.value = arena.make(minor(self.rows) * arb(1, self.gamma), 0, (), _nothing)
            else:
                self.value = _value(arena, regular)
            cofactors = [
                minor(self.rows, (i,), (j,)) * (-1) ** (i + j) for i, j in np.ndindex(self.n, self.n)
            ]
            self.size = _norm(cofactors)
            self.cofactors = [c + arb(0, (self.size * self.gamma).abs_upper()) for c in cofactors]
            self.bend = self._bend(regular is not None)

    def attached(self) -> Rounded:
        """The determinant, with its way back."""
        return self.arena.attach([self.value], tuple(self.matrix.flat), self._pull)[0]

    def _pull(self, gs: Cotangents, ys: Sequence[Rounded], xs: Sequence[Rounded]) -> list[Rounded | None]:
        (g,), arena = gs, self.arena
        if g is None:
            return [None] * len(xs)
        made = [arena.make(c, 0, (), _nothing) for c in self.cofactors]
        return [g * c for c in arena.attach(made, xs, self._pull_cofactors)]

    def _pull_cofactors(
        self, gs: Cotangents, ys: Sequence[Rounded], xs: Sequence[Rounded]
    ) -> list[Rounded | None]:
        weights = {divmod(p, self.n): g.ball for p, g in enumerate(gs) if g is not None}
        total = sum((abs(w) for w in weights.values()), arb(0))
        wide = arb(0, (self.bend * total).abs_upper()) if self.bend.is_finite() else NOT_FINITE
        made = []
        for i, j in np.ndindex(self.n, self.n):
            terms = (
                w * minor(self.rows, (i, k), (j, m)) * (-1) ** (i + j + k - (k > i) + m - (m > j))
                for (k, m), w in weights.items()
                if k != i and m != j
            )
            made.append(self.arena.make(sum(terms, arb(0)) + wide, 0, (), _nothing))
        return list(made)

    def _bend(self, regular: bool) -> arb:
        """How far off the second derivative may be, as part of the sum of the weights' magnitudes.

        At a regular matrix it may be a difference of products of solutions, with the errors of each; where elimination
        comes to a pivot of exactly 0, it comes of the cofactors alone. In between the difference has no bound.
        """
        expanded = self.norm ** (self.n - 2) * self.gamma if self.n > 1 else arb(0)
        if regular:
            inverse = self.size / abs(self.value.ball).abs_lower()
            return arb(expanded + SOLUTIONS * self.gamma * self.norm * inverse * inverse * self.size)
        exactly = _comes_to_zero(self.arena, self.matrix) and _comes_to_zero(self.arena, self.matrix.T)
        return expanded if exactly else NOT_FINITE


def _comes_to_zero(arena: Rounding, A: Objects) -> bool:
    """Whether elimination ends at a pivot of exactly 0, also if it multiplies by the rounded reciprocal of a pivot."""
    rows, n = A.copy(), len(A)
    for k in range(n):
        column = [rows[i, k] for i in range(k, n)]
        if all(x.ball == 0 for x in column):
            return True
        pivot = k + int(np.argmax([abs(arena.nominal(x)) for x in column]))
        rows[[k, pivot]] = rows[[pivot, k]]
        if rows[k, k].ball.contains(0):
            return False
        for i in range(k + 1, n):
            factor = arena.mul(rows[i, k], arena.div(arena.constant(1), rows[k, k]))
            for j in range(k + 1, n):
                rows[i, j] = arena.sub(rows[i, j], arena.mul(factor, rows[k, j]))
    return False
