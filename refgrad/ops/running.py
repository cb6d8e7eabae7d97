"""Running sums and products, and products: what a zero divides, these formulas must not divide by."""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

from math import prod
from typing import Any

import numpy as np

from refgrad.dtypes import Array
from refgrad.op import op
from refgrad.ops.arithmetic import where
from refgrad.ops.constants import triangles, zeros_like
from refgrad.ops.reductions import WIDER, sum_all, sum_dim
from refgrad.ops.shaping import cat, expand, flip, restore, slice_, unsqueeze, view


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


def others(x: Any, dim: int) -> Any:
    """At each place along `dim` the product of every other element: of those before, times those after."""
    size = x.shape[dim]
    one = zeros_like(slice_(x, dim=dim, start=0, end=1, step=1)) + 1
    ahead = slice_(x, dim=dim, start=0, end=max(0, size - 1), step=1)
    behind = flip(slice_(x, dim=dim, start=1, end=size, step=1), dims=(dim,))
    before = cumprod(cat(one, ahead, dim=dim), dim=dim)
    return before * flip(cumprod(cat(one, behind, dim=dim), dim=dim), dims=(dim,))


def others_of_all(x: Any) -> Any:
    """The same over all elements."""
    return view(others(view(x, shape=(prod(x.shape),)), 0), shape=x.shape)


def others_along(x: Any, dim: int) -> Any:
    """The same, where a number counts as a line of one."""
    return others(x, dim) if x.shape else others_of_all(x)


@op(x=lambda g, x, y: g * others_of_all(x), node="ProdBackward0")  # y: as PyTorch, which divides it by x
def prod_all(x: Array) -> Any:
    return np.prod(x, dtype=WIDER.get(x.dtype.kind))


@op(
    x=lambda g, x, y, dim, keepdim: restore(g, x.shape, (dim,)) * others_along(x, dim),
    node="ProdBackward1",
)
def prod_dim(x: Array, *, dim: int, keepdim: bool = False) -> Any:
    axis = dim if x.ndim else ()
    return np.prod(x, axis=axis, keepdims=keepdim, dtype=WIDER.get(x.dtype.kind))
