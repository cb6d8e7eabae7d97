"""How the elements of an array lie in memory, as far as PyTorch lets one see it."""

from collections.abc import Sequence
from typing import Any, Final, Literal

import numpy as np

from refgrad.dtypes import Array

REPEATED: Final = (
    "unsupported operation: more than one element of the written-to tensor refers to a single memory location. Please "
    "clone() the tensor before performing the operation."
)


def repeats(size: Sequence[int], stride: Sequence[int]) -> bool:
    """Whether some elements stand at one place."""
    return 0 not in size and any(s == 0 and n > 1 for s, n in zip(stride, size, strict=True))


def is_dense(array: Array) -> bool:
    """Whether the elements fill one block of memory, in some order of the dimensions."""
    expected = array.itemsize
    for stride, size in sorted(zip(array.strides, array.shape, strict=True)):
        if size != 1 and stride != expected:
            return False
        expected *= size
    return True


def kept_order(x: Array) -> Literal["C", "K"]:
    """NumPy's word for the layout of a copy: as the elements lie, unless some do so at one place."""
    return "C" if 0 in x.strides and x.size > 1 else "K"


def laid_out(y: Any, x: Any, z: Any) -> Any:
    """A result as PyTorch lays it out where operands of one shape lie differently: as the first of them.

    NumPy falls back to rows then. An operand that repeats elements has no layout of its own.
    """
    if x.shape != z.shape or 0 in x.strides or 0 in z.strides:
        return y
    made = np.empty_like(x, y.dtype)
    if made.strides == y.strides:
        return y
    np.copyto(made, y)
    return made
