"""Constants that formulas need."""

import functools
from typing import Any

import numpy as np

from refgrad.dtypes import Array
from refgrad.op import NO_GRADIENT, OWN, op


@op(x=NO_GRADIENT, dtypes=OWN)
def zeros_like(x: Array) -> Any:
    return np.zeros_like(x)


@functools.cache
def triangles(size: int) -> tuple[Array, Array]:
    """Masks over (i, j): where j is i, and where j is not before i."""
    return np.eye(size, dtype=bool), np.triu(np.ones((size, size), bool))


@functools.cache
def minors(size: int) -> tuple[Array, Array, Array]:
    """Of a square matrix, for each place: the other rows, the other columns, and whether its sign is positive."""
    rest = np.array([[j for j in range(size) if j != i] for i in range(size)], np.int64)
    rest = rest.reshape(size, max(0, size - 1))
    even = np.add.outer(np.arange(size), np.arange(size)) % 2 == 0
    return rest[:, None, :, None], rest[None, :, None, :], even
