"""An answer beside the truth, element by element: how far off, in budgets and in ulps, and which fault that is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb

from oracles.budget.accuracy import precision
from oracles.truth import Enclosure

FAULTS = ("wrong shape", "wrong dtype", "no gradient", "nan", "infinite", "wrong value")
"""Classes of fault, most telling first."""


@dataclass(frozen=True)
class Compared:
    """One array of an answer against its enclosure.

    `fault` is empty when every element is within its budget; `elsewhere` counts elements that are off the contract's
    branch but on one that rounding, or a convention, may take. `ratios` and `ulps` are per element.
    """

    argument: str
    fault: str
    ratios: list[float]
    ulps: list[float]
    elsewhere: int = 0
    uninformative: bool = False

    @property
    def worst(self) -> int:
        """The position of the element that is furthest off, in budgets."""
        return max(
            range(len(self.ratios)), key=lambda i: (math.isnan(self.ratios[i]), self.ratios[i]), default=0
        )


def compare(enclosure: Enclosure, got: np.ndarray[Any, Any] | None, dtype: str) -> Compared:
    """Judge one array, whose shape has been found right; None stands for zeros."""
    values = [0.0] * len(enclosure.truth) if got is None else [float(v) for v in got.reshape(-1).tolist()]
    errors = [_distance(v, t) for v, t in zip(values, enclosure.truth, strict=True)]
    budgets = zip(errors, enclosure.budget, strict=True)
    ratios = [0.0 if error == 0 else error / budget if budget else math.inf for error, budget in budgets]
    centres = [float(t) for t in enclosure.truth]
    ulps = [error / ulp(c, dtype) if error else 0.0 for error, c in zip(errors, centres, strict=True)]
    fault, elsewhere = "", 0
    for i in [i for i, ratio in enumerate(ratios) if not ratio <= 1]:
        value = values[i]
        if enclosure.hull is not None and math.isfinite(value) and enclosure.hull[i].overlaps(arb(value)):
            elsewhere += 1
            continue
        found = "no gradient" if got is None else _fault(value)
        if not fault or FAULTS.index(found) < FAULTS.index(fault):
            fault = found
    return Compared(
        enclosure.argument, fault, ratios, ulps, elsewhere, _says_little(centres, enclosure.budget)
    )


def _distance(value: float, truth: arb) -> float:
    if not math.isfinite(value):
        return math.inf
    return float((truth - value).abs_lower())


def _fault(value: float) -> str:
    return "nan" if math.isnan(value) else "infinite" if math.isinf(value) else "wrong value"


def _says_little(centres: list[float], budgets: list[float]) -> bool:
    """Whether every budget is so wide, beside the largest true element, that agreement would mean nothing."""
    size = max(map(abs, centres), default=0.0)
    return size > 0 and all(b > size / 4 for b in budgets)


def ulp(value: float, dtype: str) -> float:
    """The distance between neighbouring numbers of the dtype at this magnitude."""
    p = precision(dtype)
    size = max(abs(value), p.tiny)
    return float(math.ldexp(2 * p.u, math.frexp(size)[1] - 1))


def decimal(ball: arb, digits: int = 20) -> str:
    """The ball's midpoint in decimals; "0" for a ball around 0, whose midpoint has no digit to trust."""
    return "0" if ball.contains(0) else str(ball.mid().str(digits, radius=False))


def half_width(ball: arb) -> str:
    """How far the ball reaches from what `decimal` says, in decimals."""
    reach = ball.abs_upper() if ball.contains(0) else ball.rad()
    return str(arb(reach).str(3, radius=False))
