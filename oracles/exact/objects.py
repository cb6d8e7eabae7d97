"""Arrays of scalars, and PyTorch's ways of naming axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

Objects = np.ndarray[Any, Any]
"""An array of dtype object whose elements are an algebra's scalars."""
Dim = int | tuple[int, ...] | None


class Whole:
    """An array that an algebra works on as a whole, in place of an array of its scalars."""

    __slots__ = ()


def objects(values: Iterable[Any], shape: tuple[int, ...]) -> Objects:
    """An object array of this shape, filled in row-major order."""
    return np.fromiter(values, dtype=object, count=math.prod(shape)).reshape(shape)


def scalars(arrays: Iterable[Objects]) -> Iterator[Any]:
    """Every scalar of these arrays; indices and masks, which hold numbers of NumPy's, have none."""
    return (n for array in arrays if array.dtype == object for n in array.flat)


def dims(dim: Dim, ndim: int) -> tuple[int, ...]:
    """PyTorch's `dim` as sorted non-negative axes: None and () mean all of them; a 0-d tensor has axis 0 in name."""
    if dim is None or dim == ():
        return tuple(range(ndim))
    given = (dim,) if isinstance(dim, int) else dim
    rank = max(ndim, 1)
    if any(not -rank <= d < rank for d in given):
        raise ValueError(f"dim {dim} is out of range for {ndim} dimensions")
    return tuple(sorted({d % rank for d in given})) if ndim else ()


def lines(x: Objects, axes: tuple[int, ...]) -> tuple[Iterator[Objects], tuple[int, ...]]:
    """The runs of elements along `axes` for each remaining position, and the remaining shape."""
    kept = tuple(i for i in range(x.ndim) if i not in axes)
    moved = x.transpose(kept + axes)
    shape = tuple(x.shape[i] for i in kept)
    flat = moved.reshape(math.prod(shape), math.prod(x.shape[i] for i in axes))
    return iter(flat), shape


def reduced(x: Objects, dim: Dim, keepdim: bool, combine: Callable[[Objects], Any]) -> Objects:
    """One scalar for each line along `dim`."""
    axes = dims(dim, x.ndim)
    runs, shape = lines(x, axes)
    if keepdim:
        shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    return objects((combine(run) for run in runs), shape)
