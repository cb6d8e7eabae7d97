"""What is infinite in an answer: slopes at the edge of a domain, and numbers beyond the dtype's range.

Answers are arrays by name, each a shape and its scalars' balls; budgets are numbers by the same names.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from flint import arb

import refgrad
from oracles.answers import labels
from oracles.budget.accuracy import Precision
from oracles.program import Case

LEAVES = "an intermediate value may overflow or reach a pole"
LACKS = "the derivative does not exist here: outside the domain, or at its edge"
Answerlike = dict[str, tuple[tuple[int, ...], list[Any]]]
Budgets = dict[str, list[float]]


def infinite(ball: arb) -> bool:
    """Whether a ball is an infinity, and not merely without bounds."""
    return bool(ball.is_exact()) and not ball.is_nan() and not ball.is_finite()


def balls_of(answer: Answerlike) -> Iterator[Any]:
    """Every ball of an answer."""
    for _, values in answer.values():
        yield from values


def all_told(budget: Budgets) -> bool:
    """Whether something can be told of every element."""
    return all(b < math.inf for row in budget.values() for b in row)


def tells(case: Case, budget: Budgets) -> bool:
    """Whether something can be told of a gradient of the case's order; of no elements, all can."""
    parts = ("gradients",) if case.order == 1 else ("seconds", "second_cotangents")
    asked = [b for part in parts for name in labels(case, part) for b in budget[name]]
    return not asked or min(asked) < math.inf


def elementwise(case: Case) -> bool:
    """Whether the program is one step, each element of which is computed by itself."""
    steps = case.program.steps
    return len(steps) == 1 and isinstance(refgrad.catalogue()[steps[0].op].facts.meaning, str)


def mixed(case: Case) -> bool:
    """Whether differentiated inputs have several dtypes, so that some of the way may be in a wider range."""
    return len({i.dtype for i in case.program.inputs if i.requires_grad}) > 1


def spreads(case: Case, truth: Answerlike, budget: Budgets, hidden: bool) -> bool:
    """Whether something infinite on the way to one element may reach others, by way of a mask's 0 or another sum.

    hidden: whether there is such a thing where nothing depends on it.
    """
    whole = not hidden and all_told(budget) and all(ball.is_finite() for ball in balls_of(truth))
    return not (whole or (case.order == 1 and elementwise(case)))


def ended(
    truth: Answerlike, budget: Budgets, free: Answerlike, limits: Precision
) -> tuple[Answerlike, Budgets]:
    """The same, with the infinity that an element is, or certainly rounds to, where no budget could be had.

    `free` is the model with no end to its range: what is wholly beyond the dtype's there is so whichever way it is
    computed. An implementation may keep some of the way in a wider dtype, but what it answers is in this one.
    """
    found: Answerlike = {}
    allowed: Budgets = {}
    for name, (shape, balls) in truth.items():
        ends = [
            _end(ball, model, limits.big * (1 + limits.u)) if b == math.inf else None
            for ball, model, b in zip(balls, free[name][1], budget[name], strict=True)
        ]
        found[name] = (shape, [b if e is None else e for b, e in zip(balls, ends, strict=True)])
        allowed[name] = [b if e is None else 0.0 for b, e in zip(budget[name], ends, strict=True)]
    return found, allowed


def _end(truth: arb, model: arb, most: float) -> arb | None:
    if not truth.is_finite():
        return truth if infinite(truth) else None
    if not (model.is_finite() and abs(model) > most):
        return None
    return arb("inf") if model > 0 else arb("-inf")
