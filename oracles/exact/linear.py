"""Linear algebra on object arrays: products, elimination, and contractions. None of them knows a derivative."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations, product
from typing import Any

import numpy as np

from oracles.exact.objects import Objects, objects


def matmul(algebra: Any, a: Objects, b: Objects) -> list[Objects]:
    """Inner products over the last axis of a and the last but one of b; batches broadcast."""
    left = a[None, :] if a.ndim == 1 else a
    right = b[:, None] if b.ndim == 1 else b
    batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    left = np.broadcast_to(left, batch + left.shape[-2:])
    right = np.broadcast_to(right, batch + right.shape[-2:])
    if left.shape[-1] != right.shape[-2]:
        raise ValueError(f"matmul of shapes {a.shape} and {b.shape}")
    n, k, m = left.shape[-2], left.shape[-1], right.shape[-1]
    out = np.empty((*batch, n, m), dtype=object)
    for place in np.ndindex(batch):
        cells = algebra.matmul(left[place].ravel().tolist(), right[place].ravel().tolist(), (n, k, m))
        out[place] = objects(cells, (n, m))
    rows = (n,) if a.ndim > 1 else ()
    columns = (m,) if b.ndim > 1 else ()
    return [out.reshape(batch + rows + columns)]


def solve(
    algebra: Any,
    A: Objects,
    B: Objects,
    *,
    left: bool = True,
    one: Callable[[Any, Objects, Objects], Objects] | None = None,
) -> list[Objects]:
    """X with A X = B (X A = B when not `left`), by elimination with the largest pivot; a vector B gives a vector.

    PyTorch takes B for a batch of vectors when its shape is A's without the last axis. `one` solves a single system
    in elimination's place.
    """
    vector = B.ndim == 1 or (A.ndim > 2 and B.ndim == A.ndim - 1 and B.shape == A.shape[:-1])
    right = B[..., None] if vector else B
    if not left:
        A, right = np.swapaxes(A, -1, -2), np.swapaxes(right, -1, -2)
    batch = np.broadcast_shapes(A.shape[:-2], right.shape[:-2])
    A = np.broadcast_to(A, batch + A.shape[-2:])
    right = np.broadcast_to(right, batch + right.shape[-2:])
    out = np.empty(right.shape, dtype=object)
    for place in np.ndindex(batch):
        out[place] = (one or eliminated_system)(algebra, A[place], right[place])
    if not left:
        out = np.swapaxes(out, -1, -2)
    return [out[..., 0] if vector else out]


def eliminated_system(algebra: Any, A: Objects, B: Objects) -> Objects:
    """Gaussian elimination; it multiplies by a pivot's reciprocal, as LAPACK's triangular solves may."""
    n, rows, sides = len(A), A.copy(), B.copy()
    inverses: list[Any] = []
    for k in range(n):
        pivot = k + int(np.argmax([abs(algebra.nominal(rows[i, k])) for i in range(k, n)]))
        rows[[k, pivot]], sides[[k, pivot]] = rows[[pivot, k]], sides[[pivot, k]]
        inverses.append(algebra.div(algebra.constant(1), rows[k, k]))
        for i in range(k + 1, n):
            factor = algebra.mul(rows[i, k], inverses[k])
            for table, first in ((rows, k + 1), (sides, 0)):
                for j in range(first, table.shape[1]):
                    table[i, j] = algebra.sub(table[i, j], algebra.mul(factor, table[k, j]))
    for j in range(sides.shape[1]):
        for i in reversed(range(n)):
            known = algebra.dot(list(rows[i, i + 1 :]), list(sides[i + 1 :, j]))
            rest = sides[i, j] if i == n - 1 else algebra.sub(sides[i, j], known)
            sides[i, j] = algebra.mul(rest, inverses[i])
    return sides


def outer(algebra: Any, a: Objects, b: Objects) -> list[Objects]:
    """Every element of a vector times every element of another."""
    return [objects((algebra.mul(x, y) for x in a for y in b), (len(a), len(b)))]


def addmm(
    algebra: Any, x: Objects, a: Objects, b: Objects, *, beta: float = 1, alpha: float = 1
) -> list[Objects]:
    """beta*x + alpha*(a @ b), its terms summed in any order: libraries begin with x, or end with it."""
    shape = (a.shape[0], b.shape[1])
    whole = np.broadcast_to(x, shape)

    def cell(i: int, j: int) -> Any:
        products = [algebra.mul(p, q) for p, q in zip(a[i], b[:, j], strict=True)]
        return algebra.add(
            [_times(algebra, whole[i, j], beta), *(_times(algebra, p, alpha) for p in products)]
        )

    return [objects((cell(i, j) for i, j in np.ndindex(shape)), shape)]


def _times(algebra: Any, x: Any, number: float) -> Any:
    return x if number == 1 else algebra.mul(x, algebra.constant(number))


def inv(algebra: Any, A: Objects) -> list[Objects]:
    """The inverse, by elimination beside the identity."""
    n = A.shape[-1]
    identity = objects((algebra.constant(i == j) for i in range(n) for j in range(n)), (n, n))
    out = np.empty(A.shape, dtype=object)
    for place in np.ndindex(A.shape[:-2]):
        out[place] = eliminated_system(algebra, A[place], identity)
    return [out]


EXPANDED = 6
"""A determinant up to this size is expanded, which takes n * 2**(n - 1) products; a larger one is eliminated."""


def det(algebra: Any, A: Objects) -> list[Objects]:
    """The determinant: a polynomial, which singular matrices have as well; of many rows the product of the pivots."""
    one = _expanded if A.shape[-1] <= EXPANDED else _determinant
    return [objects((one(algebra, A[place]) for place in np.ndindex(A.shape[:-2])), A.shape[:-2])]


def _expanded(algebra: Any, A: Objects) -> Any:
    """Laplace's expansion along the rows, from the last: the minors of k rows from those of k - 1."""
    n = len(A)
    found: dict[tuple[int, ...], Any] = {(): algebra.constant(1)}
    for size in range(1, n + 1):
        row = A[n - size]
        found = {
            columns: _alternating(
                algebra,
                [algebra.mul(row[j], found[columns[:i] + columns[i + 1 :]]) for i, j in enumerate(columns)]
                if size > 1
                else [row[columns[0]]],
            )
            for columns in combinations(range(n), size)
        }
    return found[tuple(range(n))]


def _alternating(algebra: Any, terms: Sequence[Any]) -> Any:
    """The first term, less the second, plus the third ..."""
    made = terms[0]
    for i, term in enumerate(terms[1:]):
        made = algebra.add([made, term]) if i % 2 else algebra.sub(made, term)
    return made


def _determinant(algebra: Any, A: Objects) -> Any:
    found, odd = pivots(algebra, A)
    made = found[0]
    for p in found[1:]:
        made = algebra.mul(made, p)
    return algebra.neg(made) if odd else made


def pivots(algebra: Any, A: Objects) -> tuple[list[Any], bool]:
    """The pivots of a matrix, each the largest of its column, and whether an odd number of rows was exchanged."""
    rows, found, odd = A.copy(), [], False
    for k in range(len(A)):
        pivot = k + int(np.argmax([abs(algebra.nominal(rows[i, k])) for i in range(k, len(A))]))
        rows[[k, pivot]], odd = rows[[pivot, k]], odd ^ (pivot != k)
        found.append(rows[k, k])
        for i in range(k + 1, len(A)):
            factor = algebra.div(rows[i, k], rows[k, k])
            for j in range(k + 1, len(A)):
                rows[i, j] = algebra.sub(rows[i, j], algebra.mul(factor, rows[k, j]))
    return found, odd


def einsum(algebra: Any, *operands: Objects, equation: str) -> list[Objects]:
    """Every product of one element of each operand that the subscripts bring together, summed."""
    subscripts, out = _written_out(equation, [x.ndim for x in operands])
    letters = "".join(subscripts)
    sizes: dict[str, int] = {}
    for named, x in zip(subscripts, operands, strict=True):
        for c, n in zip(named, x.shape, strict=True):
            sizes[c] = n if sizes.get(c, 1) == 1 else sizes[c]
    summed = sorted(set(letters) - set(out))
    cells = []
    for place in np.ndindex(*(sizes[c] for c in out)):
        terms = []
        for inner in product(*(range(sizes[c]) for c in summed)):
            at = {**dict(zip(out, place, strict=True)), **dict(zip(summed, inner, strict=True))}
            terms.append(_together(algebra, subscripts, operands, at))
        cells.append(algebra.add(terms) if terms else algebra.constant(0))
    return [objects(cells, tuple(sizes[c] for c in out))]


def _written_out(equation: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """The subscripts of each operand and of the result; an ellipsis becomes digits, the last dimension 0."""
    left, arrow, out = equation.replace(" ", "").partition("->")
    parts = left.split(",")
    digits = [n - len(s) + 3 if "..." in s else 0 for s, n in zip(parts, ranks, strict=True)]
    subscripts = [s.replace("...", "9876543210"[10 - n :]) for s, n in zip(parts, digits, strict=True)]
    dots = "9876543210"[10 - max(digits) :]
    letters = "".join(subscripts)
    named = "".join(sorted(c for c in set(letters) if letters.count(c) == 1 and c.isalpha()))
    return subscripts, out.replace("...", dots) if arrow else dots + named


def _together(
    algebra: Any, subscripts: Sequence[str], operands: Sequence[Objects], at: dict[str, int]
) -> Any:
    """The product of the elements that the subscripts' values name; an axis of size 1 has one element for all."""
    made = None
    for named, x in zip(subscripts, operands, strict=True):
        element = x[tuple(at[c] if n > 1 else 0 for c, n in zip(named, x.shape, strict=True))]
        made = element if made is None else algebra.mul(made, element)
    return made


LINEAR: dict[str, Callable[..., list[Any]]] = {
    "addmm": addmm,
    "bmm": matmul,
    "dot": matmul,
    "einsum": einsum,
    "linalg.det": det,
    "linalg.inv": inv,
    "linalg.solve": solve,
    "matmul": matmul,
    "mm": matmul,
    "mv": matmul,
    "outer": outer,
}
"""By op of the catalogue, what it is on object arrays."""
