"""Sums, means, and softmax: ops along dimensions.

A reduction's settings are normalised: `dim` is a tuple of non-negative ints, never empty unless the operand
has no dimensions.
"""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

from math import prod
from typing import Any

import numpy as np

from refgrad.dtypes import Array
from refgrad.op import Facts, op
from refgrad.ops.exponential import exp, log
from refgrad.ops.shaping import Shape, expand, restore

WIDER = {"b": np.int64, "i": np.int64, "u": np.int64}
"""Integers are summed and multiplied as int64."""


@op(x=lambda g, x_shape: expand(g, shape=x_shape), node="SumBackward0")
def sum_all(x: Array) -> Any:
    return np.add.reduce(x, axis=None, dtype=WIDER.get(x.dtype.kind))


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


@op(
    Facts(lambda x, dim: x - log(sum_dim(exp(x), dim=(dim,), keepdim=True))),
    x=lambda g, y, dim: g - exp(y) * sum_dim(g, dim=(dim,), keepdim=True),
)
def log_softmax(x: Array, *, dim: int) -> Any:
    if x.ndim == 0:
        return x - x
    off = x - np.max(x, axis=dim, keepdims=True, initial=-np.inf)
    total = np.sum(np.exp(off), axis=dim, keepdims=True)
    with np.errstate(divide="ignore"):  # an empty line sums to 0, and no element is left to take its log from
        return off - np.log(total)


def count(shape: Shape, dim: Shape) -> int:
    """How many elements a reduction of `shape` over `dim` takes together."""
    return prod(shape[i] for i in dim)
