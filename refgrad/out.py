"""`out=`: writing a function's result over a tensor that is given; nothing is recorded, so nothing may require grad."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from refgrad.dtypes import from_numpy_dtype
from refgrad.inplace import check_cast, counts
from refgrad.modes import mode, no_grad
from refgrad.public import type_name
from refgrad.tensor import Tensor
from refgrad.versions import version_of


def write_out(name: str, function: Callable[..., Any], out: Any, *args: Any, **settings: Any) -> Tensor:
    """Write what `function` makes of its arguments over `out`, and return that.

    Raises RuntimeError where a tensor requires grad while ops record, or the dtype does not fit. An `out` of another
    shape takes the result's, with a warning if it had elements.
    """
    if not isinstance(out, Tensor):
        raise TypeError(f"{name}(): argument 'out' must be Tensor, not {type_name(out)}")
    tensors = [x for x in (*args, *settings.values(), out) if isinstance(x, Tensor)]
    if mode.enabled and any(x.requires_grad for x in tensors):
        raise RuntimeError(
            f"{name}(): functions with out=... arguments don't support automatic differentiation, but one of the "
            "arguments requires grad."
        )
    with no_grad():
        made = function(*args, **settings)
    check_cast(from_numpy_dtype(made._array.dtype), out.dtype)
    if out._array.shape != made._array.shape:
        if out._array.size:
            warnings.warn(
                f"An output with one or more elements was resized since it had shape {list(out._array.shape)}, "
                f"which does not match the required output shape {list(made._array.shape)}. This behavior is "
                "deprecated, and in a future PyTorch release outputs will not be resized unless they have zero "
                "elements. You can explicitly reuse an out tensor t by resizing it, inplace, to zero elements with "
                "t.resize_(0).",
                UserWarning,
                stacklevel=3,
            )
        out._array = np.empty(made._array.shape, out._array.dtype)
    np.copyto(out._array, made._array, casting="unsafe")
    if counts(out):
        version_of(out).write()
        out._written()
    return out
