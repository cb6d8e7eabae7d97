"""Elementary functions of arrays of balls.

exp, expm1, log, sin and cos are evaluated here: a table at equal steps, whose entries are Arb's rounded to 64 bits, and
a Taylor polynomial between them. Each states its error in units of EPS times the result; they are counted operation by
operation beside the code, and a test holds them against Arb. tanh, sinh, cosh and sigmoid are made of these. All others
are Arb's own, element by element.

A ball's radius is carried by a bound of the slope over the whole ball.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from flint import arb, ctx

from oracles.arrayed.balls import EPS, OUT, SLACK, Balls, Undecided, gathered, scattered
from oracles.arrayed.errorfree import LONG, Numbers, some

Function = Callable[[Balls], Balls]
NEAR = 0.25
"""Balls with a larger radius are left to Arb, so that bounds of slopes stay simple."""
FAR = 700.0
"""exp and its kin are evaluated up to here, where float64 nears its end."""
WIDE = 4096.0
"""sin and cos are evaluated up to here."""
STEPS = 64
"""The table of exp has so many entries for a factor of 2."""
TURN = 64
"""The tables of sin and cos have so many entries for a whole turn."""
FACTORIALS = [LONG(1)]
for n in range(1, 12):
    FACTORIALS.append(FACTORIALS[-1] * n)
INVERSE = [LONG(1) / f for f in FACTORIALS]
"""1/n!, correctly rounded: n! has fewer than 64 bits."""


def by_arb(x: Balls, function: Callable[[arb], arb]) -> Balls:
    """A function of every ball by Arb."""
    numbers = scattered(x)
    before, ctx.prec = ctx.prec, 128
    try:
        balls = [function(number) for number in numbers]
        return gathered([b if type(b) is arb else arb(b) for b in balls], x.shape)
    finally:
        ctx.prec = before


def long(ball: arb) -> Any:
    """A ball's midpoint, rounded to 64 bits."""
    high = float(ball.mid())
    return LONG(high) + LONG(float((ball - high).mid()))


@cache
def _exp_table() -> tuple[Any, ...]:
    """ln 2/STEPS in two parts, the first of 40 bits, and 2^(j/STEPS) in two parts."""
    before, ctx.prec = ctx.prec, 256
    try:
        step = arb(2).log() / STEPS
        first = float((step * 2**46).floor().mid()) * 2.0**-46
        powers = [arb(2) ** (arb(j) / STEPS) for j in range(STEPS)]
        high = [long(p) for p in powers]
        exact = [arb(float(h)) + arb(float(h - LONG(float(h)))) for h in high]
        low = [long(p - e) for p, e in zip(powers, exact, strict=True)]
        return LONG(first), long(step - first), np.array(high), np.array(low), LONG(1) / long(step)
    finally:
        ctx.prec = before


def _powers(x: Numbers) -> tuple[Numbers, ...]:
    """x = k ln 2/STEPS + r: 2^m of k, the table's two numbers, and expm1(r), off by under 2.5 EPS of itself.

    |r| <= 0.00542. k times the first part of the step is exact, its difference from x is off by under 0.0055 EPS in
    all, and so is r but for 2^-93: of r, where k is 0, nothing, for then r is x. Horner's scheme errs by 1.02 EPS, the
    last product by 1, and the rest of the series is under 2^-68 of r.
    """
    first, second, high, low, per = _exp_table()
    k = np.rint(x * per)
    r = (x - k * first) - k * second
    q = INVERSE[7]
    for n in range(6, 0, -1):
        q = q * r + INVERSE[n]
    whole = k.astype(np.int64)
    j = whole & (STEPS - 1)
    return (whole - j) // STEPS, high[j], low[j], q * r


def _exp(x: Numbers) -> Numbers:
    """Off by under 2.1 EPS: the table's rounding, the last sum's, and 0.0055 of the rest's."""
    m, high, _, p = _powers(x)
    return np.ldexp(high + high * p, m)


def _expm1(x: Numbers) -> Numbers:
    """Off by under 7 EPS.

    Where k is 0 it is the polynomial. Elsewhere |expm1(x)| >= 0.0053, 2^m high - 1 is exact from 1/2 to 2 and off by
    EPS of at most twice the result outside, and high times the polynomial is off by 3.6 EPS of 0.0055 high.
    """
    m, high, low, p = _powers(x)
    return (np.ldexp(high, m) - 1) + np.ldexp(low + high * p, m)


def _rest(x: Balls, most: float) -> Numbers | None:
    """The radii, where they and the midpoints are in bounds.

    Raises:
        Undecided: they are not.
    """
    if some(~(x.size <= most)) or (x.rad is not None and some(~(x.rad <= NEAR))):
        raise Undecided("out of bounds")
    return x.rad


def _made(mid: Numbers, units: float, carried: Numbers | None) -> Balls:
    """A result off by so many EPS of itself, and what the operand's radius comes to."""
    made = Balls(mid)
    error = made.size * (units * EPS)
    made.rad = (error if carried is None else error + carried * OUT) * OUT + SLACK
    return made


def exp(x: Balls) -> Balls:
    """Within d it grows by less than d (1 + d) of itself, up to d = 1."""
    rad, mid = _rest(x, FAR), _exp(x.mid)
    return _made(
        mid, 2.1, None if rad is None else rad * (1 + rad) * (mid.astype(np.float64) * (1 + 2.0**-40))
    )


def expm1(x: Balls) -> Balls:
    """As exp."""
    rad, mid = _rest(x, FAR), _expm1(x.mid)
    grown = mid.astype(np.float64) + 1
    return _made(mid, 7, None if rad is None else rad * (1 + rad) * (grown * (1 + 2.0**-40) + 2.0**-40))


@cache
def _turn_table() -> tuple[Any, ...]:
    """A step of the turn in three parts, the first two of 40 bits, and the sines at every step."""
    before, ctx.prec = ctx.prec, 256
    try:
        step = 2 * arb.pi() / TURN
        first = float((step * 2**43).floor().mid()) * 2.0**-43
        second = float(((step - first) * 2**83).floor().mid()) * 2.0**-83
        sines = np.array([long((step * j).sin()) for j in range(TURN)])
        sines[[0, TURN // 2]] = 0
        return LONG(first), LONG(second), long(step - first - second), sines, LONG(1) / long(step)
    finally:
        ctx.prec = before


def _turned(x: Balls) -> tuple[Balls, Balls]:
    """The sine and the cosine, each off by under 11 EPS and, beyond the first step, by 2^-120.

    x = k steps + r with |r| <= 0.0491. k times the first part is exact, and so is its difference from x, which are
    within a factor of 2; k times the second is exact, and the two last differences are rounded: r is off by under
    2.1 EPS of itself and 2^-125. sin(r) is off by 4.2 EPS of itself, cos(r) - 1 by 6 EPS of at most 0.0013. The table
    is off by half of EPS, a result that is no product alone is at least 0.049, half of the table's number in it, and
    the three products and two sums round once each.
    """
    if "turned" in x.kept:
        kept: tuple[Balls, Balls] = x.kept["turned"]
        return kept
    rad = _rest(x, WIDE)
    first, second, third, sines, per = _turn_table()
    k = np.rint(x.mid * per)
    r = ((x.mid - k * first) - k * second) - k * third
    square = r * r
    s, c = INVERSE[9], INVERSE[8]
    for n in (7, 5, 3, 1):
        s = INVERSE[n] - s * square
    for n in (6, 4, 2):
        c = INVERSE[n] - c * square
    s, c = s * r, -(c * square)
    j = k.astype(np.int64) & (TURN - 1)
    a, b = sines[j], sines[(j + TURN // 4) & (TURN - 1)]
    sine, cosine = a + (a * c + b * s), b + (b * c - a * s)
    away = np.where(k == 0, 0.0, 2.0**-120)
    x.kept["turned"] = made = _beside(sine, cosine, rad, away), _beside(cosine, sine, rad, away)
    return made


def _beside(y: Numbers, slope: Numbers, rad: Numbers | None, away: Numbers) -> Balls:
    """A sine or a cosine: within d of its argument the slope is at most its size there and d."""
    return _made(y, 11, away if rad is None else rad * (abs(slope.astype(np.float64)) + rad) + away)


def sin(x: Balls) -> Balls:
    """Within d of x its slope is at most |cos(x)| + d."""
    return _turned(x)[0]


def cos(x: Balls) -> Balls:
    """As the sine."""
    return _turned(x)[1]


def tanh(x: Balls) -> Balls:
    """The quotient of m and m + 2, m = expm1(2|x|), whose relative error it passes on at most whole: under 9.5 EPS.

    The slope 1 - y**2 grows by at most exp(2d) within d.
    """
    rad = _rest(x, FAR / 2)
    size = abs(x.mid)
    m = _expm1(np.minimum(size, LONG(40)) * 2)  # beyond, 1 - tanh is under 2^-114
    mid = m / (m + 2)
    if rad is not None:
        top = m.astype(np.float64)
        slope = 4 * (top + 1) / (top + 2) ** 2
        rad = rad * (1 + 4 * rad) * slope * (1 + 2.0**-40) + np.where(size > 40, 2.0**-100, 0.0)
    return _made(np.where(x.mid < 0, -mid, mid), 10, rad)


def sigmoid(x: Balls) -> Balls:
    """The quotient of 1 and 1 + e, off by 5 EPS; within d its slope e/(1 + e)**2 grows by at most exp(d)."""
    rad = _rest(x, FAR)
    e = _exp(-x.mid)
    mid = 1 / (1 + e)
    if rad is not None:
        top = e.astype(np.float64)
        rad = rad * (1 + 2 * rad) * (mid.astype(np.float64) * (top / (1 + top))) * (1 + 2.0**-40)
    return _made(mid, 5, rad)


def sinh(x: Balls) -> Balls:
    """Half of m and m/(m + 1), for m = expm1(|x|): both terms are positive, and off by under 9 EPS of themselves."""
    rad = _rest(x, FAR)
    m = _expm1(abs(x.mid))
    mid = (m + m / (m + 1)) / 2
    if rad is not None:
        rad = rad * (1 + 2 * rad) * (1 + m.astype(np.float64))
    return _made(np.where(x.mid < 0, -mid, mid), 11, rad)


def cosh(x: Balls) -> Balls:
    """Half of e and 1/e, off by 6 EPS; within d its slope is at most |sinh(x)| (1 + 2d) + d (e + 1/e)."""
    rad = _rest(x, FAR)
    e = _exp(abs(x.mid))
    mid = (e + 1 / e) / 2
    if rad is not None:
        top = e.astype(np.float64)
        rad = rad * ((1 + 2 * rad) * (np.maximum(top - 1 / top, 0.0) / 2 + 2.0**-40 * top) + 2 * rad * top)
    return _made(mid, 6, rad)


LN2 = 2.0**-32
"""The step of the first part of ln 2, a number of 32 bits: times an exponent, it is exact."""


@cache
def _ln2() -> tuple[Any, Any]:
    before, ctx.prec = ctx.prec, 256
    try:
        first = float((arb(2).log() / LN2).floor().mid()) * LN2
        return LONG(first), long(arb(2).log() - first)
    finally:
        ctx.prec = before


def log(x: Balls) -> Balls:
    """The sum of e ln 2, z and log1p(t), where x = m 2^e, z is near the logarithm of m, and t = m exp(-z) - 1.

    m is between 0.7 and 1.42 and |z| under 0.36, so that in expm1(-z) the table's number less 1 is exact: off by 2.5
    EPS of itself or, where k is not 0 and m at least 0.005 from 1, by 1 EPS and 0.04. t = (m - 1) + m expm1(-z) is the
    difference of neighbours, exact but for m expm1(-z), which is off by EPS of 3.6 |m - 1|, and 0.06 there; being under
    2^-48, its log1p is t - t*t/2 to 2^-145. e times the first part of ln 2 is exact, and two sums round by EPS of 1.05
    of the result each.
    """
    least = x.positive()
    if some(~((x.size < 1e300) & (x.size > 1e-300))):
        raise Undecided("out of bounds")
    m, e = np.frexp(x.mid)
    low = m < 0.70710678
    m, e = np.where(low, m * 2, m), np.where(low, e - 1, e)
    z = np.log(m.astype(np.float64)).astype(LONG)
    t = (m - 1) + m * _expm1(-z)
    if some(~(abs(t) < 2.0**-48)):
        raise Undecided("NumPy's logarithm is further off than thought")
    first, second = _ln2()
    apart = abs((m - 1).astype(np.float64))
    error = EPS * (3.6 * apart + 0.06 * (apart > 0.004))
    if x.rad is not None:
        error = error + x.rad / least
    return _made((e * first + z) + (t - t * t / 2 + e * second), 2.1, error)


def sqrt(x: Balls) -> Balls:
    """Correctly rounded. With y = x - d, the roots of x and y are d over their sum apart; x and x + d are closer."""
    least, mid = x.positive(), np.sqrt(x.mid)
    return _made(mid, 1, None if x.rad is None else x.rad / (mid.astype(np.float64) + np.sqrt(least)))


OWN: dict[str, Function] = {
    **{f.__name__: f for f in (cos, cosh, exp, expm1, log, sigmoid, sin, sinh, sqrt, tanh)},
    "reciprocal": lambda x: 1 / x,
    **{
        name: lambda x, name=name: by_arb(x, lambda ball: getattr(ball, name)())  # type: ignore[misc]
        for name in ("acos", "acosh", "asin", "asinh", "atan", "atanh", "erf", "erfc", "log1p", "tan")
    },
}


def function(name: str) -> Function | None:
    """The function of this name, if there is one; where bounds are left, by Arb."""
    own = OWN.get(name)
    if own is None or not hasattr(arb, name):
        return own

    def bounded(x: Balls) -> Balls:
        try:
            return own(x)
        except Undecided:
            return by_arb(x, lambda ball: getattr(ball, name)())

    return bounded
