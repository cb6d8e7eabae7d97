"""Sums and matrix products in rounded arithmetic: in any order, n - 1 roundings of what each addition makes.

Where many sums share their terms no addition is taken to make more than the sum of all magnitudes.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from itertools import accumulate, islice, repeat
from typing import TYPE_CHECKING, Any

from flint import arb, arb_mat

from oracles.budget.accuracy import CORRECT

if TYPE_CHECKING:
    from oracles.budget.rounded import Rounding
    from oracles.budget.scalars import Rounded

ZERO = arb(0)
CHEAPER = 10
"""So many products within a matrix product cost what one operation outside does."""
SHORT = 16
"""Each sum of a running sum of so few terms is bounded by its own partial sums, which takes quadratic time."""
SMALL = 256
"""So are the elements of a matrix product of so few products going back, which takes longer than multiplying balls."""


def total(arena: Rounding, *balls: arb) -> arb:
    """The sum of all: each of the n - 1 additions errs by at most u times what it makes.

    What the last makes is the sum itself; for the others, see `partial_sums`.
    """
    u, made = arena.u, sum(balls, ZERO)
    if len(balls) < 2:
        return made
    if len(balls) == 2:
        return made if arena.forward and arena.fits(made) else made + arb(0, made.abs_upper() * u)
    reach = made.abs_upper() + partial_sums(balls)
    growth = math.exp((len(balls) - 2) * u)  # later additions carry each error on
    return made + arb(0, reach * u * growth)


def partial_sums(balls: Sequence[arb]) -> float:
    """The most that the magnitudes of all partial sums but the last can add up to, in any order of summation.

    At most n - k + 1 of the additions make a sum of k terms or more (a chain has just so many), and no k terms sum to
    more than the k largest of one sign. Higham, Accuracy and Stability of Numerical Algorithms, section 4.2, bounds the
    error of a sum by u times these magnitudes.
    """
    up = sorted([max(float(b.upper()), 0.0) for b in balls], reverse=True)
    down = sorted([max(-float(b.lower()), 0.0) for b in balls], reverse=True)
    sums = zip(accumulate(up), accumulate(down), strict=True)
    return sum([max(above, below) for above, below in islice(sums, 1, len(balls) - 1)])


def together(parts: Sequence[tuple[arb, int, arb]], u: float) -> arb:
    """The sum of sums, each with its number of terms and the sum of their magnitudes: of all terms in any order.

    A sum of n of all N terms has n - 1 roundings in its ball already.
    """
    count = sum(n for _, n, _ in parts)
    noise = sum((size * (count - n) for _, n, size in parts), ZERO)
    return sum((ball for ball, _, _ in parts), ZERO) + noise * arb(0, u)


def running_sums(balls: Sequence[arb], u: float) -> tuple[list[arb], list[arb]]:
    """The sums up to each, and the sums of magnitudes."""
    sizes = list(accumulate(map(abs, balls)))
    sums = zip(accumulate(balls), sizes, strict=True)
    return [made + size * arb(0, n * u) if n else made for n, (made, size) in enumerate(sums)], sizes


def inner_products(
    a: Sequence[arb], b: Sequence[arb], shape: tuple[int, int, int], u: float, tiny: arb
) -> tuple[list[arb], list[arb]]:
    """The matrix product of row-major matrices of shapes (n, k) and (k, m), every operation of it rounded.

    With it the sums of the magnitudes of the rounded products.

    Each of k products is within u of itself, or within `tiny`; their sum makes k - 1 further roundings.
    """
    n, k, m = shape
    left, right = arb_mat(n, k, list(a)), arb_mat(k, m, list(b))
    sizes = (arb_mat(n, k, list(map(abs, a))) * arb_mat(k, m, list(map(abs, b)))).entries()
    again = 1 + arb((k - 1) * u)
    relative = arb(0, (u * again + (k - 1) * u).upper())
    absolute = arb(0, (k * again * tiny).upper())
    products = (left * right).entries()
    balls = [p + size * relative + absolute for p, size in zip(products, sizes, strict=True)]
    return balls, [size * (1 + arb(u)) + k * tiny for size in sizes]


def running(arena: Rounding, xs: Sequence[Rounded]) -> list[Rounded]:
    """The sums of a line up to each of its elements, each in any order; back: the same from the end."""
    arena.count(len(xs))
    terms = [x.ball for x in xs]
    balls, sizes = running_sums(terms, arena.u)
    if len(xs) <= SHORT:
        balls = [total(arena, *terms[:n]) for n in range(1, len(xs) + 1)]
    made = arena.attach(_finite(arena, balls), xs, lambda gs, ys, xs: later(arena, gs))
    return _summed(arena, made, range(1, len(xs) + 1), sizes)


def later(arena: Rounding, gs: Sequence[Rounded | None]) -> list[Rounded | None]:
    """For each element of a line the sum of all that are there from it on; None where none is."""
    sums = iter(running(arena, [g for g in reversed(gs) if g is not None]))
    latest, found = None, []
    for g in reversed(gs):
        latest = latest if g is None else next(sums)
        found.append(latest)
    return found[::-1]


def matmul(
    arena: Rounding, a: Sequence[Rounded], b: Sequence[Rounded], shape: tuple[int, int, int]
) -> list[Rounded]:
    """The product of two row-major matrices, of shapes (n, k) and (k, m) for a `shape` (n, k, m).

    Going forward each product that fits the significand is exact, and sums alone are rounded. Back: G B^T to the
    left and A^T G to the right, but nothing where nothing arrives.
    """
    n, k, m = shape
    arena.count(n * m * (1 + k // CHEAPER))
    left, right = [x.ball for x in a], [x.ball for x in b]
    sizes: list[arb] = []
    if arena.forward or n * k * m <= SMALL:
        rows, columns = [left[i * k : i * k + k] for i in range(n)], [right[j::m] for j in range(m)]
        exacts = (list(map(operator.mul, row, column)) for row in rows for column in columns)
        products = [arena.inexact(p, CORRECT) for p in exacts]
        balls, sizes = [total(arena, *p) for p in products], [sum(map(abs, p), ZERO) for p in products]
    else:
        balls, sizes = inner_products(left, right, shape, arena.u, arena.tiny)

    def pull(gs: Sequence[Rounded | None], ys: Any, xs: Sequence[Rounded]) -> list[Rounded | None]:
        left, right = xs[: n * k], xs[n * k :]
        full = [arena.constant(0) if g is None else g for g in gs]
        by_a: list[Rounded | None] = [None] * (n * k)
        by_b: list[Rounded | None] = [None] * (k * m)
        if any(x.needs for x in left):
            by_a = list(matmul(arena, full, _transposed(right, k, m), (n, m, k)))
        if any(x.needs for x in right):
            by_b = list(matmul(arena, _transposed(left, n, k), full, (k, n, m)))
        reached_rows = [any(g is not None for g in gs[i * m : i * m + m]) for i in range(n)]
        reached_columns = [any(g is not None for g in gs[j::m]) for j in range(m)]
        return [
            *(g if reached_rows[i // k] else None for i, g in enumerate(by_a)),
            *(g if reached_columns[i % m] else None for i, g in enumerate(by_b)),
        ]

    return _summed(arena, arena.attach(_finite(arena, balls), [*a, *b], pull), repeat(k), sizes)


def _finite(arena: Rounding, balls: Sequence[arb]) -> list[Rounded]:
    """Balls as values of a block, but where one may overflow."""
    return [arena.make(ball, 0, (), _nothing) for ball in balls]


def _summed(
    arena: Rounding, made: list[Rounded], counts: Iterable[int], sizes: Sequence[arb]
) -> list[Rounded]:
    """Note of cotangents what they are sums of; a value going forward is rounded before it is used."""
    if not arena.forward:
        for y, n, size in zip(made, counts, sizes, strict=False):
            y.summed = n, size
    return made


def _nothing(*_: Any) -> tuple[()]:
    return ()


def _transposed(cells: Sequence[Rounded], rows: int, columns: int) -> list[Rounded]:
    """A row-major matrix of these shapes, turned."""
    return [cells[i * columns + j] for j in range(columns) for i in range(rows)]
