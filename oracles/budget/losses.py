"""Losses as libraries evaluate them and pull back: the slope of each loss from its operands, in one formula."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.budget.means import mean_of
from oracles.budget.rounded import Rounded, Rounding
from oracles.exact.objects import Objects, objects

Value = Callable[..., Rounded]
"""One loss, of scalars: the input, the target, and where there are weights, those."""
Slopes = Callable[..., tuple[Any, Any]]
"""The slopes of one loss by the input and by the target."""


def mse_loss(arena: Rounding, x: Objects, target: Objects, *, reduction: str = "mean") -> list[Objects]:
    """(x - t)*(x - t); back: 2*(x - t)*g to x, and the opposite to t."""
    return _loss(arena, [x, target], reduction, _square, lambda x, t: (2 * (x - t), 2 * (t - x)))


def _square(x: Rounded, t: Rounded) -> Rounded:
    off = x - t
    square: Rounded = off * off
    return square


def with_logits(
    arena: Rounding, x: Objects, target: Objects, *weights: Any, reduction: str = "mean"
) -> list[Objects]:
    """(1 - t)*x - log(sigmoid(x)), by log(1 + exp(-abs(x))); back: (sigmoid(x) - t)*g to x, -x*g to t.

    weights: of each loss, and of each positive example, whose logarithm counts so often; a number is one for all.
    """
    if not weights:
        return _loss(arena, [x, target], reduction, _entropy, lambda x, t: (x.sigmoid() - t, -x))
    spread = [np.broadcast_to(_as_objects(arena, w), x.shape) for w in weights]
    return _loss(arena, [x, target, *spread], reduction, _weighted, _weighted_slopes)


def _as_objects(arena: Rounding, weight: Any) -> Objects:
    return weight if isinstance(weight, np.ndarray) else objects([arena.constant(weight)], ())


def _tail(x: Rounded) -> Rounded:
    """-log(sigmoid(x))."""
    positive = x.arena.nominal(x) > 0
    tail: Rounded = (1 + (-x if positive else x).exp()).log()
    return tail if positive else tail - x


def _entropy(x: Rounded, t: Rounded) -> Rounded:
    entropy: Rounded = (1 - t) * x + _tail(x)
    return entropy


def _weighted(x: Rounded, t: Rounded, w: Rounded, p: Rounded) -> Rounded:
    entropy: Rounded = w * ((1 - t) * x + _tail(x) * (1 + (p - 1) * t))
    return entropy


def _weighted_slopes(x: Rounded, t: Rounded, w: Rounded, p: Rounded) -> tuple[Any, Any]:
    return w * (x.sigmoid() * (1 + (p - 1) * t) - p * t), w * (_tail(x) * (p - 1) - x)


def _loss(
    arena: Rounding, operands: list[Objects], reduction: str, value: Value, slopes: Slopes
) -> list[Objects]:
    """Every loss by itself, and their sum or mean."""

    def pull(g: Rounded, y: Rounded, *parents: Rounded) -> list[Rounded | None]:
        return [slope * g for slope in slopes(*parents)] + [None] * (len(parents) - 2)

    def one(*parents: Rounded) -> Rounded:
        with arena.silent():
            exact = value(*parents)
        return arena.make(exact.ball, 0, parents, pull)

    each = [one(*parents) for parents in zip(*(o.flat for o in operands), strict=True)]
    if reduction == "none":
        return [objects(each, operands[0].shape)]
    return [objects([mean_of(arena, each) if reduction == "mean" else arena.add(each)], ())]
