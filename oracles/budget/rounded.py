"""Arithmetic as a sound implementation does it: every operation multiplied by the ball [1 - c*u, 1 + c*u].

The operators of a `Rounded` scalar, or of a `Column` of them, record how to pull a cotangent back, in rounded
arithmetic again, so a reverse sweep can be swept again: second order is reverse over reverse, as subjects do it. The
radius of a result is what a sound implementation may be off by.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache, partial
from typing import Any

from flint import arb

from oracles.budget import kinks, powers, sums
from oracles.budget.accuracy import CLASSES, CORRECT, Precision
from oracles.budget.forms import FORMS, form
from oracles.budget.scalars import Column, Rounded
from oracles.budget.sweep import Block, Pull, sweep
from oracles.exact.lowering import Derived, Lowered, derive
from oracles.exact.scalars import JUMP

__all__ = ["Column", "Rounded", "Rounding", "TooLarge"]

NOT_FINITE = arb("nan")
"""A value that may exceed the dtype's range, or a ball that reaches a pole: it tells nothing of what comes from it."""
MOST_STEPS = 500_000
"""Scalar operations that a program may take going forward; the sweeps take a fixed multiple of them."""
FEW = 4
"""Fewer rows than this are not worth a column: measured, one costs as much as two or three scalars."""


class TooLarge(ArithmeticError):
    """A program of more scalar operations than balls are affordable for."""


class Rounding:
    """The algebra that programs are evaluated in when a budget is wanted.

    `recording` keeps how values came to be, which a further reverse sweep needs. `touched` counts the decisions that
    rounding may take either way; a slope there is the likelier side's, or, when `wide`, all between both. `special`
    maps an op to an evaluation in this algebra that stands in for its meaning, and `variant` chooses among the forms
    of its slopes. `only` lets nothing round but one step of the program in one phase: 0 going forward, 1 and 2 in the
    first and second sweep back.
    """

    def __init__(
        self,
        precision: Precision,
        special: Mapping[str, Callable[..., Any]],
        wide: bool = False,
        variant: int = 0,
        only: tuple[int, int] | None = None,
    ) -> None:
        self.variant = variant
        self.only = only
        self.step, self.phase = 0, 0
        self.special = special
        self.precision = precision
        self.u = precision.u
        self.bits = precision.bits
        self.tiny = arb(precision.tiny)
        self.big = arb(precision.big)
        self.blocks: list[Block] = []
        self.recording = True
        self.forward = True
        self.wide = wide
        self.touched = 0
        self.steps = 0
        self._noise = _noise(self.u)
        self._floor = arb(0, self.tiny)

    def enter(self, step: int) -> None:
        """What follows is the work of this step of the program."""
        self.step = step
        if self.only is not None:
            rounds = self.only == (step, self.phase)
            self.u = self.precision.u if rounds else 0.0
            self.tiny = arb(self.precision.tiny if rounds else 0.0)
            self._noise, self._floor = _noise(self.u), arb(0, self.tiny)

    def leaf(self, value: float, tangent: float = 0.0) -> Rounded:
        """An input element: exact, because truth is the truth of what the subject saw."""
        return Rounded(self, arb(value), True)

    def constant(self, value: float | arb) -> Rounded:
        """A number that nothing is differentiated by; a Python number that is none of the dtype's is rounded to one."""
        exact = arb(value)
        if isinstance(value, float) and math.isfinite(value) and not self.fits(exact):
            exact = exact * self._noise[CORRECT]
        return Rounded(self, exact, False)

    def count(self, steps: int) -> None:
        """Count operations going forward before they are done.

        Raises:
            TooLarge: they are more than `MOST_STEPS`.
        """
        if self.forward:
            self.steps += steps
            if self.steps > MOST_STEPS:
                raise TooLarge(f"more than {MOST_STEPS:,} scalar operations, too many for ball arithmetic")

    def silent(self) -> AbstractContextManager[None]:
        """Evaluate without recording: the value of a block whose pull is its own."""
        return self._without("recording")

    def reassociated(self) -> AbstractContextManager[None]:
        """Within it no result is exact because it fits: a library may come to it by other products and sums."""
        return self._without("forward")

    @contextmanager
    def _without(self, flag: str) -> Iterator[None]:
        before = getattr(self, flag)
        setattr(self, flag, False)
        try:
            yield
        finally:
            setattr(self, flag, before)

    def lift(self, value: Any) -> Any:
        """A plain number as a constant, rounded where it is none of the dtype's; a scalar or column as it is."""
        if isinstance(value, Rounded | Column):
            return value
        if isinstance(value, arb) and not self.fits(value):  # such as 2/sqrt(pi)
            value = value * self._noise[CORRECT]
        return self.constant(value)

    def make(self, exact: arb, c: int, parents: Sequence[Rounded], pull: Pull) -> Rounded:
        """A new value, within c * u of `exact`, whose cotangent `pull(g, y, *parents)` gives to its parents.

        Going forward, a correctly rounded operation whose result fits the dtype's significand makes no error. Going
        back it may: g*(a/b) and (g*a)/b are both sound, and only one of them may be exact. A value that may leave the
        dtype's range becomes `NOT_FINITE`, and so does what comes from it; the rest stays as it is.
        """
        if c and not (c == CORRECT and self.forward and self.fits(exact)):
            exact = exact * self._noise[c] + self._floor
        if not abs(exact) < self.big:
            exact = NOT_FINITE
        needs = False
        for parent in parents:
            if parent.needs:
                needs = True
                break
        y = Rounded(self, exact, needs)
        if needs and self.recording:
            self.blocks.append(Block(y, parents, pull, step=self.step))
        return y

    def make_column(self, exacts: list[arb], c: int, parents: Sequence[Column], pull: Pull) -> Column:
        """The same, row by row."""
        if c:
            exacts = self.inexact(exacts, c)
        big = self.big
        if not all([abs(e) < big for e in exacts]):  # noqa: C419 - a generator takes half as long again
            exacts = [e if abs(e) < big else NOT_FINITE for e in exacts]
        y = Column(self, exacts, any(x.needs for x in parents))
        if y.needs and self.recording:
            y.recorded = True
            self.blocks.append(Block(y, parents, pull, step=self.step))
        return y

    def inexact(self, exacts: Sequence[arb], c: int) -> list[arb]:
        """Results of class c as balls, before any is tested for overflow."""
        noise, floor, bits = self._noise[c], self._floor, self.bits
        if c == CORRECT and self.forward:
            return [e if e.bits() <= bits and self.fits(e) else e * noise + floor for e in exacts]
        return [e * noise + floor for e in exacts]

    def operate(
        self, function: Callable[..., arb], c: int, operands: Sequence[Rounded | Column], pull: Pull
    ) -> Any:
        """A function of balls, within c * u: of scalars, or, where one operand is a column, row by row."""
        for x in operands:
            if type(x) is Column:
                rows = len(x.balls)
                break
        else:
            self.count(max(1, len(operands) - 1))
            return self.make(function(*[x.ball for x in operands]), c, operands, pull)  # type: ignore[arg-type]
        self.count(rows)
        columns = [self.spread(x, rows) for x in operands]
        return self.make_column(list(map(function, *[x.balls for x in columns])), c, columns, pull)

    def spread(self, x: Rounded | Column, rows: int) -> Column:
        """A scalar in every row; a column as it is."""
        return x if type(x) is Column else Column(self, [x.ball] * rows, x.needs, [x] * rows)  # type: ignore[list-item]

    def along(self, function: Callable[..., Any], *lines: Sequence[Rounded]) -> list[Rounded]:
        """A function of scalars in each row of these lines, which may be asked for all rows at once."""
        if len(lines[0]) < FEW:
            return [self.lift(function(*row)) for row in zip(*lines, strict=True)]
        made = self.lift(function(*(Column.of(self, line) for line in lines)))
        return self.spread(made, len(lines[0])).cells

    def by_rows(self, function: Callable[..., Any], *columns: Any) -> Column:
        """A function of scalars that decides in each row for itself."""
        rows = next(len(x.balls) for x in columns if type(x) is Column)
        cells = zip(*(self.spread(x, rows).cells for x in columns), strict=True)
        return Column.of(self, [self.lift(function(*row)) for row in cells])

    def fits(self, exact: arb) -> bool:
        """Whether a number is one of the dtype's own."""
        if not exact.is_exact() or exact.bits() > self.bits:
            return False
        return bool(abs(exact) >= self.tiny) or exact.is_zero()

    def attach(self, values: Sequence[Rounded], parents: Sequence[Rounded], pull: Pull) -> list[Rounded]:
        """The same values, with one joint pull for all of them: `pull(gs, ys, parents)`, where some gs are None."""
        needs = any(p.needs for p in parents)
        outputs = [Rounded(self, v.ball, needs) for v in values]
        if self.recording and needs:
            self.blocks.append(Block(outputs, parents, pull, joint=True, step=self.step))
        return outputs

    def each(self, op: str, f: Derived, columns: Sequence[Sequence[Rounded]]) -> list[Rounded]:
        """Apply an elementwise op in each row of these columns; rows that need other slopes are other columns."""
        if len(columns[0]) < FEW:
            return self.along(partial(self.call, op, f), *columns)
        kinds: dict[tuple[bool, ...], list[int]] = {}
        needs = [[x.needs for x in column] for column in columns]
        for row, kind in enumerate(zip(*needs, strict=True)):
            kinds.setdefault(kind, []).append(row)
        if len(kinds) == 1:
            return self.along(partial(self.call, op, f), *columns)
        results: dict[int, Rounded] = {}
        for rows in kinds.values():
            chosen = self.each(op, f, [[column[n] for n in rows] for column in columns])
            results.update(zip(rows, chosen, strict=True))
        return [results[n] for n in range(len(columns[0]))]

    def call(self, op: str, f: Derived, *xs: Any) -> Any:
        """Apply an elementwise op: one rounding where it is elementary, else step by step from its meaning.

        An op of several steps whose slopes have a form of their own, such as ldexp, pulls back by that.
        """
        whole = op in CLASSES and dict(f.fixed).get("alpha", 1) == 1
        if not whole and op not in FORMS:
            return self._asked(f.value, xs)
        if op == "div" and self.variant and not xs[0].needs:  # PyTorch: number / x is reciprocal(x) * number
            return self.mul(xs[0], self.call("reciprocal", derive("1/x", ("x",)), xs[1]))
        self.count(len(xs[0].balls) if type(xs[0]) is Column else 1)
        if f.stepped:
            self._decide(f, xs)
        partials = form(op, f, self.variant)

        def pull(g: Any, y: Any, *xs: Any) -> list[Any]:
            return [
                _scaled(g, self._asked(p, (y, *xs))) if x.needs else None
                for p, x in zip(partials, xs, strict=True)
            ]

        if not whole:
            with self.silent():
                made = self._asked(f.value, xs)
            if type(made) is Column:
                return self.make_column(made.balls, 0, xs, pull)
            return self.make(made.ball, 0, xs, pull)
        if type(xs[0]) is Column:
            balls = [b if type(b) is arb else arb(b) for b in f.value.over([x.balls for x in xs])]
            return self.make_column(balls, CLASSES[op], xs, pull)
        return self.make(arb(f.value(*(x.ball for x in xs))), CLASSES[op], xs, pull)

    def _asked(self, formula: Lowered, xs: Sequence[Any]) -> Any:
        """A formula of scalars, or of columns: as a whole where no row decides for itself."""
        if formula.columnwise or type(xs[0]) is not Column:
            return formula(*xs)
        return self.by_rows(formula, *xs)

    def _decide(self, f: Derived, xs: Sequence[Any]) -> None:
        columns = [x.balls if type(x) is Column else [x.ball] for x in xs]
        rows = zip(*(p.over(columns) for p in f.partials), strict=True)
        self.touched += sum(any(arb(p).rad() > JUMP for p in row) for row in rows)

    def add(self, xs: Sequence[Any]) -> Any:
        """The sum in any order: each of the n - 1 additions errs by at most u times what it makes."""
        if len(xs) == 1:
            return xs[0]
        return self.operate(partial(sums.total, self), 0, xs, lambda g, y, *xs: (g,) * len(xs))

    def running(self, xs: Sequence[Rounded]) -> list[Rounded]:
        """The sums of a line up to each of its elements, each in any order."""
        return sums.running(self, xs)

    def matmul(
        self, a: Sequence[Rounded], b: Sequence[Rounded], shape: tuple[int, int, int]
    ) -> list[Rounded]:
        """The product of two row-major matrices, of shapes (n, k) and (k, m) for a `shape` (n, k, m)."""
        return sums.matmul(self, a, b, shape)

    def dot(self, a: Sequence[Rounded], b: Sequence[Rounded]) -> Rounded:
        """The inner product, in any order of accumulation."""
        if not len(a):
            return self.constant(0)
        products = self.mul(Column.of(self, a), Column.of(self, b))
        found: Rounded = self.add(products.cells)
        return found

    def neg(self, x: Any) -> Any:
        """-x, exactly."""
        return self.operate(operator.neg, 0, (x,), lambda g, y, x: (-g,))

    def sub(self, a: Any, b: Any) -> Any:
        """a - b, rounded once."""
        return self.operate(operator.sub, 1, (a, b), lambda g, y, a, b: (g, -g if b.needs else None))

    def mul(self, a: Any, b: Any) -> Any:
        """a * b, rounded once."""
        return self.operate(operator.mul, 1, (a, b), _pull_mul)

    def div(self, a: Any, b: Any) -> Any:
        """a / b, rounded once; b's slope reuses the rounded quotient, whose own quotient may underflow."""
        return self.operate(operator.truediv, 1, (a, b), _pull_div)

    def power(self, base: Any, exponent: Any) -> Any:
        """base ** exponent, one rounding of the class of pow; a zero exponent has slope exactly 0."""
        return powers.power(self, base, exponent)

    def largest(self, xs: Sequence[Rounded], share: bool) -> Rounded:
        """The maximum: exact, but rounding decides which element it is."""
        return kinks.largest(self, xs, share)

    def is_zero(self, x: Rounded) -> bool:
        """Whether the scalar is 0 and nothing else."""
        return bool(x.ball == 0)

    def tip(self, xs: Sequence[Rounded]) -> Rounded:
        """The length of a vector of zeros: of slope 0 or, when wide, any between -1 and 1."""
        return kinks.tip(self, xs)

    def nominal(self, x: Rounded) -> float:
        """A float near the value, for decisions that do not change the result (the choice of a pivot)."""
        near = float(x.ball.mid())
        return math.inf if math.isnan(near) else near

    def sweep(
        self, outputs: Sequence[Rounded], cotangents: Sequence[Rounded], leaves: Sequence[Rounded]
    ) -> list[Rounded | None]:
        """One reverse sweep in rounded arithmetic: the cotangent of every leaf, None where no path leads."""
        self.forward = False
        return sweep(self, outputs, cotangents, leaves)

    def release(self) -> None:
        """Let go of the tape: it and the scalars hold each other, a heap for the collector to walk."""
        for block in self.blocks:
            if type(block.outputs) is Column:
                block.outputs.forget()
        self.blocks.clear()


@cache
def _noise(u: float) -> dict[int, arb]:
    """By class, the ball that a result of the class is multiplied by; its two numbers are exact."""
    return {c: arb(1, c * u) for c in {0, *CLASSES.values()}}


def _pull_mul(g: Any, y: Any, a: Any, b: Any) -> tuple[Any, Any]:
    return g * b if a.needs else None, g * a if b.needs else None


def _pull_div(g: Any, y: Any, a: Any, b: Any) -> tuple[Any, Any]:
    return g / b if a.needs else None, -(g * (y / b)) if b.needs else None


def _scaled(g: Any, slope: Any) -> Any:
    """`g * slope`; a constant slope of exactly 1, -1 or 0 costs no rounding."""
    factor = g.arena.lift(slope)
    if factor.needs:
        return g * factor
    if type(factor) is Column:
        return g.arena.by_rows(_scaled, g, factor) if any(map(_is_sign, factor.balls)) else g * factor
    if not _is_sign(factor.ball):
        return g * factor
    if factor.ball == 0:
        return g.arena.spread(factor, len(g.balls)) if type(g) is Column else factor
    return g if factor.ball > 0 else -g


def _is_sign(ball: arb) -> bool:
    return bool(ball.is_exact() and ball.is_integer() and abs(ball) <= 1)
