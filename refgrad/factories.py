"""Making tensors from Python data, from arrays, and from sizes."""

from typing import Any

import numpy as np

from refgrad.dtypes import DEFAULT, Array, bool_, dtype, float32, from_numpy_dtype, int64, of_number, to_numpy
from refgrad.public import sizes, wrong_type
from refgrad.tensor import Tensor
from refgrad.views import born


def tensor(data: Any, *, dtype: dtype | None = None, requires_grad: bool = False) -> Tensor:
    """A new tensor of `data`: a number, nested sequences of numbers, an array, or a tensor.

    Python floats become float32, ints int64; arrays keep their dtype. The data is copied.
    Raises ValueError for ragged sequences, TypeError or RuntimeError for what is no number.
    """
    return _made(_from_data(data, dtype, copy=True), requires_grad)


def as_tensor(data: Any, dtype: dtype | None = None) -> Tensor:
    """`data` as a tensor, sharing memory with an array, and the same object where nothing changes."""
    if type(data) is Tensor:
        return data if dtype is None or dtype is data.dtype else data.to(dtype)
    return born(Tensor(_from_data(data, dtype, copy=False)))


def from_numpy(array: Array) -> Tensor:
    """A tensor that shares memory with `array`; TypeError for what is no array, or of another dtype."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(array).__name__})")
    from_numpy_dtype(array.dtype)
    return born(Tensor(np.asarray(array)))


def zeros(*size: Any, dtype: dtype = DEFAULT, requires_grad: bool = False) -> Tensor:
    """Zeros of the size given, as ints or one sequence."""
    return _made(np.zeros(sizes(size), to_numpy(dtype)), requires_grad)


def ones(*size: Any, dtype: dtype = DEFAULT, requires_grad: bool = False) -> Tensor:
    """Ones of the size given, as ints or one sequence."""
    return _made(np.ones(sizes(size), to_numpy(dtype)), requires_grad)


def full(size: Any, fill_value: Any, *, dtype: dtype | None = None, requires_grad: bool = False) -> Tensor:
    """`size` copies of a number, in the number's dtype unless told."""
    if not isinstance(size, tuple | list):
        raise wrong_type("full", "size", 1, size, "tuple of ints")
    kind = dtype or of_number(fill_value)
    return _made(np.full(tuple(size), fill_value, to_numpy(kind)), requires_grad)


def zeros_like(input: Tensor, *, dtype: dtype | None = None, requires_grad: bool = False) -> Tensor:
    """Zeros of the shape and dtype of `input`."""
    return full_like(input, 0, dtype=dtype, requires_grad=requires_grad)


def ones_like(input: Tensor, *, dtype: dtype | None = None, requires_grad: bool = False) -> Tensor:
    """Ones of the shape and dtype of `input`."""
    return full_like(input, 1, dtype=dtype, requires_grad=requires_grad)


def full_like(
    input: Tensor, fill_value: Any, *, dtype: dtype | None = None, requires_grad: bool = False
) -> Tensor:
    """A number in the shape and dtype of `input`."""
    if type(input) is not Tensor:
        raise wrong_type("full_like", "input", 1, input)
    stored = to_numpy(dtype or input.dtype)
    return _made(np.full_like(input._array, fill_value, dtype=stored), requires_grad)


def arange(
    start: float,
    end: float | None = None,
    step: float = 1,
    *,
    dtype: dtype | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """From `start` (0 if alone) up to `end`, exclusive, by `step`; int64 if all three are ints."""
    start, end = (0, start) if end is None else (start, end)
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    whole = all(isinstance(n, int) for n in (start, end, step))
    kind = dtype or (int64 if whole else DEFAULT)
    return _made(np.arange(start, end, step).astype(to_numpy(kind)), requires_grad)


def linspace(
    start: float, end: float, steps: int, *, dtype: dtype | None = None, requires_grad: bool = False
) -> Tensor:
    """`steps` numbers at equal distances from `start` to `end`, both included."""
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    return _made(np.linspace(start, end, steps).astype(to_numpy(dtype or DEFAULT)), requires_grad)


def _made(array: Array, requires_grad: bool) -> Tensor:
    made = born(Tensor(array))
    if requires_grad:
        if not made.is_floating_point():
            raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
        made.requires_grad_()
    return made


def _from_data(data: Any, kind: dtype | None, *, copy: bool) -> Array:
    """The array that holds `data`."""
    if type(data) is Tensor:
        data = data._array
    if isinstance(data, np.ndarray | np.generic):
        stored = to_numpy(kind or from_numpy_dtype(data.dtype))
        return np.array(data, dtype=stored) if copy else np.asarray(data, dtype=stored)
    found = _plain(data)
    kind = kind or _inferred(found)
    return np.array(found, dtype=np.float64 if kind.kind == "f" else None).astype(to_numpy(kind))


def _plain(data: Any) -> Any:
    """Nested sequences of numbers, with tensors and NumPy scalars inside made numbers; errors as PyTorch's."""
    if isinstance(data, Tensor):
        return data.tolist()
    if isinstance(data, np.generic | np.ndarray):
        return data.tolist()
    if isinstance(data, bool | int | float):
        return data
    if isinstance(data, str):
        raise TypeError("new(): invalid data type 'str'")
    if not hasattr(data, "__len__") or not hasattr(data, "__getitem__"):
        raise RuntimeError(f"Could not infer dtype of {type(data).__name__}")
    rows = [_plain(row) for row in data]
    lengths = [len(row) if isinstance(row, list) else None for row in rows]
    for row, length in zip(rows, lengths, strict=True):
        if length != lengths[0]:
            if lengths[0] is None:
                raise TypeError(f"must be real number, not {type(row).__name__}")
            if length is None:
                raise TypeError("not a sequence")
            raise ValueError(f"expected sequence of length {lengths[0]} at dim 1 (got {length})")
    return rows


def _inferred(data: Any) -> dtype:
    """The dtype of plain nested numbers: that of the highest category among them."""
    if not isinstance(data, list):
        return of_number(data)
    kinds = [_inferred(each) for each in data]
    return next((kind for kind in (float32, int64, bool_) if kind in kinds), DEFAULT)
