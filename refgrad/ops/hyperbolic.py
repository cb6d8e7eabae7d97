"""Hyperbolic functions and their inverses: elementwise, integers become float32."""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

from math import inf
from typing import Any, Final

import numpy as np

from refgrad.dtypes import F64, Array
from refgrad.op import COMMON, Facts, op
from refgrad.ops.exponential import rsqrt

ONE: Final = np.array(1.0)


@op(Facts("sinh(x)"), x=lambda g, x: g * cosh(x))
def sinh(x: Array) -> Any:
    return np.sinh(x)


@op(Facts("cosh(x)"), x=lambda g, x: g * sinh(x))
def cosh(x: Array) -> Any:
    return np.cosh(x)


@op(Facts("tanh(x)"), x=lambda g, y: tanh_backward(g, y))
def tanh(x: Array) -> Any:
    return np.tanh(x)


@op(
    grad=lambda g, result: tanh_backward(g, result),
    result=lambda g, grad, result: g * (-2.0 * result * grad),
    dtypes=COMMON,
    node="TanhBackwardBackward0",
)
def tanh_backward(grad: Array, result: Array) -> Any:
    """The gradient of tanh: an op of its own, as in PyTorch."""
    one: Any = ONE if result.dtype is F64 else 1.0  # NumPy takes long over a Python number
    return grad * (one - result * result)


@op(Facts("asinh(x)"), x=lambda g, x: g * rsqrt(x * x + 1))
def asinh(x: Array) -> Any:
    return np.arcsinh(x)


@op(Facts("acosh(x)", domain={"x": (1, inf)}), x=lambda g, x: g * rsqrt(x * x - 1))
def acosh(x: Array) -> Any:
    return np.arccosh(x)


@op(Facts("atanh(x)", domain={"x": (-1, 1)}), x=lambda g, x: g / (1.0 - x * x))
def atanh(x: Array) -> Any:
    return np.arctanh(x)
