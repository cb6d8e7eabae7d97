"""Bounds of sums in rounded arithmetic, an array at a time: those of `oracles.budget.sums`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from oracles.arrayed.balls import SLACK, Balls, first, last
from oracles.arrayed.errorfree import Numbers, some

if TYPE_CHECKING:
    from oracles.arrayed.rounding import Fields


def added(arena: Fields, made: Balls) -> Balls:
    """A sum of two, rounded once, but where going forward it fits."""
    error = made.upper() * arena.u
    return unless(made.fits(arena.bits, arena.tiny), made, error) if arena.forward else made.widened(error)


def unless(exact: Numbers, made: Balls, error: Numbers) -> Balls:
    """Balls with so much more of a radius, except where a number is exact."""
    if not some(exact):
        return made.widened(error)
    if not some(~exact):
        return made
    kept = 0.0 if made.rad is None else made.rad
    return made.with_radius(np.where(exact, kept, made.widened(error).rad))  # type: ignore[arg-type]


def total(arena: Fields, x: Balls, axis: int) -> Balls:
    """Sums along an axis, in any order; see `sums.total`."""
    made, n = x.total(axis), x.shape[axis]
    if n < 2:
        return made
    if n == 2:
        return added(arena, made)
    sums = most_of_one_sign(x, axis)
    reach = made.upper() + np.add.reduce(sums[1 : n - 1], 0)
    return made.widened(reach * (arena.u * math.exp((n - 2) * arena.u) * (1 + n * 2.0**-52)))


def prefixes(arena: Fields, x: Balls, made: Balls, axis: int) -> Balls:
    """Running sums of a few terms, each bounded by its own partial sums."""
    n = x.shape[axis]
    if n < 2:
        return made
    line = x.moved(lambda a: first(a, axis))
    flat = (n, 1) + (1,) * (len(x.shape) - 1)  # terms, sums, the rest
    within = np.tri(n, dtype=bool).T.reshape(n, n, *flat[2:])  # which terms a sum has
    most = most_of_one_sign(line.moved(lambda a: a[:, None] * within), 0)
    inner = np.tri(
        n, k=-1, dtype=bool
    ).T  # of a sum of k + 1 terms: the second partial sum to the last but one
    inner[0] = inner[:, 1] = False
    reach = last(np.add.reduce(np.where(inner.reshape(within.shape), most, 0.0), 0), axis)
    wide = made.widened((made.upper() + reach) * (arena.u * math.exp(n * arena.u) * (1 + n * 2.0**-52)))
    rad = first(wide.rad, axis).copy()
    two = added(arena, line.moved(lambda a: a[:2]).total(0))
    rad[0] = 0.0 if line.rad is None else line.rad[0]
    rad[1] = 0.0 if two.rad is None else two.rad
    return Balls(made.mid, last(rad, axis))


def most_of_one_sign(x: Balls, axis: int) -> Numbers:
    """For each k, in front, the most that k + 1 of the terms along an axis can add up to, of either sign."""
    high = first(x.mid.astype(np.float64), axis)
    away = first(x.size, axis) * 2.0**-52
    if x.rad is not None:
        away = away + first(x.rad, axis)
    up = np.sort(np.minimum(-high - away, 0.0), 0)  # the magnitudes' opposites, the largest in front
    down = np.sort(np.minimum(high - away, 0.0), 0)
    sums = np.minimum(np.add.accumulate(up, 0), np.add.accumulate(down, 0))
    return sums * -(1 + len(up) * 2.0**-52) + SLACK
