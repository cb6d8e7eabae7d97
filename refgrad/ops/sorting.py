"""Order: sorted elements, the largest, the k-th, the most frequent, running extremes; each with where it stood.

Where elements tie, PyTorch's documentation leaves open which place is returned; here it is the one that a stable sort
puts there. That is PyTorch's own answer on short lines, and always for `sort`, `cummax` and `cummin`.
"""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

from typing import Any

import numpy as np

from refgrad.dtypes import Array
from refgrad.op import op
from refgrad.ops.extremes import put_along
from refgrad.ops.picking import scatter_add, zeros_of
from refgrad.ops.shaping import restore


def order(x: Array, dim: int, descending: bool = False) -> Array:
    """The places along `dim` from the smallest element to the largest, or back; equal ones as they stood, nan last."""
    if not descending:
        return np.argsort(x, axis=dim, kind="stable")
    turned = np.flip(np.argsort(np.flip(x, dim), axis=dim, kind="stable"), dim)
    return np.asarray(x.shape[dim] - 1 - turned)


def ordered(x: Array, dim: int, descending: bool, count: int | None = None) -> tuple[Array, Array]:
    """The first so many elements in order, and where they stood; a number stands alone."""
    if not x.ndim:
        return x.copy(), np.zeros((), np.int64)
    indices = np.take(order(x, dim, descending), range(x.shape[dim] if count is None else count), axis=dim)
    return np.take_along_axis(x, indices, axis=dim), indices


def picked(x: Array, places: Array, dim: int, keepdim: bool) -> tuple[Array, Array]:
    """The one element of each line at `places`, which have the dimension, and those."""
    values = np.take_along_axis(x, places, axis=dim)
    return (values, places) if keepdim else (np.squeeze(values, dim), np.squeeze(places, dim))


def back_in_order(g: Any, indices: Any, x_shape: tuple[int, ...], dim: int) -> Any:
    """The cotangents of the elements of each line, at their places."""
    return put_along(g, indices, dim=dim, shape=x_shape)


def back(g: Any, indices: Any, shape: tuple[int, ...], dim: int) -> Any:
    """The cotangent of one element of each line, at its place."""
    return put_along(restore(g, shape, (dim,)), restore(indices, shape, (dim,)), dim=dim, shape=shape)


@op(
    x=back_in_order,
    outputs=("values", "indices"),
    node="SortBackward0",
)
def sort(x: Array, *, dim: int, descending: bool = False) -> Any:
    return ordered(x, dim, descending)


@op(
    x=back_in_order,
    outputs=("values", "indices"),
    node="SortBackward1",
)
def sort_stable(x: Array, *, dim: int, descending: bool = False) -> Any:
    return ordered(x, dim, descending)


@op(
    x=back_in_order,
    outputs=("values", "indices"),
)
def topk(x: Array, *, k: int, dim: int, largest: bool = True) -> Any:
    return ordered(x, dim, largest, k)


@op(
    x=lambda g, indices, x_shape, dim, keepdim: back(g, indices, x_shape, dim),
    outputs=("values", "indices"),
)
def kthvalue(x: Array, *, k: int, dim: int, keepdim: bool = False) -> Any:
    if not x.ndim:
        return x.copy(), np.zeros((), np.int64)
    return picked(x, np.take(order(x, dim), [k - 1], axis=dim), dim, keepdim)


@op(
    x=lambda g, indices, x_shape, dim, keepdim: back(g, indices, x_shape, dim),
    outputs=("values", "indices"),
    node="MedianBackward1",
)
def median_dim(x: Array, *, dim: int, keepdim: bool = False) -> Any:
    if not x.ndim:
        return x.copy(), np.zeros((), np.int64)
    middle = np.take(order(x, dim), [(x.shape[dim] - 1) // 2], axis=dim)
    nans = x != x
    first = np.argmax(nans, axis=dim, keepdims=True)  # a nan is the median
    return picked(x, np.where(nans.any(axis=dim, keepdims=True), first, middle), dim, keepdim)


@op(
    x=lambda g, indices, x_shape, dim, keepdim: back(g, indices, x_shape, dim),
    outputs=("values", "indices"),
    node="NanmedianBackward1",
)
def nanmedian_dim(x: Array, *, dim: int, keepdim: bool = False) -> Any:
    if not x.ndim:
        return x.copy(), np.zeros((), np.int64)
    count = np.sum(x == x, axis=dim, keepdims=True)
    middle = np.take_along_axis(order(x, dim), np.maximum(count - 1, 0) // 2, axis=dim)
    return picked(x, middle, dim, keepdim)


@op(
    x=lambda g, indices, x_shape, dim, keepdim: back(g, indices, x_shape, dim),
    outputs=("values", "indices"),
)
def mode(x: Array, *, dim: int, keepdim: bool = False) -> Any:
    if not x.ndim:
        return x.copy(), np.zeros((), np.int64)
    return picked(x, np.apply_along_axis(most_frequent, dim, x), dim, keepdim)


def most_frequent(line: Array) -> Array:
    """Where the most frequent element stands last; of several the smallest, and before any a nan, each by itself."""
    nans = np.flatnonzero(line != line)
    numbers = np.argsort(line, kind="stable")[: line.size - nans.size]
    best, longest = int(nans[0]) if nans.size else 0, int(nans.size > 0)
    length = 0
    for n, place in enumerate(numbers):
        length += 1
        if n + 1 == numbers.size or line[numbers[n + 1]] != line[place]:
            if length > longest:
                best, longest = int(place), length
            length = 0
    return np.array([best])


def running(x: Array, dim: int, sign: int) -> tuple[Array, Array]:
    """The largest element so far of x times `sign`, and where it stood last; a nan stays, at its last place."""
    if not x.ndim:
        return x.copy(), np.zeros((), np.int64)
    lines = np.moveaxis(x, dim, 0)
    values, indices = lines.copy(), np.zeros(lines.shape, np.int64)
    for n in range(1, len(lines)):
        before, now = values[n - 1], lines[n]
        beyond = now >= before if sign > 0 else now <= before
        taken = (now != now) | ((before == before) & beyond)
        values[n] = np.where(taken, now, before)
        indices[n] = np.where(taken, n, indices[n - 1])
    return np.moveaxis(values, 0, dim), np.moveaxis(indices, 0, dim)


@op(
    x=lambda g, x, indices, dim: scatter_add(zeros_of(x), indices, g, dim=dim),  # x: as PyTorch
    outputs=("values", "indices"),
)
def cummax(x: Array, *, dim: int) -> Any:
    return running(x, dim, 1)


@op(
    x=lambda g, x, indices, dim: scatter_add(zeros_of(x), indices, g, dim=dim),  # x: as PyTorch
    outputs=("values", "indices"),
)
def cummin(x: Array, *, dim: int) -> Any:
    return running(x, dim, -1)
