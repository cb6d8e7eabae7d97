"""How far elements lie from their mean, and from zero: std, var, and the norms of vectors."""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

from math import inf
from typing import Any

import numpy as np

from refgrad.dtypes import Array
from refgrad.op import Facts, op
from refgrad.ops.arithmetic import pow_scalar, where
from refgrad.ops.constants import zeros_like
from refgrad.ops.extremes import shared
from refgrad.ops.reductions import count, mean_dim, sum_dim
from refgrad.ops.shaping import Shape, restore


def definition_of_var(x: Any, dim: Shape, correction: float, keepdim: bool) -> Any:
    """The sum of squared distances from the mean, over the count less the correction."""
    off = x - mean_dim(x, dim=dim, keepdim=True)
    return sum_dim(off * off, dim=dim, keepdim=keepdim) / (count(x.shape, dim) - correction)


def definition_of_std(x: Any, dim: Shape, correction: float, keepdim: bool) -> Any:
    """The length of the distances from the mean, over the root of the count less the correction."""
    off = x - mean_dim(x, dim=dim, keepdim=True)
    return vector_norm(off, dim=dim, keepdim=keepdim) / (count(x.shape, dim) - correction) ** 0.5


def freedom(shape: Shape, dim: Shape, correction: float) -> float:
    """The count less the correction, never negative."""
    return max(0, count(shape, dim) - correction)


def std_backward(g: Any, x: Any, y: Any, dim: Shape, correction: float, keepdim: bool) -> Any:
    """The cotangent through std; of constants, where y = 0, it is 0."""
    free = freedom(x.shape, dim, correction)
    scale = where(y == 0, 0.0, g / (y * free))
    return restore(scale, x.shape, dim) * (x - mean_dim(x, dim=dim, keepdim=True))


@op(
    Facts(definition_of_std),
    x=lambda g, x, y, dim, correction, keepdim: std_backward(g, x, y, dim, correction, keepdim),
)
def std(x: Array, *, dim: Shape, correction: float = 1, keepdim: bool = False) -> Any:
    off = x - np.mean(x, axis=dim, keepdims=True)
    free = freedom(x.shape, dim, correction)
    return np.sqrt(np.true_divide(np.sum(off * off, axis=dim, keepdims=keepdim), x.dtype.type(free)))


def var_backward(g: Any, x: Any, dim: Shape, correction: float) -> Any:
    """The cotangent through var; with no freedom left, infinite or nan."""
    free = freedom(x.shape, dim, correction)
    twice = restore(g, x.shape, dim) * (2 / free if free else inf)
    return twice * (x - mean_dim(x, dim=dim, keepdim=True))


@op(
    Facts(definition_of_var),
    x=lambda g, x, dim, correction, keepdim: var_backward(g, x, dim, correction),
)
def var(x: Array, *, dim: Shape, correction: float = 1, keepdim: bool = False) -> Any:
    off = x - np.mean(x, axis=dim, keepdims=True)
    free = x.dtype.type(freedom(x.shape, dim, correction))
    return np.true_divide(np.sum(off * off, axis=dim, keepdims=keepdim), free)


def signed(g: Any, x: Any) -> Any:
    """`g` with the sign of `x`, at 0 nothing: the subgradient of least norm of the absolute value."""
    return where(x > 0, g, where(x < 0, -g, 0.0))


def norm_backward(g: Any, x: Any, y: Any, ord: float, dim: Shape) -> Any:
    """The cotangent through a norm. At its tip, where it is 0, the subgradient of least norm: 0."""
    whole = restore(g, x.shape, dim)
    if ord == 0:
        return zeros_like(x)
    if ord == 1:
        return signed(whole, x)
    if ord in (inf, -inf):
        return signed(shared(g, signed(x, x), y, dim), x)
    top = restore(y, x.shape, dim)
    if ord == 2:
        return where(top == 0, 0.0, whole * (x / top))
    # where an element is 0, it has no slope or an infinite one below order 2, of which PyTorch takes 0
    slope = signed(pow_scalar(signed(x, x), exponent=ord - 1), x)
    # masked by the element and not by the line: the norm of nothing is 0 too, and has a cotangent
    return where(top == 0, 0.0, whole * (slope / pow_scalar(top, exponent=ord - 1)))


@op(
    Facts(kinks={"x": (0.0,)}),
    x=lambda g, x, y, ord, dim, keepdim: norm_backward(g, x, y, ord, dim),  # noqa: A006 - PyTorch's name
    node="LinalgVectorNormBackward0",
)
def vector_norm(x: Array, *, ord: float = 2, dim: Shape, keepdim: bool = False) -> Any:
    """The norm of any order; of order 0, the number of elements that are not 0."""
    if ord == 0:
        return np.sum(x != 0, axis=dim, keepdims=keepdim, dtype=x.dtype)
    if ord == 1:
        return np.sum(np.abs(x), axis=dim, keepdims=keepdim)
    if ord in (inf, -inf):
        return (np.max if ord > 0 else np.min)(np.abs(x), axis=dim, keepdims=keepdim)
    if ord == 2:
        return np.sqrt(np.sum(x * x, axis=dim, keepdims=keepdim))
    return np.power(np.sum(np.power(np.abs(x), ord), axis=dim, keepdims=keepdim), 1 / ord)
