"""PyTorch's functions and methods over the ops that change shapes: signatures, checks, composition."""

from math import prod
from typing import Any

import numpy as np

from refgrad.devices import check_device
from refgrad.dtypes import Array, dtype
from refgrad.dtypes import dtype as kinds
from refgrad.ops.shaping import (
    Shape,
    cat,
    clone,
    expand,
    permute,
    reshape_alias,
    squeeze,
    squeeze_dim,
    squeeze_dims,
    t,
    to_copy,
    transpose,
    unsafe_view,
    unsqueeze,
    view,
)
from refgrad.public import check_tensor, dims, public, sizes, type_name, wrong_type
from refgrad.record import apply
from refgrad.tensor import Tensor, normal_dim


@public("view", view)
def _(input: Any, *sides: Any, size: Any = None) -> Any:
    """The elements in another shape, in the same memory; RuntimeError where the layout forbids it."""
    shape = inferred(sizes(sides, "view", "size", size), input._array.size)
    if not viewable(input._array, shape):
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one dimension spans "
            "across two contiguous subspaces). Use .reshape(...) instead."
        )
    return apply(view, (input,), {"shape": shape})


@public("reshape", view, reshape_alias, clone, unsafe_view)
def _(input: Any, *sides: Any, shape: Any = None) -> Any:
    """The elements in another shape: a view where the layout allows it, else a copy."""
    check_tensor("reshape", input)
    return reshaped(input, inferred(sizes(sides, "reshape", "shape", shape), input._array.size))


@public("flatten", view)
def _(input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """The dimensions from `start_dim` to `end_dim` as one."""
    check_tensor("flatten", input)
    shape = input._array.shape
    first, last = normal_dim(start_dim, len(shape)), normal_dim(end_dim, len(shape))
    if first > last:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if not shape:
        return reshaped(input, (1,))
    return (
        input
        if first == last
        else reshaped(input, (*shape[:first], prod(shape[first : last + 1]), *shape[last + 1 :]))
    )


@public("transpose", transpose)
def _(input: Any, dim0: int, dim1: int) -> Any:
    """Two dimensions exchanged, as a view."""
    check_tensor("transpose", input)
    ndim = input._array.ndim
    return apply(transpose, (input,), {"dim0": normal_dim(dim0, ndim), "dim1": normal_dim(dim1, ndim)})


@public("t", t, judged=False)
def _(input: Any) -> Any:
    """A matrix transposed, as a view; RuntimeError for more than two dimensions."""
    check_tensor("t", input)
    if input._array.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input._array.ndim}D")
    return apply(t, (input,), {})


@public("permute", permute)
def _(input: Any, *places: Any, dims: Any = None) -> Any:
    """The dimensions in another order, as a view."""
    check_tensor("permute", input)
    order, ndim = sizes(places, "permute", "dims", dims), input._array.ndim
    if len(order) != ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the "
            f"desired ordering of dimensions i.e. input.dim() = {ndim} is not equal to len(dims) = {len(order)}"
        )
    normal = tuple(normal_dim(d, ndim) for d in order)
    if len(set(normal)) != ndim:
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    return apply(permute, (input,), {"dims": normal})


@public("expand", expand)
def _(input: Any, *sides: Any, size: Any = None) -> Any:
    """Repeated along new dimensions and along those of size 1, as a view; -1 keeps a size."""
    check_tensor("expand", input)
    sides = sizes(sides, "expand", "size", size)
    return apply(expand, (input,), {"shape": expanded(input._array.shape, sides, input.dtype.word)})


@public("unsqueeze", unsqueeze)
def _(input: Any, dim: int) -> Any:
    """With a dimension of size 1 inserted at `dim`."""
    check_tensor("unsqueeze", input)
    return apply(unsqueeze, (input,), {"dim": normal_dim(dim, input._array.ndim + 1)})


@public("squeeze", squeeze, squeeze_dim, squeeze_dims)
def _(input: Any, dim: Any = None) -> Any:
    """Without its dimensions of size 1, or without those of them that `dim` names."""
    check_tensor("squeeze", input)
    if dim is None:
        return apply(squeeze, (input,), {})
    shape = input._array.shape
    if isinstance(dim, int):
        return apply(squeeze_dim, (input,), {"dim": normal_dim(dim, len(shape))})
    named = dims("squeeze", dim, len(shape)) if len(dim) else ()  # no dimensions name none here, and not all
    return apply(squeeze_dims, (input,), {"dim": named})


@public("cat", cat)
def _(tensors: Any, dim: int = 0) -> Any:
    """Tensors joined along `dim`; sizes must match in all others."""
    if not isinstance(tensors, tuple | list):
        raise wrong_type("cat", "tensors", 1, tensors, "tuple of Tensors")
    for position, x in enumerate(tensors):
        if type(x) is not Tensor:
            raise TypeError(f"expected Tensor as element {position} in argument 0, but got {type_name(x)}")
    check_joinable(shapes := [x._array.shape for x in tensors], dim)
    ndim = max(map(len, (s for s in shapes if s != (0,))), default=1)
    return apply(cat, tuple(tensors), {"dim": normal_dim(dim, ndim)})


@public("clone", clone, judged=False)
def _(input: Any) -> Any:
    """A copy that stays part of the graph."""
    check_tensor("clone", input)
    return apply(clone, (input,), {})


@public("contiguous", clone, judged=False)
def _(input: Any) -> Any:
    """Itself if its elements lie row by row, else a copy in which they do."""
    return input if input.is_contiguous() else apply(clone, (input,), {"contiguous": True})


@public("to", to_copy, judged=False)
def _(
    input: Any,
    *wanted: Any,
    dtype: dtype | None = None,
    device: Any = None,
    non_blocking: bool = False,
    copy: bool = False,
) -> Any:
    """In another dtype, or that of another tensor; itself where that is its dtype already. The device is the CPU."""
    for each in wanted:
        if isinstance(each, kinds):
            dtype = each
        elif type(each) is Tensor:
            dtype = each.dtype
        else:
            check_device(each)
    check_device(device)
    kept = dtype is None or dtype is input.dtype
    return input if kept and not copy else apply(to_copy, (input,), {"dtype": input.dtype if kept else dtype})


def reshaped(input: Tensor, shape: Shape) -> Tensor:
    """`input` in `shape`, by the ops PyTorch takes: they depend on the layout."""
    if input.is_contiguous():
        return apply(view, (input,), {"shape": shape})  # type: ignore[no-any-return]
    if viewable(input._array, shape):
        return apply(reshape_alias, (input,), {"shape": shape})  # type: ignore[no-any-return]
    return apply(unsafe_view, (apply(clone, (input,), {"contiguous": True}),), {"shape": shape})  # type: ignore[no-any-return]


def viewable(array: Array, shape: Shape) -> bool:
    """Whether `array` has `shape` without moving an element."""
    return not array.size or np.may_share_memory(array, np.reshape(array, shape))


def inferred(shape: Shape, size: int) -> Shape:
    """`shape` with its -1, if any, worked out; RuntimeError if it does not hold `size` elements."""
    for position, n in enumerate(shape):
        if n < -1:
            raise RuntimeError(f"invalid shape dimension {n} at index {position} of shape {list(shape)}")
    if shape.count(-1) > 1:
        raise RuntimeError("only one dimension can be inferred")
    known = prod(n for n in shape if n != -1)
    if -1 in shape and not known and not size:
        raise RuntimeError(
            f"cannot reshape tensor of 0 elements into shape {list(shape)} because the unspecified dimension "
            "size -1 can be any value and is ambiguous"
        )
    found = tuple(size // known if n == -1 and known else n for n in shape)
    if -1 in found or prod(found) != size:
        raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {size}")
    return found


def expanded(shape: Shape, wanted: Shape, word: str) -> Shape:
    """The shape that `shape` becomes when expanded to `wanted`; RuntimeError where it cannot."""
    new = len(wanted) - len(shape)
    if new < 0:
        raise RuntimeError(
            f"expand(torch.{word}Tensor{{{list(shape)}}}, size={list(wanted)}): the number of sizes provided "
            f"({len(wanted)}) must be greater or equal to the number of dimensions in the tensor ({len(shape)})"
        )
    found = list(wanted)
    for i, n in reversed(list(enumerate(wanted))):
        if i < new:
            if n < 0:
                raise RuntimeError(
                    f"The expanded size of the tensor ({n}) isn't allowed in a leading, non-existing dimension {i}"
                )
        elif n == -1:
            found[i] = shape[i - new]
        elif shape[i - new] not in (1, n):
            raise RuntimeError(
                f"The expanded size of the tensor ({n}) must match the existing size ({shape[i - new]}) at "
                f"non-singleton dimension {i}.  Target sizes: {list(wanted)}.  Tensor sizes: {list(shape)}"
            )
    return tuple(found)


def check_joinable(shapes: list[Shape], dim: int) -> None:
    """Raise, in PyTorch's words, unless tensors of these shapes can be joined along `dim`."""
    if not shapes:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    for position, shape in enumerate(shapes):
        if not shape:
            raise RuntimeError(f"zero-dimensional tensor (at position {position}) cannot be concatenated")
    first = next((s for s in shapes if s != (0,)), (0,))
    along = normal_dim(dim, len(first))
    for position, shape in enumerate(shapes):
        if shape == (0,):
            continue
        if len(shape) != len(first):
            raise RuntimeError(
                f"Tensors must have same number of dimensions: got {len(first)} and {len(shape)}"
            )
        for i, (expected, got) in enumerate(zip(first, shape, strict=True)):
            if i != along and expected != got:
                raise RuntimeError(
                    f"Sizes of tensors must match except in dimension {along}. Expected size {expected} but got "
                    f"size {got} for tensor number {position} in the list."
                )
