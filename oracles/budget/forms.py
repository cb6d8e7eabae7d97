"""The form in which sound libraries write a slope, where it is not SymPy's.

The value of a slope is the same in every form; its rounding error is not. A library that keeps sigmoid's rounded
output and returns y*(1 - y) is sound, and 1 - y then carries an error that no quotient of exponentials has. These
forms decide how wide a budget is and never where the truth lies; a test proves each equal to SymPy's derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import sympy

from oracles.exact.lowering import Derived, lower

FORMS: dict[str, dict[str, str]] = {
    "exp": {"x": "y"},
    "log": {"x": "1/x"},
    "sigmoid": {"x": "y*(1 - y)"},
    "tanh": {"x": "1 - y*y"},
    "div": {"a": "1/b", "b": "-(y/b)"},
    "pow": {"a": "exponent*a**(exponent - 1)", "exponent": "y*log(a)"},
}
"""By op and input, over `y` (the rounded output) and the inputs. What is not listed has SymPy's own form."""


@cache
def form(op: str, f: Derived) -> Sequence[Callable[..., Any]]:
    """One function of (y, *inputs) for each input of the op: its slope as libraries compute it."""
    y = sympy.Symbol("y", real=True)
    listed = FORMS.get(op, {})
    slopes = [
        f.read(listed[name], "y", evaluate=bool(f.fixed)) if name in listed else slope
        for name, slope in zip(f.names, f.slopes, strict=True)
    ]
    return tuple(lower(slope, (y, *f.symbols)) for slope in slopes)
