"""Factors in any order: where a library may leave the dtype's range on the way to a gradient that lies within it.

The chain rule does not say which factors of a term are multiplied first: g * (a / b) and (g * a) / b are both sound,
though one of them may overflow where the other does not. How one step of a program comes to its cotangents is open in
this way; what it hands on to the next is one number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from oracles.budget.rounded import NOT_FINITE, Rounded, Rounding


class AnyOrder(Rounding):
    """The algebra in which a term of a sweep is lost where the product of some of its factors may overflow.

    The `reach` of a number is no smaller than the product of any of the factors that a step has made it of. That of a
    product is the product of both; a quotient has the reciprocals of its divisor's factors; a sum may be multiplied
    out. There are no columns: each scalar has a reach.
    """

    def mul(self, a: Any, b: Any) -> Any:
        """a * b, whose factors are those of both."""
        return self._reaching(super().mul(a, b), self._reach(a) * self._reach(b))

    def div(self, a: Any, b: Any) -> Any:
        """a / b; as b is the product of its factors, those under 1 have the product b / reach at the least."""
        least = float(b.ball.abs_lower())
        made = super().div(a, b)
        return self._reaching(made, self._reach(a) * self._reach(b) / least if least else math.inf)

    def add(self, xs: Sequence[Any]) -> Any:
        """The sum; each term may be multiplied by what the sum is multiplied by."""
        return super().add(xs) if len(xs) == 1 else self._reaching(super().add(xs), sum(map(self._reach, xs)))

    def sub(self, a: Any, b: Any) -> Any:
        """a - b, as a sum."""
        return self._reaching(super().sub(a, b), self._reach(a) + self._reach(b))

    def neg(self, x: Any) -> Any:
        """-x, of the same factors."""
        return self._reaching(super().neg(x), self._reach(x))

    def along(self, function: Callable[..., Any], *lines: Sequence[Rounded]) -> list[Rounded]:
        """A function of scalars in each row of these lines, row by row."""
        return [self.lift(function(*row)) for row in zip(*lines, strict=True)]

    def dot(self, a: Sequence[Rounded], b: Sequence[Rounded]) -> Rounded:
        """The inner product, row by row."""
        products = [self.mul(x, y) for x, y in zip(a, b, strict=True)]
        found: Rounded = self.add(products) if products else self.constant(0)
        return found

    def _reach(self, x: Rounded) -> float:
        if x.reach is None or x.reach[0] != self.step:
            return max(float(x.ball.abs_upper()), 1.0)
        return x.reach[1]

    def _reaching(self, y: Rounded, reach: float) -> Rounded:
        if self.phase:
            y.reach = self.step, max(reach, 1.0)
            if not reach < self.precision.big:
                y.ball = NOT_FINITE
        return y
