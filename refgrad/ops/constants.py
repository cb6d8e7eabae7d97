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


def class_dim(shape: tuple[int, ...]) -> int:
    """The dimension of the classes: the second, or of a vector the only one."""
    return min(1, len(shape) - 1)


def chosen(shape: tuple[int, ...], target: Array, weight: Any, ignore_index: int) -> tuple[Array, Array]:
    """For each row minus the weight of its class, at the place of that class, and the sum of those weights."""
    dim = class_dim(shape)
    weights = np.ones(shape[dim]) if weight is None else weight
    minus = -weights.reshape(tuple(-1 if i == dim else 1 for i in range(len(shape))))
    scale = np.where(named(shape, target, ignore_index), minus, 0)
    return scale, np.asarray(-np.sum(scale))


def named(shape: tuple[int, ...], target: Array, ignore_index: int) -> Array:
    """For each row the place of the class that its target names, if it counts."""
    dim = class_dim(shape)
    wanted = np.expand_dims(target, dim)
    classes = np.arange(shape[dim]).reshape(tuple(-1 if i == dim else 1 for i in range(len(shape))))
    return np.asarray((classes == wanted) & (wanted != ignore_index))


@functools.cache
def pairs(count: int) -> tuple[Array, Array]:
    """The numbers below `count` in pairs, the smaller first."""
    first, second = np.triu_indices(count, 1)
    return first, second
