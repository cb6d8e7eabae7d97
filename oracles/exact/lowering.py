"""From plain formulas to functions on numbers that answer for themselves: balls, or rounded scalars.

A formula is data: a number, `["input", 0]`, or an operation and its operands, `["*", ["exp", ["input", 0]], 2]`. SymPy
writes it (`derivation`), and a file may keep it (`kept`). Every function that SymPy may put into a derivative is named
in `FUNCTIONS`; one that is missing there is an error when an op is derived, never a wrong number. The lowered function
asks its argument: `exp(x)` is `x.exp()`, so the same formula runs on an Arb ball and on the budget's rounded scalars.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from flint import arb

from oracles.exact import kept

if TYPE_CHECKING:
    import sympy

Formula = int | float | list[Any]
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
    for number, other in ((x, y), (y, x)):
        if hasattr(number, "larger"):
            return number.larger(other)
    return arb.max(arb(x), arb(y))


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

PLAIN = (arb, int, float)
"""Numbers that are no rounded scalars: some functions are spelled out for them."""

FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: _asks(name) for name in ASKED},
    "sigmoid": lambda x: 1 / (1 + (-arb(x)).exp()) if isinstance(x, PLAIN) else x.sigmoid(),
    "reciprocal": lambda x: 1 / arb(x) if isinstance(x, PLAIN) else x.reciprocal(),
    "Abs": abs,
    "Max": larger,
    "Min": smaller,
    "atan2": lambda y, x: _angle(arb(y), arb(x)),
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
OPERATIONS: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    "neg": operator.neg,
}
COLUMNWISE = {*ASKED, *OPERATIONS, "sigmoid", "reciprocal", "ratio", "pi"}
"""What a column of rounded scalars can be asked as a whole: nothing that decides, for each decides for itself."""
Body = Callable[[tuple[Any, ...]], Any]
Column = Callable[[Sequence[Iterable[Any]]], Iterable[Any]]


class Lowered:
    """A formula as a function: of numbers, or, by `over`, of columns of balls, row by row.

    Attributes:
        used: the names of the functions and operations in it.
        columnwise: whether it may be called with columns of rounded scalars in place of numbers.
    """

    __slots__ = ("_body", "_column", "columnwise", "used")

    def __init__(self, formula: Any, inputs: int) -> None:
        self._body = _body(formula, inputs)
        self.used = _used(formula)
        self.columnwise = self.used <= COLUMNWISE
        self._column = None if "choose" in self.used else _column(formula, inputs)

    def __call__(self, *xs: Any) -> Any:
        """The value for these numbers."""
        return self._body(xs)

    def over(self, columns: Sequence[Sequence[Any]]) -> list[Any]:
        """The value in every row. One operation is done for all rows before the next."""
        if self._column is None:  # a branch that is not taken in a row must not be evaluated there
            return [self._body(xs) for xs in zip(*columns, strict=True)]
        made = self._column(columns)
        return (
            list(itertools.islice(made, len(columns[0])))
            if isinstance(made, itertools.repeat)
            else list(made)
        )


def lowered(formula: Any, inputs: int) -> Lowered:
    """A formula as a function of so many numbers. Nothing of it is ever read as code.

    Raises:
        ValueError: it is no formula.
    """
    return Lowered(formula, inputs)


def _used(formula: Any) -> set[str]:
    """The names of all functions and operations in a formula."""
    match formula:
        case ["input", _]:
            return set()
        case [str(name), *operands]:
            return {name}.union(*(_used(operand) for operand in operands))
    return set()


def _column(formula: Any, inputs: int) -> Column:
    """A formula that `_body` has found to be one, over columns; what has no input in it is evaluated once."""
    match formula:
        case ["input", int(place)]:
            return operator.itemgetter(place)
        case [str(name), *operands] if _has_input(formula):
            columns = [_column(operand, inputs) for operand in operands]
            function = (
                operator.methodcaller(name) if name in ASKED else FUNCTIONS.get(name) or OPERATIONS[name]
            )
            return lambda xs: map(function, *(column(xs) for column in columns))
    body = _body(formula, inputs)
    return lambda xs: itertools.repeat(body(()))


def _has_input(formula: Any) -> bool:
    return isinstance(formula, list) and (formula[0] == "input" or any(map(_has_input, formula[1:])))


def _body(formula: Any, inputs: int) -> Body:
    match formula:
        case bool():
            raise ValueError(f"{formula} is no number")
        case int() | float() if math.isfinite(formula):
            return lambda xs: formula
        case ["input", int(place)] if 0 <= place < inputs:
            return operator.itemgetter(place)
        case ["choose", condition, then, otherwise]:
            return _choice(*(_body(part, inputs) for part in (condition, then, otherwise)))
        case [str(name), *operands] if name in FUNCTIONS or name in OPERATIONS:
            return _call(
                FUNCTIONS.get(name) or OPERATIONS[name], [_body(operand, inputs) for operand in operands]
            )
    raise ValueError(f"{formula!r} is no formula of {inputs} numbers")


def _choice(condition: Body, then: Body, otherwise: Body) -> Body:
    """A branch that is not taken is not evaluated: it may have no value."""
    return lambda xs: choose(condition(xs), lambda: then(xs), lambda: otherwise(xs))


def _call(function: Callable[..., Any], operands: list[Body]) -> Body:
    match operands:
        case [a]:
            return lambda xs: function(a(xs))
        case [a, b]:
            return lambda xs: function(a(xs), b(xs))
    return lambda xs: function(*(operand(xs) for operand in operands))


def lower(expression: sympy.Expr, symbols: Sequence[sympy.Symbol]) -> Lowered:
    """A SymPy expression as a function of the symbols' values, in order.

    Raises:
        LoweringError: the expression has a function that `FUNCTIONS` does not.
    """
    from oracles.exact.derivation import plain

    return lowered(plain(expression, symbols), len(symbols))


class Derived:
    """A scalar function with its derivatives to second order, all lowered. SymPy derives each once.

    Attributes:
        value: the function of its free names. partials[i]: its derivative by name i. seconds[i][j]: by names i and j.
        stepped: whether a slope jumps anywhere, so that kinks must be decided.
        edges: the differences whose zeros are the borders between the branches of a slope.
    """

    def __init__(self, meaning: str, names: tuple[str, ...], fixed: tuple[tuple[str, float], ...]) -> None:
        self.meaning = meaning
        self.names = names
        self.fixed = fixed
        kept.once(
            ["derivatives", meaning, names, fixed],
            lambda sympys: sympys.derivatives(meaning, names, fixed),
            self._fill,
        )

    def _fill(self, data: dict[str, Any]) -> None:
        count = len(self.names)
        self.value = lowered(data["value"], count)
        self.partials = tuple(lowered(d, count) for d in data["partials"])
        self.seconds = tuple(tuple(lowered(d, count) for d in row) for row in data["seconds"])
        self.stepped = bool(data["stepped"])
        self.edges = tuple(lowered(e, count) for e in data["edges"])
        if not len(self.partials) == len(self.seconds) == count or any(len(r) != count for r in self.seconds):
            raise ValueError(f"{len(self.partials)} derivatives by {count} names")

    def forms(self, listed: Mapping[str, str]) -> tuple[Lowered, ...]:
        """The slopes as functions of (y, *names), in the forms that are listed, else as SymPy writes them."""
        found: list[Lowered] = []

        def fill(data: dict[str, Any]) -> None:
            found[:] = [lowered(s, 1 + len(self.names)) for s in data["slopes"]]
            if len(found) != len(self.names):
                raise ValueError(f"{len(found)} slopes by {len(self.names)} names")

        kept.once(
            ["slopes", self.meaning, self.names, self.fixed, sorted(listed.items())],
            lambda sympys: sympys.slopes(self.meaning, self.names, self.fixed, listed),
            fill,
        )
        return tuple(found)

    @cached_property
    def symbols(self) -> tuple[sympy.Symbol, ...]:
        """SymPy's symbols for the names."""
        from oracles.exact.derivation import symbols_of

        return symbols_of(self.names)

    @cached_property
    def slopes(self) -> list[sympy.Expr]:
        """SymPy's derivatives by each name."""
        import sympy

        return [sympy.diff(self.read(self.meaning), s) for s in self.symbols]

    def read(self, text: str, *more: str) -> sympy.Expr:
        """One of the project's own formulas over these names (and `more`), with the fixed numbers put in exactly."""
        from oracles.exact.derivation import read

        return read(text, (*self.names, *more), self.fixed)


@cache
def derive(meaning: str, names: tuple[str, ...], fixed: tuple[tuple[str, float], ...] = ()) -> Derived:
    """The meaning's value, partials and second partials over `names`, derived once and kept.

    Raises:
        LoweringError: SymPy's derivative has a function that `FUNCTIONS` lacks.
    """
    return Derived(meaning, names, fixed)


def _angle(y: arb, x: arb) -> arb:
    """atan2 in a ball; on its cut and at the origin none: there the sign of a zero decides, which numbers have not."""
    return arb("nan") if y == 0 and not x > 0 else arb.atan2(y, x)
