"""Arithmetic as a sound implementation does it: every operation multiplied by the ball [1 - c*u, 1 + c*u].

A `Rounded` is a scalar with the ball of all values that a sound implementation may hold there. Its operators record
how to pull a cotangent back, in rounded arithmetic again, so a reverse sweep can be swept again: second order is
reverse over reverse, as subjects do it. The radius of a result is what a sound implementation may be off by.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from flint import arb

from oracles.budget.accuracy import CLASSES, CORRECT, ELEMENTARY, Precision
from oracles.budget.forms import form
from oracles.exact.lowering import HALF, Derived, derive
from oracles.exact.scalars import JUMP

Pull = Callable[..., "Sequence[Rounded | None]"]
ZERO = arb(0)
ONE = arb(1)
NOT_FINITE = arb("nan")
"""A value that may exceed the dtype's range, or a ball that reaches a pole: it tells nothing of what comes from it."""


class Block:
    """Nodes made together, and how their cotangents become their parents' cotangents.

    `pull(g, y, *parents)` for one node; `pull(gs, ys, parents)` for nodes made jointly, where some gs may be None.
    """

    __slots__ = ("joint", "outputs", "parents", "pull")

    def __init__(
        self, outputs: Sequence[Rounded], parents: Sequence[Rounded], pull: Pull, joint: bool
    ) -> None:
        self.outputs = outputs
        self.parents = parents
        self.pull = pull
        self.joint = joint


class Rounded:
    """One scalar in rounded arithmetic. `needs` says whether anything it came from is differentiated."""

    __slots__ = ("arena", "ball", "needs")

    def __init__(self, arena: Rounding, ball: arb, needs: bool) -> None:
        self.arena = arena
        self.ball = ball
        self.needs = needs

    def __add__(self, other: Any) -> Rounded:
        return self.arena.add((self, self.arena.lift(other)))

    __radd__ = __add__

    def __sub__(self, other: Any) -> Rounded:
        return self.arena.sub(self, self.arena.lift(other))

    def __rsub__(self, other: Any) -> Rounded:
        return self.arena.sub(self.arena.lift(other), self)

    def __mul__(self, other: Any) -> Rounded:
        return self.arena.mul(self, self.arena.lift(other))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Rounded:
        return self.arena.div(self, self.arena.lift(other))

    def __rtruediv__(self, other: Any) -> Rounded:
        return self.arena.div(self.arena.lift(other), self)

    def __neg__(self) -> Rounded:
        return self.arena.make(-self.ball, 0, (self,), lambda g, y, x: (-g,))

    def __abs__(self) -> Rounded:
        return self.arena.call("abs", derive("Abs(x)", ("x",)), self)

    def __pow__(self, exponent: Any) -> Rounded:
        return self.arena.power(self, exponent)

    def __rpow__(self, base: Any) -> Rounded:
        return self.arena.power(self.arena.lift(base), self)

    def __getattr__(self, name: str) -> Callable[[], Rounded]:
        """An elementary function as a method, `x.exp()`: what an expression asks of its numbers."""
        if name not in ELEMENTARY:
            raise AttributeError(f"{name} is no elementary function; see oracles/budget/accuracy.py")
        return lambda: self.arena.call(name, derive(f"{name}(x)", ("x",)), self)

    def heaviside(self) -> Rounded:
        """The unit step: 0, 1, or both where rounding may reach the step. It has no slope of its own."""
        undecided = not (self.ball > 0 or self.ball < 0)
        if undecided and self.arena.wide:
            return Rounded(self.arena, HALF, False)
        return Rounded(self.arena, ONE if self.ball.mid() > 0 else ZERO, False)

    def above(self, x: Any, y: Any) -> arb:
        """Whether x > y, one of which is this: 1, 0, or, when wide, both where rounding may reach equality."""
        gap = self.arena.lift(x).ball - self.arena.lift(y).ball
        undecided = not (gap > 0 or gap < 0)
        self.arena.touched += undecided
        if undecided and self.arena.wide:
            return HALF
        return ONE if gap.mid() > 0 else ZERO

    def between(self, a: Any, b: Any) -> Rounded:
        """All that lies between the values of two branches, one of which is this."""
        first, second = self.arena.lift(a), self.arena.lift(b)
        return second + (first - second) * Rounded(self.arena, HALF, False)


class Rounding:
    """The algebra that programs are evaluated in when a budget is wanted.

    `recording` keeps how values came to be, which a further reverse sweep needs. `touched` counts the decisions that
    rounding may take either way; a slope there is the likelier side's, or, when `wide`, all between both. `special`
    maps an op to an evaluation in this algebra that stands in for its meaning, and `variant` chooses among the forms
    of its slopes.
    """

    def __init__(
        self,
        precision: Precision,
        special: Mapping[str, Callable[..., Any]],
        wide: bool = False,
        variant: int = 0,
    ) -> None:
        self.variant = variant
        self.special = special
        self.u = precision.u
        self.bits = precision.bits
        self.tiny = arb(precision.tiny)
        self.big = arb(precision.big)
        self.blocks: list[Block] = []
        self.recording = True
        self.forward = True
        self.wide = wide
        self.touched = 0
        self._noise = {c: arb(1, c * self.u) for c in {0, *CLASSES.values()}}
        self._floor = arb(0, self.tiny)

    def leaf(self, value: float, tangent: float = 0.0) -> Rounded:
        """An input element: exact, because truth is the truth of what the subject saw."""
        return Rounded(self, arb(value), True)

    def constant(self, value: float | arb) -> Rounded:
        """A number that nothing is differentiated by."""
        return Rounded(self, arb(value), False)

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Evaluate without recording: the value of a block whose pull is its own."""
        before, self.recording = self.recording, False
        try:
            yield
        finally:
            self.recording = before

    def lift(self, value: Any) -> Rounded:
        """A plain number as a constant, rounded where it is none of the dtype's; a rounded scalar as it is."""
        if isinstance(value, Rounded):
            return value
        if isinstance(value, arb) and not self._fits(value):  # such as 2/sqrt(pi)
            value = value * self._noise[CORRECT]
        return self.constant(value)

    def make(self, exact: arb, c: int, parents: Sequence[Rounded], pull: Pull) -> Rounded:
        """A new value, within c * u of `exact`, whose cotangent `pull(g, y, *parents)` gives to its parents.

        Going forward, a correctly rounded operation whose result fits the dtype's significand makes no error. Going
        back it may: g*(a/b) and (g*a)/b are both sound, and only one of them may be exact. A value that may leave the
        dtype's range becomes `NOT_FINITE`, and so does what comes from it; the rest stays as it is.
        """
        if c and not (c == CORRECT and self.forward and self._fits(exact)):
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
            self.blocks.append(Block((y,), parents, pull, joint=False))
        return y

    def _fits(self, exact: arb) -> bool:
        """Whether a number is one of the dtype's own."""
        if not exact.is_exact() or exact.bits() > self.bits:
            return False
        return bool(abs(exact) >= self.tiny) or exact.is_zero()

    def attach(self, values: Sequence[Rounded], parents: Sequence[Rounded], pull: Pull) -> list[Rounded]:
        """The same values, with one joint pull for all of them: `pull(gs, ys, parents)`, where some gs are None."""
        needs = any(p.needs for p in parents)
        outputs = [Rounded(self, v.ball, needs) for v in values]
        if self.recording and needs:
            self.blocks.append(Block(outputs, parents, pull, joint=True))
        return outputs

    def call(self, op: str, f: Derived, *xs: Rounded) -> Rounded:
        """Apply an elementwise op: one rounding where it is elementary, else step by step from its meaning."""
        if op not in CLASSES or dict(f.fixed).get("alpha", 1) != 1:
            stepwise: Rounded = f.value(*xs)
            return stepwise
        if op == "div" and self.variant and not xs[0].needs:  # PyTorch: number / x is reciprocal(x) * number
            return self.mul(xs[0], self.call("reciprocal", derive("1/x", ("x",)), xs[1]))
        if f.stepped:
            self._decide(f, xs)
        partials = form(op, f, self.variant)

        def pull(g: Rounded, y: Rounded, *xs: Rounded) -> list[Rounded | None]:
            return [_scaled(g, p(y, *xs)) if x.needs else None for p, x in zip(partials, xs, strict=True)]

        return self.make(arb(f.value(*(x.ball for x in xs))), CLASSES[op], xs, pull)

    def _decide(self, f: Derived, xs: Sequence[Rounded]) -> None:
        balls = [x.ball for x in xs]
        self.touched += any(arb(p(*balls)).rad() > JUMP for p in f.partials)

    def add(self, xs: Sequence[Rounded]) -> Rounded:
        """The sum in any order: each of the n - 1 additions errs by at most u times what it makes.

        What the last makes is the sum itself; for the others, see `_partial_sums`.
        """
        if len(xs) == 1:
            return xs[0]
        total = ZERO
        for x in xs:
            total += x.ball
        if not (len(xs) == 2 and self.forward and self._fits(total)):
            made = abs(total) if len(xs) == 2 else abs(total) + _partial_sums(xs)
            growth = math.exp((len(xs) - 2) * self.u)  # later additions carry each error on
            total += arb(0, made.abs_upper() * self.u * growth)
        return self.make(total, 0, tuple(xs), lambda g, y, *xs: (g,) * len(xs))

    def dot(self, a: Sequence[Rounded], b: Sequence[Rounded]) -> Rounded:
        """The inner product, in any order of accumulation."""
        products = [self.mul(x, y) for x, y in zip(a, b, strict=True)]
        return self.add(products) if products else self.constant(0)

    def neg(self, x: Rounded) -> Rounded:
        """-x, exactly."""
        return -x

    def sub(self, a: Rounded, b: Rounded) -> Rounded:
        """a - b, rounded once."""
        return self.make(a.ball - b.ball, 1, (a, b), lambda g, y, a, b: (g, -g if b.needs else None))

    def mul(self, a: Rounded, b: Rounded) -> Rounded:
        """a * b, rounded once."""
        return self.make(
            a.ball * b.ball,
            1,
            (a, b),
            lambda g, y, a, b: (g * b if a.needs else None, g * a if b.needs else None),
        )

    def div(self, a: Rounded, b: Rounded) -> Rounded:
        """a / b, rounded once; b's slope reuses the rounded quotient, whose own quotient may underflow."""
        return self.make(
            a.ball / b.ball,
            1,
            (a, b),
            lambda g, y, a, b: (g / b if a.needs else None, -(g * (y / b)) if b.needs else None),
        )

    def power(self, base: Rounded, exponent: Any) -> Rounded:
        """base ** exponent, one rounding of the class of pow; a zero exponent has slope exactly 0."""
        n = self.lift(exponent)

        def pull(g: Rounded, y: Rounded, base: Rounded, n: Rounded) -> list[Rounded | None]:
            by_base = None if n.ball == 0 else g * (n * base ** (n - 1 if n.needs else n.ball - 1))
            return [by_base if base.needs else None, g * (y * base.log()) if n.needs else None]

        ball = base.ball**n.ball if not _integer(n.ball) else base.ball ** int(float(n.ball))
        return self.make(ball, CLASSES["pow"], (base, n), pull)

    def largest(self, xs: Sequence[Rounded], share: bool) -> Rounded:
        """The maximum: exact, but rounding decides which element it is."""
        value = xs[0].ball
        for x in xs[1:]:
            value = arb.max(value, x.ball)
        slopes = self._shares(xs, share)

        def pull(g: Rounded, y: Rounded, *xs: Rounded) -> list[Rounded | None]:
            return [None if s is None else g if s is ONE else g * Rounded(self, s, False) for s in slopes]

        return self.make(value, 0, tuple(xs), pull)

    def _shares(self, xs: Sequence[Rounded], share: bool) -> list[arb | None]:
        """What part of the maximum's cotangent each element gets; None where rounding cannot make it the largest."""
        floor = max((x.ball.lower() for x in xs), key=float)
        reached = [not x.ball < floor for x in xs]
        if sum(reached) == 1:
            return [ONE if hit else None for hit in reached]
        self.touched += 1
        if self.wide:
            return [HALF if hit else None for hit in reached]
        top = max(self.nominal(x) for x in xs)
        tied = [self.nominal(x) == top for x in xs]
        if share:
            return [ONE / sum(tied) if t else None for t in tied]
        return [ONE if i == tied.index(True) else None for i in range(len(xs))]

    def is_zero(self, x: Rounded) -> bool:
        """Whether the scalar is 0 and nothing else."""
        return bool(x.ball == 0)

    def tip(self, xs: Sequence[Rounded]) -> Rounded:
        """The length of a vector of zeros: of slope 0 or, when wide, any between -1 and 1."""
        self.touched += 1
        slope = Rounded(self, arb(0, 1) if self.wide else ZERO, False)
        return self.make(ZERO, 0, tuple(xs), lambda g, y, *xs: [g * slope] * len(xs))

    def nominal(self, x: Rounded) -> float:
        """A float near the value, for decisions that do not change the result (the choice of a pivot)."""
        near = float(x.ball.mid())
        return math.inf if math.isnan(near) else near

    def sweep(
        self, outputs: Sequence[Rounded], cotangents: Sequence[Rounded], leaves: Sequence[Rounded]
    ) -> list[Rounded | None]:
        """One reverse sweep in rounded arithmetic: the cotangent of every leaf, None where no path leads."""
        self.forward = False
        arriving: dict[Rounded, list[Rounded]] = {}
        for y, g in zip(outputs, cotangents, strict=True):
            arriving.setdefault(y, []).append(g)
        for block in reversed(self.blocks.copy()):
            if block.joint:
                given = [arriving.get(y) for y in block.outputs]
                if not any(given):
                    continue
                gs = [None if g is None else self.add(g) for g in given]
                pulled = block.pull(gs, block.outputs, block.parents)
            else:
                (y,) = block.outputs
                parts = arriving.get(y)
                if parts is None:
                    continue
                pulled = block.pull(parts[0] if len(parts) == 1 else self.add(parts), y, *block.parents)
            for parent, part in zip(block.parents, pulled, strict=True):
                if part is not None and parent.needs:
                    arriving.setdefault(parent, []).append(part)
        return [self.add(arriving[x]) if x in arriving else None for x in leaves]


def _partial_sums(xs: Sequence[Rounded]) -> float:
    """The most that the magnitudes of all partial sums but the last can add up to, in any order of summation.

    At most n - k + 1 of the additions make a sum of k terms or more (a chain has just so many), and no k terms sum to
    more than the k largest of one sign. Higham, Accuracy and Stability of Numerical Algorithms, section 4.2, bounds the
    error of a sum by u times these magnitudes.
    """
    reaches = [(float(x.ball.upper()), -float(x.ball.lower())) for x in xs]
    up = sorted((max(r, 0.0) for r, _ in reaches), reverse=True)
    down = sorted((max(r, 0.0) for _, r in reaches), reverse=True)
    sums, above, below = 0.0, up[0], down[0]
    for k in range(1, len(xs) - 1):
        above, below = above + up[k], below + down[k]
        sums += max(above, below)
    return sums


def _scaled(g: Rounded, slope: Any) -> Rounded:
    """`g * slope`; a constant slope of exactly 1, -1 or 0 costs no rounding."""
    factor = g.arena.lift(slope)
    ball = factor.ball
    if factor.needs:
        return g * factor
    if ball.is_exact() and ball.is_integer() and abs(ball) <= 1:
        return g if ball > 0 else -g if ball < 0 else Rounded(g.arena, ZERO, False)
    return g * factor


def _integer(ball: arb) -> bool:
    return bool(ball.is_integer()) and abs(ball) < 1000
