"""Making tensors from Python data, from arrays, and from sizes."""

from typing import Any

import numpy as np

from refgrad.devices import check_device
from refgrad.dtypes import (
    DEFAULT,
    F32,
    F64,
    Array,
    Number,
    bool_,
    complex64,
    dtype,
    float32,
    from_numpy_dtype,
    int64,
    is_continuous,
    of_number,
    to_numpy,
)
from refgrad.dtypes import dtype as KIND  # noqa: N812 - `dtype` is also a parameter
from refgrad.layout import kept_order
from refgrad.public import wrong_type
from refgrad.tensor import Tensor
from refgrad.views import born


def tensor(
    data: Any, *, dtype: dtype | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A new tensor of `data`: a number, nested sequences of numbers, an array, or a tensor.

    Python floats become float32, ints int64; arrays keep their dtype. The data is copied.
    Raises ValueError for ragged sequences, TypeError or RuntimeError for what is no number.
    """
    new_dtype("tensor", dtype, device)
    return made(_from_data(data, dtype, copy=True), requires_grad)


def as_tensor(data: Any, dtype: dtype | None = None, device: Any = None) -> Tensor:
    """`data` as a tensor, sharing memory with an array, and the same object where nothing changes."""
    new_dtype("as_tensor", dtype, device)
    if type(data) is Tensor:
        return data if dtype is None or dtype is data.dtype else data.to(dtype)
    return born(Tensor(_from_data(data, dtype, copy=False)))


def from_numpy(array: Array) -> Tensor:
    """A tensor that shares memory with `array`; TypeError for what is no array, or of another dtype."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(array).__name__})")
    from_numpy_dtype(array.dtype)
    return born(Tensor(np.asarray(array)))


def zeros(
    *sides: Any,
    size: Any = None,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Zeros of the size given, as ints or one sequence."""
    shape = new_size("zeros", sides, size)
    return made(np.zeros(shape, new_dtype("zeros", dtype, device)), requires_grad)


def ones(
    *sides: Any,
    size: Any = None,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Ones of the size given, as ints or one sequence."""
    shape = new_size("ones", sides, size)
    return made(np.ones(shape, new_dtype("ones", dtype, device)), requires_grad)


def empty(
    *sides: Any,
    size: Any = None,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Room for numbers of the size given, which holds zeros: a program that reads them depends on nothing else."""
    shape = new_size("empty", sides, size)
    return made(np.zeros(shape, new_dtype("empty", dtype, device)), requires_grad)


def eye(
    n: int,
    m: int | None = None,
    *,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """A matrix with ones on its diagonal; TypeError or RuntimeError for a size that is none."""
    for position, (name, size) in enumerate((("n", n), ("m", m)), 1):
        if size is not None and not isinstance(size, int):
            raise wrong_type("eye", name, position, size, "int")
        if size is not None and size < 0:
            raise RuntimeError(f"{name} must be greater or equal to 0, got {size}")
    return made(np.eye(n, m, dtype=new_dtype("eye", dtype, device)), requires_grad)


def full(
    size: Any,
    fill_value: Any,
    *,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """`size` copies of a number, in the number's dtype unless told."""
    if not isinstance(size, tuple | list):
        raise wrong_type("full", "size", 1, size, "tuple of ints")
    if isinstance(fill_value, Tensor):
        fill_value = fill_value.item()
    if isinstance(fill_value, np.generic):
        fill_value = fill_value.item()
    if not isinstance(fill_value, Number):
        raise wrong_type("full", "fill_value", 2, fill_value, "Number")
    stored = new_dtype("full", dtype or of_number(fill_value), device)
    refuse_lost(fill_value, stored)
    return made(np.full(new_size("full", (size,)), fill_value, stored), requires_grad)


def empty_like(input: Tensor, *, dtype: dtype | None = None, requires_grad: bool = False) -> Tensor:
    """Room for numbers of the shape and dtype of `input`, which holds zeros."""
    return full_like(input, 0, dtype=dtype, requires_grad=requires_grad)


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
    stored = new_dtype("full_like", dtype or input.dtype)
    refuse_lost(fill_value, stored)
    array = input._array
    return made(np.full_like(array, fill_value, dtype=stored, order=kept_order(array)), requires_grad)


def refuse_lost(value: Any, stored: np.dtype[Any]) -> None:
    """RuntimeError where a complex number has no place in a real tensor."""
    if isinstance(value, complex) and value.imag and stored.kind != "c":
        name = from_numpy_dtype(stored).c_name
        raise RuntimeError(f"value cannot be converted to type {name} without overflow")


def new_size(function: str, given: tuple[Any, ...], named: Any = None) -> tuple[int, ...]:
    """The size that a factory was given: ints one by one, one sequence, or by name; errors as PyTorch's."""
    if named is not None:
        given = (tuple(named),)
    if not given:
        raise TypeError(f'{function}() missing 1 required positional arguments: "size"')
    one = len(given) == 1 and isinstance(given[0], tuple | list)
    shape: tuple[Any, ...] = tuple(
        n.item() if isinstance(n, Tensor) else n for n in (given[0] if one else given)
    )
    for place, n in enumerate(shape):
        if isinstance(n, int | np.integer) and not isinstance(n, bool):
            continue
        if place:
            raise TypeError(
                f"{function}(): argument 'size' failed to unpack the object at pos {place + 1} with error \"type must "
                f'be tuple of ints,but got {type(n).__name__}"'
            )
        said = "tuple of ints, but found element of type {} at pos 0" if one else "tuple of ints, not {}"
        raise TypeError(f"{function}(): argument 'size' (position 1) must be {said.format(type(n).__name__)}")
    for n in shape:
        if n < 0:
            if function == "zeros":
                raise RuntimeError("zeros: Dimension size must be non-negative.")
            raise RuntimeError(f"Trying to create tensor with negative dimension {n}: {list(shape)}")
    return shape


def new_dtype(function: str, kind: Any, device: Any = None) -> Any:
    """The NumPy dtype of a new tensor, float32 unless told, on a device that there is."""
    if not isinstance(kind, KIND | None):
        raise TypeError(f"{function}(): argument 'dtype' must be torch.dtype, not {type(kind).__name__}")
    check_device(device)
    return to_numpy(kind or DEFAULT)


def arange(
    start: float,
    end: float | None = None,
    step: float = 1,
    *,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """From `start` (0 if alone) up to `end`, exclusive, by `step`; int64 if all three are ints."""
    stored = new_dtype("arange", dtype, device)
    if stored.kind == "c":
        raise NotImplementedError(f"\"arange_cpu\" not implemented for '{from_numpy_dtype(stored).word}'")
    if end is None and not isinstance(start, bool | int | float):
        raise wrong_type("arange", "end", 1, start, "Number")
    start, end = (0, start) if end is None else (start, end)
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    whole = all(isinstance(n, int) for n in (start, end, step))
    stored = to_numpy(int64) if whole and dtype is None else stored
    return made(np.arange(start, end, step).astype(stored), requires_grad)


def linspace(
    start: float,
    end: float,
    steps: int,
    *,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """`steps` numbers at equal distances from `start` to `end`, both included."""
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    stored = new_dtype("linspace", dtype, device)
    if stored.kind == "c":
        raise NotImplementedError("linspace of complex numbers is not implemented here")
    computed = stored.type if stored in (F32, F64) else np.float64
    return made(_evenly(computed(start), computed(end), steps).astype(stored), requires_grad)


def _evenly(start: Any, end: Any, steps: int) -> Array:
    """`steps` numbers at equal distances, each counted from the nearer end, as PyTorch does, with one rounding."""
    if steps < 2:
        return np.full(steps, start)
    step = (end - start) / start.dtype.type(steps - 1)
    places = np.arange(steps, dtype=np.float64)
    first, last, by = np.float64(start), np.float64(end), np.float64(step)
    rising: Array = fused(by, places, first)
    return np.where(places < steps // 2, rising, fused(-by, places[::-1], last)).astype(start.dtype)


def fused(a: Any, b: Any, c: Any) -> Any:
    """a*b + c in float64, hardly ever rounded twice: the product's error by Dekker's rule, the sum's by Knuth's."""
    (a1, a2), (b1, b2) = _halves(a), _halves(b)
    product = a * b
    lost = ((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b2
    total = product + c
    back = total - product
    return total + (lost + ((product - (total - back)) + (c - back)))


def _halves(x: Any) -> tuple[Any, Any]:
    """A float64 as two of half its digits."""
    shifted = x * (2.0**27 + 1)
    high = shifted - (shifted - x)
    return high, x - high


def made(array: Array, requires_grad: bool = False) -> Tensor:
    """A new leaf; RuntimeError where integers are to require gradients."""
    leaf = born(Tensor(array))
    if requires_grad:
        if not is_continuous(leaf._array.dtype):
            raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
        leaf.requires_grad_()
    return leaf


def _from_data(data: Any, kind: dtype | None, *, copy: bool) -> Array:
    """The array that holds `data`."""
    if type(data) is Tensor:
        data = data._array
    if isinstance(data, np.ndarray | np.generic):
        stored = to_numpy(kind or from_numpy_dtype(data.dtype))
        if data.dtype.kind == "c" and stored.kind != "c":
            raise NotImplementedError(
                f"a complex array is not converted to {kind} here, which would drop its imaginary part: use .real"
            )
        return np.array(data, dtype=stored) if copy else np.asarray(data, dtype=stored)
    found = _plain(data)
    own = _inferred(found)
    kind = kind or own
    if own.is_complex and not kind.is_complex:
        if kind.is_floating_point:
            raise TypeError("must be real number, not complex")
        raise TypeError("'complex' object cannot be interpreted as an integer")
    wide = {"f": np.float64, "c": np.complex128}.get(kind.kind)
    return np.array(found, dtype=wide).astype(to_numpy(kind))


def _plain(data: Any) -> Any:
    """Nested sequences of numbers, with tensors and NumPy scalars inside made numbers; errors as PyTorch's."""
    if isinstance(data, Tensor):
        return data.tolist()
    if isinstance(data, np.generic | np.ndarray):
        return data.tolist()
    if isinstance(data, Number):
        return data
    if isinstance(data, str):
        raise TypeError("new(): invalid data type 'str'")
    if not hasattr(data, "__len__") or not hasattr(data, "__getitem__") or isinstance(data, dict):
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
    return next((kind for kind in (complex64, float32, int64, bool_) if kind in kinds), DEFAULT)
