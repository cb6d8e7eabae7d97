"""Ops along lines of scalars: sums, products, extremes and norms. None of them knows a derivative."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import accumulate
from math import inf
from typing import Any

import numpy as np

from oracles.exact.lowering import derive
from oracles.exact.objects import Dim, Objects, objects, reduced


def total(algebra: Any, x: Objects, *, dim: Dim = None, keepdim: bool = False) -> list[Objects]:
    """Sums along `dim`; an empty sum is 0."""
    return [reduced(x, dim, keepdim, lambda run: algebra.add(run) if len(run) else algebra.constant(0))]


def mean(algebra: Any, x: Objects, *, dim: Dim = None, keepdim: bool = False) -> list[Objects]:
    """Means along `dim`."""
    return [reduced(x, dim, keepdim, lambda run: algebra.div(algebra.add(run), algebra.constant(len(run))))]


def largest(algebra: Any, x: Objects, *, dim: int | None = None, keepdim: bool = False) -> list[Objects]:
    """The largest element: shared among ties when over everything, the first of them along one dimension."""
    if dim is None:
        return [reduced(x, None, False, lambda run: algebra.largest(run, share=True))]
    indices = reduced(x, dim, keepdim, lambda run: _first_largest(algebra, run))
    return [reduced(x, dim, keepdim, lambda run: algebra.largest(run, share=False)), indices.astype(np.int64)]


def maximum(algebra: Any, a: Objects, b: Objects, *, share: bool = True) -> list[Objects]:
    """The larger of two, elementwise; a tie is shared, or goes to the first."""
    return [_paired(a, b, lambda x, y: algebra.largest((x, y), share=share))]


def minimum(algebra: Any, a: Objects, b: Objects, *, share: bool = True) -> list[Objects]:
    """The smaller of two, elementwise; a tie is shared, or goes to the first."""
    neg = algebra.neg
    return [_paired(a, b, lambda x, y: neg(algebra.largest((neg(x), neg(y)), share=share)))]


def _paired(a: Objects, b: Objects, combine: Callable[[Any, Any], Any]) -> Objects:
    left, right = np.broadcast_arrays(a, b)
    return objects(map(combine, left.flat, right.flat), left.shape)


def _first_largest(algebra: Any, run: Objects) -> int:
    values = [algebra.nominal(x) for x in run]
    return values.index(max(values))


def negated(algebra: Any, x: Objects) -> Objects:
    """Each scalar's opposite."""
    return objects((algebra.neg(v) for v in x.flat), x.shape)


def smallest(algebra: Any, x: Objects, *, dim: int | None = None, keepdim: bool = False) -> list[Objects]:
    """The smallest element, as `largest` of the opposites."""
    values, *indices = largest(algebra, negated(algebra, x), dim=dim, keepdim=keepdim)
    return [negated(algebra, values), *indices]


def amax(algebra: Any, x: Objects, *, dim: Dim = (), keepdim: bool = False) -> list[Objects]:
    """The largest elements along `dim`, shared among ties."""
    return [reduced(x, dim, keepdim, lambda run: algebra.largest(run, share=True))]


def amin(algebra: Any, x: Objects, *, dim: Dim = (), keepdim: bool = False) -> list[Objects]:
    """The smallest elements along `dim`, shared among ties."""
    return [negated(algebra, *amax(algebra, negated(algebra, x), dim=dim, keepdim=keepdim))]


def cumprod(algebra: Any, x: Objects, *, dim: int) -> list[Objects]:
    """Running products along one dimension."""
    return [_along(x, dim, lambda run: list(accumulate(run, algebra.mul)))]


def cumsum(algebra: Any, x: Objects, *, dim: int) -> list[Objects]:
    """Running sums along one dimension, each in any order."""
    return [_along(x, dim, algebra.running)]


def _along(x: Objects, dim: int, running: Callable[[list[Any]], list[Any]]) -> Objects:
    """Each line along `dim` replaced by what `running` makes of it; a scalar is its own."""
    if x.ndim == 0:
        return x.copy()
    out = np.empty(x.shape, dtype=object)
    source, target = np.moveaxis(x, dim, -1), np.moveaxis(out, dim, -1)
    for place in np.ndindex(source.shape[:-1]):
        target[place] = objects(running(source[place].tolist()), target[place].shape)
    return out


def product(algebra: Any, run: Any) -> Any:
    """The product of a line, one after the other; of none, 1."""
    made = None
    for x in run:
        made = x if made is None else algebra.mul(made, x)
    return algebra.constant(1) if made is None else made


def prod(algebra: Any, x: Objects, *, dim: int | None = None, keepdim: bool = False) -> list[Objects]:
    """Products of everything, or along one dimension."""
    return [reduced(x, dim, keepdim, lambda run: product(algebra, run))]


def norm(
    algebra: Any,
    x: Objects,
    *,
    ord: float | str = 2,  # noqa: A002 - PyTorch's name
    dim: Dim = None,
    keepdim: bool = False,
) -> list[Objects]:
    """The norm of each line."""
    return [reduced(x, dim, keepdim, lambda run: length(algebra, run, float(ord)))]


def length(algebra: Any, run: Any, order: float) -> Any:
    """The norm of a line. All zeros are the tip of a cone, where the algebra decides the slope."""
    if not len(run):
        return algebra.constant(0)
    if order == 2:
        if all(algebra.is_zero(x) for x in run):
            return algebra.tip(list(run))
        return algebra.call("sqrt", derive("sqrt(x)", ("x",)), algebra.dot(list(run), list(run)))
    if order == 0:
        return algebra.add([algebra.call("sign", derive(COUNTED, ("x",)), x) for x in run])
    sizes = [algebra.call("abs", derive("Abs(x)", ("x",)), x) for x in run]
    if order == -inf:
        return algebra.neg(algebra.largest([algebra.neg(s) for s in sizes], share=True))
    if order in (1, inf):
        return algebra.largest(sizes, share=True) if order == inf else algebra.add(sizes)
    if order > 1 and all(algebra.is_zero(x) for x in run):
        return algebra.tip(list(run))
    bases = run if order > 0 and order % 2 == 0 else sizes  # an even power has no kink
    powers = [algebra.call("pow", derive("a**order", ("a",), (("order", order),)), b) for b in bases]
    return algebra.call("pow", derive("a**(1/order)", ("a",), (("order", order),)), algebra.add(powers))


COUNTED = "Piecewise((1, x > 0), (1, x < 0), (0, True))"
"""What an element adds to the norm of order 0."""


LINES: dict[str, Callable[..., list[Any]]] = {
    "amax": amax,
    "amin": amin,
    "cumprod": cumprod,
    "cumsum": cumsum,
    "fmax": partial(maximum, share=False),
    "fmin": partial(minimum, share=False),
    "linalg.vector_norm": norm,
    "max": largest,
    "maximum": maximum,
    "mean": mean,
    "minimum": minimum,
    "min": smallest,
    "prod": prod,
    "sum": total,
}
"""By op of the catalogue, what it is on object arrays."""
