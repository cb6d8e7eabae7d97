"""Norms as libraries pull them back: from the rounded norm, whatever its order."""

from __future__ import annotations

import math
from collections.abc import Sequence

from flint import arb

from oracles.budget.rounded import Rounded, Rounding
from oracles.exact.lines import norm as length
from oracles.exact.objects import Dim, Objects, reduced

Cotangents = Sequence[Rounded | None]


def norm(
    arena: Rounding,
    x: Objects,
    *,
    ord: float | str = 2,  # noqa: A002 - PyTorch's name
    dim: Dim = None,
    keepdim: bool = False,
) -> list[Objects]:
    """The 2-norm sqrt(sum(x*x)); back: g * x/y, from the rounded y.

    Of another order p, sum(|x|**p)**(1/p); back: g / y**(p - 1) * |x|**(p - 1), with the sign of x, as PyTorch has it.
    Orders 0, 1, inf and -inf follow their meaning.
    """
    order = float(ord)

    def one(run: Objects) -> Rounded:
        if not len(run) or all(arena.is_zero(x) for x in run):
            return arena.tip(list(run)) if len(run) else arena.constant(0)
        with arena.silent():
            if order == 2:
                value = arena.dot(list(run), list(run)).sqrt()
            else:
                value = arena.add([abs(x) ** order for x in run]) ** (1 / arb(order))
        return arena.attach([value], tuple(run), _pull_norm if order == 2 else pull)[0]

    def pull(gs: Cotangents, ys: Sequence[Rounded], xs: Sequence[Rounded]) -> list[Rounded | None]:
        (g,), (y,) = gs, ys
        if g is None:
            return [None] * len(xs)
        scale = g / y ** (arb(order) - 1)
        if order < 2:
            return [scale * _signed(abs(x) ** (arb(order) - 1), x) for x in xs]
        return [scale * (x * abs(x) ** (arb(order) - 2)) for x in xs]

    plain = order in (0, 1, math.inf, -math.inf)
    return [
        length(arena, x, ord=ord, dim=dim, keepdim=keepdim)[0] if plain else reduced(x, dim, keepdim, one)
    ]


def _signed(size: Rounded, x: Rounded) -> Rounded:
    """`size` with the sign of x, or of either sign where rounding may take x to the other side of 0."""
    if x.ball > 0:
        return size
    signed: Rounded = -size if x.ball < 0 else size * Rounded(x.arena, arb(0, 1), False)
    return signed


def _pull_norm(gs: Cotangents, ys: Sequence[Rounded], xs: Sequence[Rounded]) -> list[Rounded | None]:
    (g,), (y,) = gs, ys
    return [None] * len(xs) if g is None else list(y.arena.along(lambda x: g * (x / y), xs))
