"""Picking elements by a tensor of places or a mask, and adding into them."""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

from typing import Any

import numpy as np

from refgrad.dtypes import Array
from refgrad.op import COMMON, NO_GRADIENT, OWN, op
from refgrad.ops.arithmetic import where
from refgrad.ops.constants import zeros_like
from refgrad.ops.shaping import Shape
from refgrad.public import broadcast, check_tensor, public, wrong_type
from refgrad.record import apply
from refgrad.tensor import Tensor, normal_dim


@op(
    x=lambda g, x, index, dim: scatter_add(zeros_of(x), index, g, dim=dim),  # x: as PyTorch
    index=NO_GRADIENT,
    dtypes=OWN,
)
def gather(x: Array, index: Array, *, dim: int) -> Any:
    return (
        np.atleast_1d(x)[grid(index, dim)].reshape(index.shape)
        if index.size
        else np.zeros(index.shape, x.dtype)
    )


@op(
    x=lambda g: g,
    index=NO_GRADIENT,
    src=lambda g, index, dim: gather(g, index, dim=dim),
    dtypes=OWN,
)
def scatter_add(x: Array, index: Array, src: Array, *, dim: int) -> Any:
    if not index.size:
        return x.copy()
    out = np.array(np.atleast_1d(x), order="C")
    taken = np.atleast_1d(src)[tuple(slice(n) for n in np.atleast_1d(index).shape)]
    np.add.at(out, grid(index, dim), taken)
    return out.reshape(x.shape)


def grid(index: Array, dim: int) -> tuple[Array, ...]:
    """The places that `index` names along `dim`, each in the other dimensions where it stands itself."""
    whole = np.atleast_1d(index)
    places: list[Any] = list(np.indices(whole.shape, sparse=True))
    places[dim] = whole
    return tuple(places)


def zeros_of(x: Any) -> Any:
    """Zeros like `x` that nothing is differentiated through."""
    return zeros_like(x)


@op(x=lambda g, index, x_shape, dim: spread(g, index, shape=x_shape, dim=dim), index=NO_GRADIENT, dtypes=OWN)
def index_select(x: Array, index: Array, *, dim: int) -> Any:
    return np.take(x, index, axis=dim) if x.ndim else x.copy()


@op(x=lambda g, index, dim: index_select(g, index, dim=dim), index=NO_GRADIENT, dtypes=OWN)
def spread(x: Array, index: Array, *, shape: Shape, dim: int) -> Any:
    """Zeros of `shape` to which the slices of `x` are added at `index` along `dim`."""
    out = np.zeros(shape or (1,), x.dtype)
    places: Any = (slice(None),) * dim + (np.atleast_1d(index),)
    np.add.at(out, places, x)
    return out.reshape(shape)


@op(x=lambda g, mask: where(mask, 0.0, g), mask=NO_GRADIENT, dtypes=OWN, node="MaskedFillBackward0")
def masked_fill_number(x: Array, mask: Array, *, value: float) -> Any:
    return np.where(mask, np.asarray(value).astype(x.dtype), x)


@op(
    x=lambda g, mask: where(mask, 0.0, g),
    mask=NO_GRADIENT,
    value=lambda g, mask: where(mask, g, 0.0),
    dtypes=COMMON,
    node="MaskedFillBackward1",
)
def masked_fill(x: Array, mask: Array, value: Array) -> Any:
    return np.where(mask, value, x)


@public("gather", gather)
def _(input: Any, dim: int, index: Any) -> Any:
    """The elements at the places that `index` names along `dim`; RuntimeError where a place is outside."""
    check_tensor("gather", input)
    check_tensor("gather", index, "index", 3)
    dim = normal_dim(dim, input._array.ndim)
    if index._array.dtype.kind not in "iu":
        raise RuntimeError("gather(): Expected dtype int32/int64 for index")
    shape, wanted = input._array.shape, index._array.shape
    if not index._array.size:  # of any rank, as in PyTorch
        return apply(gather, (input, index), {"dim": dim})
    check_ranks(wanted, shape, "input")
    for i, (n, size) in enumerate(zip(wanted, shape, strict=False)):
        if i != dim and n > size:
            raise RuntimeError(
                f"Size does not match at dimension {i} expected index {list(wanted)} to be no larger than self "
                f"{list(shape)} apart from dimension {dim}"
            )
    check_places(index._array, shape, dim)
    return apply(gather, (input, index), {"dim": dim})


@public("scatter_add", scatter_add)
def _(input: Any, dim: int, index: Any, src: Any) -> Any:
    """Input with the elements of `src` added at the places that `index` names along `dim`."""
    check_tensor("scatter_add", input)
    check_tensor("scatter_add", index, "index", 3)
    check_tensor("scatter_add", src, "src", 4)
    dim = scattered_dim(input, dim, index, src)
    return apply(scatter_add, (input, index, src), {"dim": dim})


def scattered_dim(input: Any, dim: int, index: Any, src: Any) -> int:
    """The dimension along which `index` places `src`, counted from the front; RuntimeError unless all of them fit."""
    dim = normal_dim(dim, input._array.ndim)
    if index._array.dtype.kind not in "iu":
        raise RuntimeError("scatter(): Expected dtype int32/int64 for index")
    if input.dtype is not src.dtype:
        raise RuntimeError("scatter(): Expected self.dtype to be equal to src.dtype")
    shape, wanted, given = input._array.shape, index._array.shape, src._array.shape
    check_ranks(wanted, shape, "self")
    check_ranks(wanted, given, "src")
    apart = any(n > size for i, (n, size) in enumerate(zip(wanted, shape, strict=False)) if i != dim)
    if apart or any(n > size for n, size in zip(wanted, given, strict=False)):
        raise RuntimeError(
            f"Expected index {list(wanted)} to be no larger than self {list(shape)} apart from dimension {dim} "
            f"and to be no larger size than src {list(given)}"
        )
    check_places(index._array, shape, dim)
    return dim


def check_ranks(index: Shape, shape: Shape, of: str) -> None:
    """RuntimeError unless an index and what it points into have as many dimensions; 0 count as 1."""
    if max(len(index), 1) != max(len(shape), 1):
        raise RuntimeError(f"Index tensor must have the same number of dimensions as {of} tensor")


def check_places(index: Array, shape: Shape, dim: int) -> None:
    """RuntimeError for a place outside; negative ones do not count from the back."""
    size = shape[dim] if shape else 1
    outside = (index < 0) | (index >= size)
    if outside.any():
        raise RuntimeError(f"index {index[outside][0]} is out of bounds for dimension {dim} with size {size}")


@public("index_select", index_select)
def _(input: Any, dim: int, index: Any) -> Any:
    """The slices at the places of a vector `index` along `dim`; IndexError where a place is outside."""
    check_tensor("index_select", input)
    check_tensor("index_select", index, "index", 3)
    dim, places = normal_dim(dim, input._array.ndim), index._array
    if places.dtype.kind not in "iu":
        raise RuntimeError("index_select(): Expected dtype int32 or int64 for index")
    if places.ndim > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    size = input._array.shape[dim] if input._array.ndim else 1
    if ((places < 0) | (places >= size)).any():
        raise IndexError("index out of range in self")
    vector = Tensor(places.reshape(-1)) if input._array.ndim and not places.ndim else index
    return apply(index_select, (input, vector), {"dim": dim})


@public("masked_fill", masked_fill, masked_fill_number)
def _(input: Any, mask: Any, value: Any) -> Any:
    """Input, but `value`, a number or a tensor of no dimensions, where `mask` holds."""
    check_tensor("masked_fill", input)
    check_tensor("masked_fill", mask, "mask", 2)
    if mask._array.dtype.kind != "b":
        raise RuntimeError(
            f"masked_fill_ only supports boolean masks, but got mask with dtype {mask.dtype.word.lower()}"
        )
    broadcast(input._array.shape, mask._array.shape)
    if type(value) is Tensor:
        if value._array.ndim:
            raise RuntimeError(
                "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
                f"{value._array.ndim} dimension(s)."
            )
        return apply(masked_fill, (input, mask, value), {})
    if not isinstance(value, bool | int | float):
        raise wrong_type("masked_fill", "value", 3, value, "Number")
    return apply(masked_fill_number, (input, mask), {"value": value})
