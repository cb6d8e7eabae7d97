"""How accurate one elementary operation is: the constants of the error model, each with its source.

A class c says: the computed result lies within c * u of the exact one, u the dtype's unit roundoff (half an ulp of 1).
IEEE 754 arithmetic is correctly rounded, so c = 1. For the rest the libraries' own statements decide: NumPy's SIMD
loops promise less than 4 ulp (u is half an ulp, so c = 8) for their float32 and float64 transcendentals, SLEEF's `u10`
functions, which PyTorch uses, 1.0 ulp (its `u35` 3.5 ulp), and glibc's list of known maximum errors at most 4 ulp for
these functions on x86-64.

The classes are the same at every dtype. Most libraries compute half types in float32 and round once, which errs by
little more than u; but NumPy's float16 loops on AVX512-FP16 err by up to 3.06 ulp (numpy/numpy#23351), and GPUs have
half-width functions of their own. Sums are no class: `oracles.budget.rounded` counts their additions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import ml_dtypes
import numpy as np

CORRECT = 1
TRANSCENDENTAL = 8

ELEMENTARY: dict[str, int] = {
    "sqrt": 2,  # IEEE 754 says 1, but MKL's VML, in PyTorch, promises 1 ulp: measured, 1.48 u at float32
    **dict.fromkeys(("exp", "log", "log1p"), TRANSCENDENTAL),
    **dict.fromkeys(("sin", "cos", "tan", "asin", "acos", "atan"), TRANSCENDENTAL),
    **dict.fromkeys(("sinh", "cosh", "tanh", "asinh", "acosh", "atanh"), TRANSCENDENTAL),
    "reciprocal": CORRECT,
    "sigmoid": TRANSCENDENTAL,
    "erf": TRANSCENDENTAL,  # Cephes, in SciPy: 3.7e-16, 3.3 u; SLEEF and glibc 1 ulp
    "erfc": 10,  # glibc 5 ulp; SLEEF 1.5. Cephes admits 5.7e-14 where x*x is large: a fault, not a class
}
"""Functions of one scalar, under the name that meanings and Arb have, that a library evaluates as one operation."""

CLASSES: dict[str, int] = {
    **ELEMENTARY,
    "abs": 0,
    "add": CORRECT,
    "atan2": TRANSCENDENTAL,
    "ceil": 0,
    "clamp": 0,
    "div": CORRECT,
    "exp2": TRANSCENDENTAL,
    "expm1": TRANSCENDENTAL,
    "floor": 0,
    "frac": 0,  # the whole part of a number is as fine as the number: their difference is exact
    "log10": TRANSCENDENTAL,
    "log2": TRANSCENDENTAL,
    "mul": CORRECT,
    "neg": 0,
    "nn.functional.hardswish": 3,  # a sum, a product and a quotient, from 3 on too: x*6/6
    "pow": TRANSCENDENTAL,
    "relu": 0,
    "round": 0,
    "rsqrt": 2,  # a root and a quotient, each correctly rounded
    "sign": 0,
    "square": CORRECT,
    "sub": CORRECT,
    "trunc": 0,
}
"""Ops whose value is one operation. Any other elementwise op is evaluated step by step from its meaning."""


@dataclass(frozen=True)
class Precision:
    """What a dtype can hold. `u` is the unit roundoff, `tiny` the smallest normal number, `big` the largest finite."""

    u: float
    tiny: float
    big: float
    bits: int


@cache
def precision(dtype: str) -> Precision:
    """The precision of a floating dtype, by name ("float32", "bfloat16" ...)."""
    info = ml_dtypes.finfo(dtype) if dtype == "bfloat16" else np.finfo(dtype)
    return Precision(float(info.eps) / 2, float(info.tiny), float(info.max), int(info.nmant) + 1)
