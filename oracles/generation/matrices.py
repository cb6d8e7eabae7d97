"""How linear algebra is drawn: shapes that fit, and matrices that can be inverted, or for determinants cannot."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.generation.drawing import Drawing
from oracles.program import Ref, Setting


def product(d: Drawing, op: str, public: Any) -> int:
    """mm, mv, bmm, dot: a first operand of the op's rank, and a second that fits."""
    rank = {"mm": 2, "mv": 2, "bmm": 3, "dot": 1}[op]
    a = d.new((2, 2, 3)) if rank == 3 and d.face == "bulk" else d.operand(least=rank, most=rank)
    shape = d.values[a].shape
    n, k = shape[-1], d.one_of(2, 1, 3)
    if d.face == "same twice" and op in ("dot", "mm", "bmm") and (rank == 1 or shape[-2] == n):
        return d.apply(op, Ref(a), Ref(a))
    other: tuple[int, ...] = {"mm": (n, k), "mv": (n,), "bmm": (shape[0], n, k), "dot": (n,)}[op]
    return d.apply(op, Ref(a), Ref(d.new(other)))


def outer(d: Drawing, op: str, public: Any) -> int:
    """Two vectors of any lengths, perhaps the same one."""
    a = d.operand(least=1, most=1)
    return d.apply(op, Ref(a), Ref(a if d.face == "same twice" else d.new((d.one_of(2, 1, 3),))))


def addmm(d: Drawing, op: str, public: Any) -> int:
    """Two matrices, and a third operand that broadcasts to their product."""
    a = d.operand(least=2, most=2)
    n, k = d.values[a].shape
    m = d.one_of(2, 1, 3)
    ways: list[tuple[int, ...]] = [(n, m), (m,), (1, m), (n, 1), ()]
    added = {"mixed ranks": (m,), "size-1 axis": (n, 1)}.get(d.face) or d.one_of(*ways)
    settings: dict[str, Setting] = {}
    if d.face == "settings":
        settings = {"beta": d.one_of(2.0, -0.5), "alpha": d.one_of(-0.5, 3.0, 2.0)}
    return d.apply(op, Ref(d.new(added)), Ref(a), Ref(d.new((k, m))), settings=settings)


EQUATIONS: dict[str, tuple[str, ...]] = {
    "ij,jk->ik": ("ij", "jk"),
    "ij,ij->": ("ij", "ij"),
    "ij,ij->i": ("ij", "ij"),
    "i,j->ij": ("i", "j"),
    "ij,kj->ki": ("ij", "kj"),
    "bij,bjk->bik": ("bij", "bjk"),
    "ii->i": ("ii",),
    "ii": ("ii",),
    "ij->ji": ("ij",),
    "ij->j": ("ij",),
    "ij,k->jk": ("ij", "k"),
    "ij,jk,kl->il": ("ij", "jk", "kl"),
    "i,ij,j": ("i", "ij", "j"),
}
"""Products, traces, diagonals, sums and outer products, with their operands' subscripts."""


def einsum(d: Drawing, op: str, public: Any) -> int:
    """One of several equations, with a size drawn for each subscript."""
    equation = d.one_of(*EQUATIONS)
    sizes = {c: d.one_of(2, 1, 3) for c in sorted({*equation} & {*"bijkl"})}
    if d.face == "empty":
        sizes["j" if "j" in sizes else "i"] = 0
    shapes = [tuple(sizes[c] for c in named) for named in EQUATIONS[equation]]
    operands = [d.new(s) for s in shapes]
    if d.face == "same twice" and len(set(shapes)) < len(shapes):
        first = shapes.index(next(s for s in shapes if shapes.count(s) > 1))
        operands = [
            operands[first] if s == shapes[first] else n for n, s in zip(operands, shapes, strict=True)
        ]
    return d.apply(op, *(Ref(n) for n in operands), settings={"equation": equation})


def square(d: Drawing, op: str, public: Any) -> int:
    """linalg.inv, linalg.det: matrices with a strong diagonal, its rows shuffled so that pivots move.

    A determinant has a gradient where there is no inverse as well: of its zeros, most make a matrix singular.
    """
    if op == "linalg.det" and d.face == "zero" and d.integer(0, 3):
        return d.apply(op, Ref(d.given(singular(d))))
    n = 0 if d.face == "empty" else d.integer(2 if d.face == "zero" else 1, 3)
    batch = (2,) if d.face == "bulk" else ()
    count = int(np.prod((*batch, n, n)))
    weak = (0.0, 1.0, -0.5) if d.face == "zero" else (0.5, -0.5, 1.0, -1.0, 0.0, 0.25, 0.7)
    numbers = np.array([d.one_of(*weak) for _ in range(count)])
    strong = np.eye(n)[:: d.one_of(-1, 1)] * d.one_of(4.0, -5.0, 3.5)
    return d.apply(op, Ref(d.given(numbers.reshape(*batch, n, n) + strong)))


def singular(d: Drawing) -> np.ndarray[Any, Any]:
    """A matrix of any lower rank, perhaps with a regular one beside it.

    Of powers of two, so that elimination comes to a pivot of exactly 0 in every library.
    """
    n = d.integer(1, 3)
    made, one = powers(d, n, n), d.integer(0, n - 1)
    match d.one_of("row", "column", "twice", "rank one", "nothing") if n > 1 else "nothing":
        case "row":
            made[one] = 0
        case "column":
            made[:, one] = 0
        case "twice":
            made[one] = made[one - 1]
        case "rank one":
            made = np.outer(made[one], powers(d, n))
        case "nothing":
            made[:] = 0
    return made if d.integer(0, 3) < 3 else np.stack([made, powers(d, n, n) + 4 * np.eye(n)])


def powers(d: Drawing, *shape: int) -> np.ndarray[Any, Any]:
    """An array of powers of two of either sign."""
    return np.reshape([d.one_of(1.0, 2.0, -0.5, 0.5, -1.0) for _ in range(math.prod(shape))], shape)


MATRICES: dict[str, Callable[[Drawing, str, Any], int]] = {
    "addmm": addmm,
    "bmm": product,
    "dot": product,
    "einsum": einsum,
    "linalg.det": square,
    "linalg.inv": square,
    "mm": product,
    "mv": product,
    "outer": outer,
}
