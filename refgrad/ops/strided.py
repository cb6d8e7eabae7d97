"""Elements by their places in memory: as_strided, which is how a view is taken anew from its base."""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

from typing import Any

import numpy as np

from refgrad.dtypes import Array
from refgrad.mutation import root
from refgrad.op import MOVES, op
from refgrad.ops.shaping import Shape
from refgrad.public import check_tensor, public
from refgrad.record import apply


@op(
    x=lambda g, x_shape, laid, size, stride, offset: as_strided_backward(
        g, shape=x_shape, laid=laid, size=size, stride=stride, offset=offset
    ),
    dtypes=MOVES,
    view=True,
)
def as_strided(x: Array, *, laid: Shape, size: Shape, stride: Shape, offset: int) -> Any:
    """The elements at `offset` and every `stride` of the memory of `x`, if that lay there with strides `laid`.

    Strides and offset count elements, the offset from the first of `x`.
    """
    if x.size and any(
        n > 1 and step != steps * x.itemsize for n, step, steps in zip(x.shape, x.strides, laid, strict=True)
    ):
        x = lay_out(x, laid, reach(size, stride, offset))
    return window(x, size, stride, offset)


@op(
    x=lambda g, laid, size, stride, offset: as_strided(g, laid=laid, size=size, stride=stride, offset=offset),
    dtypes=MOVES,
)
def as_strided_backward(
    x: Array, *, shape: Shape, laid: Shape, size: Shape, stride: Shape, offset: int
) -> Any:
    """Zeros of `shape` and strides `laid` to which `x` is added where `as_strided` would have taken it from."""
    flat = np.zeros(max(reach(shape, laid, 0), reach(size, stride, offset)), x.dtype)
    np.add.at(flat, window(np.arange(flat.size), size, stride, offset), x)
    return window(flat, shape, laid, 0).copy()


def reach(size: Shape, stride: Shape, offset: int) -> int:
    """How many elements from the first one on such a window needs."""
    if 0 in size:
        return 0
    return 1 + offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))


def window(x: Array, size: Shape, stride: Shape, offset: int) -> Array:
    """A window into the memory of `x`, to be written through too."""
    if 0 in size:
        return np.zeros(size, x.dtype)
    strides = tuple(step * x.itemsize for step in stride)
    start = np.lib.stride_tricks.as_strided(x, (1,), (x.itemsize,), writeable=x.flags.writeable)
    whole = np.lib.stride_tricks.as_strided(start, (offset + 1,), (x.itemsize,), writeable=x.flags.writeable)
    return np.lib.stride_tricks.as_strided(whole[offset:], size, strides, writeable=x.flags.writeable)


def lay_out(x: Array, laid: Shape, least: int = 0) -> Array:
    """A copy of `x` whose strides, in elements, are `laid`; in memory of at least so many elements."""
    flat = np.zeros(max(reach(x.shape, laid, 0), least, 1), x.dtype)
    copy = window(flat, x.shape, laid, 0)
    copy[...] = x
    return copy


def strides_of(x: Array) -> Shape:
    """The strides of `x` in elements."""
    return tuple(step // x.itemsize for step in x.strides)


def place(x: Array) -> int:
    """Where the first element of `x` lies, in elements of its dtype."""
    return int(x.__array_interface__["data"][0]) // x.itemsize


@public("as_strided", as_strided, judged=False)
def _(input: Any, size: Any, stride: Any, storage_offset: int | None = None) -> Any:
    """A view of the memory behind `input` with these sizes and strides; RuntimeError where that is too small."""
    check_tensor("as_strided", input)
    array, size, stride = input._array, tuple(size), tuple(stride)
    if len(size) != len(stride):
        raise RuntimeError("mismatch in length of strides and shape")
    for step in stride:
        if step < 0:
            raise RuntimeError(
                f"as_strided: Negative strides are not supported at the moment, got strides: {list(stride)}"
            )
    whole = root(array)
    start = place(array) - place(whole)
    offset = start if storage_offset is None else storage_offset
    needed = reach(size, stride, offset)
    if needed > whole.size:
        raise RuntimeError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {offset}, and itemsize "
            f"{array.itemsize} requiring a storage size of {needed * array.itemsize} are out of bounds for "
            f"storage of size {whole.size * array.itemsize}"
        )
    settings = {"laid": strides_of(array), "size": size, "stride": stride, "offset": offset - start}
    return apply(as_strided, (input,), settings)
