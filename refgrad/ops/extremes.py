"""Maxima and minima over everything, along one dimension with their places, and along several."""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

from typing import Any

import numpy as np

from refgrad.dtypes import Array
from refgrad.op import NO_GRADIENT, OWN, op
from refgrad.ops.arithmetic import where
from refgrad.ops.reductions import sum_all
from refgrad.ops.shaping import Shape, restore


def tied(x: Any, y: Any) -> Any:
    """Where `x` is the maximum `y`; a maximum of nan is shared by the nans."""
    return where(y == y, x == y, x != x)


@op(
    # ties share evenly: the subgradient of least norm, and PyTorch's
    x=lambda g, x, y: where(tied(x, y), g / int(sum_all(tied(x, y))), 0.0),
    node="MaxBackward1",
)
def max_all(x: Array) -> Any:
    return np.max(x)


@op(
    # a tie goes to the index that is returned
    x=lambda g, indices, x_shape, dim, keepdim: put_along(
        restore(g, x_shape, (dim,)), restore(indices, x_shape, (dim,)), dim=dim, shape=x_shape
    ),
    outputs=("values", "indices"),
    node="MaxBackward0",
)
def max_dim(x: Array, *, dim: int, keepdim: bool = False) -> Any:
    if x.ndim == 0:
        return x.copy(), np.zeros((), np.int64)
    indices = np.argmax(x, axis=dim, keepdims=True)
    values = np.take_along_axis(x, indices, axis=dim)
    return (values, indices) if keepdim else (np.squeeze(values, dim), np.squeeze(indices, dim))


@op(x=lambda g, x, y: where(tied(x, y), g / int(sum_all(tied(x, y))), 0.0), node="MinBackward1")  # as max_all
def min_all(x: Array) -> Any:
    return np.min(x)


@op(
    x=lambda g, indices, x_shape, dim, keepdim: put_along(
        restore(g, x_shape, (dim,)), restore(indices, x_shape, (dim,)), dim=dim, shape=x_shape
    ),
    outputs=("values", "indices"),
    node="MinBackward0",
)
def min_dim(x: Array, *, dim: int, keepdim: bool = False) -> Any:
    if x.ndim == 0:
        return x.copy(), np.zeros((), np.int64)
    indices = np.argmin(x, axis=dim, keepdims=True)
    values = np.take_along_axis(x, indices, axis=dim)
    return (values, indices) if keepdim else (np.squeeze(values, dim), np.squeeze(indices, dim))


def shared(g: Any, x: Any, y: Any, dim: Shape) -> Any:
    """The cotangent of each extreme value `y`, shared evenly among the elements of `x` that have it."""
    mask = tied(x, restore(y, x.shape, dim))
    return restore(g, x.shape, dim) / tally(mask, g, dim=dim) * mask


@op(x=lambda g, x, y, dim, keepdim: shared(g, x, y, dim))
def amax(x: Array, *, dim: Shape, keepdim: bool = False) -> Any:
    return np.max(x, axis=dim, keepdims=keepdim)


@op(x=lambda g, x, y, dim, keepdim: shared(g, x, y, dim))
def amin(x: Array, *, dim: Shape, keepdim: bool = False) -> Any:
    return np.min(x, axis=dim, keepdims=keepdim)


@op(mask=NO_GRADIENT, like=NO_GRADIENT, dtypes=OWN)
def tally(mask: Array, like: Array, *, dim: Shape) -> Any:
    """How many of `mask` hold along `dim`, which is kept, in the dtype of `like`: an integer would promote it."""
    return np.sum(mask, axis=dim, keepdims=True, dtype=like.dtype)


@op(x=lambda g, indices, dim: take_along(g, indices, dim=dim), indices=NO_GRADIENT)
def put_along(x: Array, indices: Array, *, dim: int, shape: Shape) -> Any:
    """Zeros of `shape` with `x` at `indices` along `dim`."""
    out = np.zeros(shape, x.dtype)
    np.put_along_axis(out.reshape(shape or (1,)), np.atleast_1d(indices), np.atleast_1d(x), axis=dim)
    return out


@op(x=lambda g, indices, x_shape, dim: put_along(g, indices, dim=dim, shape=x_shape), indices=NO_GRADIENT)
def take_along(x: Array, indices: Array, *, dim: int) -> Any:
    """The elements of `x` at `indices` along `dim`."""
    return np.take_along_axis(np.atleast_1d(x), np.atleast_1d(indices), axis=dim).reshape(indices.shape)
