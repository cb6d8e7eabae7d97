"""Powers in rounded arithmetic."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from flint import arb

from oracles.budget.accuracy import CLASSES
from oracles.budget.scalars import Column
from oracles.exact.lowering import whole_power

if TYPE_CHECKING:
    from oracles.budget.rounded import Rounding


def power(arena: Rounding, base: Any, exponent: Any) -> Any:
    """base ** exponent, one rounding of the class of pow; a zero exponent has slope exactly 0."""
    n = arena.lift(exponent)
    if type(n) is Column or (n.needs and type(base) is Column):
        return arena.by_rows(arena.power, base, n)

    def pull(g: Any, y: Any, base: Any, *_: Any) -> list[Any]:
        by_base = None if n.ball == 0 else g * (n * base ** (n - 1 if n.needs else n.ball - 1))
        return [by_base if base.needs else None, g * (y * base.log()) if n.needs else None][: 1 + n.needs]

    number = int(float(n.ball)) if _integer(n.ball) else n.ball
    operands = (base, n) if n.needs else (base,)
    return arena.operate(partial(_raised, number), CLASSES["pow"], operands, pull)


def _raised(number: Any, ball: arb, *_: arb) -> arb:
    """A ball to the power of a number, whole or not."""
    raised: arb = whole_power(ball, number) if isinstance(number, int) else ball**number
    return raised


def _integer(ball: arb) -> bool:
    return bool(ball.is_integer()) and abs(ball) < 1000
