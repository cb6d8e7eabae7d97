"""Which op is to blame for a wrong program, by name and argument, and the walk when each op is right alone."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from oracles.answers import Answer, Errored
from oracles.arrays import Array
from oracles.blame import Kind, accuse, finding_id
from oracles.judge import Bench
from oracles.program import Case, Pick, Ref, Refs, Step

from .answering import Answering
from .building import case, right_answer, step, with_gradient

X, Y = np.array([0.5, -1.25]), np.array([3.0, 0.1])


def off(answer: Answer, which: int) -> Answer:
    """The answer with one gradient's sign flipped."""
    array = answer.gradients[which]
    assert array is not None
    return with_gradient(answer, -array.numpy(), which)


def accused(given: Case, answer: Any) -> Kind:
    """Who is blamed by a bench whose subject answers so."""
    bench = Bench(Answering(answer), None)  # type: ignore[arg-type]
    judgement = bench.judge(given, witnesses=False)
    assert judgement.fault
    return accuse(bench, judgement).kind


def wrong_if(op: str, which: int = 0) -> Any:
    """A subject that is wrong in every program with this op."""

    def answer(given: Case) -> Answer:
        right = right_answer(given)
        return off(right, which) if any(s.op == op for s in given.program.steps) else right

    return answer


def test_one_op_is_blamed_itself() -> None:
    """In a program of one step the op is to blame, and the argument has the op's own name for it."""
    given = case({"p": X, "q": Y}, [step("mul", 0, 1)], [[1.0, 2.0]])
    assert accused(given, wrong_if("mul")) == Kind("mul", "a", "wrong value")
    assert accused(given, wrong_if("mul", 1)) == Kind("mul", "b", "wrong value")


@pytest.mark.parametrize("op", ["exp", "tanh"])
def test_the_step_that_is_wrong_alone_is_blamed(op: str) -> None:
    """In a longer program each step is tried alone on the values that reach it, and the wrong one is found."""
    given = case({"x": X}, [step("exp", 0), step("tanh", 1), step("neg", 2)], [[1.0, 2.0]])
    assert accused(given, wrong_if(op)) == Kind(op, "x", "wrong value")


def test_the_walk_is_blamed_when_every_step_is_right_alone() -> None:
    """A wrong answer to a program whose steps are all right is the walk's, also where one value is read twice."""

    def long_only(given: Case) -> Answer:
        return (
            off(right_answer(given), 0)
            if len(given.inputs) == 1 and given.program.steps[-1].op == "mul"
            else right_answer(given)
        )

    square = case({"x": X}, [step("mul", 0, 0)], [[1.0, 2.0]])
    assert accused(square, long_only) == Kind("walk", "", "wrong value")
    longer = case({"x": X}, [step("exp", 0), step("mul", 1, 0)], [[1.0, 2.0]])
    assert accused(longer, long_only) == Kind("walk", "", "wrong value")


def test_a_list_and_an_index_are_named() -> None:
    """The tensors of a list share one name, and indices are no arguments."""
    joined = case({"p": X, "q": Y}, [Step("cat", (Refs((0, 1)),), {"dim": 0})], [np.arange(1.0, 5.0)])
    assert accused(joined, wrong_if("cat", 1)) == Kind("cat", "tensors", "wrong value")


def test_second_order_output_and_laws_are_told_apart() -> None:
    """The error says second order, the argument says output or cotangent, and laws have no argument."""
    given = case({"x": X}, [step("exp", 0)], [[1.0, 2.0]], order=2, seconds=[[1.0, -1.0]])
    right = right_answer(given)
    wrong = Array.of(np.array([9.0, 9.0]))
    assert accused(given, msgspec.structs.replace(right, seconds=(wrong,))) == Kind(
        "exp", "x", "wrong value at second order"
    )
    assert accused(given, msgspec.structs.replace(right, second_cotangents=(wrong,))) == Kind(
        "exp", "cotangent", "wrong value at second order"
    )
    assert accused(given, msgspec.structs.replace(right, outputs=(wrong,))) == Kind(
        "exp", "output", "wrong value"
    )
    assert accused(given, msgspec.structs.replace(right, repeated=False)) == Kind("exp", "", "not repeatable")
    assert accused(given, Errored("ValueError", "no")) == Kind("exp", "", "forward raises ValueError")


def test_steps_alone_see_the_true_values() -> None:
    """Each step alone gets the values that reach it, rounded to the dtype, and no step without tensors is tried."""
    seen: list[Case] = []

    def answer(given: Case) -> Answer:
        seen.append(given)
        return off(right_answer(given), 0) if len(given.program.steps) > 1 else right_answer(given)

    picks = np.array([1, 0])
    steps = [step("exp", 0), Step("getitem", (Ref(2), Ref(1)), index=(Pick(1),))]
    assert accused(case({"x": X, "i": picks}, steps, [[1.0, 2.0]], dtype="float32"), answer).blame == "walk"
    alone = [c for c in seen if len(c.program.steps) == 1]
    assert [c.program.steps[0].op for c in alone] == ["exp", "getitem"]
    np.testing.assert_array_equal(alone[1].inputs[0].numpy(), np.exp(X).astype("float32"))
    np.testing.assert_array_equal(alone[1].inputs[1].numpy(), picks)
    assert not alone[1].program.inputs[1].requires_grad


def test_the_same_kind_has_the_same_id() -> None:
    """An id is a function of subject and kind, sayable, and differs between kinds and subjects."""
    kind = Kind("linalg.solve", "A", "nan")
    name = finding_id("mine", kind)
    assert name.startswith("linalg-solve-A-")
    assert finding_id("mine", kind) == name
    others = {finding_id("mine", Kind("linalg.solve", "A", "wrong value")), finding_id("yours", kind)}
    assert name not in others
    assert finding_id("mine", Kind("walk", "", "nan")).count("-") == 1
