"""Steering a search: how far off an answer is, as a height that Hypothesis climbs."""

from __future__ import annotations

import math

from hypothesis import target

from oracles.judge import Judgement
from oracles.worst import gradients

FEWEST = 20
"""Programs from which on Hypothesis climbs: it draws ten before it does, and then half of all."""
LEAST, MOST = 1e-6, 1e6
"""Errors in budgets beyond which nothing is to be gained: too small to rise from, and wrong enough."""


def height(judgement: Judgement) -> float:
    """The decimal logarithm of the worst error of a first-order gradient, in budgets."""
    worst = max((max(compared.ratios) for compared in gradients(judgement)), default=0.0)
    return math.log10(min(max(worst, LEAST), MOST))


class Climb:
    """What one drawn program reaches, by dtype, told to Hypothesis once it has been judged."""

    def __init__(self) -> None:
        self._heights: dict[str, float] = {}

    def add(self, judgement: Judgement) -> None:
        """Take a judgement into account, if it is of first order."""
        case = judgement.case
        if case.order == 1:
            self._heights[case.dtype] = max(height(judgement), self._heights.get(case.dtype, -math.inf))

    def tell(self) -> None:
        """Tell Hypothesis, which keeps the best of each dtype and tries to better it."""
        for dtype, reached in self._heights.items():
            target(reached, label=dtype)
