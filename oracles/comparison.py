"""An answer beside the truth, element by element: how far off, in budgets and in ulps, and which fault that is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb

from oracles.arrayed.balls import OUT
from oracles.arrayed.lane import Told
from oracles.budget.accuracy import precision
from oracles.truth import Enclosure

FAULTS = (
    *("wrong shape", "wrong dtype", "no gradient"),
    *("nan", "infinite", "finite where infinite", "wrong value"),
)
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
    if enclosure.told is not None:
        within = _compared_whole(enclosure, enclosure.told, got, dtype)
        if within is not None:
            return within
    values = [0.0] * len(enclosure.truth) if got is None else [float(v) for v in got.reshape(-1).tolist()]
    spread, elements = enclosure.spread, zip(values, enclosure.truth, enclosure.budget, strict=True)
    errors = [
        0.0 if b == math.inf or (spread and _from_afar(v, t)) else _distance(v, t) for v, t, b in elements
    ]
    budgets = zip(errors, enclosure.budget, strict=True)
    ratios = [0.0 if error == 0 else error / budget if budget else math.inf for error, budget in budgets]
    centres = [float(t) for t in enclosure.truth]
    ulps = [error / ulp(c, dtype) if error else 0.0 for error, c in zip(errors, centres, strict=True)]
    fault, elsewhere = "", 0
    for i in [i for i, ratio in enumerate(ratios) if not ratio <= 1]:
        value, truth = values[i], enclosure.truth[i]
        if enclosure.hull is not None and _on_a_branch(value, enclosure.hull[i]):
            elsewhere += 1
            continue
        found = "no gradient" if got is None else _fault(value, truth)
        if not fault or FAULTS.index(found) < FAULTS.index(fault):
            fault = found
    little = _says_little(enclosure.truth, enclosure.budget)
    return Compared(enclosure.argument, fault, ratios, ulps, elsewhere, little)


def _compared_whole(
    enclosure: Enclosure, told: Told, got: np.ndarray[Any, Any] | None, dtype: str
) -> Compared | None:
    """The same of a whole array at once, if all of it is within its budget.

    The difference of two numbers of at most 64 bits is rounded by `EPS`; from what is left of it after that and the
    truth's radius, a float64 no larger is taken.
    """
    truth, budget = told.truth, told.budget
    values = np.zeros(truth.shape) if got is None else got.astype(np.float64)
    away = abs(truth.mid - values).astype(np.float64) / OUT
    if truth.rad is not None:
        away = np.maximum(away - truth.rad, 0.0)
    if np.count_nonzero(away <= budget) != away.size:
        return None
    ratios = np.divide(away, budget, out=np.zeros(away.shape), where=away > 0)
    p = precision(dtype)
    units = np.ldexp(2 * p.u, np.frexp(np.maximum(truth.size, p.tiny))[1] - 1)
    with np.errstate(over="ignore"):  # beside a truth near 0 an error is without end in ulps
        ulps = away / units
    size = np.maximum.reduce(truth.size if truth.rad is None else truth.size - truth.rad, None, initial=0.0)
    little = bool(size > 0 and np.count_nonzero(budget > size / 4) == away.size)
    return Compared(
        enclosure.argument, "", ratios.ravel().tolist(), ulps.ravel().tolist(), uninformative=little
    )


def _distance(value: float, truth: arb) -> float:
    """How far off, at the least. Where the truth is infinite, so is all but itself; NaN gives no false number there."""
    if not truth.is_finite():
        return 0.0 if math.isnan(value) or value == float(truth) else math.inf
    if not math.isfinite(value):
        return math.inf
    return float((truth - value).abs_lower())


def _from_afar(value: float, truth: arb) -> bool:
    """Whether an overflow on the way to another element may have made this: a NaN, or the other infinity."""
    return math.isnan(value) or (math.isinf(value) and not truth.is_finite())


def _on_a_branch(value: float, hull: arb) -> bool:
    """Whether a branch that rounding may take gives this; one that may overflow gives anything."""
    return not hull.is_finite() or (math.isfinite(value) and bool(hull.overlaps(arb(value))))


def _fault(value: float, truth: arb) -> str:
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "infinite"
    return "wrong value" if truth.is_finite() else "finite where infinite"


def _says_little(truths: list[arb], budgets: list[float]) -> bool:
    """Whether every budget is so wide, beside the largest true element, that agreement would mean nothing."""
    size = max([float(t.abs_lower()) for t in truths], default=0.0)
    return size > 0 and all(b > size / 4 for b in budgets)


def ulp(value: float, dtype: str) -> float:
    """The distance between neighbouring numbers of the dtype at this magnitude."""
    p = precision(dtype)
    size = max(abs(value), p.tiny)
    return float(math.ldexp(2 * p.u, math.frexp(size)[1] - 1))


def decimal(ball: arb, digits: int = 20) -> str:
    """The ball's midpoint in decimals; "0" for a ball around 0, whose midpoint has no digit to trust."""
    if ball.is_exact() and not ball.is_finite():
        return str(float(ball))
    return "0" if ball.contains(0) else str(ball.mid().str(digits, radius=False))


def half_width(ball: arb) -> str:
    """How far the ball reaches from what `decimal` says, in decimals."""
    reach = ball.abs_upper() if ball.contains(0) else ball.rad()
    return str(arb(reach).str(3, radius=False))
