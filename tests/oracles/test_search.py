"""The search traces enough accusations of each kind to an op, and no kind hides behind another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from oracles import search as searching
from oracles.answers import Answer
from oracles.blame import Kind
from oracles.judge import Bench
from oracles.program import Case
from oracles.search import Searched, Unit, search

from .answering import Answering
from .building import right_answer, with_gradient

UNIT = Unit(("exp", "tanh", "neg", "add"), "", 60, 4, ("float64",))
EXP, TANH = Kind("exp", "x", "wrong value"), Kind("tanh", "x", "wrong value")


def searched(wrong: Any, unit: Unit = UNIT) -> Searched:
    """What a unit finds in a subject that answers with flipped signs where `wrong` says so."""

    def answer(given: Case) -> Answer:
        right = right_answer(given)
        gradients = [None if a is None else -a.numpy() for a in right.gradients]
        if wrong([s.op for s in given.program.steps]):
            for n, gradient in enumerate(gradients):
                right = with_gradient(right, gradient, n)
        return right

    return search(unit, "mine", Bench(Answering(answer), None), set(), lambda: False)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def both() -> Searched:
    """A subject whose exp is always wrong, and whose tanh is too."""
    return searched(lambda ops: "exp" in ops or "tanh" in ops)


def test_a_kind_that_comes_late_is_traced(both: Searched, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the first kind has used up its share the other is found, and what is left untraced has an op of theirs."""
    monkeypatch.setattr(searching, "ACCUSATIONS", 2)
    few = searched(lambda ops: "exp" in ops or "tanh" in ops)
    assert {EXP, TANH} <= set(few.accused)
    by_one = [j.ops for j in few.judged if not j.finding and _accused(j)]
    assert by_one
    assert all({"exp", "tanh"} & set(ops) for ops in by_one)
    assert few.traced < both.traced
    first = next(n for n, j in enumerate(few.judged) if j.finding)
    late = next(n for n, j in enumerate(few.judged) if j.finding.startswith("tanh"))
    assert sum(j.finding.startswith("exp") for j in few.judged[first:late]) >= 2


def test_there_is_an_end_to_tracing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults of the walk, which say nothing of each other, are traced up to a number of all kinds together."""
    monkeypatch.setattr(searching, "MOST_ACCUSATIONS", 5)
    found = searched(lambda ops: len(ops) > 1)
    assert found.traced == 5
    assert {k.blame for k in found.accused} == {"walk"}
    assert sum(map(_accused, found.judged)) > 5


def test_one_op_alone_is_always_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the program names its culprit nothing is left out, and every accused case knows its finding."""
    monkeypatch.setattr(searching, "ACCUSATIONS", 1)
    monkeypatch.setattr(searching, "MOST_ACCUSATIONS", 1)
    found = searched(lambda ops: True, Unit(("exp",), "negative", 10, 4, ("float64",)))
    accused = [j for j in found.judged if _accused(j)]
    assert len(accused) > 5
    assert all(j.finding for j in accused)
    assert found.traced == 0
    assert np.sum(list(found.seen.values())) == len(accused)


def _accused(judged: Any) -> bool:
    return any(v.outcome == "differs" for v in judged.verdicts)
