"""The chain rule over arrays of balls, to second order: the truth of `oracles.exact.scalars`, an array at a time.

The last axis of every array counts cases, which are of one program and know nothing of each other.

Values, slopes and bends are SymPy's, as there; second order is forward over reverse. Every operation is linear in what
it pulls back, so a pull is a function of an adjoint, or of its tangent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from oracles.arrayed.balls import Balls, Undecided, product
from oracles.arrayed.errorfree import Numbers
from oracles.arrayed.shapes import decided, evaluated, gathering, keeping, lines, shaped, turned, turning
from oracles.exact.lowering import Derived, derive
from oracles.exact.objects import Whole

ONE = Balls.of(1.0)
MOST_PRODUCTS = 50_000


class Values(Whole):
    """An array on the tape: its value and tangent, and what arrives of the adjoint of each. No tangent is 0."""

    __slots__ = ("bars", "dots", "tangent", "value")

    def __init__(self, value: Balls, tangent: Balls | None = None) -> None:
        self.value = value
        self.tangent = tangent
        self.bars: list[Balls] = []
        self.dots: list[Balls] = []

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array in each case; a constant has none."""
        return self.value.shape[:-1]

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    def adjoint(self) -> Balls | None:
        """The sum of what has arrived."""
        return _joined(self.bars, self.value.shape)

    def adjoint_tangent(self) -> Balls | None:
        """The same of the tangent."""
        return _joined(self.dots, self.value.shape)


class Fixed(Values):
    """Numbers that nothing is differentiated by."""

    __slots__ = ()


Pull = Callable[[Balls, Balls | None], None]


class Chain:
    """The algebra of arrays in which the truth is evaluated; the names are those of `oracles.exact.scalars.Truth`."""

    def __init__(self, order: int, special: dict[str, Any], structure: dict[str, Any], cases: int) -> None:
        self.cases = cases
        self.order = order
        self.special = special
        self.structure = structure
        self.blocks: list[tuple[Values, Pull]] = []

    def enter(self, step: int) -> None:
        """Every step is as true as any other."""

    def lift(self, value: Any) -> Values:
        """Plain numbers as constants."""
        return value if isinstance(value, Values) else Fixed(Balls.of(value))

    def each(self, op: str, f: Derived, operands: Sequence[Values]) -> Values:
        """Apply an elementwise op, by its derived meaning, to arrays that broadcast."""
        xs = [x.value for x in operands]
        for edge in f.edges:
            Balls.of(decided(edge)(*xs)).signs()
        value = evaluated(f.value, xs)
        moving = [(i, x) for i, x in enumerate(operands) if type(x) is not Fixed]
        if not moving:
            return Fixed(value)
        slopes = {i: Balls.of(decided(f.partials[i])(*xs)) for i, _ in moving}
        tangent = _along([(slopes[i], x.tangent) for i, x in moving])
        bends = {}
        if self.order == 2:
            for i, _ in moving:
                seconds = [(Balls.of(decided(f.seconds[i][j])(*xs)), x.tangent) for j, x in moving]
                bends[i] = _along(seconds)

        def pull(bar: Balls, dot: Balls | None) -> None:
            for i, x in moving:
                x.bars.append(slopes[i] * bar)
                _send(x, dot, lambda dot, i=i: slopes[i] * dot)  # type: ignore[misc]
                _send(x, bends.get(i), lambda bend: bend * bar)

        return self._keep(value, tangent, pull)

    def call(self, op: str, f: Derived, *xs: Values) -> Values:
        """The same."""
        return self.each(op, f, xs)

    def _keep(self, value: Balls, tangent: Balls | None, pull: Pull) -> Values:
        made = Values(value, tangent)
        self.blocks.append((made, pull))
        return made

    def linear(self, x: Values, there: Callable[[Balls], Balls], back: Callable[[Balls], Balls]) -> Values:
        """A linear function of an array, with its transpose."""
        if type(x) is Fixed:
            return Fixed(there(x.value))

        def pull(bar: Balls, dot: Balls | None) -> None:
            x.bars.append(back(bar))
            _send(x, dot, back)

        return self._keep(there(x.value), None if x.tangent is None else there(x.tangent), pull)

    def move(
        self, x: Values, there: Callable[[Numbers], Numbers], back: Callable[[Numbers], Numbers]
    ) -> Values:
        """The same numbers in other places, each once."""
        return self.linear(x, lambda b: b.moved(there), lambda b: b.moved(back))

    def total(self, x: Values, axes: tuple[int, ...]) -> Values:
        """Sums along some axes, which are kept with one place each."""
        if not axes:
            return x
        if math.prod(x.shape[i] for i in axes) == 0:
            raise Undecided("nothing to sum")
        there, kept, whole = lines(axes), keeping(x.shape, axes), x.value.shape

        def summed(b: Balls) -> Balls:
            full = b if b.shape == whole else b.moved(lambda a: np.broadcast_to(a, whole))
            return full.moved(there).total(0).moved(kept)

        return self.linear(x, summed, lambda b: b.moved(lambda a: np.broadcast_to(a, whole)))

    def spread(self, x: Values, shape: tuple[int, ...]) -> Values:
        """The same numbers in more places."""
        return self.linear(x, lambda b: b.moved(lambda a: np.broadcast_to(a, shape)), lambda b: b)

    def running(self, x: Values, axis: int) -> Values:
        """The sums along an axis up to each element."""
        turn = turning(axis)
        return self.linear(
            x,
            lambda b: b.running(axis),
            lambda b: b.moved(turn).running(axis).moved(turn),
        )

    def mul(self, a: Values, b: Values) -> Values:
        """The product of two arrays that broadcast."""
        return self.each("mul", derive("a*b", ("a", "b")), (a, b))

    def div(self, a: Values, b: Values) -> Values:
        """The quotient of two arrays that broadcast."""
        return self.each("div", derive("a/b", ("a", "b")), (a, b))

    def matmul(self, a: Values, b: Values) -> Values:
        """The product of two matrices; back: G B^T and A^T G. Few terms may be exact, and are added as such."""
        (n, k), m = a.shape, b.shape[1]
        if n * k * m > MOST_PRODUCTS or not k:
            raise Undecided("a matrix product too large, or empty")
        if k < 3:
            left = self.move(a, lambda x: x[:, :, None], shaped((n, k)))
            right = self.move(b, lambda x: x[None], shaped((k, m)))
            return self.move(self.total(self.mul(left, right), (1,)), shaped((n, m)), shaped((n, 1, m)))

        if type(a) is type(b) is Fixed:
            return Fixed(product(a.value, b.value))

        def pull(bar: Balls, dot: Balls | None) -> None:
            g = _filled(bar, (n, m))
            dg = None if dot is None else _filled(dot, (n, m))
            if type(a) is not Fixed:
                a.bars.append(product(g, b.value.moved(turned)))
                _send(a, dg, lambda dg: product(dg, b.value.moved(turned)))
                _send(a, b.tangent, lambda db: product(g, db.moved(turned)))
            if type(b) is not Fixed:
                b.bars.append(product(a.value.moved(turned), g))
                _send(b, dg, lambda dg: product(a.value.moved(turned), dg))
                _send(b, a.tangent, lambda da: product(da.moved(turned), g))

        parts = [] if a.tangent is None else [product(a.tangent, b.value)]
        parts += [] if b.tangent is None else [product(a.value, b.tangent)]
        return self._keep(product(a.value, b.value), sum(parts[1:], parts[0]) if parts else None, pull)

    def sweep(self, outputs: Sequence[Values], cotangents: Sequence[Balls]) -> None:
        """Bring to every array the parts of its adjoint, and of its adjoint's tangent."""
        for y, g in zip(outputs, cotangents, strict=True):
            y.bars.append(g)
        for y, pull in reversed(self.blocks):
            bar = y.adjoint()
            if bar is not None:
                pull(bar, y.adjoint_tangent())


def _filled(b: Balls, shape: tuple[int, ...]) -> Balls:
    """An adjoint in all places that it stands for."""
    whole = (*shape, b.shape[-1])
    return b if b.shape == whole else b.moved(lambda a: np.broadcast_to(a, whole))


def _send(x: Values, part: Balls | None, pull: Callable[[Balls], Balls]) -> None:
    if part is not None:
        x.dots.append(pull(part))


def _along(pairs: Sequence[tuple[Balls, Balls | None]]) -> Balls | None:
    """The directional derivative."""
    parts = [slope * tangent for slope, tangent in pairs if tangent is not None]
    return sum(parts[1:], parts[0]) if parts else None


def _joined(parts: list[Balls], shape: tuple[int, ...]) -> Balls | None:
    """The sum of all that arrives at the places of an array of this shape."""
    if not parts:
        return None
    if all(p.shape == shape for p in parts):
        return sum(parts[1:], parts[0])
    return gathering(parts, shape).total(0)
