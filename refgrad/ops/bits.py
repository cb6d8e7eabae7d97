"""Numbers by their parts: signs, powers of two, neighbours, steps, and what is not finite."""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

from typing import Any

import numpy as np

from refgrad.dtypes import Array, bfloat16, is_half
from refgrad.op import COMMON, FLOAT, ZERO, Facts, op
from refgrad.ops.arithmetic import where
from refgrad.ops.constants import zeros_like
from refgrad.ops.exponential import LN2, exp2
from refgrad.public import both_tensors, check_tensor, operands, public
from refgrad.record import apply
from refgrad.tensor import Tensor


@op(a=lambda g, a, y: g * sign_kept(a, y), b=lambda g, y: zeros_like(g), dtypes=FLOAT)  # y: as PyTorch
def copysign(a: Array, b: Array) -> Any:
    return np.copysign(a, b)


@op(x=lambda g, x, y: g * sign_kept(x, y), dtypes=FLOAT, node="CopysignBackward1")
def copysign_number(x: Array, *, other: float) -> Any:
    return np.copysign(x, other)


def sign_kept(x: Any, y: Any) -> Any:
    """1 where the sign stays, -1 where it turns; at the kink, 0: 0."""
    return where(x == 0, 0.0, y / x)


@op(
    a=lambda g, a, b: where(a == b, 0.0, g),  # where it is `b` that is returned: 0
    b=ZERO,
    dtypes=COMMON,
)
def nextafter(a: Array, b: Array) -> Any:
    return np.nextafter(a, b)


@op(Facts("a*2**b"), a=lambda g, b, y: g * exp2(b), b=lambda g, y: g * (y * LN2))
def ldexp(a: Array, b: Array) -> Any:  # y: as PyTorch
    return a * np.exp2(b)


def no_slope(g: Any) -> Any:
    """What PyTorch says in backward, where it has no formula."""
    raise RuntimeError("derivative for aten::heaviside is not implemented")


@op(x=no_slope, values=no_slope, dtypes=COMMON, node="NotImplemented")
def heaviside(x: Array, values: Array) -> Any:
    return np.heaviside(x, values)


@op(
    x=lambda g, x: (
        g * where(x - x == 0, x - x + 1, 0.0)
    ),  # a product, as PyTorch's: an infinite g becomes nan
    dtypes=COMMON,
)
def nan_to_num(x: Array, *, nan: float, posinf: float, neginf: float) -> Any:
    return np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)


@public("copysign", copysign, judged=False)
def _(input: Any, other: Any) -> Any:
    """Input with the sign of `other`, a tensor or a number."""
    check_tensor("copysign", input)
    operands("copysign", input, other)
    if type(other) is Tensor:
        return apply(copysign, (input, other))
    return apply(copysign_number, (input,), {"other": other})


@public("nextafter", nextafter, judged=False)
def _(input: Any, other: Any) -> Any:
    """The next number of the dtype towards `other`; NotImplementedError for integers, here for half floats too."""
    both_tensors("nextafter", input, other)
    if not input.is_floating_point() or is_half(input._array.dtype):
        raise NotImplementedError(f"\"nextafter_cpu\" not implemented for '{input.dtype.word}'")
    return apply(nextafter, (input, other))


@public("ldexp", ldexp)
def _(input: Any, other: Any) -> Any:
    """Input times 2**other."""
    both_tensors("ldexp", input, other)
    return apply(ldexp, (input, other))


@public("heaviside", heaviside, judged=False)
def _(input: Any, values: Any) -> Any:
    """0 below 0, 1 above, and `values` at 0; what depends on it has no gradient."""
    check_tensor("heaviside", input)
    check_tensor("heaviside", values, "values", 2)
    if input.dtype is not values.dtype:
        raise RuntimeError("heaviside is not yet implemented for tensors with different dtypes.")
    operands("heaviside", input, values)
    return apply(heaviside, (input, values))


def largest(x: Tensor) -> float:
    """The largest finite number of a tensor's dtype; of integers, which need none, 0."""
    if not x.is_floating_point():
        return 0.0
    return 2.0**128 - 2.0**120 if x.dtype is bfloat16 else float(np.finfo(x._array.dtype).max)


@public("nan_to_num", nan_to_num, judged=False)
def _(input: Any, nan: float | None = None, posinf: float | None = None, neginf: float | None = None) -> Any:
    """Input with other numbers for nan, infinity and minus infinity: unless told 0 and the dtype's farthest numbers."""
    check_tensor("nan_to_num", input)
    most = largest(input)
    settings = {
        "nan": 0.0 if nan is None else nan,
        "posinf": most if posinf is None else posinf,
        "neginf": -most if neginf is None else neginf,
    }
    return apply(nan_to_num, (input,), settings)
