"""Whole programs as SymPy expressions: truth without a chain rule of ours.

The scalars of this algebra are expressions, so `oracles.exact.evaluate` turns a program into one expression per output
element. SymPy differentiates the weighted sum of them as a whole, and mpmath evaluates the derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import mpmath
import sympy
from sympy.codegen.cfunctions import log1p

from oracles.answers import labels
from oracles.exact.derivation import exactly
from oracles.exact.evaluate import evaluate
from oracles.exact.structure import objects
from oracles.program import Case
from oracles.truth import Enclosed

BITS = 800
RELATIVE = mpmath.mpf(10) ** -100
ABSOLUTE = mpmath.mpf(10) ** -200
STEPS = {"Heaviside": lambda x, at_zero=0: 0 if x < 0 else 1, "DiracDelta": lambda x, order=0: 0}
"""Off the kinks, where alone whole programs are compared."""


class Flat(sympy.Function):  # type: ignore[misc]
    """A staircase. SymPy leaves its slope, and `round` and `trunc` altogether, unsaid: off the steps it is 0."""

    is_real = True
    nargs = 1

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        """The slope; `test_elementwise_ops_against_mpmath` differentiates the staircases numerically."""
        return sympy.S.Zero


class IsLargest(sympy.Function):  # type: ignore[misc]
    """1 where the first of several numbers is the largest, else 0: off the ties its slopes are 0."""

    is_real = True

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        """The slope."""
        return sympy.S.Zero


class Largest(sympy.Function):  # type: ignore[misc]
    """The largest of several numbers. SymPy's Max compares its operands in pairs first, which takes it minutes."""

    is_real = True

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        """The slope by one of them."""
        i = argindex - 1
        return IsLargest(self.args[i], *self.args[:i], *self.args[i + 1 :])


STAIRS: dict[str, Callable[[Any], Any]] = {
    "floor": mpmath.floor,
    "ceiling": mpmath.ceil,
    "round": mpmath.nint,
    "trunc": lambda x: mpmath.floor(x) if x >= 0 else mpmath.ceil(x),
}
"""By mpmath, whose nint takes a half to the even neighbour."""
READ = {"log1p": log1p, **{name: type(name, (Flat,), {}) for name in STAIRS}}
"""What SymPy does not read, or does not differentiate, by itself."""
EXTREMES = {"Largest": lambda *xs: max(xs), "IsLargest": lambda x, *others: int(all(x >= y for y in others))}
NUMBERS: list[Any] = [{**STEPS, **STAIRS, **EXTREMES, "log1p": mpmath.log1p}, "mpmath"]
"""Where mpmath's evaluation of an expression finds its functions."""


class Large(Exception):
    """The expression is too large to be worth SymPy's time."""


@dataclass
class Scalar:
    """An expression, and its value at the first point, by which pivots are chosen."""

    expression: sympy.Expr
    value: mpmath.mpf


@cache
def expression_of(
    meaning: str, names: tuple[str, ...], fixed: tuple[tuple[str, float], ...]
) -> tuple[Any, Any]:
    """A meaning over real symbols with its fixed numbers put in, and the same as a function of numbers."""
    symbols = {n: sympy.Symbol(n, real=True) for n in (*names, *(k for k, _ in fixed))}
    expression = sympy.sympify(meaning, locals=READ | symbols).subs(
        {symbols[k]: exactly(v) for k, v in fixed}
    )
    free = [symbols[n] for n in names]
    return (expression, free), sympy.lambdify(free, expression, NUMBERS)


class Whole:
    """The algebra of expressions."""

    special: dict[str, Any] = {}  # noqa: RUF012 - an algebra's interface

    def __init__(self) -> None:
        self.symbols: list[sympy.Symbol] = []
        self.held: list[sympy.Symbol] = []

    def enter(self, step: int) -> None:
        """A step makes no difference to its expressions."""

    def leaf(self, value: float) -> Scalar:
        """A fresh symbol that stands for an input element."""
        self.symbols.append(sympy.Symbol(f"v{len(self.symbols)}", real=True))
        return Scalar(self.symbols[-1], mpmath.mpf(value))

    def fixed(self, value: float) -> Scalar:
        """A fresh symbol that stands for an input element which nothing is differentiated by."""
        self.held.append(sympy.Symbol(f"k{len(self.held)}", real=True))
        return Scalar(self.held[-1], mpmath.mpf(value))

    def constant(self, value: Any) -> Scalar:
        """A number as the rational that it is."""
        return Scalar(exactly(float(value)), mpmath.mpf(float(value)))

    def call(self, op: str, f: Any, *xs: Scalar) -> Scalar:
        """A meaning with the operands put in."""
        (expression, free), number = expression_of(f.meaning, f.names, f.fixed)
        put_in = dict(zip(free, (x.expression for x in xs), strict=True))
        return Scalar(expression.subs(put_in, simultaneous=True), number(*(x.value for x in xs)))

    def each(self, op: str, f: Any, columns: Sequence[Sequence[Scalar]]) -> list[Scalar]:
        """The op in each row."""
        return [self.call(op, f, *xs) for xs in zip(*columns, strict=True)]

    def running(self, xs: Sequence[Scalar]) -> list[Scalar]:
        """The sums up to each element."""
        return [self.add(xs[: n + 1]) for n in range(len(xs))]

    def matmul(self, a: Sequence[Scalar], b: Sequence[Scalar], shape: tuple[int, int, int]) -> list[Scalar]:
        """The product of row-major matrices of shapes (n, k) and (k, m)."""
        n, k, m = shape
        return [self.dot(a[i * k : i * k + k], b[j::m]) for i in range(n) for j in range(m)]

    def add(self, xs: Sequence[Scalar]) -> Scalar:
        """The sum."""
        return Scalar(sympy.Add(*(x.expression for x in xs)), mpmath.fsum(x.value for x in xs))

    def neg(self, x: Scalar) -> Scalar:
        """The opposite."""
        return Scalar(-x.expression, -x.value)

    def mul(self, a: Scalar, b: Scalar) -> Scalar:
        """The product."""
        return Scalar(a.expression * b.expression, a.value * b.value)

    def sub(self, a: Scalar, b: Scalar) -> Scalar:
        """The difference."""
        return Scalar(a.expression - b.expression, a.value - b.value)

    def div(self, a: Scalar, b: Scalar) -> Scalar:
        """The quotient."""
        return Scalar(a.expression / b.expression, a.value / b.value)

    def dot(self, a: Sequence[Scalar], b: Sequence[Scalar]) -> Scalar:
        """The inner product."""
        return self.add([self.mul(x, y) for x, y in zip(a, b, strict=True)]) if len(a) else self.constant(0)

    def largest(self, xs: Sequence[Scalar], share: bool) -> Scalar:
        """The maximum."""
        return Scalar(Largest(*(x.expression for x in xs)), max(x.value for x in xs))

    def is_zero(self, x: Scalar) -> bool:
        """Never: an expression serves every point, and the tip of a norm, a kink, is not compared."""
        return False

    def nominal(self, x: Scalar) -> float:
        """The value at the first point."""
        return float(x.value)


@dataclass
class Derivatives:
    """Every element of a case's answer as a function of (inputs, cotangents, seconds), by the names of records."""

    functions: dict[str, list[Any]] = field(default_factory=dict)


def derivatives(case: Case, most: int = 400) -> Derivatives:
    """Differentiate the whole program at the orders that the case asks for.

    Raises:
        Large: an expression has more than `most` operations.
    """
    with mpmath.workprec(BITS):
        algebra = Whole()
        values: list[Any] = []
        leaves: list[Any] = []
        for spec, array in zip(case.program.inputs, case.inputs, strict=True):
            numbers = array.numpy()
            if spec.requires_grad:
                leaf = objects((algebra.leaf(float(v)) for v in numbers.flat), numbers.shape)
                leaves.append(leaf)
                values.append(leaf)
            elif spec.floating:
                values.append(objects((algebra.fixed(float(v)) for v in numbers.flat), numbers.shape))
            else:
                values.append(numbers)
        known = evaluate(case.program, algebra, values)
    outputs = [known[n] for n in case.program.outputs]
    xs = list(algebra.symbols)
    cs = [sympy.Symbol(f"c{k}", real=True) for k in range(sum(o.size for o in outputs))]
    ws = [sympy.Symbol(f"w{k}", real=True) for k in range(len(xs))]
    scalars = [s.expression for o in outputs for s in o.flat]
    total = sympy.Add(*(c * e for c, e in zip(cs, scalars, strict=True)))
    _small(total, most)
    first = [sympy.diff(total, x) for x in xs]
    found: dict[str, list[Any]] = {}
    _share(found, labels(case, "outputs"), [o.size for o in outputs], scalars)
    _share(found, labels(case, "gradients"), [x.size for x in leaves], first)
    if case.order == 2:
        weighted = sympy.Add(*(w * d for w, d in zip(ws, first, strict=True)))
        _small(weighted, 4 * most)
        _share(
            found, labels(case, "seconds"), [x.size for x in leaves], [sympy.diff(weighted, x) for x in xs]
        )
        by_cotangent = [sympy.diff(weighted, c) for c in cs]
        _share(found, labels(case, "second_cotangents"), [o.size for o in outputs], by_cotangent)
    symbols = [*xs, *algebra.held, *cs, *ws]
    names = [(name, len(rows)) for name, rows in found.items()]
    together = sympy.lambdify(symbols, [e for rows in found.values() for e in rows], NUMBERS, cse=True)
    return Derivatives({"": [together, names]})


def _small(expression: sympy.Expr, most: int) -> None:
    if sympy.count_ops(expression) > most:
        raise Large


def _share(
    found: dict[str, list[Any]], names: Sequence[str], sizes: Sequence[int], rows: Sequence[Any]
) -> None:
    start = 0
    for name, size in zip(names, sizes, strict=True):
        found[name] = list(rows[start : start + size])
        start += size


def numbers_at(derived: Derivatives, case: Case) -> dict[str, list[mpmath.mpf]]:
    """The true answer at the case's point, by mpmath."""
    function, names = derived.functions[""]
    inputs = list(zip(case.inputs, case.program.inputs, strict=True))
    arrays = [a for a, i in inputs if i.requires_grad]
    held = [a for a, i in inputs if i.floating and not i.requires_grad]
    seconds = case.seconds or tuple(arrays)
    parts = (*arrays, *held, *case.cotangents, *seconds)
    given = [mpmath.mpf(float(v)) for a in parts for v in a.numpy().flat]
    with mpmath.workprec(BITS):
        flat = iter(function(*given))
        return {name: [mpmath.mpf(next(flat)) for _ in range(size)] for name, size in names}


def wrong_elements(truth: Enclosed, expected: dict[str, list[mpmath.mpf]]) -> list[str]:
    """The elements whose enclosure does not contain what is expected, beyond 1e-100 of it."""
    wrong = []
    with mpmath.workprec(BITS):
        for name, enclosure in truth.arrays.items():
            for i, (ball, number) in enumerate(zip(enclosure.truth, expected[name], strict=True)):
                off = abs(_exactly(ball.mid()) - number)
                if off > _exactly(ball.rad()) + RELATIVE * abs(number) + ABSOLUTE:
                    wrong.append(f"{name}[{i}]: {ball} does not contain {mpmath.nstr(number, 40)}")
    return wrong


def _exactly(ball: Any) -> mpmath.mpf:
    """The midpoint of a ball, every bit of it."""
    mantissa, exponent = ball.man_exp()
    return mpmath.ldexp(mpmath.mpf(int(mantissa)), int(exponent))
