"""Decisions that rounding may take either way: which of several is the largest, and the tip of a norm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flint import arb

from oracles.budget.scalars import ONE, ZERO, Rounded
from oracles.exact.lowering import HALF

if TYPE_CHECKING:
    from oracles.budget.rounded import Rounding


def largest(arena: Rounding, xs: Sequence[Rounded], share: bool) -> Rounded:
    """The maximum: exact, but rounding decides which element it is."""
    value = xs[0].ball
    for x in xs[1:]:
        value = arb.max(value, x.ball)
    slopes = _shares(arena, xs, share)

    def pull(g: Rounded, y: Rounded, *xs: Rounded) -> list[Rounded | None]:
        return [None if s is None else g if s is ONE else g * Rounded(arena, s, False) for s in slopes]

    return arena.make(value, 0, tuple(xs), pull)


def _shares(arena: Rounding, xs: Sequence[Rounded], share: bool) -> list[arb | None]:
    """What part of the maximum's cotangent each element gets; None where rounding cannot make it the largest."""
    floor = max((x.ball.lower() for x in xs), key=float)
    reached = [not x.ball < floor for x in xs]
    if sum(reached) == 1:
        return [ONE if hit else None for hit in reached]
    arena.touched += 1
    if arena.wide:
        return [HALF if hit else None for hit in reached]
    top = max(arena.nominal(x) for x in xs)
    tied = [arena.nominal(x) == top for x in xs]
    if share:
        return [ONE / sum(tied) if t else None for t in tied]
    return [ONE if i == tied.index(True) else None for i in range(len(xs))]


def tip(arena: Rounding, xs: Sequence[Rounded]) -> Rounded:
    """The length of a vector of zeros: of slope 0 or, when wide, any between -1 and 1."""
    arena.touched += 1
    slope = Rounded(arena, arb(0, 1) if arena.wide else ZERO, False)
    return arena.make(ZERO, 0, tuple(xs), lambda g, y, *xs: [g * slope] * len(xs))
