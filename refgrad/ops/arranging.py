"""The same elements elsewhere: turned over, rolled, repeated, cut to a triangle or a diagonal."""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

from typing import Any

import numpy as np

from refgrad.dtypes import Array
from refgrad.op import MOVES, OWN, op
from refgrad.ops.reductions import sum_dim
from refgrad.ops.shaping import Shape, flip, view
from refgrad.public import FUNCTIONS, check_tensor, public, sizes, wrong_type
from refgrad.record import apply
from refgrad.tensor import Tensor, normal_dim


@op(x=lambda g, shifts, dims: roll(g, shifts=tuple(-n for n in shifts), dims=dims), dtypes=MOVES)
def roll(x: Array, *, shifts: Shape, dims: Shape) -> Any:
    """Each dimension rolled by its shift; without dimensions, all elements in a row."""
    return np.roll(x, shifts, dims) if dims and x.ndim else np.roll(x, sum(shifts))


@op(x=lambda g, diagonal: tril(g, diagonal=diagonal), dtypes=MOVES)
def tril(x: Array, *, diagonal: int = 0) -> Any:
    return np.tril(x, diagonal)


@op(x=lambda g, diagonal: triu(g, diagonal=diagonal), dtypes=MOVES)
def triu(x: Array, *, diagonal: int = 0) -> Any:
    return np.triu(x, diagonal)


@op(
    x=lambda g, x_shape, offset, dim1, dim2: diagonal_backward(
        g, shape=x_shape, offset=offset, dim1=dim1, dim2=dim2
    ),
    dtypes=MOVES,
    view=True,
)
def diagonal(x: Array, *, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    return np.diagonal(x, offset, dim1, dim2)


@op(x=lambda g, offset, dim1, dim2: diagonal(g, offset=offset, dim1=dim1, dim2=dim2), dtypes=MOVES)
def diagonal_backward(x: Array, *, shape: Shape, offset: int, dim1: int, dim2: int) -> Any:
    """Zeros of `shape` with `x` on the diagonal."""
    out = np.zeros(shape, x.dtype)
    along = np.arange(x.shape[-1])
    np.moveaxis(out, (dim1, dim2), (-2, -1))[..., along + max(-offset, 0), along + max(offset, 0)] = x
    return out


@op(x=lambda g, x_shape, repeats: repeat_backward(g, x_shape, repeats), dtypes=OWN)
def repeat(x: Array, *, repeats: Shape) -> Any:
    return np.tile(x, repeats)


def repeat_backward(g: Any, shape: Shape, repeats: Shape) -> Any:
    """The sum over the copies: each dimension is split into copies and elements, and copies are summed."""
    whole = (1,) * (len(repeats) - len(shape)) + shape
    pairs = view(g, shape=tuple(n for pair in zip(repeats, whole, strict=True) for n in pair))
    return sum_dim(pairs, dim=tuple(range(0, 2 * len(repeats), 2)))


@public("flip", flip)
def _(input: Any, dims: Any) -> Any:
    """The order along each of `dims` reversed."""
    check_tensor("flip", input)
    return apply(flip, (input,), {"dims": distinct("flip", dims, input._array.ndim)})


def distinct(function: str, dims: Any, ndim: int) -> Shape:
    """A tuple of dimensions counted from the front; RuntimeError for one that is named twice."""
    if not isinstance(dims, tuple | list):
        raise wrong_type(function, "dims", 2, dims, "tuple of ints")
    normal = tuple(normal_dim(d, ndim) for d in dims)
    for d in normal:
        if normal.count(d) > 1:
            raise RuntimeError(f"dim {d} appears multiple times in the list of dims")
    return normal


def flip_method(self: Any, *given: Any, dims: Any = None) -> Any:
    """The order along `dims` reversed, ints one by one or as one sequence."""
    return FUNCTIONS["flip"](self, sizes(given, "flip", "dims", dims))


flip_method.__name__ = flip_method.__qualname__ = "flip"
setattr(Tensor, "flip", flip_method)  # noqa: B010 - a method that the class does not declare


@public("roll", roll)
def _(input: Any, shifts: Any, dims: Any = ()) -> Any:
    """Elements shifted along `dims`, those that leave at one end entering at the other."""
    check_tensor("roll", input)
    by = tuple(shifts) if isinstance(shifts, tuple | list) else (shifts,)
    over = tuple(dims) if isinstance(dims, tuple | list) else (dims,)
    if len(by) != len(over) and (over or len(by) != 1):
        raise RuntimeError(f"shifts and dimensions must align. shifts: {len(by)}, dims:{len(over)}")
    normal = tuple(normal_dim(d, input._array.ndim) for d in over)
    return apply(roll, (input,), {"shifts": by, "dims": normal})


@public("tril", tril)
def _(input: Any, diagonal: int = 0) -> Any:
    """Each matrix with zeros above its diagonal of this number."""
    check_matrices("tril", input)
    return apply(tril, (input,), {"diagonal": diagonal})


@public("triu", triu)
def _(input: Any, diagonal: int = 0) -> Any:
    """Each matrix with zeros below its diagonal of this number."""
    check_matrices("triu", input)
    return apply(triu, (input,), {"diagonal": diagonal})


def check_matrices(function: str, input: Any) -> None:
    """RuntimeError for a tensor of fewer than two dimensions."""
    check_tensor(function, input)
    if input._array.ndim < 2:
        raise RuntimeError(f"{function}: input tensor must have at least 2 dimensions")


@public("diagonal", diagonal)
def _(input: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """The diagonal of the matrices in two dimensions, as a view whose last dimension it is."""
    check_tensor("diagonal", input)
    first, second = normal_dim(dim1, input._array.ndim), normal_dim(dim2, input._array.ndim)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return apply(diagonal, (input,), {"offset": offset, "dim1": first, "dim2": second})


@public("repeat", repeat)
def _(input: Any, *counts: Any, repeats: Any = None) -> Any:
    """As many copies as asked for along each dimension, new leading ones included."""
    check_tensor("repeat", input)
    times = sizes(counts, "repeat", "repeats", repeats)
    if len(times) < input._array.ndim:
        raise RuntimeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor"
        )
    if min(times, default=0) < 0:
        whole = (1,) * (len(times) - input._array.ndim) + input._array.shape
        wanted = [n * m for n, m in zip(times, whole, strict=True)]
        negative = next(n for n in wanted if n < 0)
        raise RuntimeError(f"Trying to create tensor with negative dimension {negative}: {wanted}")
    return apply(repeat, (input,), {"repeats": times})


@public("tile", repeat)
def _(input: Any, *counts: Any, dims: Any = None) -> Any:
    """The same, where dimensions that are not named are not repeated."""
    check_tensor("tile", input)
    times = sizes(counts, "tile", "dims", dims)
    times = (1,) * (input._array.ndim - len(times)) + times
    return apply(repeat, (input,), {"repeats": times})
