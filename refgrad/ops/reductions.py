"""Sums, means, maxima, and softmax: ops along dimensions.

A reduction's settings are normalised: `dim` is a tuple of non-negative ints, never empty unless the operand
has no dimensions.
"""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

from math import prod
from typing import Any

import numpy as np

from refgrad.dtypes import Array
from refgrad.op import NO_GRADIENT, Facts, op
from refgrad.ops.arithmetic import where
from refgrad.ops.constants import triangles
from refgrad.ops.exponential import exp, log
from refgrad.ops.shaping import Shape, expand, flip, restore, unsqueeze, view

WIDER = {"b": np.int64, "i": np.int64, "u": np.int64}
"""Integers are summed and multiplied as int64."""


@op(x=lambda g, x_shape: expand(g, shape=x_shape), node="SumBackward0")
def sum_all(x: Array) -> Any:
    return np.sum(x, dtype=WIDER.get(x.dtype.kind))


@op(x=lambda g, x_shape, dim, keepdim: expand(restore(g, x_shape, dim), shape=x_shape), node="SumBackward1")
def sum_dim(x: Array, *, dim: Shape, keepdim: bool = False) -> Any:
    return np.sum(x, axis=dim if x.ndim else (), keepdims=keepdim, dtype=WIDER.get(x.dtype.kind))


@op(
    Facts(lambda x: sum_all(x) / prod(x.shape)),
    x=lambda g, x_shape: expand(g, shape=x_shape) / prod(x_shape),
    node="MeanBackward0",
)
def mean_all(x: Array) -> Any:
    return np.sum(x) / x.size


@op(
    Facts(lambda x, dim, keepdim: sum_dim(x, dim=dim, keepdim=keepdim) / count(x.shape, dim)),
    x=lambda g, x_shape, dim, keepdim: expand(restore(g, x_shape, dim), shape=x_shape) / count(x_shape, dim),
    node="MeanBackward1",
)
def mean_dim(x: Array, *, dim: Shape, keepdim: bool = False) -> Any:
    return np.sum(x, axis=dim, keepdims=keepdim) / count(x.shape, dim)


def definition_of_std(x: Any, dim: Shape, correction: float, keepdim: bool) -> Any:
    """The root of the sum of squared distances from the mean, over the count less the correction."""
    off = x - mean_dim(x, dim=dim, keepdim=True)
    return (sum_dim(off * off, dim=dim, keepdim=keepdim) / (count(x.shape, dim) - correction)) ** 0.5


def std_backward(g: Any, x: Any, y: Any, dim: Shape, correction: float, keepdim: bool) -> Any:
    """The cotangent through std; of constants, where y = 0, it is 0."""
    free = max(0, count(x.shape, dim) - correction)
    scale = where(y == 0, 0.0, g / (y * free))
    return restore(scale, x.shape, dim) * (x - mean_dim(x, dim=dim, keepdim=True))


@op(
    Facts(definition_of_std),
    x=lambda g, x, y, dim, correction, keepdim: std_backward(g, x, y, dim, correction, keepdim),
)
def std(x: Array, *, dim: Shape, correction: float = 1, keepdim: bool = False) -> Any:
    off = x - np.mean(x, axis=dim, keepdims=True)
    free = max(0, count(x.shape, dim) - correction)
    return np.sqrt(np.true_divide(np.sum(off * off, axis=dim, keepdims=keepdim), x.dtype.type(free)))


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


def highest(x: Array, dim: Shape | int) -> Any:
    """The maximum along `dim`, kept, as a shift for exponentials: 0 where it is infinite."""
    top = np.max(x, axis=dim, keepdims=True, initial=-np.inf)
    return np.where(np.isfinite(top), top, x.dtype.type(0))


@op(
    Facts(lambda x, dim, keepdim: log(sum_dim(exp(x), dim=dim, keepdim=keepdim))),
    x=lambda g, x, y, dim, keepdim: restore(g, x.shape, dim) * exp(x - restore(y, x.shape, dim)),
)
def logsumexp(x: Array, *, dim: Shape, keepdim: bool = False) -> Any:
    top = highest(x, dim)
    with np.errstate(divide="ignore"):  # log(0) is the answer for a row of -inf, and no accident
        y = np.log(np.sum(np.exp(x - top), axis=dim, keepdims=True)) + top
    return y if keepdim else np.squeeze(y, dim)


@op(
    Facts(lambda x, dim: exp(x) / sum_dim(exp(x), dim=(dim,), keepdim=True)),
    x=lambda g, y, dim: y * (g - sum_dim(g * y, dim=(dim,), keepdim=True)),
)
def softmax(x: Array, *, dim: int) -> Any:
    if x.ndim == 0:
        return np.exp(x - x)
    powers = np.exp(x - np.max(x, axis=dim, keepdims=True, initial=-np.inf))
    return powers / np.sum(powers, axis=dim, keepdims=True)


@op(x=lambda g, dim: flip(cumsum(flip(g, dims=(dim,)), dim=dim), dims=(dim,)))
def cumsum(x: Array, *, dim: int) -> Any:
    return np.cumsum(x, axis=dim, dtype=WIDER.get(x.dtype.kind)) if x.ndim else x.copy()


def cumprod_backward(g: Any, x: Any, y: Any, dim: int) -> Any:
    """The cotangent through cumprod: by division where no product vanishes, else by its definition.

    The definition: what x[i] contributes to y[j], j >= i, is the product of the others up to j.
    """
    if not x.shape or x.shape[dim] == 1:
        return g
    if not int(sum_all(y == 0)):
        return flip(cumsum(flip(g * y, dims=(dim,)), dim=dim), dims=(dim,)) / x
    size = x.shape[dim]
    rows = expand(unsqueeze(x, dim=dim), shape=(*x.shape[:dim], size, *x.shape[dim:]))
    tail = (1,) * (len(x.shape) - dim - 1)
    itself, later = (view(mask, shape=(size, size, *tail)) for mask in triangles(size))
    others = cumprod(where(itself, 1.0, rows), dim=dim + 1)
    return sum_dim(where(later, unsqueeze(g, dim=dim) * others, 0.0), dim=(dim + 1,))


@op(x=lambda g, x, y, dim: cumprod_backward(g, x, y, dim))
def cumprod(x: Array, *, dim: int) -> Any:
    return np.cumprod(x, axis=dim, dtype=WIDER.get(x.dtype.kind)) if x.ndim else x.copy()


def count(shape: Shape, dim: Shape) -> int:
    """How many elements a reduction of `shape` over `dim` takes together."""
    return prod(shape[i] for i in dim)
