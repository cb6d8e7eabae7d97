"""What both algebras of arrays do about shapes, and which formulas they can evaluate.

The last axis of every array counts cases and stays where it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from oracles.arrayed.balls import Balls, Undecided
from oracles.arrayed.errorfree import Numbers
from oracles.exact.lowering import Lowered

UNDECIDED = {"choose", "above", "either", "both", "floor", "ceiling", "round", "trunc", "atan2"}
"""What a formula may ask of numbers one by one, and not of an array."""


def decided(formula: Lowered) -> Lowered:
    """The formula.

    Raises:
        Undecided: it asks what an array cannot answer.
    """
    if formula.used & UNDECIDED:
        raise Undecided("a formula that decides")
    return formula


def evaluated(formula: Lowered, xs: Sequence[Balls]) -> Balls:
    """The formula's value in every place of these operands, also where it is the same everywhere."""
    value, whole = Balls.of(decided(formula)(*xs)), np.broadcast_shapes(*(x.shape for x in xs))
    return value if value.shape == whole else value.moved(lambda a: np.broadcast_to(a, whole))


Move = Callable[[Numbers], Numbers]


def lines(axes: tuple[int, ...]) -> Move:
    """An array whose first axis goes along all of these."""

    def moved(a: Numbers) -> Numbers:
        if axes != tuple(range(len(axes))):
            a = a.transpose(axes + tuple(i for i in range(a.ndim) if i not in axes))
        return a if len(axes) == 1 else a.reshape(-1, *a.shape[len(axes) :])

    return moved


def keeping(shape: tuple[int, ...], axes: tuple[int, ...]) -> Move:
    """What was reduced over these axes of an array of this shape, with one place for each of them."""
    return shaped(tuple(1 if i in axes else n for i, n in enumerate(shape)))


def shaped(shape: tuple[int, ...]) -> Move:
    """The same numbers in another shape."""
    return lambda a: a.reshape(*shape, a.shape[-1])


def turned(a: Numbers) -> Numbers:
    """Matrices turned."""
    return a.swapaxes(0, 1)


def turning(axis: int) -> Move:
    """The other way round along an axis."""
    return lambda a: np.flip(a, axis)


def gathering(parts: Sequence[Balls], shape: tuple[int, ...]) -> Balls:
    """Everything that arrives at the places of an array of this shape, along a new first axis."""
    mids = np.concatenate([_stacked(p.mid, shape) for p in parts])
    if all(p.rad is None for p in parts):
        return Balls(mids)
    zeros = [np.zeros(p.shape) if p.rad is None else p.rad for p in parts]
    return Balls(mids, np.concatenate([_stacked(r, shape) for r in zeros]))


def _stacked(a: Numbers, shape: tuple[int, ...]) -> Numbers:
    """An array that `shape` broadcasts to, as arrays of `shape` along a first axis."""
    if a.shape == shape:
        return a[None]
    if a.size <= math.prod(shape) and np.broadcast_shapes(a.shape, shape) == shape:
        return np.broadcast_to(a, shape)[None]
    extra = a.ndim - len(shape)
    axes = tuple(range(extra)) + tuple(
        extra + i for i, n in enumerate(shape) if n == 1 and a.shape[extra + i] != 1
    )
    flat = lines(axes)(a)
    return flat.reshape((len(flat), *shape))
