"""Numbers that are symbols: what a formula computes with where it is proved something."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sympy

from oracles.exact.derivation import OWN
from refgrad.op import REGISTRY, Op
from refgrad.ops.arithmetic import where

POLES = {"log", "log2", "log10", "rsqrt", "reciprocal"}
"""Ops that have no value at 0."""
RELATIONS = {
    "gt": sympy.StrictGreaterThan,
    "ge": sympy.GreaterThan,
    "lt": sympy.StrictLessThan,
    "le": sympy.LessThan,
    "eq": sympy.Eq,
    "ne": sympy.Ne,
}


class Unproved(Exception):
    """What the formula does has no meaning on symbols."""


class Named(sympy.Symbol):
    """A number without a value, as a setting is given to a formula."""

    def log(self) -> Any:
        return sympy.log(self)


class Term:
    """An expression in the place of an array; `divisors` collects everything that must not be 0."""

    __array_ufunc__ = None
    divisors: set[Any] = set()  # noqa: RUF012 - emptied before each formula
    shape = ()

    def __init__(self, expression: Any) -> None:
        self.expression = expression

    @staticmethod
    def __apply_op__(op: Op, inputs: tuple[Any, ...], settings: dict[str, Any]) -> Term:
        xs = [exact(x) for x in inputs]
        if op.name in RELATIONS:
            return condition(RELATIONS[op.name](*xs))
        if op.name == "zeros_like":
            return Term(sympy.Integer(0))
        if op.name == "where":
            boolean = xs[1] in (sympy.true, sympy.false) or xs[1] in CONDITIONS
            return Term(sympy.ITE(*xs) if boolean else sympy.Piecewise((xs[1], xs[0]), (xs[2], True)))
        if op.name == "threshold_backward":
            return where(Term(xs[1]) <= 0, 0.0, Term(xs[0]))
        if op.name in POLES:
            Term.divisors.add(xs[0])
        if op.name in ("pow", "pow_scalar"):
            return Term(xs[0]) ** (xs[1] if len(xs) > 1 else settings["exponent"])
        return Term(meaning(op, dict(zip(op.inputs, xs, strict=True)), settings))

    def __add__(self, other: Any) -> Term:
        return Term(self.expression + exact(other))

    __radd__ = __add__

    def __sub__(self, other: Any) -> Term:
        return Term(self.expression - exact(other))

    def __rsub__(self, other: Any) -> Term:
        return Term(exact(other) - self.expression)

    def __mul__(self, other: Any) -> Term:
        return Term(self.expression * exact(other))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Term:
        Term.divisors.add(exact(other))
        return Term(self.expression / exact(other))

    def __rtruediv__(self, other: Any) -> Term:
        Term.divisors.add(self.expression)
        return Term(exact(other) / self.expression)

    def __pow__(self, other: Any) -> Term:
        power = exact(other)
        if not (power.is_Integer and power >= 0):
            Term.divisors.add(self.expression)
        return Term(self.expression**power)

    def __neg__(self) -> Term:
        return Term(-self.expression)

    def __lt__(self, other: Any) -> Term:
        return condition(sympy.StrictLessThan(self.expression, exact(other)))

    def __le__(self, other: Any) -> Term:
        return condition(sympy.LessThan(self.expression, exact(other)))

    def __gt__(self, other: Any) -> Term:
        return condition(sympy.StrictGreaterThan(self.expression, exact(other)))

    def __ge__(self, other: Any) -> Term:
        return condition(sympy.GreaterThan(self.expression, exact(other)))

    def __eq__(self, other: Any) -> Any:
        return condition(sympy.Eq(self.expression, exact(other)))

    def __ne__(self, other: Any) -> Any:
        return condition(sympy.Ne(self.expression, exact(other)))

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise Unproved("a formula branches on a value")


ORDER: dict[Any, int] = {}
"""How symbols are ordered, where that is assumed: which are smaller than others, and which are equal."""


@contextmanager
def ordered(ranks: dict[Any, int]) -> Iterator[None]:
    """Within it, symbols are compared by their ranks."""
    ORDER.update(ranks)
    try:
        yield
    finally:
        ORDER.clear()


def decided(expression: Any) -> Any:
    """An expression on the branch that the order of its symbols takes."""
    if expression.has(sympy.Max, sympy.Min):
        raise Unproved("a largest has no one slope where two are equal")
    return expression.xreplace({r: by_order(r) for r in expression.atoms(sympy.core.relational.Relational)})


def by_order(relation: Any) -> Any:
    """Whether a relation holds: between symbols whose order is assumed; any other is left as it is."""
    return relation.subs(ORDER) if {*relation.args} <= ORDER.keys() else relation


CONDITIONS: dict[Any, Any] = {}
"""What the letters mean that stand for conditions: with a letter, a branch is differentiated as it is written."""


def condition(relation: Any) -> Term:
    """A condition as a letter; of a larger and a smaller number, what it says of both."""
    if relation not in (sympy.true, sympy.false):
        relation = by_order(relation)
    if relation in (sympy.true, sympy.false):
        return Term(relation)
    left, right = relation.args
    if isinstance(relation, sympy.Eq | sympy.Ne):
        for one, other in ((left, right), (right, left)):
            if (
                isinstance(one, sympy.Max | sympy.Min) and other in one.args
            ):  # the largest is the one that none exceeds
                reaches = sympy.LessThan if isinstance(one, sympy.Max) else sympy.GreaterThan
                rest = [condition(reaches(x, other)).expression for x in one.args if x != other]
                return Term(
                    sympy.And(*rest) if isinstance(relation, sympy.Eq) else sympy.Not(sympy.And(*rest))
                )
    if isinstance(right, sympy.Max | sympy.Min) and not isinstance(relation, sympy.Eq | sympy.Ne):
        return condition(relation.reversed)
    if isinstance(left, sympy.Max | sympy.Min):
        less = isinstance(relation, sympy.LessThan | sympy.StrictLessThan)
        more = isinstance(relation, sympy.GreaterThan | sympy.StrictGreaterThan)
        if less or more:
            parts = [condition(relation.func(side, right)).expression for side in left.args]
            return Term((sympy.And if less == isinstance(left, sympy.Max) else sympy.Or)(*parts))
    letter = next((k for k, v in CONDITIONS.items() if v == relation), None)
    if letter is None:
        letter = sympy.Symbol(f"condition_{len(CONDITIONS)}")
        CONDITIONS[letter] = relation
    return Term(letter)


def exact(x: Any) -> Any:
    """An operand as SymPy has it, floats as the rationals that they are."""
    if isinstance(x, Term):
        return x.expression
    if isinstance(x, float):
        return sympy.Rational(x) if math.isfinite(x) else sympy.sympify(x)
    return sympy.sympify(x)


ALSO = {"signum": "sign"}
"""Ops that say nothing of themselves and are another under a node of their own."""


def meaning(op: Op, inputs: dict[str, Any], settings: dict[str, Any]) -> Any:
    """What an elementwise op says it is, of these expressions."""
    op = REGISTRY[ALSO.get(op.name, op.name)]
    if not isinstance(op.facts.meaning, str):
        raise Unproved(f"{op.name} is no function of single numbers")
    given = {**op.settings, **settings}
    names = {n: sympy.Symbol(n) for n in (*inputs, *given)}
    read = sympy.sympify(op.facts.meaning, locals={**OWN, **names})
    values = {**inputs, **{n: exact(v) for n, v in given.items() if isinstance(v, int | float | sympy.Expr)}}
    return read.subs([(names[n], v) for n, v in values.items()], simultaneous=True)
