"""A sound implementation of a case: its program forward and swept back, once or twice, in rounded arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from flint import arb

from oracles.answers import labels
from oracles.budget import infinities
from oracles.budget.accuracy import CORRECT, precision
from oracles.budget.blocks import BLOCKS
from oracles.budget.infinities import Answerlike, Budgets
from oracles.budget.orders import AnyOrder
from oracles.budget.rounded import Rounded, Rounding
from oracles.exact.evaluate import evaluate
from oracles.exact.leaves import leaves, numbers
from oracles.exact.objects import Objects, scalars
from oracles.program import Case


@dataclass(frozen=True)
class Swept:
    """A sound implementation's answer of one order, as balls, with the decisions that rounding may take either way."""

    answer: Answerlike
    touched: int

    def budgets(self, truth: Answerlike, free: bool, lost: float) -> Budgets | None:
        """How far from the truth each ball reaches, or `lost` where there is no number.

        None if a ball misses its truth, which only kinks excuse (`free`).
        """
        found: Budgets = {}
        for name, (_, balls) in truth.items():
            row = []
            for exact, model in zip(balls, self.answer[name][1], strict=True):
                if not (model.is_finite() and exact.is_finite()):
                    row.append(lost)
                    continue
                if not free and not model.overlaps(exact):
                    return None
                row.append(_above(model.rad() if free else model - exact.mid()))
            found[name] = row
        return found


class Model:
    """A sound implementation on a case: one sweep for order 1 and, if the case asks for it, another for order 2.

    An `endless` one has a range without end; where `any_order`, factors are multiplied as overflows soonest.
    `overflows` says whether the result of some step may be infinite, wherever it leads.
    """

    def __init__(
        self,
        case: Case,
        wide: bool = False,
        variant: int = 0,
        only: tuple[int, int] | None = None,
        endless: bool = False,
        any_order: bool = False,
    ) -> None:
        self.case = case
        self.mixed = infinities.mixed(case)
        held = precision(case.dtype)
        limits = replace(held, big=math.inf) if endless else held
        self.algebra = (AnyOrder if any_order else Rounding)(limits, BLOCKS, wide, variant, only)
        values, self.leaves = leaves(case, self.algebra, ())
        known = evaluate(case.program, self.algebra, values)
        self.outputs: list[Objects] = [known[n] for n in case.program.outputs]
        self.overflows = not all(n.ball.is_finite() for n in scalars(known[len(values) :]))
        self._orders = {1: self._first()}
        if case.order == 2:
            self._orders[2] = self._second()
        self.algebra.release()
        del self.algebra, self.leaves, self.outputs, self.gradients, self.cotangents

    def at(self, order: int) -> Swept:
        """The answer of this order."""
        return self._orders[order]

    def _first(self) -> Swept:
        case, algebra, outputs = self.case, self.algebra, self.outputs
        second = case.order == 2
        flat_outputs = [n for out in outputs for n in out.flat]
        given = [float(g) for c in case.cotangents for g in numbers(c).flat]
        self.cotangents = [algebra.leaf(g) if second else algebra.constant(g) for g in given]
        algebra.recording = second
        leaves = [n for leaf in self.leaves for n in leaf.flat]
        self.gradients = algebra.sweep(flat_outputs, self.cotangents, leaves)
        answer = self._part("outputs", outputs, flat_outputs)
        answer |= self._part("gradients", self.leaves, self.gradients)
        return Swept(answer, algebra.touched)

    def _second(self) -> Swept:
        case, algebra = self.case, self.algebra
        algebra.recording = False
        weights = [algebra.constant(float(w)) for s in case.seconds for w in numbers(s).flat]
        pairs = [(g, w) for g, w in zip(self.gradients, weights, strict=True) if g is not None]
        leaves = [n for leaf in self.leaves for n in leaf.flat]
        again = algebra.sweep([g for g, _ in pairs], [w for _, w in pairs], [*leaves, *self.cotangents])
        answer = self._orders[1].answer | self._part("seconds", self.leaves, again[: len(leaves)])
        answer |= self._part("second_cotangents", self.outputs, again[len(leaves) :])
        return Swept(answer, algebra.touched)

    def _part(self, part: str, arrays: list[Objects], scalars: Sequence[Rounded | None]) -> Answerlike:
        answer: Answerlike = {}
        rest = iter(scalars)
        for name, array in zip(labels(self.case, part), arrays, strict=True):
            balls = [self._ball(s) for _, s in zip(range(array.size), rest, strict=False)]
            answer[name] = (array.shape, balls)
        return answer

    def _ball(self, scalar: Rounded | None) -> arb:
        """A scalar's ball; where dtypes are mixed, every array is cast once more at the end."""
        if scalar is None:
            return arb(0)
        return (
            scalar.arena.make(scalar.ball, CORRECT, (), lambda g, y: ()).ball if self.mixed else scalar.ball
        )


def _above(ball: arb) -> float:
    """A float no smaller than the ball's magnitude."""
    reach = float(ball.abs_upper())
    return math.nextafter(reach, math.inf) if reach or not ball.is_zero() else 0.0
