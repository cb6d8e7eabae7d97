"""One tensor from several, and several from one: stack, split, chunk."""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

from typing import Any

import numpy as np

from refgrad.dtypes import Array
from refgrad.modes import mode
from refgrad.op import MOVES, Op, op
from refgrad.ops.indexing import select
from refgrad.ops.shaping import cat
from refgrad.public import check_tensor, public, type_name, wrong_type
from refgrad.record import apply
from refgrad.tensor import Tensor, normal_dim


@op(
    tensors=lambda g, tensors_shapes, dim: [select(g, dim=dim, index=i) for i in range(len(tensors_shapes))],
    dtypes=MOVES,
)
def stack(*tensors: Array, dim: int) -> Any:
    return np.stack(tensors, axis=dim)


@op(x=lambda gs, dim: cat(*gs, dim=dim), dtypes=MOVES, many=True, view=True)
def split(x: Array, *, split_size: int, dim: int) -> Any:
    whole = x.shape[dim]
    return cut(x, [split_size] * max(1, -(-whole // split_size)) if split_size else [0], dim)


@op(x=lambda gs, dim: cat(*gs, dim=dim), dtypes=MOVES, many=True, view=True)
def split_with_sizes(x: Array, *, split_sizes: tuple[int, ...], dim: int) -> Any:
    return cut(x, split_sizes, dim)


@op(x=lambda gs, dim: stack(*gs, dim=dim), dtypes=MOVES, many=True, view=True)
def unbind(x: Array, *, dim: int) -> Any:
    return tuple(x[(slice(None),) * dim + (i, ...)] for i in range(x.shape[dim]))


@op(x=lambda gs, dim: cat(*gs, dim=dim), dtypes=MOVES, many=True)
def unsafe_split(x: Array, *, split_size: int, dim: int) -> Any:
    """As split, but nobody keeps account of the memory that is shared."""
    return split.evaluate(x, split_size=split_size, dim=dim)


@op(x=lambda gs, dim: cat(*gs, dim=dim), dtypes=MOVES, many=True)
def unsafe_split_with_sizes(x: Array, *, split_sizes: tuple[int, ...], dim: int) -> Any:
    """As split_with_sizes, but nobody keeps account of the memory that is shared."""
    return cut(x, split_sizes, dim)


def cut(x: Array, sizes: Any, dim: int) -> tuple[Array, ...]:
    """Views of `x` of these sizes along `dim`, one after the other; the last may fall short."""
    ends = np.cumsum(sizes)
    return tuple(x[(slice(None),) * dim + (slice(end - n, end),)] for n, end in zip(sizes, ends, strict=True))


@public("stack", stack)
def _(tensors: Any, dim: int = 0) -> Any:
    """Tensors of one shape joined along a new dimension `dim`."""
    if not isinstance(tensors, tuple | list):
        raise wrong_type("stack", "tensors", 1, tensors, "tuple of Tensors")
    if not tensors:
        raise RuntimeError("stack expects a non-empty TensorList")
    for position, x in enumerate(tensors):
        if type(x) is not Tensor:
            raise TypeError(f"expected Tensor as element {position} in argument 0, but got {type_name(x)}")
        if x._array.shape != tensors[0]._array.shape:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(tensors[0]._array.shape)} at entry "
                f"0 and {list(x._array.shape)} at entry {position}"
            )
    return apply(stack, tuple(tensors), {"dim": normal_dim(dim, tensors[0]._array.ndim + 1)})


@public("unbind", unbind, judged=False)
def _(input: Any, dim: int = 0) -> Any:
    """Views of what stands at each place along `dim`, as a tuple."""
    check_tensor("unbind", input)
    if mode.enabled:
        input._settle()  # an invalid view says so before its dimensions are looked at
    if not input._array.ndim:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    return apply(unbind, (input,), {"dim": normal_dim(dim, input._array.ndim)})


@public("split", split, split_with_sizes)
def _(input: Any, split_size_or_sections: Any, dim: int = 0) -> Any:
    """Views of the pieces along `dim`, as a tuple: of one size, the last perhaps smaller, or of these sizes."""
    return pieces("split", split, split_with_sizes, input, split_size_or_sections, dim)


@public("unsafe_split", unsafe_split, judged=False)
def _(input: Any, split_size: int, dim: int = 0) -> Any:
    """As `split`, but the pieces may be written to, which backward does not notice."""
    return pieces("unsafe_split", unsafe_split, unsafe_split_with_sizes, input, split_size, dim)


@public("unsafe_split_with_sizes", unsafe_split_with_sizes, judged=False)
def _(input: Any, split_sizes: Any, dim: int = 0) -> Any:
    """As `split` into pieces of these sizes, but they may be written to, which backward does not notice."""
    return pieces(
        "unsafe_split_with_sizes", unsafe_split, unsafe_split_with_sizes, input, tuple(split_sizes), dim
    )


@public("chunk", split, split_with_sizes)
def _(input: Any, chunks: int, dim: int = 0) -> Any:
    """At most `chunks` views of equal pieces along `dim`, the last perhaps smaller, as a tuple."""
    return equal_pieces("chunk", split, split_with_sizes, input, chunks, dim)


@public("unsafe_chunk", unsafe_split, judged=False)
def _(input: Any, chunks: int, dim: int = 0) -> Any:
    """As `chunk`, but the pieces may be written to, which backward does not notice."""
    return equal_pieces("unsafe_chunk", unsafe_split, unsafe_split_with_sizes, input, chunks, dim)


def pieces(name: str, by_size: Op, by_sizes: Op, input: Any, asked: Any, dim: int) -> Any:
    """The pieces of one size, or of each of these sizes, by one op or the other."""
    check_tensor(name, input)
    if not input._array.ndim:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    dim = normal_dim(dim, input._array.ndim)
    if isinstance(asked, int):
        return of_size(by_size, input, asked, dim)
    sizes, whole = tuple(asked), input._array.shape[dim]
    if sum(sizes) != whole or min(sizes, default=0) < 0:
        raise RuntimeError(
            f"split_with_sizes expects split_sizes to sum exactly to {whole} (input tensor's size at dimension "
            f"{dim}), but got split_sizes={list(sizes)}"
        )
    return apply(by_sizes, (input,), {"split_sizes": sizes, "dim": dim})


def of_size(op: Op, input: Tensor, size: int, dim: int) -> Any:
    """The pieces of one size."""
    whole = input._array.shape[dim]
    if size < 0:
        raise RuntimeError(f"split expects split_size be non-negative, but got split_size={size}")
    if not size and whole:
        raise RuntimeError(
            f"split_size can only be 0 if dimension size is 0, but got dimension size of {whole}"
        )
    return apply(op, (input,), {"split_size": size, "dim": dim})


def equal_pieces(name: str, by_size: Op, by_sizes: Op, input: Any, chunks: int, dim: int) -> Any:
    """At most so many equal pieces, the last perhaps smaller."""
    check_tensor(name, input)
    if not input._array.ndim:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    dim = normal_dim(dim, input._array.ndim)
    size = -(-input._array.shape[dim] // chunks)
    if not size:
        return apply(by_sizes, (input,), {"split_sizes": (0,) * chunks, "dim": dim})
    return of_size(by_size, input, size, dim)
