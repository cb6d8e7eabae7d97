"""Exact numbers in records: arrays as bytes in text, with decimals beside them for people.

JSON has no NaN and no infinity, and msgspec writes both as null, so no array element and no computed number ever
travels as a JSON number.
"""

from __future__ import annotations

import base64
import binascii
import math
from functools import lru_cache
from typing import Any

import ml_dtypes
import msgspec
import numpy as np

DTYPES: dict[str, np.dtype[Any]] = {
    "bool": np.dtype(bool),
    "int8": np.dtype("int8"),
    "int16": np.dtype("int16"),
    "int32": np.dtype("int32"),
    "int64": np.dtype("int64"),
    "uint8": np.dtype("uint8"),
    "float16": np.dtype("float16"),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "float32": np.dtype("float32"),
    "float64": np.dtype("float64"),
    "complex64": np.dtype("complex64"),
    "complex128": np.dtype("complex128"),
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
SHOWN = 64
KEPT = 1 << 12
"""Arrays up to this many characters are decoded once for all the judges that look at them one after the other."""


class ArrayError(ValueError):
    """An array in a record that its own dtype and shape contradict."""


class Array(msgspec.Struct, frozen=True):
    """An array, exactly: `data` is base64 of its elements, row-major and little-endian.

    `text` repeats the first elements as decimals that read back exactly; it is for people and never read.
    """

    dtype: str
    shape: tuple[int, ...]
    data: str
    text: str = ""

    @classmethod
    def of(cls, values: np.ndarray[Any, Any]) -> Array:
        """Record an array of any layout.

        Raises:
            ArrayError: its dtype is none of `DTYPES`.
        """
        array = cls.packed(values)
        shown = ", ".join(map(spell, values.reshape(-1)[:SHOWN].tolist()))
        more = ", ..." if values.size > SHOWN else ""
        return cls(array.dtype, array.shape, array.data, f"[{shown}{more}]")

    @classmethod
    def packed(cls, values: np.ndarray[Any, Any]) -> Array:
        """The same without decimals, for what no person will read.

        Raises:
            ArrayError: its dtype is none of `DTYPES`.
        """
        name = dtype_name(values.dtype)
        if name not in DTYPES:
            raise ArrayError(f"dtype {name} cannot be recorded; expected one of {', '.join(DTYPES)}")
        if values.dtype.byteorder == ">":
            values = values.astype(values.dtype.newbyteorder("<"))
        return cls(name, values.shape, binascii.b2a_base64(values.tobytes(), newline=False).decode("ascii"))

    def numpy(self) -> np.ndarray[Any, Any]:
        """A new, writable, row-major array.

        Raises:
            ArrayError: the dtype is unknown, or data and shape disagree.
        """
        return self.seen().copy()

    def seen(self) -> np.ndarray[Any, Any]:
        """The same array for reading only: everyone who looks is given the one."""
        decoded = _kept if len(self.data) <= KEPT else _decoded
        return decoded(self.dtype, self.shape, self.data)


def _decoded(name: str, shape: tuple[int, ...], data: str) -> np.ndarray[Any, Any]:
    if name not in DTYPES:
        raise ArrayError(f"dtype {name!r} is unknown; expected one of {', '.join(DTYPES)}")
    dtype = DTYPES[name]
    try:
        raw = base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise ArrayError(f"array data is not base64: {error}") from error
    if any(n < 0 for n in shape) or len(raw) != math.prod(shape) * dtype.itemsize:
        raise ArrayError(f"{len(raw)} bytes do not fill shape {shape} of {name}")
    return np.frombuffer(raw, dtype=dtype).reshape(shape)


_kept = lru_cache(maxsize=256)(_decoded)


def dtype_name(dtype: np.dtype[Any]) -> str:
    """NumPy's name of a dtype, which NumPy spells anew every time it is asked."""
    return NAMES.get(dtype) or dtype.name


def spell(value: Any) -> str:
    """The shortest decimal that reads back as this number; `nan`, `inf` and `-inf` as Python spells them."""
    return repr(value)
