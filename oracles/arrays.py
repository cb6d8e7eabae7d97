"""Exact numbers in records: arrays as bytes in text, with decimals beside them for people.

JSON has no NaN and no infinity, and msgspec writes both as null, so no array element and no computed number ever
travels as a JSON number.
"""

from __future__ import annotations

import base64
import binascii
import math
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
SHOWN = 64


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
        name = values.dtype.name
        if name not in DTYPES:
            raise ArrayError(f"dtype {name} cannot be recorded; expected one of {', '.join(DTYPES)}")
        flat = np.ascontiguousarray(values).reshape(values.shape)
        little = (
            flat.astype(flat.dtype.newbyteorder("<"), copy=False) if flat.dtype.byteorder == ">" else flat
        )
        shown = ", ".join(spell(v) for v in flat.reshape(-1)[:SHOWN].tolist())
        more = ", ..." if flat.size > SHOWN else ""
        data = base64.b64encode(little.tobytes()).decode("ascii")
        return cls(name, tuple(flat.shape), data, f"[{shown}{more}]")

    def numpy(self) -> np.ndarray[Any, Any]:
        """A new, writable, row-major array.

        Raises:
            ArrayError: the dtype is unknown, or data and shape disagree.
        """
        if self.dtype not in DTYPES:
            raise ArrayError(f"dtype {self.dtype!r} is unknown; expected one of {', '.join(DTYPES)}")
        dtype = DTYPES[self.dtype]
        try:
            raw = base64.b64decode(self.data, validate=True)
        except binascii.Error as error:
            raise ArrayError(f"array data is not base64: {error}") from error
        if any(n < 0 for n in self.shape) or len(raw) != math.prod(self.shape) * dtype.itemsize:
            raise ArrayError(f"{len(raw)} bytes do not fill shape {self.shape} of {self.dtype}")
        return np.frombuffer(raw, dtype=dtype).reshape(self.shape).copy()


def spell(value: Any) -> str:
    """The shortest decimal that reads back as this number; `nan`, `inf` and `-inf` as Python spells them."""
    return repr(value)
