"""From SymPy's expressions to functions on numbers that answer for themselves: balls, or rounded scalars.

Every function that SymPy may put into a derivative is named in `FUNCTIONS`; one that is missing there is an error when
an op is derived, never a wrong number. The lowered function asks its argument: `exp(x)` is `x.exp()`, so the same
expression runs on an Arb ball and on the budget's rounded scalars.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import sympy
from flint import arb
from sympy.printing.pycode import PythonCodePrinter

HALF = arb(0.5, 0.5)
"""The ball [0, 1]: every slope between the two sides of a step."""


class LoweringError(ValueError):
    """A meaning, or a derivative SymPy made of it, with a function that has no lowering."""


def heaviside(x: Any, at_zero: Any = None) -> Any:
    """The unit step: 0, 1, or the ball [0, 1] where the argument's ball touches 0."""
    if isinstance(x, arb):
        return arb(1) if x > 0 else arb(0) if x < 0 else HALF
    return x.heaviside()


def sign(x: Any) -> Any:
    """-1, 1, or the ball [-1, 1] where the argument's ball touches 0."""
    return 2 * heaviside(x) - 1


def dirac(x: Any, order: Any = 0) -> Any:
    """Zero: each branch that meets at a kink is smooth, and its curvature there is its own."""
    return 0 * x


def larger(x: Any, y: Any) -> Any:
    """The larger of two numbers, one of which may be a plain constant."""
    if isinstance(x, arb) or isinstance(y, arb):
        return arb.max(arb(x), arb(y))
    return x.larger(y) if hasattr(x, "larger") else y.larger(x)


def _asks(method: str) -> Callable[[Any], Any]:
    """The function that its argument has as a method; a plain number becomes a ball first."""
    return lambda x: getattr(arb(x) if isinstance(x, int | float) else x, method)()


ASKED = ("exp", "log", "sqrt", "sin", "cos", "sinh", "cosh", "tanh")
"""Functions that both kinds of number have as methods of these names, which are SymPy's and Arb's."""

FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: _asks(name) for name in ASKED},
    "Abs": abs,
    "Max": larger,
    "Heaviside": heaviside,
    "DiracDelta": dirac,
    "sign": sign,
    "ratio": lambda p, q: arb(p) / q,
}
STEPS = {"Heaviside", "sign", "Max", "Abs", "DiracDelta"}
"""The functions whose slope, or whose slope's slope, jumps."""


class _Printer(PythonCodePrinter):  # type: ignore[misc]
    """Python source in which every fraction stays exact and every function is one of `FUNCTIONS`."""

    def _print_Rational(self, expr: sympy.Rational) -> str:  # noqa: N802 - SymPy dispatches on it
        return f"ratio({expr.p}, {expr.q})"

    _print_Half = _print_Rational

    def _print_Function(self, expr: sympy.Function) -> str:  # noqa: N802 - SymPy dispatches on it
        name = type(expr).__name__
        if name not in FUNCTIONS:
            raise LoweringError(f"{name}(...) has no lowering; add it to oracles/exact/lowering.py")
        return f"{name}({', '.join(self._print(a) for a in expr.args)})"

    _print_Max = _print_sign = _print_Abs = _print_Heaviside = _print_Function

    def _print_Pow(self, expr: sympy.Pow, rational: bool = False, sqrt: str = "") -> str:  # noqa: N802 - SymPy dispatches on it
        if expr.exp is sympy.S.Half:
            return f"sqrt({self._print(expr.base)})"
        return f"({self._print(expr.base)})**({self._print(expr.exp)})"


def lower(expression: sympy.Expr, symbols: tuple[sympy.Symbol, ...]) -> Callable[..., Any]:
    """A function of the symbols' values, in order.

    Raises:
        LoweringError: the expression has a function that `FUNCTIONS` does not.
    """
    printer = _Printer({"fully_qualified_modules": False, "user_functions": {}})
    lowered: Callable[..., Any] = sympy.lambdify(symbols, expression, modules=[FUNCTIONS], printer=printer)
    return lowered


class Derived:
    """A scalar function with its derivatives to second order, all lowered. SymPy derives each once per process.

    Attributes:
        value: the function of its free names. partials[i]: its derivative by name i. seconds[i][j]: by names i and j.
        stepped: whether a slope jumps anywhere, so that kinks must be decided.
    """

    def __init__(self, meaning: str, names: tuple[str, ...], fixed: tuple[tuple[str, float], ...]) -> None:
        self.names = names
        self.symbols = tuple(sympy.Symbol(n, real=True) for n in names)
        self.fixed = fixed
        expression = self.read(meaning)
        self.slopes = [sympy.diff(expression, s) for s in self.symbols]
        self.value = lower(expression, self.symbols)
        self.partials = tuple(lower(d, self.symbols) for d in self.slopes)
        self.seconds = tuple(
            tuple(lower(sympy.diff(d, s), self.symbols) for s in self.symbols) for d in self.slopes
        )
        used = {type(f).__name__ for f in expression.atoms(sympy.Function, sympy.Max, sympy.Abs)}
        self.stepped = bool(used & STEPS)

    def read(self, text: str, *more: str, evaluate: bool = True) -> sympy.Expr:
        """One of the project's own formulas over these names (and `more`), with the fixed numbers put in exactly."""
        names = dict(zip(self.names, self.symbols, strict=True))
        names |= {n: sympy.Symbol(n, real=True) for n in (*more, *(k for k, _ in self.fixed))}
        expression = sympy.sympify(text, locals=names, evaluate=evaluate)
        return expression.subs({names[k]: exactly(v) for k, v in self.fixed}) if self.fixed else expression


def exactly(number: float) -> sympy.Expr:
    """A Python number as the rational that it is."""
    return sympy.Rational(number) if isinstance(number, float) else sympy.Integer(int(number))


@cache
def derive(meaning: str, names: tuple[str, ...], fixed: tuple[tuple[str, float], ...] = ()) -> Derived:
    """The meaning's value, partials and second partials over `names`, derived once and kept.

    Raises:
        LoweringError: SymPy's derivative has a function that `FUNCTIONS` lacks.
    """
    return Derived(meaning, names, fixed)
