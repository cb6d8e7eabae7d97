"""What NumPy carries over objects: the ops that move scalars, and the table of all ops that are no formula.

Each function takes the algebra that the scalars live in, the operands as object arrays (plain arrays for masks and
indices, numbers for Python scalars) and PyTorch's settings, and answers with one object array per output. None of
them knows a derivative: the algebra's scalars record how they came to be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from oracles.exact.linear import LINEAR
from oracles.exact.lines import LINES
from oracles.exact.objects import Dim, Objects, dims, objects


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


def stack(algebra: Any, tensors: Sequence[Objects], *, dim: int = 0) -> list[Objects]:
    """Arrays of one shape along a new axis."""
    return [np.stack(tensors, axis=dim)]


def split(
    algebra: Any, x: Objects, *, split_size_or_sections: int | tuple[int, ...], dim: int = 0
) -> list[Objects]:
    """Pieces of one size, the last perhaps smaller, or of these sizes."""
    length, given = x.shape[dim], split_size_or_sections
    ends = range(given, length, given) if isinstance(given, int) else np.cumsum(given)[:-1]
    return list(np.split(x, list(ends), axis=dim))


def chunk(algebra: Any, x: Objects, *, chunks: int, dim: int = 0) -> list[Objects]:
    """At most so many pieces of one size, the last perhaps smaller."""
    size = -(-x.shape[dim] // chunks)
    return split(algebra, x, split_size_or_sections=size or (0,) * chunks, dim=dim)


def flatten(algebra: Any, x: Objects, *, start_dim: int = 0, end_dim: int = -1) -> list[Objects]:
    """Neighbouring axes as one."""
    if x.ndim == 0:
        return [x.reshape(1)]
    first, last = start_dim % x.ndim, end_dim % x.ndim
    return [x.reshape(*x.shape[:first], math.prod(x.shape[first : last + 1]), *x.shape[last + 1 :])]


def squeeze(algebra: Any, x: Objects, *, dim: Dim = None) -> list[Objects]:
    """Without axes of size 1, or without those of them that `dim` names; () names none."""
    axes = () if dim == () else dims(dim, x.ndim)
    return [np.squeeze(x, tuple(i for i in axes if x.shape[i] == 1))]


def roll(
    algebra: Any, x: Objects, *, shifts: int | tuple[int, ...], dims: int | tuple[int, ...] = ()
) -> list[Objects]:
    """Axes rolled; without axes, all elements in a row."""
    return [np.roll(x, shifts, dims if dims != () else None)]


def triangle(cut: Callable[..., Any]) -> Callable[..., list[Objects]]:
    """tril or triu, by NumPy's of a mask: outside it stand zeros."""

    def cut_(algebra: Any, x: Objects, *, diagonal: int = 0) -> list[Objects]:
        inside = cut(np.ones(x.shape, dtype=bool), diagonal)
        return where(algebra, inside, x, 0.0)

    return cut_


def repeat(algebra: Any, x: Objects, *, repeats: tuple[int, ...]) -> list[Objects]:
    """Copies along every axis."""
    return [np.tile(x, repeats)]


def tile(algebra: Any, x: Objects, *, dims: tuple[int, ...]) -> list[Objects]:
    """Copies along the last axes."""
    return [np.tile(x, dims)]


def _places(index: np.ndarray[Any, Any], dim: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """For each element of an index: where it stands, and what it names along `dim`."""
    for place in np.ndindex(index.shape):
        named = list(place)
        if named:
            named[dim] = int(index[place])
        yield place, tuple(named)


def gather(algebra: Any, x: Objects, index: np.ndarray[Any, Any], *, dim: int) -> list[Objects]:
    """The elements that an index names along one axis."""
    if not x.ndim:
        return [np.broadcast_to(x, index.shape)]
    return [objects((x[named] for _, named in _places(index, dim)), index.shape)]


def scatter_add(
    algebra: Any, x: Objects, index: np.ndarray[Any, Any], src: Objects, *, dim: int
) -> list[Objects]:
    """Each element with those of `src` that name it, summed in any order."""
    terms: dict[tuple[int, ...], list[Any]] = {place: [x[place]] for place in np.ndindex(x.shape)}
    for place, named in _places(index, dim):
        terms[named].append(src[place])
    return [objects((algebra.add(t) for t in terms.values()), x.shape)]


def index_select(algebra: Any, x: Objects, index: np.ndarray[Any, Any], *, dim: int) -> list[Objects]:
    """Slices along one axis; a number is its own slice."""
    return [np.take(x, index, axis=dim) if x.ndim else x]


def masked_fill(algebra: Any, x: Objects, mask: np.ndarray[Any, Any], value: Any) -> list[Objects]:
    """A number, or an array of one, where the mask holds."""
    return where(algebra, mask, value, x)


STRUCTURE: dict[str, Callable[..., list[Any]]] = {
    **LINEAR,
    **LINES,
    "cat": cat,
    "chunk": chunk,
    "diagonal": lambda algebra, x, *, offset=0, dim1=0, dim2=1: [np.diagonal(x, offset, dim1, dim2)],
    "expand": expand,
    "flatten": flatten,
    "flip": lambda algebra, x, *, dims: [np.flip(x, dims) if x.ndim else x],
    "gather": gather,
    "getitem": getitem,
    "index_select": index_select,
    "masked_fill": masked_fill,
    "permute": lambda algebra, x, *, dims: [np.transpose(x, dims)],
    "repeat": repeat,
    "reshape": reshape,
    "roll": roll,
    "scatter_add": scatter_add,
    "split": split,
    "squeeze": squeeze,
    "stack": stack,
    "tile": tile,
    "transpose": transpose,
    "tril": triangle(np.tril),
    "triu": triangle(np.triu),
    "unsqueeze": lambda algebra, x, *, dim: [np.expand_dims(x, dim)],
    "view": lambda algebra, x, *, size: [x.reshape(size)],
    "where": where,
}
"""By op of the catalogue, what it is on object arrays."""
