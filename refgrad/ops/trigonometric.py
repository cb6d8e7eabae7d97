"""Sines, tangents and their inverses: elementwise, integers become float32."""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

from typing import Any

import numpy as np

from refgrad.dtypes import Array
from refgrad.op import Facts, op
from refgrad.ops.arithmetic import where
from refgrad.ops.exponential import rsqrt
from refgrad.public import both_tensors, public
from refgrad.record import apply

INSIDE = {"x": (-1.0, 1.0)}


@op(Facts("sin(x)"), x=lambda g, x: g * cos(x))
def sin(x: Array) -> Any:
    return np.sin(x)


@op(Facts("cos(x)"), x=lambda g, x: g * -sin(x))
def cos(x: Array) -> Any:
    return np.cos(x)


@op(Facts("tan(x)"), x=lambda g, y: g * (1.0 + y * y))
def tan(x: Array) -> Any:
    return np.tan(x)


@op(Facts("asin(x)", domain=INSIDE), x=lambda g, x: g * rsqrt(1.0 - x * x))
def asin(x: Array) -> Any:
    return np.arcsin(x)


@op(Facts("acos(x)", domain=INSIDE), x=lambda g, x: g * -rsqrt(1.0 - x * x))
def acos(x: Array) -> Any:
    return np.arccos(x)


@op(Facts("atan(x)"), x=lambda g, x: g / (x * x + 1))
def atan(x: Array) -> Any:
    return np.arctan(x)


@op(
    Facts("atan2(a, b)"),
    a=lambda g, a, b: g * (b * inverse_square_radius(a, b)),
    b=lambda g, a, b: g * (-a * inverse_square_radius(a, b)),
)
def atan2(a: Array, b: Array) -> Any:
    return np.arctan2(a, b)


def inverse_square_radius(a: Any, b: Any) -> Any:
    """1/(a*a + b*b); at the origin, where no angle has a slope, 0 by convention."""
    square = a * a + b * b
    return where(square == 0, 0.0, 1 / square)


@public("atan2", atan2)
def _(input: Any, other: Any) -> Any:
    """The angle of the point (other, input); both are tensors."""
    both_tensors("atan2", input, other)
    return apply(atan2, (input, other))
