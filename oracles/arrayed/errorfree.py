"""Which rounded results are exact: error-free transformations of numbers of 64 bits (Dekker 1971, Knuth)."""

from __future__ import annotations

from typing import Any

import numpy as np

LONG = np.longdouble
SPLIT = LONG(2**32 + 1)
"""Dekker's constant for 64 bits: it cuts a number into two of 32 bits."""
Numbers = Any
"""An array of float64 or of extended numbers, or one such number."""


def some(mask: Numbers) -> bool:
    """Whether anything holds."""
    return bool(np.count_nonzero(mask))


def short(mid: Numbers, bits: int) -> Numbers:
    """Where a number has at most so many bits: where rounding it to them changes nothing."""
    if bits == 53:
        return mid.astype(np.float64) == mid
    scaled = mid * LONG(2 ** (64 - bits) + 1)
    return scaled - (scaled - mid) == mid


def left_of_sum(a: Numbers, b: Numbers, made: Numbers) -> Numbers:
    """What the rounded sum lacks: a + b is both together, exactly."""
    back = made - a
    return (a - (made - back)) + (b - back)


def inexact_product(a: Numbers, b: Numbers, product: Numbers) -> Numbers:
    """Where a rounded product is not exact, by Dekker's products of halves, each of which is."""
    first, second = _halves(a), _halves(b)
    rest = first[0] * second[0] - product
    rest = ((rest + first[0] * second[1]) + first[1] * second[0]) + first[1] * second[1]
    exact = (rest == 0) & np.isfinite(rest)
    return ~exact


def _halves(a: Numbers) -> tuple[Numbers, Numbers]:
    scaled = a * SPLIT
    high = scaled - (scaled - a)
    return high, a - high
