"""Exponentials, logarithms, roots and the error function: elementwise, integers become float32."""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

import math
from math import inf
from typing import Any, Final

import numpy as np
from scipy import special

from refgrad.dtypes import Array
from refgrad.op import Facts, op
from refgrad.public import both_tensors, public
from refgrad.record import apply

LN2: Final = math.log(2)
LN10: Final = math.log(10)
TWO_OVER_SQRT_PI: Final = 2 / math.sqrt(math.pi)


@op(Facts("exp(x)"), x=lambda g, y: g * y)
def exp(x: Array) -> Any:
    return np.exp(x)


@op(Facts("2**x"), x=lambda g, y: g * (y * LN2))
def exp2(x: Array) -> Any:
    return np.exp2(x)


@op(Facts("exp(x) - 1"), x=lambda g, y: g * (y + 1))
def expm1(x: Array) -> Any:
    return np.expm1(x)


@op(Facts("log(x)", domain={"x": (0, inf)}), x=lambda g, x: g / x)
def log(x: Array) -> Any:
    return np.log(x)


@op(Facts("log(x)/log(2)", domain={"x": (0, inf)}), x=lambda g, x: g / (x * LN2))
def log2(x: Array) -> Any:
    return np.log2(x)


@op(Facts("log(x)/log(10)", domain={"x": (0, inf)}), x=lambda g, x: g / (x * LN10))
def log10(x: Array) -> Any:
    return np.log10(x)


@op(Facts("log(1 + x)", domain={"x": (-1, inf)}), x=lambda g, x: g / (x + 1.0), node="Log1PBackward0")
def log1p(x: Array) -> Any:
    return np.log1p(x)


@op(Facts("sqrt(x)", domain={"x": (0, inf)}), x=lambda g, y: g / (2 * y))
def sqrt(x: Array) -> Any:
    return np.sqrt(x)


@op(
    Facts("sqrt(a**2 + b**2)"),
    a=lambda g, a, y: g * (a / y),
    b=lambda g, b, y: g * (b / y),
)
def hypot(a: Array, b: Array) -> Any:
    return np.hypot(a, b)


@public("hypot", hypot)
def _(input: Any, other: Any) -> Any:
    """The length of the vector (input, other); both are tensors."""
    both_tensors("hypot", input, other)
    return apply(hypot, (input, other))


@op(Facts("1/sqrt(x)", domain={"x": (0, inf)}), x=lambda g, y: -0.5 * g * (y * y * y))
def rsqrt(x: Array) -> Any:
    return 1 / np.sqrt(x)


@op(Facts("1/(1 + exp(-x))"), x=lambda g, y: g * ((1.0 - y) * y))
def sigmoid(x: Array) -> Any:
    return special.expit(x)


@op(Facts("erf(x)"), x=lambda g, x: TWO_OVER_SQRT_PI * exp(-(x * x)) * g)
def erf(x: Array) -> Any:
    return special.erf(x)


@op(Facts("erfc(x)"), x=lambda g, x: -TWO_OVER_SQRT_PI * exp(-(x * x)) * g)
def erfc(x: Array) -> Any:
    if x.dtype != np.float64:
        return special.erfc(x)  # evaluated in float64
    tail = x > 0.75
    return np.where(tail, erfc_tail(np.where(tail, np.minimum(x, 30), 1.0)), special.erfc(x))  # of 30: 0


def erfc_tail(x: Array) -> Any:
    """erfc for x > 0.75: special.erfc errs by 12 units just below 1, and by 500 at x = 24."""
    high = x.astype(np.float32).astype(np.float64)  # its square is exact
    return special.erfcx(x) * np.exp(-high * high) * np.exp((high - x) * (high + x))
