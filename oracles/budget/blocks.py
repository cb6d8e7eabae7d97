"""Ops whose backward reuses the rounded output as a whole: how sound libraries evaluate them and pull back.

Each takes the rounded algebra, the operand and PyTorch's settings, like the functions of `oracles.exact.structure`,
and stands in for the op's meaning when a budget is wanted. Measured without these: a cumprod of one element computes
g*y/x where the meaning's own chain rule says g, and would be accused of an error of one ulp.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from oracles.budget.rounded import Rounded, Rounding
from oracles.exact import structure
from oracles.exact.structure import Dim, Objects, dims, lines, objects

Cotangents = Sequence[Rounded | None]
Run = Any
"""A line of scalars: a sequence of `Rounded`, or an object array of them."""


def _peak(arena: Rounding, run: Run) -> Rounded:
    """The element that a library subtracts so that nothing overflows: a constant as far as slopes go."""
    top = max(run, key=arena.nominal)
    return Rounded(arena, top.ball, False)


def _exps(arena: Rounding, run: Run) -> tuple[Rounded, list[Rounded]]:
    peak = _peak(arena, run)
    return peak, [(x - peak).exp() for x in run]


def logsumexp(arena: Rounding, x: Objects, *, dim: Dim, keepdim: bool = False) -> list[Objects]:
    """peak + log(sum(exp(x - peak))); back: g * exp(x - y), from the rounded y."""

    def one(run: Run) -> Rounded:
        with arena.silent():
            peak, powers = _exps(arena, run)
            value = peak + arena.add(powers).log()
        return arena.attach([value], tuple(run), _pull_logsumexp)[0]

    return [structure.reduced(x, dim, keepdim, one)]


def _pull_logsumexp(gs: Cotangents, ys: Sequence[Rounded], xs: Sequence[Rounded]) -> list[Rounded | None]:
    (g,), (y,) = gs, ys
    return [None if g is None else g * (x - y).exp() for x in xs]


def softmax(arena: Rounding, x: Objects, *, dim: int) -> list[Objects]:
    """exp(x - peak) / sum of the same; back: g*y - y*sum(g*y)."""

    def one(run: Run) -> list[Rounded]:
        with arena.silent():
            _, powers = _exps(arena, run)
            total = arena.add(powers)
            values = [p / total for p in powers]
        return arena.attach(values, tuple(run), _pull_softmax)

    return [_along(x, dim, one)]


def _pull_softmax(gs: Cotangents, ys: Sequence[Rounded], xs: Sequence[Rounded]) -> list[Rounded | None]:
    arena = ys[0].arena
    products = [None if g is None else g * y for g, y in zip(gs, ys, strict=True)]
    total = arena.add([p for p in products if p is not None])
    return [-(y * total) if p is None else p - y * total for p, y in zip(products, ys, strict=True)]


def cumprod(arena: Rounding, x: Objects, *, dim: int) -> list[Objects]:
    """Running products; back: the reversed running sum of g*y, over x, where no x may be 0."""

    def one(run: Run) -> list[Rounded]:
        if any(r.ball.contains(0) for r in run):
            (chain,) = structure.cumprod(arena, objects(run, (len(run),)), dim=0)
            return list(chain)
        with arena.silent():
            (values,) = structure.cumprod(arena, objects(run, (len(run),)), dim=0)
        return arena.attach(list(values), tuple(run), _pull_cumprod)

    return [_along(x, dim, one)]


def _pull_cumprod(gs: Cotangents, ys: Sequence[Rounded], xs: Sequence[Rounded]) -> list[Rounded | None]:
    arena = ys[0].arena
    products = [None if g is None else g * y for g, y in zip(gs, ys, strict=True)]
    pulled: list[Rounded | None] = []
    for k, x in enumerate(xs):
        later = [p for p in products[k:] if p is not None]
        pulled.append(arena.add(later) / x if later else None)
    return pulled


def std(
    arena: Rounding, x: Objects, *, dim: Dim = None, correction: float = 1, keepdim: bool = False
) -> list[Objects]:
    """sqrt(sum((x - mean)**2) / (n - correction)); back: g * (x - mean) / (y * (n - correction))."""

    def one(run: Run) -> Rounded:
        n = len(run)
        with arena.silent():
            centred = _centred(arena, run)
            value = (arena.dot(centred, centred) / (n - correction)).sqrt()
        return arena.attach([value], tuple(run), pull)[0]

    def pull(gs: Cotangents, ys: Sequence[Rounded], xs: Sequence[Rounded]) -> list[Rounded | None]:
        (g,), (y,) = gs, ys
        if g is None:
            return [None] * len(xs)
        scale = g / (y * (len(xs) - correction))
        return [scale * c for c in _centred(arena, xs)]

    return [structure.reduced(x, dim, keepdim, one)]


def _centred(arena: Rounding, run: Run) -> list[Rounded]:
    mean = arena.add(run) / len(run)
    return [x - mean for x in run]


def solve(arena: Rounding, A: Objects, B: Objects, *, left: bool = True) -> list[Objects]:
    """Elimination; back: through the same factors, or, in a variant, by a new elimination of the transpose.

    PyTorch reuses the factors for a first gradient and solves anew where the gradient is itself recorded; HIPS
    autograd always solves anew. The pivots, and so the roundings, are others then.
    """
    return structure.solve(arena, A, B, left=left, one=_solved_anew if arena.variant else None)


def _solved_anew(arena: Rounding, A: Objects, B: Objects) -> Objects:
    with arena.silent():
        values = structure.eliminated(arena, A, B)

    def pull(gs: Cotangents, ys: Sequence[Rounded], xs: Sequence[Rounded]) -> list[Rounded | None]:
        zero = arena.constant(0)
        G = objects((zero if g is None else g for g in gs), B.shape)
        X = objects(ys, B.shape)
        by_b = structure.eliminated(arena, objects(xs[: A.size], A.shape).T, G)
        by_a = [-arena.dot(list(row), list(x)) for row in by_b for x in X]
        return [*by_a, *by_b.flat]

    made = arena.attach(list(values.flat), (*A.flat, *B.flat), pull)
    return objects(made, B.shape)


def _along(x: Objects, dim: int, combine: Callable[[Run], list[Rounded]]) -> Objects:
    """Each line along `dim` replaced by what `combine` makes of it."""
    if x.ndim == 0:
        return objects(combine([x[()]]), ())
    runs, shape = lines(x, dims(dim, x.ndim))
    length = x.shape[dim]
    made = objects((y for run in runs for y in (combine(run) if length else [])), (*shape, length))
    return np.moveaxis(made, -1, dim)


BLOCKS: dict[str, Callable[..., list[Any]]] = {
    "cumprod": cumprod,
    "linalg.solve": solve,
    "logsumexp": logsumexp,
    "softmax": softmax,
    "std": std,
}
