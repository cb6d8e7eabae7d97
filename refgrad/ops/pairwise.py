"""Distances between points, and the cosine of the angle between vectors."""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

from math import inf
from typing import Any

import numpy as np

from refgrad.dtypes import Array, result_type
from refgrad.modes import no_grad
from refgrad.op import COMMON, op
from refgrad.ops.arithmetic import pow_scalar, where
from refgrad.ops.constants import pairs
from refgrad.ops.picking import index_select, spread
from refgrad.ops.piecewise import abs_, sign
from refgrad.ops.reductions import sum_dim
from refgrad.ops.shaping import unsqueeze
from refgrad.public import FUNCTIONS, broadcast, check_tensor, public
from refgrad.record import apply


def length(gaps: Array, p: float) -> Any:
    """The norm of order `p` along the last dimension; of order 0, how many are not 0."""
    sizes = np.abs(gaps)
    if p == 0:
        return np.sum(sizes != 0, axis=-1).astype(gaps.dtype)
    if p == inf:
        return np.max(sizes, axis=-1, initial=0)
    if p == 2:
        return np.sqrt(np.sum(sizes * sizes, axis=-1))
    return np.power(np.sum(np.power(sizes, p), axis=-1), 1 / p)


def slopes(gap: Any, y: Any, p: float) -> Any:
    """The slope of the length `y` in each part of `gap`; between points that coincide, and in a part that is 0: 0."""
    if p == 0:
        return gap * 0.0
    if p == inf:
        return where(abs_(gap) == y, sign(gap), 0.0)  # each of several largest parts has the slope 1
    whole = where(y == 0, 1.0, y)
    if p == 2:
        return gap / whole
    return where(
        gap == 0, 0.0, sign(gap) * pow_scalar(where(gap == 0, 1.0, abs_(gap)) / whole, exponent=p - 1)
    )


def between(g: Any, x1: Any, x2: Any, y: Any, p: float) -> Any:
    """The cotangents of all differences between two sets of points."""
    gap = unsqueeze(x1, dim=len(x1.shape) - 1) - unsqueeze(x2, dim=len(x2.shape) - 2)
    far, along = (unsqueeze(z, dim=len(z.shape)) for z in (y, g))
    return along * slopes(gap, far, p)


# The second order is that of these formulas; PyTorch has none for distances.
@op(
    x1=lambda g, x1, x2, y, p: sum_dim(between(g, x1, x2, y, p), dim=(len(y.shape) - 1,)),
    x2=lambda g, x1, x2, y, p: -sum_dim(between(g, x1, x2, y, p), dim=(len(y.shape) - 2,)),
    dtypes=COMMON,
)
def cdist(x1: Array, x2: Array, *, p: float = 2.0) -> Any:
    return length(x1[..., :, None, :] - x2[..., None, :, :], p)


def of_pairs(g: Any, x: Any, y: Any, p: float) -> Any:
    """The cotangent of each point, from those of its distances to the others."""
    first, second = pairs(x.shape[0])
    gap = index_select(x, first, dim=0) - index_select(x, second, dim=0)
    part = unsqueeze(g, dim=1) * slopes(gap, unsqueeze(y, dim=1), p)
    return spread(part, first, shape=x.shape, dim=0) - spread(part, second, shape=x.shape, dim=0)


@op(x=lambda g, x, y, p: of_pairs(g, x, y, p))
def pdist(x: Array, *, p: float = 2.0) -> Any:
    first, second = pairs(x.shape[0])
    return length(x[first] - x[second], p)


@public("cdist", cdist, judged=False, method=False)
def _(x1: Any, x2: Any, p: float = 2.0) -> Any:
    """The distances of order `p` from each row of x1 to each row of x2, for each pair of their batches."""
    check_tensor("cdist", x1, "x1")
    check_tensor("cdist", x2, "x2", 2)
    for n, x in ((1, x1), (2, x2)):
        if not x.is_floating_point():
            raise RuntimeError(f"cdist only supports floating-point dtypes, X{n} got: {x.dtype.word}")
        if x.ndim < 2:
            raise RuntimeError(f"cdist only supports at least 2D tensors, X{n} got: {x.ndim}D")
    if x1.dtype is not x2.dtype:
        raise RuntimeError(f"expected scalar type {x1.dtype.word} but found {x2.dtype.word}")
    columns = x1.shape[-1], x2.shape[-1]
    if columns[0] != columns[1]:
        raise RuntimeError(
            f"X1 and X2 must have the same number of columns. X1: {columns[0]} X2: {columns[1]}"
        )
    if p < 0:
        raise RuntimeError("cdist only supports non-negative p values")
    broadcast(x1._array.shape[:-2], x2._array.shape[:-2])
    return apply(cdist, (x1, x2), {"p": float(p)})


def pair_distances(input: Any, p: float = 2.0) -> Any:
    """The distances of order `p` between rows, of each row to those after it."""
    check_tensor("pdist", input)
    if input.ndim != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input.ndim}D")
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    return apply(pdist, (input,), {"p": float(p)})


def cosine(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    """The cosine of the angle between vectors along `dim`, whose lengths count as at least `eps`."""
    check_tensor("cosine_similarity", x1, "x1")
    check_tensor("cosine_similarity", x2, "x2", 2)
    kind = result_type([x1._array, x2._array])
    if not kind.is_floating_point:
        raise RuntimeError(f"expected common dtype to be floating point, yet common dtype is {kind.word}")
    shape = broadcast(x1._array.shape, x2._array.shape)
    parts = []
    alike = x1.shape == x2.shape
    for x in (FUNCTIONS["to"](each, kind) for each in (x1, x2)):
        x = x if alike else x.expand(shape)
        size = FUNCTIONS["linalg.vector_norm"](x, 2, dim, keepdim=True).clone()
        with no_grad():  # at least eps, with the slope of the length itself
            size.clamp_(min=eps)
        parts.append(x / size)
    return (parts[0] * parts[1]).sum(dim)


for _name, _op, _function in (("pdist", pdist, pair_distances), ("cosine_similarity", cdist, cosine)):
    public(f"nn.functional.{_name}", _op, judged=False, method=False)(_function)
    public(_name, _op, judged=False, method=False)(_function)
