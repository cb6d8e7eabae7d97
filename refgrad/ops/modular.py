"""What is left over: fractions and remainders."""

from typing import Any

import numpy as np

from refgrad.dtypes import Array
from refgrad.op import COMMON, Facts, Op, op
from refgrad.ops.activations import check_floating
from refgrad.ops.arithmetic import div_floor, div_trunc, widened
from refgrad.ops.piecewise import WHOLE
from refgrad.public import check_tensor, operands, public, wrong_type
from refgrad.record import apply
from refgrad.tensor import Tensor


@op(Facts("x - trunc(x)", kinks=WHOLE), x=lambda g: g)  # at a whole number: 1, as beside it
def frac(x: Array) -> Any:
    return x - np.trunc(x)


# Note [remainders]: a - b*q has the slope 1 in a and -q in b, where the whole quotient q is held; so too where q jumps.
@op(a=lambda g: g, b=lambda g, a, b: -g * div_trunc(a, b), dtypes=COMMON, node="FmodBackward1")
def fmod(a: Array, b: Array) -> Any:
    return np.fmod(a, b)


@op(x=lambda g: g, dtypes=COMMON, node="FmodBackward0")
def fmod_number(x: Array, *, other: float) -> Any:
    return np.fmod(x, other)


@op(a=lambda g: g, b=lambda g, a, b: -g * div_floor(a, b), dtypes=COMMON, node="RemainderBackward1")
def remainder(a: Array, b: Array) -> Any:
    return np.remainder(a, b)


@op(x=lambda g: g, dtypes=COMMON, node="RemainderBackward0")
def remainder_number(x: Array, *, other: float) -> Any:
    return np.remainder(x, other)


@public("frac", frac)
def _(input: Any) -> Any:
    """What follows the decimal point, with the input's sign; NotImplementedError for integers."""
    check_floating("frac", input, "frac_cpu")
    return apply(frac, (input,))


@public("fmod", fmod, judged=False)
def _(input: Any, other: Any) -> Any:
    """What division by `other`, a tensor or a number, leaves, with the input's sign; refuses integers by 0."""
    return left_over("fmod", fmod, fmod_number, input, other)


@public("remainder", remainder, judged=False)
def _(input: Any, other: Any) -> Any:
    """What division by `other`, a tensor or a number, leaves, with the divisor's sign; refuses integers by 0."""
    return left_over("remainder", remainder, remainder_number, input, other)


def left_over(name: str, by_tensor: Op, by_number: Op, input: Any, other: Any) -> Any:
    """The checks of both remainders."""
    check_tensor(name, input)
    if not isinstance(other, Tensor | bool | int | float):
        raise wrong_type(name, "other", 2, other)
    divisor = other._array if isinstance(other, Tensor) else np.asarray(other)
    if input._array.dtype.kind == divisor.dtype.kind == "b":
        raise NotImplementedError(f"\"{name}_cpu\" not implemented for 'Bool'")
    if "f" not in (input._array.dtype.kind, divisor.dtype.kind) and not divisor.all():
        raise RuntimeError("ZeroDivisionError")
    if isinstance(other, Tensor):
        operands(name, input, other)
        return apply(by_tensor, (input, other))
    return apply(by_number, (widened(input, other),), {"other": other})
