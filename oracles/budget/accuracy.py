"""How accurate one elementary operation is: the constants of the error model, each with its source.

A class c says: the computed result lies within c * u of the exact one, u the dtype's unit roundoff (half an ulp of 1).
IEEE 754 arithmetic is correctly rounded, so c = 1. For the rest the libraries' own statements decide: NumPy's SIMD
loops promise less than 4 ulp (u is half an ulp, so c = 8) for their float32 and float64 transcendentals, SLEEF's `u10`
functions, which PyTorch uses, 1.0 ulp, and glibc's lists at most 2 ulp for these functions on x86-64.
"""

from __future__ import annotations

from dataclasses import dataclass

import ml_dtypes
import numpy as np

CORRECT = 1
TRANSCENDENTAL = 8

ELEMENTARY: dict[str, int] = {
    "sqrt": CORRECT,
    "exp": TRANSCENDENTAL,
    "log": TRANSCENDENTAL,
    "sin": TRANSCENDENTAL,
    "cos": TRANSCENDENTAL,
    "sinh": TRANSCENDENTAL,
    "cosh": TRANSCENDENTAL,
    "tanh": TRANSCENDENTAL,
}
"""Functions of one scalar, under SymPy's and Arb's name, that a library evaluates as one operation."""

CLASSES: dict[str, int] = {
    **ELEMENTARY,
    "add": CORRECT,
    "sub": CORRECT,
    "mul": CORRECT,
    "div": CORRECT,
    "reciprocal": CORRECT,
    "neg": 0,
    "relu": 0,
    "sigmoid": TRANSCENDENTAL,
    "pow": TRANSCENDENTAL,
}
"""Ops whose value is one operation. Any other elementwise op is evaluated step by step from its meaning."""


@dataclass(frozen=True)
class Precision:
    """What a dtype can hold. `u` is the unit roundoff, `tiny` the smallest normal number, `big` the largest finite."""

    u: float
    tiny: float
    big: float
    bits: int


def precision(dtype: str) -> Precision:
    """The precision of a floating dtype, by name ("float32", "bfloat16" ...)."""
    info = ml_dtypes.finfo(dtype) if dtype == "bfloat16" else np.finfo(dtype)
    return Precision(float(info.eps) / 2, float(info.tiny), float(info.max), int(info.nmant) + 1)
