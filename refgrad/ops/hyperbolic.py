"""Hyperbolic functions and their inverses: elementwise, integers become float32."""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

from math import inf
from typing import Any

import numpy as np

from refgrad.dtypes import Array
from refgrad.op import Facts, op
from refgrad.ops.exponential import rsqrt


@op(Facts("sinh(x)"), x=lambda g, x: g * cosh(x))
def sinh(x: Array) -> Any:
    return np.sinh(x)


@op(Facts("cosh(x)"), x=lambda g, x: g * sinh(x))
def cosh(x: Array) -> Any:
    return np.cosh(x)


@op(Facts("tanh(x)"), x=lambda g, y: g * (1.0 - y * y))
def tanh(x: Array) -> Any:
    return np.tanh(x)


@op(Facts("asinh(x)"), x=lambda g, x: g * rsqrt(x * x + 1))
def asinh(x: Array) -> Any:
    return np.arcsinh(x)


@op(Facts("acosh(x)", domain={"x": (1, inf)}), x=lambda g, x: g * rsqrt(x * x - 1))
def acosh(x: Array) -> Any:
    return np.arccosh(x)


@op(Facts("atanh(x)", domain={"x": (-1, 1)}), x=lambda g, x: g / (1.0 - x * x))
def atanh(x: Array) -> Any:
    return np.arctanh(x)
