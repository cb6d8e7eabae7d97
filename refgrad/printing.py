"""The text of a tensor, as PyTorch prints it: one width for all numbers, lines of 80 columns, edges of the large."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from refgrad.dtypes import DEFAULT, Array, bool_, complex64, int64
from refgrad.modes import mode

if TYPE_CHECKING:
    from refgrad.tensor import Tensor

OPENING: Final = "tensor("


@dataclass(frozen=True)
class Options:
    """How tensors are printed; set by `set_printoptions`.

    precision: digits after the point.
    threshold: a tensor of more elements than this shows only its edges.
    edgeitems: how many elements an edge has, along each dimension.
    linewidth: columns of a line.
    sci_mode: whether numbers are written with an exponent; None leaves it to the numbers.
    """

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


PROFILES: Final = {
    "default": Options(),
    "short": Options(precision=2, edgeitems=2),
    "full": Options(threshold=math.inf),
}


class _Chosen:
    """The options in force, for all threads, as PyTorch's are."""

    options = Options()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Change how tensors are printed; what is not named stays, but for `sci_mode`, which is then chosen again.

    profile: "default", "short" or "full", under the other options; an unknown one changes nothing, as in PyTorch.
    The others are described at `Options`.
    """
    start = PROFILES.get(profile or "", _Chosen.options)
    named = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    given: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    _Chosen.options = replace(start, **given, sci_mode=sci_mode)


def get_printoptions() -> dict[str, Any]:
    """The options in force, as `set_printoptions` takes them."""
    return asdict(_Chosen.options)


@contextmanager
def printoptions(**options: Any) -> Iterator[None]:
    """Within it tensors are printed with these options."""
    before = _Chosen.options
    set_printoptions(**options)
    try:
        yield
    finally:
        _Chosen.options = before


def tensor_text(tensor: "Tensor") -> str:
    """What `repr` answers for `tensor`."""
    options = _Chosen.options
    array, notes = tensor._array, []
    if (array.size == 0 and array.ndim != 1) or (array.size and not options.edgeitems):
        notes.append(f"size={array.shape}")
    if tensor.dtype is not DEFAULT and (array.size == 0 or tensor.dtype not in (int64, bool_, complex64)):
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
    if mode.level is not None and (tangent := mode.level.of(tensor)) is not None:
        notes.append(f"tangent={tangent}")
    body = _body(array.astype(np.float64) if tensor.dtype.kind == "f" else array, options)
    return containing(tensor) + _with_notes(OPENING + body, notes, options.linewidth)


def tensor_format(tensor: "Tensor", spec: str) -> str:
    """What `format` answers: a tensor without dimensions is formatted as its number, another takes no `spec`.

    Raises TypeError where the tensor has dimensions, or is a parameter, and `spec` is not empty.
    """
    if tensor._array.ndim == 0 and not containing(tensor):
        return format(tensor.item(), spec)
    return object.__format__(tensor, spec)


def containing(tensor: "Tensor") -> str:
    """What is printed above a tensor of a special kind; see `refgrad.nn.parameter`."""
    return getattr(tensor._state, "containing", "")


def _with_notes(text: str, notes: list[str], columns: int) -> str:
    """`text` closed after its notes, each on a new line where the last is too full."""
    used = len(text) - text.rfind("\n") + 1
    for note in notes:
        if used + len(note) + 2 > columns:
            text += ",\n" + " " * len(OPENING) + note
            used = len(OPENING) + len(note)
        else:
            text += ", " + note
            used += len(note) + 2
    return text + ")"


def _body(array: Array, options: Options) -> str:
    """The elements in nested brackets."""
    if not array.size:
        return "[]"
    cut = array.size > options.threshold
    shown = _edges(array, options.edgeitems) if cut else array
    style = _Pair(shown, options) if array.dtype.kind == "c" else _Style(shown, options)
    return style.write(array, len(OPENING), cut)


def _edges(array: Array, edge: int) -> Array:
    """Only those elements that are shown of a large array.

    With edges of nothing a vector is measured whole, as PyTorch does, though none of it is shown.
    """
    if not edge:
        return array if array.ndim < 2 else array[:0]
    for axis, size in enumerate(array.shape):
        if size > 2 * edge:
            array = np.take(array, [*range(edge), *range(size - edge, size)], axis=axis)
    return array


class _Style:
    """How numbers are written: whole, with decimals, or with an exponent, and how wide."""

    def __init__(self, shown: Array, options: Options) -> None:
        self.options = options
        self.floating = shown.dtype.kind == "f"
        self.form, self.point, self.width = ".0f", ".", 1  # floats that are whole, until one is not
        if not self.floating:
            self.width = max((len(str(value)) for value in shown.ravel().tolist()), default=1)
            return
        values = shown[np.isfinite(shown) & (shown != 0)].tolist()
        if not values:
            return
        high, low = max(map(abs, values)), min(map(abs, values))
        spread = high / low > 1000 or high > 1e8 or low < 1e-4
        if spread if options.sci_mode is None else options.sci_mode:
            self.form, self.point = f".{options.precision}e", ""
        elif not all(value.is_integer() for value in values):
            self.form, self.point = f".{options.precision}f", ""
        self.width = max(len(self.number(value)) for value in values)

    def number(self, value: Any) -> str:
        """One number, without padding; a point marks whole floats as floats."""
        if not self.floating:
            return str(value)
        return format(value, self.form) + (self.point if math.isfinite(value) else "")

    def cell(self, value: Any) -> str:
        """One number, as wide as all are."""
        return self.number(value).rjust(self.width)

    def write(self, array: Array, indent: int, cut: bool) -> str:
        """The elements of `array` in brackets, lines after the first indented."""
        if array.ndim == 0:
            return self.cell(array.item())
        edge = self.options.edgeitems
        ends = cut and len(array) > 2 * edge
        rows = [*array[:edge], *array[len(array) - edge :]] if ends else list(array)
        if array.ndim == 1:
            items = [self.cell(value.item()) for value in rows]
            items[edge:edge] = [" ..." if edge else "..."] if ends else []
            per_line = max(1, math.floor((self.options.linewidth - indent) / (self.width + 2)))
            lines = [", ".join(items[i : i + per_line]) for i in range(0, len(items), per_line)]
            return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
        items = [self.write(row, indent + 1, cut) for row in rows]
        items[edge:edge] = ["..."] if ends else []
        return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(items) + "]"


class _Pair(_Style):
    """How complex numbers are written: the real parts in one style, and the imaginary ones in another."""

    def __init__(self, shown: Array, options: Options) -> None:
        self.options = options
        doubled = shown.astype(np.complex128)
        self.real, self.imag = _Style(doubled.real, options), _Style(doubled.imag, options)
        self.width = self.real.width + self.imag.width + 1

    def cell(self, value: complex) -> str:
        """Both parts, the first as wide as all real parts are; the sign between them stands for the second's."""
        imag = self.imag.cell(value.imag).lstrip() + "j"
        return self.real.cell(value.real) + ("" if imag[0] in "+-" else "+") + imag
