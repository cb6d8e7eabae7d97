"""The dtypes, PyTorch's promotion, and the one place that knows about float16 and bfloat16.

Half-width floats are stored as such, computed in float32 and rounded once per op, as PyTorch does on the
CPU. bfloat16 needs ml_dtypes, which is imported on first need. Complex numbers are two floats of one width; there are
none of half-width floats, which NumPy does not have.
"""

import functools
import importlib
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Number = bool | int | float | complex


class dtype:  # noqa: N801 (PyTorch's name)
    """An element type; prints as `torch.float32`, as PyTorch prints it."""

    __slots__ = ("c_name", "itemsize", "kind", "name", "word")

    def __init__(self, name: str, kind: str, itemsize: int, word: str, c_name: str) -> None:
        self.name: Final = name
        self.kind: Final = kind  # "b", "u", "i", "f" or "c", as NumPy has it
        self.itemsize: Final = itemsize
        self.word: Final = word  # PyTorch's word for it in messages: Float, Double, Long
        self.c_name: Final = c_name  # its other word for it: float, double, long int

    @property
    def is_floating_point(self) -> bool:
        """Whether elements are floating-point numbers."""
        return self.kind == "f"

    @property
    def is_complex(self) -> bool:
        """Whether elements are complex numbers."""
        return self.kind == "c"

    @property
    def is_half(self) -> bool:
        """Whether elements are computed in float32 and rounded."""
        return self.kind == "f" and self.itemsize == 2

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name


bool_ = dtype("bool", "b", 1, "Bool", "bool")
uint8 = dtype("uint8", "u", 1, "Byte", "unsigned char")
int8 = dtype("int8", "i", 1, "Char", "signed char")
int16 = dtype("int16", "i", 2, "Short", "short int")
int32 = dtype("int32", "i", 4, "Int", "int")
int64 = dtype("int64", "i", 8, "Long", "long int")
float16 = dtype("float16", "f", 2, "Half", "c10::Half")
bfloat16 = dtype("bfloat16", "f", 2, "BFloat16", "c10::BFloat16")
float32 = dtype("float32", "f", 4, "Float", "float")
float64 = dtype("float64", "f", 8, "Double", "double")
complex64 = dtype("complex64", "c", 8, "ComplexFloat", "c10::complex<float>")
complex128 = dtype("complex128", "c", 16, "ComplexDouble", "c10::complex<double>")

ALL: Final = (
    *(bool_, uint8, int8, int16, int32, int64),
    *(float16, bfloat16, float32, float64, complex64, complex128),
)
DEFAULT: Final = float32

F32: Final = np.dtype(np.float32)
F64: Final = np.dtype(np.float64)


@functools.cache
def to_numpy(kind: dtype) -> np.dtype[Any]:
    """The NumPy dtype that stores `kind`; ImportError for bfloat16 without ml_dtypes."""
    if kind is not bfloat16:
        return np.dtype(kind.name)
    try:
        stored: np.dtype[Any] = np.dtype(importlib.import_module("ml_dtypes").bfloat16)
    except ImportError:
        raise ImportError("bfloat16 needs ml_dtypes: pip install 'refgrad[bfloat16]'") from None
    return stored


_FROM_NUMPY: Final = {to_numpy(d): d for d in ALL if d is not bfloat16}


def from_numpy_dtype(stored: np.dtype[Any]) -> dtype:
    """The dtype of arrays of `stored`; TypeError where PyTorch has none."""
    found = _FROM_NUMPY.get(stored)
    if found is None:
        if stored.name != "bfloat16":
            raise TypeError(
                f"can't convert np.ndarray of type numpy.{stored.type.__name__}. The only supported types are: "
                "float64, float32, float16, complex64, complex128, int64, int32, int16, int8, uint8, and bool."
            )
        found = _FROM_NUMPY[stored] = bfloat16
    return found


def is_floating(stored: np.dtype[Any]) -> bool:
    """Whether arrays of `stored` hold floating-point numbers."""
    return stored.kind == "f" or (stored.kind == "V" and from_numpy_dtype(stored).is_floating_point)


def is_continuous(stored: np.dtype[Any]) -> bool:
    """Whether arrays of `stored` can have a gradient: those of floating-point and of complex numbers."""
    return stored.kind == "c" or is_floating(stored)


def is_half(stored: np.dtype[Any]) -> bool:
    """Whether arrays of `stored` are computed in float32 and rounded."""
    return stored.itemsize == 2 and from_numpy_dtype(stored).is_half


def compute_dtype(stored: np.dtype[Any]) -> np.dtype[Any]:
    """The NumPy dtype in which arrays of `stored` are computed: float32 for the half-width floats."""
    return F32 if is_half(stored) else stored


@functools.cache
def promote_types(a: dtype, b: dtype) -> dtype:
    """The smallest dtype that PyTorch lets both `a` and `b` become."""
    if a is b:
        return a
    if a.is_complex or b.is_complex:
        return complex128 if "float64" in _parts(a, b) else complex64
    order = {"b": 0, "u": 1, "i": 1, "f": 2}
    if order[a.kind] != order[b.kind]:
        return a if order[a.kind] > order[b.kind] else b
    if a.kind != b.kind and a.itemsize == b.itemsize:  # uint8 and int8: neither holds the other
        return int16
    if a.kind == "f" and a.itemsize == b.itemsize:  # float16 and bfloat16: neither holds the other
        return float32
    return a if a.itemsize > b.itemsize else b


def _parts(*kinds: dtype) -> list[str]:
    """The names of the dtypes, of complex ones the names of their parts'."""
    return ["float64" if kind is complex128 else kind.name for kind in kinds]


def real_part_of(kind: dtype) -> dtype:
    """The dtype of the real part of a complex number."""
    return {complex64: float32, complex128: float64}[kind]


def complex_of(kind: dtype) -> dtype:
    """The complex dtype of as many digits as a floating dtype has; NotImplementedError for float16."""
    if kind is float16:
        raise NotImplementedError(
            "complex32 is not implemented here: NumPy has no complex numbers of float16 parts. Convert the float16 "
            "tensor to float32 first."
        )
    return complex128 if kind is float64 else complex64  # of bfloat16 too, as in PyTorch


def of_number(value: Number) -> dtype:
    """The dtype that a Python number has where only its category matters."""
    if isinstance(value, bool):
        return bool_
    if isinstance(value, complex):
        return complex_of(DEFAULT)
    return int64 if isinstance(value, int) else DEFAULT


def _outranks(high: dtype | None, low: dtype | None) -> dtype | None:
    """The dtype of a higher-ranking group beside a lower one, which counts only by its category."""
    if high is None or low is None:
        return high or low
    if high.kind == "f":
        return complex_of(high) if low.is_complex else high
    if high.kind == "c":
        return high
    if high.kind == "b" or low.kind in "fc":
        return promote_types(high, low)
    return high


def result_type(arrays: Iterable[Array | Number]) -> dtype:
    """The dtype in which PyTorch computes on these operands together.

    Arrays with dimensions outrank 0-d ones, which outrank Python numbers: a lower rank changes the result
    only when its category (bool, integer, floating, complex) is higher.
    """
    ranks: list[dtype | None] = [None, None, None]
    for x in arrays:
        if isinstance(x, bool | int | float | complex):
            rank, kind = 2, of_number(x)
        else:
            rank, kind = int(x.ndim == 0), from_numpy_dtype(x.dtype)
        held = ranks[rank]
        ranks[rank] = kind if held is None else promote_types(held, kind)
    found = _outranks(ranks[0], _outranks(ranks[1], ranks[2]))
    assert found is not None, "an op has at least one operand"
    return found
