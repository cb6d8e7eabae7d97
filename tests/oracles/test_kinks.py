"""At kinks: the contract's slope agrees, another allowed one is a convention, anything else differs."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from oracles.arrays import Array
from oracles.judge import Bench, Judgement
from oracles.program import Case, Ref, Step
from oracles.truth import Enclosed, Unknown, enclose

from .answering import Answering
from .building import case, right_answer, step, with_gradient


def judged(given: Case, gradient: Any) -> Judgement:
    """The judgement of an answer that is right but for its first gradient."""
    answer = with_gradient(right_answer(given), np.array(gradient, given.inputs[0].numpy().dtype))
    return Bench(Answering(answer), None).judge(given, witnesses=False)  # type: ignore[arg-type]


def outcome(given: Case, gradient: Any) -> str:
    """What the exact oracle says of that answer."""
    return judged(given, gradient).verdicts[0].outcome


@pytest.mark.parametrize(
    ("slope", "said", "fault"),
    [
        (0.0, "agrees", ""),
        (1.0, "convention", ""),
        (0.5, "convention", ""),
        (2.0, "differs", "wrong value"),
        (-0.1, "differs", "wrong value"),
        (1.0001, "differs", "wrong value"),
        (float("nan"), "differs", "nan"),
        (float("inf"), "differs", "infinite"),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_relu_at_its_kink(slope: float, said: str, fault: str, dtype: str) -> None:
    """At 0 PyTorch's slope 0 agrees, one up to 1 is a convention, and the rest is at fault."""
    found = judged(case({"x": [0.0, 2.0]}, [step("relu", 0)], [[1.0, 3.0]], dtype=dtype), [slope, 3.0])
    assert (found.verdicts[0].outcome, found.fault) == (said, fault)


def test_relu_away_from_its_kink() -> None:
    """A slope that is allowed at the kink is a fault an ulp beside it."""
    beside = case({"x": np.nextafter(0, 1)}, [step("relu", 0)], [1.0])
    assert outcome(beside, 1.0) == "agrees"
    assert outcome(beside, 0.0) == "differs"
    mixed = case({"x": [0.0, 2.0]}, [step("relu", 0)], [[1.0, 3.0]])
    assert outcome(mixed, [1.0, 2.0]) == "differs"


def test_the_whole_maximum_is_shared() -> None:
    """Over everything a tie is shared as PyTorch shares it; all to one is a convention, more than all is a fault."""
    tie = case({"x": [2.0, -1.0, 2.0]}, [step("max", 0)], [6.0])
    assert outcome(tie, [3.0, 0.0, 3.0]) == "agrees"
    assert outcome(tie, [6.0, 0.0, 0.0]) == "convention"
    assert outcome(tie, [7.0, 0.0, 0.0]) == "differs"
    assert outcome(tie, [3.0, 3.0, 0.0]) == "differs"
    assert outcome(tie, [-1.0, 0.0, 7.0]) == "differs"


def test_three_tied_share() -> None:
    """Three share by thirds; another way to share is a convention, and shares that do not add up are a fault."""
    tie = case({"x": [2.0, 2.0, 2.0, 1.0]}, [step("amax", 0, dim=0)], [6.0])
    assert outcome(tie, [2.0, 2.0, 2.0, 0.0]) == "agrees"
    assert outcome(tie, [3.0, 3.0, 0.0, 0.0]) == "convention"
    assert outcome(tie, [6.0, 0.0, 0.0, 0.0]) == "convention"
    for shares in ([6.0, 6.0, 6.0, 0.0], [2.0, 2.0, 0.0, 0.0], [3.0, 3.0, 3.0, 0.0]):
        found = judged(tie, shares)
        assert (found.verdicts[0].outcome, found.fault) == ("differs", "wrong value")
    assert outcome(tie, [2.0, 2.0, 2.0, 1.0]) == "differs"


def test_empty_reductions_are_judged() -> None:
    """A sum and a product of nothing have a value that is judged, and a gradient without elements."""
    for op, value in (("sum", 0.0), ("prod", 1.0)):
        given = case({"x": np.zeros((2, 0))}, [step(op, 0, dim=1)], [[1.0, 2.0]])
        right = right_answer(given)
        wrong = msgspec.structs.replace(right, outputs=(Array.of(np.array([value, value + 1])),))
        for answer, said in ((right, "agrees"), (wrong, "differs")):
            bench = Bench(Answering(answer), None)  # type: ignore[arg-type]
            assert bench.judge(given, witnesses=False).verdicts[0].outcome == said


def test_repeated_indices_add_up() -> None:
    """An element that is picked three times gets three cotangents."""
    index = np.array([1, 1, 0, 1])
    given = case({"x": [1.0, 2.0], "i": index}, [step("index_select", 0, 1, dim=0)], [[1.0, 2.0, 4.0, 8.0]])
    assert outcome(given, [4.0, 11.0]) == "agrees"
    assert outcome(given, [4.0, 8.0]) == "differs"


def test_the_maximum_along_a_dimension_goes_to_the_first() -> None:
    """Along a dimension the first of the tied gets all; sharing is a convention."""
    tie = case({"x": [[2.0, 2.0], [1.0, 3.0]]}, [step_max()], [[6.0, 5.0]], outputs=(1,))
    assert outcome(tie, [[6.0, 0.0], [0.0, 5.0]]) == "agrees"
    assert outcome(tie, [[3.0, 3.0], [0.0, 5.0]]) == "convention"
    assert outcome(tie, [[6.0, 0.0], [5.0, 0.0]]) == "differs"
    assert outcome(tie, [[0.0, 0.0], [0.0, 6.0]]) == "differs"


def step_max() -> Any:
    """max along the last dimension, with its indices."""
    return Step("max", (Ref(0),), {"dim": 1}, outputs=2)


def near_kink() -> Case:
    """relu(a*3 - b) at a point where a*3 is a little more than b, and is b once it is rounded to float32."""
    for tenths in range(1, 100):
        a = np.float32(tenths / 10)
        b = a * np.float32(3)
        if float(b) < float(a) * 3:
            break
    steps = [step("mul", 0, 3.0), step("sub", 2, 1), step("relu", 3)]
    return case({"a": [float(a)], "b": [float(b)]}, steps, [[1.0]], dtype="float32")


def test_rounding_may_take_the_other_side_of_a_kink() -> None:
    """Where rounding decides the branch, a subject on either side agrees, and one on neither differs."""
    given = near_kink()
    truth = enclose(given)
    assert isinstance(truth, Enclosed)
    assert truth.near_kink
    assert not truth.at_kink
    assert float(truth.arrays["gradient of a"].truth[0].mid()) == 3.0
    assert outcome(given, [3.0]) == "agrees"
    assert outcome(given, [0.0]) == "agrees"
    assert "other side of a kink" in judged(given, [0.0]).verdicts[0].reason
    assert outcome(given, [4.0]) == "differs"
    assert outcome(given, [-1.0]) == "differs"


def test_far_from_the_kink_rounding_excuses_nothing() -> None:
    """The same program with b moved away has one branch alone."""
    steps = [step("mul", 0, 3.0), step("sub", 2, 1), step("relu", 3)]
    given = case({"a": [0.1], "b": [0.2]}, steps, [[1.0]], dtype="float32")
    truth = enclose(given)
    assert isinstance(truth, Enclosed)
    assert not truth.near_kink
    assert outcome(given, [0.0]) == "differs"


def test_too_many_kinks_cannot_be_told() -> None:
    """With dozens of undecided kinks the hull says too little, and the oracle says so."""
    found = enclose(case({"x": np.zeros(40)}, [step("relu", 0)], [np.ones(40)]))
    assert isinstance(found, Unknown)
    assert "40 kinks" in found.reason
