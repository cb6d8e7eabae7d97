"""Writing values over a tensor: zeros, a number, another tensor, and `x[index] = value`."""

import math
from collections.abc import Callable
from math import inf
from typing import Any, Final

import numpy as np

from refgrad.dtypes import Array, Number, complex64, dtype
from refgrad.inplace import EXPANDED, NAMES, SHARED, in_place, overlapping, overwrite, reshaped
from refgrad.layout import repeats
from refgrad.modes import is_grad_enabled
from refgrad.ops import filling
from refgrad.ops.indexing import Indices, as_integers, places, subscripted
from refgrad.ops.shapes import expanded
from refgrad.ops.shaping import expand, squeeze_in_place, view
from refgrad.public import check_tensor, type_name
from refgrad.record import apply
from refgrad.tensor import Tensor, normal_dim
from refgrad.views import check_write

PUT: Final = EXPANDED.format("index_put_", "tensor[indices] = tensor")


def zero_(self: Tensor) -> Tensor:
    """Zeros, written over this tensor, which is returned."""
    return overwrite(self, lambda x: apply(filling.zero, (x,)), shared="")


def fill_(self: Tensor, value: Any) -> Tensor:
    """A number, or a tensor of no dimensions, written over every element of this tensor, which is returned."""
    if type(value) is Tensor:
        if value._array.ndim:
            raise RuntimeError(
                f"fill_ only supports 0-dimension value tensor but got tensor with {value._array.ndim} dimensions."
            )
        # a number may be written to repeated elements; a tensor PyTorch copies, which they refuse
        shared = None if repeats(self._array.shape, self._array.strides) else ""
        return overwrite(self, lambda x: apply(filling.fill, (x, value)), (value,), casts=True, shared=shared)
    if not isinstance(value, Number):
        name = type_name(value)
        raise TypeError(
            f"fill_() received an invalid combination of arguments - got ({name}), but expected one of:\n"
            " * (Tensor value)\n      didn't match because some of the arguments have invalid types: "
            f"(!{name}!)\n * (Number value)\n      didn't match because some of the arguments have invalid types: "
            f"(!{name}!)\n"
        )
    number = element(fitting(value, self.dtype, halves=self._array.size > 1), self)
    return overwrite(
        self, lambda x: apply(filling.fill_number, (x,), {"value": number}), casts=True, shared=""
    )


def fitting(value: Number, kind: dtype, *, halves: bool = False) -> Number:
    """A number as `kind` holds it; RuntimeError where it cannot, for half-width floats only if told."""
    if kind.kind == "b":
        return bool(value)
    if kind.kind == "c":
        for part in (complex(value).real, complex(value).imag):
            if kind is complex64 and math.isfinite(part) and abs(part) > LARGEST["float32"]:
                raise RuntimeError("value cannot be converted to type c10::complex<float> without overflow")
        return value
    if isinstance(value, complex):
        if value.imag:
            name = C_NAMES.get(kind.name, "double")
            raise RuntimeError(f"value cannot be converted to type {name} without overflow")
        value = value.real
    if kind.kind == "f":
        fits = not math.isfinite(value) or abs(value) <= LARGEST[kind.name] or (kind.is_half and not halves)
        whole: Number = value
    else:
        signed = kind.kind == "i"
        bits = 8 * kind.itemsize - signed
        # PyTorch lets an int wrap below 0 where the dtype has no sign, but no float
        low = -(1 << bits) if signed else 0 if isinstance(value, float) else 1 - (1 << bits)
        whole = int(value) if math.isfinite(value) else 1 << bits
        fits = low <= whole < 1 << bits
    if not fits:
        raise RuntimeError(f"value cannot be converted to type {C_NAMES[kind.name]} without overflow")
    return whole


LARGEST: Final = {
    "float16": 65504.0,
    "bfloat16": 2.0**128 - 2.0**120,
    "float32": 2.0**128 - 2.0**104,
    "float64": inf,
}
C_NAMES: Final = {name: f"{name}_t" for name in ("uint8", "int8", "int16", "int64")} | {
    "int32": "int",
    "float16": "c10::Half",
    "bfloat16": "c10::BFloat16",
    "float32": "float",
}


def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """The elements of another tensor, broadcast and cast, written over this one, which is returned."""
    if isinstance(src, Number):
        src = Tensor(np.asarray(src))
    check_tensor("copy_", src, "other")

    def copied(x: Tensor) -> Any:
        if not broadcastable(src._array.shape, x._array.shape):
            raise_unfit(src._array.shape, x._array.shape)
        return apply(filling.copy, (x, src))

    itself = lies_as(self._array, src._array)  # nothing moves, so that shared places do no harm
    return overwrite(self, copied, (src,), casts=True, **({"shared": ""} if itself else {}))


def lies_as(array: Array, other: Array) -> bool:
    """Whether both are the same elements of the same memory."""

    def where(x: Array) -> Any:
        strides = [stride for stride, size in zip(x.strides, x.shape, strict=True) if size != 1]
        return x.__array_interface__["data"], x.shape, strides, x.dtype

    return bool(where(array) == where(other))


def broadcastable(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether a tensor of `shape` can be broadcast to `wanted`."""
    pairs = zip(reversed(shape), reversed(wanted), strict=False)
    return len(shape) <= len(wanted) and all(n in (1, m) for n, m in pairs)


def raise_unfit(shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    """The complaint of PyTorch about a source that cannot be broadcast."""
    from refgrad.public import broadcast

    both = broadcast(wanted, shape)
    raise RuntimeError(f"output with shape {list(wanted)} doesn't match the broadcast shape {list(both)}")


def index_put_(self: Tensor, indices: Any, values: Any, accumulate: bool = False) -> Tensor:
    """Values written, or with `accumulate` added, to the places that tensors of indices name; returns this tensor."""
    arrays: list[Any] = []
    for given in indices:
        if given is None:
            arrays.append(None)
        else:
            arrays.extend(as_integers(given._array, self._array.shape, len(arrays)))
    return put(self, tuple(arrays), values, accumulate=accumulate)


def put(self: Tensor, indices: Indices, values: Tensor, *, accumulate: bool = False) -> Tensor:
    """The same with the places as arrays."""

    def with_values(x: Tensor) -> Any:
        if values.dtype is not x.dtype:
            raise RuntimeError(
                "Index put requires the source and destination dtypes match, got "
                f"{x.dtype.word} for the destination and {values.dtype.word} for the source."
            )
        if overlapping(x._array, values._array, same=True):
            raise RuntimeError(SHARED)
        shape = x._array[places(indices)].shape
        if not broadcastable(values._array.shape, shape):
            raise RuntimeError(
                f"shape mismatch: value tensor of shape {list(values._array.shape)} cannot be broadcast to indexing "
                f"result of shape {list(shape)}"
            )
        return apply(filling.index_put, (x, values), {"indices": indices, "accumulate": accumulate})

    return overwrite(self, with_values, (values,), casts=True, shared=PUT)


def setitem(self: Tensor, index: Any, value: Any) -> None:
    """`self[index] = value`, for a number or a tensor that can be broadcast to what the index names."""
    values = as_value(self, value)
    part, indices = subscripted(self, index, alone=False)
    if indices is not None:
        shape = values._array.shape
        ones = leading_ones(shape)
        put(part, indices, apply(view, (values,), {"shape": shape[ones:]}) if ones else values)
    elif values._array.shape == part._array.shape:
        copy_(part, values)
    elif not values._array.ndim:
        fill_(part, values)
    else:
        shape = values._array.shape
        values = apply(view, (values,), {"shape": shape[leading_ones(shape) :]})
        shape = expanded(values._array.shape, part._array.shape, values.dtype.word)
        copy_(part, values if shape == values._array.shape else apply(expand, (values,), {"shape": shape}))


def as_value(self: Tensor, value: Any) -> Tensor:
    """What is to be written, as a tensor; TypeError for what is neither that nor a number."""
    if type(value) is Tensor:
        return value
    if not isinstance(value, Number):
        raise TypeError(f"can't assign a {type_name(value)} to a torch.{self.dtype.word}Tensor")
    return Tensor(element(fitting(value, self.dtype), self))


def element(value: Number, holder: Tensor) -> Array:
    """A number in the dtype of `holder`, as an array of no dimensions; infinite where it is too large."""
    with np.errstate(over="ignore"):
        cast: Array = np.asarray(value).astype(holder._array.dtype)
        return cast


def leading_ones(shape: tuple[int, ...]) -> int:
    """How many dimensions of size 1 come first."""
    return next((i for i, size in enumerate(shape) if size != 1), len(shape))


def compared(name: str) -> Callable[[Tensor, Any], Tensor]:
    """The method that writes what a comparison says, 1 or 0, over the tensor."""

    def method(self: Tensor, other: Any) -> Tensor:
        if type(other) is Tensor:
            op = filling.COMPARED[name]
            return overwrite(self, lambda x: apply(op, (x, other)), (other,), casts=True)
        op = filling.COMPARED_NUMBER[name]
        return overwrite(self, lambda x: apply(op, (x,), {"b": other}), casts=True)

    method.__name__ = method.__qualname__ = f"{name}_"
    method.__doc__ = f"1 where `{name}` holds, else 0, written over this tensor, which is returned."
    return method


def t_(self: Tensor) -> Tensor:
    """The very matrix transposed."""
    check_write(self, recorded=is_grad_enabled() and self.requires_grad)
    if self._array.ndim > 2:
        raise RuntimeError(f"t_() expects a tensor with <= 2 dimensions, but self is {self._array.ndim}D")
    return reshaped(self, filling.t_in_place)


def transpose_(self: Tensor, dim0: int, dim1: int) -> Tensor:
    """The very tensor with two dimensions exchanged."""
    ndim = self._array.ndim
    settings = {"dim0": normal_dim(dim0, ndim), "dim1": normal_dim(dim1, ndim)}
    return reshaped(self, filling.transpose_in_place, settings)


def squeeze_(self: Tensor, dim: int | None = None) -> Tensor:
    """The very tensor without its dimensions of size 1, or without the one at `dim`, if it is."""
    if dim is None:
        return reshaped(self, filling.squeeze_all_in_place)
    return reshaped(self, squeeze_in_place, {"dim": normal_dim(dim, self._array.ndim)})


def unsqueeze_(self: Tensor, dim: int) -> Tensor:
    """The very tensor with a dimension of size 1 inserted at `dim`."""
    return reshaped(self, filling.unsqueeze_in_place, {"dim": normal_dim(dim, self._array.ndim + 1)})


def attach() -> None:
    """Give Tensor its methods that write in place."""
    for name in NAMES:
        setattr(Tensor, f"{name}_", in_place(name))
    for name in filling.COMPARISONS:
        setattr(Tensor, f"{name}_", compared(name))
    for method in (zero_, fill_, copy_, index_put_, t_, transpose_, squeeze_, unsqueeze_):
        setattr(Tensor, method.__name__, method)
    setattr(Tensor, "__setitem__", setitem)  # noqa: B010
