"""Means: shares of a cotangent may be rounded one by one before what comes back for them is summed."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from ..answering import judged  # noqa: TID252 - tests have no name to import
from ..building import case, right_answer, rounded, step  # noqa: TID252 - tests have no name to import

WEIGHTS = np.array([-2.0, -1.1, 2.5])
"""Their thirds, rounded, sum to another number than a third of their sum."""


@pytest.mark.parametrize("lane", ["arrays", "scalars"])
def test_thirds_may_be_summed(lane: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three libraries do so, and were accused by 1.16 budgets; ten times that error is still a fault."""
    if lane == "scalars":
        monkeypatch.setattr("oracles.truth.told", lambda cases: [None] * len(cases))
    given = case({"x": np.ones(3)}, [step("mean", 0)], [1.0], order=2, seconds=[WEIGHTS])
    once, each = np.sum(WEIGHTS) / 3, np.sum(WEIGHTS / 3)
    assert once != each
    for value, said in ((once, "agrees"), (each, "agrees"), (once + 10 * (each - once), "differs")):
        second = (rounded([value], (), "float64"),)
        answer = msgspec.structs.replace(right_answer(given), second_cotangents=second)
        assert judged(given, answer).verdicts[0].outcome == said
