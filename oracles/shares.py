"""Where a budget comes from: how much of it each step of the program brings in, going forward and going back.

The error model is evaluated again, in the forms that err most, with one step rounding and all others exact. To first
order the parts add up to the whole, so their proportions say what makes a budget as wide as it is.
"""

from __future__ import annotations

import math

from oracles.budget.forms import variants
from oracles.budget.rounded import TooLarge
from oracles.budget.sweep import INPUTS
from oracles.program import Case
from oracles.records import Share
from oracles.truth import START_BITS, Model, working_bits

SHOWN = 3
MOST_STEPS = 12
"""Programs of more steps than this are not taken apart: each step costs one evaluation for each phase."""


def shares(case: Case, argument: str, element: int) -> tuple[Share, ...]:
    """The largest parts of one element's budget, in order; none where the model has no finite answer."""
    steps = range(len(case.program.steps))
    if len(steps) > MOST_STEPS:
        return ()
    parts = [(step, phase) for step in steps for phase in range(case.order + 1)]
    parts += [(INPUTS, phase) for phase in range(1, case.order + 1)]
    try:
        forms = range(variants(step.op for step in case.program.steps))
        reaches = [_radius(case, None, argument, element, form) for form in forms]
        if not reaches[0] < math.inf:
            return ()
        told = [reach if reach < math.inf else 0.0 for reach in reaches]
        widest = told.index(max(told))
        reach = {part: _radius(case, part, argument, element, widest) for part in parts}
    except (TooLarge, LookupError):
        return ()
    whole = sum(reach.values())
    if not 0 < whole < float("inf"):
        return ()
    largest = sorted(reach, key=lambda part: -reach[part])[:SHOWN]
    return tuple(Share(*part, f"{reach[part] / whole:.3g}") for part in largest if reach[part])


def _radius(case: Case, only: tuple[int, int] | None, argument: str, element: int, form: int) -> float:
    """How far the element's ball reaches in one variant of the forms; infinitely far where it tells nothing."""
    with working_bits(START_BITS):
        ball = Model(case, variant=form, only=only).at(case.order).answer[argument][1][element]
        return float(ball.rad()) if ball.is_finite() else math.inf
