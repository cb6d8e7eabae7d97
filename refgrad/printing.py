"""The text of a tensor, as PyTorch prints it: four digits, one width for all, 80 columns, edges of the large."""

import itertools
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from refgrad.dtypes import DEFAULT, Array, bool_, int64

if TYPE_CHECKING:
    from refgrad.tensor import Tensor

DIGITS: Final = 4
COLUMNS: Final = 80
EDGE: Final = 3  # how many elements are shown at each end of a dimension that is cut short
LARGE: Final = 1000  # more elements than this are cut short
OPENING: Final = "tensor("


def tensor_text(tensor: "Tensor") -> str:
    """What `repr` answers for `tensor`."""
    array = tensor._array
    notes = []
    if array.size == 0:
        body = "[]"
        if array.ndim != 1:
            notes.append(f"size={array.shape}")
        if tensor.dtype is not DEFAULT:
            notes.append(f"dtype={tensor.dtype}")
    else:
        body = _body(array.astype(np.float64) if tensor.dtype.kind == "f" else array)
        if tensor.dtype not in (DEFAULT, int64, bool_):
            notes.append(f"dtype={tensor.dtype}")
    try:
        node = tensor.grad_fn
        name = "" if node is None else type(node).__name__
    except RuntimeError:  # a view that a write has made invalid
        name = "Invalid"
    if name:
        notes.append(f"grad_fn=<{name}>")
    elif tensor.requires_grad:
        notes.append("requires_grad=True")
    return _with_notes(OPENING + body, notes)


def _with_notes(text: str, notes: list[str]) -> str:
    """`text` closed after its notes, each on a new line where the last is too full."""
    used = len(text) - text.rfind("\n") + 1
    for note in notes:
        if used + len(note) + 2 > COLUMNS:
            text += ",\n" + " " * len(OPENING) + note
            used = len(OPENING) + len(note)
        else:
            text += ", " + note
            used += len(note) + 2
    return text + ")"


def _body(array: Array) -> str:
    """The elements in nested brackets."""
    cut = array.size > LARGE
    style = _Style(_edges(array) if cut else array)
    return style.write(array, len(OPENING), cut)


def _edges(array: Array) -> Array:
    """Only those elements that are shown of a large array."""
    for axis, size in enumerate(array.shape):
        if size > 2 * EDGE:
            array = np.take(array, [*range(EDGE), *range(size - EDGE, size)], axis=axis)
    return array


class _Style:
    """How numbers are written: whole, with decimals, or with an exponent, and how wide."""

    def __init__(self, shown: Array) -> None:
        self.floating = shown.dtype.kind == "f"
        self.form, self.width = "", 1
        if not self.floating:
            self.width = max(len(str(value)) for value in shown.ravel().tolist())
            return
        values = shown[np.isfinite(shown) & (shown != 0)].tolist()
        whole = all(value.is_integer() for value in values)
        self.form = ".0f" if whole else f".{DIGITS}f"
        if not values:
            return
        high, low = max(map(abs, values)), min(map(abs, values))
        if high / low > 1000 or high > 1e8 or (not whole and low < 1e-4):
            self.form = f".{DIGITS}e"
        self.width = max(len(self.number(value)) for value in values)

    def number(self, value: Any) -> str:
        """One number, without padding; a point marks whole floats as floats."""
        if not self.floating:
            return str(value)
        point = "." if self.form == ".0f" and math.isfinite(value) else ""
        return format(value, self.form) + point

    def write(self, array: Array, indent: int, cut: bool) -> str:
        """The elements of `array` in brackets, lines after the first indented."""
        if array.ndim == 0:
            return self.number(array.item()).rjust(self.width)
        ends = cut and len(array) > 2 * EDGE
        rows = [*array[:EDGE], *array[-EDGE:]] if ends else list(array)
        if array.ndim == 1:
            items = [self.number(value.item()).rjust(self.width) for value in rows]
            items[EDGE:EDGE] = [" ..."] if ends else []
            per_line = max(1, (COLUMNS - indent) // (self.width + 2))
            lines = [", ".join(line) for line in _chunks(items, per_line)]
            return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
        items = [self.write(row, indent + 1, cut) for row in rows]
        items[EDGE:EDGE] = ["..."] if ends else []
        return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(items) + "]"


def _chunks(items: list[str], size: int) -> list[tuple[str, ...]]:
    """`items` in groups of `size`, the last perhaps smaller."""
    rest = iter(items)
    return list(iter(lambda: tuple(itertools.islice(rest, size)), ()))
