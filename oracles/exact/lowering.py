"""From SymPy's expressions to functions on numbers that answer for themselves: balls, or rounded scalars.

Every function that SymPy may put into a derivative is named in `FUNCTIONS`; one that is missing there is an error when
an op is derived, never a wrong number. The lowered function asks its argument: `exp(x)` is `x.exp()`, so the same
expression runs on an Arb ball and on the budget's rounded scalars.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import sympy
from flint import arb
from sympy.codegen.cfunctions import log1p
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


def smaller(x: Any, y: Any) -> Any:
    """The smaller of two numbers."""
    return -larger(-x, -y)


def above(x: Any, y: Any) -> Any:
    """Whether x > y: 1, 0, or the ball [0, 1] where the difference of two balls touches 0 without being 0.

    A rounded scalar is asked, and answers by what rounding may make of the two.
    """
    for number in (x, y):
        if hasattr(number, "above"):
            return number.above(x, y)
    gap = arb(x) - arb(y)
    return arb(1) if gap > 0 else arb(0) if gap <= 0 else HALF


def either(*sides: Any) -> Any:
    """Whether any of several conditions holds, in the numbers that `above` gives."""
    none = arb(1)
    for side in sides:
        none = none * (1 - side)
    return 1 - none


def both(*sides: Any) -> Any:
    """Whether all of several conditions hold."""
    every = arb(1)
    for side in sides:
        every = every * side
    return every


def choose(condition: Any, then: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
    """One branch where the condition is decided, else all that lies between the two."""
    if condition == 1:
        return then()
    if condition == 0:
        return otherwise()
    a, b = then(), otherwise()
    for number in (a, b):
        if hasattr(number, "between"):
            return number.between(a, b)
    return arb(a).union(arb(b))


def whole_power(x: Any, n: int) -> Any:
    """x**n for a whole number n. python-flint has no power of a ball around 0: it goes by way of the logarithm."""
    if n < 2 or not isinstance(x, arb) or x.is_exact() or not x.contains(0):
        return x**n
    power = x
    for _ in range(n - 1):
        power = power * x
    return power


def rounded_to_even(x: Any) -> Any:
    """The nearest integer, a half to the even neighbour."""
    x = arb(x)
    nearest = (x + arb(1) / 2).floor()
    tied = x.is_exact() and not x.is_integer() and (2 * x).is_integer()
    return nearest - 1 if tied and not (nearest / 2).is_integer() else nearest


def toward_zero(x: Any) -> Any:
    """The integer part."""
    x = arb(x)
    return x.floor() if x >= 0 else x.ceil() if x <= 0 else x.floor().union(x.ceil())


def _asks(method: str) -> Callable[[Any], Any]:
    """The function that its argument has as a method; a plain number becomes a ball first."""
    return lambda x: getattr(arb(x) if isinstance(x, int | float) else x, method)()


ASKED = (
    *("exp", "log", "log1p", "sqrt", "erf", "erfc"),
    *("sin", "cos", "tan", "asin", "acos", "atan"),
    *("sinh", "cosh", "tanh", "asinh", "acosh", "atanh"),
)
"""Functions that both kinds of number have as methods of these names, which are SymPy's and Arb's."""

FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: _asks(name) for name in ASKED},
    "sigmoid": lambda x: x.sigmoid() if hasattr(x, "above") else 1 / (1 + (-arb(x)).exp()),
    "reciprocal": lambda x: x.reciprocal() if hasattr(x, "above") else 1 / arb(x),
    "Abs": abs,
    "Max": larger,
    "Min": smaller,
    "atan2": lambda y, x: arb.atan2(arb(y), arb(x)),
    "floor": lambda x: arb(x).floor(),
    "ceiling": lambda x: arb(x).ceil(),
    "round": rounded_to_even,
    "trunc": toward_zero,
    "above": above,
    "either": either,
    "both": both,
    "choose": choose,
    "Heaviside": heaviside,
    "DiracDelta": dirac,
    "sign": sign,
    "ratio": lambda p, q: arb(p) / q,
    "pi": arb.pi,
    "whole_power": whole_power,
}
STEPS = {"Heaviside", "sign", "Max", "Min", "Abs", "DiracDelta"}
"""The functions whose slope, or whose slope's slope, jumps."""
FLAT = {"floor", "ceiling", "round", "trunc"}
"""Functions that are constant between their steps: what SymPy leaves as Derivative(floor(x), x) is 0."""


class sigmoid(sympy.Function):  # type: ignore[misc]  # noqa: N801 - named as formulas write it
    """1/(1 + exp(-x)), as a function of its own: forms use it where the quotient would overflow."""

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        """The derivative, from the function's value."""
        return self * (1 - self)

    def _eval_rewrite_as_exp(self, x: sympy.Expr, **hints: Any) -> sympy.Expr:
        return 1 / (1 + sympy.exp(-x))


class reciprocal(sympy.Function):  # type: ignore[misc]  # noqa: N801 - named as formulas write it
    """1/x, as a function of its own: its slope is the square of its value, which may underflow where 1/x does not."""

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        """The derivative, from the function's value."""
        return -self * self

    def _eval_rewrite_as_exp(self, x: sympy.Expr, **hints: Any) -> sympy.Expr:
        return 1 / x


OWN = {
    "log1p": log1p,
    "reciprocal": reciprocal,
    "round": sympy.Function("round", real=True),
    "sigmoid": sigmoid,
    "trunc": sympy.Function("trunc", real=True),
}
"""Functions that a meaning may name and that SymPy does not read as such."""


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

    _print_Max = _print_Min = _print_sign = _print_Abs = _print_Heaviside = _print_Function
    _print_log1p = _print_floor = _print_ceiling = _print_Function

    def _print_Pi(self, expr: sympy.Expr) -> str:  # noqa: N802 - SymPy dispatches on it
        return "pi()"

    def _print_Derivative(self, expr: sympy.Derivative) -> str:  # noqa: N802 - SymPy dispatches on it
        name = type(expr.expr).__name__
        if name not in FLAT:
            raise LoweringError(f"the derivative of {name}(...) has no lowering")
        return "0"

    def _print_Piecewise(self, expr: sympy.Piecewise) -> str:  # noqa: N802 - SymPy dispatches on it
        *branches, (last, _) = expr.args
        text: str = self._print(last)
        for value, condition in reversed(branches):
            text = f"choose({self._print(condition)}, lambda: {self._print(value)}, lambda: {text})"
        return text

    def _print_Relational(self, expr: sympy.Rel) -> str:  # noqa: N802 - SymPy dispatches on it
        if not isinstance(expr, sympy.StrictGreaterThan | sympy.StrictLessThan):
            raise LoweringError(f"{expr} has no lowering: write a meaning's conditions with < and >")
        return f"above({self._print(expr.gts)}, {self._print(expr.lts)})"

    def _print_Or(self, expr: sympy.Or) -> str:  # noqa: N802 - SymPy dispatches on it
        return f"either({', '.join(self._print(a) for a in expr.args)})"

    def _print_And(self, expr: sympy.And) -> str:  # noqa: N802 - SymPy dispatches on it
        return f"both({', '.join(self._print(a) for a in expr.args)})"

    def _print_Pow(self, expr: sympy.Pow, rational: bool = False, sqrt: str = "") -> str:  # noqa: N802 - SymPy dispatches on it
        if expr.exp is sympy.S.Half:
            return f"sqrt({self._print(expr.base)})"
        if expr.exp.is_Integer and expr.exp > 1:
            return f"whole_power({self._print(expr.base)}, {int(expr.exp)})"
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
        edges: the differences whose zeros are the borders between the branches of a slope.
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
        borders = set().union(*(s.atoms(sympy.Rel) for s in self.slopes))
        self.edges = tuple(lower(b.gts - b.lts, self.symbols) for b in borders)

    def read(self, text: str, *more: str, evaluate: bool = True) -> sympy.Expr:
        """One of the project's own formulas over these names (and `more`), with the fixed numbers put in exactly."""
        names = dict(zip(self.names, self.symbols, strict=True))
        names |= {n: sympy.Symbol(n, real=True) for n in (*more, *(k for k, _ in self.fixed))}
        expression = sympy.sympify(text, locals=OWN | names, evaluate=evaluate)
        return expression.subs({names[k]: exactly(v) for k, v in self.fixed}) if self.fixed else expression


def exactly(number: float) -> sympy.Expr:
    """A Python number as the rational that it is."""
    if isinstance(number, float):
        return sympy.Rational(number) if math.isfinite(number) else sympy.sympify(number)
    return sympy.Integer(int(number))


@cache
def derive(meaning: str, names: tuple[str, ...], fixed: tuple[tuple[str, float], ...] = ()) -> Derived:
    """The meaning's value, partials and second partials over `names`, derived once and kept.

    Raises:
        LoweringError: SymPy's derivative has a function that `FUNCTIONS` lacks.
    """
    return Derived(meaning, names, fixed)
