"""Indexing: what `x[...]` is composed of, as PyTorch composes it.

Integers, slices, None and the ellipsis are taken first, one view each; index arrays and masks, together,
last.
"""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

from typing import Any

import numpy as np

from refgrad.dtypes import Array
from refgrad.op import MOVES, OWN, op
from refgrad.ops.shaping import Shape, alias, slice_, unsqueeze
from refgrad.public import check_tensor, public
from refgrad.record import apply
from refgrad.tensor import Tensor

Indices = tuple[Array | None, ...]
"""One entry per leading dimension: an integer array, or None for the whole dimension."""


@op(
    x=lambda g, x_shape, dim, index: select_backward(g, shape=x_shape, dim=dim, index=index),
    dtypes=MOVES,
    view=True,
)
def select(x: Array, *, dim: int, index: int) -> Any:
    return x[(slice(None),) * dim + (index, ...)]


@op(x=lambda g, dim, index: select(g, dim=dim, index=index), dtypes=MOVES)
def select_backward(x: Array, *, shape: Shape, dim: int, index: int) -> Any:
    out = np.zeros(shape, x.dtype)
    out[(slice(None),) * dim + (index,)] = x
    return out


@op(x=lambda g, x_shape, indices: index_backward(g, shape=x_shape, indices=indices), dtypes=MOVES)
def index(x: Array, *, indices: Indices) -> Any:
    return x[places(indices)]


@op(x=lambda g, indices: index(g, indices=indices), dtypes=OWN)
def index_backward(x: Array, *, shape: Shape, indices: Indices) -> Any:
    """Zeros of `shape` to which `x` is added at `indices`; what is named twice receives twice."""
    out = np.zeros(shape, x.dtype)
    np.add.at(out, places(indices), x)
    return out


def places(indices: Indices) -> tuple[Any, ...]:
    """The indices as NumPy takes them."""
    return tuple(slice(None) if i is None else i for i in indices)


@public("getitem", index, select, slice_, unsqueeze, alias, method="__getitem__")
def _(input: Any, index: Any) -> Any:
    """What `input[index]` is: ints, slices, None, ..., and tensors, arrays or lists of ints or bools.

    IndexError for what is out of range; ValueError for a step that is not positive.
    """
    check_tensor("getitem", input)
    return subscript(input, index)


def subscript(input: Tensor, given: Any) -> Any:
    """Take the views one dimension at a time, then the index arrays all together."""
    out, indices = subscripted(input, given, alone=not isinstance(given, tuple))
    if indices is not None:
        return apply(index, (out,), {"indices": indices})
    return apply(alias, (out,), {}) if out is input else out


def subscripted(input: Tensor, given: Any, *, alone: bool) -> tuple[Tensor, Indices | None]:
    """`input` where ints, slices, None and ... say, and what index arrays are left to take from that, if any.

    alone: whether a slice of all is to be a view of its own.
    """
    items = given if isinstance(given, tuple) else (given,)
    items = tuple(map(as_item, items))
    named = sum(dimensions_of(item) for item in items)
    if named > input._array.ndim:
        if not input._array.ndim and named == 1:
            first = next(item for item in items if dimensions_of(item))
            if isinstance(first, slice):
                raise IndexError("slice() cannot be applied to a 0-dim tensor.")
            if isinstance(first, int) and first:
                raise IndexError(f"index {first} is out of bounds for dimension 0 with size 0")
            raise IndexError(
                "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ "
                "to convert a 0-dim tensor to a number"
            )
        raise IndexError(f"too many indices for tensor of dimension {input._array.ndim}")
    out, dim, arrays = input, 0, {}
    skipped = input._array.ndim - named
    taken = 0  # dimensions of the operand so far, which messages count by
    for item in items:
        if item is Ellipsis:
            dim, taken = dim + skipped, taken + skipped
            skipped = 0  # a second ellipsis stands for nothing
        elif isinstance(item, bool):
            out = apply(unsqueeze, (out,), {"dim": dim})
            arrays[dim] = np.zeros(int(item), np.int64)
            dim += 1
        elif isinstance(item, int):
            out = selected(out, dim, item, taken)
            taken += 1
        elif isinstance(item, slice):
            out = sliced(out, dim, item, alone=alone)
            dim, taken = dim + 1, taken + 1
        elif item is None:
            out = apply(unsqueeze, (out,), {"dim": dim})
            dim += 1
        else:
            for found in as_integers(item, out._array.shape, dim):
                arrays[dim] = found
                dim, taken = dim + 1, taken + 1
    return out, tuple(arrays.get(i) for i in range(max(arrays) + 1)) if arrays else None


def as_item(item: Any) -> Any:
    """One part of a subscript: an int, a slice, None, the ellipsis, or an array of ints or bools."""
    if item is None or item is Ellipsis or isinstance(item, bool | int | slice):
        return item
    if type(item) is Tensor:
        item = item._array
    elif isinstance(item, list | tuple):
        item = np.asarray(item if len(item) else np.zeros(0, np.int64))
    if not isinstance(item, np.ndarray | np.generic):
        if isinstance(item, str):
            raise TypeError("new(): invalid data type 'str'")
        raise IndexError(
            "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid "
            f"indices (got {type(item).__name__})"
        )
    if item.dtype.kind not in "biu":
        raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
    return (
        item.item() if item.ndim == 0 and item.dtype.kind != "b" else bool(item) if item.ndim == 0 else item
    )


def dimensions_of(item: Any) -> int:
    """How many dimensions of the operand one part of a subscript takes."""
    if item is None or item is Ellipsis or isinstance(item, bool):
        return 0
    return item.ndim if isinstance(item, np.ndarray) and item.dtype.kind == "b" else 1


def selected(x: Tensor, dim: int, item: int, named: int) -> Tensor:
    """`x` at one place along `dim`, which the user knows as `named`."""
    size = x._array.shape[dim]
    if not -size <= item < size:
        raise IndexError(f"index {item} is out of bounds for dimension {named} with size {size}")
    return apply(select, (x,), {"dim": dim, "index": item % size})  # type: ignore[no-any-return]


def sliced(x: Tensor, dim: int, item: slice, *, alone: bool) -> Tensor:
    """`x` at the places of a slice along `dim`; beside others, a slice of all is no op."""
    if item.step is not None and int(item.step) < 0:
        raise ValueError("step must be greater than zero")
    size = x._array.shape[dim]
    start, end, step = item.indices(size)
    if not alone and item.start in (None, 0) and (item.stop is None or item.stop >= size) and step == 1:
        return x
    return apply(slice_, (x,), {"dim": dim, "start": start, "end": max(start, end), "step": step})  # type: ignore[no-any-return]


def as_integers(item: Array, shape: Shape, dim: int) -> list[Array]:
    """An index array, counted from the front; of a mask, one array of places per dimension."""
    if item.dtype.kind == "b":
        for i, size in enumerate(item.shape):
            if size != shape[dim + i]:
                raise IndexError(
                    f"The shape of the mask {list(item.shape)} at index {i} does not match the shape of the "
                    f"indexed tensor {list(shape)} at index {dim + i}"
                )
        return list(np.nonzero(item))
    size = shape[dim]
    outside = (item < -size) | (item >= size)
    if outside.any():
        raise IndexError(f"index {item[outside][0]} is out of bounds for dimension {dim} with size {size}")
    return [np.where(item < 0, item + size, item).astype(np.int64)]
