"""Means as libraries pull them back: each element has a share of the cotangent that was rounded for it alone.

PyTorch expands the cotangent and divides it then. What arrives for the shares in a second sweep is divided element by
element and summed, where the sum divided once would be nearer to the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from oracles.budget.rounded import Rounded, Rounding
from oracles.exact.objects import Dim, Objects, reduced

Cotangents = Sequence[Rounded | None]


def mean(arena: Rounding, x: Objects, *, dim: Dim = None, keepdim: bool = False) -> list[Objects]:
    """sum(x)/n; back: g/n to each."""
    return [reduced(x, dim, keepdim, partial(mean_of, arena))]


def mean_of(arena: Rounding, run: Sequence[Rounded]) -> Rounded:
    """The mean of a line; of none, 0/0."""
    with arena.silent():
        value = arena.add(run) / len(run)
    return arena.attach([value], tuple(run), _shared)[0]


def _shared(gs: Cotangents, ys: Sequence[Rounded], xs: Sequence[Rounded]) -> list[Rounded | None]:
    (g,) = gs
    return [None] * len(xs) if g is None else list(g.arena.along(lambda g: g / len(xs), [g] * len(xs)))
