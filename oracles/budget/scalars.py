"""The numbers of rounded arithmetic: one scalar, and a column of scalars on which one operation is done at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from flint import arb

from oracles.budget.accuracy import ELEMENTARY
from oracles.exact.lowering import HALF, derive

if TYPE_CHECKING:
    from oracles.budget.rounded import Rounding

ZERO = arb(0)
ONE = arb(1)


class Arithmetic:
    """Operators that leave the work to the arena, so that formulas run on scalars and on columns alike."""

    __slots__ = ()
    arena: Rounding

    def __add__(self, other: Any) -> Any:
        return self.arena.add((self, self.arena.lift(other)))

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self.arena.sub(self, self.arena.lift(other))

    def __rsub__(self, other: Any) -> Any:
        return self.arena.sub(self.arena.lift(other), self)

    def __mul__(self, other: Any) -> Any:
        return self.arena.mul(self, self.arena.lift(other))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        return self.arena.div(self, self.arena.lift(other))

    def __rtruediv__(self, other: Any) -> Any:
        return self.arena.div(self.arena.lift(other), self)

    def __neg__(self) -> Any:
        return self.arena.neg(self)

    def __abs__(self) -> Any:
        return self.arena.call("abs", derive("Abs(x)", ("x",)), self)

    def __pow__(self, exponent: Any) -> Any:
        return self.arena.power(self, exponent)

    def __rpow__(self, base: Any) -> Any:
        return self.arena.power(self.arena.lift(base), self)

    def __getattr__(self, name: str) -> Callable[[], Any]:
        """An elementary function as a method, `x.exp()`: what an expression asks of its numbers."""
        if name not in ELEMENTARY:
            raise AttributeError(f"{name} is no elementary function; see oracles/budget/accuracy.py")
        return lambda: self.arena.call(name, derive(f"{name}(x)", ("x",)), self)


class Rounded(Arithmetic):
    """One scalar in rounded arithmetic: the ball of all values that a sound implementation may hold there.

    `needs` says whether anything it came from is differentiated. During a sweep `arrived` holds the parts of its
    cotangent. `home` is the column that it was made in, if it was made in one. `summed` are the number of terms and the
    sum of their magnitudes, where a cotangent is a sum that a library may take together with whatever else arrives.
    `reach` is, where that is asked for, how far the product of some of its factors may go, and which step made it so.
    """

    __slots__ = ("arena", "arrived", "ball", "home", "needs", "reach", "summed")

    def __init__(self, arena: Rounding, ball: arb, needs: bool, home: Column | None = None) -> None:
        self.arena = arena
        self.ball = ball
        self.needs = needs
        self.home = home
        self.arrived: list[Rounded] | None = None
        self.summed: tuple[int, arb] | None = None
        self.reach: tuple[int, float] | None = None

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
        return second + (first - second) * Rounded(self.arena, HALF, False)  # type: ignore[no-any-return]


class Column(Arithmetic):
    """Scalars, row by row. Its cells are made when they are asked for: most columns live within one formula.

    `recorded` columns are results on the tape. What arrives for the whole of one is kept in `arrived`.
    """

    __slots__ = ("_cells", "arena", "arrived", "balls", "needs", "recorded")

    def __init__(
        self, arena: Rounding, balls: list[arb], needs: bool, cells: list[Rounded] | None = None
    ) -> None:
        self.arena = arena
        self.balls = balls
        self.needs = needs
        self.recorded = False
        self.arrived: list[Column] = []
        self._cells = cells

    @classmethod
    def of(cls, arena: Rounding, cells: Sequence[Rounded]) -> Column:
        """These scalars as a column: the one that they were made in, if they are all of it."""
        cells = list(cells)
        home = cells[0].home if cells else None
        if home is not None and home._cells == cells:
            return home
        return cls(arena, [x.ball for x in cells], any(x.needs for x in cells), cells)

    @property
    def cells(self) -> list[Rounded]:
        """The scalars."""
        if self._cells is None:
            home = self if self.recorded else None
            arena, needs = self.arena, self.needs
            self._cells = [Rounded(arena, ball, needs, home) for ball in self.balls]
        return self._cells

    def arrive(self, part: Column) -> None:
        """Take a part of each row's cotangent."""
        if self.recorded:
            self.arrived.append(part)
            return
        for x, g in zip(self.cells, part.cells, strict=True):
            if x.needs:
                if x.arrived is None:
                    x.arrived = [g]
                else:
                    x.arrived.append(g)

    def taken(self) -> list[list[Rounded] | None] | None:
        """All parts that have arrived row by row, and none are left. None where all came for the whole column."""
        if self._cells is None:
            return None
        found = [x.arrived for x in self._cells]
        if not any(found):
            return None
        for x in self._cells:
            x.arrived = None
        for part in self.arrived:
            found = [[g] if f is None else [*f, g] for f, g in zip(found, part.cells, strict=True)]
        self.arrived = []
        return found

    def rows(self, kept: Sequence[int]) -> Column:
        """Some of the rows."""
        return Column.of(self.arena, [self.cells[i] for i in kept])

    def forget(self) -> None:
        """Let go of the cells, which hold this column."""
        self._cells = None
