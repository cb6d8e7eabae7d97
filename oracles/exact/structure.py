"""What NumPy carries over objects: the ops that move, pair up and accumulate scalars.

Each function takes the algebra that the scalars live in, the operands as object arrays (plain arrays for masks and
indices, numbers for Python scalars) and PyTorch's settings, and answers with one object array per output. None of
them knows a derivative: the algebra's scalars record how they came to be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

Objects = np.ndarray[Any, Any]
"""An array of dtype object whose elements are an algebra's scalars."""
Dim = int | tuple[int, ...] | None


def objects(values: Iterable[Any], shape: tuple[int, ...]) -> Objects:
    """An object array of this shape, filled in row-major order."""
    array = np.empty(math.prod(shape), dtype=object)
    for i, value in enumerate(values):
        array[i] = value
    return array.reshape(shape)


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


def _first_largest(algebra: Any, run: Objects) -> int:
    values = [algebra.nominal(x) for x in run]
    return values.index(max(values))


def cumprod(algebra: Any, x: Objects, *, dim: int) -> list[Objects]:
    """Running products along one dimension."""
    out = np.empty(x.shape, dtype=object)
    if x.ndim == 0:
        out[()] = x[()]
        return [out]
    source, target = np.moveaxis(x, dim, -1), np.moveaxis(out, dim, -1)
    for place in np.ndindex(source.shape[:-1]):
        running = None
        for k in range(source.shape[-1]):
            element = source[(*place, k)]
            running = element if running is None else algebra.mul(running, element)
            target[(*place, k)] = running
    return [out]


def cat(algebra: Any, tensors: Sequence[Objects], *, dim: int = 0) -> list[Objects]:
    """Arrays joined along `dim`; PyTorch lets a one-dimensional empty one pass."""
    return [np.concatenate([t for t in tensors if t.shape != (0,)] or list(tensors), axis=dim)]


def where(algebra: Any, condition: np.ndarray[Any, Any], a: Any, b: Any) -> list[Objects]:
    """a where the condition holds, else b."""
    chosen = [x if isinstance(x, np.ndarray) else objects([algebra.constant(x)], ()) for x in (a, b)]
    mask, left, right = np.broadcast_arrays(condition, *chosen)
    return [
        objects((x if m else y for m, x, y in zip(mask.flat, left.flat, right.flat, strict=True)), mask.shape)
    ]


def reshape(algebra: Any, x: Objects, *, shape: tuple[int, ...]) -> list[Objects]:
    """The same elements in row-major order under another shape."""
    return [x.reshape(shape)]


def transpose(algebra: Any, x: Objects, *, dim0: int, dim1: int) -> list[Objects]:
    """Two axes swapped."""
    return [x if x.ndim == 0 else np.swapaxes(x, dim0, dim1)]


def expand(algebra: Any, x: Objects, *, size: tuple[int, ...]) -> list[Objects]:
    """Axes of size 1 repeated, and new ones put in front; -1 keeps an axis."""
    own = (None,) * (len(size) - x.ndim) + x.shape
    target = tuple(n if want == -1 else want for want, n in zip(size, own, strict=True))
    return [np.broadcast_to(x, target)]


def getitem(algebra: Any, x: Objects, *picks: np.ndarray[Any, Any], index: tuple[Any, ...]) -> list[Objects]:
    """Elements by index as PyTorch orders it: integers, slices and new axes first, then index arrays and masks.

    NumPy counts an integer among the index arrays, which moves axes when a slice stands between the two.
    """
    full = _spelled_out(index, x.ndim)
    basic: list[Any] = []
    for item in full:
        basic.extend([slice(None)] * _axes(item) if isinstance(item, np.ndarray) else [item])
    chosen = x[tuple(basic)]
    if not isinstance(chosen, np.ndarray):
        return [objects([chosen], ())]
    if not any(isinstance(i, np.ndarray) for i in index):
        return [chosen]
    advanced: list[Any] = []
    for item in full:
        if isinstance(item, np.ndarray):
            advanced.append(item)
        elif not isinstance(item, int):
            advanced.append(slice(None))
    return [chosen[tuple(advanced)]]


def _spelled_out(index: tuple[Any, ...], ndim: int) -> list[Any]:
    """The index with its dots replaced by slices, and a mask over several axes kept as one item."""
    used = sum(_axes(item) for item in index)
    full: list[Any] = []
    for item in index:
        full.extend([slice(None)] * (ndim - used) if item is Ellipsis else [item])
    return full


def _axes(item: Any) -> int:
    """How many axes of the operand an item of an index stands for."""
    if isinstance(item, np.ndarray):
        return item.ndim if item.dtype == bool else 1
    return 0 if item is None or item is Ellipsis else 1


def matmul(algebra: Any, a: Objects, b: Objects) -> list[Objects]:
    """Inner products over the last axis of a and the last but one of b; batches broadcast."""
    left = a[None, :] if a.ndim == 1 else a
    right = b[:, None] if b.ndim == 1 else b
    batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    left = np.broadcast_to(left, batch + left.shape[-2:])
    right = np.broadcast_to(right, batch + right.shape[-2:])
    if left.shape[-1] != right.shape[-2]:
        raise ValueError(f"matmul of shapes {a.shape} and {b.shape}")
    shape = (*batch, left.shape[-2], right.shape[-1])
    cells = (
        algebra.dot(list(left[(*place[:-2], place[-2])]), list(right[(*place[:-2], slice(None), place[-1])]))
        for place in np.ndindex(shape)
    )
    rows = shape[-2:-1] if a.ndim > 1 else ()
    columns = shape[-1:] if b.ndim > 1 else ()
    return [objects(cells, shape).reshape(batch + rows + columns)]


def solve(
    algebra: Any,
    A: Objects,
    B: Objects,
    *,
    left: bool = True,
    one: Callable[[Any, Objects, Objects], Objects] | None = None,
) -> list[Objects]:
    """X with A X = B (X A = B when not `left`), by elimination with the largest pivot; a vector B gives a vector.

    PyTorch takes B for a batch of vectors when its shape is A's without the last axis. `one` solves a single system
    in elimination's place.
    """
    vector = B.ndim == 1 or (A.ndim > 2 and B.ndim == A.ndim - 1 and B.shape == A.shape[:-1])
    right = B[..., None] if vector else B
    if not left:
        A, right = np.swapaxes(A, -1, -2), np.swapaxes(right, -1, -2)
    batch = np.broadcast_shapes(A.shape[:-2], right.shape[:-2])
    A = np.broadcast_to(A, batch + A.shape[-2:])
    right = np.broadcast_to(right, batch + right.shape[-2:])
    out = np.empty(right.shape, dtype=object)
    for place in np.ndindex(batch):
        out[place] = (one or eliminated)(algebra, A[place], right[place])
    if not left:
        out = np.swapaxes(out, -1, -2)
    return [out[..., 0] if vector else out]


def eliminated(algebra: Any, A: Objects, B: Objects) -> Objects:
    """Gaussian elimination; it multiplies by a pivot's reciprocal, as LAPACK's triangular solves may."""
    n, rows, sides = len(A), A.copy(), B.copy()
    inverses: list[Any] = []
    for k in range(n):
        pivot = k + int(np.argmax([abs(algebra.nominal(rows[i, k])) for i in range(k, n)]))
        rows[[k, pivot]], sides[[k, pivot]] = rows[[pivot, k]], sides[[pivot, k]]
        inverses.append(algebra.div(algebra.constant(1), rows[k, k]))
        for i in range(k + 1, n):
            factor = algebra.mul(rows[i, k], inverses[k])
            for table, first in ((rows, k + 1), (sides, 0)):
                for j in range(first, table.shape[1]):
                    table[i, j] = algebra.sub(table[i, j], algebra.mul(factor, table[k, j]))
    for j in range(sides.shape[1]):
        for i in reversed(range(n)):
            known = algebra.dot(list(rows[i, i + 1 :]), list(sides[i + 1 :, j]))
            rest = sides[i, j] if i == n - 1 else algebra.sub(sides[i, j], known)
            sides[i, j] = algebra.mul(rest, inverses[i])
    return sides


STRUCTURE: dict[str, Callable[..., list[Any]]] = {
    "cat": cat,
    "cumprod": cumprod,
    "expand": expand,
    "getitem": getitem,
    "linalg.solve": solve,
    "matmul": matmul,
    "max": largest,
    "mean": mean,
    "reshape": reshape,
    "sum": total,
    "transpose": transpose,
    "where": where,
}
