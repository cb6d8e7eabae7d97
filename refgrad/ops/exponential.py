"""Exponentials, logarithms and their kin: elementwise, integers become float32."""

from math import inf
from typing import Any

import numpy as np
from scipy import special

from refgrad.dtypes import Array
from refgrad.op import Facts, op


@op(Facts("exp(x)"), x=lambda g, y: g * y)
def exp(x: Array) -> Any:
    return np.exp(x)


@op(Facts("log(x)", domain={"x": (0, inf)}), x=lambda g, x: g / x)
def log(x: Array) -> Any:
    return np.log(x)


@op(Facts("1/(1 + exp(-x))"), x=lambda g, y: g * ((1 - y) * y))
def sigmoid(x: Array) -> Any:
    return special.expit(x)


@op(Facts("tanh(x)"), x=lambda g, y: g * (1 - y * y))
def tanh(x: Array) -> Any:
    return np.tanh(x)
