"""The form in which sound libraries write a slope, where it is not SymPy's.

The value of a slope is the same in every form; its rounding error is not. A library that keeps sigmoid's rounded
output and returns y*(1 - y) is sound, and 1 - y then carries an error that no quotient of exponentials has. These
forms decide how wide a budget is and never where the truth lies; a test proves each equal to SymPy's derivative.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from oracles.exact.lowering import Derived, Lowered

FORMS: dict[str, tuple[dict[str, str], ...]] = {
    "abs": ({"x": "sign(x)"}, {"x": "x/Abs(x)"}),
    "acos": ({"x": "-1/sqrt(1 - x*x)"},),
    "acosh": ({"x": "1/sqrt(x*x - 1)"},),
    "asin": ({"x": "1/sqrt(1 - x*x)"},),
    "asinh": ({"x": "1/sqrt(x*x + 1)"},),
    "atan": ({"x": "1/(x*x + 1)"},),
    "atan2": ({"a": "b*reciprocal(a*a + b*b)", "b": "-a*reciprocal(a*a + b*b)"},),
    "atanh": ({"x": "1/(1 - x*x)"},),
    "div": ({"a": "1/b", "b": "-(y/b)"}, {"a": "1/b", "b": "-(a/b**2)"}),
    "erf": ({"x": "2/sqrt(pi)*exp(-(x*x))"},),
    "erfc": ({"x": "-2/sqrt(pi)*exp(-(x*x))"},),
    "exp": ({"x": "y"},),
    "exp2": ({"x": "y*log(2)"},),
    "expm1": ({"x": "y + 1"},),
    "ldexp": ({"a": "2**b", "b": "y*log(2)"},),
    "log": ({"x": "1/x"},),
    "log10": ({"x": "1/(x*log(10))"},),
    "log1p": ({"x": "1/(x + 1)"},),
    "log2": ({"x": "1/(x*log(2))"},),
    "pow": ({"a": "exponent*a**(exponent - 1)", "exponent": "y*log(a)"},),
    "reciprocal": ({"x": "-(y*y)"},),
    "rsqrt": ({"x": "-(y*y*y)/2"},),
    "sigmoid": ({"x": "y*(1 - y)"},),
    "sqrt": ({"x": "1/(2*y)"}, {"x": "x**(-1/2)/2"}),
    "tan": ({"x": "1 + y*y"}, {"x": "1/cos(x)**2"}),
    "tanh": ({"x": "1 - y*y"}, {"x": "1/cosh(x)**2"}),
}
"""By op, the forms that sound libraries use; by input, over `y` (the rounded output) and the inputs.

An input that a form does not list has SymPy's own form. PyTorch and JAX reuse the outputs of tan, tanh, sqrt,
div and ldexp; HIPS autograd divides by cos(x)**2, cosh(x)**2, b**2 and Abs(x), and takes x**-0.5.
"""


VARIED_BLOCKS = {"cumprod": 2, "prod": 2}
"""Ops in `oracles.budget.blocks` that pull back in more than one way."""


def variants(ops: Iterable[str]) -> int:
    """In how many ways a program of these ops must be run to meet every form once."""
    return max((VARIED_BLOCKS.get(op, len(FORMS.get(op, ((),)))) for op in ops), default=1)


@cache
def form(op: str, f: Derived, variant: int) -> Sequence[Lowered]:
    """One function of (y, *inputs) for each input of the op: its slope as libraries compute it.

    `variant` chooses among the op's forms; one with fewer has its last.
    """
    forms = FORMS.get(op, ({},))
    return f.forms(forms[min(variant, len(forms) - 1)])
