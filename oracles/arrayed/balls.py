"""Ball arithmetic on NumPy arrays: midpoints of 64 bits, radii in float64.

x86's extended numbers are correctly rounded to 64 bits by +, -, *, / and sqrt (IEEE 754), so every operation is off by
at most `EPS` times its result; they reach from 2^-16445 to 2^16384, so no result of numbers in float64's range leaves
theirs. A radius is a sum of products of numbers that are not negative, each rounded by at most 2^-53 of itself: `OUT`
is more than what twenty such roundings take away, and `SLACK` more than what underflow does. Where numbers are exact
and a result may be so too, an error-free transformation (Dekker 1971, Knuth) says whether it is.

Nothing here decides: where a ball touches a border, `Undecided` leaves the case to Arb.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from flint import arb, ctx

from oracles.arrayed.errorfree import LONG, Numbers, inexact_product, left_of_sum, short, some

EPS = 2.0**-64
OUT = 1 + 2.0**-45
SLACK = 2.0**-1070


class Undecided(ArithmeticError):
    """What arrays cannot decide; Arb can."""


def extended() -> bool:
    """Whether this machine's `numpy.longdouble` has 64 bits and rounds to them."""
    one, small = LONG(1), LONG(2) ** -63
    return np.finfo(LONG).nmant == 63 and bool((one + small) - one == small)


class Balls:
    """An array of balls. A radius of None is 0: every number is exact.

    `kept` are functions of it that were asked for before.
    """

    __slots__ = ("_size", "kept", "mid", "rad")
    __array_ufunc__ = None

    def __init__(self, mid: Numbers, rad: Numbers | None = None) -> None:
        self.mid = mid
        self.rad = rad
        self._size: Numbers | None = None
        self.kept: dict[str, Any] = {}

    @classmethod
    def of(cls, value: Any) -> Balls:
        """A plain number, an array of float64 or an Arb ball."""
        if isinstance(value, Balls):
            return value
        if isinstance(value, arb):
            return gathered([value], ())
        return cls(np.asarray(value, dtype=LONG))

    @property
    def shape(self) -> tuple[int, ...]:
        """The array's shape."""
        shape: tuple[int, ...] = self.mid.shape
        return shape

    @property
    def size(self) -> Numbers:
        """The magnitudes of the midpoints, in float64."""
        if self._size is None:
            self._size = abs(self.mid.astype(np.float64))
        return self._size

    def with_radius(self, rad: Numbers | None) -> Balls:
        """The same midpoints, of other radii."""
        made = Balls(self.mid, rad)
        made._size = self._size
        return made

    def widened(self, error: Numbers) -> Balls:
        """The same midpoints with so much more of a radius, rounded outward."""
        return self.with_radius((error if self.rad is None else self.rad + error) * OUT + SLACK)

    def moved(self, move: Callable[[Numbers], Numbers]) -> Balls:
        """The same balls elsewhere."""
        return Balls(move(self.mid), None if self.rad is None else move(self.rad))

    def __neg__(self) -> Balls:
        made = Balls(-self.mid, self.rad)
        made._size = self._size
        return made

    def __add__(self, other: Any) -> Balls:
        return _sum(self, Balls.of(other))

    __radd__ = __add__

    def __sub__(self, other: Any) -> Balls:
        return _sum(self, -Balls.of(other))

    def __rsub__(self, other: Any) -> Balls:
        return _sum(Balls.of(other), -self)

    def __mul__(self, other: Any) -> Balls:
        return _product(self, Balls.of(other))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Balls:
        return _quotient(self, Balls.of(other))

    def __rtruediv__(self, other: Any) -> Balls:
        return _quotient(Balls.of(other), self)

    def __abs__(self) -> Balls:
        return Balls(self.mid * self.signs(), self.rad)

    def __rpow__(self, base: Any) -> Balls:
        from oracles.arrayed.functions import by_arb

        return by_arb(self, lambda ball: arb(base) ** ball)

    def __pow__(self, exponent: Any) -> Balls:
        if isinstance(exponent, Balls):
            raise Undecided("a power of a base and an exponent that both vary")
        number = float(exponent)
        if number != exponent:
            raise Undecided("a power that is none of float64's numbers")
        if number == -1:
            return 1 / self
        if number in (0.5, -0.5):
            root: Balls = self.sqrt()
            return root if number > 0 else 1 / root
        if not (number.is_integer() and 0 <= number <= 4):
            from oracles.arrayed.functions import by_arb

            return by_arb(self, lambda ball: ball**exponent)
        power = Balls(np.ones_like(self.mid))
        for n in range(int(number)):
            power = power * self if n else self
        return power

    def __getattr__(self, name: str) -> Callable[[], Balls]:
        """An elementary function as a method, `x.exp()`, evaluated once."""
        from oracles.arrayed.functions import function

        found = function(name)
        if found is None:
            raise AttributeError(name)

        def kept() -> Balls:
            if name not in self.kept:
                self.kept[name] = found(self)
            made: Balls = self.kept[name]
            return made

        return kept

    def signs(self) -> Numbers:
        """1 or -1 for every ball.

        Raises:
            Undecided: one touches 0.
        """
        if some(~(self.size > (0.0 if self.rad is None else self.rad * OUT))):
            raise Undecided("a ball touches a border")
        return np.where(self.mid > 0, LONG(1), LONG(-1))

    def heaviside(self) -> Balls:
        """The unit step."""
        return Balls(np.where(self.signs() > 0, LONG(1), LONG(0)))

    def larger(self, other: Any) -> Balls:
        """The larger of two, each time the same one whatever the numbers in the balls are."""
        second = Balls.of(other)
        above = (self - second).signs() > 0
        mid = np.where(above, self.mid, second.mid)
        if self.rad is None and second.rad is None:
            return Balls(mid)
        own, others = (0.0 if b.rad is None else b.rad for b in (self, second))
        return Balls(mid, np.where(above, own, others))

    def positive(self) -> Numbers:
        """The least number in every ball, in float64.

        Raises:
            Undecided: one is not positive.
        """
        least = self.size if self.rad is None else self.size / OUT - self.rad * OUT
        if some(~((self.mid > 0) & (least > 0))):
            raise Undecided("a ball touches 0")
        return least

    def upper(self) -> Numbers:
        """A number of float64 no smaller than any magnitude in each ball."""
        return (self.size if self.rad is None else self.size + self.rad) * OUT + SLACK

    def total(self, axis: int) -> Balls:
        """The sums along an axis: of rows, and of their sums, in whichever order NumPy adds them.

        A number takes part in at most rows + columns - 2 additions.
        """
        count = self.shape[axis]
        if count <= 2:
            parts = [self.moved(lambda a, n=n: first(a, axis)[n]) for n in range(count)]  # type: ignore[misc]
            return _sum(*parts) if count == 2 else parts[0]
        mid = first(self.mid, axis)
        rows = math.isqrt(count)
        columns = -(-count // rows)
        if rows * columns > count:
            mid = np.concatenate((mid, np.zeros((rows * columns - count, *mid.shape[1:]), LONG)))
        made = np.add.reduce(np.add.reduce(mid.reshape(columns, rows, *mid.shape[1:]), 0), 0)
        error = np.add.reduce(self.size, axis) * ((rows + columns - 2) * EPS * (1 + count * 2.0**-52))
        if self.rad is not None:
            error = error + np.add.reduce(self.rad, axis) * (1 + count * 2.0**-52)
        return Balls(made, error * OUT + SLACK)

    def running(self, axis: int) -> Balls:
        """The sums along an axis up to each element; each addition errs by at most EPS of what it makes.

        The first is a term, and the second a sum of two, exact where it can be.
        """
        line = self.moved(lambda a: first(a, axis))
        made = Balls(np.add.accumulate(line.mid, 0))
        errors = made.size * (EPS * OUT)
        errors[0] = 0.0
        if line.rad is not None:
            errors = errors + line.rad
        rad = np.add.accumulate(errors, 0) * ((1 + len(errors) * 2.0**-52) * OUT) + SLACK
        rad[0] = 0.0 if line.rad is None else line.rad[0]
        if len(rad) > 1:
            pair = line.moved(lambda a: a[:2]).total(0)
            rad[1] = 0.0 if pair.rad is None else pair.rad
        return Balls(made.mid, rad).moved(lambda a: last(a, axis))

    def fits(self, bits: int, tiny: float) -> Numbers:
        """Where a number is exact, of at most so many bits, and 0 or no smaller than `tiny`."""
        whole = short(self.mid, bits) & ((self.size >= tiny) | (self.mid == 0))
        return whole if self.rad is None else whole & (self.rad == 0)


def product(a: Balls, b: Balls) -> Balls:
    """Matrix products, of shapes (n, k) and (k, m), for every place of the last axis: sums of parts of the sums.

    A number is rounded once, and takes part in at most part + parts - 2 additions.
    """
    (left, wide), (right, tall) = ((_front(x.mid), _front(x.size)) for x in (a, b))
    k = left.shape[-1]
    part = math.isqrt(k)
    cuts = range(0, k, part)
    mid = left[..., :part] @ right[..., :part, :]
    for n in cuts[1:]:
        mid = mid + left[..., n : n + part] @ right[..., n : n + part, :]
    grown = (1 + k * 2.0**-50) * OUT
    error = (wide @ tall) * ((part + len(cuts) - 1) * EPS)
    if a.rad is not None:
        error = error + _front(a.rad) @ (tall if b.rad is None else tall + _front(b.rad))
    if b.rad is not None:
        error = error + wide @ _front(b.rad)
    return Balls(_back(mid), _back(error * grown + k * SLACK))


def _front(a: Numbers) -> Numbers:
    return a.transpose(2, 0, 1)


def _back(a: Numbers) -> Numbers:
    return a.transpose(1, 2, 0)


def first(a: Numbers, axis: int) -> Numbers:
    """An array with this axis before all others."""
    axis %= a.ndim
    return a if axis == 0 else a.transpose((axis, *range(axis), *range(axis + 1, a.ndim)))


def last(a: Numbers, axis: int) -> Numbers:
    """An array with its first axis in this place."""
    axis %= a.ndim
    return a if axis == 0 else a.transpose((*range(1, axis + 1), 0, *range(axis + 1, a.ndim)))


def _sum(a: Balls, b: Balls) -> Balls:
    made = Balls(a.mid + b.mid)
    exact = _exact(a, b)
    if exact is not True:
        made.rad = (_radii(a, b) + EPS * made.size) * OUT + SLACK
    if exact is not False:
        error = abs(left_of_sum(a.mid, b.mid, made.mid).astype(np.float64))
        if exact is not True:
            made.rad = np.where(exact, error * OUT, made.rad)
        elif some(error):
            made.rad = error * OUT
    return made


def _exact(a: Balls, b: Balls) -> Any:
    """Where both numbers are: True and False for everywhere and nowhere."""
    if a.rad is None and b.rad is None:
        return True
    exact = _radii(a, b) == 0
    return exact if some(exact) else False


def _radii(a: Balls, b: Balls) -> Numbers:
    return b.rad if a.rad is None else a.rad if b.rad is None else a.rad + b.rad


def _product(a: Balls, b: Balls) -> Balls:
    made = Balls(a.mid * b.mid)
    error = EPS * made.size
    if a.rad is not None:
        error = error + a.rad * b.size
    if b.rad is not None:
        error = error + b.rad * a.size
        if a.rad is not None:
            error = error + a.rad * b.rad
    made.rad = error * OUT + SLACK
    exact = _exact(a, b)
    if exact is not False:
        _keep_exact(made, exact, a.mid, b.mid, made.mid)
    return made


def _keep_exact(made: Balls, exact: Any, a: Numbers, b: Numbers, product: Numbers) -> None:
    """Let a result be exact where its operands are and a*b is the product. Few results of chance have so few bits."""
    if some(short(made.mid, 53)):
        lost = inexact_product(a, b, product)
        lost = lost if exact is True else lost | ~exact
        made.rad = np.where(lost, made.rad, 0.0) if some(lost) else None  # type: ignore[arg-type]


def _quotient(a: Balls, b: Balls) -> Balls:
    least = b.size if b.rad is None else b.size / OUT - b.rad * OUT
    if some(~(least > 0)):
        raise Undecided("a divisor may be 0")
    made = Balls(a.mid / b.mid)
    error = EPS * made.size
    if a.rad is not None or b.rad is not None:
        apart = 0.0 if a.rad is None else a.rad
        if b.rad is not None:
            apart = apart + made.size * b.rad * OUT
        error = error + apart / least * OUT
    made.rad = error * OUT + SLACK
    exact = _exact(a, b)
    if exact is not False:
        _keep_exact(made, exact, made.mid, b.mid, a.mid)
    return made


def gathered(values: list[arb], shape: tuple[int, ...]) -> Balls:
    """Arb's balls as an array of these: two numbers of float64 hold 106 bits of a midpoint, and the radius the rest.

    Raises:
        Undecided: one is not finite.
    """
    high = [float(v.mid()) for v in values]
    rest = [v - h for v, h in zip(values, high, strict=True)]
    low = [float(r.mid()) for r in rest]
    left = [r - part for r, part in zip(rest, low, strict=True)]
    away = [
        0.0 if r.is_zero() else float(r.abs_upper()) + SLACK for r in left
    ]  # a float may be 0 for a ball that is not
    first, second = (np.array(part, dtype=np.float64).reshape(shape).astype(LONG) for part in (high, low))
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise Undecided("a function without a number")
    made = _sum(Balls(first), Balls(second))
    radius = np.array(away).reshape(shape)
    return made if not radius.any() else made.widened(radius * OUT)


def scattered(balls: Balls) -> list[arb]:
    """The balls one by one, as Arb's."""
    high = balls.mid.astype(np.float64)
    low = (balls.mid - high).astype(np.float64)  # exact: what is left of 64 bits has 11
    rads = np.zeros(balls.shape) if balls.rad is None else balls.rad
    before, ctx.prec = ctx.prec, 128
    try:
        return [
            arb(h) + arb(part, r)
            for h, part, r in zip(*(np.ravel(a).tolist() for a in (high, low, rads)), strict=True)
        ]
    finally:
        ctx.prec = before
