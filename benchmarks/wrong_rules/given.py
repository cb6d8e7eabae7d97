"""What a changed formula may call besides what the right one calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from refgrad import dtypes
from refgrad.ops.reductions import sum_dim
from refgrad.ops.shaping import expand, flip, slice_, to_copy, transpose, view
from refgrad.tensor import Tensor


def mapped(change: Callable[[Any], Any], result: Any) -> Any:
    """`change` of a cotangent, or of each where a formula returns several."""
    if isinstance(result, tuple | list):
        return type(result)(None if part is None else change(part) for part in result)
    return change(result)


def detached(x: Any) -> Any:
    """The same numbers, cut off from the graph."""
    return x.detach() if isinstance(x, Tensor) else x


def mirrored(dim: Any) -> Any:
    """The axis, or the axes, counted from the other end."""
    return tuple(-1 - d for d in dim) if isinstance(dim, tuple) else -1 - dim


def narrowed(x: Any) -> Any:
    """Rounded to the next narrower dtype, and back."""
    array = x._array if isinstance(x, Tensor) else np.asarray(x)
    narrow = {"float64": (dtypes.float32, dtypes.float64), "float32": (dtypes.float16, dtypes.float32)}
    if array.dtype.name not in narrow:
        return x
    low, high = narrow[array.dtype.name]
    return to_copy(to_copy(x if isinstance(x, Tensor) else array, dtype=low), dtype=high)


def gathered(x: Any) -> Any:
    """Summed along the last axis and spread over it again, as if it had been broadcast."""
    shape = tuple(getattr(x, "shape", ()))
    return expand(sum_dim(x, dim=(len(shape) - 1,), keepdim=True), shape=shape) if shape else x


def turned(x: Any) -> Any:
    """The elements of the first axis in reverse order."""
    return flip(x, dims=(0,)) if getattr(x, "shape", ()) else x


def reordered(x: Any) -> Any:
    """The elements column by column where they should stand row by row."""
    shape = tuple(getattr(x, "shape", ()))
    return view(transpose(x, dim0=-1, dim1=-2), shape=shape) if len(shape) > 1 else x


def first_of(g: Any, shape: tuple[int, ...]) -> Any:
    """What was broadcast from `shape`, taken from the first place and not summed over all."""
    for dim in range(len(g.shape)):
        at = dim - (len(g.shape) - len(shape))
        if (at < 0 or shape[at] == 1) and g.shape[dim] > 1:
            g = slice_(g, dim=dim, start=0, end=1, step=1)
    return g


GIVEN: dict[str, Any] = {
    "_mapped": mapped,
    "_detached": detached,
    "_mirrored": mirrored,
    "_narrowed": narrowed,
    "_gathered": gathered,
    "_turned": turned,
    "_reordered": reordered,
    "_first_of": first_of,
}
