"""Ties: however tied elements share a maximum's cotangent, their shares add up to it.

The hull of a kink knows each element alone: it lets any of the tied have all. Giving all of it to each of them
is a common mistake, and no slope of a maximum.
"""

from __future__ import annotations

import math
from dataclasses import replace

from oracles.answers import Answer, labels
from oracles.budget.accuracy import precision
from oracles.comparison import Compared
from oracles.program import Case

EXTREMES = frozenset({"amax", "amin", "max", "maximum", "min", "minimum"})


def overdrawn(case: Case, answer: Answer, compared: dict[str, Compared]) -> dict[str, Compared]:
    """The comparisons, those at fault whose elements are off the contract's choice and do not add up.

    Each of n cotangents reaches one gradient or is shared among some: n roundings of shares and n of sums, at most.
    """
    given = [float(g) for c in case.cotangents for g in c.seen().flat]
    shares = [float(v) for a in answer.gradients if a is not None for v in a.seen().flat]
    alone = len(case.program.steps) == 1 and case.program.steps[0].op in EXTREMES
    if not alone or len(case.cotangents) > 1 or not all(map(math.isfinite, shares)):
        return compared
    budget = 2 * len(given) * precision(case.dtype).u * sum(map(abs, given))
    if abs(math.fsum(shares) - math.fsum(given)) <= budget:
        return compared
    named = labels(case, "gradients")
    return {
        name: replace(c, fault="wrong value") if name in named and c.elsewhere and not c.fault else c
        for name, c in compared.items()
    }
