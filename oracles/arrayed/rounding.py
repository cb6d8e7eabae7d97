"""Rounded arithmetic on arrays: the error model of `oracles.budget`, one operation of it for all elements at a time.

The last axis of every array counts cases, which are of one program and know nothing of each other.

The classes, the forms and the bounds of sums are those of `oracles.budget`, evaluated on `Balls` in place of Arb's.
What an array does not decide for all its elements is `Undecided`, and the case is left to the scalars.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from flint import arb

from oracles.arrayed.balls import OUT, Balls, Undecided, product
from oracles.arrayed.errorfree import Numbers, some
from oracles.arrayed.shapes import decided, evaluated, gathering, keeping, lines, turned, turning
from oracles.arrayed.sums import added, prefixes, total, unless
from oracles.budget import rounded
from oracles.budget.accuracy import CLASSES, CORRECT, Precision
from oracles.budget.forms import FORMS, form
from oracles.budget.scalars import Arithmetic
from oracles.budget.sums import CHEAPER, SHORT
from oracles.budget.sums import SMALL as MANY_PRODUCTS
from oracles.exact.lowering import Derived, Lowered, derive
from oracles.exact.objects import Whole

MOST_PRODUCTS = 50_000
"""A matrix product of more products than this is left to the scalars, which take less memory."""


class Field(Arithmetic, Whole):
    """An array in rounded arithmetic, as `Rounded` is one scalar.

    `summed` are, by element, the number of terms and the sum of their magnitudes, where a cotangent is a sum that a
    library may take together with whatever else arrives.
    """

    __slots__ = ("arena", "arrived", "balls", "needs", "summed")
    arena: Any

    def __init__(self, arena: Fields, balls: Balls, needs: bool) -> None:
        self.arena = arena
        self.balls = balls
        self.needs = needs
        self.arrived: list[Field] = []
        self.summed: tuple[Numbers, Numbers] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array in each case; a constant has none."""
        return self.balls.shape[:-1]

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    def heaviside(self) -> Field:
        """The unit step, which has no slope of its own."""
        return Field(self.arena, self.balls.heaviside(), False)

    def larger(self, other: Any) -> Field:
        """A maximum within a meaning is left to the scalars."""
        raise Undecided("a maximum of two")


Pull = Callable[..., Sequence[Field | None]]


class Fields:
    """The algebra of fields. The names are those of `oracles.budget.rounded.Rounding`."""

    def __init__(
        self,
        precision: Precision,
        special: dict[str, Any],
        structure: dict[str, Any],
        variant: int,
        cases: int,
    ) -> None:
        self.cases = cases
        self.special = special
        self.structure = structure
        self.variant = variant
        self.u, self.tiny, self.big, self.bits = precision.u, precision.tiny, precision.big, precision.bits
        self.most = self.big / OUT
        self.blocks: list[tuple[Field, Sequence[Field], Pull | None]] = []
        self.recording = True
        self.forward = True

    def enter(self, step: int) -> None:
        """Every step rounds alike."""

    def field(self, value: Any, needs: bool = False) -> Field:
        """Numbers as they are."""
        return Field(self, Balls.of(value), needs)

    def lift(self, value: Any) -> Any:
        """A plain number as a constant, rounded where it is none of the dtype's; a field as it is."""
        if isinstance(value, Field):
            return value
        balls = Balls.of(value)
        if isinstance(value, float | arb) and not balls.fits(self.bits, self.tiny).all():
            balls = balls.widened(balls.size * self.u)
        return Field(self, balls, False)

    def make(self, exact: Balls, c: int, parents: Sequence[Field], pull: Pull) -> Field:
        """A new value, within c * u of `exact`; see `Rounding.make`.

        Raises:
            Undecided: an element may leave the dtype's range.
        """
        reach = exact.size if exact.rad is None else exact.size + exact.rad
        if c:
            error = reach * (c * self.u * OUT) + self.tiny
            if c == CORRECT and self.forward:
                exact = unless(exact.fits(self.bits, self.tiny), exact, error)
            else:
                exact = exact.widened(error)
            reach = reach + error
        if not np.maximum.reduce(reach, None, initial=0.0) < self.most:
            raise Undecided("a value may overflow")
        y = Field(self, exact, any(x.needs for x in parents))
        if y.needs and self.recording:
            self.blocks.append((y, parents, pull))
        return y

    def attach(self, value: Field, parents: Sequence[Field], pull: Pull) -> Field:
        """The same value with a pull of its own."""
        return self.make(value.balls, 0, parents, pull)

    def silently(self, function: Callable[[], Field]) -> Field:
        """A value evaluated without recording, because its pull is its own."""
        before, self.recording = self.recording, False
        try:
            return function()
        finally:
            self.recording = before

    def call(self, op: str, f: Derived, *xs: Field) -> Any:
        """Apply an elementwise op: one rounding where it is elementary, else step by step from its meaning."""
        whole = op in CLASSES and dict(f.fixed).get("alpha", 1) == 1
        if not whole and op not in FORMS:
            return self.lift(self._asked(f.value, xs))
        if op == "div" and self.variant and not xs[0].needs:  # PyTorch: number / x is reciprocal(x) * number
            return self.mul(xs[0], self.call("reciprocal", derive("1/x", ("x",)), xs[1]))
        for edge in (*f.edges, *(f.partials if f.stepped else ())):
            decided(edge)(*(x.balls for x in xs))
        partials = form(op, f, self.variant)

        def pull(g: Field, y: Field, *xs: Field) -> list[Field | None]:
            return [
                _scaled(g, self._asked(p, (y, *xs))) if x.needs else None
                for p, x in zip(partials, xs, strict=True)
            ]

        if not whole:
            made = self.silently(lambda: self.lift(self._asked(f.value, xs)))
            return self.make(made.balls, 0, xs, pull)
        return self.make(evaluated(f.value, [x.balls for x in xs]), CLASSES[op], xs, pull)

    def each(self, op: str, f: Derived, operands: Sequence[Field]) -> Field:
        """The same, of operands that broadcast: each row has its own roundings, also of what it shares with others."""
        if len({x.balls.shape for x in operands if x.needs}) > 1 or any(
            x.ndim for x in operands if not x.needs
        ):
            whole = np.broadcast_shapes(*(x.balls.shape for x in operands))
            operands = [self.spread(x, whole) if x.ndim or x.needs else x for x in operands]
        made: Field = self.call(op, f, *operands)
        return made if made.ndim or not operands[0].ndim else self.spread(made, operands[0].balls.shape)

    def _asked(self, formula: Lowered, xs: Sequence[Field]) -> Any:
        return decided(formula)(*xs)

    def add(self, xs: Sequence[Field]) -> Field:
        """The sum of two, or of more of one shape, in any order."""
        if len(xs) == 1:
            return xs[0]
        if len(xs) == 2:
            return self.make(added(self, xs[0].balls + xs[1].balls), 0, xs, lambda g, y, *xs: (g,) * 2)
        stack = gathering([x.balls for x in xs], xs[0].balls.shape)
        return self.make(total(self, stack, 0), 0, xs, lambda g, y, *xs: (g,) * len(xs))

    def total(self, x: Field, axes: tuple[int, ...]) -> Field:
        """Sums along some axes, which are kept with one place each."""
        if not axes:
            return x
        if math.prod(x.shape[i] for i in axes) == 0:
            raise Undecided("nothing to sum")
        made = total(self, x.balls.moved(lines(axes)), 0).moved(keeping(x.shape, axes))
        return self.make(made, 0, (x,), lambda g, y, x: (g,))

    def spread(self, x: Field, shape: tuple[int, ...]) -> Field:
        """The same numbers in more places; back: all that arrives anywhere, with nothing summed before the rest is."""
        if x.balls.shape == shape:
            return x
        y = Field(self, x.balls.moved(lambda a: np.broadcast_to(a, shape)), x.needs)
        if x.summed is not None:
            y.summed = tuple(np.broadcast_to(part, shape) for part in x.summed)  # type: ignore[assignment]
        if y.needs and self.recording:
            self.blocks.append((y, (x,), None))
        return y

    def move(
        self, x: Field, there: Callable[[Numbers], Numbers], back: Callable[[Numbers], Numbers]
    ) -> Field:
        """The same numbers in other places, each once."""
        made = self.make(x.balls.moved(there), 0, (x,), lambda g, y, x: (self.move(g, back, there),))
        if x.summed is not None:
            made.summed = there(x.summed[0]), there(x.summed[1])
        return made

    def running(self, x: Field, axis: int) -> Field:
        """The sums along an axis up to each element; back: the same from the end."""
        n = x.shape[axis]
        sizes = Balls(x.balls.upper()).running(axis).upper()
        places = np.arange(n).reshape([-1 if i == axis else 1 for i in range(x.balls.mid.ndim)])
        made = x.balls.running(axis)
        if n <= SHORT:
            made = prefixes(self, x.balls, made, axis)
        else:
            wide = made.widened(sizes * (places * self.u)).rad
            made = Balls(made.mid, np.where(places == 0, 0.0 if made.rad is None else made.rad, wide))  # type: ignore[arg-type]

        def pull(g: Field, y: Field, x: Field) -> tuple[Field]:
            turn = turning(axis)
            return (self.move(self.running(self.move(g, turn, turn), axis), turn, turn),)

        y = self.make(made, 0, (x,), pull)
        if not self.forward:
            y.summed = np.broadcast_to(places + 1, sizes.shape), sizes
        return y

    def matmul(self, a: Field, b: Field) -> Field:
        """The product of two matrices; see `sums.matmul`."""
        (n, k), m = a.shape, b.shape[1]
        steps = n * m * (1 + k // CHEAPER)
        if n * k * m > MOST_PRODUCTS or steps > rounded.MOST_STEPS or not k:
            raise Undecided("a matrix product too large, or empty")
        sizes: Numbers = 0.0
        if self.forward or n * k * m <= MANY_PRODUCTS:
            left = a.balls.moved(lambda x: x.swapaxes(0, 1)[:, :, None])
            terms = self._rounded(left * b.balls.moved(lambda x: x[:, None]))  # (k, n, m)
            made = total(self, terms, 0)
            sizes = np.add.reduce(terms.upper(), 0) * (1 + k * 2.0**-52)
        else:
            made, again = product(a.balls, b.balls), 1 + (k - 1) * self.u
            raw = product(Balls(a.balls.upper()), Balls(b.balls.upper())).upper()
            made = made.widened(raw * (self.u * again + (k - 1) * self.u) * OUT + k * again * self.tiny)
            sizes = raw * (1 + self.u) + k * self.tiny

        def pull(g: Field, y: Field, a: Field, b: Field) -> tuple[Field | None, Field | None]:
            turn = turned
            return (
                self.matmul(g, self.move(b, turn, turn)) if a.needs else None,
                self.matmul(self.move(a, turn, turn), g) if b.needs else None,
            )

        y = self.make(made, 0, (a, b), pull)
        if not self.forward:
            y.summed = np.full(sizes.shape, k), sizes
        return y

    def _rounded(self, exact: Balls) -> Balls:
        """Products, each rounded but where going forward it fits."""
        return self.make(exact, CORRECT, (), lambda g, y: ()).balls

    def neg(self, x: Field) -> Field:
        """-x, exactly."""
        return self.make(-x.balls, 0, (x,), lambda g, y, x: (-g,))

    def sub(self, a: Field, b: Field) -> Field:
        """a - b, rounded once."""
        return self.make(a.balls - b.balls, CORRECT, (a, b), lambda g, y, a, b: (g, -g if b.needs else None))

    def mul(self, a: Field, b: Field) -> Field:
        """a * b, rounded once."""
        return self.make(
            a.balls * b.balls,
            CORRECT,
            (a, b),
            lambda g, y, a, b: (g * b if a.needs else None, g * a if b.needs else None),
        )

    def div(self, a: Field, b: Field) -> Field:
        """a / b, rounded once; b's slope reuses the rounded quotient."""
        return self.make(
            a.balls / b.balls,
            CORRECT,
            (a, b),
            lambda g, y, a, b: (g / b if a.needs else None, -(g * (y / b)) if b.needs else None),
        )

    def power(self, base: Field, exponent: Any) -> Field:
        """base ** exponent for a plain number; see `powers.power`."""
        if not isinstance(exponent, int | float | arb):
            raise Undecided("a power with an exponent that is no plain number")

        def pull(g: Field, y: Field, base: Field) -> tuple[Field]:
            return (g * (self.lift(exponent) * base ** (exponent - 1)),)

        if exponent == 0:
            pull = _nothing  # type: ignore[assignment]
        return self.make(base.balls**exponent, CLASSES["pow"], (base,), pull)

    def sweep(
        self, outputs: Sequence[Field], cotangents: Sequence[Field], leaves: Sequence[Field]
    ) -> list[Field | None]:
        """One reverse sweep in rounded arithmetic: the cotangent of every leaf, None where no path leads."""
        self.forward = False
        for y, g in zip(outputs, cotangents, strict=True):
            if y.needs:
                y.arrived.append(g)
        for y, parents, pull in reversed(self.blocks.copy()):
            if pull is None:
                parents[0].arrived.extend(self._filling(part, y.balls.shape) for part in y.arrived)
                y.arrived = []
                continue
            bar = self._taken(y)
            if bar is not None:
                for parent, part in zip(parents, pull(bar, y, *parents), strict=True):
                    if part is not None and parent.needs:
                        parent.arrived.append(part)
        return [self._taken(x) for x in leaves]

    def _filling(self, part: Field, shape: tuple[int, ...]) -> Field:
        """What has arrived at an array of this shape, in all of its places: more of them, if it was spread again."""
        return self.spread(part, np.broadcast_shapes(part.balls.shape, shape))

    def _taken(self, y: Field) -> Field | None:
        """The sum of all that has arrived, in any order, in each of y's places."""
        parts, y.arrived, shape = y.arrived, [], y.balls.shape
        if not parts:
            return None
        if all(p.balls.mid.ndim == len(shape) and p.balls.mid.size <= y.balls.mid.size for p in parts):
            parts = [self.spread(p, shape) for p in parts]
            if len(parts) == 1:
                return parts[0]
            if not any(p.summed for p in parts):
                return self.add(parts)
        stack = gathering([p.balls for p in parts], shape)

        def pull(g: Field, *_: Any) -> list[Field]:
            return [g] * len(parts)

        if not any(p.summed for p in parts):
            return self.make(total(self, stack, 0), 0, parts, pull)
        rows = [p.summed or (1, p.balls.upper()) for p in parts]
        counts, sizes = (
            gathering(
                [Balls(np.broadcast_to(n, p.balls.shape)) for p, n in zip(parts, column, strict=True)], shape
            ).mid
            for column in zip(*rows, strict=True)
        )
        noise = np.add.reduce(sizes * (np.add.reduce(counts, 0) - counts), 0).astype(np.float64)
        return self.make(stack.total(0).widened(noise * (self.u * OUT)), 0, parts, pull)


def _nothing(*_: Any) -> tuple[None]:
    return (None,)


def _scaled(g: Field, slope: Any) -> Field:
    """`g * slope`; a constant slope of exactly 1, -1 or 0 costs no rounding."""
    arena: Fields = g.arena
    factor = arena.lift(slope)
    if factor.needs:
        return g * factor  # type: ignore[no-any-return]
    size = factor.balls.size
    plain = (size == 1) | (factor.balls.mid == 0)
    if factor.balls.rad is not None:
        plain = plain & (factor.balls.rad == 0)
    if not some(~plain) and factor.balls.mid.size and g.balls.mid.size >= factor.balls.mid.size:
        if not some(factor.balls.mid != 1):
            return g
        if not some(factor.balls.mid != -1):
            return -g  # type: ignore[no-any-return]
    if not some(plain):
        return g * factor  # type: ignore[no-any-return]
    made = g.balls * factor.balls
    rounded = made.widened(made.upper() * arena.u + arena.tiny)
    kept = Balls(made.mid, np.where(plain, 0.0 if g.balls.rad is None else g.balls.rad * size, rounded.rad))
    return arena.make(kept, 0, (g,), lambda h, y, g: (_scaled(h, slope),))
