"""SymPy's part: reading a meaning, deriving it, and writing what comes of it as plain data.

Nothing else of the project imports SymPy, and this only where a derivation is not kept from an earlier run.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from typing import Any

import sympy
from sympy.codegen.cfunctions import log1p
from sympy.printing.pycode import PythonCodePrinter

from oracles.exact.lowering import FUNCTIONS, Formula, LoweringError

Fixed = Sequence[tuple[str, float]]
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


SIGNS: dict[type, str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}


def plain(expression: sympy.Expr, symbols: Sequence[sympy.Symbol]) -> Formula:
    """An expression of the symbols as plain data, in the order of operations in which SymPy prints it.

    Raises:
        LoweringError: the expression has a function that `FUNCTIONS` does not.
    """
    printer = _Printer({"fully_qualified_modules": False, "user_functions": {}})
    tree = ast.parse(printer.doprint(expression), mode="eval").body
    return _plain(tree, {s.name: n for n, s in enumerate(symbols)})


def _plain(node: ast.expr, places: Mapping[str, int]) -> Formula:
    match node:
        case ast.Constant(int() | float() as value) if not isinstance(value, bool) and math.isfinite(value):
            return value
        case ast.Name(name) if name in places:
            return ["input", places[name]]
        case ast.UnaryOp(ast.USub(), operand):
            return ["neg", _plain(operand, places)]
        case ast.BinOp(left, sign, right) if type(sign) in SIGNS:
            return [SIGNS[type(sign)], _plain(left, places), _plain(right, places)]
        case ast.Call(ast.Name(name), arguments, []) if name in FUNCTIONS:
            bodies = [a.body if isinstance(a, ast.Lambda) else a for a in arguments]
            return [name, *(_plain(b, places) for b in bodies)]
    raise LoweringError(f"{ast.unparse(node)} has no lowering; add it to oracles/exact/derivation.py")


def symbols_of(names: Sequence[str]) -> tuple[sympy.Symbol, ...]:
    """Real symbols of these names."""
    return tuple(sympy.Symbol(n, real=True) for n in names)


def read(text: str, names: Sequence[str], fixed: Fixed, evaluate: bool = True) -> sympy.Expr:
    """One of the project's own formulas over these names, with the fixed numbers put in exactly."""
    known = {n: sympy.Symbol(n, real=True) for n in (*names, *(k for k, _ in fixed))}
    expression = sympy.sympify(text, locals=OWN | known, evaluate=evaluate)
    return expression.subs({known[k]: exactly(v) for k, v in fixed}) if fixed else expression


def exactly(number: float) -> sympy.Expr:
    """A Python number as the rational that it is."""
    if isinstance(number, float):
        return sympy.Rational(number) if math.isfinite(number) else sympy.sympify(number)
    return sympy.Integer(int(number))


def derivatives(meaning: str, names: Sequence[str], fixed: Fixed) -> dict[str, Any]:
    """A meaning with its derivatives to second order, as plain data: what `Derived` is made of."""
    symbols = symbols_of(names)
    expression = read(meaning, names, fixed)
    slopes = [sympy.diff(expression, s) for s in symbols]
    used = {type(f).__name__ for f in expression.atoms(sympy.Function, sympy.Max, sympy.Abs)}
    borders = set().union(*(s.atoms(sympy.Rel) for s in slopes))
    return {
        "value": plain(expression, symbols),
        "partials": [plain(d, symbols) for d in slopes],
        "seconds": [[plain(sympy.diff(d, s), symbols) for s in symbols] for d in slopes],
        "stepped": bool(used & STEPS),
        "edges": [plain(b.gts - b.lts, symbols) for b in borders],
    }


def slopes(
    meaning: str, names: Sequence[str], fixed: Fixed, listed: Mapping[str, str]
) -> dict[str, list[Formula]]:
    """The slope by each name in the form that is `listed` for it, over `y` and the names, else in SymPy's own."""
    symbols = symbols_of(names)
    expression = read(meaning, names, fixed)
    found = [
        read(listed[n], (*names, "y"), fixed, evaluate=bool(fixed))
        if n in listed
        else sympy.diff(expression, s)
        for n, s in zip(names, symbols, strict=True)
    ]
    return {"slopes": [plain(slope, (*symbols_of(["y"]), *symbols)) for slope in found]}
