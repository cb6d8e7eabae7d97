"""Second order in any order of multiplication: where a library may leave the dtype's range on the way to an answer.

The second sweep differentiates the formulas of the first by machine, and the chain rule does not say which of the many
factors of a term are multiplied first: (w * g) * slope and w * (g * slope) are both sound, though one of them may
overflow where the other does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from oracles.budget.rounded import NOT_FINITE, Rounded, Rounding

SECOND = 2
"""The phase of a second sweep."""


class AnyOrder(Rounding):
    """The algebra in which a term of the second sweep is lost where the product of some of its factors may overflow.

    The `reach` of a cotangent is no smaller than the product of any of its factors. That of a product is the product of
    both; a quotient has the reciprocals of its divisor's factors; a sum may be multiplied out. What was made going
    forward is one factor. There are no columns: each scalar has a reach.
    """

    def mul(self, a: Any, b: Any) -> Any:
        """a * b, whose factors are those of both."""
        return self._reaching(super().mul(a, b), _reach(a) * _reach(b))

    def div(self, a: Any, b: Any) -> Any:
        """a / b; as b is the product of its factors, those under 1 have the product b / reach at the least."""
        least = float(b.ball.abs_lower())
        return self._reaching(super().div(a, b), _reach(a) * _reach(b) / least if least else math.inf)

    def add(self, xs: Sequence[Any]) -> Any:
        """The sum; each term may be multiplied by what the sum is multiplied by."""
        return super().add(xs) if len(xs) == 1 else self._reaching(super().add(xs), sum(map(_reach, xs)))

    def sub(self, a: Any, b: Any) -> Any:
        """a - b, as a sum."""
        return self._reaching(super().sub(a, b), _reach(a) + _reach(b))

    def neg(self, x: Any) -> Any:
        """-x, of the same factors."""
        return self._reaching(super().neg(x), _reach(x))

    def along(self, function: Callable[..., Any], *lines: Sequence[Rounded]) -> list[Rounded]:
        """A function of scalars in each row of these lines, row by row."""
        return [self.lift(function(*row)) for row in zip(*lines, strict=True)]

    def dot(self, a: Sequence[Rounded], b: Sequence[Rounded]) -> Rounded:
        """The inner product, row by row."""
        products = [self.mul(x, y) for x, y in zip(a, b, strict=True)]
        found: Rounded = self.add(products) if products else self.constant(0)
        return found

    def _reaching(self, y: Rounded, reach: float) -> Rounded:
        if self.phase:
            y.reach = max(reach, 1.0)
            if self.phase == SECOND and not y.reach < self.precision.big:
                y.ball = NOT_FINITE
        return y


def _reach(x: Rounded) -> float:
    return max(float(x.ball.abs_upper()), 1.0) if x.reach is None else x.reach
